"""`python -m compat fuzz-rdb`: collect payloads, damage them as often as asked for, and judge what RESTORE does."""

from __future__ import annotations

import argparse
import multiprocessing
import multiprocessing.connection
import resource
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe

from compat.fuzz_rdb.beside import Beside
from compat.fuzz_rdb.judge import Judge
from compat.fuzz_rdb.mutations import Case, case
from compat.fuzz_rdb.seeds import Seed, collected

_SHOWN = 20
# Cases between two looks at the figures.
_PORTION = 2000
# A worker may grow by this much while it runs.
_GROWTH = 256 << 20
# No process may ever have more: what would allocate without bound fails, and is found.
_MOST = 4 << 30


@dataclass
class Tally:
    """What became of some cases."""

    cases: int = 0
    said: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    slowest: float = 0.0
    memory: int = 0

    def add(self, other: Tally) -> None:
        self.cases += other.cases
        self.said += other.said
        self.findings += other.findings
        self.slowest = max(self.slowest, other.slowest)
        self.memory = max(self.memory, other.memory)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, default=20_000, metavar="N", help="how many cases (default: 20000)")
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="the same seed gives the same cases (default: 1)"
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument(
        "--beside",
        type=int,
        default=100,
        metavar="N",
        help="one of N cases goes to real servers, too; 0: none (default: 100)",
    )
    parser.add_argument("--case", type=int, metavar="NUMBER", help="play only this case, and show it")
    parser.add_argument("--payload", default="", metavar="HEX", help="play only this payload, as findings show it")


def run(options: argparse.Namespace) -> int:
    """Fuzz. Returns the number of findings."""
    if options.payload:
        return _play([Case(0, "given", bytes.fromhex(options.payload))])
    started = time.monotonic()
    seeds = collected(options.shards[0])
    print(f"{len(seeds)} payloads to begin with, of {len({seed.kind for seed in seeds})} types", flush=True)
    if options.case is not None:
        return _play([case(seeds, options.seed, options.case)])
    whole = Tally()
    for number, tally in enumerate(_tallies(seeds, options), 1):
        whole.add(tally)
        for finding in tally.findings[: _SHOWN if number else 0]:
            print(finding, flush=True)
        if number % 25 == 0:
            print(
                f"{whole.cases} cases, {time.monotonic() - started:.0f} s, {len(whole.findings)} findings", flush=True
            )
    _report(whole, time.monotonic() - started)
    return len(whole.findings)


def _play(cases: list[Case]) -> int:
    judge = Judge()
    with Beside() as beside:
        for one in cases:
            print(f"{one.name}\n{one.payload.hex()}")
            print(*judge.judge(one.payload), sep="\n")
            for finding in beside.compare([one]):
                print(finding)
    return 0


def _tallies(seeds: list[Seed], options: argparse.Namespace) -> Iterator[Tally]:
    """What workers find, portion by portion."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for worker in range(options.workers):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(
            target=_work,
            args=(theirs, seeds, options.seed, range(worker, options.count, options.workers), options.beside),
        )
        process.start()
        theirs.close()
        pipes.append(ours)
        processes.append(process)
    while pipes:
        for pipe in multiprocessing.connection.wait(pipes):
            assert isinstance(pipe, Pipe)
            try:
                yield pipe.recv()
            except EOFError:
                pipes.remove(pipe)
    for process in processes:
        process.join()
        if process.exitcode:
            yield Tally(findings=[f"a worker has died: {process.exitcode}"])


def _work(pipe: Pipe, seeds: list[Seed], seed: int, numbers: range, share: int) -> None:
    """A worker: all cases with these numbers."""
    resource.setrlimit(resource.RLIMIT_AS, (_MOST, _MOST))
    judge, first = Judge(), 0
    with Beside(on=bool(share)) as beside:
        for start in range(0, len(numbers), _PORTION):
            tally, chosen = Tally(), []
            for number in numbers[start : start + _PORTION]:
                one = case(seeds, seed, number)
                began = time.perf_counter()
                said, wrong = judge.judge(one.payload)
                tally.slowest = max(tally.slowest, time.perf_counter() - began)
                tally.cases += 1
                tally.said[said] += 1
                if wrong:
                    tally.findings.append(f"== case {number} ({one.name}): {wrong}\n   {one.payload.hex()[:4000]}")
                if share and number % share == 0:
                    chosen.append(one)
            tally.findings += beside.compare(chosen)
            tally.said["beside real servers"] += len(chosen)
            tally.memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
            first = first or tally.memory
            if tally.memory > first + _GROWTH:
                tally.findings.append(f"== the worker has grown to {tally.memory >> 20} MB")
                first = tally.memory
            pipe.send(tally)
    pipe.close()


def _report(tally: Tally, seconds: float) -> None:
    print(
        f"{tally.cases} cases in {seconds:.0f} seconds, the slowest {1000 * tally.slowest:.0f} ms, "
        f"at most {tally.memory >> 20} MB"
    )
    for said, count in tally.said.most_common():
        print(f"{count:>9}  {said}")
    print(f"{len(tally.findings)} findings", flush=True)
