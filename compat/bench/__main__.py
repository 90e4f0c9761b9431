"""Measure respcache next to redis-server and fakeredis."""

from __future__ import annotations

import argparse
import shlex
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from fnmatch import fnmatchcase
from pathlib import Path

import hiredis

from compat.bench import report
from compat.bench.loads import MEASUREMENTS, import_floor
from compat.bench.plan import FULL, QUICK, Measurement, Plan
from compat.bench.report import Results
from compat.bench.servers import ServerUnderTest, available

# What a load may fail with: the server refuses the command, hangs up, or does not answer.
FAILURES = (OSError, RuntimeError, subprocess.SubprocessError, hiredis.HiredisError)


def main() -> int:
    options = _parser().parse_args()
    # SIGTERM unwinds the stack as Control-C does, so that the servers are stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(options)
    except KeyboardInterrupt:
        print("\ninterrupted: nothing was written", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    wanted = [row for row in MEASUREMENTS if _is_wanted(row, options.only)]
    if not wanted:
        print("No such measurement; there are:", *(row.name for row in MEASUREMENTS), file=sys.stderr)
        return 2
    plan = QUICK if options.quick else FULL
    if options.rounds is not None:
        plan.rounds = options.rounds
    started = time.monotonic()
    with ExitStack() as running:
        servers = available(options.shards)
        for server in servers:
            running.enter_context(server)
        results = Results(servers, plan.rounds, plan.seconds)
        print(report.heading(servers), flush=True)
        failed = [row for row in wanted if not _measure(row, servers, plan, results)]
    print(f"{time.monotonic() - started:.0f} s")
    # The whole report must not be replaced by a part of the measurements, or by quick ones.
    if not (options.no_report or options.only or options.quick):
        invocation = shlex.join(["python", "-m", "compat.bench", *sys.argv[1:]])
        report.write(Path(__file__).parent, results, MEASUREMENTS, invocation)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m compat.bench", description=__doc__)
    parser.add_argument("--rounds", type=_positive, metavar="N", help="rounds per load (default: 5; quick: 1)")
    parser.add_argument("--quick", action="store_true", help="take less than a minute; too imprecise for the report")
    parser.add_argument(
        "--only", metavar="NAME", action="append", help="only this measurement, or those that match a pattern: growth-*"
    )
    parser.add_argument(
        "--shards", type=_positive, metavar="N", help="number of respcache's shards (default: respcache's default)"
    )
    parser.add_argument("--no-report", action="store_true", help="leave REPORT.md and ratios.svg alone")
    return parser


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number


def _is_wanted(measurement: Measurement, patterns: list[str] | None) -> bool:
    return not patterns or any(fnmatchcase(measurement.name, pattern) for pattern in patterns)


def _measure(row: Measurement, servers: list[ServerUnderTest], plan: Plan, results: Results) -> bool:
    """Run all rounds of one measurement, with the servers taking turns. True if none failed."""
    healthy = list(servers)
    rounds = 1 if row.once else plan.rounds
    for turn in range(rounds):
        for server in list(healthy):
            _show_progress(f"{row.title}: {server.name}, round {turn + 1} of {rounds}")
            try:
                value = row.measure(server, plan)
            except FAILURES as failure:
                print(f"{row.name}: {server.name} failed: {_reason(failure)}", file=sys.stderr)
                healthy.remove(server)
                continue
            if value is not None:
                results.add(row, server, value)
        if row.name == "start-up":
            results.floor.append(import_floor())
    _show_progress("")
    if results.measured(row):
        print(report.line(results, row), flush=True)
    return healthy == servers


def _show_progress(text: str) -> None:
    """Show what is going on, in a line that the next one overwrites; for terminals only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _reason(failure: BaseException) -> str:
    if isinstance(failure, subprocess.CalledProcessError):
        return f"{failure}: {failure.stderr}"
    return repr(failure)


if __name__ == "__main__":
    sys.exit(main())
