"""A share of the cases on real servers: respcache, and genuine ones that check payloads as thoroughly as they can."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from compat import targets
from compat.fuzz_rdb.mutations import Case
from compat.values import sealed
from respcache.datatypes.limits import Limits
from respcache.rdb.building import build
from respcache.rdb.modules import Unsupported
from respcache.rdb.payload import FOOTER, BadFrame, unseal
from respcache.rdb.reading import read_value
from respcache.rdb.strings import Malformed, Reader
from tests.support.processes import ReferenceServer, StartedServer
from tests.support.resp import Closed, Connection, ReplyError

# What we refuse and Redis takes, by our reason, and why.
STRICTER: Mapping[str, str] = {
    "a score that is no number": "a sorted set with NaN has no order",
    "entries too many or out of order": "streams are searched by bisection; no server writes such",
    "nodes that overlap": "as above",
    "another number of entries": "Valkey looks, Redis does not",
    "an entry before its node": "as above",
    "an entry after the last one": "XADD would make ids that there are already",
    "a figure that is too large": "clients get 64 bits with a sign",
    "a time before all times": "as above, once it has become an idle time",
    "no number where one should be": "Redis reads a number that stands there as text; no server writes it so",
    "the same consumer twice, or the same entry": "Redis lets two consumers own one delivery, and is confused then",
    "a type of the other server": "Redis takes what was written before 7.4 was released",
    "an entry with another length at its end": "Redis reads on to the left, and may so find the right one by accident",
    "a deadline outside all times": "in Redis the sum wraps around",
    "an expired field twice": "Valkey leaves expired fields out before it looks",
    "an unknown form of a length": "in a stream, Redis takes it for the largest number",
}

_KEY, _COPY, _OTHER = "restored", "copy", "other"
_REDIS_VERSIONS = 16
_HASH_OF_VALKEY = 22


class Beside:
    """The servers, for the length of a `with` block; none if not `on`."""

    def __init__(self, *, on: bool = True) -> None:
        self._on = on
        self._stack = ExitStack()
        self._genuine: dict[str, _Genuine] = {}
        self._ours: Connection | None = None
        self._server: StartedServer | None = None

    def __enter__(self) -> Beside:
        if self._on:
            (target,) = targets.respcache((1,))
            self._server = self._stack.enter_context(target.running())
            self._ours = Connection(self._server.port)
            self._ours.call("SET", _OTHER, "here to stay")
            for genuine in targets.genuine():
                self._genuine[genuine.label] = self._stack.enter_context(_Genuine(genuine))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def compare(self, cases: Sequence[Case]) -> list[str]:
        """Findings, as text."""
        return [
            f"== case {one.number} ({one.name}): {found}\n   {one.payload.hex()[:4000]}"
            for one in cases
            for found in self._compare(one)
        ]

    def _compare(self, one: Case) -> Iterator[str]:
        assert self._ours is not None
        ours = self._ours
        said = ours.call("RESTORE", _KEY, 0, one.payload)
        if isinstance(said, ReplyError) and "internal error" in str(said):
            yield str(said)
        dumped = ours.call("DUMP", _KEY)
        ours.call("DEL", _KEY)
        if ours.call("DBSIZE") != 1:
            yield "the server holds something else"
        for genuine in self._genuine.values():
            yield from genuine.compare(one.payload, said, dumped)


class _Genuine:
    """A genuine server, which is started again when a payload has ended it."""

    def __init__(self, target: targets.Target) -> None:
        self._target = target
        self._start()
        # The newest version of payloads that it takes.
        dumped = self._connection.call("DUMP", _OTHER)
        self.version = int.from_bytes(dumped[-FOOTER : 2 - FOOTER], "little")

    def _start(self) -> None:
        arguments = ["--enable-debug-command", "yes", "--sanitize-dump-payload", "yes"]
        self._server = ReferenceServer(self._target.program, *arguments)
        self._connection = Connection(self._server.port)
        self._connection.call("SET", _OTHER, "here to stay")

    def __enter__(self) -> _Genuine:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._server.stop()

    def compare(self, payload: bytes, ours: Any, dumped: Any) -> Iterator[str]:
        """`ours` is our reply, and `dumped` what we have made of the payload."""
        payload = self._understandable(payload)
        if not payload:
            return
        try:
            yield from self._compare(payload, ours, dumped)
        except (Closed, OSError):
            self.__exit__()
            self._start()  # a bug of that server; the others judge

    def _compare(self, payload: bytes, ours: Any, dumped: Any) -> Iterator[str]:
        theirs, copied = self._connection.pipeline(
            ("RESTORE", _KEY, 0, payload), ("RESTORE", _COPY, 0, dumped if isinstance(dumped, bytes) else b"")
        )
        label = self._target.label
        if ours == "OK" and theirs != "OK":
            yield f"{label} says {theirs}"
        elif ours == "OK":
            if copied != "OK":
                yield f"{label} says of our dump: {copied}"
            else:
                one, other = self._connection.call("DEBUG", "DIGEST-VALUE", _KEY, _COPY)
                if one != other:
                    yield f"{label} finds another value in our dump, {dumped.hex()[:2000]}"
        elif theirs == "OK" and (reason := _reason(payload)) and reason not in STRICTER:
            yield f"{label} takes it, but we say {ours} ({reason})"
        self._connection.call("DEL", _KEY, _COPY)

    def _understandable(self, payload: bytes) -> bytes:
        """The payload in the server's own version, if types mean the same there; else nothing."""
        version = int.from_bytes(payload[-FOOTER : 2 - FOOTER], "little")
        body = payload[:-FOOTER]
        if version >= _REDIS_VERSIONS or self.version >= _REDIS_VERSIONS or not body:
            return payload if version == self.version else b""
        newest = {10: 19, 11: 21}.get(self.version, 25)
        return sealed(body, min(version, self.version)) if body[0] <= newest else b""


def _reason(payload: bytes) -> str:
    """Why we refuse a payload; empty for what is right but has no place in respcache."""
    try:
        # Redis reads on into the version and the checksum.
        plain = read_value(Reader(payload, 1), payload[0], unseal(payload))
    except (BadFrame, Malformed) as error:
        same_field_of_valkey = payload[0] == _HASH_OF_VALKEY and str(error) == "the same element twice"
        return "an expired field twice" if same_field_of_valkey else str(error)
    except Unsupported:
        return ""
    try:
        build(Limits(), plain)
    except Unsupported:
        pass
    return ""
