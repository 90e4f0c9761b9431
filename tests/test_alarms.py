"""Alarms that are due are called once, in order, whether time has passed or was advanced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respcache.alarms import Alarm, Alarms
from tests.support.house import FakeTime


class Setup:
    def __init__(self) -> None:
        self.time = FakeTime()
        self.clock = self.time.clock()
        self.alarms = Alarms(self.clock)
        self.rung: list[str] = []

    def after(self, milliseconds: int, name: str) -> Alarm:
        return self.alarms.after(milliseconds, lambda: self.rung.append(name))

    def pass_time(self, milliseconds: int) -> list[str]:
        """Let time pass; return the names of the alarms that ring."""
        self.rung.clear()
        self.time.pass_(milliseconds / 1000)
        self.alarms.fire()
        return list(self.rung)


@pytest.fixture
def it() -> Setup:
    return Setup()


def test_they_ring_once_in_the_order_of_their_deadlines(it: Setup) -> None:
    for milliseconds, name in [(30, "c"), (10, "a"), (20, "b"), (10, "a again")]:
        it.after(milliseconds, name)
    assert it.pass_time(9) == []
    assert it.pass_time(1) == ["a", "a again"]
    assert it.pass_time(100) == ["b", "c"]
    assert it.pass_time(100) == []


def test_advancing_the_clock_rings_them_too(it: Setup) -> None:
    it.after(10_000, "a")
    it.clock.advance(10_000)
    it.alarms.fire()
    assert it.rung == ["a"]


def test_a_cancelled_one_does_not_ring(it: Setup) -> None:
    kept, cancelled = it.after(10, "kept"), it.after(5, "cancelled")
    assert it.alarms.next_deadline() == cancelled.deadline
    cancelled.cancel()
    cancelled.cancel()
    assert it.alarms.next_deadline() == kept.deadline
    assert it.pass_time(10) == ["kept"]
    kept.cancel()  # it has rung
    assert it.alarms.next_deadline() is None


def test_one_can_cancel_another_that_is_also_due(it: Setup) -> None:
    victim: list[Alarm] = []
    it.alarms.after(5, lambda: victim[0].cancel())
    victim.append(it.after(5, "victim"))
    assert it.pass_time(10) == []


def test_alarms_set_by_a_callback_ring_the_next_time(it: Setup) -> None:
    """Even if they are due: a callback that sets itself again without delay would never end."""

    def again() -> None:
        it.rung.append("again")
        it.alarms.after(0, again)

    again()
    for _ in range(3):
        assert it.pass_time(0) == ["again"]


def test_one_that_fails_does_not_keep_others_from_ringing(it: Setup, capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise RuntimeError("a bug")

    it.alarms.after(1, fail)
    it.after(2, "next")
    assert it.pass_time(5) == ["next"]
    assert "a bug" in capfd.readouterr().out


def test_the_sleeper_is_woken_only_for_an_earlier_deadline(it: Setup) -> None:
    told: list[int | None] = []
    it.alarms.on_earlier = lambda: told.append(it.alarms.next_deadline())
    second = it.after(20, "b")
    first = it.after(10, "a")
    it.after(30, "c")
    assert told == [second.deadline, first.deadline]


def test_many_that_are_cancelled_are_not_kept(it: Setup) -> None:
    """An output limit sets and cancels one with nearly every reply of a slow client."""
    it.after(1_000_000, "last")
    for _ in range(10_000):
        it.after(1000, "never").cancel()
    assert len(it.alarms._heap) < 1000
    assert it.pass_time(1_000_000) == ["last"]


@given(st.lists(st.tuples(st.sampled_from(["set", "cancel", "pass"]), st.integers(0, 50)), max_size=60))
def test_any_sequence_rings_as_in_a_sorted_list(steps: list[tuple[str, int]]) -> None:
    it = Setup()
    alarms: dict[str, Alarm] = {}
    now = 0
    due: dict[str, int] = {}
    for number, (what, amount) in enumerate(steps):
        if what == "set":
            alarms[str(number)] = it.after(amount, str(number))
            due[str(number)] = now + amount
        elif what == "cancel" and alarms:
            name = list(alarms)[amount % len(alarms)]
            alarms[name].cancel()
            due.pop(name, None)
        elif what == "pass":
            now += amount
            expected = sorted((name for name in due if due[name] <= now), key=lambda name: (due[name], int(name)))
            assert it.pass_time(amount) == expected
            for name in expected:
                del due[name]
    next_deadline = it.alarms.next_deadline()
    assert (next_deadline is None) == (not due)
