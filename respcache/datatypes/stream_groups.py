"""Consumer groups of a stream: who has been given which entries, and has not acknowledged them yet.

A group remembers how far it has read, and has two views of what is pending: its own, and one per consumer, which share
their `Delivery` objects. Both are a `Pending`: a dict by id, so that reading and acknowledging, which is what a stream
does all day, cost no more than a dict does. The order of the ids is made when somebody asks for it (XPENDING with a
range, XAUTOCLAIM, the history of a consumer) and kept for the next time, as long as it is worth keeping.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sortedcontainers import SortedList

if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterator, Sequence

    from respcache.datatypes.stream_ids import StreamID

# An order with more ids than twice those that are pending, and this many, is dropped.
_LITTER = 1000

# `active_time` of a consumer that was never given an entry.
NEVER = -1


class Figures(Protocol):
    """What a stream tells about itself. An id of zero stands for none."""

    @property
    def entries_added(self) -> int:
        """How many entries were ever added."""

    @property
    def first_id(self) -> StreamID:
        """The id of the first entry."""

    @property
    def last_id(self) -> StreamID:
        """The highest id that an entry ever had."""

    @property
    def max_deleted_id(self) -> StreamID:
        """The highest id of an entry that was deleted (trimmed ones do not count)."""

    def __len__(self) -> int:
        """The number of entries."""


class Delivery:
    """An entry that was given to a consumer and waits for its acknowledgement."""

    __slots__ = ("consumer", "count", "time")

    def __init__(self, consumer: bytes, time: int, count: int) -> None:
        self.consumer = consumer  # the name of its owner
        self.time = time  # of the latest delivery, in milliseconds since the epoch
        self.count = count  # how often it was delivered


class Pending:
    """Deliveries by the id of their entry.

    Ids that were removed stay in the order until somebody passes them, or they are too many. So each of them is paid
    for once: a removal is O(1), a walk from an id O(log n) plus what it yields, both amortized.
    """

    __slots__ = ("_deliveries", "_order")

    def __init__(self) -> None:
        self._deliveries: dict[StreamID, Delivery] = {}
        # All ids of `_deliveries`, and some that are gone; None until the order is asked for.
        self._order: SortedList[StreamID] | None = None

    def __len__(self) -> int:
        return len(self._deliveries)

    def __iter__(self) -> Iterator[StreamID]:
        """The ids in no particular order."""
        return iter(self._deliveries)

    def items(self) -> ItemsView[StreamID, Delivery]:
        """The ids with their deliveries, in no particular order."""
        return self._deliveries.items()

    def get(self, id: StreamID) -> Delivery | None:
        return self._deliveries.get(id)

    def __setitem__(self, id: StreamID, delivery: Delivery) -> None:
        order = self._order
        # An id that was removed may still be in the order.
        if order is not None and id not in self._deliveries and (not order or order[-1] < id or id not in order):
            order.add(id)
        self._deliveries[id] = delivery

    def pop(self, id: StreamID) -> Delivery | None:
        """Remove and return a delivery; None if there is none."""
        delivery = self._deliveries.pop(id, None)
        if self._order is not None and len(self._order) > 2 * len(self._deliveries) + _LITTER:
            self._order = None
        return delivery

    def first(self) -> StreamID | None:
        return next((id for id, _ in self.walk()), None)

    def last(self) -> StreamID | None:
        return next((id for id, _ in self.walk(reverse=True)), None)

    def walk(
        self, start: StreamID | None = None, end: StreamID | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[StreamID, Delivery]]:
        """Ids from `start` to `end`, both inclusive, with their deliveries, in order.

        Deliveries may be removed meanwhile, but none may be added.
        """
        if self._order is None:
            self._order = SortedList(self._deliveries)  # fast: most of the time a dict of ids is in order
        order = self._order
        passed: list[StreamID] = []
        try:
            for id in order.irange(start, end, reverse=reverse):
                delivery = self._deliveries.get(id)
                if delivery is None:
                    passed.append(id)
                else:
                    yield id, delivery
        finally:
            self._forget(order, passed)

    def _forget(self, order: SortedList[StreamID], passed: list[StreamID]) -> None:
        """Take ids that are gone out of the order."""
        if len(passed) > len(order) // 8:
            if order is self._order:
                self._order = None
            return
        for id in passed:
            order.remove(id)


class Consumer:
    """A member of a group. Times are milliseconds since the epoch."""

    __slots__ = ("active_time", "name", "pending", "seen_time")

    def __init__(self, name: bytes, seen_time: int, active_time: int = NEVER) -> None:
        self.name = name
        self.seen_time = seen_time  # when it last asked for something
        self.active_time = active_time  # when it was last given something, or `NEVER`
        self.pending = Pending()  # what it has not acknowledged


class Group:
    """A consumer group; the name is known to the stream."""

    __slots__ = ("consumers", "entries_read", "last_id", "pending")

    def __init__(self, last_id: StreamID, entries_read: int | None = None) -> None:
        self.consumers: dict[bytes, Consumer] = {}  # by name
        # How many of the entries ever added come up to `last_id`; None if that is not known.
        self.entries_read = entries_read
        self.last_id = last_id  # the latest id that was delivered: the next read begins after it
        self.pending = Pending()  # what nobody has acknowledged

    # -- consumers

    def create_consumer(self, name: bytes, now: int) -> Consumer:
        """A new consumer; there must be none of this name."""
        consumer = self.consumers[name] = Consumer(name, now)
        return consumer

    def remove_consumer(self, name: bytes) -> int | None:
        """Remove a consumer, and what it has pending. How much that was; None if there is no such consumer."""
        consumer = self.consumers.pop(name, None)
        if consumer is None:
            return None
        for id in consumer.pending:
            self.pending.pop(id)
        return len(consumer.pending)

    # -- how far the group has read, as `t_stream.c` of redis 8.0.6 counts it, which has all the corrections since 7.2.0
    # -- (most are in 7.2.7). Entries have no numbers, so nobody knows how many come before an arbitrary id, or after
    # -- XDEL.

    def read(self, ids: Sequence[StreamID], stream: Figures) -> None:
        """The group has got to the last of these entries, which come one after the other behind its `last_id`."""
        for at, id in enumerate(ids):
            if self.entries_read is not None and self.last_id >= stream.first_id and not self._deleted_ahead(stream):
                # The same is true of all that follow.
                self.entries_read += len(ids) - at
                self.last_id = ids[-1]
                return
            if stream.entries_added:
                self.entries_read = number_of(id, stream)
            self.last_id = id

    def lag(self, stream: Figures) -> int | None:
        """How many entries the group has yet to read; None if that is not known."""
        if not stream.entries_added or not len(stream):
            return 0
        if self.last_id < stream.first_id and stream.max_deleted_id < stream.first_id:
            return len(stream)
        if self.entries_read is not None and not self._deleted_ahead(stream):
            return stream.entries_added - self.entries_read
        number = number_of(self.last_id, stream)
        return None if number is None else stream.entries_added - number

    def _deleted_ahead(self, stream: Figures) -> bool:
        """Whether one of the entries that the group has not read yet may have been deleted."""
        return 0 < stream.max_deleted_id >= self.last_id and len(stream) > 0

    # -- deliveries

    def deliver(self, consumer: Consumer, ids: Sequence[StreamID], now: int) -> None:
        """Entries are given to a consumer. Some may be pending already: XGROUP SETID lets a group read them again."""
        for id in ids:
            delivery = self.pending.get(id)
            if delivery is None:
                self.add(id, consumer, now)
            else:
                self.give(id, delivery, consumer)
                delivery.time, delivery.count = now, 1
        if ids:
            consumer.active_time = now

    def add(self, id: StreamID, consumer: Consumer, now: int) -> Delivery:
        """A first delivery; the entry is not pending yet."""
        delivery = self.pending[id] = consumer.pending[id] = Delivery(consumer.name, now, 1)
        return delivery

    def give(self, id: StreamID, delivery: Delivery, consumer: Consumer) -> None:
        """Make a consumer the owner of a delivery."""
        if delivery.consumer != consumer.name:
            self.consumers[delivery.consumer].pending.pop(id)
            consumer.pending[id] = delivery
            delivery.consumer = consumer.name

    def acknowledge(self, id: StreamID) -> bool:
        """Remove a delivery. False if the entry is not pending."""
        delivery = self.pending.pop(id)
        if delivery is None:
            return False
        self.consumers[delivery.consumer].pending.pop(id)
        return True

    # -- travelling

    def dump(self) -> tuple[Any, ...]:
        """Plain data, as `load` takes it: the group, its consumers, its deliveries, all in columns."""
        consumers = self.consumers.values()
        numbers = {name: number for number, name in enumerate(self.consumers)}
        deliveries = [delivery for _, delivery in self.pending.items()]
        return (
            self.last_id,
            self.entries_read,
            ([c.name for c in consumers], [c.seen_time for c in consumers], [c.active_time for c in consumers]),
            (
                list(self.pending),
                [numbers[d.consumer] for d in deliveries],
                [d.time for d in deliveries],
                [d.count for d in deliveries],
            ),
        )

    @classmethod
    def load(cls, data: Sequence[Any]) -> Group:
        last_id, entries_read, consumers, deliveries = data
        group = cls(last_id, entries_read)
        members = [Consumer(*columns) for columns in zip(*consumers, strict=True)]
        group.consumers = {consumer.name: consumer for consumer in members}
        for id, number, time, count in zip(*deliveries, strict=True):
            owner = members[number]
            group.pending[id] = owner.pending[id] = Delivery(owner.name, time, count)
        return group


def number_of(id: StreamID, stream: Figures) -> int | None:
    """How many entries were ever added up to this id; None if that is not known."""
    added, length = stream.entries_added, len(stream)
    if not added:
        return 0
    if not length and id <= stream.last_id:
        return added
    if 0 < id < stream.max_deleted_id:
        return None
    if id == stream.last_id:
        return added
    if id < stream.last_id and (not stream.max_deleted_id or stream.max_deleted_id < stream.first_id):
        if id < stream.first_id:
            return added - length
        if id == stream.first_id:
            return added - length + 1
    return None
