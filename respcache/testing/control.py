"""How the handle talks to its server: one connection per command, which is gone afterwards.

A client library would do, but it takes a while to import and to connect. A connection that stayed would show up where
tests count clients, and what they do to connections (CLIENT KILL, a fork) would get in the way.
"""

from __future__ import annotations

import socket
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# Seconds. Commands under way in a shard come first, so a server that is merely busy must be given its time.
_TIMEOUT = 30.0
# Commands of a pipeline that are sent before the first reply is read.
_AT_ONCE = 1000
# Of a command, in an error.
_SHOWN = 200

Word = str | bytes | int


class Caller(Protocol):
    """Sends a command to the server: what the parts of the handle are given to do their work by."""

    def __call__(self, *words: Word, leave: bool = False) -> Any:
        """See `Control.call`."""


class Control:
    """Sends commands, and gets their replies.

    announce: tells the server, in another way, from which port a connection will come; it lets that in then.
    namespace: the one within which commands are carried out; empty for the default one.
    """

    def __init__(
        self,
        host: str,
        port: int,
        password: str,
        announce: Callable[[int], bool] | None = None,
        namespace: str = "",
    ) -> None:
        self._address = (host, port)
        self._password = password
        self._announce = announce
        self._namespace = namespace

    def call(self, *words: Word, leave: bool = False) -> Any:
        """Send a command, and wait for its reply; with `leave`, until the server has forgotten the connection too.

        Replies are those of RESP2: bytes, int, None, lists.
        Errors: RuntimeError with the server's words if it refuses; OSError if there is no reply.
        """
        # Who looks at faults must not set them off.
        connection = self._announced() if words[:2] == ("RESPCACHE", "FAULT") else None
        try:
            reply = self._ask(words, leave, "", connection)
        except ConnectionError:
            # Perhaps a fault refuses connections. The command is sent again only if the server lets this one in.
            connection = None if connection is not None else self._announced()
            if connection is None:
                raise
            reply = self._ask(words, leave, "", connection)
        # Only when it is asked for: CLIENT PAUSE holds AUTH up, and not what ends the pause.
        if self._password and isinstance(reply, Exception) and str(reply).startswith("NOAUTH"):
            reply = self._ask(words, leave, self._password)
        if isinstance(reply, Exception):
            raise _refusal(words, reply)
        return reply

    def _announced(self) -> socket.socket | None:
        """A connection of which the server knows that it is ours; None if it cannot be told, or does not let us in."""
        if self._announce is None:
            return None
        connection = socket.socket(socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET)
        try:
            connection.settimeout(_TIMEOUT)
            connection.bind((self._address[0], 0))
            if self._announce(connection.getsockname()[1]):
                connection.connect(self._address)
                return connection
        except OSError:
            pass
        connection.close()
        return None

    def pipeline(self, commands: Iterable[tuple[Word, ...]], db: int) -> None:
        """Send many commands for one database over one connection, without waiting for each reply.

        Errors: RuntimeError with the server's words for the first one that it refuses, when all are done.
        """
        import hiredis  # as below

        reader = hiredis.Reader(notEnoughData=_NOTHING)
        source = iter(commands)
        with socket.create_connection(self._address, timeout=_TIMEOUT) as connection:
            if self._namespace:
                _exchange(connection, reader, [("RESPCACHE", "NAMESPACE", self._namespace)])
            if self._password:
                _exchange(connection, reader, [("AUTH", self._password)])
            _exchange(connection, reader, [("SELECT", db)])
            refusals = [_exchange(connection, reader, batch, later=True) for batch in iter(partial(_batch, source), [])]
        for refusal in filter(None, refusals):
            raise refusal

    def _ask(self, words: tuple[Word, ...], leave: bool, password: str, connection: socket.socket | None = None) -> Any:
        """The reply to the command; a `hiredis.ReplyError` if it was refused."""
        commands: list[tuple[Word, ...]] = [("AUTH", password)] if password else []
        before = len(commands)
        commands.append(words)
        if leave:
            commands.append(("QUIT",))
        with connection or socket.create_connection(self._address, timeout=_TIMEOUT) as connection:
            if self._namespace:  # by itself: the command is to be carried out there, or not at all
                (entered,) = _replies(connection, [("RESPCACHE", "NAMESPACE", self._namespace)]) or (None,)
                if isinstance(entered, Exception):
                    return entered
            replies = _replies(connection, commands, to_the_end=leave)
        if len(replies) > before:
            return replies[before]
        if replies and isinstance(replies[0], Exception):  # turned away
            return replies[0]
        raise ConnectionError("the server closed the connection")


def _replies(connection: socket.socket, commands: list[tuple[Word, ...]], *, to_the_end: bool = False) -> list[Any]:
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


def _batch(commands: Iterator[tuple[Word, ...]]) -> list[tuple[Word, ...]]:
    return list(islice(commands, _AT_ONCE))


def _exchange(
    connection: socket.socket, reader: Any, commands: list[tuple[Word, ...]], *, later: bool = False
) -> RuntimeError | None:
    """Send commands and read their replies. What was refused first is raised, or returned if that is for `later`."""
    connection.sendall(b"".join(map(_packed, commands)))
    refusal: RuntimeError | None = None
    for words in commands:
        while (reply := reader.gets()) is _NOTHING:
            data = connection.recv(1 << 16)
            if not data:
                raise ConnectionError("the server closed the connection")
            reader.feed(data)
        if isinstance(reply, Exception) and refusal is None:
            refusal = _refusal(words, reply)
    if refusal is not None and not later:
        raise refusal
    return refusal


def fields_of(flat: list[Any]) -> dict[str, Any]:
    """A map, as RESP2 has it: the values by their names."""
    return {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _refusal(words: tuple[Word, ...], reply: Exception) -> RuntimeError:
    return RuntimeError(f"{' '.join(map(_shown, words))[:_SHOWN]}: {reply}")


def _shown(word: Word) -> str:
    return word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)


def _packed(words: tuple[Word, ...]) -> bytes:
    encoded = [word if isinstance(word, bytes) else str(word).encode("utf-8", "surrogateescape") for word in words]
    return b"*%d\r\n%b" % (len(encoded), b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded))
