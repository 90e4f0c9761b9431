"""A client that caches, as its server sees it: what it reads, and what it is told.

    cache = Cache(connect, do.protocol)
    cache("GET", "k")
    do("SET", "k", 1)
    assert cache.told() == [["k"]]

In RESP2 a second connection is told, as client libraries have it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.support.resp import Connection, PushData, ReplyError
from tests.support.transcript import Transcript

_END = b"that was all"
CHANNEL = "__redis__:invalidate"


class Cache:
    """One such client. `options` are those of CLIENT TRACKING ON."""

    def __init__(self, connect: Callable[..., Connection], protocol: int, *options: object) -> None:
        self.protocol = protocol
        self.connection = self.listener = connect(protocol=protocol)
        if protocol == 2:
            self.listener = connect(protocol=2)
            self.redirect = self.listener.call("CLIENT", "ID")
            self.listener.call("SUBSCRIBE", CHANNEL)
        # What came between replies.
        self._told: list[Any] = []
        self.track(*options)

    def track(self, *options: object) -> None:
        """CLIENT TRACKING ON."""
        redirect = ("REDIRECT", self.redirect) if self.protocol == 2 else ()
        assert self("CLIENT", "TRACKING", "ON", *redirect, *options) == "OK"

    def __call__(self, *words: object) -> Any:
        """The reply to a command. An error fails the test."""
        reply = self.any(*words)
        assert not isinstance(reply, ReplyError), f"{words} -> {reply}"
        return reply

    def any(self, *words: object) -> Any:
        """The same, errors included."""
        self.connection.send(*words)
        return self.reply()

    def reply(self) -> Any:
        """The next reply."""
        while isinstance(reply := self.connection.read(), PushData):
            self._told.append(reply)
        return reply

    def told(self) -> list[list[str] | None]:
        """What the client was told since this was asked before: the keys of each message; None: any key."""
        self.listener.send("PING", _END)
        while (message := self.listener.read()) not in (_END, [b"pong", _END]):
            self._told.append(message)
        told, self._told = self._told, []
        return [_keys(message) for message in told]

    def keys(self) -> list[str]:
        """The same keys in alphabetical order, however many messages they came in."""
        return sorted(key for keys in self.told() for key in keys or ["(all)"])


def _keys(message: Any) -> list[str] | None:
    if isinstance(message, PushData):
        assert message[0] == b"invalidate", message
    else:
        assert message[:2] == [b"message", CHANNEL.encode()], message
    keys = message[-1]
    return None if keys is None else [key.decode() for key in keys]


def push(*words: Any) -> PushData:
    """A push message of RESP3."""
    return PushData(words)


def figures(do: Transcript) -> dict[str, int]:
    """What INFO says of tracking."""
    return {name: int(value) for name, value in re.findall(r"tracking_(\w+):(\d+)", str(do("INFO")))}
