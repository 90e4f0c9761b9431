"""The sequencer and its queues, with shards that work only when the test tells them to.

hypothesis chooses what is submitted, which shard works when, and which one dies. In every case, each shard runs
commands in the order in which they were submitted, nothing comes between the steps of a transaction, every command is
answered once and with its own answer, and nothing waits forever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import groupby
from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

import respcache.commands.all  # noqa: F401 - fills the table
from respcache.clock import Clock
from respcache.commands.table import TABLE
from respcache.errors import SHARD_DIED, CommandError
from respcache.server.order.counting import Uncounted
from respcache.server.order.outbox import Outbox, Outboxes
from respcache.server.order.plan import Kind, Plan
from respcache.server.order.router import Router
from respcache.server.order.sequencer import Sequencer
from respcache.server.services.stats import Stats
from respcache.server.shards.queue import Call, Order, ShardQueue
from respcache.shard import wire
from respcache.store.call import Caller

SHARDS = 3
DIED = CommandError(SHARD_DIED).line()


class FakeShard:
    """A queue whose frames go to a list instead of a pipe. `work` runs the next frame; `log` says what was run.

    Commands are numbers here, and each is its own answer.
    """

    def __init__(self) -> None:
        self.queue = ShardQueue(Clock(), on_report=self._unexpected, wake=lambda: None, order=Order())
        self.submit = self.queue.submit
        self.frames: deque[list[wire.Item]] = deque()
        self.log: list[int] = []

    @staticmethod
    def _unexpected(report: object) -> None:
        raise AssertionError(report)

    def call(self, item: wire.Item) -> Call:
        call = self.queue.call(item)
        self.flush()
        return call

    def flush(self) -> None:
        while (frame := self.queue.take()) is not None:
            self.frames.append(frame[1])

    def work(self) -> None:
        """Run one frame and deliver the answers."""
        if self.frames:
            self.queue.answer([self._carry_out(item) for item in self.frames.popleft()], [])

    def _carry_out(self, item: wire.Item) -> Any:
        match item:
            case (wire.RUN, _, _, _, _, whole, _, commands):
                self.log += [int(argv[0]) for argv in commands]
                replies = [b":%b\r\n" % argv[0] for argv in commands]
                return b"".join(replies) if whole else replies
            case (wire.PART, _, _, _, _, argv):
                self.log.append(int(argv[1]))
                return 1, 0
            case (wire.BORROW, [(number, _)]):
                self.log.append(number)
                return number
        raise AssertionError(item)

    def die(self) -> None:
        """Lose what was sent and not answered; a successor takes the rest."""
        self.frames.clear()
        self.queue.fail_taken()


class FakeClient:
    """A client that accepts all output at once. Its outbox is a real one."""

    closed = False

    def __init__(self, number: int, outboxes: Outboxes) -> None:
        self.caller = Caller(0, 2, number, True)
        self.outbox = Outbox(self, outboxes, 10_000)
        self.received = b""
        self.expected: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.received += data

    def flushed(self) -> None:
        pass

    def close(self) -> None:
        raise AssertionError("no client hangs up in this test")


class House:
    """Everything between clients and shards, and what the test expects."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.shards = [FakeShard() for _ in range(SHARDS)]
        self.outboxes = Outboxes(Stats(0, 0))
        self.sequencer = Sequencer(self.shards, Router(SHARDS), wake=lambda: None, counting=Uncounted())  # type: ignore[arg-type]
        self.clients = [FakeClient(number, self.outboxes) for number in range(3)]
        self.nursery = nursery
        self.numbers = 0
        self.transactions: list[str] = []  # how each one ended
        self.submitted: list[list[int]] = [[] for _ in range(SHARDS)]  # the order that each shard should see
        self.deaths = 0

    def number(self, shards: list[int]) -> int:
        """Number the next command in the global order, which goes to these shards."""
        self.numbers += 1
        for shard in set(shards):
            self.submitted[shard].append(self.numbers)
        return self.numbers

    # -- what hypothesis chooses from

    def run(self, who: int, shards: list[int]) -> None:
        """Submit a chunk of commands with one key each, on these shards."""
        numbers = [self.number([shard]) for shard in shards]
        client = self.clients[who]
        client.expected += [b":%d\r\n" % number for number in numbers]
        commands = [[b"%d" % number] for number in numbers]
        self.sequencer.run(client.caller, client.outbox, commands, bytes(shards), len(commands))

    def gather(self, who: int, shards: list[int]) -> None:
        """Submit one command with a part for each of these shards; the replies are added up."""
        argv = [b"EXISTS", *[b"%d" % self.number(shards)] * len(shards)]
        client = self.clients[who]
        client.expected.append(b":%d\r\n" % len(shards))
        how = Plan(Kind.SPLIT, {shard: [at] for at, shard in enumerate(shards, start=1)})
        self.sequencer.gather(client.caller, client.outbox, TABLE[b"EXISTS"], argv, how)

    def carry(self, shards: list[int], steps: list[list[int]]) -> None:
        """Start a transaction over these shards that talks to some of them in each step."""
        number = self.number(shards)
        barrier = self.sequencer.barrier(set(shards))

        async def transaction() -> None:
            try:
                await barrier.reached()
                for step in steps:
                    calls = [self.shards[shard].call(wire.borrow([(number, b"")])) for shard in step if shard in shards]
                    assert [await call.result() for call in calls] == [number] * len(calls)
                self.transactions.append("done")
            except CommandError as error:
                self.transactions.append("died" if error.text == SHARD_DIED else error.text)
            finally:
                barrier.lift()

        self.nursery.start_soon(transaction)

    def flush(self) -> None:
        """End a round of the poller: everything submitted goes out as frames."""
        self.sequencer.flush()
        self.outboxes.flush()

    def work(self, shard: int) -> None:
        self.shards[shard].work()

    def die(self, shard: int) -> None:
        self.deaths += 1
        self.shards[shard].die()

    async def finish(self, transactions: int) -> None:
        """Let all shards work until there is nothing left to do."""
        for _ in range(1000):
            await wait_all_tasks_blocked()
            self.flush()
            if not any(shard.frames for shard in self.shards):
                break
            for shard in self.shards:
                shard.work()
        assert len(self.transactions) == transactions, "a transaction waits forever"
        assert [shard.queue.unanswered for shard in self.shards] == [0] * SHARDS
        assert [shard.queue.size for shard in self.shards] == [0] * SHARDS
        assert not any(shard.queue.corked for shard in self.shards)


SHARD = st.integers(0, SHARDS - 1)
CLIENT = st.integers(0, 2)
SOME_SHARDS = st.lists(SHARD, min_size=1, max_size=SHARDS, unique=True)
Step = tuple[Callable[..., None], tuple[Any, ...]]


def step(method: Callable[..., None], *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(method), st.tuples(*arguments))


SUBMISSIONS = (
    step(House.run, CLIENT, st.lists(SHARD, min_size=1, max_size=4)),
    step(House.gather, CLIENT, SOME_SHARDS),
    step(House.carry, SOME_SHARDS, st.lists(SOME_SHARDS, max_size=3)),
)
PROGRESS = (step(House.flush), step(House.work, SHARD))
STEPS = st.lists(st.one_of(*SUBMISSIONS, *PROGRESS), max_size=40)
STEPS_WITH_DEATHS = st.lists(st.one_of(*SUBMISSIONS, *PROGRESS, step(House.die, SHARD)), max_size=40)


def house_after(steps: list[Step]) -> House:
    """Run the steps, then finish everything."""

    async def scenario() -> House:
        async with trio.open_nursery() as nursery:
            house = House(nursery)
            for method, arguments in steps:
                method(house, *arguments)
                await wait_all_tasks_blocked()
            with trio.fail_after(10):
                await house.finish(sum(method is House.carry for method, _ in steps))
            nursery.cancel_scope.cancel()
        return house

    return trio.run(scenario)


@settings(deadline=None)
@given(STEPS)
def test_every_shard_sees_the_global_order(steps: list[Step]) -> None:
    house = house_after(steps)
    for shard, submitted in zip(house.shards, house.submitted, strict=True):
        # One entry per command; the steps of a transaction are adjacent, if it has any on this shard.
        seen = [number for number, _ in groupby(shard.log)]
        assert seen == [number for number in submitted if number in set(seen)]
    assert set(house.transactions) <= {"done"}
    for client in house.clients:
        assert client.received == b"".join(client.expected)
        assert client.outbox.unanswered == 0


@settings(deadline=None)
@given(STEPS_WITH_DEATHS)
def test_shards_that_die_lose_only_their_own_commands(steps: list[Step]) -> None:
    house = house_after(steps)
    for shard, submitted in zip(house.shards, house.submitted, strict=True):
        seen = [number for number, _ in groupby(shard.log)]
        assert seen == [number for number in submitted if number in set(seen)]
    assert set(house.transactions) <= {"done", "died"}
    for client in house.clients:
        replies = client.received.splitlines(keepends=True)
        assert len(replies) == len(client.expected)
        assert client.outbox.unanswered == 0
        wrong = [pair for pair in zip(replies, client.expected, strict=True) if pair[0] not in (pair[1], DIED)]
        assert not wrong
        assert house.deaths or DIED not in replies


def test_commands_after_a_barrier_wait_for_it() -> None:
    """A readable example: 1 is running, 2 is a transaction, 3 comes after it on one of its shards."""

    async def scenario() -> None:
        async with trio.open_nursery() as nursery:
            house = House(nursery)
            first, second, _ = house.shards
            house.run(0, [0])
            house.carry([0, 1], [[1], [0]])
            house.run(1, [0, 2])
            house.flush()
            await wait_all_tasks_blocked()
            assert [len(shard.frames) for shard in house.shards] == [1, 1, 1]
            second.work()  # the first step of the transaction
            await wait_all_tasks_blocked()
            first.work()
            assert first.log == [1]
            first.work()  # its second step
            assert first.log == [1, 2]
            await wait_all_tasks_blocked()  # it lifts its barrier
            house.flush()
            first.work()
            assert first.log == [1, 2, 3]
            await house.finish(1)
            assert house.clients[1].received == b":3\r\n:4\r\n"

    trio.run(scenario)


def test_two_transactions_cannot_wait_for_each_other() -> None:
    async def scenario() -> None:
        async with trio.open_nursery() as nursery:
            house = House(nursery)
            house.carry([0, 1], [[0], [1]])
            house.carry([1, 0], [[1], [0]])
            with trio.fail_after(10):
                await house.finish(2)
            assert house.transactions == ["done", "done"]
            assert house.shards[0].log == house.shards[1].log == [1, 2]

    trio.run(scenario)
