"""What the clock's commands wait for, step by step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from trio.testing import MockClock

from tests.support.house import House, Peer, house

pytestmark = pytest.mark.trio


async def connected(main: House, *commands: tuple[Any, ...]) -> Peer:
    """A client that has sent these commands, and has its replies."""
    client = main.connect()
    for words in commands:
        client.send(*words)
    await main.settle()
    return client


def control(main: House) -> Callable[..., Awaitable[Any]]:
    """RESPCACHE CLOCK from a connection of its own."""
    client = main.connect()

    async def call(*words: Any) -> Any:
        client.send("RESPCACHE", "CLOCK", *words)
        await main.settle()
        return client.replies()

    return call


def allowed(shards: int = 1) -> Any:
    return house(shards, enable_test_commands="yes")


async def test_what_was_sent_before_happens_before() -> None:
    """Behind a barrier, too: at the time at which it came."""
    async with allowed(2) as main:
        clock = control(main)
        await clock("FREEZE")
        other, client = main.connect(), main.connect()
        other.send("MSETNX", "a", 1, "b", 1, "c", 1, "d", 1)  # over both shards, under a barrier
        main.turn()
        await main.tasks()
        for number in range(10):
            client.send("SET", f"k{number}", "v", "PX", 100)
        client.send("RESPCACHE", "CLOCK", "ADVANCE", 100)
        for number in range(10):
            client.send("EXISTS", f"k{number}")
        await main.settle()
        replies = client.replies()
        assert replies[:10] == ["OK"] * 10
        assert replies[11:] == [0] * 10
        assert other.replies() == [1]


async def test_it_waits_for_what_alarms_set_in_motion() -> None:
    """A transaction that a pause has held back is over when the answer comes."""
    async with allowed(2) as main:
        await connected(main, ("RESPCACHE", "CLOCK", "FREEZE"), ("CLIENT", "PAUSE", 1000))
        held = await connected(main, ("MULTI",), ("MSET", "a", 1, "b", 1, "c", 1), ("RENAME", "a", "d"), ("EXEC",))
        assert held.replies() == []
        mover = main.connect()
        mover.send("RESPCACHE", "CLOCK", "ADVANCE", 1000)
        for _ in range(1000):
            await main.tasks()
            main.turn()
            if mover.socket.sent:
                break
            for shard in main.shards:
                shard.work()
        assert held.replies()[-1] == ["OK", "OK"]
        assert len(mover.replies()) == 1


async def test_one_thing_that_makes_another_due() -> None:
    """Alarms that set alarms: each goes off, as long as time is up."""
    async with allowed() as main:
        clock = control(main)
        await clock("FREEZE")
        went_off: list[int] = []

        def chain() -> None:
            went_off.append(main.server.clock.now_ms())
            if len(went_off) < 50:
                main.parts.alarms.after(0, chain)

        main.parts.alarms.after(100, chain)
        await clock("ADVANCE", 99)
        assert went_off == [main.server.clock.now_ms()] * 50


async def test_a_chain_without_an_end_does_not_hold_it() -> None:
    async with allowed() as main:
        clock = control(main)
        await clock("FREEZE")

        def again() -> None:
            main.parts.alarms.after(0, again)

        main.parts.alarms.after(100, again)
        client = main.connect()
        client.send("RESPCACHE", "CLOCK", "ADVANCE", 100)
        for _ in range(5000):
            await main.tasks()
            main.turn()
            main.shards[0].work()
        assert len(client.replies()) == 1


async def test_a_shard_that_dies_meanwhile() -> None:
    async with allowed(2) as main:
        clock = control(main)
        await clock("FREEZE")
        await connected(main, *[("SET", f"k{number}", "v", "PX", 100) for number in range(20)])
        mover = main.connect()
        mover.send("RESPCACHE", "CLOCK", "ADVANCE", 100)
        main.turn()
        await main.tasks()
        main.turn()
        for shard in main.shards:
            shard.take()  # its tick, with which it dies
            shard.die()
        await main.settle()
        assert len(mover.replies()) == 1
        client = await connected(main, ("DBSIZE",))
        assert client.replies() == [0]


async def test_a_frozen_server_does_not_wake_up(mock_clock: MockClock) -> None:
    """Whatever alarms there are, the task that waits for them sleeps until the clock is moved."""
    async with allowed() as main:
        fired: list[int] = []
        main.server.clock.freeze()
        looked: list[int | None] = []
        ask = main.parts.alarms.next_deadline
        main.parts.alarms.next_deadline = lambda: (looked.append(ask()), looked[-1])[1]  # type: ignore[method-assign]
        main.server.tasks.start_soon(main.server.run_alarms)
        await main.tasks()
        main.parts.alarms.after(10, lambda: fired.append(1))
        await main.tasks()
        count = len(looked)
        mock_clock.jump(3600)
        main.time.pass_(3600)
        await main.tasks()
        assert (fired, len(looked)) == ([], count)
        main.server.clock.resume()
        main.parts.alarms.on_earlier()
        await main.tasks()
        mock_clock.jump(0.01)
        main.time.pass_(0.01)
        await main.tasks()
        assert fired == [1]


async def test_what_is_due_already_goes_off_while_time_stands_still() -> None:
    async with allowed() as main:
        main.server.tasks.start_soon(main.server.run_alarms)
        await main.tasks()
        main.server.clock.freeze()
        fired: list[int] = []
        main.parts.alarms.after(0, lambda: fired.append(1))
        await main.tasks()
        assert fired == [1]


async def test_samples_of_the_rates_do_not_pile_up() -> None:
    """The clock was set back by a year: they are old all the same."""
    async with allowed() as main:
        clock = control(main)
        client = await connected(main, ("PING",))
        await clock("SET", main.server.clock.now_ms() - 365 * 86_400_000)
        for _ in range(200):
            client.send("PING")
            await main.settle()
            await main.advance(100)
        assert len(main.parts.rates._samples) <= 20
        for _ in range(40):
            await main.advance(100)
        assert main.parts.rates._asleep
