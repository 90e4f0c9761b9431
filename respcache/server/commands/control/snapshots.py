"""RESPCACHE SNAPSHOT, RESTORE, SNAPSHOTS, DROP: each test starts from a prepared state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.errors import WrongSyntax
from respcache.resp.types import OK
from respcache.server.commands.control.family import CONTROL, command

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from respcache.commands.args import Args
    from respcache.resp.types import Reply
    from respcache.server.clients.client import Client


@command("RESPCACHE SNAPSHOT", "name", arity=3, flags=CONTROL, since="7.2.0")
def respcache_snapshot(client: Client, args: Args) -> Any:
    """Keep the whole server as it is: all databases, TTLs, scripts, functions; in the place of an older one so named.

    Settings and the time are kept as well, for a RESTORE that asks for them. Snapshots last until they are dropped, the
    server ends, or a shard dies; RESPCACHE RESET leaves them alone. They are in memory, up to `snapshot-limit`.
    """
    return _done(client.parts.snapshots.take(args.next()))


@command("RESPCACHE RESTORE", "name [CONFIG] [CLOCK]", arity=-3, flags=CONTROL, since="7.2.0")
def respcache_restore(client: Client, args: Args) -> Any:
    """Put all databases, scripts and functions back as they were at a snapshot; the time it takes follows the changes.

    Keys have as much time left as they had then. With CONFIG, settings made by CONFIG SET are put back as well; with
    CLOCK the time: a clock that stood still stands still again.

    Connections stay. A key that is put back counts as changed for WATCH, and serves those who wait for it. There are no
    keyspace events.
    """
    name = args.next()
    words = {word.upper() for word in args.rest()}
    if len(words) != len(args.argv) - 3 or not words <= {b"CONFIG", b"CLOCK"}:
        raise WrongSyntax
    return _done(client.parts.snapshots.restore(name, config=b"CONFIG" in words, clock=b"CLOCK" in words))


async def _done(job: Coroutine[Any, Any, None]) -> Reply:
    await job
    return OK


@command("RESPCACHE SNAPSHOTS", arity=2, flags=CONTROL, since="7.2.0")
def respcache_snapshots(client: Client, args: Args) -> Reply:
    """List the snapshots, the oldest first: when each was taken (milliseconds since the epoch), its keys, and its size.

    The size is what it would take alone, about; in fact snapshots share what they have in common. One is lost after a
    shard has died, and cannot be restored.
    """
    return [
        {
            b"name": name,
            b"time": snapshot.time,
            b"keys": snapshot.keys,
            b"bytes": snapshot.size,
            b"lost": int(snapshot.lost),
        }
        for name, snapshot in client.parts.snapshots.all()
    ]


@command("RESPCACHE DROP", "name", arity=3, flags=CONTROL, since="7.2.0")
def respcache_drop(client: Client, args: Args) -> Reply:
    """Forget a snapshot."""
    client.parts.snapshots.drop(args.next())
    return OK
