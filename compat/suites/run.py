"""`python -m compat suites`: run each suite on respcache, and on genuine servers to compare with."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import cast

from compat import targets
from compat.results import Outcome
from compat.suites.base import Suite, Tally, Unavailable, insists
from compat.suites.reasons import why
from compat.targets import Target

SUITES = ("redis_py", "hiredis_py", "tcl", "upstash_js", "upstash_py")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tests",
        default="",
        metavar="PART",
        help="run only these tests of the suite, named as in the suite (tcl: units or patterns of units, separated by "
        "commas; upstash_js: a part of the names of files; the others: an expression as for pytest's -k); not kept",
    )
    parser.add_argument("--variant", default="", metavar="PART", help="only variants with PART in their names: `RESP2`")
    parser.add_argument(
        "--genuine", action="store_true", help="run only on the genuine servers, for their columns of the report"
    )
    parser.add_argument(
        "--bar",
        action="store_true",
        help="run on the oldest genuine server first, and list what passes there but not on respcache; "
        "only that counts as a failure, and only if no reason is known; where no genuine server can run the suite, "
        "everything is required",
    )


def run(options: argparse.Namespace) -> int:
    """Run. Returns the number of runs in which something failed on respcache."""
    chosen = [name for name in SUITES if options.only in ("", name)]
    if not chosen:
        print(f"No such suite; there are: {', '.join(SUITES)}", file=sys.stderr)
        return 1
    tested = targets.genuine() if options.genuine else targets.respcache(options.shards, options.server)
    bars = targets.genuine()[:1] if options.bar else []
    if options.bar and not bars:
        print("No genuine server on PATH or in $RESPCACHE_REFERENCES.", file=sys.stderr)
        return 1
    failed = 0
    for name in chosen:
        suite = cast(Suite, import_module(f"compat.suites.{name}"))
        if not _able(suite, tested):
            print(f"{name}: needs the HTTP door of a respcache that is started here", file=sys.stderr)
            continue
        try:
            path = suite.prepare()
        except Unavailable as reason:
            print(f"{name}: {reason}", file=sys.stderr)
            failed += 1
            continue
        for variant in suite.VARIANTS:
            if options.variant in variant:
                required = [_run(name, suite, path, variant, target, options) for target in _able(suite, bars)]
                for target in _able(suite, tested):
                    tally = _run(name, suite, path, variant, target, options)
                    if options.bar:
                        failed += _below_bar(name, required, tally, f"{target.label} ({variant})")
                    else:
                        failed += bool(tally.failed and target.ours)
    return failed


def _able(suite: Suite, chosen: list[Target]) -> list[Target]:
    """Those of the targets that can run a suite: an HTTP door has only a respcache that is started for it."""
    return [target for target in chosen if target.shards or not suite.HTTP]


def _below_bar(name: str, bar: list[Tally], tally: Tally, label: str) -> bool:
    """Print what passes in `bar`, which has one tally or none, but not in `tally`. True if some of that has no known
    reason. Where there is none, all must pass.
    """
    known: list[str] = []
    unknown: list[str] = []
    for test, became in below(bar[0], tally) if bar else sorted(tally.failed.items()):
        reason = why(name, test, became)
        (known if reason else unknown).append(f"  {test}: {reason or became}")
    print(f"{label}: below the bar are {len(unknown)} tests, and {len(known)} for a known reason")
    print(*unknown, *known, sep="\n", flush=True)
    return bool(unknown)


def _run(name: str, suite: Suite, path: Path, variant: str, target: Target, options: argparse.Namespace) -> Tally:
    outcome = Outcome("suites", name, variant, target.label, target.ours, version=suite.VERSION)
    port = targets.default_port() if insists(name) else 0
    begin = time.monotonic()
    with target.running(*suite.DIRECTIVES, port=port, http=suite.HTTP) as server:
        tally = suite.run(path, variant, server, options.tests)
    outcome.seconds = time.monotonic() - begin
    outcome.passed, outcome.failed, outcome.excluded = len(tally.passed), tally.failed, tally.excluded
    if not options.bar:
        for test, problem in outcome.failed.items():
            print(f"  {test}: {problem}")
    print(outcome.line(), flush=True)
    if not options.tests and not options.server:
        outcome.save()
    return tally


def below(bar: Tally, tally: Tally) -> Iterator[tuple[str, str]]:
    """Each test that passes in `bar` but not in `tally`, and what became of it. Names that several tests have come
    as often as there are fewer."""
    for name in sorted((Counter(bar.passed) - Counter(tally.passed)).elements()):
        yield name, tally.failed.get(name) or tally.excluded.get(name) or "was not reached"
