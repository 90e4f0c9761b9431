"""Subscriptions as streams of server-sent events."""

from __future__ import annotations

import re

import pytest

from tests.support.house import House, HttpPeer, house
from tests.support.http import dechunked, http_request

pytestmark = [pytest.mark.trio, pytest.mark.parametrize("shards", [1, 3])]


async def listen(main: House, target: str, **headers: str) -> HttpPeer:
    """A client that has asked for a stream, as Upstash's does."""
    client = main.connect_http()
    client.ask("POST", target, [], content_type="application/json", accept="text/event-stream", **headers)
    await main.settle()
    return client


def taken(client: HttpPeer) -> tuple[str, str, bool]:
    """The head, the events, and whether the stream has ended well."""
    head, _, body = client.received().partition(b"\r\n\r\n")
    data, rest, ended = dechunked(body)
    assert not rest
    return head.decode(), data.decode(), ended


def events(client: HttpPeer) -> str:
    """Further events."""
    data, rest, ended = dechunked(client.received())
    assert not rest
    assert not ended
    return data.decode()


async def publish(main: House, channel: str, message: str | bytes) -> None:
    client = main.connect()
    client.send("PUBLISH", channel, message)
    await main.settle()
    client.break_()


async def test_one_channel(shards: int) -> None:
    async with house(shards) as main:
        client = await listen(main, "/subscribe/chat")
        head, first, ended = taken(client)
        assert head.startswith("HTTP/1.1 200 OK\r\n")
        assert "content-type: text/event-stream\r\n" in head
        assert "cache-control: no-cache\r\n" in head
        assert first == "data: subscribe,chat,1\n\n"
        assert not ended
        await publish(main, "chat", "hello")
        assert events(client) == "data: message,chat,hello\n\n"
        await publish(main, "chat", "how are you today?")
        assert events(client) == "data: message,chat,how are you today?\n\n"


async def test_several_channels(shards: int) -> None:
    async with house(shards) as main:
        client = await listen(main, "/subscribe/a/b%2Fc")
        assert taken(client)[1] == "data: subscribe,a,1\n\ndata: subscribe,b/c,2\n\n"
        await publish(main, "b/c", "x")
        assert events(client) == "data: message,b/c,x\n\n"


async def test_patterns(shards: int) -> None:
    async with house(shards) as main:
        client = await listen(main, "/psubscribe/user:*")
        assert taken(client)[1] == "data: psubscribe,user:*,1\n\n"
        await publish(main, "user:7", "a,b")
        assert events(client) == "data: pmessage,user:*,user:7,a,b\n\n"


async def test_published_over_http(shards: int) -> None:
    async with house(shards) as main:
        client, other = await listen(main, "/subscribe/c"), main.connect_http()
        taken(client)
        other.ask("POST", "/publish/c/hello")
        await main.settle()
        assert other.response().result == 1
        assert events(client) == "data: message,c,hello\n\n"


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        ("a\nb", "data: message,c,a\ndata: b\n\n"),
        ("a\r\nb\rc", "data: message,c,a\ndata: b\ndata: c\n\n"),
        ("a\n", "data: message,c,a\ndata: \n\n"),
        ("\n\n", "data: message,c,\ndata: \ndata: \n\n"),
        ("", "data: message,c,\n\n"),
        ("data: forged\n\n", "data: message,c,data: forged\ndata: \ndata: \n\n"),
        (b"\xff\x00", "data: message,c,\ufffd\x00\n\n"),
        ("\u2028\x0b\x85", "data: message,c,\u2028\x0b\x85\n\n"),  # line breaks elsewhere, not here
    ],
)
async def test_messages_with_line_breaks_and_bytes(shards: int, message: str | bytes, lines: str) -> None:
    async with house(shards) as main:
        client = await listen(main, "/subscribe/c", upstash_encoding="base64")
        taken(client)
        await publish(main, "c", message)
        assert events(client) == lines


async def test_requests_that_are_refused(shards: int) -> None:
    async with house(shards) as main:
        client = await listen(main, "/subscribe")
        response = client.response()
        assert response.status == 400
        assert response.error == "ERR wrong number of arguments for 'subscribe' command"
        client.ask("HEAD", "/subscribe/c")
        await main.settle()
        (head,) = client.responses(heads=1)
        assert head.status == 405
        assert head.headers["allow"] == "GET, POST, PUT"


async def test_monitor(shards: int) -> None:
    async with house(shards) as main:
        client = await listen(main, "/monitor")
        head, first, ended = taken(client)
        assert "content-type: text/event-stream\r\n" in head
        assert first == 'data: "OK"\n\n'
        assert not ended
        other = main.connect()
        other.send("SET", "k", 'line\r\n"x"')
        await main.settle()
        (event,) = events(client).removesuffix("\n\n").split("\n\n")
        assert re.fullmatch(r'data: \d+\.\d{6} \[0 \S+\] "SET" "k" "line\\r\\n\\"x\\""', event)
        client.break_()
        await main.settle()
        assert not main.parts.monitoring.active


async def test_one_that_vanishes_is_forgotten(shards: int) -> None:
    async with house(shards) as main:
        broken, ended = await listen(main, "/subscribe/c"), await listen(main, "/subscribe/c")
        other = main.connect()
        other.send("PUBSUB", "NUMSUB", "c")
        await main.settle()
        assert other.replies() == [[b"c", 2]]
        broken.break_()
        ended.end()
        await main.settle()
        assert broken.closed
        assert ended.closed
        other.send("PUBSUB", "NUMSUB", "c")
        await main.settle()
        assert other.replies() == [[b"c", 0]]


async def test_one_that_never_reads_is_cut_off(shards: int) -> None:
    limit = 3_000_000
    async with house(shards, client_output_buffer_limit=f"pubsub {limit} 0 0") as main:
        client, other = await listen(main, "/subscribe/c"), main.connect()
        client.stop_reading()
        published = 0
        while not client.closed:
            assert client.client.transport.unsent <= limit
            other.send("PUBLISH", "c", "x" * 10_000)
            await main.settle()
            published += 1
        assert 290 < published < 310
        assert main.parts.stats.output_limit_disconnections == 1


async def test_what_one_has_left_unread_comes_in_order(shards: int) -> None:
    async with house(shards) as main:
        client, other = await listen(main, "/subscribe/c"), main.connect()
        taken(client)
        client.stop_reading()
        for number in range(3000):
            other.send("PUBLISH", "c", f"{number:01000d}")
        await main.settle()
        client.read()
        await main.settle()
        assert events(client) == "".join(f"data: message,c,{number:01000d}\n\n" for number in range(3000))


async def test_client_kill_and_list(shards: int) -> None:
    async with house(shards) as main:
        client, other = await listen(main, "/subscribe/c"), main.connect()
        other.send("CLIENT", "LIST", "TYPE", "pubsub")
        await main.settle()
        (line,) = other.replies()
        assert b" flags=P " in line
        assert b" cmd=subscribe " in line
        other.send("CLIENT", "KILL", "TYPE", "pubsub")
        await main.settle()
        assert other.replies() == [1]
        assert client.closed


async def test_it_is_not_idle(shards: int) -> None:
    async with house(shards, timeout="10") as main:
        client, idle = await listen(main, "/subscribe/c"), main.connect_http()
        await main.advance(12_000)
        assert idle.closed
        assert not client.closed


async def test_the_end_of_the_server_ends_it_well(shards: int) -> None:
    async with house(shards) as main:
        client = await listen(main, "/subscribe/c")
        assert not main.server.busy
        with main.poller.round():
            client.client.finish()
            client.client.transport.close(after_writing=True)
        assert taken(client)[2]
        assert client.closed


async def test_the_end_of_the_server_for_one_who_reads_slowly(shards: int) -> None:
    async with house(shards) as main:
        client, other = await listen(main, "/subscribe/c"), main.connect()
        client.stop_reading()
        for _ in range(10):
            other.send("PUBLISH", "c", "x" * 10_000)
        await main.settle()
        with main.poller.round():
            client.client.finish()
            client.client.transport.close(after_writing=True)
        while not client.closed:
            client.read(20_000)
            await main.settle()
        _, data, ended = taken(client)
        assert data.count("data: message,c,") == 10
        assert ended


async def test_http_1_0(shards: int) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        client.send_raw(b"GET /subscribe/c HTTP/1.0\r\n\r\n")
        await main.settle()
        await publish(main, "c", "m")
        head, _, body = client.received().partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head.lower()
        assert body == b"data: subscribe,c,1\n\ndata: message,c,m\n\n"


async def test_requests_behind_it_wait_for_ever(shards: int) -> None:
    """And do not make it end: only the client ends it."""
    async with house(shards) as main:
        client = await listen(main, "/subscribe/c")
        taken(client)
        client.send_raw(http_request("GET", "/ping"))
        await main.settle()
        assert client.received() == b""
        assert not main.server.busy
        client.end()
        await main.settle()
        assert client.closed
