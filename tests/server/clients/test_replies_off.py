"""CLIENT REPLY OFF and SKIP: which replies are left out, whatever the command has to wait for."""

from __future__ import annotations

import pytest

from tests.support.house import House, Peer, house
from tests.support.resp import ReplyError, pack

pytestmark = pytest.mark.trio

COMMANDS = {
    "of main": "PING",
    "of one shard": "GET a",
    "split": "EXISTS a b",
    "of all shards": "DBSIZE",
    "with a cursor": "SCAN 0",
    "carried": "RENAME a b",
    "refused": "RENAME a",
    "unknown": "FOO",
}


@pytest.fixture(params=[False, True], ids=["", "during CLIENT PAUSE"])
def paused(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def replies_to(main: House, client: Peer, paused: bool, *lines: str) -> list[object]:
    other = main.connect()
    other.send("MSET", "a", 1, "b", 2)
    await main.settle()
    if paused:
        other.send("CLIENT", "PAUSE", 1000)
        await main.settle()
    client.send_raw(b"".join(pack(tuple(line.split())) for line in lines))
    await main.settle()
    if paused:
        assert client.received() == b""
        await main.advance(1001)
    return client.replies()


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
async def test_off_leaves_out_all_replies_up_to_on(command: str, paused: bool) -> None:
    async with house(2) as main:
        lines = ["CLIENT REPLY OFF", command, "ECHO x", command, "CLIENT REPLY ON", "ECHO y"]
        assert await replies_to(main, main.connect(), paused, *lines) == ["OK", b"y"]


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
async def test_skip_leaves_out_one_reply(command: str, paused: bool) -> None:
    async with house(2) as main:
        lines = ["CLIENT REPLY SKIP", command, "ECHO x", "ECHO y"]
        assert await replies_to(main, main.connect(), paused, *lines) == [b"x", b"y"]


async def test_a_transaction_counts_command_by_command(paused: bool) -> None:
    async with house(2) as main:
        lines = ["MULTI", "GET a", "GET b", "CLIENT REPLY ON", "DISCARD"]
        off = ["CLIENT REPLY OFF", "MULTI", "GET a", "GET b", "EXEC", "CLIENT REPLY ON", "ECHO x"]
        skip = ["CLIENT REPLY SKIP", "MULTI", "GET a", "GET b", "EXEC", "ECHO x"]
        client = main.connect()
        assert await replies_to(main, client, paused, *lines) == ["OK", *["QUEUED"] * 3, "OK"]
        assert await replies_to(main, client, paused, *off) == ["OK", b"x"]
        assert await replies_to(main, client, paused, *skip) == ["QUEUED", "QUEUED", [b"1", b"2"], b"x"]


async def test_reset_is_answered_after_off_but_can_be_skipped(paused: bool) -> None:
    """As redis 7.0 and 8.0 answer `CLIENT REPLY SKIP`, `RESET`, `PING` in one chunk: only PONG."""
    async with house() as main:
        client = main.connect()
        assert await replies_to(main, client, paused, "CLIENT REPLY OFF", "RESET", "PING") == ["RESET", "PONG"]
        assert await replies_to(main, client, paused, "CLIENT REPLY SKIP", "RESET", "PING") == ["PONG"]


async def test_subscriptions_are_confirmed_and_messages_come_all_the_same() -> None:
    async with house() as main:
        client, other = main.connect(), main.connect()
        for words in [("CLIENT", "REPLY", "OFF"), ("SUBSCRIBE", "c"), ("PING",)]:
            client.send(*words)
        await main.settle()
        other.send("PUBLISH", "c", "m")
        await main.settle()
        assert client.replies() == [[b"subscribe", b"c", 1], [b"message", b"c", b"m"]]


async def test_a_queued_subscribe_is_not_confirmed_and_so_not_answered() -> None:
    """Redis 7.0 sends nothing; a stray QUEUED would be taken for the reply to a later command."""
    async with house() as main:
        client = main.connect()
        for words in [
            ("CLIENT", "REPLY", "OFF"),
            ("MULTI",),
            ("SUBSCRIBE", "c"),
            ("DISCARD",),
            ("CLIENT", "REPLY", "ON"),
        ]:
            client.send(*words)
        await main.settle()
        assert client.replies() == ["OK"]


async def test_an_error_in_the_protocol_is_a_reply_too() -> None:
    async with house() as main:
        client = main.connect()
        client.send("CLIENT", "REPLY", "OFF")
        client.send_raw(b"*x\r\n")
        await main.settle()
        assert client.received() == b""
        assert client.closed


async def test_large_replies_that_come_in_pieces_are_left_out_whole() -> None:
    async with house() as main:
        client = main.connect()
        client.send("SET", "big", "v" * 1_000_000)
        await main.settle()
        client.received()
        client.send("CLIENT", "REPLY", "OFF")
        client.send_raw(b"GET big\r\n" * 40)
        client.send("CLIENT", "REPLY", "ON")
        client.send("FOO")
        await main.settle()
        on, foo = client.replies()
        assert on == "OK"
        assert isinstance(foo, ReplyError)
