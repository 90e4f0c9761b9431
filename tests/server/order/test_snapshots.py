"""SNAPSHOT and RESTORE step by step: their place in the order, and shards that die in the middle of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from respcache.errors import SHARD_DIED, SNAPSHOT_GONE, CommandError
from respcache.shard import wire
from tests.support.house import House, Peer, house
from tests.support.resp import ReplyError

pytestmark = pytest.mark.trio

GONE, DIED = (ReplyError(CommandError(text).text) for text in (SNAPSHOT_GONE, SHARD_DIED))
# On shard 0 and 1 of two.
ZERO, ONE = "b", "a"


@asynccontextmanager
async def prepared() -> AsyncIterator[tuple[House, Peer, Peer]]:
    """Two shards, a snapshot "s" of a key on each, which have changed since, and two clients."""
    async with house(2, enable_test_commands="yes") as main:
        client, other = main.connect(), main.connect()
        for words in ("MSET", ZERO, "1", ONE, "1"), ("RESPCACHE", "SNAPSHOT", "s"), ("MSET", ZERO, "2", ONE, "2"):
            client.send(*words)
            await main.settle()
        assert client.replies() == ["OK"] * 3
        yield main, client, other


async def restoring(main: House, client: Peer) -> None:
    """RESTORE is under way, and both shards have been asked whether they have the snapshot."""
    client.send("RESPCACHE", "RESTORE", "s")
    main.turn()
    await main.tasks()
    main.turn()


async def values(main: House, client: Peer) -> list[object]:
    client.send("MGET", ZERO, ONE)
    await main.settle()
    (reply,) = client.replies()
    assert isinstance(reply, list)
    return reply


async def test_commands_behind_it_wait_for_it() -> None:
    async with prepared() as (main, client, other):
        await restoring(main, client)
        other.send("APPEND", ZERO, "x")
        main.turn()
        assert main.shards[0].work()
        await main.tasks()
        assert not main.shards[0].work()  # the other shard may not have the snapshot
        await main.settle()
        assert (client.replies(), other.replies()) == (["OK"], [2])
        assert await values(main, other) == [b"1x", b"1"]


async def test_a_shard_dies_before_it_has_said_that_it_has_the_snapshot() -> None:
    async with prepared() as (main, client, other):
        await restoring(main, client)
        other.send("APPEND", ZERO, "x")
        main.turn()
        main.shards[0].work()
        main.shards[1].die()
        await main.settle()
        assert (client.replies(), other.replies()) == ([GONE], [2])
        assert await values(main, other) == [b"2x", None]
        client.send("RESPCACHE", "RESTORE", "s")
        await main.settle()
        assert client.replies() == [GONE]


async def test_a_shard_dies_after_that() -> None:
    """Then it is half done, and the error says so; but nobody waits for ever."""
    async with prepared() as (main, client, other):
        await restoring(main, client)
        for shard in main.shards:
            shard.work()
        await main.tasks()
        assert [item[0] for item in main.shards[1].take()] == [wire.RESTORE_SNAPSHOT]
        main.shards[1].die()
        await main.settle()
        assert client.replies() == [DIED]
        assert await values(main, other) == [b"1", None]


async def test_a_shard_dies_while_a_snapshot_is_taken() -> None:
    async with prepared() as (main, client, other):
        client.send("RESPCACHE", "SNAPSHOT", "t")
        main.turn()
        await main.tasks()
        main.shards[0].work()
        assert [item[0] for item in main.shards[1].take()] == [wire.TAKE_SNAPSHOT]
        main.shards[1].die()
        await main.settle()
        assert client.replies() == [DIED]
        assert await values(main, other) == [b"2", None]
        assert main.shards[0].worker.shard.snapshots.held == 0
        client.send("RESPCACHE", "SNAPSHOTS")
        await main.settle()
        ((row,),) = client.replies()
        assert row[1] == b"s"


async def test_a_library_that_is_loaded_before_it() -> None:
    """A library that is loaded before the snapshot belongs to it, although it takes a while."""
    async with prepared() as (main, client, other):
        code = "#!lua name=lib\nredis.register_function('f', function() return 1 end)"
        other.send("FUNCTION", "LOAD", code)
        main.turn()
        client.send("RESPCACHE", "SNAPSHOT", "t")
        main.turn()
        await main.settle()
        assert (other.replies(), client.replies()) == ([b"lib"], ["OK"])
        other.send("FUNCTION", "FLUSH")
        await main.settle()
        client.send("RESPCACHE", "RESTORE", "t")
        await main.settle()
        other.send("FCALL", "f", "0")
        await main.settle()
        assert other.replies() == ["OK", 1]
