"""What goes wrong on a server, for tests: `server.faults`."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, Self, TypedDict, TypeVar, Unpack

from respcache.testing.control import fields_of
from respcache.testing.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

    from respcache.testing.control import Caller, Word

F = TypeVar("F")
_numbers = count(1)


class Filters(TypedDict, total=False):
    """Keyword arguments of each fault: which commands and messages it hits, and which of these make it fire.

    All that are given must match.

    name: the name of the fault in RESPCACHE FAULT LIST; one is made up if none is given.
    command: a pattern of the command: "GET", "config|*". Messages to subscribers are "message", "pmessage", "smessage".
    key: a pattern that some key of the command matches; of a message, its channel.
    client: a pattern of the client's name, of its address, or of the name of its library.
    user: who the client has logged in as.
    after: how many hits pass first.
    times: how often the fault fires at most; then it is over.
    probability: the chance with which it fires, from 0 to 1.
    seed: of the chance; the same seed gives the same decisions. 0 if none is given.
    """

    name: str
    command: str
    key: str | bytes
    client: str
    user: str
    after: int
    times: int
    probability: float
    seed: int


@dataclass(frozen=True)
class FaultState:
    """A fault as the server describes it. `over`: it has fired as often as it may, or its time is up."""

    name: str
    action: str
    over: bool
    matched: int
    fired: int


class _Actions(ABC, Generic[F]):
    """The actions. Each arms a fault at once, and gives it.

    Times are seconds of the server's clock, so `server.clock` can let them pass.
    """

    @abstractmethod
    def _arm(self, action: tuple[Word, ...], filters: Filters) -> F:
        """Arm a fault."""

    def error(self, text: str, **filters: Unpack[Filters]) -> F:
        """Answer with an error; `text` is all of it: ``"LOADING Redis is loading the dataset in memory"``."""
        return self._arm(("ERROR", text), filters)

    def delay(self, seconds: float, **filters: Unpack[Filters]) -> F:
        """Carry commands out later. The commands of a client keep their order; others are not held up."""
        return self._arm(("DELAY", _milliseconds(seconds)), filters)

    def close_before(self, **filters: Unpack[Filters]) -> F:
        """Close the connection instead of carrying the command out."""
        return self._arm(("CLOSE", "BEFORE"), filters)

    def close_after(self, **filters: Unpack[Filters]) -> F:
        """Carry the command out, and close the connection instead of answering."""
        return self._arm(("CLOSE", "AFTER"), filters)

    def cut(self, size: int, **filters: Unpack[Filters]) -> F:
        """Carry the command out, send so many bytes of the reply, and close the connection."""
        return self._arm(("CUT", size), filters)

    def dribble(self, size: int, seconds: float, **filters: Unpack[Filters]) -> F:
        """Send the reply in portions of so many bytes, with a time between them."""
        return self._arm(("DRIBBLE", size, _milliseconds(seconds)), filters)

    def blackhole(self, **filters: Unpack[Filters]) -> F:
        """Answer neither this command nor any later one; the connection stays open until the fault is deleted."""
        return self._arm(("BLACKHOLE",), filters)

    def refuse(self, **filters: Unpack[Filters]) -> F:
        """Close new connections at once. Of the filters, `client` is matched with the address."""
        return self._arm(("REFUSE",), filters)

    def drop_shard(self, index: int = 0, **filters: Unpack[Filters]) -> F:
        """Kill the process of a shard: at once, or if there are filters, when they match."""
        return self._arm(("DROP-SHARD", index), filters)

    def loading(self, seconds: float = 0, **filters: Unpack[Filters]) -> F:
        """Answer as a server that loads its data does, for a time; 0 is until the fault is deleted."""
        return self._arm(("LOADING", _milliseconds(seconds)), filters)

    def readonly(self, **filters: Unpack[Filters]) -> F:
        """Refuse writes, as a replica does."""
        return self._arm(("READONLY",), filters)

    def oom(self, **filters: Unpack[Filters]) -> F:
        """Refuse what takes memory, as a server does that has reached its `maxmemory`."""
        return self._arm(("OOM",), filters)


class ServerFaults(_Actions["Fault"]):
    """The faults of a server. `RESPCACHE RESET`, and so the next test, deletes them.

    Errors: RuntimeError if the server refuses, ConnectionError if it died.
    """

    def __init__(self, call: Caller, alive: Callable[[], bool]) -> None:
        self._call = call
        self.alive = alive

    def list(self) -> list[FaultState]:
        """All faults, in the order in which they were armed."""
        return [_state(fields) for fields in self._call("RESPCACHE", "FAULT", "LIST")]

    def delete(self, name: str) -> bool:
        """Delete a fault; what it holds up goes on. False if there is none of this name."""
        return bool(self._call("RESPCACHE", "FAULT", "DEL", name))

    def clear(self) -> int:
        """Delete all faults; how many there were."""
        return int(self._call("RESPCACHE", "FAULT", "CLEAR"))

    def _arm(self, action: tuple[Word, ...], filters: Filters) -> Fault:
        name = filters.get("name") or f"fault-{os.getpid()}-{next(_numbers)}"
        self._call("RESPCACHE", "FAULT", "ADD", name, *_words(filters), *action)
        return Fault(self, name)


class Fault:
    """A fault that was armed. Used as a context manager, it is deleted with the end of the block, whatever happens."""

    def __init__(self, faults: ServerFaults, name: str) -> None:
        self._faults = faults
        self.name = name
        self._last: FaultState | None = None  # before it was deleted

    @property
    def matched(self) -> int:
        """How many commands and messages it has hit, until it was deleted."""
        return self._state().matched

    @property
    def fired(self) -> int:
        """How many of them it has done something to."""
        return self._state().fired

    def delete(self) -> None:
        """Delete it. Does nothing if it is gone, or if the server is."""
        try:
            self._last = self._state()
            self._faults.delete(self.name)
        except (OSError, RuntimeError):
            if self._faults.alive():
                raise

    def _state(self) -> FaultState:
        if self._last is not None:
            return self._last
        found = [state for state in self._faults.list() if state.name == self.name]
        return found[0] if found else FaultState(self.name, "", True, 0, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.delete()


class AsyncServerFaults(_Actions["AsyncFault"]):
    """`ServerFaults` for trio and asyncio, whose tasks go on meanwhile.

    A fault is armed by ``async with server.async_faults.error(...)``, or by ``await``.
    """

    def __init__(self, faults: ServerFaults) -> None:
        self._faults = faults

    async def list(self) -> list[FaultState]:
        """See `ServerFaults.list`."""
        return await in_thread(self._faults.list)

    async def delete(self, name: str) -> bool:
        """See `ServerFaults.delete`."""
        return await in_thread(self._faults.delete, name)

    async def clear(self) -> int:
        """See `ServerFaults.clear`."""
        return await in_thread(self._faults.clear)

    def _arm(self, action: tuple[Word, ...], filters: Filters) -> AsyncFault:
        return AsyncFault(lambda: self._faults._arm(action, filters))


class AsyncFault:
    """A fault that is armed when this is awaited, or at the beginning of an ``async with`` block."""

    def __init__(self, arm: Callable[[], Fault]) -> None:
        self._arm = arm
        self._fault: Fault | None = None

    async def matched(self) -> int:
        """See `Fault.matched`."""
        return await in_thread(lambda: self._armed.matched)

    async def fired(self) -> int:
        """See `Fault.fired`."""
        return await in_thread(lambda: self._armed.fired)

    async def delete(self) -> None:
        """See `Fault.delete`."""
        await in_thread(self._armed.delete)

    @property
    def _armed(self) -> Fault:
        if self._fault is None:
            raise RuntimeError("the fault is not armed: `await` it, or use `async with`")
        return self._fault

    async def _begin(self) -> Self:
        await in_thread(self._arm_it)
        return self

    def _arm_it(self) -> None:
        self._fault = self._arm()  # in the thread: asyncio does not give a task that is cancelled what came of it

    def __await__(self) -> Generator[Any, None, Self]:
        return self._begin().__await__()

    async def __aenter__(self) -> Self:
        """A cancellation takes effect when the fault is armed; it is deleted then."""
        try:
            return await self._begin()
        except BaseException:
            if self._fault is not None:
                await in_thread(self._fault.delete)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A cancellation takes effect when the fault is deleted."""
        await self.delete()


def _words(filters: Filters) -> list[Word]:
    words: list[Word] = []
    given = dict(filters)
    if "probability" in given:
        given.setdefault("seed", 0)
    for name, value in given.items():
        if name != "name":
            words += [name.upper(), value if isinstance(value, bytes) else str(value)]
    return words


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _state(flat: list[Any]) -> FaultState:
    fields = fields_of(flat)
    return FaultState(
        fields["name"].decode("utf-8", "surrogateescape"),
        fields["action"].decode("utf-8", "surrogateescape"),
        fields["state"] == b"over",
        fields["matched"],
        fields["fired"],
    )
