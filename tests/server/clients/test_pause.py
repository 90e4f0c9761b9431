"""CLIENT PAUSE, and what else may happen to a client that it holds."""

from __future__ import annotations

import pytest

from tests.support.house import house
from tests.support.resp import ReplyError, pack

pytestmark = pytest.mark.trio


@pytest.mark.parametrize("chunks", ["one", "two", "bytes"])
async def test_logging_in_ends_the_small_limits_even_if_it_was_held_back(chunks: str) -> None:
    """F21: AUTH held by PAUSE with a large command behind it; after AUTH it is no longer too large."""
    async with house(1, requirepass="secret") as main:
        admin, client = main.connect(), main.connect()
        admin.send("AUTH", "secret")
        admin.send("CLIENT", "PAUSE", 1000)
        await main.settle()
        auth, large = pack(("AUTH", "secret")), pack(("SET", "k", "v" * 20_000)) + pack(("MGET", *["k"] * 20))
        match chunks:
            case "one":
                client.send_raw(auth + large)
            case "two":
                client.send_raw(auth, large)
            case "bytes":
                client.send_raw(*[b"%c" % byte for byte in auth + large[:200]], large[200:])
        await main.settle()
        assert client.received() == b""
        await main.advance(1001)
        assert client.replies() == ["OK", "OK", [b"v" * 20_000] * 20]


async def test_without_logging_in_the_limits_stay_small() -> None:
    async with house(1, requirepass="secret") as main:
        admin, client = main.connect(), main.connect()
        admin.send("AUTH", "secret")
        admin.send("CLIENT", "PAUSE", 1000)
        await main.settle()
        client.send_raw(pack(("AUTH", "wrong")) + pack(("SET", "k", "v" * 20_000)))
        client.end()
        await main.settle()
        await main.advance(1001)
        refused, closed = client.replies()
        assert str(refused).startswith("WRONGPASS")
        assert closed == ReplyError("ERR Protocol error: unauthenticated bulk length")
        assert client.closed


@pytest.mark.parametrize("size", [100, 20_000])
async def test_after_reset_the_limits_are_small_again(size: int) -> None:
    """Found on the way: the decoder learned of it with the next complete command only."""
    async with house(1, requirepass="secret") as main:
        client = main.connect()
        client.send("AUTH", "secret")
        client.send("RESET")
        await main.settle()
        assert client.replies() == ["OK", "RESET"]
        client.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % size)
        await main.settle()
        assert client.closed == (size > 16384)


async def test_held_clients_go_on_in_the_order_in_which_they_came() -> None:
    async with house(2) as main:
        admin, *clients = [main.connect() for _ in range(5)]
        admin.send("CLIENT", "PAUSE", 1000, "WRITE")
        await main.settle()
        for number, client in enumerate(reversed(clients)):
            client.send("RPUSH", "l", number)
            await main.settle()
        await main.advance(1001)
        assert [client.replies() for client in reversed(clients)] == [[1], [2], [3], [4]]


async def test_one_whose_command_pauses_again_holds_the_next_ones() -> None:
    async with house() as main:
        admin, first, second = main.connect(), main.connect(), main.connect()
        admin.send("CLIENT", "PAUSE", 1000)
        await main.settle()
        first.send("CLIENT", "PAUSE", 1000)
        second.send("PING")
        await main.advance(1001)
        assert first.replies() == ["OK"]
        assert second.replies() == []
        await main.advance(1001)
        assert second.replies() == ["PONG"]


async def test_a_held_client_is_not_idle() -> None:
    """As in Redis, where clients that a pause holds count as blocked."""
    async with house(1, timeout="10") as main:
        admin, client, idle = main.connect(), main.connect(), main.connect()
        admin.send("CLIENT", "PAUSE", 60_000)
        await main.settle()
        client.send("PING")
        await main.settle()
        await main.advance(30_000)
        assert idle.closed
        assert not client.closed
        await main.advance(30_001)
        assert client.replies() == ["PONG"]


async def test_a_pause_that_ends_while_output_waits_does_not_let_a_client_go_on() -> None:
    async with house(1, client_output_pause="1000") as main:
        admin, client = main.connect(), main.connect()
        client.stop_reading()
        client.send("SET", "k", "v" * 5000)
        client.send("GET", "k")
        await main.settle()
        admin.send("CLIENT", "PAUSE", 1000)
        await main.settle()
        client.send("ECHO", "held")
        await main.settle()
        client.send("INCR", "n")
        await main.settle()
        await main.advance(1001)
        admin.send("EXISTS", "n")
        await main.settle()
        assert admin.replies()[-1] == 0
        client.read()
        await main.settle()
        assert client.replies() == ["OK", b"v" * 5000, b"held", 1]
