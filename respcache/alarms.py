"""One alarm clock for everything that waits for a time: expiry, pauses, idle clients, limits.

    alarm = alarms.at(deadline, callback)      # milliseconds since the epoch, on the server's clock
    alarm.cancel()

`fire` calls what is due. It is called by the one task that sleeps until `next_deadline`, and after the clock was
advanced, so time that passes and time that a test skips have the same effect.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from respcache.logs import log_exception

if TYPE_CHECKING:
    from respcache.clock import Clock

# Cancelled alarms stay in the heap until they surface, unless they are more than this many and the majority.
_LITTER = 256


class Alarm:
    """A callback that is due at `deadline`, unless it is cancelled first."""

    __slots__ = ("_alarms", "callback", "deadline")

    def __init__(self, alarms: Alarms, deadline: int, callback: Callable[[], object]) -> None:
        self._alarms = alarms
        self.deadline = deadline  # milliseconds since the epoch
        self.callback: Callable[[], object] | None = callback  # None once it has fired or was cancelled

    def cancel(self) -> None:
        """Forget the callback. Does nothing to an alarm that has fired."""
        if self.callback is not None:
            self.callback = None
            self._alarms.forget_one()


class Alarms:
    """All alarms of the main process, on its clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # All alarms that have not fired, earliest first, and cancelled ones (see `_LITTER`).
        # (deadline, number, alarm): the number keeps alarms of one millisecond in the order in which they were set.
        self._heap: list[tuple[int, int, Alarm]] = []
        # The number of the newest alarm, and how many of the heap are cancelled.
        self._count = 0
        self._cancelled = 0
        self.shifts = 0  # how often `shift` was called
        # Called when the next deadline has become an earlier one: the task that sleeps until then must wake up.
        self.on_earlier: Callable[[], object] = lambda: None

    def at(self, deadline: int, callback: Callable[[], object]) -> Alarm:
        """Have `callback()` called once, when the clock says `deadline` (milliseconds since the epoch) or later."""
        earlier = not self._heap or deadline < self._heap[0][0]
        alarm = Alarm(self, deadline, callback)
        self._count += 1
        heappush(self._heap, (deadline, self._count, alarm))
        if earlier:
            self.on_earlier()
        return alarm

    def after(self, milliseconds: int, callback: Callable[[], object]) -> Alarm:
        """Have `callback()` called once, this long from now."""
        return self.at(self._clock.now_ms() + milliseconds, callback)

    def now_ms(self) -> int:
        """The time that deadlines are about."""
        return self._clock.now_ms()

    def next_deadline(self) -> int | None:
        """When the next alarm is due; None if there is none."""
        while self._heap and self._heap[0][2].callback is None:
            heappop(self._heap)
            self._cancelled -= 1
        return self._heap[0][0] if self._heap else None

    def fire(self) -> None:
        """Call what is due, in the order of the deadlines. What that sets is left for the next time, due or not.

        A callback that fails is logged; the others are called all the same.
        """
        now = self._clock.now_ms()
        newest = self._count
        later: list[tuple[int, int, Alarm]] = []
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            entry = heappop(self._heap)
            if entry[1] > newest:
                later.append(entry)
                continue
            callback, entry[2].callback = entry[2].callback, None
            assert callback is not None
            try:
                callback()
            except Exception:
                log_exception("an alarm failed")
        for entry in later:
            heappush(self._heap, entry)

    def shift(self, milliseconds: int) -> None:
        """The clock was set, and no time has passed by that: every alarm goes off after the time that it had left."""
        self.shifts += 1
        for _, _, alarm in self._heap:
            alarm.deadline += milliseconds
        self._heap = [(alarm.deadline, number, alarm) for _, number, alarm in self._heap]
        self.on_earlier()

    def forget_one(self) -> None:
        """An alarm of the heap was cancelled."""
        self._cancelled += 1
        if self._cancelled > _LITTER and 2 * self._cancelled > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].callback is not None]
            heapify(self._heap)
            self._cancelled = 0
