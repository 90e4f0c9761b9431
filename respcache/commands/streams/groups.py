"""Consumer groups and their members: XGROUP, XINFO GROUPS and XINFO CONSUMERS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.streams.group_info import consumers_in_short, groups_in_short
from respcache.commands.streams.ids import parse_bound, parse_id
from respcache.commands.table import DELETE, DENYOOM, INSERT, READ, READONLY, UPDATE, WRITE, family
from respcache.commands.table.tips import RANDOM_OUTPUT
from respcache.datatypes.stream import Stream
from respcache.datatypes.stream_groups import Consumer, Group
from respcache.datatypes.stream_ids import MIN_ID, StreamID
from respcache.errors import (
    BUSY_GROUP,
    ENTRIES_READ_NEGATIVE,
    NO_SUCH_KEY,
    XGROUP_WITHOUT_KEY,
    CommandError,
    no_group,
    unknown_call,
)
from respcache.resp.types import OK, Reply
from respcache.store.shard import Event, Shard

if TYPE_CHECKING:
    from respcache.commands.args import Args

command = family("stream")

command.container("XGROUP", "Manage the consumer groups of a stream.", since="5.0.0", help_since="5.0.0")


@command(
    "XGROUP CREATE",
    "key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]",
    arity=-5,
    keys=INSERT.at(2),
    flags=WRITE | DENYOOM,
    since="5.0.0",
)
def xgroup_create(shard: Shard, args: Args) -> Reply:
    """Create a consumer group that reads what comes after an id."""
    key, name, start = args.next(), args.next(), args.next()
    make_stream, entries_read = False, None
    while len(args):
        option = args.option()
        if option == b"MKSTREAM":
            make_stream = True
        elif option == b"ENTRIESREAD" and len(args):
            entries_read = _entries_read(args)
        else:
            raise unknown_call("XGROUP", args.argv[1])

    stream = shard.edit(key, Stream)
    if stream is None and not make_stream:
        raise CommandError(XGROUP_WITHOUT_KEY)
    if len(args.argv) > 8:  # options that are repeated
        raise unknown_call("XGROUP", args.argv[1])
    if start == b"$":
        last_id = MIN_ID if stream is None else stream.last_id
    else:
        last_id = parse_id(start)

    if stream is None:
        stream = Stream(shard.limits)
        stream.groups[name] = Group(last_id, entries_read)
        shard.put(key, stream, Event.STREAM, b"xgroup-create")
        return OK
    if name in stream.groups:
        raise CommandError(BUSY_GROUP)
    stream.groups[name] = Group(last_id, entries_read)
    shard.noted(key, Event.STREAM, b"xgroup-create")
    return OK


def _entries_read(args: Args) -> int | None:
    """The value of ENTRIESREAD; -1 is "not known"."""
    number = args.int()
    if number < -1:
        raise CommandError(ENTRIES_READ_NEGATIVE)
    return None if number == -1 else number


@command(
    "XGROUP SETID",
    "key group <id | $> [ENTRIESREAD entries-read]",
    arity=-5,
    keys=UPDATE.at(2),
    flags=WRITE,
    since="5.0.0",
)
def xgroup_setid(shard: Shard, args: Args) -> Reply:
    """Set how far a consumer group has read."""
    key, name, start = args.next(), args.next(), args.next()
    entries_read = None
    while len(args):
        if args.option() != b"ENTRIESREAD" or not len(args):
            raise unknown_call("XGROUP", args.argv[1])
        entries_read = _entries_read(args)

    stream, group = _managed(shard, key, name)
    if len(args.argv) > 7:  # an option that is repeated
        raise unknown_call("XGROUP", args.argv[1])
    last_id = stream.last_id if start == b"$" else _any_id(start)

    group.last_id, group.entries_read = last_id, entries_read
    shard.noted(key, Event.STREAM, b"xgroup-setid")
    return OK


def _any_id(word: bytes) -> StreamID:
    """An id; unlike XGROUP CREATE, SETID takes - and + too."""
    return parse_id(word) if word.startswith(b"(") else parse_bound(word, 0)[0]


@command("XGROUP DESTROY", "key group", arity=4, keys=DELETE.at(2), flags=WRITE, since="5.0.0")
def xgroup_destroy(shard: Shard, args: Args) -> Reply:
    """Remove a consumer group with everything that it knows."""
    key, name = args.next(), args.next()
    stream = shard.edit(key, Stream)
    if stream is None:
        raise CommandError(XGROUP_WITHOUT_KEY)
    if stream.groups.pop(name, None) is None:
        return 0
    shard.noted(key, Event.STREAM, b"xgroup-destroy")
    return 1


@command(
    "XGROUP CREATECONSUMER",
    "key group consumer",
    arity=5,
    keys=INSERT.at(2),
    flags=WRITE | DENYOOM,
    since="6.2.0",
)
def xgroup_createconsumer(shard: Shard, args: Args) -> Reply:
    """Add a consumer to a group."""
    key, name, consumer = args.next(), args.next(), args.next()
    _, group = _managed(shard, key, name)
    if consumer in group.consumers:
        return 0
    obtain_consumer(shard, key, group, consumer)
    return 1


@command("XGROUP DELCONSUMER", "key group consumer", arity=5, keys=DELETE.at(2), flags=WRITE, since="5.0.0")
def xgroup_delconsumer(shard: Shard, args: Args) -> Reply:
    """Remove a consumer with its pending entries, and return how many these were."""
    key, name, consumer = args.next(), args.next(), args.next()
    _, group = _managed(shard, key, name)
    pending = group.remove_consumer(consumer)
    if pending is None:
        return 0
    shard.noted(key, Event.STREAM, b"xgroup-delconsumer")
    return pending


def _managed(shard: Shard, key: bytes, name: bytes) -> tuple[Stream, Group]:
    """The group that XGROUP is about to change, with its stream."""
    stream = shard.edit(key, Stream)
    if stream is None:
        raise CommandError(XGROUP_WITHOUT_KEY)
    group = stream.groups.get(name)
    if group is None:
        raise no_group(key, name)
    return stream, group


def obtain_consumer(shard: Shard, key: bytes, group: Group, name: bytes) -> Consumer:
    """The consumer that asks for something, created if need be; it is seen now."""
    consumer = group.consumers.get(name)
    if consumer is None:
        consumer = group.create_consumer(name, shard.now)
        shard.noted(key, Event.STREAM, b"xgroup-createconsumer")
    consumer.seen_time = shard.now
    shard.marked(key)
    return consumer


@command("XINFO GROUPS", "key", arity=3, keys=READ.at(2), flags=READONLY, since="5.0.0")
def xinfo_groups(shard: Shard, args: Args) -> Reply:
    """List the consumer groups of a stream."""
    stream = shard.find(args.next(), Stream)
    if stream is None:
        raise CommandError(NO_SUCH_KEY)
    return groups_in_short(stream)


@command("XINFO CONSUMERS", "key group", arity=4, keys=READ.at(2), flags=READONLY, tips=RANDOM_OUTPUT, since="5.0.0")
def xinfo_consumers(shard: Shard, args: Args) -> Reply:
    """List the consumers of a group."""
    key, name = args.next(), args.next()
    stream = shard.find(key, Stream)
    if stream is None:
        raise CommandError(NO_SUCH_KEY)
    group = stream.groups.get(name)
    if group is None:
        raise no_group(key, name)
    return consumers_in_short(group, shard.now)
