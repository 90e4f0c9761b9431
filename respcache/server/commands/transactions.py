"""MULTI, EXEC, DISCARD, WATCH, UNWATCH."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache import errors
from respcache.commands.table import ALLOW_BUSY, FAST, LOADING, NOSCRIPT, SKIP_SLOWLOG, STALE, Keys, Reach, family
from respcache.errors import CommandError
from respcache.resp.types import NULL_ARRAY, OK, Reply

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.server.clients.client import Client

command = family("transactions")

FLAGS = NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY


@command("MULTI", arity=1, flags=FLAGS, since="1.2.0")
def multi(client: Client, args: Args) -> Reply:
    """Queue the commands that follow, up to EXEC."""
    if client.transaction is not None:
        raise CommandError(errors.NESTED_MULTI)
    client.begin_multi()
    return OK


@command("EXEC", arity=1, flags=NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG, since="1.2.0")
def exec_(client: Client, args: Args) -> Any:
    """Run all queued commands at one moment, unless a watched key has changed."""
    transaction = client.end_multi()
    if transaction is None:
        raise CommandError(errors.EXEC_WITHOUT_MULTI)
    if transaction.aborted:
        client.unwatch()
        raise CommandError(errors.EXEC_ABORT)
    watching, lost = client.take_watches()
    if lost:
        client.parts.sequencer.unwatch(client.id, watching)
        return NULL_ARRAY
    return client.parts.executor.execute(client, transaction, watching)


@command("DISCARD", arity=1, flags=FLAGS, since="2.0.0")
def discard(client: Client, args: Args) -> Reply:
    """Forget all queued commands, and all watched keys."""
    if client.transaction is None:
        raise CommandError(errors.DISCARD_WITHOUT_MULTI)
    client.discard()
    return OK


@command(
    "WATCH", "key [key ...]", arity=-2, keys=Keys(1, -1, access="RO"), reach=Reach.LOCAL, flags=FLAGS, since="2.2.0"
)
def watch(client: Client, args: Args) -> Reply:
    """Let the next EXEC fail if one of these keys changes before it."""
    if client.transaction is not None:
        raise CommandError(errors.WATCH_IN_MULTI)
    client.watch(args.rest())
    return OK


@command("UNWATCH", arity=1, flags=FLAGS, since="2.2.0")
def unwatch(client: Client, args: Args) -> Reply:
    """Forget all watched keys."""
    client.unwatch()
    return OK
