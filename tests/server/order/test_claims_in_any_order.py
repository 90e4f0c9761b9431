"""Clients that push, pop, move, wait and leave, in any order and with shards of any speed: nothing is lost.

The rules of waiting for keys on several shards are tested one by one in `test_claims`; here hypothesis looks for gaps.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.order.test_claims import ask
from tests.support.house import House, Peer, house

pytestmark = pytest.mark.trio

CLIENTS = 5
KEYS = ["a", "b", "c", "d"]  # on three shards
WHO = st.integers(0, CLIENTS - 1)
SOME_KEYS = st.lists(st.sampled_from(KEYS), min_size=1, max_size=3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pop"), WHO, st.sampled_from(["BLPOP", "BRPOP"]), SOME_KEYS, st.sampled_from([0, 0, 1, 5])),
        st.tuples(st.just("move"), WHO, st.sampled_from(KEYS), st.sampled_from(KEYS), st.sampled_from([0, 0, 3])),
        st.tuples(st.just("push"), st.sampled_from(KEYS), st.integers(1, 3)),
        st.tuples(st.just("transaction"), SOME_KEYS),
        st.tuples(st.just("rename"), st.sampled_from(KEYS), st.sampled_from(KEYS)),
        st.tuples(st.just("settle")),
        st.tuples(st.just("turn")),
        st.tuples(st.just("tasks")),
        st.tuples(st.just("work"), st.integers(0, 2)),
        st.tuples(st.just("unblock"), WHO),
        st.tuples(st.just("pass"), st.sampled_from([0.5, 2])),
        st.tuples(st.just("break"), WHO),
    ),
    max_size=60,
)


class Model:
    """Clients that push and pop values, each of which there is once."""

    def __init__(self, main: House) -> None:
        self.main = main
        self.pusher = main.connect()
        self.clients = [main.connect() for _ in range(CLIENTS)]
        self.values = 0  # that were pushed
        self.got: list[bytes] = []  # by clients
        self.broken = 0  # clients that have hung up while they waited: each may have had something on its way

    def new_values(self, count: int) -> list[str]:
        self.values += count
        return [f"v{number}" for number in range(self.values - count, self.values)]

    def collect(self, client: Peer) -> None:
        for reply in client.replies():
            if isinstance(reply, list):
                self.got.append(reply[1])
            else:
                assert reply is None or isinstance(reply, bytes | int), reply

    async def step(self, name: str, *details: Any) -> None:
        await getattr(self, name)(*details)

    async def pop(self, who: int, command: str, keys: list[str], timeout: int) -> None:
        self.clients[who].send(command, *keys, timeout)

    async def move(self, who: int, source: str, destination: str, timeout: int) -> None:
        self.clients[who].send("BLMOVE", source, destination, "LEFT", "RIGHT", timeout)

    async def push(self, key: str, count: int) -> None:
        self.pusher.send("RPUSH", key, *self.new_values(count))

    async def transaction(self, keys: list[str]) -> None:
        self.pusher.send("MULTI")
        for key in keys:
            self.pusher.send("RPUSH", key, *self.new_values(1))
        self.pusher.send("EXEC")

    async def rename(self, source: str, destination: str) -> None:
        self.pusher.send("LMOVE", source, destination, "LEFT", "RIGHT")

    async def settle(self) -> None:
        await self.main.settle()

    async def turn(self) -> None:
        self.main.turn()

    async def tasks(self) -> None:
        await self.main.tasks()

    async def work(self, shard: int) -> None:
        self.main.shards[shard].work()

    async def unblock(self, who: int) -> None:
        self.pusher.send("CLIENT", "UNBLOCK", self.clients[who].client.id)

    async def pass_(self, seconds: float) -> None:
        self.main.time.pass_(seconds)
        with self.main.poller.round():
            self.main.parts.alarms.fire()

    async def break_(self, who: int) -> None:
        self.collect(self.clients[who])
        self.clients[who].break_()
        self.broken += 1
        self.clients[who] = self.main.connect()

    async def check(self) -> None:
        await self.main.settle()
        for client in self.clients:
            self.collect(client)
        self.pusher.received()
        left: dict[str, list[bytes]] = {}
        for key in KEYS:
            left[key] = await ask(self.main, self.pusher, "LRANGE", key, 0, -1)
        found = self.got + [value for values in left.values() for value in values]
        assert len(found) == len(set(found)), "something was served twice"
        assert len(found) >= self.values - self.broken, "something was lost"
        if not self.broken:
            assert len(found) == self.values
        # Whoever still waits has nothing to wait for.
        for number, wait in [(wait.number, wait) for wait in self.main.parts.waits.all()]:
            assert wait.waiting, number
        waited_for = {place for shard in self.main.shards for place in shard.worker.shard.waiting.places}
        assert not [key for key in KEYS if left[key] and (0, key.encode()) in waited_for]
        assert not any(shard.worker.shard.waiting.ready for shard in self.main.shards)
        for shard in self.main.shards:
            waiting = shard.worker.shard.waiting
            assert not any(waiter.held for waiter in waiting._waiters.values())
            assert set(waiting._waiters) == shard.link.queue.waits


@settings(max_examples=150, deadline=None)
@given(STEPS)
async def test_anything_in_any_order(steps: list[tuple[Any, ...]]) -> None:
    """Nothing is lost, nothing is served twice, and nobody waits beside something that is there for the taking."""
    async with house(shards=3) as main:
        model = Model(main)
        for name, *details in steps:
            await model.step({"pass": "pass_", "break": "break_"}.get(name, name), *details)
        await model.check()
