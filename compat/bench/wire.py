"""One blocking connection: commands out in one write, replies back."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import hiredis

Word = str | bytes | int

_TIMEOUT = 300.0  # seconds; filling fakeredis with a large data set takes long


def pack(*words: Word) -> bytes:
    """A command as an array of bulk strings."""
    encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)


class Wire:
    """A client of a server under test. Error replies are raised: a failing load would measure nothing."""

    def __init__(self, port: int, timeout: float = _TIMEOUT) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = hiredis.Reader()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def call(self, *words: Word) -> Any:
        """Send one command and return its reply."""
        return self.exchange([pack(*words)])[0]

    def exchange(self, commands: Iterable[bytes]) -> list[Any]:
        """Send packed commands at once and return their replies."""
        packed = list(commands)
        self._socket.sendall(b"".join(packed))
        return [self.receive() for _ in packed]

    def send(self, *words: Word) -> None:
        """Send one command, whose reply is read later."""
        self.send_packed(pack(*words))

    def send_packed(self, commands: bytes) -> None:
        """Send packed commands, whose replies are read later."""
        self._socket.sendall(commands)

    def receive(self) -> Any:
        """Read one reply."""
        while (reply := self._replies.gets()) is False:
            data = self._socket.recv(1 << 16)
            if not data:
                raise ConnectionError("the server hung up")
            self._replies.feed(data)
        if isinstance(reply, hiredis.ReplyError):
            raise reply
        return reply
