"""The queue of one shard: what it has to do, in order, and who gets the answers. No I/O.

`submit` takes the next place in the order, synchronously. Items leave in frames (`take`), and answers come back in the
order of the items, so a deque of tickets is enough to know which answer is whose.

Barriers: `cork` puts one into the queue. When it reaches the front, the items after it are held back, while the owner
of the barrier talks to the shard by `call`, which passes the queue. `uncork` lets the queue flow again, up to the
next barrier. The shard knows nothing of it.
"""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import trio

from respcache import errors
from respcache.errors import CommandError
from respcache.logs import log_exception
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from respcache.clock import Clock
    from respcache.shard.wire import Item
    from respcache.store.reports import Report

# A frame is closed when it holds this many bytes of commands, so that none comes near the limits of the wire format.
# One command may still make a larger one, up to ``client-query-buffer-limit``.
FRAME_BYTES = 16 << 20


class Ticket(Protocol):
    """Who gets the answer to one item."""

    def deliver(self, result: Any) -> None:
        """The shard's result, or the last piece of it; its form is described in `respcache.shard.wire`."""

    def deliver_piece(self, result: Any) -> None:
        """A piece of the result; more follows. Only runs and transactions are answered in pieces."""

    def fail(self, error: CommandError) -> None:
        """There will be no answer, or no more of it."""


class Nobody:
    """A ticket for items whose answer is of no interest."""

    def deliver(self, result: Any) -> None:
        pass

    def deliver_piece(self, result: Any) -> None:
        pass

    def fail(self, error: CommandError) -> None:
        pass


NOBODY = Nobody()


class Answer:
    """A ticket for one function: it is called with the answer, or with `lost` if there is none."""

    __slots__ = ("_function", "_lost")

    def __init__(self, function: Callable[[Any], None], lost: Any) -> None:
        self._function = function
        self._lost = lost

    def deliver(self, result: Any) -> None:
        self._function(result)

    def deliver_piece(self, result: Any) -> None:  # noqa: ARG002 - a Ticket has it, and gets no pieces here
        raise AssertionError("it is answered whole")

    def fail(self, error: CommandError) -> None:  # noqa: ARG002 - the shard has died, and that is on the log
        self._function(self._lost)


class Call:
    """A ticket that a task waits for. `wake` is called when there is something for trio to run.

    With `keep_reports`, what the shard reports along with the answer is kept in `reports`, instead of being handed on
    at once: for an owner that has to bring the reports of several shards into an order.
    """

    __slots__ = ("_done", "_error", "_pieces", "_result", "_wake", "reports")

    def __init__(self, wake: Callable[[], None], keep_reports: bool = False) -> None:
        self.reports: list[Report] | None = [] if keep_reports else None
        self._wake = wake
        self._done = trio.Event()  # there is a result or an error
        self._pieces: list[Any] = []  # of the result, until the last one comes
        self._result: Any = None
        self._error: CommandError | None = None

    def deliver_piece(self, result: Any) -> None:
        self._pieces.append(result)

    def deliver(self, result: Any) -> None:
        if self._pieces:
            pieces, self._pieces = [*self._pieces, result], []
            result = b"".join(pieces) if type(result) is bytes else [reply for piece in pieces for reply in piece]
        self._result = result
        self._finish()

    def fail(self, error: CommandError) -> None:
        self._error = error
        self._finish()

    def _finish(self) -> None:
        self._done.set()
        self._wake()

    @property
    def done(self) -> bool:
        """True if `result` has not to wait."""
        return self._done.is_set()

    async def wait(self) -> None:
        """Wait until `done`."""
        await self._done.wait()

    async def result(self) -> Any:
        """Wait for the answer. Raises CommandError when the item failed or the shard died.

        Cancellation is safe: the answer is dropped when it comes.
        """
        await self._done.wait()
        if self._error is not None:
            raise self._error
        return self._result


class Order:
    """Numbers the places in the one global order, for all queues of a server."""

    __slots__ = ("answering", "next")

    def __init__(self) -> None:
        self.next = count(1).__next__
        # Whose answer is being handed out now, while the reports that belong to it are.
        self.answering: Ticket | None = None


class Barrier:
    """A place in the queues of several shards at once. Its owner waits until it is at the front of all of them.

    `moment` is when that happened (0 before), in milliseconds since the epoch: everything that its owner does has this
    one time in the shards, so no key expires in the middle of it.
    """

    __slots__ = ("_missing", "_queues", "_reached", "_wake", "moment", "place")

    def __init__(self, queues: Sequence[ShardQueue], wake: Callable[[], None]) -> None:
        self.moment = 0
        self.place = queues[0].order.next() if queues else 0  # in the global order
        self._queues = queues  # that it was put into
        self._wake = wake
        self._missing = len(queues)  # queues in which it is not at the front yet
        self._reached = trio.Event()
        if not queues:
            self._reached.set()
        for queue in queues:
            queue.cork(self)

    def arrive(self, now: int) -> None:
        """The barrier is at the front of one more queue."""
        self._missing -= 1
        if not self._missing:
            self.moment = now
            self._reached.set()
            self._wake()

    async def reached(self) -> None:
        """Wait until it is at the front of all queues. If cancelled, the owner still has to `lift` it."""
        await self._reached.wait()

    def lift(self) -> None:
        """Let all queues flow again."""
        for queue in self._queues:
            queue.uncork(self)


class ShardQueue:
    """Items, barriers and tickets of one shard.

    on_report: gets each report of the shard, in order, before the answer that it belongs to.
    wake: called when a task that waits for an answer or a barrier can go on.
    order: that of all queues of the server.
    """

    def __init__(
        self,
        clock: Clock,
        on_report: Callable[[Report], None],
        wake: Callable[[], None],
        order: Order,
    ) -> None:
        self.order = order
        self._clock = clock
        self._on_report = on_report
        self._wake = wake
        # Submitted and not yet taken: the frame that is being filled with its size in bytes, and those that are full,
        # each with its size, and whether the owner of a barrier has sent it.
        self._items: list[Item] = []
        self._size = 0
        self._full: deque[tuple[list[Item], int, bool]] = deque()
        # About how many bytes wait to be taken, the backlog included.
        self.size = 0
        # Of the items that were taken and not answered, then of those that were not taken; without the backlog.
        self._tickets: deque[Ticket] = deque()
        # The places of those items in the global order, None for what has none (calls). Kept only while somebody asks
        # (`keep_places`): it costs time.
        self._places: deque[int | None] | None = None
        # The item in whose middle the shard asks for something: what it is sent before `reply` is answered first.
        self._asking: Ticket | None = None
        # The answer to that, to be taken before anything else.
        self._reply: tuple[Any] | None = None
        # Numbers of those who wait in this shard for something to become ready (`respcache.server.order.waits`).
        self.waits: set[int] = set()
        # The barrier at the front; the queue is corked while there is one.
        self._corked_by: Barrier | None = None
        # What was submitted after that barrier: items with their tickets, sizes and places, and further barriers.
        self._backlog: deque[tuple[Item, Ticket, int, int] | Barrier] = deque()

    # -- the order

    def submit(self, item: Item, ticket: Ticket, size: int = 0) -> None:
        """Take the next place in this shard's order. `size`: about how many bytes the item has."""
        self.size += size
        if self._corked_by is None:
            self._items.append(item)
            self._tickets.append(ticket)
            if self._places is not None:
                self._places.append(self.order.next())
            self._size += size
            if self._size > FRAME_BYTES:
                self._close_frame()
        else:
            self._backlog.append((item, ticket, size, self.order.next()))

    def call(self, item: Item, keep_reports: bool = False, asks: bool = False) -> Call:
        """For the owner of the barrier, and for what needs no order: pass the queue. The answer is to be awaited.

        asks: the shard may ask for something in the middle of the item. What it is sent then is answered before
        everything that follows the item in its own frame, so nothing may.
        """
        ticket = Call(self._wake, keep_reports)
        self._items.append(item)
        self._tickets.append(ticket)
        if self._places is not None:
            self._places.append(None)
        if asks:
            self._close_frame()
        return ticket

    def submit_call(self, item: Item) -> Call:
        """Take the next place in the order; the answer is to be awaited."""
        ticket = Call(self._wake)
        self.submit(item, ticket)
        return ticket

    def cork(self, barrier: Barrier) -> None:
        """Take the next place with a barrier."""
        if self._corked_by is None:
            self._hold(barrier)
        else:
            self._backlog.append(barrier)

    def _hold(self, barrier: Barrier) -> None:
        self._close_frame()  # what came before has nothing to do with what the owner of the barrier sends
        self._corked_by = barrier
        barrier.arrive(self._clock.now_ms())

    def uncork(self, barrier: Barrier) -> None:
        """Lift the barrier, wherever in the queue it is; go on up to the next one."""
        if self._corked_by is not barrier:
            if barrier in self._backlog:
                self._backlog.remove(barrier)
            return
        self._close_frame()  # calls of the owner that were not taken yet
        self._corked_by = None
        if self.waits:
            self._submit_late(wire.serve(), NOBODY, 0, barrier.place)
        while self._backlog and self._corked_by is None:
            entry = self._backlog.popleft()
            if isinstance(entry, Barrier):
                self._hold(entry)
            else:
                self._submit_late(*entry)

    def _submit_late(self, item: Item, ticket: Ticket, size: int, place: int) -> None:
        """Like `submit`, for what has had its place for longer."""
        self.size -= size  # which `submit` counts again
        self.submit(item, ticket, size)
        if self._places is not None:
            self._places[-1] = place

    def _close_frame(self) -> None:
        if self._items:
            self._full.append((self._items, self._size, self.corked))
            self._items = []
            self._size = 0

    # -- places in the global order

    def keep_places(self, wanted: bool) -> None:
        """Keep the places of what is submitted from now on; or keep none."""
        self._places = deque([None] * len(self._tickets)) if wanted else None

    @property
    def running(self) -> int:
        """The place of the item that the shard is at. 0 if it is not known."""
        return (self._places and self._places[0]) or 0

    def is_past(self, place: int) -> bool:
        """True if nothing that comes before a place, as far as places were kept, is still to be done here."""
        if self._corked_by is not None and self._corked_by.place < place:
            return False
        if self._backlog:
            first = self._backlog[0]
            if (first.place if isinstance(first, Barrier) else first[3]) < place:
                return False
        return next((own for own in self._places or () if own is not None), place) >= place

    # -- figures

    @property
    def corked(self) -> bool:
        """True if what is submitted now waits for a barrier to be lifted."""
        return self._corked_by is not None

    @property
    def unanswered(self) -> int:
        """Items without an answer."""
        return len(self._tickets) + len(self._backlog) + (self._asking is not None)

    @property
    def _untaken(self) -> int:
        return len(self._items) + sum(len(items) for items, _, _ in self._full)

    # -- the shard's side

    def take(self) -> tuple[int | None, Any] | None:
        """The next frame: its time in milliseconds, negative under a barrier, and its items. None: nothing to send.

        A frame whose time is None holds the answer to what the shard has asked.
        """
        if self._reply is not None:
            answer, self._reply = self._reply[0], None
            return None, answer
        if self._full:
            items, size, owned = self._full.popleft()
            self.size -= size
        elif self._items:
            items, owned = self._items, self.corked
            self._items = []
            self.size -= self._size
            self._size = 0
        else:
            return None
        moment = self._corked_by.moment if self._corked_by is not None else 0
        now = moment or self._clock.now_ms()
        return -now if owned else now, items

    # -- what the shard asks

    def asked(self) -> None:
        """The shard asks in the middle of its running item, and carries out what it is sent until it has the answer."""
        assert self._asking is None, "a shard asks for one thing at a time"
        self._asking = self._tickets.popleft()
        if self._places:
            self._places.popleft()  # it is a call: the barrier has the place

    def reply(self, answer: Any) -> None:
        """The answer to what the shard has asked. It passes everything that was not taken yet.

        What was taken before it, such as a call that passed the queue, too, is answered before the shard resumes.
        """
        self._reply = (answer,)

    def _resume(self) -> None:
        """The shard has the answer: its next result is that of the item in whose middle it has asked."""
        if self._asking is not None:
            self._tickets.appendleft(self._asking)
            if self._places is not None:
                self._places.appendleft(None)
            self._asking = None

    # -- while a script runs for too long

    def answer_early(self, places: Iterable[int], error: CommandError | None) -> None:
        """Answers to items whose turn has not come, counted from the running one: an error, or None."""
        for place in places:
            ticket, self._tickets[place] = self._tickets[place], NOBODY
            if error is None:
                ticket.deliver(None)
            else:
                ticket.fail(error)

    def refuse_backlog(self, error: CommandError, refused: Callable[[Item], bool]) -> None:
        """Fail those items behind the barrier that `refused` picks."""
        kept: deque[tuple[Item, Ticket, int, int] | Barrier] = deque()
        for entry in self._backlog:
            if isinstance(entry, Barrier) or not refused(entry[0]):
                kept.append(entry)
            else:
                _, ticket, size, _ = entry
                self.size -= size
                ticket.fail(error)
        self._backlog = kept

    def begin_with(self, item: Item) -> None:
        """Put an item before everything that was not taken yet: the settings of a shard that has just started."""
        assert len(self._tickets) == self._untaken, "the shard has answers to give"
        self._full.appendleft(([item], 0, False))
        self._tickets.appendleft(NOBODY)
        if self._places is not None:
            self._places.appendleft(None)

    def answer(self, results: list[Any], reports: Iterable[Report]) -> None:
        """One frame of answers: hand them out, and the reports before the answers that they belong to.

        If a ticket or `on_report` raises an exception, that ticket and all after it are still unanswered: `fail_taken`.
        """
        if not reports:
            popleft = self._tickets.popleft
            for result in results:
                ticket = popleft()
                try:
                    ticket.deliver(result)
                except BaseException:
                    self._tickets.appendleft(ticket)
                    raise
                if self._places:
                    self._places.popleft()
            return
        by_index: dict[int, list[Report]] = {}
        for report in reports:
            if report[0] == wire.RESUMED:  # always the first report of its frame, before all results
                self._resume()
                continue
            by_index.setdefault(report[1], []).append(report)
        for index, result in enumerate(results):
            self._answer_one(result, by_index.get(index, ()))
        for report in by_index.get(len(results), ()):
            self._on_report(report)

    def _answer_one(self, result: Any, reports: Iterable[Report]) -> None:
        failure: CommandError | None = None
        unfinished = False
        ticket = self._tickets[0]
        kept = ticket.reports if type(ticket) is Call else None
        hand_on = self._on_report if kept is None else kept.append
        self.order.answering = ticket
        for report in reports:
            if report[0] == wire.FAILED:
                failure = CommandError(report[2])
            elif report[0] == wire.UNFINISHED:
                unfinished = True
            else:
                hand_on(report)
        self.order.answering = None
        if unfinished:
            ticket.deliver_piece(result)
            return
        if failure is not None:
            ticket.fail(failure)
        else:
            ticket.deliver(result)
        self._tickets.popleft()
        if self._places:
            self._places.popleft()

    def fail_taken(self) -> int:
        """The shard died: fail what it took with it, and return how much that was. The rest is for its successor."""
        self._reply = None
        self._resume()
        lost = len(self._tickets) - self._untaken
        for _ in range(lost):
            ticket = self._tickets.popleft()
            if self._places:
                self._places.popleft()
            try:
                ticket.fail(CommandError(errors.SHARD_DIED))
            except Exception:  # perhaps the same ticket that made `answer` fail
                log_exception("a command under way could not be failed")
        return lost

    def refuse(self, count: int, error: CommandError) -> None:
        """The frame that was taken last cannot be sent: fail its items."""
        untaken = self._untaken
        self._tickets.rotate(untaken)
        refused = [self._tickets.pop() for _ in range(count)]
        self._tickets.rotate(-untaken)
        if self._places is not None:
            places = list(self._places)
            del places[len(places) - untaken - count : len(places) - untaken]
            self._places = deque(places)
        for ticket in reversed(refused):
            ticket.fail(error)
