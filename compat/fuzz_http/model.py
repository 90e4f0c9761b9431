"""The keys that the cases of a batch must and may have set, and a look at those that are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from compat.fuzz_http.case import Case
from compat.fuzz_http.judge import Verdict
from compat.fuzz_http.mutated import permitted
from tests.support.resp import Connection

_AT_ONCE = 500


class Model:
    """Of one batch after the other."""

    def __init__(self) -> None:
        self._must: dict[bytes, bytes] = {}
        self._may: dict[bytes, bytes] = {}
        self._mutated: dict[bytes, Case] = {}

    def add(self, case: Case, verdict: Verdict) -> None:
        """A case is over."""
        self._must |= verdict.must
        self._may |= verdict.may
        if case.free:
            self._mutated[b"%d" % case.number] = case

    def findings(self, connection: Connection, foreseen: bool) -> Iterator[tuple[int, str]]:
        """Look at all keys, and remove them: the number of the case, and what is wrong.

        foreseen: False if keys other than canaries may have been set.
        """
        keys = {key for key in connection.call("KEYS", "*") if not key.startswith(b"beside:")}
        for key in sorted(keys - self._must.keys() - self._may.keys()):
            if key.startswith(b"canary:"):
                if not self._permitted(key):
                    yield int(_number(key)), f"a canary was set: {key!r}"
            elif foreseen:
                yield int(_number(key)), f"nobody was told that {key!r} is set"
        if foreseen:
            for missing in sorted(self._must.keys() - keys):
                yield int(_number(missing)), f"{missing!r} was set, as its answer says, and is not there"
            yield from self._wrong_values(connection, sorted(keys & (self._must.keys() | self._may.keys())))
        for some in _portions(sorted(keys)):
            connection.call("DEL", *some)
        self._must, self._may, self._mutated = {}, {}, {}

    def _permitted(self, canary: bytes) -> bool:
        """True if a mutated stream asks for it, which may have mutated its name, too."""
        case = self._mutated.get(_number(canary))
        if case is not None and canary in permitted(case.sent()):
            return True
        return any(canary in permitted(case.sent()) for case in self._mutated.values() if b"canary:" in case.sent())

    def _wrong_values(self, connection: Connection, keys: Sequence[bytes]) -> Iterator[tuple[int, str]]:
        for some in _portions(keys):
            for key, value in zip(some, connection.call("MGET", *some), strict=True):
                wanted = self._must.get(key, self._may.get(key))
                if value != wanted:
                    yield int(_number(key)), f"{key!r} is {_short(value)}, not {_short(wanted)}"


def _number(key: bytes) -> bytes:
    """The number of the case: keys are asked:SEED-NUMBER:n."""
    number = key.partition(b":")[2].partition(b"-")[2].partition(b":")[0]
    return number if number.isdigit() else b"0"


def _short(value: bytes | None) -> str:
    return repr(value) if value is None or len(value) < 100 else f"{value[:100]!r}... ({len(value)} bytes)"


def _portions(keys: Sequence[bytes]) -> Iterator[list[bytes]]:
    rest = iter(keys)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
