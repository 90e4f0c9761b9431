"""The sequencer and the queues behind it, with shards that work only when the test says so.

hypothesis makes up what is submitted, which shard does something when, and which one dies. Whatever it makes up: every
shard carries commands out in the order in which they were submitted, nothing comes between the steps of a transaction,
every command is answered once and with its own answer, and nothing waits for ever.
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
from respcache.server.outbox import Outbox
from respcache.server.router import Router
from respcache.server.sequencer import Sequencer
from respcache.server.shard_link import ShardLink
from respcache.shard import wire

SHARDS = 3
DIED = CommandError(SHARD_DIED).line()


class FakePoller:
    """Nobody polls here: the test itself says when there is something to read."""

    def yield_soon(self) -> None:
        pass


class FakeShard(ShardLink):
    """A link whose frames go to a list instead of a pipe. `work` carries out the next one; `log` says what was done.

    Commands are numbers here, and answer with themselves.
    """

    def __init__(self, index: int) -> None:
        def nothing(*_: Any) -> Any:
            return {}

        super().__init__(index, SHARDS, FakePoller(), Clock(), 16, nothing, nothing, nothing)  # type: ignore[arg-type]
        self.frames: deque[list[wire.Item]] = deque()
        self.log: list[int] = []

    def flush(self) -> None:
        if self._items:
            self.frames.append(self._items)
            self._items = []

    def work(self) -> None:
        """Carry out one frame, and deliver the answers."""
        if self.frames:
            for answer in [self._carry_out(item) for item in self.frames.popleft()]:
                self._tickets.popleft().deliver(answer)

    def _carry_out(self, item: wire.Item) -> Any:
        match item:
            case (wire.RUN, _, _, _, _, whole, commands):
                self.log += [int(argv[0]) for argv in commands]
                replies = [b":%b\r\n" % argv[0] for argv in commands]
                return b"".join(replies) if whole else replies
            case (wire.PART, _, _, _, _, argv):
                self.log.append(int(argv[0]))
                return True, 1
            case (wire.BORROW, number):
                self.log.append(number)
                return number
        raise AssertionError(item)

    def die(self) -> None:
        """What was sent and not answered is lost; a successor takes the rest."""
        self.frames.clear()
        self._fail_tickets()

    @property
    def corked(self) -> bool:
        return self._corked_by is not None


class FakeSession:
    """A client that takes everything at once. Its outbox is a real one; server and transport are itself."""

    closed = False
    unsent = 0

    def __init__(self, number: int) -> None:
        self.id = number
        self.db = 0
        self.protocol = 2
        self.touch = True
        self.server = self.transport = self
        self.outbox = Outbox(self)  # type: ignore[arg-type]
        self.received = b""
        self.expected: list[bytes] = []

    def flush_soon(self, outbox: Outbox) -> None:
        outbox.flush()

    def write(self, data: bytes) -> None:
        self.received += data

    def flushed(self) -> None:
        pass


class House:
    """Everything between sessions and shards, and what the test knows about it."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.shards = [FakeShard(index) for index in range(SHARDS)]
        router = Router(SHARDS)
        self.sequencer = Sequencer(self.shards, router, FakePoller())  # type: ignore[arg-type]
        self.sessions = [FakeSession(number) for number in range(3)]
        self.nursery = nursery
        self.numbers = 0
        self.transactions: list[str] = []  # how each one ended
        self.submitted: list[list[int]] = [[] for _ in range(SHARDS)]  # the order that each shard should see
        self.deaths = 0

    def number(self, shards: list[int]) -> int:
        """The number of the next command in the global order, which goes to these shards."""
        self.numbers += 1
        for shard in set(shards):
            self.submitted[shard].append(self.numbers)
        return self.numbers

    # -- what hypothesis chooses from

    def run(self, session: int, shards: list[int]) -> None:
        """A chunk of commands with one key each, on these shards."""
        numbers = [self.number([shard]) for shard in shards]
        client = self.sessions[session]
        client.expected += [b":%d\r\n" % number for number in numbers]
        commands = [[b"%d" % number] for number in numbers]
        self.sequencer.run(client, commands, bytes(shards))  # type: ignore[arg-type]

    def gather(self, session: int, shards: list[int]) -> None:
        """One command with a part for each of these shards; their replies add up."""
        argv = [b"%d" % self.number(shards)]
        client = self.sessions[session]
        client.expected.append(b":%d\r\n" % len(shards))
        parts = [(shard, argv, [at]) for at, shard in enumerate(shards)]
        self.sequencer.gather(client, TABLE[b"EXISTS"], parts)  # type: ignore[arg-type]

    def carry(self, shards: list[int], steps: list[list[int]]) -> None:
        """A transaction over these shards that talks to some of them in each step."""
        number = self.number(shards)
        barrier = self.sequencer.barrier(set(shards))

        async def transaction() -> None:
            try:
                await barrier.reached()
                for step in steps:
                    calls = [self.shards[shard].call_soon((wire.BORROW, number)) for shard in step if shard in shards]
                    assert [await call.result() for call in calls] == [number] * len(calls)
                self.transactions.append("done")
            except CommandError as error:
                self.transactions.append("died" if error.text == SHARD_DIED else error.text)
            finally:
                barrier.lift()

        self.nursery.start_soon(transaction)

    def flush(self) -> None:
        """The end of a round of the poller: what was submitted goes out as frames."""
        self.sequencer.flush()

    def work(self, shard: int) -> None:
        self.shards[shard].work()

    def die(self, shard: int) -> None:
        self.deaths += 1
        self.shards[shard].die()

    async def finish(self, transactions: int) -> None:
        """Let everybody work until there is nothing left to do."""
        for _ in range(1000):
            await wait_all_tasks_blocked()
            self.flush()
            if not any(shard.frames for shard in self.shards):
                break
            for shard in self.shards:
                shard.work()
        assert len(self.transactions) == transactions, "a transaction waits for ever"
        assert [shard.queued for shard in self.shards] == [0] * SHARDS
        assert not any(shard.corked for shard in self.shards)


SHARD = st.integers(0, SHARDS - 1)
SESSION = st.integers(0, 2)
SOME_SHARDS = st.lists(SHARD, min_size=1, max_size=SHARDS, unique=True)
Step = tuple[Callable[..., None], tuple[Any, ...]]


def step(method: Callable[..., None], *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(method), st.tuples(*arguments))


SUBMISSIONS = (
    step(House.run, SESSION, st.lists(SHARD, min_size=1, max_size=4)),
    step(House.gather, SESSION, SOME_SHARDS),
    step(House.carry, SOME_SHARDS, st.lists(SOME_SHARDS, max_size=3)),
)
PROGRESS = (step(House.flush), step(House.work, SHARD))
STEPS = st.lists(st.one_of(*SUBMISSIONS, *PROGRESS), max_size=40)
STEPS_WITH_DEATHS = st.lists(st.one_of(*SUBMISSIONS, *PROGRESS, step(House.die, SHARD)), max_size=40)


def house_after(steps: list[Step]) -> House:
    """Carry out the steps, then let all come to an end."""

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
        # One entry for each command; the steps of a transaction stand together, if it has any on this shard.
        seen = [number for number, _ in groupby(shard.log)]
        assert seen == [number for number in submitted if number in set(seen)]
    assert set(house.transactions) <= {"done"}
    for session in house.sessions:
        assert session.received == b"".join(session.expected)
        assert session.outbox.unanswered == 0


@settings(deadline=None)
@given(STEPS_WITH_DEATHS)
def test_shards_that_die_lose_their_own_commands_only(steps: list[Step]) -> None:
    house = house_after(steps)
    for shard, submitted in zip(house.shards, house.submitted, strict=True):
        seen = [number for number, _ in groupby(shard.log)]
        assert seen == [number for number in submitted if number in set(seen)]
    assert set(house.transactions) <= {"done", "died"}
    for session in house.sessions:
        replies = session.received.splitlines(keepends=True)
        assert len(replies) == len(session.expected)
        assert session.outbox.unanswered == 0
        wrong = [pair for pair in zip(replies, session.expected, strict=True) if pair[0] not in (pair[1], DIED)]
        assert not wrong
        assert house.deaths or DIED not in replies


def test_commands_behind_a_barrier_wait_for_it() -> None:
    """The same in small, to read: 1 is under way, 2 is a transaction, 3 comes after it on one of its shards."""

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
            first.work()
            assert first.log == [1, 2, 3]
            await house.finish(1)
            assert house.sessions[1].received == b":3\r\n:4\r\n"

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
