"""What a group has given out and not heard of again: XACK, XPENDING."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from respcache.commands.streams.group_info import as_int64, in_order
from respcache.commands.streams.ids import format_id, parse_end, parse_id, parse_start
from respcache.commands.table import FAST, READ, READONLY, UPDATE, WRITE, family
from respcache.commands.table.tips import RANDOM_OUTPUT
from respcache.datatypes.stream import Stream
from respcache.errors import WrongSyntax, no_key_or_group
from respcache.resp.types import NULL_ARRAY, Reply
from respcache.store.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from respcache.commands.args import Args
    from respcache.datatypes.stream_groups import Group

command = family("stream")


@command("XACK", "key group id [id ...]", arity=-4, keys=UPDATE, flags=WRITE | FAST, since="5.0.0")
def xack(shard: Shard, args: Args) -> Reply:
    """Acknowledge entries, which are then no longer pending; return how many were."""
    key, name = args.next(), args.next()
    stream = shard.find(key, Stream)
    group = stream.groups.get(name) if stream is not None else None
    if group is None:
        return 0
    ids = [parse_id(word) for word in args.rest()]

    acknowledged = sum(map(group.acknowledge, ids))
    if acknowledged:
        shard.noted(key, changes=acknowledged)
    return acknowledged


@command(
    "XPENDING",
    "key group [[IDLE min-idle-time] start end count [consumer]]",
    arity=-3,
    keys=READ,
    flags=READONLY,
    tips=RANDOM_OUTPUT,
    since="5.0.0",
)
def xpending(shard: Shard, args: Args) -> Reply:
    """Tell what a group has pending: a summary, or the entries of a range."""
    if len(args.argv) != 3 and not 6 <= len(args.argv) <= 9:
        raise WrongSyntax
    key, name = args.next(), args.next()
    wanted = _Range(args) if len(args) else None

    stream = shard.find(key, Stream)
    group = stream.groups.get(name) if stream is not None else None
    if group is None:
        raise no_key_or_group(key, name)
    return _summary(group) if wanted is None else wanted.of(group, shard.now)


def _summary(group: Group) -> Reply:
    pending = group.pending
    first, last = pending.first(), pending.last()
    if first is None or last is None:
        return [0, None, None, NULL_ARRAY]
    owners = [
        [consumer.name, b"%d" % len(consumer.pending)] for consumer in in_order(group.consumers) if consumer.pending
    ]
    return [len(pending), format_id(first), format_id(last), owners]


class _Range:
    """Which pending entries to list."""

    __slots__ = ("consumer", "count", "end", "idle", "start")

    def __init__(self, args: Args) -> None:
        self.idle = 0
        if args.flag(b"IDLE"):
            self.idle = args.int()
            if len(args) < 3:
                raise WrongSyntax
        start, end = args.next(), args.next()
        self.count = max(args.int(), 0)
        self.start = parse_start(start)
        self.end = parse_end(end)
        # Redis does not mind further words.
        self.consumer = args.next() if len(args) else None

    def of(self, group: Group, now: int) -> Reply:
        pending = group.pending
        if self.consumer is not None:
            consumer = group.consumers.get(self.consumer)
            if consumer is None:
                return []
            pending = consumer.pending
        found: Iterator[Reply] = (
            [format_id(id), delivery.consumer, max(now - delivery.time, 0), as_int64(delivery.count)]
            for id, delivery in pending.walk(self.start, self.end)
            if not self.idle or now - delivery.time >= self.idle
        )
        return list(islice(found, self.count))
