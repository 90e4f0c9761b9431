"""Pending entries that change their owner: XCLAIM, XAUTOCLAIM."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from respcache.commands.streams.groups import obtain_consumer
from respcache.commands.streams.ids import entry_reply, format_id, parse_id, parse_start
from respcache.commands.table import DELETE, FAST, UPDATE, WRITE, family
from respcache.commands.table.tips import RANDOM_OUTPUT
from respcache.datatypes.stream import Stream
from respcache.datatypes.stream_ids import MIN_ID, StreamID
from respcache.errors import (
    AUTOCLAIM_COUNT_NOT_POSITIVE,
    AUTOCLAIM_COUNT_TOO_HIGH,
    CommandError,
    WrongSyntax,
    WrongType,
    bad_claim_argument,
    no_key_or_group,
    unknown_claim_option,
)
from respcache.resp.types import Reply
from respcache.store.shard import Shard

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.datatypes.stream_groups import Consumer, Delivery

command = family("stream")

# XAUTOCLAIM looks at this many pending entries for each that it may return.
_ATTEMPTS = 10
# The highest COUNT that Redis takes, and one for which it has no memory on any machine: it allocates 16 bytes for each.
_MOST, _TOO_MANY = (1 << 63) // 16 - 1, 1 << 43


class _Claim:
    """The words of one XCLAIM after its minimum idle time."""

    __slots__ = ("count", "force", "ids", "just_ids", "last_id", "time")

    def __init__(self, args: Args, now: int) -> None:
        self.ids = _leading_ids(args)
        self.time = now  # of the latest delivery, as it shall be
        self.count = -1  # of deliveries, as it shall be; negative: one more than now
        self.force = False
        self.just_ids = False
        self.last_id = MIN_ID
        while len(args):
            word = args.next()
            option = word.upper()
            if option == b"FORCE":
                self.force = True
            elif option == b"JUSTID":
                self.just_ids = True
            elif option == b"IDLE" and len(args):
                self.time = now - args.int(bad_claim_argument("IDLE option"))
            elif option == b"TIME" and len(args):
                self.time = args.int(bad_claim_argument("TIME option"))
            elif option == b"RETRYCOUNT" and len(args):
                self.count = args.int(bad_claim_argument("RETRYCOUNT option"))
            elif option == b"LASTID" and len(args):
                self.last_id = parse_id(args.next())
            else:
                raise unknown_claim_option(word)
        # Clients compute these times by their own clocks, so Redis takes nonsense as "now".
        if not 0 <= self.time <= now:
            self.time = now


def _leading_ids(args: Args) -> list[StreamID]:
    """The ids at the beginning of the remaining words. The first word that is none should be an option."""
    ids = []
    while len(args):
        try:
            ids.append(parse_id(args.argv[args.at]))
        except CommandError:
            break
        args.at += 1
    return ids


@command(
    "XCLAIM",
    "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] "
    "[FORCE] [JUSTID] [LASTID lastid]",
    arity=-6,
    keys=UPDATE,
    flags=WRITE | FAST,
    tips=RANDOM_OUTPUT,
    since="5.0.0",
)
def xclaim(shard: Shard, args: Args) -> Reply:
    """Make a consumer the owner of pending entries that have been idle for long enough, and return them."""
    key, name, consumer_name = args.next(), args.next(), args.next()
    stream = shard.find(key, Stream)
    group = stream.groups.get(name) if stream is not None else None
    if stream is None or group is None:
        raise no_key_or_group(key, name)
    min_idle = args.int(bad_claim_argument("min-idle-time", "XCLAIM"))
    claim = _Claim(args, shard.now)

    changes = int(claim.last_id > group.last_id)
    group.last_id = max(group.last_id, claim.last_id)
    consumer = obtain_consumer(shard, key, group, consumer_name)
    claimed: list[Reply] = []
    for id in claim.ids:
        fields = stream.get(id)
        if fields is None:
            changes += group.acknowledge(id)
            continue
        delivery = group.pending.get(id)
        if delivery is None and claim.force:
            delivery = group.add(id, consumer, shard.now)
        elif delivery is None or not _is_idle(delivery, shard.now, min_idle):
            continue
        group.give(id, delivery, consumer)
        delivery.time = claim.time
        if claim.count >= 0:
            delivery.count = claim.count
        elif not claim.just_ids:
            delivery.count += 1
        claimed.append(format_id(id) if claim.just_ids else entry_reply((id, fields)))
    _took(shard, key, consumer, len(claimed), changes)
    return claimed


def _is_idle(delivery: Delivery, now: int, least: int) -> bool:
    """Whether an entry was delivered at least so many milliseconds ago.

    0 or less takes any, also one whose time is to come: the clock was set back, or RESTORE has brought it.
    """
    return least <= 0 or now - delivery.time >= least


@command(
    "XAUTOCLAIM",
    "key group consumer min-idle-time start [COUNT count] [JUSTID]",
    arity=-6,
    keys=DELETE,
    flags=WRITE | FAST,
    tips=RANDOM_OUTPUT,
    since="6.2.0",
)
def xautoclaim(shard: Shard, args: Args) -> Reply:
    """Make a consumer the owner of the pending entries from an id on that have been idle for long enough.

    Returns the id to go on with, the entries, and the ids of pending entries that were deleted from the stream.
    """
    key, name, consumer_name = args.next(), args.next(), args.next()
    stream = shard.look(key)
    min_idle = args.int(bad_claim_argument("min-idle-time", "XAUTOCLAIM"))
    start = parse_start(args.next())
    count, just_ids = _options(args)

    if stream is not None and type(stream) is not Stream:
        raise WrongType
    group = stream.groups.get(name) if stream is not None else None
    if stream is None or group is None:
        raise no_key_or_group(key, name)
    if count > _TOO_MANY:
        raise CommandError(AUTOCLAIM_COUNT_TOO_HIGH)

    consumer = obtain_consumer(shard, key, group, consumer_name)
    claimed: list[Reply] = []
    deleted: list[Reply] = []
    pending = group.pending.walk(start)
    for id, delivery in islice(pending, count * _ATTEMPTS):
        fields = stream.get(id)
        if fields is None:
            group.acknowledge(id)
            deleted.append(format_id(id))
        elif _is_idle(delivery, shard.now, min_idle):
            group.give(id, delivery, consumer)
            delivery.time = shard.now
            delivery.count += not just_ids
            claimed.append(format_id(id) if just_ids else entry_reply((id, fields)))
        else:
            continue
        if len(claimed) + len(deleted) == count:
            break
    rest = next(pending, None)
    _took(shard, key, consumer, len(claimed), len(deleted))
    return [format_id(MIN_ID if rest is None else rest[0]), claimed, deleted]


def _options(args: Args) -> tuple[int, bool]:
    """COUNT, and whether JUSTID was given."""
    count, just_ids = 100, False
    while len(args):
        option = args.option()
        if option == b"COUNT" and len(args):
            count = args.int(AUTOCLAIM_COUNT_NOT_POSITIVE, 1, _MOST)
        elif option == b"JUSTID":
            just_ids = True
        else:
            raise WrongSyntax
    return count, just_ids


def _took(shard: Shard, key: bytes, consumer: Consumer, claimed: int, others: int) -> None:
    """A consumer has claimed entries; besides those there may be other changes of the group."""
    if claimed:
        consumer.active_time = shard.now
    if claimed or others:
        shard.noted(key, changes=claimed + others)
