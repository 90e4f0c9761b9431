"""The clock, with time sources that the test controls."""

from __future__ import annotations

import pytest

from respcache.alarms import Alarms
from respcache.clock import Clock
from tests.support.house import FakeTime

SECOND = 10**9
HOUR = 3600 * SECOND


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def clock(time: FakeTime) -> Clock:
    return time.clock()


def run(time: FakeTime, clock: Clock, seconds: int) -> list[int]:
    """Let time pass in steps of a tenth of a second. Returns the clock's time at each, in milliseconds."""
    times = []
    for _ in range(seconds * 10):
        time.pass_(0.1)
        times.append(clock.now_ms())
    return times


def test_time_is_wall_clock_time() -> None:
    clock = Clock(lambda: 123, lambda: 1_700_000_000_123_456_789)
    assert clock.now_us() == 1_700_000_000_123_456
    assert clock.now_ms() == clock.last_ms == 1_700_000_000_123


def test_the_last_time_is_known_without_asking_the_system(time: FakeTime, clock: Clock) -> None:
    before = clock.now_ms()
    time.pass_(5)
    assert clock.last_ms == before
    assert clock.now_ms() == clock.last_ms == before + 5000


def test_what_was_given_so_long_has_run_out(clock: Clock) -> None:
    """A deadline is over when the time is greater."""
    deadline = clock.now_ms() + 1800
    clock.advance(1799)
    assert clock.now_ms() <= deadline
    clock.advance(1)
    assert clock.now_ms() > deadline


def test_shifts_add_up_and_are_taken_back(time: FakeTime, clock: Clock) -> None:
    before = clock.now_ms()
    for _ in range(10):
        clock.advance(100)
    assert before + 1000 <= clock.now_ms() <= before + 1010
    time.pass_(1)
    clock.reset()
    assert clock.now_ms() == before + 1000


def test_a_wall_clock_that_jumps_forward_is_followed_within_a_second(time: FakeTime, clock: Clock) -> None:
    time.wall += HOUR
    assert run(time, clock, 1)[-1] == time.wall // 10**6


def test_a_wall_clock_that_jumps_back_does_not_stop_the_clock(time: FakeTime, clock: Clock) -> None:
    """Nor does the clock run backwards: durations measured by it are right within one per cent."""
    before = clock.now_ms()
    time.wall -= HOUR
    times = run(time, clock, 100)
    assert times == sorted(times)
    assert 98_900 <= times[-1] - before <= 100_000


def test_the_wall_clock_catches_up_after_a_jump_back(time: FakeTime, clock: Clock) -> None:
    time.wall -= SECOND
    assert run(time, clock, 90)[-1] > time.wall // 10**6
    assert run(time, clock, 20)[-1] == time.wall // 10**6


def test_back_and_forth(time: FakeTime, clock: Clock) -> None:
    """Set wrong and corrected: in the end the clock has the wall clock's time, and it never ran backwards."""
    times = run(time, clock, 3)
    for jump in (-HOUR, HOUR, HOUR, -HOUR, -SECOND, SECOND):
        time.wall += jump
        times += run(time, clock, 3)
    assert times == sorted(times)
    # Catching up with the hour that it is ahead takes a hundred hours.
    time.wall += HOUR
    assert run(time, clock, 2)[-1] == time.wall // 10**6


def test_a_machine_that_slept(time: FakeTime, clock: Clock) -> None:
    """Its monotonic clock may have stood still; deadlines in that time have passed."""
    deadline = clock.now_ms() + 60_000
    time.wall += HOUR
    run(time, clock, 1)
    assert clock.now_ms() > deadline


def test_what_was_added_can_be_taken_back() -> None:
    """With the alarms, which go off after the time that they had left."""
    clock = Clock(monotonic=lambda: 0, wall=lambda: 1_700_000_000_123_456_789)
    alarms = Alarms(clock)
    fired: list[str] = []
    alarms.after(5000, lambda: fired.append("set before"))
    before = clock.now_ms()
    clock.advance(3000)
    alarms.after(1000, lambda: fired.append("set after"))
    alarms.shift(clock.reset())
    assert clock.now_ms() == clock.last_ms == before
    alarms.fire()
    assert fired == []
    clock.advance(1000)
    alarms.fire()
    assert fired == ["set after"]
    clock.advance(1000)
    alarms.fire()
    assert fired == ["set after", "set before"]
