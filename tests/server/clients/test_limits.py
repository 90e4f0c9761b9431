"""Output limits, with the time that the soft one allows, and the timeout of silent clients."""

from __future__ import annotations

import pytest

from tests.support.house import House, Peer, house

pytestmark = pytest.mark.trio


async def deaf_client(main: House, unread: int) -> Peer:
    """A client that leaves so many bytes unread."""
    client = main.connect()
    client.stop_reading()
    client.send("ECHO", "x" * (unread - len(f"${unread}\r\n\r\n")))
    await main.settle()
    assert abs(client.client.transport.unsent - unread) < 5
    return client


async def test_over_the_hard_limit_a_client_is_cut_off_at_once() -> None:
    async with house(1, client_output_buffer_limit="normal 10000 0 0") as main:
        below = await deaf_client(main, 9_990)
        above = main.connect()
        above.stop_reading()
        above.send("ECHO", "x" * 10_001)
        await main.settle()
        assert above.closed
        assert not below.closed
        assert main.parts.stats.output_limit_disconnections == 1


async def test_over_the_soft_limit_it_is_cut_off_by_time_alone() -> None:
    """F19: nothing more has to be sent to it."""
    async with house(1, client_output_buffer_limit="normal 0 1000 10") as main:
        client = await deaf_client(main, 2000)
        await main.advance(9_900)
        assert not client.closed
        await main.advance(200)
        assert client.closed
        assert main.next_alarm() is None


async def test_the_time_counts_from_when_it_was_last_below() -> None:
    async with house(1, client_output_buffer_limit="normal 0 1000 10") as main:
        client = await deaf_client(main, 2000)
        await main.advance(8_000)
        client.read(1500)
        await main.settle()
        assert main.next_alarm() is None
        client.send("ECHO", "y" * 2000)
        await main.settle()
        await main.advance(8_000)
        assert not client.closed
        client.read(500)
        await main.settle()  # still above it
        await main.advance(2_100)
        assert client.closed


async def test_what_is_taken_in_time_is_no_reason() -> None:
    async with house(1, client_output_buffer_limit="normal 0 1000 10") as main:
        client = await deaf_client(main, 2000)
        await main.advance(5_000)
        client.read()
        await main.settle()
        await main.advance(100_000)
        assert not client.closed


async def test_subscribers_have_a_limit_of_their_own() -> None:
    async with house(1, client_output_buffer_limit="normal 0 0 0 pubsub 1000 0 0") as main:
        client, other = main.connect(), main.connect()
        client.send("SUBSCRIBE", "c")
        await main.settle()
        client.stop_reading()
        other.send("PUBLISH", "c", "x" * 900)
        await main.settle()
        assert not client.closed
        other.send("PUBLISH", "c", "x" * 900)
        other.send("PUBLISH", "c", "x" * 900)
        await main.settle()
        assert client.closed
        assert other.replies() == [1, 1, 0]


async def test_a_client_that_leaves_takes_its_alarm_along() -> None:
    async with house(1, client_output_buffer_limit="normal 0 1000 10") as main:
        client = await deaf_client(main, 2000)
        client.break_()
        await main.settle()
        assert client.closed
        assert main.next_alarm() is None


async def test_clients_that_say_nothing_are_disconnected_after_timeout() -> None:
    async with house(1, timeout="10") as main:
        silent, talking, subscriber, monitor, waiting = [main.connect() for _ in range(5)]
        subscriber.send("SUBSCRIBE", "c")
        monitor.send("MONITOR")
        await main.settle()
        waiting.send("SET", "k", 1)
        main.turn()  # and no shard works
        for _ in range(3):
            main.time.pass_(4)
            talking.send("PING")
            main.turn()
            with main.poller.round():
                main.parts.alarms.fire()
        assert silent.closed
        assert not talking.closed
        assert not subscriber.closed
        assert not monitor.closed
        assert not waiting.closed
        await main.settle()
        assert waiting.replies() == ["OK"]


async def test_the_timeout_can_be_set_and_taken_back() -> None:
    async with house() as main:
        client, admin = main.connect(), main.connect()
        admin.send("CONFIG", "SET", "timeout", 5)
        await main.settle()
        admin.send("CONFIG", "SET", "timeout", 0)
        await main.settle()
        await main.advance(100_000)
        assert not client.closed
        admin.send("CONFIG", "SET", "timeout", 5)
        await main.settle()
        assert client.closed
        assert not admin.closed
