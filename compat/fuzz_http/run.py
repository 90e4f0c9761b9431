"""`python -m compat fuzz-http`: start a server, send it cases until the time or the number is up, and judge."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from compat.fuzz_http import mix
from compat.fuzz_http.beside import Memory, Neighbours, clients, descriptors, troubles
from compat.fuzz_http.case import Case, End, Site
from compat.fuzz_http.driver import Driver
from compat.fuzz_http.judge import Verdict, judge
from compat.fuzz_http.model import Model
from compat.fuzz_http.reader import Reader
from tests.support.processes import RespcacheServer
from tests.support.resp import Connection
from tests.support.waiting import eventually

_MANY = 64
_SECONDS_PER_REQUEST = 3
_LIMITS = (
    "--proto-max-bulk-len",
    "1mb",
    "--client-query-buffer-limit",
    "8mb",
    "--client-output-buffer-limit",
    "pubsub 1mb 256kb 5",
)
# What the server may grow by from the end of the first batch on: caches, fragmentation, and clients under way.
_GROWTH = 48 << 20
_PEAK = 200 << 20  # above what it takes at first, while clients are under way
_SHOWN = 8


@dataclass(frozen=True)
class Subject:
    """A server under test: its ports, its main process, and what it has logged."""

    http_port: int
    resp_port: int
    pid: int
    log: Callable[[], str]
    token: str = ""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=30, metavar="N", help="how long, on each server (default: 30)")
    parser.add_argument(
        "--requests", type=int, default=0, metavar="N", help="how many, on each server, instead of a time"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="the same seed gives the same cases (default: 1)"
    )
    parser.add_argument(
        "--case", type=int, metavar="NUMBER", help="play only this case, and show what is sent and answered"
    )
    parser.add_argument("--password", default="", help="the server asks for this one (default: none)")
    parser.add_argument(
        "--many", type=int, default=_MANY, metavar="N", help=f"connections at a time (default: {_MANY})"
    )


def run(options: argparse.Namespace) -> int:
    """Fuzz. Returns the number of findings."""
    if options.only and options.only not in mix.names():
        print(f"--only takes one of: {' '.join(mix.names())}")
        return 1
    found = 0
    for shards in options.shards:
        with _started(shards, options.password) as subject:
            of_which_kind = f"{shards} shard{'s' * (shards > 1)}{', with a password' * bool(options.password)}"
            print(f"-- {of_which_kind}, seed {options.seed}", flush=True)
            found += Fuzz(subject, options).run()
    return found


@contextmanager
def _started(shards: int, password: str) -> Iterator[Subject]:
    arguments = ["--http-request-timeout", str(_SECONDS_PER_REQUEST), *_LIMITS]
    if password:
        arguments += ["--requirepass", password]
    server = RespcacheServer(*arguments, shards=shards, http=True)
    try:
        http_port = urlsplit(server.rest_url).port
        assert http_port is not None
        yield Subject(http_port, server.port, server.process.pid, server.output, password)
    finally:
        server.stop()


class Fuzz:
    """One run against one server."""

    def __init__(self, subject: Subject, options: argparse.Namespace) -> None:
        self._subject = subject
        self._options = options
        self._site = Site(b"127.0.0.1:%d" % subject.http_port, subject.token.encode(), 1 << 20, _SECONDS_PER_REQUEST)
        self._connection = Connection(subject.resp_port)
        if subject.token:
            self._connection.call("AUTH", subject.token)
        self._model = Model()
        self._driver = Driver(subject.http_port, subject.resp_port, options.many, self._over)
        self._requests = self._connections = self._lost = self._late = 0
        self._statuses: Counter[int] = Counter()
        self._kinds: Counter[str] = Counter()
        self.findings: list[str] = []
        self._kinds_of_findings: Counter[str] = Counter()

    def run(self) -> int:
        """The number of findings."""
        try:
            return self._run_one() if self._options.case is not None else self._run_all()
        finally:
            self._connection.close()
            self._driver.close()

    def _run_all(self) -> int:
        before = clients(self._connection)
        self._memory = Memory(self._subject.pid)
        open_before = descriptors(self._subject.pid)
        neighbours = Neighbours(self._subject.http_port, self._subject.resp_port, self._subject.token)
        eventually(lambda: clients(self._connection)["connected_clients"] >= before["connected_clients"] + 2)
        beside = clients(self._connection)
        self._begin = time.monotonic()
        batch = 0
        after: list[int] = []  # each batch
        while not self._enough():
            self._driver.play(self._cases(batch))
            self._look(batch, beside)
            after.append(self._memory.look())
            batch += 1
        took = time.monotonic() - self._begin
        neighbours.stop()
        for problem in sorted(set(neighbours.problems)):
            self._find("beside", problem)
        if not eventually(lambda: clients(self._connection) == before):
            self._find("clients", f"{clients(self._connection)} in the end, {before} before")
        if not eventually(lambda: descriptors(self._subject.pid) <= open_before):
            self._find("descriptors", f"{descriptors(self._subject.pid)} in the end, {open_before} before")
        if self._memory.look() > after[0] + _GROWTH or self._memory.peak > self._memory.first + _PEAK:
            self._find("memory", "it grows")
        for line in sorted(set(troubles(self._subject.log()))):
            self._find("log", line)
        self._report(took, neighbours, after)
        return len(self.findings)

    def _enough(self) -> bool:
        options = self._options
        if options.requests:
            return bool(self._requests >= options.requests)
        return bool(time.monotonic() - self._begin >= options.seconds)

    def _cases(self, batch: int) -> Iterator[Case]:
        for number in range(batch * mix.BATCH, (batch + 1) * mix.BATCH):
            if self._enough():
                return
            case, used = mix.case(self._site, self._options.seed, number, self._options.only)
            self._requests += case.requests
            self._connections += 1
            self._kinds.update(used)
            if not number % 500:
                self._memory.look()
            yield case

    def _over(self, case: Case, reader: Reader, ended: str, malformed: str) -> None:
        verdict = judge(case, reader, ended)
        self._statuses.update(answer.status for answer in reader.answers)
        self._model.add(case, verdict)
        problem = malformed or verdict.problem
        if problem and ended == "reset" and not malformed and "without answer" in problem and _may_lose(case):
            self._lost += 1  # the server hung up on what is still coming, and the system threw its answers away
            self._model.add(case, _all_may(case))
        elif problem and "status 408" in problem and not 0 < case.sending < self._site.seconds / 2:
            self._late += 1  # it was this client that was slow
        elif problem:
            self._find(case.name, f"case {case.number}: {problem}", case)

    def _look(self, batch: int, beside: dict[str, int]) -> None:
        """After a batch: nobody is left, and the keys are right."""
        if not eventually(lambda: clients(self._connection) == beside, within=15):
            self._find("clients", f"batch {batch}: {clients(self._connection)} after all have left, {beside} before")
            for line in self._connection.call("CLIENT", "LIST").decode().splitlines():
                port = int(line.partition(" addr=")[2].partition(" ")[0].rpartition(":")[2])
                if (number := self._driver.numbers.get(port)) is not None:
                    case, _ = mix.case(self._site, self._options.seed, number, self._options.only)
                    self._find(f"left over: {case.name}", f"case {number}: {line}", case)
        self._driver.numbers.clear()
        for number, problem in self._model.findings(self._connection, not mix.is_mutated(batch, self._options.only)):
            case, _ = mix.case(self._site, self._options.seed, number, self._options.only)
            self._find(f"keys: {case.name}", f"case {number}: {problem}", case)

    def _find(self, kind: str, text: str, case: Case | None = None) -> None:
        self.findings.append(text)
        self._kinds_of_findings[kind] += 1
        if len(self.findings) <= _SHOWN:
            print(f"== {kind}: {text}", flush=True)
            if case is not None:
                sent = case.sent()
                print(f"   sent, then {case.end.value}: {sent[-400:]!r}", flush=True)

    def _run_one(self) -> int:
        case, _ = mix.case(self._site, self._options.seed, self._options.case, self._options.only)
        self._memory = Memory(self._subject.pid)
        print(f"{case.name}; the client {case.end.value}")
        for piece in case.pieces:
            print(f"  > {piece!r}" if isinstance(piece, bytes) else f"  ... {piece:.2f} s")

        def over(case: Case, reader: Reader, ended: str, malformed: str) -> None:
            for number, answer in enumerate(reader.answers):
                print(f"  < {answer.status} {answer.headers} {answer.body[:300]!r}")
                if number < len(case.wants):
                    print(f"    wanted: {case.wants[number]}")
            print(f"  {ended} {malformed} {reader.rest!r}")
            self._over(case, reader, ended, malformed)

        self._driver = Driver(self._subject.http_port, self._subject.resp_port, 1, over)
        self._driver.play(iter([case]))
        self._look(self._options.case // mix.BATCH, clients(self._connection))
        return len(self.findings)

    def _report(self, took: float, neighbours: Neighbours, after: list[int]) -> None:
        mb = 1 << 20
        sent = f"{self._requests} requests on {self._connections} connections in {took:.0f} s"
        print(f"{sent}: {self._requests / took:.0f} per second; {self._statuses.total()} answers")
        print(
            f"by status: {dict(sorted(self._statuses.items()))}; "
            f"{self._lost} connections reset before all was read, {self._late} requests sent too slowly"
        )
        print(f"requests and cases by kind: {json.dumps(dict(self._kinds.most_common()))}")
        print(f"the slowest case: {self._driver.slowest:.2f} s (number {self._driver.slowest_case})")
        asked = ", ".join(
            f"{name} {neighbours.asked[name]} times, {neighbours.slowest[name]:.2f} s at most"
            for name in neighbours.asked
        )
        print(f"beside: {asked}")
        print(
            f"memory: {self._memory.first // mb} MB at first, {self._memory.peak // mb} MB at most; "
            f"after batches: {' '.join(str(size // mb) for size in after[:: len(after) // 10 + 1])} MB"
        )
        print(f"findings: {len(self.findings)} {dict(self._kinds_of_findings)}", flush=True)


def _may_lose(case: Case) -> bool:
    return case.end is End.HALF or any(want.silence for want in case.wants)


def _all_may(case: Case) -> Verdict:
    return Verdict(may={key: value for want in case.wants for key, value in want.writes.items()})
