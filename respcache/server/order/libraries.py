"""The libraries of functions: main has their texts, every shard has them loaded.

Whoever changes them holds a barrier over all shards, so that main and the shards know the same ones at each point of
the order, and no script runs. A library is tried in one shard first, which says what is wrong with it, or which
functions it has. Then everything happens in one synchronous step: names are compared, the texts kept, and all shards
told. A shard that is restarted gets all libraries with its settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from respcache import errors
from respcache.commands.scripting.closed import Proof, prove_library
from respcache.errors import CommandError
from respcache.scripting.headers import library_header
from respcache.server.shards.queue import NOBODY
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from respcache.server.shards.link import ShardLink


class Function(NamedTuple):
    """A function of a library."""

    name: bytes
    description: bytes | None
    flags: list[bytes]


class Library(NamedTuple):
    """A library, as FUNCTION LIST shows it."""

    name: bytes
    code: bytes
    functions: list[Function]
    proof: Proof


class Libraries:
    """All of them."""

    def __init__(self, links: Sequence[ShardLink]) -> None:
        self._links = links
        self._by_name: dict[bytes, Library] = {}
        self._of_function: dict[bytes, Library] = {}  # by the name of the function in lower case

    def all(self) -> list[Library]:
        """In the order in which they were loaded."""
        return list(self._by_name.values())

    @property
    def functions(self) -> int:
        """How many there are."""
        return sum(len(library.functions) for library in self._by_name.values())

    @property
    def memory(self) -> int:
        """Bytes of all texts."""
        return sum(len(library.code) for library in self._by_name.values())

    def codes(self) -> dict[bytes, bytes]:
        """The texts by name."""
        return {library.name: library.code for library in self._by_name.values()}

    def proof(self, function: bytes) -> Proof | None:
        """What is certain of a function, whose name may have any case. None if there is no such function."""
        library = self._of_function.get(function.lower())
        return None if library is None else library.proof

    def flags(self, function: bytes) -> list[bytes] | None:
        """What a function says of itself, whose name may have any case. None if there is no such function."""
        name = function.lower()
        library = self._of_function.get(name)
        functions = () if library is None else library.functions
        return next((each.flags for each in functions if each.name.lower() == name), None)

    # -- changes: the caller holds a barrier over all shards (`Executor.change_libraries`)

    async def load(self, code: bytes, *, replace: bool) -> bytes:
        """FUNCTION LOAD: the name of the library. Raises CommandError, and has changed nothing then."""
        name, _ = library_header(code)
        if name in self._by_name and not replace:
            raise errors.library_exists(name)
        library = await self._try(name, code)
        self._check_functions([library])
        self._install([library])
        return name

    async def restore(self, codes: Iterable[bytes], *, policy: bytes) -> None:
        """FUNCTION RESTORE with the policy FLUSH, APPEND or REPLACE. Raises CommandError, and has changed nothing."""
        libraries: dict[bytes, Library] = {}
        names: set[bytes] = set()
        for code in codes:
            name, _ = library_header(code)
            if name in libraries:
                raise errors.library_exists(name)
            library = libraries[name] = await self._try(name, code)
            for function in library.functions:
                if function.name.lower() in names:
                    raise errors.function_exists(function.name)
                names.add(function.name.lower())
        if policy != b"FLUSH":
            for name in libraries:
                if name in self._by_name and policy != b"REPLACE":
                    raise errors.restored_library_exists(name)
            self._check_functions(list(libraries.values()))
        self._install(list(libraries.values()), flush=policy == b"FLUSH")

    async def _try(self, name: bytes, code: bytes) -> Library:
        """Load a library in one shard, which does not keep it."""
        found = await self._links[0].call(wire.inspect_library(code)).result()
        return Library(name, code, [Function(*function) for function in found], prove_library(code))

    def _check_functions(self, libraries: list[Library]) -> None:
        """Raises CommandError if libraries that stay have functions of the same names."""
        names = {library.name for library in libraries}
        for library in libraries:
            for function in library.functions:
                other = self._of_function.get(function.name.lower())
                if other is not None and other.name not in names:
                    raise errors.function_exists(function.name)

    def delete(self, name: bytes) -> None:
        """FUNCTION DELETE. Raises CommandError."""
        if name not in self._by_name:
            raise CommandError(errors.NO_LIBRARY)
        self._forget(name)
        self._tell({name: None})

    def put_back(self, libraries: list[Library]) -> None:
        """RESPCACHE RESTORE: have these again, which were there before, and no others."""
        if libraries != self.all():
            self._install(libraries, flush=True)

    def flush(self) -> None:
        """FUNCTION FLUSH."""
        self._install([], flush=True)

    def reset(self) -> None:
        """RESPCACHE RESET: the same without a barrier, in its place in the order."""
        self._by_name.clear()
        self._of_function.clear()
        for link in self._links:
            link.submit(wire.libraries({}, flush=True), NOBODY)

    def _install(self, libraries: list[Library], *, flush: bool = False) -> None:
        """One step of the order."""
        for name in list(self._by_name) if flush else [library.name for library in libraries]:
            self._forget(name)
        for library in libraries:
            self._by_name[library.name] = library
            self._of_function.update((function.name.lower(), library) for function in library.functions)
        self._tell({library.name: library.code for library in libraries}, flush=flush)

    def _forget(self, name: bytes) -> None:
        library = self._by_name.pop(name, None)
        for function in library.functions if library is not None else ():
            # Two functions of one library may have the same name but for case; the last one is called.
            self._of_function.pop(function.name.lower(), None)

    def _tell(self, codes: dict[bytes, bytes | None], *, flush: bool = False) -> None:
        for link in self._links:
            link.call(wire.libraries(codes, flush=flush))
