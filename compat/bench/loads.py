"""The measurements: each one a small function from a running server to a number, all of them in `MEASUREMENTS`."""

from __future__ import annotations

import random
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from compat.bench import loadgen
from compat.bench.servers import ServerUnderTest
from compat.bench.wire import Wire, pack

BENCHMARK = shutil.which("redis-benchmark")
KEYSPACE = 10_000
BATCH = 1000  # elements or keys a command, where data sets are filled
_LIMIT = 120.0  # seconds: no single load takes that long unless something hangs
_BULK_PORTION = 20  # commands on their way at once, where data sets are filled


@dataclass
class Plan:
    """How much is measured. `requests` remembers how many requests fill `seconds`, per measurement and server."""

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

    more_is_better: a rate; otherwise a time, or a cost.
    measure: the number, in `unit`; None where this server cannot be measured so.
    how: what exactly is done, for the report.
    once: measured in one round only, because it takes long and varies little.
    charted: shown in the picture.
    """

    name: str
    title: str
    unit: str
    more_is_better: bool
    measure: Measure
    how: str
    once: bool = False
    charted: bool = False


# Throughput: redis-benchmark, many clients.

Prepare = Callable[[Wire, int], None]


def throughput(
    name: str,
    title: str,
    command: str,
    *,
    clients: int = 50,
    pipeline: int = 1,
    prepare: Prepare | None = None,
) -> Measurement:
    """Requests per second of one command under load. `prepare` gets the number of requests that will come."""
    words = command.split()
    options = ["-c", str(clients), "-P", str(pipeline), "-r", str(KEYSPACE)]

    def measure(server: ServerUnderTest, plan: Plan) -> float:
        def run(requests: int) -> float:
            with server.wire() as wire:
                wire.call("FLUSHALL")
                if prepare is not None:
                    prepare(wire, requests)
            return _drive(server.port, options, requests, words)

        at_least = 10 * clients * pipeline
        if (name, server.name) not in plan.requests:
            rate = run(at_least)
            plan.requests[name, server.name] = max(at_least, int(rate * plan.seconds))
        return run(plan.requests[name, server.name])

    shown = command if len(words) < 10 else f"{' '.join(words[:2])} ... ({len(words) - 1} keys)"
    how = f"redis-benchmark -p PORT {' '.join(options)} -n REQUESTS {shown}"
    return Measurement(name, title, "requests/s", True, measure, how, charted=True)


def _drive(port: int, options: list[str], requests: int, words: list[str]) -> float:
    """Let redis-benchmark (or our own load generator in its place) send so many requests; requests per second."""
    if BENCHMARK is None:
        numbers = [str(port), options[1], options[3], str(requests), options[5]]
        program = [sys.executable, "-m", loadgen.__name__, *numbers]
    else:
        program = [BENCHMARK, "-p", str(port), *options, "-n", str(requests), "--csv"]
    done = subprocess.run([*program, *words], check=True, capture_output=True, text=True, timeout=_LIMIT)
    last = done.stdout.splitlines()[-1]
    # With --csv: "the command","requests per second","latencies",...
    return float(last) if BENCHMARK is None else float(last.split('","')[1])


def fill_keys(wire: Wire, _: int) -> None:
    """Every key that a load may ask for."""
    _in_portions(wire, KEYSPACE, lambda i: ["MSET", *_flat((f"key:{n:012}", "xxx") for n in i)])


def fill_list(wire: Wire, requests: int) -> None:
    """A list that lasts for all requests: popping from an empty one costs nothing."""
    _in_portions(wire, requests, lambda i: ["RPUSH", "mylist", *(["xxx"] * len(i))])


def _in_portions(wire: Wire, count: int, command: Callable[[range], list[str]]) -> None:
    """Send the command for every `BATCH` of the numbers below `count`."""
    commands = [command(range(at, min(at + BATCH, count))) for at in range(0, count, BATCH)]
    for at in range(0, len(commands), _BULK_PORTION):
        wire.exchange(pack(*words) for words in commands[at : at + _BULK_PORTION])


def _flat(pairs: object) -> list[str]:
    raise NotImplementedError
