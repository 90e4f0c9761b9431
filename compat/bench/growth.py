"""The time of an operation as the data grows: with a good data structure it hardly changes."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable

from compat.bench import fill
from compat.bench.plan import FULL, Measurement, Plan
from compat.bench.servers import ServerUnderTest
from compat.bench.wire import Wire, Word, pack

OPERATIONS = 100
REPEATS = 7

Prepare = Callable[[Wire, int], None]
Operation = Callable[[int, random.Random], list[Word]]
Timer = Callable[[Wire, int, random.Random], float]


def measurements() -> list[Measurement]:
    """Every operation at every size."""
    return [_growth(name, size) for name in _OPERATIONS for size in FULL.sizes]


def _growth(name: str, size: int) -> Measurement:
    """Microseconds of an operation on `size` elements (SCAN: in a database of `size` keys)."""
    prepare, timer, how = _OPERATIONS[name]

    def measure(server: ServerUnderTest, plan: Plan) -> float | None:
        # Filling fakeredis with 10^6 elements would take longer than everything else together.
        if size not in plan.sizes or (server.slow and size > 10**5):
            return None
        chance = random.Random(size)
        with server.wire() as wire:
            prepare(wire, size)
            seconds = statistics.median(timer(wire, size, chance) for _ in range(REPEATS))
        return seconds / OPERATIONS * 1e6

    return Measurement(f"growth-{name}-{size}", f"{name.upper()} at {size:,}", "µs", measure, how, once=True)


def _in_one_pipeline(operation: Operation) -> Timer:
    """Time the operations in one pipeline, where round trips do not hide them."""

    def timer(wire: Wire, size: int, chance: random.Random) -> float:
        commands = [pack(*operation(size, chance)) for _ in range(OPERATIONS)]
        started = time.perf_counter()
        wire.exchange(commands)
        return time.perf_counter() - started

    return timer


def _scan(wire: Wire, _size: int, _chance: random.Random) -> float:
    cursor: Word = 0
    started = time.perf_counter()
    for _ in range(OPERATIONS):
        cursor = wire.call("SCAN", cursor, "COUNT", 10)[0]
    return time.perf_counter() - started


def _obtain_sorted_set(wire: Wire, size: int) -> None:
    if wire.call("ZCARD", f"zset:{size}") < size:
        fill.a_sorted_set(wire, f"zset:{size}", size)


def _obtain_list(wire: Wire, size: int) -> None:
    if wire.call("LLEN", f"list:{size}") < size:
        fill.a_list(wire, f"list:{size}", size)


def _obtain_keys(wire: Wire, size: int) -> None:
    wire.call("FLUSHALL")
    fill.strings(wire, size)


def _zadd(size: int, chance: random.Random) -> list[Word]:
    return ["ZADD", f"zset:{size}", str(chance.random() * size), f"new:{chance.random()}"]


def _zrank(size: int, chance: random.Random) -> list[Word]:
    return ["ZRANK", f"zset:{size}", f"member:{chance.randrange(size)}"]


def _lindex(size: int, chance: random.Random) -> list[Word]:
    return ["LINDEX", f"list:{size}", chance.randrange(size)]


_PIPELINED = f"{OPERATIONS} times in one pipeline"

_OPERATIONS: dict[str, tuple[Prepare, Timer, str]] = {
    "zadd": (_obtain_sorted_set, _in_one_pipeline(_zadd), f"`ZADD key RANDOM-SCORE NEW-MEMBER` {_PIPELINED}"),
    "zrank": (_obtain_sorted_set, _in_one_pipeline(_zrank), f"`ZRANK key RANDOM-MEMBER` {_PIPELINED}"),
    "lindex": (_obtain_list, _in_one_pipeline(_lindex), f"`LINDEX key RANDOM-INDEX` {_PIPELINED}"),
    "scan": (
        _obtain_keys,
        _scan,
        f"`SCAN CURSOR COUNT 10` {OPERATIONS} times, each with the cursor from the previous reply",
    ),
}
