"""The clock, while real time stands still."""

from __future__ import annotations

import time

import pytest

from respcache.alarms import Alarms
from respcache.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_123_456_789)
    return Clock()


def test_time_is_wall_clock_time(clock: Clock) -> None:
    assert clock.now_us() == 1_700_000_000_123_456
    assert clock.now_ms() == clock.last_ms == 1_700_000_000_123


def test_what_was_given_so_long_has_run_out(clock: Clock) -> None:
    """A deadline is over when the time is greater."""
    deadline = clock.now_ms() + 1800
    clock.advance(1799)
    assert clock.now_ms() <= deadline
    clock.advance(1)
    assert clock.now_ms() > deadline


def test_it_does_not_run_backwards(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    before = clock.now_us()
    monkeypatch.setattr(time, "time_ns", lambda: 1_600_000_000_000_000_000)
    assert clock.now_us() == before


def test_what_was_added_can_be_taken_back() -> None:
    """With the alarms, which go off after the time that they had left."""
    clock = Clock(monotonic=lambda: 0, wall=lambda: 1_700_000_000_123_456_789)
    alarms = Alarms(clock)
    fired: list[str] = []
    alarms.after(5000, lambda: fired.append("set before"))
    before = clock.now_ms()
    clock.advance(3000)
    alarms.after(1000, lambda: fired.append("set after"))
    alarms.clock_went_back(clock.reset())
    assert clock.now_ms() == clock.last_ms == before
    alarms.fire()
    assert fired == []
    clock.advance(1000)
    alarms.fire()
    assert fired == ["set after"]
    clock.advance(1000)
    alarms.fire()
    assert fired == ["set after", "set before"]
