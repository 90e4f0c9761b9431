"""RESPCACHE: respcache's own commands, for test suites. Refused unless ``enable-test-commands`` allows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.commands.table import ADMIN, LOADING, NO_AUTH, NO_MULTI, NOSCRIPT, STALE, TABLE, family
from respcache.server.order.outbox import IN_A_SLOT
from respcache.server.order.plan import plan

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.server.clients.client import Client

command = family("server")
command.container("RESPCACHE", "Control a server that tests run against.", since="7.2.0", help_since="7.2.0")

# No password is asked for: a test may have set one that the caller does not know.
_FLAGS = ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | NO_AUTH


@command("RESPCACHE HTTP", arity=2, flags=_FLAGS, since="7.2.0")
def respcache_http(client: Client, args: Args) -> int:
    """Open the HTTP door on a free port, if it is not open; its port.

    So a server that most tests need without it can do without it. It stays open: RESPCACHE RESET does not close it.
    """
    return client.parts.open_http()


@command("RESPCACHE RESET", arity=2, flags=_FLAGS, since="7.2.0")
def respcache_reset(client: Client, args: Args) -> Any:
    """Put the server back as it was at its start: keys, settings, clock, pauses, counters.

    The connection that sends it starts over, too: no database is selected, nothing is subscribed, queued or watched. It
    keeps its protocol and stays logged in, so a client library need not know. Other connections are left alone: their
    subscriptions and transactions are their owners' business. Keys that they watch count as changed if they existed.
    """
    client.start_over()
    client.unmute()  # the answer is sent, whatever CLIENT REPLY said: a caller waits for it
    parts = client.parts
    for undo in parts.on_reset:
        undo()
    words = [b"FLUSHALL"]
    row = TABLE[words[0]]
    parts.sequencer.gather(client.caller, client.outbox, row, words, plan(row, words, parts.router))
    return IN_A_SLOT
