"""What a measurement is, and how much is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from compat.bench.servers import ServerUnderTest


@dataclass
class Plan:
    """How much is measured. `requests` remembers how many requests fill `seconds`, by measurement and server."""

    rounds: int
    seconds: float
    idle_seconds: float
    memory_keys: int
    sizes: tuple[int, ...]
    requests: dict[tuple[str, str], int] = field(default_factory=dict)


FULL = Plan(rounds=5, seconds=0.7, idle_seconds=10, memory_keys=1_000_000, sizes=(10**3, 10**5, 10**6))
QUICK = Plan(rounds=1, seconds=0.25, idle_seconds=2, memory_keys=100_000, sizes=(10**3, 10**5))

Measure = Callable[[ServerUnderTest, Plan], float | None]


@dataclass(frozen=True)
class Measurement:
    """One row of the tables.

    measure: returns the number, in `unit`; None if this server cannot be measured this way.
    how: what exactly was run, for the report.
    more_is_better: true for a rate, false for a time or a cost.
    once: measured in one round only, because it takes long and varies little.
    charted: whether it is shown in the picture.
    """

    name: str
    title: str
    unit: str
    measure: Measure
    how: str
    more_is_better: bool = False
    once: bool = False
    charted: bool = False
