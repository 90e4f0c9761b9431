"""`python -m compat twin`: respcache beside each genuine server, in RESP2 and RESP3."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from compat import targets
from compat.results import Outcome
from compat.twin import generated, payloads, tables, transcripts
from compat.twin.looseness import Dialect
from tests.support.processes import StartedServer

# What was compared, how many answers that were, and what differs, as text (empty if nothing does).
Finding = tuple[str, int, str]


class Pair(NamedTuple):
    """Two servers, and the protocol to use with both."""

    ours: StartedServer
    theirs: StartedServer
    protocol: int
    dialect: Dialect


def _tables(pair: Pair, _options: argparse.Namespace) -> Iterator[Finding]:
    if not pair.dialect.is_redis:
        return  # Valkey describes its commands in its own way
    for name, compared, found in tables.differences(pair.ours.port, pair.theirs.port, pair.theirs.version):
        yield name, compared, "\n".join(found)


def _transcripts(pair: Pair, options: argparse.Namespace) -> Iterator[Finding]:
    for path in transcripts.files(options.only):
        for server in (pair.ours, pair.theirs):
            server.reset()
        compared, found = transcripts.differences(path, pair.ours.port, pair.theirs.port, pair.protocol, pair.dialect)
        yield path.stem, compared, "\n".join(found)


def _generated(pair: Pair, options: argparse.Namespace) -> Iterator[Finding]:
    yield from generated.differences(
        pair.ours.port,
        pair.theirs.port,
        pair.protocol,
        pair.dialect,
        only=options.only,
        examples=options.examples,
        seeded=options.seed,
    )


def _contests(pair: Pair, options: argparse.Namespace) -> Iterator[Finding]:
    yield from generated.contest_differences(
        pair.ours.port,
        pair.theirs.port,
        pair.protocol,
        pair.dialect,
        only=options.only,
        examples=options.examples,
        seeded=options.seed,
    )


def _payloads(pair: Pair, _options: argparse.Namespace) -> Iterator[Finding]:
    return payloads.differences(pair.ours.port, pair.theirs.port, pair.protocol, pair.dialect)


# Part -> the function that runs it, and the protocols to run it in.
PARTS: Mapping[str, tuple[Callable[[Pair, argparse.Namespace], Iterator[Finding]], tuple[int, ...]]] = {
    "tables": (_tables, (3,)),
    "transcripts": (_transcripts, (2, 3)),
    "generated": (_generated, (2, 3)),
    "contests": (_contests, (2, 3)),
    "payloads": (_payloads, (2, 3)),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--part", choices=PARTS, action="append", help="run only this part; may be given several times")
    parser.add_argument("--protocol", type=int, choices=(2, 3), help="only RESP2, or only RESP3")
    parser.add_argument(
        "--against", default="", metavar="NAME", help="only genuine servers with NAME in their label: `Redis 7`"
    )
    parser.add_argument("--examples", type=int, default=20, metavar="N", help="sequences per command (default: 20)")
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="the same seed gives the same sequences (default: 1)"
    )


def run(options: argparse.Namespace) -> int:
    """Compare. Returns the number of comparisons in which something differs."""
    references = [target for target in targets.genuine() if options.against in target.label]
    if not references:
        print("No such genuine server on PATH or in $RESPCACHE_REFERENCES.", file=sys.stderr)
        return 1
    failed = 0
    for target in targets.respcache(options.shards, options.server):
        for reference in references:
            with target.running() as ours, reference.running() as theirs:
                dialect = Dialect(theirs.version, reference.is_redis)
                for part in options.part or PARTS:
                    compare, protocols = PARTS[part]
                    for protocol in protocols:
                        if options.protocol not in (None, protocol):
                            continue
                        outcome = Outcome(
                            "twin", f"{part}, against {reference.label}", f"RESP{protocol}", target.label, ours=True
                        )
                        _collect(outcome, compare(Pair(ours, theirs, protocol, dialect), options))
                        failed += bool(outcome.failed)
                        if outcome.passed and not options.only and not options.server:
                            outcome.save()
    return failed


def _collect(outcome: Outcome, findings: Iterator[Finding]) -> None:
    """Fill an outcome, printing each finding as it comes."""
    begin = time.monotonic()
    for name, compared, text in findings:
        outcome.passed += compared
        if text:
            outcome.failed[name] = text
            print(f"== {name}\n{text}", flush=True)
    outcome.seconds = time.monotonic() - begin
    if outcome.passed or outcome.failed:
        print(outcome.line(), flush=True)
