"""`python -m compat suites`: run each suite on respcache, and on genuine servers to compare with."""

from __future__ import annotations

import argparse
import sys
import time
from importlib import import_module
from typing import cast

from compat import targets
from compat.results import Outcome
from compat.suites.base import Suite, Unavailable

SUITES = ("redis_py", "hiredis_py", "tcl")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tests", default="", metavar="PART", help="run only these tests of the suite, named as in the suite; not kept"
    )
    parser.add_argument(
        "--genuine", action="store_true", help="run only on the genuine servers, for their columns of the report"
    )


def run(options: argparse.Namespace) -> int:
    """Run. Returns the number of runs in which something failed on respcache."""
    chosen = [name for name in SUITES if options.only in ("", name)]
    if not chosen:
        print(f"No such suite; there are: {', '.join(SUITES)}", file=sys.stderr)
        return 1
    tested = targets.genuine() if options.genuine else targets.respcache(options.shards, options.server)
    failed = 0
    for name in chosen:
        suite = cast(Suite, import_module(f"compat.suites.{name}"))
        try:
            path = suite.prepare()
        except Unavailable as reason:
            print(f"{name}: {reason}", file=sys.stderr)
            failed += 1
            continue
        for target in tested:
            for variant in suite.VARIANTS:
                outcome = Outcome("suites", name, variant, target.label, target.ours, version=suite.VERSION)
                begin = time.monotonic()
                with target.running(*suite.DIRECTIVES, port=targets.default_port()) as server:
                    tally = suite.run(path, variant, server, options.tests)
                outcome.seconds = time.monotonic() - begin
                outcome.passed, outcome.failed, outcome.excluded = tally.passed, tally.failed, tally.excluded
                for test, problem in outcome.failed.items():
                    print(f"  {test}: {problem}")
                print(outcome.line(), flush=True)
                failed += bool(outcome.failed and target.ours)
                if not options.tests and not options.server:
                    outcome.save()
    return failed
