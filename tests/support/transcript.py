"""Tests that read like a redis-cli session.

`do` sends a command, and gives its reply; `do.error` gives the text of the error that must come:

    assert do("LPUSH", "l", "a") == 1
    assert do("LRANGE", "l", 0, -1) == [b"a"]
    assert do.error("INCR", "l") == "WRONGTYPE Operation against a key holding the wrong kind of value"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.resp import Connection, ReplyError

if TYPE_CHECKING:
    from tests.support.processes import StartedServer


class Transcript:
    """One client's session; see the module. `do.protocol` tells in which RESP replies come."""

    def __init__(self, connection: Connection, server: StartedServer) -> None:
        self.connection = connection
        self.protocol = connection.protocol
        self.server = server

    def __enter__(self) -> Transcript:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def __call__(self, *words: Any) -> Any:
        """Send one command; its reply. An error reply fails the test."""
        reply = self.connection.call(*words)
        if isinstance(reply, ReplyError):
            raise AssertionError(f"{' '.join(map(str, words))} -> {reply}")
        return reply

    def error(self, *words: Any) -> str:
        """Send one command that must fail; the text of its error."""
        reply = self.connection.call(*words)
        assert isinstance(reply, ReplyError), f"{' '.join(map(str, words))} did not fail: {reply!r}"
        return str(reply)

    def transaction(self, *commands: tuple[object, ...]) -> list[object] | None:
        """The reply of EXEC to these commands; each must have been queued."""
        assert self("MULTI") == "OK"
        for words in commands:
            assert self(*words) == "QUEUED"
        reply = self("EXEC")
        assert reply is None or isinstance(reply, list)
        return reply

    def as_map(self, reply: Any) -> dict[Any, Any]:
        """A reply that is a map in RESP3 and a flat array in RESP2, whichever came; its form is checked."""
        assert isinstance(reply, dict if self.protocol == 3 else list)
        return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))

    def pairs(self, reply: Any) -> list[tuple[Any, Any]]:
        """A reply that is pairs in RESP3 and a flat array in RESP2 (ZRANGE ... WITHSCORES), as tuples."""
        if self.protocol == 3:
            return [tuple(pair) for pair in reply]  # type: ignore[misc]  # each pair has two items, or the test fails
        return list(zip(reply[::2], reply[1::2], strict=True))

    def double(self, value: float) -> Any:
        """How a double arrives: a float in RESP3, its digits as a bulk string in RESP2."""
        if self.protocol == 3:
            return value
        return str(int(value)).encode() if value == int(value) else repr(value).encode()

    def advance(self, milliseconds: int) -> None:
        """Let time pass: our own server's clock is shifted (tests that need it are marked `respcache_only`)."""
        self("DEBUG", "ADVANCE-CLOCK", milliseconds)
