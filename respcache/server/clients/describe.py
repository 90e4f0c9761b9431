"""How CLIENT LIST and CLIENT INFO print a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.errors import bad_name, printable
from respcache.resp.encode import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respcache.server.clients.client import Client


def check_name(name: bytes, what: str) -> None:
    """Raises CommandError for a name that would break the lines of CLIENT LIST; `what` begins the error's text."""
    if any(not 33 <= byte <= 126 for byte in name):
        raise bad_name(what)


def describe(client: Client, request: Sequence[bytes] = ()) -> bytes:
    """The line of CLIENT LIST. Figures that have no counterpart here (buffers of the C server) are zero.

    `request` is the command that asks, if it is of this very client: it is in the client's buffers while it runs.
    """
    now = client.parts.clock.now_ms()
    transaction = client.transaction or client.executing
    flags = ("P" if len(client.subscriptions) else "") + ("x" if transaction is not None else "")
    flags += "b" if client.blocked or client in client.namespace.pause.held else ""
    tracking = client.tracking
    if tracking is not None:
        flags += "t" + ("R" if tracking.broken else "") + ("B" if tracking.bcast else "")
    flags += ("e" if client.no_evict else "") + ("T" if not client.caller.touch else "")
    fields = {
        "id": client.id,
        "addr": client.transport.peer,
        "laddr": client.transport.local,
        "fd": client.transport.fd,
        "name": printable(client.name),
        "age": (now - client.created) // 1000,
        "idle": (now - client.last_active) // 1000,
        "flags": flags or "N",
        "db": client.db,
        "sub": len(client.subscriptions.channels),
        "psub": len(client.subscriptions.patterns),
        "ssub": len(client.subscriptions.shard_channels),
        "multi": -1 if transaction is None else len(transaction.commands),
        "qbuf": client.input.buffered + (len(encode(list(request), 2)) if request else 0),
        "qbuf-free": 0,
        "argv-mem": sum(map(len, request)),
        "multi-mem": 0,
        "rbs": 0,
        "rbp": 0,
        "obl": 0,
        "oll": len(client.outbox.slots),
        "omem": client.transport.unsent,
        "tot-mem": client.transport.unsent,
        "events": "r",
        "cmd": command_name(client),
        "user": "default",
        "redir": -1 if tracking is None else tracking.redirect,
        "resp": client.protocol,
        "lib-name": printable(client.library_name),
        "lib-ver": printable(client.library_version),
    }
    line = " ".join(f"{name}={value}" for name, value in fields.items())
    return line.encode("utf-8", "surrogateescape")


def command_name(client: Client) -> str:
    """The wire name of the client's latest command."""
    name = client.last_command
    return name if isinstance(name, str) else name.decode("ascii").lower()
