"""Consumer groups as XINFO shows them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from respcache.commands.streams.ids import format_id
from respcache.datatypes.stream_groups import NEVER
from respcache.datatypes.stream_node import difference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from respcache.datatypes.stream import Stream
    from respcache.datatypes.stream_groups import Consumer, Group
    from respcache.resp.types import Reply


def in_order(consumers: Mapping[bytes, Consumer]) -> Iterator[Consumer]:
    """The consumers of a group by name, which is the order in which Redis keeps them."""
    return (consumers[name] for name in sorted(consumers))


def as_int64(count: int | None) -> int | None:
    """A count as Redis tells it: above the highest integer, which clients can set, it goes on with the lowest one."""
    return None if count is None else difference(count, 0)


def groups_in_short(stream: Stream) -> list[Reply]:
    """The groups of a stream, for XINFO GROUPS."""
    return [
        {
            b"name": name,
            b"consumers": len(group.consumers),
            b"pending": len(group.pending),
            b"last-delivered-id": format_id(group.last_id),
            b"entries-read": as_int64(group.entries_read),
            b"lag": as_int64(group.lag(stream)),
        }
        for name, group in sorted(stream.groups.items())
    ]


def consumers_in_short(group: Group, now: int) -> list[Reply]:
    """The consumers of a group, for XINFO CONSUMERS."""
    return [
        {
            b"name": consumer.name,
            b"pending": len(consumer.pending),
            b"idle": max(now - consumer.seen_time, 0),
            b"inactive": NEVER if consumer.active_time == NEVER else now - consumer.active_time,
        }
        for consumer in in_order(group.consumers)
    ]


def groups_in_full(stream: Stream, count: int | None) -> list[Reply]:
    """The groups of a stream, each with its first `count` pending entries (None: all), for XINFO STREAM ... FULL."""
    return [_in_full(name, group, stream, count) for name, group in sorted(stream.groups.items())]


def _in_full(name: bytes, group: Group, stream: Stream, count: int | None) -> Reply:
    pending = islice(group.pending.walk(), count)
    return {
        b"name": name,
        b"last-delivered-id": format_id(group.last_id),
        b"entries-read": as_int64(group.entries_read),
        b"lag": as_int64(group.lag(stream)),
        b"pel-count": len(group.pending),
        b"pending": [
            [format_id(id), delivery.consumer, delivery.time, as_int64(delivery.count)] for id, delivery in pending
        ],
        b"consumers": [_consumer_in_full(consumer, count) for consumer in in_order(group.consumers)],
    }


def _consumer_in_full(consumer: Consumer, count: int | None) -> Reply:
    pending = islice(consumer.pending.walk(), count)
    return {
        b"name": consumer.name,
        b"seen-time": consumer.seen_time,
        b"active-time": consumer.active_time,
        b"pel-count": len(consumer.pending),
        b"pending": [[format_id(id), delivery.time, as_int64(delivery.count)] for id, delivery in pending],
    }
