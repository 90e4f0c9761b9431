"""XREADGROUP: the entries that a group has not read yet, or those that one of its consumers has pending."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from respcache.commands.streams.groups import obtain_consumer
from respcache.commands.streams.ids import entries_reply, format_id, parse_id
from respcache.commands.table import BLOCKING, WRITE, family
from respcache.datatypes.stream import MAX_ID, Stream
from respcache.errors import (
    LATEST_IN_XREADGROUP,
    WITHOUT_GROUP,
    CommandError,
    WrongSyntax,
    no_group_to_read,
    unbalanced_streams,
)
from respcache.resp.types import NULL_ARRAY, Reply
from respcache.store.shard import Shard
from respcache.store.waiting import Blocked

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.datatypes.stream_groups import Consumer, Group

command = family("stream")

# Stands for ``>``: what the group has not read yet.
_NEW = MAX_ID


class _Request:
    """The words of one XREADGROUP."""

    __slots__ = ("block", "consumer", "count", "group", "keys", "no_ack", "starts")

    def __init__(self, args: Args, now: int) -> None:
        self.block: int | None = None  # milliseconds, 0 for ever; None: does not wait
        self.count: int | None = None  # entries per stream; None: all
        self.no_ack = False
        group = None
        while True:
            option = args.option()
            if option == b"STREAMS" and len(args):
                break
            if option == b"GROUP" and len(args) >= 2:
                group, self.consumer = args.next(), args.next()
            elif option == b"COUNT" and len(args):
                count = args.int()
                self.count = count if count > 0 else None
            elif option == b"BLOCK" and len(args):
                self.block = args.timeout_ms(now)
            elif option == b"NOACK":
                self.no_ack = True
            else:
                raise WrongSyntax
        words = args.rest()
        if len(words) % 2:
            raise unbalanced_streams("xreadgroup", ">")
        if group is None:
            raise CommandError(WITHOUT_GROUP)
        self.group = group
        self.keys, self.starts = words[: len(words) // 2], words[len(words) // 2 :]


@command(
    "XREADGROUP",
    "GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]",
    arity=-7,
    keys=AfterWord(b"STREAMS", 4, access="RO ACCESS"),
    flags=WRITE | BLOCKING,
    since="5.0.0",
)
def xreadgroup(shard: Shard, args: Args) -> Reply:
    """Return entries that no consumer of a group was given before, or those that a consumer has pending."""
    request = _Request(args, shard.now)
    streams = [
        (key, *_group_to_read(shard, key, request.group), _start(start))
        for key, start in zip(request.keys, request.starts, strict=True)
    ]

    found = []
    for key, stream, group, start in streams:
        shard.figures.hits += 1  # Redis looks each key up once more
        consumer = obtain_consumer(shard, key, group, request.consumer)
        if start != _NEW:
            found.append((key, _history(stream, consumer, start, request.count, shard.now)))
        elif stream.last_id > group.last_id:
            entries = stream.range(group.last_id + 1, count=request.count)
            if not entries:
                continue
            ids = [id for id, _ in entries]
            group.read(ids, stream)
            if not request.no_ack:
                group.deliver(consumer, ids, shard.now)
            found.append((key, entries_reply(entries)))
        else:
            continue
        shard.noted(key)
    if found:
        return KeyedReply(found)
    if request.block is None:
        return NULL_ARRAY
    raise Blocked(request.keys, request.block, NULL_ARRAY, (Stream,), on_removal=True)


def _group_to_read(shard: Shard, key: bytes, name: bytes) -> tuple[Stream, Group]:
    stream = shard.find(key, Stream)
    group = stream.groups.get(name) if stream is not None else None
    if stream is None or group is None:
        raise no_group_to_read(key, name)
    return stream, group


def _start(word: bytes) -> int:
    """The id after which to read."""
    if word == b">":
        return _NEW
    if word == b"$":
        raise CommandError(LATEST_IN_XREADGROUP)
    return parse_id(word)


def _history(stream: Stream, consumer: Consumer, start: int, count: int | None, now: int) -> Reply:
    """What a consumer has pending after an id, delivered once more. Entries that were deleted have no fields."""
    found: list[Reply] = []
    for id, delivery in islice(consumer.pending.walk(start + 1), count):
        fields = stream.get(id)
        if fields is None:
            found.append((format_id(id), NULL_ARRAY))
        else:
            delivery.time = now
            delivery.count += 1
            found.append((format_id(id), fields))
    return found
