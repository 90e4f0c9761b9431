"""How the handle talks to its server: one connection per command, which is gone afterwards.

A client library would do, but it takes a while to import and to connect. A connection that stayed would show up where
tests count clients, and what they do to connections (CLIENT KILL, a fork) would get in the way.
"""

from __future__ import annotations

import socket

# Seconds. Commands under way in a shard come first, so a server that is merely busy must be given its time.
_TIMEOUT = 30.0


class Control:
    """Sends commands that are answered by one line."""

    def __init__(self, host: str, port: int, password: str) -> None:
        self._address = (host, port)
        self._password = password

    def call(self, *words: str | int, leave: bool = False) -> str:
        """Send a command and wait for its answer; with `leave`, until the server has forgotten the connection too.

        The answer is without its type, such as ``OK``.
        Errors: RuntimeError with the server's words if it refuses; OSError if there is no answer.
        """
        answer = self._ask(words, leave, "")
        # Only when it is asked for: CLIENT PAUSE holds AUTH up, and not what ends the pause.
        if answer.startswith("-NOAUTH") and self._password:
            answer = self._ask(words, leave, self._password)
        if answer.startswith("-"):
            raise RuntimeError(f"{' '.join(map(str, words))}: {answer[1:]}")
        return answer[1:]

    def _ask(self, words: tuple[str | int, ...], leave: bool, password: str) -> str:
        """The line that answers the command."""
        commands = [words]
        if password:
            commands.insert(0, ("AUTH", password))
        if leave:
            commands.append(("QUIT",))
        with socket.create_connection(self._address, timeout=_TIMEOUT) as connection:
            connection.sendall(b"".join(map(_packed, commands)))
            received = b""
            while leave or received.count(b"\r\n") < len(commands):
                data = connection.recv(4096)
                if not data:
                    break
                received += data
        lines = received.decode("utf-8", "replace").split("\r\n")
        if len(lines) <= len(commands) and not lines[0].startswith("-"):
            raise ConnectionError("the server closed the connection")
        return lines[1] if password and len(lines) > len(commands) else lines[0]


def _packed(words: tuple[str | int, ...]) -> bytes:
    encoded = [str(word).encode("utf-8", "surrogateescape") for word in words]
    return b"*%d\r\n%b" % (len(encoded), b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded))
