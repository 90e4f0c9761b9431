"""RESPCACHE RESET."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.commands.table import TABLE
from respcache.server.commands.control.family import CONTROL, command
from respcache.server.order.counting import Uncounted
from respcache.server.order.outbox import IN_A_SLOT
from respcache.server.order.plan import plan

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.server.clients.client import Client


@command("RESPCACHE RESET", arity=2, flags=CONTROL, since="7.2.0")
def respcache_reset(client: Client, args: Args) -> Any:
    """Put the server back as it was at its start: keys, settings, clock, faults, journal, pauses, counters.

    Within a namespace, only that namespace: its keys, scripts, functions and pauses, not what is shared.

    The connection that sends it starts over, too: no database is selected, nothing is subscribed, queued or watched. It
    keeps its protocol and stays logged in, so a client library need not know. Other connections are left alone: their
    subscriptions and transactions are their owners' business. Keys that they watch count as changed if they existed.

    Snapshots stay: a test run takes them once, and resets in between. So do other namespaces with all that is in them,
    and the HTTP door.
    """
    client.start_over()
    client.unmute()  # the answer is sent, whatever CLIENT REPLY said: a caller waits for it
    parts = client.parts
    client.namespace.reset()
    if client.namespace.is_default:
        for undo in parts.on_reset:
            undo()
    words = [b"FLUSHALL"]
    row = TABLE[words[0]]
    parts.sequencer.gather(client.caller, client.outbox, row, words, plan(row, words, parts.router), Uncounted())
    return IN_A_SLOT
