"""Ranges of entries between two ids: XRANGE, XREVRANGE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.streams.ids import entries_reply, parse_end, parse_start
from respcache.commands.table import READ, READONLY, family
from respcache.datatypes.stream import Stream
from respcache.errors import WrongSyntax
from respcache.resp.types import NULL_ARRAY, Reply

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.store.shard import Shard

command = family("stream")


@command("XRANGE", "key start end [COUNT count]", arity=-4, keys=READ, flags=READONLY, since="5.0.0")
def xrange(shard: Shard, args: Args) -> Reply:
    """Return the entries of a stream between two ids."""
    key = args.next()
    start, end = parse_start(args.next()), parse_end(args.next())
    count = _count(args)
    stream = shard.find(key, Stream)
    if stream is None:
        return []
    return NULL_ARRAY if count == 0 else entries_reply(stream.range(start, end, count))


@command("XREVRANGE", "key end start [COUNT count]", arity=-4, keys=READ, flags=READONLY, since="5.0.0")
def xrevrange(shard: Shard, args: Args) -> Reply:
    """Return the entries of a stream between two ids, the last one first."""
    key, end_word = args.next(), args.next()
    start, end = parse_start(args.next()), parse_end(end_word)
    count = _count(args)
    stream = shard.find(key, Stream)
    if stream is None:
        return []
    return NULL_ARRAY if count == 0 else entries_reply(stream.reverse_range(start, end, count))


def _count(args: Args) -> int | None:
    """The operand of COUNT, 0 if it is negative; None without one, for all entries."""
    count = None
    while len(args):
        if args.option() != b"COUNT" or not len(args):
            raise WrongSyntax
        count = max(args.int(), 0)
    return count
