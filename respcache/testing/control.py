"""The handle's own connection to its server.

A client library would do, but it takes a while to import and to connect, and the fixtures use this before each test.
What a test does to its connections, and to redis-py, does not get in the way here.
"""

from __future__ import annotations

import os
import socket

# Seconds. Commands under way in a shard come first, so a server that is merely busy must be given its time.
_TIMEOUT = 30.0


class Control:
    """Sends commands that are answered by one line. Connects when needed; in each fork of a process anew."""

    def __init__(self, host: str, port: int, password: str) -> None:
        self._address = (host, port)
        self._password = password
        self._socket: socket.socket | None = None
        self._owner = 0  # the process that has connected

    def call(self, *words: str | int) -> None:
        """Send a command and wait for its answer.

        Errors: RuntimeError with the server's words if it refuses; OSError if there is no answer.
        """
        if self._socket is not None and self._owner == os.getpid():
            try:
                self._call(words)
                return
            except ConnectionError:
                pass  # a test has closed all connections (CLIENT KILL): a new one may do
        self.close()
        self._connect()
        self._call(words)

    def close(self) -> None:
        """Hang up. The next call connects again."""
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()

    def _connect(self) -> None:
        self._socket = socket.create_connection(self._address, timeout=_TIMEOUT)
        self._owner = os.getpid()
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _call(self, words: tuple[str | int, ...]) -> None:
        """Log in only when that is asked for: CLIENT PAUSE holds AUTH up, and not what ends the pause."""
        answer = self._ask(words)
        if answer.startswith("-NOAUTH") and self._password:
            self._ask(("AUTH", self._password))
            answer = self._ask(words)
        if answer.startswith("-"):
            raise RuntimeError(f"{' '.join(map(str, words))}: {answer[1:]}")

    def _ask(self, words: tuple[str | int, ...]) -> str:
        """The line that answers a command."""
        assert self._socket is not None
        self._socket.sendall(_packed(words))
        answer = b""
        while not answer.endswith(b"\r\n"):
            received = self._socket.recv(4096)
            if not received:
                raise ConnectionError("the server closed the connection")
            answer += received
        return answer[:-2].decode("utf-8", "replace")


def _packed(words: tuple[str | int, ...]) -> bytes:
    encoded = [str(word).encode("utf-8", "surrogateescape") for word in words]
    return b"*%d\r\n%b" % (len(encoded), b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded))
