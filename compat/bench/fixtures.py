"""How long a run of small tests takes with respcache's fixtures, and with pytest-redis and a genuine Redis.

`python -m compat.bench.fixtures` runs the same 300 tests under both, several times by turns, and prints the medians.
Whole processes are measured: start of pytest, imports, start and end of the server.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import respcache

TESTS = """
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_small({fixture}, number):
    {fixture}.set("key", number)
    assert {fixture}.get("key") == b"%d" % number
    {fixture}.expire("key", 60)
    assert {fixture}.ttl("key") == 60
"""
PLUGINS = {"respcache": "respcache", "pytest_redis": "redisdb"}
SOURCE = Path(respcache.__file__).parents[1]


def seconds(plugin: str, count: int, program: str) -> float:
    """Wall-clock time of one run of pytest, from start to end."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "test_small.py").write_text(TESTS.format(count=count, fixture=PLUGINS[plugin]))
        Path(directory, "pytest.ini").write_text("[pytest]\n")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", _module(plugin)]
        command += [f"--redis-exec={program}"] if plugin == "pytest_redis" else []
        # Nothing but the plugin under test: the others that are installed take their time, too.
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(SOURCE)}
        began = time.perf_counter()
        subprocess.run(command, cwd=directory, env=environment, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began


def _module(plugin: str) -> str:
    return "respcache.testing.plugin" if plugin == "respcache" else "pytest_redis.plugin"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m compat.bench.fixtures", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tests", type=int, default=300)
    parser.add_argument("--redis-exec", default="/usr/bin/redis-server")
    options = parser.parse_args()
    taken: dict[str, list[float]] = {plugin: [] for plugin in PLUGINS}
    for _ in range(options.rounds):
        for plugin, times in taken.items():
            times.append(seconds(plugin, options.tests, options.redis_exec))
    for plugin, times in taken.items():
        print(f"{plugin:13} {statistics.median(times):.2f} s  ({', '.join(f'{value:.2f}' for value in times)})")
    ours, theirs = (statistics.median(times) for times in taken.values())
    print(f"ratio         {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
