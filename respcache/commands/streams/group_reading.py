"""XREADGROUP: the entries that a group has not read yet, or those that one of its consumers has pending."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from respcache.commands.streams.groups import obtain_consumer
from respcache.commands.streams.ids import entries_reply, format_id, parse_id
from respcache.commands.streams.reading import Reading, check_each, may_wait
from respcache.commands.table import BLOCKING, WRITE, InParts, StreamKeys, family
from respcache.datatypes.stream import Stream
from respcache.datatypes.stream_groups import Group
from respcache.datatypes.stream_ids import MAX_ID, StreamID
from respcache.errors import LATEST_IN_XREADGROUP, CommandError, no_group_to_read
from respcache.resp.types import NULL_ARRAY, Entries, PairedMap, Reply
from respcache.store.shard import Shard
from respcache.store.waiting import Blocked

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.datatypes.stream_groups import Consumer

command = family("stream")

# Stands for ``>``: what the group has not read yet.
_NEW = MAX_ID

# A key, its stream, its group, and the id after which to read.
_Wanted = tuple[bytes, Stream, Group, StreamID]


def check(shard: Shard, args: Args) -> list[tuple[bytes, str]]:
    """See `InParts`."""
    reading = Reading(args, shard.now, of_group=True)

    def checked(key: bytes, word: bytes) -> bytes:
        _group_to_read(shard, key, reading.group)
        _start(word)
        return word

    return check_each(reading, checked)


def find(shard: Shard, args: Args) -> list[tuple[int, bytes, Reply]]:
    """See `InParts`."""
    reading = Reading(args, shard.now, of_group=True)
    numbers, found = _read(shard, reading, _wanted(shard, reading))
    if not found and reading.timeout is not None:
        raise _blocked(reading, reading.timeout)
    return [(number, reading.keys[number], entries) for number, (_, entries) in zip(numbers, found, strict=True)]


@command(
    "XREADGROUP",
    "GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]",
    arity=-7,
    keys=StreamKeys(4, access="RO ACCESS"),
    flags=WRITE | BLOCKING,
    waits=may_wait,
    in_parts=InParts(check, find),
    since="5.0.0",
)
def xreadgroup(shard: Shard, args: Args) -> Reply:
    """Return entries that no consumer of a group was given before, or those that a consumer has pending."""
    reading = Reading(args, shard.now, of_group=True)
    wanted = _wanted(shard, reading)

    shard.figures.hits += len(wanted)  # Redis looks each key up once more
    _, found = _read(shard, reading, wanted)
    if found:
        return found
    if reading.timeout is None:
        return NULL_ARRAY
    raise _blocked(reading, reading.timeout)


def _blocked(reading: Reading, timeout: int) -> Blocked:
    """It is run again also when a key goes or changes its type. As since Redis 7.2, the answer is an error then."""
    return Blocked(reading.keys, timeout, NULL_ARRAY, (Stream,), on_removal=True)


def _wanted(shard: Shard, reading: Reading) -> list[_Wanted]:
    """What is to be read. Raises CommandError if any of it cannot be."""
    name = reading.group
    wanted = []
    for key, word in zip(reading.keys, reading.ids, strict=True):
        stream, group = _group_to_read(shard, key, name)
        wanted.append((key, stream, group, _NEW if word == b">" else _start(word)))
    return wanted


def _read(shard: Shard, reading: Reading, wanted: list[_Wanted]) -> tuple[list[int], PairedMap]:
    """What was found: the numbers of the keys, and the reply."""
    numbers, found = [], PairedMap()
    for number, (key, stream, group, start) in enumerate(wanted):
        consumer = obtain_consumer(shard, key, group, reading.consumer)
        if start == _NEW:
            entries = _new_entries(stream, group, consumer, reading, shard.now)
            if not entries:
                continue
        else:
            entries = _history(stream, consumer, start, reading.count, shard.now)
        numbers.append(number)
        found.append((key, entries))
        shard.noted(key)
    return numbers, found


def _group_to_read(shard: Shard, key: bytes, name: bytes) -> tuple[Stream, Group]:
    stream = shard.find(key, Stream)
    group = stream.groups.get(name) if stream is not None else None
    if stream is None or group is None:
        raise no_group_to_read(key, name)
    return stream, group


def _start(word: bytes) -> StreamID:
    """The id after which to read."""
    if word == b">":
        return _NEW
    if word == b"$":
        raise CommandError(LATEST_IN_XREADGROUP)
    return parse_id(word)


def _new_entries(stream: Stream, group: Group, consumer: Consumer, reading: Reading, now: int) -> Entries:
    """What the group has not read yet; it has then."""
    if stream.last_id <= group.last_id:
        return Entries()
    entries = stream.range(group.last_id + 1, count=reading.count)
    if entries:
        ids = [id for id, _ in entries]
        group.read(ids, stream)
        if not reading.noack:
            group.deliver(consumer, ids, now)
    return entries_reply(entries)


def _history(stream: Stream, consumer: Consumer, start: StreamID, count: int | None, now: int) -> Entries:
    """What a consumer has pending after an id, delivered once more. Entries that were deleted have no fields."""
    found = Entries()
    for id, delivery in islice(consumer.pending.walk(start + 1), count):
        fields = stream.get(id)
        if fields is None:
            found.append((format_id(id), NULL_ARRAY))
        else:
            delivery.time = now
            delivery.count += 1
            found.append((format_id(id), fields))
    return found
