"""The sampler of INFO's instantaneous figures, on a clock of its own."""

from __future__ import annotations

from collections.abc import Callable

from respcache.alarms import Alarms
from respcache.clock import Clock
from respcache.server.services.rates import Rates
from respcache.server.services.stats import Stats


class Poller:
    """Counts rounds, as the real one does."""

    def __init__(self) -> None:
        self.rounds = 0
        self.after_round: list[Callable[[], object]] = []


class House:
    """A sampler, and what it measures. Time passes only in `wait`."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self.clock = Clock(lambda: self.now * 1_000_000, lambda: self.now * 1_000_000)
        self.alarms = Alarms(self.clock)
        self.stats = Stats(self.now, self.now)
        self.poller = Poller()
        self.rates = Rates(self.stats, self.poller, self.alarms, self.clock)

    def round(self, commands: int = 0) -> None:
        """One round of the poller, in which so many commands came."""
        self.stats.commands += commands
        self.stats.bytes_in += 10 * commands
        self.poller.rounds += 1
        for finish in self.poller.after_round:
            finish()

    def wait(self, milliseconds: int) -> None:
        """Let time pass, with a round for each alarm."""
        until = self.now + milliseconds
        while (deadline := self.alarms.next_deadline()) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.alarms.fire()
            self.round()
        self.now = until

    def per_second(self) -> float:
        grown, seconds = self.rates.growth()
        return grown.commands / seconds


def test_a_steady_rate() -> None:
    house = House()
    for _ in range(300):
        house.round(commands=5)
        house.wait(10)
    assert 450 < house.per_second() < 550
    grown, seconds = house.rates.growth()
    assert grown.bytes_in == 10 * grown.commands
    assert 1.6 <= seconds <= 1.7


def test_a_burst_is_spread_over_the_window_and_forgotten_after_it() -> None:
    house = House()
    house.wait(3_600_000)
    house.round(commands=160)
    assert house.per_second() == 100
    house.wait(1000)
    assert house.per_second() == 100
    house.wait(900)
    assert house.per_second() == 0


def test_nothing_wakes_up_while_nothing_happens() -> None:
    house = House()
    assert house.alarms.next_deadline() is None
    house.round(commands=1)
    assert house.alarms.next_deadline() is not None
    house.wait(5000)
    assert house.alarms.next_deadline() is None
    # Rounds without commands, such as those in which keys expire, are not worth it.
    house.round()
    assert house.alarms.next_deadline() is None
    house.round(commands=1)
    assert house.alarms.next_deadline() is not None


def test_what_happened_while_asleep_is_not_taken_for_a_burst() -> None:
    house = House()
    for _ in range(1000):
        house.round()
        house.wait(1000)
    house.round(commands=16)
    grown, _ = house.rates.growth()
    assert grown.rounds == 1
    assert house.per_second() == 10


def test_the_round_end_is_watched_only_while_asleep() -> None:
    house = House()
    for _ in range(20):
        house.round(commands=1)
        house.wait(100)
    assert house.poller.after_round == []
    house.wait(5000)
    assert len(house.poller.after_round) == 1


def test_reset() -> None:
    house = House()
    for _ in range(20):
        house.round(commands=100)
        house.wait(100)
    house.stats.reset()
    house.rates.reset()
    assert house.per_second() == 0
    house.round(commands=16)
    assert house.per_second() == 10
