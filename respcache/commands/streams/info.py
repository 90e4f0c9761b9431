"""XINFO: what is known about a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.streams.group_info import as_int64, groups_in_full
from respcache.commands.streams.ids import entries_reply, entry_reply, format_id
from respcache.commands.table import READ, READONLY, family
from respcache.datatypes.stream import Stream
from respcache.errors import NO_SUCH_KEY, CommandError, unknown_call
from respcache.resp.types import Reply

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.datatypes.stream import Entry
    from respcache.store.shard import Shard

command = family("stream")
command.container("XINFO", "Tell how a stream is stored and read.", since="5.0.0", help_since="5.0.0")

# How many entries FULL shows unless COUNT says so.
_SHOWN = 10


@command("XINFO STREAM", "key [FULL [COUNT count]]", arity=-3, keys=READ.at(2), flags=READONLY, since="5.0.0")
def xinfo_stream(shard: Shard, args: Args) -> Reply:
    """Return what is known about a stream; with FULL also its first entries, its groups and their consumers."""
    stream = shard.find(args.next(), Stream)
    if stream is None:
        raise CommandError(NO_SUCH_KEY)
    about = _about(stream)
    if not len(args):
        about[b"groups"] = len(stream.groups)
        about[b"first-entry"] = _edge(stream.range(count=1))
        about[b"last-entry"] = _edge(stream.reverse_range(count=1))
        return about

    count = _full_count(args)
    about[b"entries"] = entries_reply(stream.range(count=count or None))
    about[b"groups"] = groups_in_full(stream, count or None)
    return about


def _full_count(args: Args) -> int:
    """How many entries FULL shows, 0 for all. Raises CommandError."""
    call = unknown_call("XINFO", args.argv[1])
    if len(args) not in (1, 3) or not args.flag(b"FULL"):
        raise call
    if not len(args):
        return _SHOWN
    if not args.flag(b"COUNT"):
        raise call
    count = args.int()
    return _SHOWN if count < 0 else count


def _about(stream: Stream) -> dict[bytes, Reply]:
    keys, nodes = stream.tree()
    return {
        b"length": len(stream),
        b"radix-tree-keys": keys,
        b"radix-tree-nodes": nodes,
        b"last-generated-id": format_id(stream.last_id),
        b"max-deleted-entry-id": format_id(stream.max_deleted_id),
        b"entries-added": as_int64(stream.entries_added),
        b"recorded-first-entry-id": format_id(stream.first_id),
    }


def _edge(entries: list[Entry]) -> Reply:
    return entry_reply(entries[0]) if entries else None
