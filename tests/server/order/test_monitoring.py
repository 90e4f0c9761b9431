"""MONITOR while shards take their time, and when they die: nobody waits for ever, and nothing is shown twice."""

from __future__ import annotations

import pytest

from tests.support.house import House, Peer, house
from tests.support.resp import pack

pytestmark = pytest.mark.trio


def lines(monitor: Peer) -> list[str]:
    """What it has been shown, without times, databases and addresses."""
    return [line.split("] ", 1)[1] for line in monitor.replies()]


async def monitoring(main: House) -> Peer:
    monitor = main.connect()
    monitor.send("MONITOR")
    await main.settle()
    assert monitor.replies() == ["OK"]
    return monitor


async def test_nothing_is_shown_before_the_calls_of_a_script() -> None:
    async with house(shards=1) as main:
        monitor, one, other = await monitoring(main), main.connect(), main.connect()
        one.send("EVAL", "redis.call('SET', KEYS[1], 1)", "1", "k")
        main.turn()
        other.send("GET", "k")
        main.turn()
        assert lines(monitor) == ['"EVAL" "redis.call(\'SET\', KEYS[1], 1)" "1" "k"']
        await main.settle()
        assert lines(monitor) == ['"SET" "k" "1"', '"GET" "k"']


async def test_a_client_that_leaves_holds_nothing_up() -> None:
    async with house(shards=2) as main:
        monitor, one, other = await monitoring(main), main.connect(), main.connect()
        one.send_raw(pack(("MULTI",)) + pack(("EVAL", "return redis.call('DBSIZE')", "0")) + pack(("EXEC",)))
        main.turn()
        one.break_()
        other.send("PING")
        await main.settle()
        assert lines(monitor) == [
            '"MULTI"',
            '"EVAL" "return redis.call(\'DBSIZE\')" "0"',
            '"DBSIZE"',
            '"EXEC"',
            '"PING"',
        ]


async def test_a_shard_that_dies_holds_nothing_up() -> None:
    async with house(shards=2) as main:
        monitor, one, other = await monitoring(main), main.connect(), main.connect()
        for key in ("a", "b"):  # on different shards
            one.send("EVAL", "redis.call('SET', KEYS[1], 1)", "1", key)
        main.turn()
        other.send("PING")
        main.turn()
        for shard in main.shards:
            shard.die()
        await main.settle()
        assert lines(monitor)[-1] == '"PING"'


async def test_scripts_of_before_are_not_shown() -> None:
    """One that was sent before there was a monitor, and one between two monitors."""
    async with house(shards=1) as main:
        one, monitor = main.connect(), main.connect()
        one.send("EVAL", "redis.call('SET', KEYS[1], 'before')", "1", "k")
        main.turn()
        monitor.send("MONITOR")
        main.turn()
        one.send("EVAL", "redis.call('SET', KEYS[1], 'after')", "1", "k")
        await main.settle()
        assert monitor.replies()[0] == "OK"
        one.send("GET", "k")
        monitor.send("RESET")
        one.send("EVAL", "redis.call('SET', KEYS[1], 'between')", "1", "k")
        main.turn()
        monitor.send("MONITOR")
        one.send("EVAL", "redis.call('SET', KEYS[1], 'again')", "1", "k")
        await main.settle()
        seen = [line for line in monitor.replies() if "lua" in str(line)]
        assert [line.split("] ", 1)[1] for line in seen] == ['"SET" "k" "again"']
