"""Clients that wait for keys on several shards, moment by moment. No socket, no process: see `tests.support.house`.

Key "a" is on shard 1, "b" on shard 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from respcache.server.order.claims import SharedWait
from respcache.shard import wire
from tests.support.house import House, Peer, house
from tests.support.resp import pack

pytestmark = pytest.mark.trio

DIED = "ERR the shard of this command died while the command was under way; whether it took effect is unknown"


async def waiter(main: House, *words: Any) -> Peer:
    """A client that waits."""
    client = main.connect()
    client.send(*words)
    await main.settle()
    assert client.client.blocked
    return client


async def ask(main: House, client: Peer, *words: Any) -> Any:
    client.send(*words)
    await main.settle()
    (reply,) = client.replies()
    return reply


async def keys_waited_for(main: House) -> int:
    (call_one, call_two) = [link.call(wire.stats()) for link in main.server.links]
    await main.settle()
    return sum([(await call.result())["blocking_keys"].get(0, (0, 0))[0] for call in (call_one, call_two)])


class TestClaims:
    @pytest.mark.parametrize("first", ["a", "b"])
    @pytest.mark.parametrize("faster", [0, 1])
    @pytest.mark.parametrize("pipelined", [True, False])
    async def test_the_first_one_counts(self, first: str, faster: int, pipelined: bool) -> None:
        """Whichever shard is faster, what was pushed first is there first."""
        other = "b" if first == "a" else "a"
        async with house(shards=2) as main:
            client, pusher = await waiter(main, "BLPOP", "a", "b", 0), main.connect()
            pushes = [pack(("RPUSH", first, 1)), pack(("RPUSH", other, 2))]
            pusher.send_raw(*([b"".join(pushes)] if pipelined else pushes))
            main.turn()
            main.turn()
            main.shards[faster].work()
            main.shards[1 - faster].work()
            await main.settle()
            assert client.replies() == [[first.encode(), b"1"]]
            assert pusher.replies() == [1, 1]
            assert await ask(main, pusher, "LRANGE", other, 0, -1) == [b"2"]
            assert await keys_waited_for(main) == 0

    @pytest.mark.parametrize("faster", [0, 1])
    async def test_another_type_before_it(self, faster: int) -> None:
        """As in Redis, the command runs again from its first key, which has got another type meanwhile."""
        async with house(shards=2) as main:
            client, pusher = await waiter(main, "BLPOP", "a", "b", 0), main.connect()
            pusher.send_raw(pack(("SET", "a", 1)) + pack(("RPUSH", "b", 2)))
            main.turn()
            main.shards[faster].work()
            await main.settle()
            (reply,) = client.replies()
            assert str(reply) == "WRONGTYPE Operation against a key holding the wrong kind of value"
            assert pusher.replies() == ["OK", 1]
            assert await ask(main, pusher, "LLEN", "b") == 1

    async def test_a_claim_waits_for_nothing_younger(self) -> None:
        """Two clients wait for the same keys, in different orders, and several shards claim at once."""
        async with house(shards=2) as main:
            one, two = await waiter(main, "BLPOP", "a", "b", 0), await waiter(main, "BLPOP", "b", "a", 0)
            pusher, other = main.connect(), main.connect()
            pusher.send_raw(b"".join(pack(("RPUSH", key, number)) for number, key in enumerate("abab")))
            other.send_raw(b"".join(pack(("RPUSH", key, number)) for number, key in enumerate("ba", 10)))
            await main.settle()
            assert (one.replies(), two.replies()) == ([[b"a", b"0"]], [[b"b", b"1"]])
            assert pusher.replies() == [1, 1, 1, 1]
            assert other.replies() == [2, 2]

    async def test_a_shard_that_dies_while_its_claim_is_open(self) -> None:
        async with house(shards=2) as main:
            client, pusher = await waiter(main, "BLPOP", "a", "b", 0), main.connect()
            pusher.send_raw(pack(("RPUSH", "b", 1)) + pack(("RPUSH", "a", 2)))
            main.turn()
            shard = main.server.links[1].index
            main.server.claims.open[shard] = client.client.wait.number  # it has asked, and has no answer yet
            main.shards[shard].die()
            assert not main.server.claims.open
            await main.settle()
            assert [str(reply) for reply in client.replies()] == [DIED]

    async def test_time_that_is_up_before_the_claim(self) -> None:
        async with house(shards=2) as main:
            client, pusher = await waiter(main, "BLPOP", "a", "b", 1), main.connect()
            pusher.send("RPUSH", "a", 1)
            main.turn()  # it has its place in the order, but the shard has not seen it
            main.time.pass_(2)
            with main.poller.round():
                main.parts.alarms.fire()
            await main.settle()
            assert client.replies() == [None]
            assert pusher.replies() == [1]
            assert await ask(main, pusher, "LLEN", "a") == 1

    async def test_a_client_that_leaves_before_the_claim(self) -> None:
        async with house(shards=2) as main:
            client, pusher = await waiter(main, "BLPOP", "a", "b", 0), main.connect()
            pusher.send("RPUSH", "a", 1)
            main.turn()
            client.break_()
            main.turn()
            await main.settle()
            assert client.closed
            assert pusher.replies() == [1]
            assert await ask(main, pusher, "LLEN", "a") == 1
            assert await keys_waited_for(main) == 0

    async def test_those_behind_one_that_is_held(self) -> None:
        """A move between shards keeps its place while main brings the keys together."""
        async with house(shards=2) as main:
            mover, popper = (
                await waiter(main, "BLMOVE", "a", "b", "LEFT", "LEFT", 0),
                await waiter(main, "BLPOP", "a", 0),
            )
            pusher = main.connect()
            pusher.send("RPUSH", "a", 1, 2)
            main.turn()
            main.shards[1].work()
            assert popper.replies() == []
            await main.settle()
            assert mover.replies() == [b"1"]
            assert popper.replies() == [[b"a", b"2"]]

    @pytest.mark.parametrize(("source", "target"), [("a", "b"), ("b", "a")])
    async def test_one_behind_a_move_that_waits_for_both_keys(self, source: str, target: str) -> None:
        """Both keys are ready when the move is done, on two shards: the first one in its words counts."""
        async with house(shards=2) as main:
            mover = await waiter(main, "BLMOVE", source, target, "LEFT", "LEFT", 0)
            popper = await waiter(main, "BLMPOP", 0, 2, source, target, "LEFT", "COUNT", 2)
            assert await ask(main, main.connect(), "RPUSH", source, 1, 2, 3) == 3
            assert mover.replies() == [b"1"]
            assert popper.replies() == [[source.encode(), [b"2", b"3"]]]

    async def test_a_held_one_that_leaves(self) -> None:
        async with house(shards=2) as main:
            mover, popper = (
                await waiter(main, "BLMOVE", "a", "b", "LEFT", "LEFT", 0),
                await waiter(main, "BLPOP", "a", 0),
            )
            pusher = main.connect()
            pusher.send("RPUSH", "a", 1)
            main.turn()
            main.shards[1].work()
            mover.break_()
            main.turn()
            await main.settle()
            assert popper.replies() == [[b"a", b"1"]]
            assert await keys_waited_for(main) == 0

    async def test_a_held_one_whose_time_is_up(self) -> None:
        async with house(shards=2) as main:
            mover, popper = (
                await waiter(main, "BLMOVE", "a", "b", "LEFT", "LEFT", 1),
                await waiter(main, "BLPOP", "a", 0),
            )
            pusher = main.connect()
            pusher.send("RPUSH", "a", 1)
            main.turn()
            main.shards[1].work()
            main.time.pass_(2)
            with main.poller.round():
                main.parts.alarms.fire()
            await main.settle()
            assert mover.replies() == [None]
            assert popper.replies() == [[b"a", b"1"]]

    async def test_a_held_one_that_comes_too_late(self) -> None:
        """Somebody's command was on its way to the shard already. The move goes on waiting, in its place."""
        async with house(shards=2) as main:
            mover = await waiter(main, "BLMOVE", "a", "b", "LEFT", "LEFT", 0)
            popper = await waiter(main, "BLPOP", "a", 0)
            pusher, other = main.connect(), main.connect()
            pusher.send("RPUSH", "a", 1)
            main.turn()
            other.send("LPOP", "a")
            main.turn()
            await main.settle()
            assert (pusher.replies(), other.replies()) == ([1], [b"1"])
            assert mover.client.blocked
            assert popper.client.blocked
            assert await ask(main, pusher, "RPUSH", "a", 2, 3) == 2
            assert mover.replies() == [b"2"]
            assert popper.replies() == [[b"a", b"3"]]


class TestInTheMiddleOfAClaim:
    """Main has answered, and the shard has not served the client yet."""

    @staticmethod
    async def run(main: House, meanwhile: Callable[[], object]) -> Peer:
        """A client waits for "a" and "b", and "a" is pushed to."""
        client, pusher = await waiter(main, "BLPOP", "b", "a", 1), main.connect()
        pusher.send("RPUSH", "a", 1)
        pusher.send("RPUSH", "b", 2)
        main.turn()
        main.turn()
        main.shards[1].meanwhile = meanwhile
        main.shards[1].work()
        await main.settle()
        assert pusher.replies() == [1, 1]
        assert await ask(main, pusher, "EXISTS", "a") == 0
        assert await ask(main, pusher, "LRANGE", "b", 0, -1) == [b"2"]
        assert await keys_waited_for(main) == 0
        return client

    async def test_another_shard_claims_it(self) -> None:
        async with house(shards=2) as main:
            client = await self.run(main, lambda: main.shards[0].work())
            assert client.replies() == [[b"a", b"1"]]

    async def test_its_time_is_up(self) -> None:
        async with house(shards=2) as main:

            def time_passes() -> None:
                main.time.pass_(2)
                main.parts.alarms.fire()

            client = await self.run(main, time_passes)
            assert client.replies() == [[b"a", b"1"]]

    async def test_it_hangs_up(self) -> None:
        """What it was to get is lost, as if it had hung up a moment later."""
        async with house(shards=2) as main:
            client = await self.run(main, lambda: main.server.registry.all()[0].close())
            assert client.closed


class TestTrying:
    """Main runs the command under a barrier, while time goes on."""

    async def test_two_shards_ask(self) -> None:
        async with house(shards=3) as main:
            client, pusher = await waiter(main, "BLPOP", "a", "b", "c", 0), main.connect()
            assert await ask(main, pusher, "SET", "c", "x") == "OK"
            pusher.send("RPUSH", "b", 2)
            pusher.send("RPUSH", "a", 1)
            main.turn()
            main.turn()
            for shard in main.shards:
                shard.work()
            await main.settle()
            assert client.replies() == [[b"a", b"1"]]
            pusher.replies()
            assert await ask(main, pusher, "LLEN", "b") == 1

    @pytest.mark.parametrize("pushed", [True, False])
    async def test_time_that_is_up_meanwhile(self, pushed: bool) -> None:
        """What the command finds counts; if it finds nothing, the time is up."""
        async with house(shards=2) as main:
            client, pusher = await waiter(main, "BLMOVE", "a", "b", "LEFT", "LEFT", 1), main.connect()
            if not pushed:  # to be taken by somebody else, whose command is on its way
                pusher.send("RPUSH", "a", 1)
                main.turn()
                pusher.send("LPOP", "a")
                main.turn()
            else:
                pusher.send("RPUSH", "a", 1)
                main.turn()
            main.shards[1].work()
            await main.tasks()
            (wait,) = main.parts.waits.all()
            assert isinstance(wait, SharedWait)
            assert wait.tried is not None
            main.time.pass_(2)
            with main.poller.round():
                main.parts.alarms.fire()
            assert client.replies() == []
            await main.settle()
            assert client.replies() == [b"1" if pushed else None]
            pusher.replies()
            assert await ask(main, pusher, "LLEN", "b") == pushed

    async def test_unblocking_meanwhile(self) -> None:
        async with house(shards=2) as main:
            client, pusher = await waiter(main, "BLMOVE", "a", "b", "LEFT", "LEFT", 0), main.connect()
            pusher.send("RPUSH", "a", 1)
            main.turn()
            main.shards[1].work()
            await main.tasks()
            assert await ask(main, main.connect(), "CLIENT", "UNBLOCK", client.client.id) == 0
            assert client.replies() == [b"1"]


class TestDeaths:
    async def test_while_clients_wait(self) -> None:
        async with house(shards=2) as main:
            here = await waiter(main, "BLPOP", "a", 0)
            there = await waiter(main, "BLPOP", "b", 0)
            both = await waiter(main, "BLPOP", "b", "a", 100)
            mover = await waiter(main, "BLMOVE", "b", "a", "LEFT", "LEFT", 0)
            main.shards[1].die()
            await main.settle()
            assert [str(reply) for reply in here.replies() + both.replies()] == [DIED, DIED]
            assert there.client.blocked
            assert mover.client.blocked  # it waits for a key of the other one
            pusher = main.connect()
            assert await ask(main, pusher, "RPUSH", "b", 1, 2) == 2
            assert there.replies() == [[b"b", b"1"]]
            assert mover.replies() == [b"2"]
            assert await ask(main, pusher, "LRANGE", "a", 0, -1) == [b"2"]
            assert await keys_waited_for(main) == 0
            assert main.parts.waits.all() == []

    async def test_before_it_has_answered(self) -> None:
        async with house(shards=2) as main:
            client = main.connect()
            client.send("BLPOP", "a", 0)
            main.turn()
            main.shards[1].take()
            main.shards[1].die()
            await main.settle()
            assert [str(reply) for reply in client.replies()] == [DIED]

    async def test_before_it_was_asked(self) -> None:
        async with house(shards=2) as main:
            client = main.connect()
            client.send("BLPOP", "a", 0)
            main.turn()
            main.shards[1].die()
            await main.settle()
            assert client.client.blocked
            assert await ask(main, main.connect(), "RPUSH", "a", 1) == 1
            assert client.replies() == [[b"a", b"1"]]

    @pytest.mark.parametrize("words", [("BLPOP", "a", "b", 0), ("BLMOVE", "a", "b", "LEFT", "LEFT", 0)])
    async def test_in_the_middle_of_a_claim(self, words: tuple[Any, ...]) -> None:
        """Main has said yes, or has asked it to hold the client, and it dies before it knows."""
        async with house(shards=2) as main:
            client, pusher = await waiter(main, *words), main.connect()
            pusher.send("RPUSH", "a", 1)
            main.turn()
            main.shards[1].meanwhile = main.shards[1].die
            main.shards[1].work()
            assert main.shards[1].meanwhile is None
            await main.settle()
            assert [str(reply) for reply in client.replies()] == [DIED]
            assert [str(reply) for reply in pusher.replies()] == [DIED]
            assert main.parts.waits.all() == []
            assert await keys_waited_for(main) == 0
            assert await ask(main, client, "PING") == "PONG"

    async def test_another_one_after_a_claim(self) -> None:
        """What the first one has taken for the client is not lost."""
        async with house(shards=2) as main:
            client, pusher = await waiter(main, "BLPOP", "a", "b", 0), main.connect()
            pusher.send("RPUSH", "a", 1)
            main.turn()
            main.shards[1].meanwhile = main.shards[0].die
            main.shards[1].work()
            await main.settle()
            assert client.replies() == [[b"a", b"1"]]
            assert main.parts.waits.all() == []
            assert await keys_waited_for(main) == 0

    async def test_while_main_runs_the_command(self) -> None:
        async with house(shards=2) as main:
            client = main.connect()
            client.send("BLPOP", "a", "b", 0)
            main.turn()
            await main.tasks()
            main.shards[1].work()  # it has no such key
            main.shards[0].take()
            main.shards[0].die()
            await main.settle()
            assert [str(reply) for reply in client.replies()] == [DIED]
            assert await keys_waited_for(main) == 0


async def test_a_server_that_stops_does_not_wait_for_them() -> None:
    async with house(shards=2) as main:
        await waiter(main, "BLPOP", "a", 0)
        await waiter(main, "BLPOP", "a", "b", 0)
        assert not main.server.busy


async def test_a_half_closed_client_does_not_begin_to_wait() -> None:
    """What is there it gets; otherwise the connection is closed, as everybody's who sends no more and waits."""
    async with house(shards=2) as main:
        for keys in (["a"], ["a", "b"]):
            pusher = main.connect()
            await ask(main, pusher, "RPUSH", "a", 1)
            client = main.connect()
            client.send("BLPOP", *keys, 0)
            client.send("BLPOP", *keys, 0)
            client.send("RPUSH", "a", "never")
            client.end()
            await main.settle()
            assert client.replies() == [[b"a", b"1"]]
            assert client.closed
            assert await ask(main, pusher, "EXISTS", "a") == 0
            assert await keys_waited_for(main) == 0


# -- anything in any order
