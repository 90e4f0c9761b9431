"""Commands that wait, over HTTP."""

from __future__ import annotations

import pytest

from tests.support.house import House, HttpPeer, house
from tests.support.http import http_request

pytestmark = [pytest.mark.trio, pytest.mark.parametrize("shards", [1, 3])]


async def wait(main: House, *rows: list[object], to: str = "/pipeline") -> HttpPeer:
    client = main.connect_http()
    client.post(*rows, to=to)
    await main.settle()
    assert client.received() == b""
    return client


async def call(main: House, *words: object) -> object:
    client = main.connect()
    client.send(*words)
    await main.settle()
    (reply,) = client.replies()
    client.break_()
    await main.settle()
    return reply


async def test_it_is_served(shards: int) -> None:
    async with house(shards) as main:
        client = await wait(main, ["BLPOP", "a", "b", 0])
        assert client.client.blocked
        await call(main, "RPUSH", "b", "x", "y")
        assert client.response().json == [{"result": ["b", "x"]}]
        assert main.next_alarm() is None
        client.post("LPOP", "b")
        await main.settle()
        assert client.response().result == "y"


async def test_its_own_timeout(shards: int) -> None:
    async with house(shards) as main:
        client = await wait(main, ["BLPOP", "a", "b", 2])
        await main.advance(1999)
        assert client.received() == b""
        await main.advance(2)
        assert client.response().json == [{"result": None}]
        assert main.next_alarm() is None


async def test_it_gives_up_after_the_limit(shards: int) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        client.post("BLPOP", "a", "b", "0")
        await main.settle()
        await main.advance(29_999)
        assert client.received() == b""
        await main.advance(1)
        assert client.response().result is None
        assert main.next_alarm() is None
        assert await call(main, "RPUSH", "b", "x") == 1
        assert await call(main, "LLEN", "b") == 1


async def test_two_in_a_pipeline_have_the_whole_time_each(shards: int) -> None:
    async with house(shards, http_blocking_limit="5") as main:
        client = await wait(main, ["BLPOP", "a", 0], ["BLPOP", "b", "c", 0], ["PING"])
        await main.advance(5000)
        assert client.client.blocked
        await main.advance(4999)
        assert client.received() == b""
        await main.advance(1)
        assert client.response().json == [{"result": None}, {"result": None}, {"result": "PONG"}]


async def test_one_that_begins_later_has_the_whole_time_too(shards: int) -> None:
    async with house(shards, http_blocking_limit="5") as main:
        client = await wait(main, ["BLPOP", "a", 3], ["BLPOP", "b", "c", 0])
        await main.advance(3001)
        assert client.client.blocked
        await main.advance(4999)
        assert client.received() == b""
        await main.advance(1)
        assert client.response().json == [{"result": None}, {"result": None}]


async def test_no_limit(shards: int) -> None:
    async with house(shards, http_blocking_limit="0") as main:
        client = await wait(main, ["BLPOP", "a", 0])
        assert main.next_alarm() is None
        await main.advance(1_000_000)
        await call(main, "RPUSH", "a", "x")
        assert client.response().json == [{"result": ["a", "x"]}]


@pytest.mark.parametrize("how", ["breaks off", "half-closes", "half-closes at once", "sends more and half-closes"])
async def test_nothing_is_lost_when_the_client_leaves(shards: int, how: str) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        client.post("BLPOP", "a", "b", "0")
        if how == "half-closes at once":
            client.end()
        await main.settle()
        match how:
            case "breaks off":
                client.break_()
            case "half-closes":
                client.end()
            case "sends more and half-closes":
                client.send_raw(http_request("GET", "/ping"))
                client.end()
        await main.settle()
        assert client.closed
        assert main.next_alarm() is None
        assert await call(main, "RPUSH", "b", "x") == 1
        assert await call(main, "LRANGE", "b", 0, -1) == [b"x"]


async def test_a_client_that_has_half_closed_is_served_what_is_there(shards: int) -> None:
    async with house(shards) as main:
        await call(main, "RPUSH", "b", "x")
        client = main.connect_http()
        client.post("BLPOP", "a", "b", "0")
        client.end()
        await main.settle()
        assert client.response().result == ["b", "x"]
        assert client.closed


@pytest.mark.parametrize(("how", "answer"), [("TIMEOUT", {"result": None}), ("ERROR", {"error": "UNBLOCKED"})])
async def test_client_unblock(shards: int, how: str, answer: dict[str, str | None]) -> None:
    async with house(shards) as main:
        client = await wait(main, ["BLPOP", "a", "b", 0], ["PING"])
        assert await call(main, "CLIENT", "UNBLOCK", client.client.id, how) == 1
        first, second = client.response().json
        if "error" in answer:
            assert first["error"].startswith("UNBLOCKED")
        else:
            assert first == answer
        assert second == {"result": "PONG"}


async def test_it_does_not_wait_in_a_transaction(shards: int) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        client.post(["BLPOP", "a", 0], ["RPUSH", "a", "x"], ["BLPOP", "a", 0], to="/multi-exec")
        await main.settle()
        assert client.response().json == [{"result": None}, {"result": 1}, {"result": ["a", "x"]}]


async def test_client_pause_holds_requests_back(shards: int) -> None:
    async with house(shards) as main:
        client, waiting = main.connect_http(), await wait(main, ["BLPOP", "l", 0])
        await call(main, "CLIENT", "PAUSE", 1000, "WRITE")
        client.post("GET", "k")
        await main.settle()
        assert client.response().result is None
        client.send_raw(http_request("GET", "/set/k/v") + http_request("GET", "/get/k"))
        await main.settle()
        assert client.received() == b""
        await main.advance(1001)
        assert [response.result for response in client.responses()] == ["OK", "v"]
        client.post("RPUSH", "l", "x")
        await main.settle()
        assert waiting.response().json == [{"result": ["l", "x"]}]


async def test_the_limit_passes_while_the_command_is_held_by_a_pause(shards: int) -> None:
    """It has not waited yet: its time begins when it does."""
    async with house(shards, http_blocking_limit="5") as main:
        await call(main, "CLIENT", "PAUSE", 7000)
        client = await wait(main, ["BLPOP", "a", "b", 0])
        await main.advance(5000)
        await main.advance(2001)
        assert client.client.blocked
        await main.advance(4999)
        assert client.received() == b""
        await main.advance(1)
        assert client.response().json == [{"result": None}]


async def test_streams_and_groups(shards: int) -> None:
    async with house(shards) as main:
        client = await wait(main, ["XREAD", "BLOCK", 0, "STREAMS", "s", "$"])
        await call(main, "XADD", "s", "1-1", "f", "v")
        assert client.response().json == [{"result": [["s", [["1-1", ["f", "v"]]]]]}]
