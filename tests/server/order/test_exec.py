"""Transactions over several shards: how many round trips they take, and in which order their reports are told."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import respcache.commands.all
import respcache.server.commands  # noqa: F401 - fills the table with main's own commands
from respcache.clock import Clock
from respcache.commands.table import TABLE, Command
from respcache.errors import CommandError
from respcache.resp.types import Encoded
from respcache.server.order.carry import Carrier
from respcache.server.order.exec import Executor, Queued, Transaction
from respcache.server.order.outbox import Outbox, Outboxes
from respcache.server.order.plan import plan
from respcache.server.order.router import Router
from respcache.server.order.sequencer import Sequencer
from respcache.server.shards.queue import Call, ShardQueue
from respcache.shard import wire
from respcache.shard.worker import Worker
from respcache.store.call import Caller
from respcache.store.reports import EventFilter, Report
from respcache.store.shard import Shard

SHARDS = 3
# One key per shard.
KEYS = [b"key:three", b"key:two", b"key:one"]


class NearShard:
    """A link whose shard is in this process. `frames` counts what was sent to it."""

    def __init__(self, index: int, reports: list[Report]) -> None:
        self.index = index
        self.queue = ShardQueue(Clock(), on_report=reports.append, wake=lambda: None)
        self.submit = self.queue.submit
        self.worker = Worker(Shard(index=index, shards=SHARDS))
        self.frames = 0

    def call(self, item: wire.Item) -> Call:
        call = self.queue.call(item)
        self.flush()
        return call

    def flush(self) -> bool:
        while (frame := self.queue.take()) is not None:
            self.frames += 1
            for _, results, reports in self.worker.answers(*frame):
                self.queue.answer(results, reports)
        return False


class Sender:
    """A client that main's own commands need nothing of."""

    closed = False
    executing: Transaction | None = None

    def __init__(self) -> None:
        self.caller = Caller(0, 2, 1, True)
        self.outbox = Outbox(self, Outboxes(), 100)

    def run_local(self, row: Command, argv: list[bytes]) -> Any:
        raise CommandError(f"ERR {row.name} {argv}")

    def send(self, data: bytes) -> None:
        raise AssertionError(data)

    def flushed(self) -> None:
        pass

    def close(self) -> None:
        pass


class House:
    """Shards and an executor."""

    def __init__(self, *, events: bool = False) -> None:
        self.reports: list[Report] = []
        self.links = [NearShard(index, self.reports) for index in range(SHARDS)]
        router = Router(SHARDS)
        assert [router.shard_of(key) for key in KEYS] == list(range(SHARDS))
        sequencer = Sequencer(self.links, router, wake=lambda: None)  # type: ignore[arg-type]  # links of another kind
        carrier = Carrier(self.links, router, 16)  # type: ignore[arg-type]  # as above
        self._router = router
        errors: list[CommandError] = []
        self._executor = Executor(
            sequencer,
            carrier,
            count_error=errors.append,
            on_report=self.reports.append,
            reports_wanted=lambda: events,
        )
        if events:
            for link in self.links:
                link.worker.shard.reports.listen(EventFilter.parse("KE$"))

    def execute(self, *commands: list[bytes]) -> bytes:
        transaction = Transaction()
        for argv in commands:
            row = TABLE[argv[0]]
            transaction.commands.append(Queued(row, argv, plan(row, argv, self._router)))

        async def scenario() -> Encoded:
            reply: Encoded = await self._executor.execute(Sender(), transaction, set())
            await wait_all_tasks_blocked()
            return reply

        return trio.run(scenario).data


@pytest.fixture
def house() -> House:
    return House()


def test_commands_that_alternate_between_shards_take_one_frame_each(house: House) -> None:
    """A transaction that made a round trip per command held up everybody else for 20 seconds."""
    reply = house.execute(*([b"INCR", KEYS[number % SHARDS]] for number in range(3000)))
    assert reply == b"*3000\r\n" + b"".join(b":%d\r\n" % (number // SHARDS + 1) for number in range(3000))
    assert [link.frames for link in house.links] == [1, 1, 1]


def test_a_command_over_several_shards_parts_them(house: House) -> None:
    first, second, third = KEYS
    reply = house.execute([b"SET", first, b"1"], [b"SET", second, b"2"], [b"RENAME", first, third], [b"GET", third])
    assert reply == b"*4\r\n+OK\r\n+OK\r\n+OK\r\n$1\r\n1\r\n"


def test_events_come_in_the_order_of_the_commands() -> None:
    house = House(events=True)
    house.execute(*([b"SET", KEYS[number % SHARDS], b"x"] for number in range(7)))
    assert [report[4] for report in house.reports] == [KEYS[number % SHARDS] for number in range(7)]


def test_a_command_that_fails_is_an_error_among_replies(house: House) -> None:
    first, second, _ = KEYS
    reply = house.execute([b"SET", first, b"x"], [b"INCR", first], [b"PING"], [b"GET", second])
    assert reply == (b"*4\r\n+OK\r\n-ERR value is not an integer or out of range\r\n-ERR PING [b'PING']\r\n$-1\r\n")
