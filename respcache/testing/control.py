"""How the handle talks to its server: one connection per command, which is gone afterwards.

A client library would do, but it takes a while to import and to connect. A connection that stayed would show up where
tests count clients, and what they do to connections (CLIENT KILL, a fork) would get in the way.
"""

from __future__ import annotations

import socket
from typing import Any, Protocol

# Seconds. Commands under way in a shard come first, so a server that is merely busy must be given its time.
_TIMEOUT = 30.0

Word = str | bytes | int


class Caller(Protocol):
    """Sends a command to the server: what the parts of the handle are given to do their work by."""

    def __call__(self, *words: Word, leave: bool = False) -> Any:
        """See `Control.call`."""


class Control:
    """Sends commands, and gets their replies."""

    def __init__(self, host: str, port: int, password: str, namespace: str = "") -> None:
        self._address = (host, port)
        self._password = password
        self._namespace = namespace

    def call(self, *words: Word, leave: bool = False) -> Any:
        """Send a command, and wait for its reply; with `leave`, until the server has forgotten the connection too.

        Replies are those of RESP2: bytes, int, None, lists.
        Errors: RuntimeError with the server's words if it refuses; OSError if there is no reply.
        """
        reply = self._ask(words, leave, "")
        # Only when it is asked for: CLIENT PAUSE holds AUTH up, and not what ends the pause.
        if self._password and isinstance(reply, Exception) and str(reply).startswith("NOAUTH"):
            reply = self._ask(words, leave, self._password)
        if isinstance(reply, Exception):
            raise RuntimeError(f"{' '.join(map(_shown, words))}: {reply}")
        return reply

    def _ask(self, words: tuple[Word, ...], leave: bool, password: str) -> Any:
        """The reply to the command; a `hiredis.ReplyError` if it was refused."""
        commands: list[tuple[Word, ...]] = [("AUTH", password)] if password else []
        before = len(commands)
        commands.append(words)
        if leave:
            commands.append(("QUIT",))
        with socket.create_connection(self._address, timeout=_TIMEOUT) as connection:
            if self._namespace:  # by itself: the command is to be carried out there, or not at all
                (entered,) = _exchange(connection, [("RESPCACHE", "NAMESPACE", self._namespace)]) or (None,)
                if isinstance(entered, Exception):
                    return entered
            replies = _exchange(connection, commands, to_the_end=leave)
        if len(replies) > before:
            return replies[before]
        if replies and isinstance(replies[0], Exception):  # turned away
            return replies[0]
        raise ConnectionError("the server closed the connection")


def _exchange(connection: socket.socket, commands: list[tuple[Word, ...]], *, to_the_end: bool = False) -> list[Any]:
    """The replies to some commands, as far as they come; if wanted, up to the end of the connection."""
    import hiredis  # not with the plugin, which every test run loads

    replies: list[Any] = []
    reader = hiredis.Reader(notEnoughData=_NOTHING)
    connection.sendall(b"".join(map(_packed, commands)))
    while to_the_end or len(replies) < len(commands):
        data = connection.recv(1 << 16)
        if not data:
            break
        reader.feed(data)
        while (reply := reader.gets()) is not _NOTHING:
            replies.append(reply)
    return replies


_NOTHING: Any = object()


def _shown(word: Word) -> str:
    return word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)


def _packed(words: tuple[Word, ...]) -> bytes:
    encoded = [word if isinstance(word, bytes) else str(word).encode("utf-8", "surrogateescape") for word in words]
    return b"*%d\r\n%b" % (len(encoded), b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded))
