"""Values as they stand in RDB files and payloads, before anybody has decided how to hold them.

A string is `bytes`. Everything else is one of these tuples. `compact` says that the value came as one of Redis' flat
blocks, which it then stays, whatever the sizes of its elements are.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from respcache.datatypes.stream_ids import StreamID

# Of a hash's field: milliseconds since the epoch.
Deadline: TypeAlias = int


class PlainList(NamedTuple):
    """Elements, at least one. `single`: they came as one node of a quicklist, or as several; None: one by one."""

    elements: list[bytes]
    single: bool | None = None


class PlainSet(NamedTuple):
    """Distinct members; an intset has them in order."""

    members: list[bytes]
    compact: bytes = b""  # "intset" or "listpack"


class PlainHash(NamedTuple):
    """Distinct fields with their values. `deadlines` has those fields that expire."""

    pairs: list[tuple[bytes, bytes]]
    compact: bool = False
    deadlines: dict[bytes, Deadline] = {}  # noqa: RUF012 - never changed


class PlainZSet(NamedTuple):
    """Distinct members with their scores, none of which is NaN."""

    items: list[tuple[bytes, float]]
    compact: bool = False


class PlainStreamNode(NamedTuple):
    """A node of a stream."""

    master: StreamID
    names: tuple[bytes, ...]  # of the fields of its first entry
    entries: list[tuple[StreamID, tuple[bytes, ...]]]  # in ascending order; fields, each followed by its value
    last: StreamID  # the id of its last entry, maybe of a deleted one
    deleted: int  # how many entries are marked as deleted
    size: int  # bytes as a listpack


class PlainConsumer(NamedTuple):
    """A member of a group. Times are milliseconds since the epoch."""

    name: bytes
    seen_time: int
    active_time: int  # -1: it was never given anything
    pending: list[StreamID]


class PlainGroup(NamedTuple):
    """A consumer group of a stream."""

    name: bytes
    last_id: StreamID
    entries_read: int | None  # None: not known
    pending: dict[StreamID, tuple[int, int]]  # time and count of deliveries
    consumers: list[PlainConsumer]
    released: list[StreamID]  # pending entries without a consumer (XNACK)


class PlainStream(NamedTuple):
    """A stream. Before version 10 `max_deleted_id` and `entries_added` are not in the data, and None."""

    nodes: list[PlainStreamNode]
    last_id: StreamID
    max_deleted_id: StreamID | None
    entries_added: int | None
    groups: list[PlainGroup]
    # Ids of messages that producers have sent (XADD ... IDMP), by producer: message id -> id of the entry.
    producers: dict[bytes, dict[bytes, StreamID]]


class PlainArray(NamedTuple):
    """An array of Redis 8.8: elements by their index, and the index that was inserted at last."""

    elements: dict[int, bytes]
    cursor: int | None


Plain: TypeAlias = "bytes | PlainList | PlainSet | PlainHash | PlainZSet | PlainStream | PlainArray"
