"""How CLIENT LIST and CLIENT INFO print a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from respcache.errors import bad_name, printable
from respcache.resp.encode import encode
from respcache.server.io.listener import is_unix_socket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respcache.server.clients.client import Client

# What Python takes for a connection, measured with a thousand idle ones; and for a channel that it subscribes to.
_PER_CLIENT, _PER_NAME = 5 << 10, 200


def check_name(name: bytes, what: str) -> None:
    """Raises CommandError for a name that would break the lines of CLIENT LIST; `what` begins the error's text."""
    if any(not 33 <= byte <= 126 for byte in name):
        raise bad_name(what)


def describe(client: Client, request: Sequence[bytes] = (), *, dirty: bool = False) -> bytes:
    """The line of CLIENT LIST. Buffers that only the C server has are zero.

    `request` is the command that asks, if it is of this very client: it is in the client's buffers while it runs.
    `dirty`: a key that it watches has changed, which its shards know.
    """
    now = client.parts.clock.now_ms()
    transaction = client.transaction or client.executing
    tracking = client.tracking
    transport = client.transport
    memory = Memory.of(client, request)
    fields = {
        "id": client.id,
        "addr": transport.peer,
        "laddr": transport.local,
        "fd": transport.fd,
        "name": printable(client.name),
        "age": (now - client.created) // 1000,
        "idle": (now - client.last_active) // 1000,
        "flags": _flags(client, dirty) or "N",
        "db": client.db,
        "sub": len(client.subscriptions.channels),
        "psub": len(client.subscriptions.patterns),
        "ssub": len(client.subscriptions.shard_channels),
        "multi": -1 if transaction is None else len(transaction.commands),
        "qbuf": memory.received,
        "qbuf-free": 0,
        "argv-mem": memory.command,
        "multi-mem": memory.queued,
        "rbs": 0,
        "rbp": 0,
        "obl": memory.replies,
        "oll": int(memory.unsent > 0),
        "omem": memory.unsent,
        "tot-mem": memory.total,
        "events": "rw" if memory.unsent else "r",
        "cmd": command_name(client),
        "user": "default",
        "redir": -1 if tracking is None else tracking.redirect,
        "resp": client.protocol,
        "lib-name": printable(client.library_name),
        "lib-ver": printable(client.library_version),
    }
    line = " ".join(f"{name}={value}" for name, value in fields.items())
    return line.encode("utf-8", "surrogateescape")


def _flags(client: Client, dirty: bool) -> str:
    """One letter for each state, in Redis' order."""
    states = {
        "O": client.monitoring,
        "P": bool(len(client.subscriptions)),
        "x": client.transaction is not None or client.executing is not None,
        "b": client.blocked or client in client.namespace.pause.held,
        "t": client.tracking is not None,
        "R": client.tracking is not None and client.tracking.broken,
        "B": client.tracking is not None and client.tracking.bcast,
        "d": dirty or client.watch_lost,
        "c": client.closing,
        "U": is_unix_socket(client.transport.peer),
        "e": client.no_evict,
        "T": not client.caller.touch,
    }
    return "".join(letter for letter, holds in states.items() if holds)


class Memory(NamedTuple):
    """Bytes that main keeps for one client."""

    received: int  # and not carried out
    command: int  # that runs, or waits
    queued: int  # by MULTI
    replies: int  # that wait for others before them, or for the end of the round
    unsent: int  # that the client has not taken
    known: int  # names: its own, and those of channels

    @property
    def total(self) -> int:
        """All of these, and what a connection takes in any case."""
        return _PER_CLIENT + sum(self)

    @classmethod
    def of(cls, client: Client, request: Sequence[bytes] = ()) -> Memory:
        """See `describe` for the request."""
        transaction = client.transaction or client.executing
        running = request or (client.wait.argv if client.wait is not None else ())
        subscriptions = client.subscriptions
        names = (subscriptions.channels, subscriptions.patterns, subscriptions.shard_channels)
        return cls(
            received=client.input.buffered + (len(encode(list(request), 2)) if request else 0),
            command=sum(map(len, running)),
            queued=0 if transaction is None else transaction.size,
            replies=sum(len(slot.data) for slot in client.outbox.slots),
            unsent=client.transport.unsent,
            known=len(client.name) + sum(_PER_NAME + len(name) for kind in names for name in kind),
        )


def command_name(client: Client) -> str:
    """The wire name of the client's latest command."""
    name = client.last_command
    return name if isinstance(name, str) else name.decode("ascii").lower()
