"""Replies that do not fit into one piece: chunks, clients that take them slowly, and what main holds meanwhile."""

from __future__ import annotations

import json

import pytest

from tests.support.house import House, HttpPeer, house
from tests.support.http import dechunked, http_request
from tests.support.resp import pack

pytestmark = pytest.mark.trio


async def fill(main: House, *, elements: int = 0, size: int = 0) -> None:
    """A list `l` of so many elements, a string `s` of that size."""
    client = main.connect()
    if elements:
        client.send_raw(pack(("RPUSH", "l", *range(elements))))
    client.send("SET", "s", "v" * size)
    await main.settle()


async def ask(main: House, client: HttpPeer, *rows: list[str]) -> None:
    client.post(*rows, to="/pipeline")
    await main.settle()


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("encoding", ["", "base64"])
async def test_a_long_array_comes_in_chunks(shards: int, encoding: str) -> None:
    async with house(shards) as main:
        await fill(main, elements=20_000)
        client = main.connect_http()
        client.post("LRANGE", "l", "0", "-1", upstash_encoding=encoding)
        await main.settle()
        response = client.response()
        assert response.headers["transfer-encoding"] == "chunked"
        assert len(response.result) == 20_000
        if not encoding:
            assert response.result == [str(number) for number in range(20_000)]


async def test_a_small_reply_has_its_length() -> None:
    async with house() as main:
        client = main.connect_http()
        client.ask("GET", "/ping")
        await main.settle()
        assert client.response().headers["content-length"] == "17"


async def test_a_large_string_is_a_few_rounds_work() -> None:
    """Cut into portions without copying what is left of it each time."""
    async with house() as main:
        await fill(main, size=20 << 20)
        client = main.connect_http()
        client.ask("GET", "/get/s")
        await main.settle()
        assert client.response().result == "v" * (20 << 20)


async def test_while_one_gets_a_large_reply_others_have_their_turns() -> None:
    async with house() as main:
        await fill(main, elements=100_000)
        client, other = main.connect_http(), main.connect()
        client.post("LRANGE", "l", "0", "-1")
        rounds = 0
        while main.turn() or main.shards[0].work() or not client.socket.sent.endswith(b"\r\n0\r\n\r\n"):
            other.send("PING")
            rounds += 1
            main.turn()
            assert other.replies() == ["PONG"]
        assert rounds > 5
        assert len(client.response().result) == 100_000


async def test_a_pipeline_of_large_replies_goes_on_by_itself() -> None:
    """Replies that wait to become a body hold commands back; that they have become one lets them go on, even though
    the kernel takes all at once, so that no event of the socket tells of it.
    """
    async with house(1, client_output_pause="10000") as main:
        await fill(main, size=100_000)
        client = main.connect_http()
        await ask(main, client, *[["GET", "s"]] * 200)
        assert [row["result"] for row in client.response().json] == ["v" * 100_000] * 200


async def test_one_who_reads_all_is_not_cut_off_by_the_soft_limit() -> None:
    async with house(1, client_output_buffer_limit="normal 0 100000 10") as main:
        await fill(main, size=1_000_000)
        client = main.connect_http()
        await ask(main, client, ["GET", "s"])
        await main.advance(10_001)
        assert not client.closed
        assert client.response().status == 200


async def test_the_hard_limit_counts_what_is_no_response_yet() -> None:
    async with house(1, client_output_buffer_limit="normal 2000000 0 0") as main:
        await fill(main, elements=200_000)
        client = main.connect_http()
        client.stop_reading()
        client.post("LRANGE", "l", "0", "-1")
        await main.settle()
        assert client.closed


async def test_the_commands_of_one_who_does_not_read_wait() -> None:
    """As many replies as client-output-pause, and what was under way when it was reached."""
    async with house(1, client_output_pause="1000000", client_max_unanswered="4") as main:
        await fill(main, size=1_000_000)
        client, other = main.connect_http(), main.connect()
        client.stop_reading()
        await ask(main, client, *[["GET", "s"]] * 40)
        other.send("CLIENT", "LIST", "ID", client.client.id)
        await main.settle()
        (line,) = other.replies()
        omem = int(line.partition(b" omem=")[2].split()[0])
        assert 1_000_000 < omem < 8_000_000
        client.read()
        await main.settle()
        assert [row["result"] for row in client.response().json] == ["v" * 1_000_000] * 40


async def test_a_body_is_not_made_faster_than_it_is_taken() -> None:
    """JSON may be several times the size of the reply: while a megabyte is unsent, no more is made."""
    async with house() as main:
        client = main.connect_http()
        client.ask("PUT", "/set/s", b"\x01" * 1000)
        await main.settle()
        client.received()
        client.stop_reading()
        client.post(*[["GET", "s"]] * 5000, to="/pipeline")
        await main.settle()
        for _ in range(500):
            client.read(100)
            main.turn()
            assert client.client.transport._transport.unsent < (1 << 20) + 6 * (1 << 16) + (1 << 16)
        client.read()
        await main.settle()
        assert [row["result"] for row in client.response().json] == ["\x01" * 1000] * 5000


async def test_a_slow_reader_gets_everything() -> None:
    async with house(3) as main:
        await fill(main, elements=30_000, size=300_000)
        client = main.connect_http()
        client.stop_reading()
        rows = [["LRANGE", "l", "0", "-1"], ["GET", "s"], ["HELLO"], ["GET", "none"]]
        client.send_raw(http_request("POST", "/pipeline", rows) + http_request("GET", "/ping"))
        await main.settle()
        for _ in range(100):
            client.read(10_000)
            await main.settle()
        client.read()
        await main.settle()
        large, ping = client.responses()
        numbers, string, refused, nothing = large.json
        assert numbers == {"result": [str(number) for number in range(30_000)]}
        assert string == {"result": "v" * 300_000}
        assert refused == {"error": "ERR HELLO is not available over HTTP"}
        assert nothing == {"result": None}
        assert ping.result == "PONG"


async def test_one_who_breaks_off_in_the_middle_is_forgotten() -> None:
    async with house() as main:
        await fill(main, elements=100_000)
        client = main.connect_http()
        client.stop_reading()
        client.post("LRANGE", "l", "0", "-1")
        await main.settle()
        client.break_()
        await main.settle()
        assert client.closed
        assert len(main.parts.registry) == 1


async def test_the_server_ends_in_the_middle_of_a_response() -> None:
    """What has been answered is sent, as long as the client takes it; it ends with the last chunk."""
    async with house() as main:
        await fill(main, elements=100_000)
        client = main.connect_http()
        client.socket.room = 100_000
        client.post("LRANGE", "l", "0", "-1")
        await main.settle()
        assert main.server.busy
        with main.poller.round():
            client.client.finish()
            client.client.transport.close(after_writing=True)
        client.read()
        await main.settle()
        assert client.closed
        _head, _, body = client.received().partition(b"\r\n\r\n")
        data, _, ended = dechunked(body)
        assert ended
        assert len(json.loads(data)["result"]) == 100_000
