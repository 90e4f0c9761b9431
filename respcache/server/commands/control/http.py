"""RESPCACHE HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.server.commands.control.family import CONTROL, command

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.server.clients.client import Client


@command("RESPCACHE HTTP", arity=2, flags=CONTROL, since="7.2.0")
def respcache_http(client: Client, args: Args) -> int:
    """Open the HTTP door on a free port, if it is not open; its port.

    So a server that most tests need without it can do without it. It stays open: RESPCACHE RESET does not close it.
    """
    return client.parts.open_http()
