"""Active expiry: a shard is told when something has expired, and left alone otherwise."""

from __future__ import annotations

import pytest

from tests.support.house import House, Peer, house

pytestmark = pytest.mark.trio


def keys(main: House) -> list[int]:
    """How many keys each shard holds, expired ones included. Nobody is asked, as asking would remove them."""
    return [len(shard.worker.shard.databases[0]) for shard in main.shards]


async def with_expiries(main: House, *milliseconds: int) -> Peer:
    client = main.connect()
    for number, each in enumerate(milliseconds):
        client.send("SET", f"{{a}}{number}", "v", "PX", each)
    await main.settle()
    client.received()
    return client


async def test_keys_go_when_their_time_is_over() -> None:
    async with house(2) as main:
        await with_expiries(main, 1000, 2000)
        assert keys(main) == [0, 2]
        await main.advance(1000)
        assert keys(main) == [0, 2]  # its last millisecond
        await main.advance(1)
        assert keys(main) == [0, 1]
        await main.advance(1001)
        assert keys(main) == [0, 0]
        assert main.next_alarm() is None


async def test_while_nothing_can_expire_nothing_is_sent() -> None:
    async with house(2) as main:
        client = await with_expiries(main, 1000)
        client.send("PERSIST", "{a}0")
        client.send("SET", "b", "v")
        await main.settle()
        await main.advance(100_000)
        assert main.next_alarm() is None
        assert not any(shard.work() for shard in main.shards)
        assert keys(main) == [1, 1]


async def test_an_earlier_deadline_moves_the_alarm() -> None:
    async with house() as main:
        await with_expiries(main, 100_000)
        await with_expiries(main, 50)
        await main.advance(51)
        assert keys(main) == [0]


async def test_ticks_of_one_shard_leave_a_pause_between_them() -> None:
    async with house() as main:
        await with_expiries(main, 10, 12, 14)
        ticks = 0
        for _ in range(40):
            main.time.pass_(0.001)
            with main.poller.round():
                main.parts.alarms.fire()
            while main.shards[0].work():
                ticks += 1
        assert keys(main) == [0]
        assert ticks == 2


async def test_it_can_be_switched_off_and_on() -> None:
    async with house() as main:
        client = await with_expiries(main, 10)
        client.send("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        await main.settle()
        await main.advance(1000)
        assert keys(main) == [1]
        client.send("DEBUG", "SET-ACTIVE-EXPIRE", 1)
        await main.settle()
        await main.advance(1)
        assert keys(main) == [0]


async def test_nothing_expires_during_a_pause() -> None:
    """As in Redis, where expiry would be a write."""
    async with house() as main:
        client = await with_expiries(main, 10)
        client.send("CLIENT", "PAUSE", 1000, "WRITE")
        await main.settle()
        await main.advance(500)
        assert keys(main) == [1]
        await main.advance(600)
        await main.advance(100)
        assert keys(main) == [0]


async def test_advancing_the_clock_removes_what_has_expired_before_the_next_command() -> None:
    async with house(2, notify_keyspace_events="Ex") as main:
        client = await with_expiries(main, 1000, 2000)
        client.send("HELLO", 3)
        client.send("PSUBSCRIBE", "*")
        await main.settle()
        client.received()
        client.send("DEBUG", "ADVANCE-CLOCK", 1500)
        client.send("DBSIZE")
        await main.settle()
        advanced, message, size = client.replies()
        assert message[2:] == [b"__keyevent@0__:expired", b"{a}0"]
        assert (advanced, size) == ("OK", 1)


async def test_advancing_the_clock_within_a_transaction_does_not_wait_for_itself() -> None:
    """Its own barrier holds the shard."""
    async with house() as main:
        client = await with_expiries(main, 1000)
        for words in [("MULTI",), ("DEBUG", "ADVANCE-CLOCK", 1500), ("EXISTS", "{a}0"), ("EXEC",), ("EXISTS", "{a}0")]:
            client.send(*words)
        await main.settle()
        replies = client.replies()
        assert replies[3][0] == "OK"
        assert replies[-1] == 0
