"""What a client may cost, and what the server counts of it."""

from __future__ import annotations

import pytest

from tests.support.house import House, house
from tests.support.http import http_request, http_responses

pytestmark = pytest.mark.trio


async def info(main: House, section: str) -> dict[str, str]:
    client = main.connect()
    client.send("INFO", section)
    await main.settle()
    (reply,) = client.replies()
    client.break_()
    await main.settle()
    return dict(line.split(":", 1) for line in reply.decode().splitlines() if ":" in line)


async def test_one_client_too_many_is_turned_away() -> None:
    async with house(1, maxclients="1") as main:
        main.connect_http()
        sock = main.knock_at_http()
        (response,) = http_responses(bytes(sock.sent))
        assert response.status == 503
        assert response.error == "ERR max number of clients reached"
        assert response.headers["connection"] == "close"
        assert sock.closed
        assert main.parts.stats.rejected == 1
        assert main.parts.stats.connections == 2


async def test_protected_mode() -> None:
    async with house() as main:
        sock = main.knock_at_http("10.0.0.1:1")
        (response,) = http_responses(bytes(sock.sent))
        assert response.status == 403
        assert response.error.startswith("DENIED")
        assert sock.closed


async def test_with_a_password_others_are_let_in() -> None:
    async with house(1, requirepass="secret") as main:
        client = main.connect_http("10.0.0.1:1")
        client.ask("GET", "/ping", authorization="Bearer secret")
        await main.settle()
        assert client.response().result == "PONG"


async def test_an_idle_client_is_disconnected() -> None:
    async with house(1, timeout="10") as main:
        silent, talking, waiting = main.connect_http(), main.connect_http(), main.connect_http()
        waiting.post("BLPOP", "l", "0")
        for _ in range(3):
            await main.advance(5000)
            talking.post("PING")
            await main.settle()
        assert silent.closed
        assert silent.received() == b""
        assert len(talking.responses()) == 3
        assert not waiting.closed


@pytest.mark.parametrize(
    "sent",
    [b"G", b"GET /ping HTTP/1.1\r\nHost: h\r\n", http_request("PUT", "/set/k", b"value")[:-1]],
    ids=["a byte", "a head", "a body"],
)
async def test_a_request_has_to_be_complete_in_time(sent: bytes) -> None:
    async with house() as main:
        client = main.connect_http()
        client.send_raw(sent)
        await main.settle()
        await main.advance(59_999)
        assert client.received() == b""
        await main.advance(1)
        response = client.response()
        assert response.status == 408
        assert response.error == "ERR the request was not complete in time"
        assert response.headers["connection"] == "close"
        client.end()
        await main.settle()
        assert client.closed
        assert main.next_alarm() is None


async def test_dribbling_does_not_give_more_time() -> None:
    async with house(1, http_request_timeout="10") as main:
        client = main.connect_http()
        for byte in b"GET /ping HT":
            client.send_raw(bytes([byte]))
            await main.settle()
            await main.advance(1000)
        assert client.response().status == 408


@pytest.mark.parametrize("head", ["/ping", "/%zz", "/health"])
async def test_a_request_that_came_in_two_pieces_is_not_timed_any_more(head: str) -> None:
    """Answered or refused: whatever comes later has a time of its own."""
    async with house() as main:
        client = main.connect_http()
        request = http_request("GET", head)
        client.send_raw(request[:-2])
        main.turn()
        client.send_raw(request[-2:])
        await main.settle()
        assert len(client.responses()) == 1
        assert main.next_alarm() is None
        await main.advance(59_000)
        client.send_raw(request[:-2])
        await main.advance(2000)
        assert client.received() == b""
        client.send_raw(request[-2:])
        await main.settle()
        assert len(client.responses()) == 1


async def test_no_time_for_requests() -> None:
    async with house(1, http_request_timeout="0") as main:
        client = main.connect_http()
        client.send_raw(b"GET /")
        await main.settle()
        assert main.next_alarm() is None


@pytest.mark.parametrize("pieces", [1, 20])
async def test_a_head_that_is_too_large(pieces: int) -> None:
    async with house() as main:
        client = main.connect_http()
        head = b"GET /" + b"x" * 100_000
        step = len(head) // pieces
        for at in range(0, len(head), step):
            client.send_raw(head[at : at + step])
        await main.settle()
        assert client.response().status == 431


async def test_bodies_that_are_too_large() -> None:
    async with house(1, client_query_buffer_limit="1mb") as main:
        client = main.connect_http()
        client.send_raw(http_request("PUT", "/set/k", b"", content_length=str((1 << 20) + 1)))
        await main.settle()
        assert client.response().status == 413
        chunked = main.connect_http()
        chunked.send_raw(b"PUT /set/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(17):
            chunked.send_raw(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await main.settle()
        assert chunked.response().status == 413
        assert chunked.client.input.buffered == 0
        exact = main.connect_http()
        exact.send_raw(http_request("PUT", "/set/k", b"x" * (1 << 20)))
        await main.settle()
        assert exact.response().result == "OK"


async def test_a_body_is_no_larger_than_a_string_may_be() -> None:
    async with house(1, proto_max_bulk_len="1mb") as main:
        client = main.connect_http()
        client.send_raw(http_request("PUT", "/set/k", b"", content_length=str((1 << 20) + 1)))
        await main.settle()
        assert client.response().status == 413


async def test_a_body_in_tiny_chunks_takes_no_more_than_its_size() -> None:
    async with house() as main:
        client = main.connect_http()
        client.send_raw(b"PUT /set/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send_raw(b"1\r\nx\r\n" * 5000)
        main.turn()
        main.turn()
        assert client.client.input.buffered == 5000
        client.send_raw(b"0\r\n\r\n")
        await main.settle()
        assert client.response().result == "OK"


async def test_a_refused_client_may_not_go_on_sending_for_ever() -> None:
    async with house(1, client_query_buffer_limit="1mb") as main:
        flooding, silent = main.connect_http(), main.connect_http()
        for client in (flooding, silent):
            client.send_raw(http_request("PUT", "/set/k", b"", content_length="5000000"))
        await main.settle()
        flooding.send_raw(*[b"x" * 65536] * 17)
        await main.settle()
        assert flooding.response().status == 413
        assert flooding.closed
        assert silent.socket.output_ended  # a client that reads to the end has all of it now
        assert not silent.closed
        await main.advance(2000)
        assert silent.closed
        assert not main.parts.registry.all()


async def test_a_response_that_is_refused_is_sent_though_the_client_has_ended() -> None:
    async with house(1, client_query_buffer_limit="1mb") as main:
        client = main.connect_http()
        client.stop_reading()
        client.send_raw(http_request("PUT", "/set/k", b"", content_length="5000000"))
        await main.settle()
        client.end()
        await main.settle()
        client.read()
        await main.settle()
        assert client.response().status == 413
        assert client.closed


async def test_a_pipeline_is_under_way_no_further_than_the_window() -> None:
    async with house(1, client_max_unanswered="100") as main:
        client = main.connect_http()
        client.post(*[["INCR", "n"]] * 5000, to="/pipeline")
        most = 0
        while main.turn() or main.shards[0].work() or not client.socket.sent:
            most = max(most, client.client.outbox.unanswered)
        assert most == 100
        assert client.response().json[-1] == {"result": 5000}


async def test_congestion_of_a_shard_holds_requests_back() -> None:
    async with house(2, shard_queue_limit="100000") as main:
        blocker = main.connect()
        blocker.send("RENAME", "a", "b")  # a barrier, so that queues fill
        main.turn()
        flood = [main.connect_http() for _ in range(5)]
        for client in flood:
            client.send_raw(http_request("PUT", "/set/a", b"v" * 60_000))
            main.turn()
        assert main.parts.congestion.active
        late = main.connect_http()
        late.post("GET", "a")
        main.turn()
        await main.settle()
        assert {client.response().result for client in flood} == {"OK"}
        assert late.response().result == "v" * 60_000


async def test_what_is_counted() -> None:
    async with house() as main:
        before = main.parts.stats.bytes_in, main.parts.stats.bytes_out, main.parts.stats.commands
        client = main.connect_http()
        sent = http_request("GET", "/set/k/v") + http_request("POST", "/pipeline", [["GET", "k"], ["HELLO"]])
        client.send_raw(sent)
        await main.settle()
        received = client.received()
        stats = main.parts.stats
        assert stats.connections == 1
        assert stats.bytes_in - before[0] == len(sent)
        assert stats.bytes_out - before[1] == len(received)
        assert stats.commands - before[2] == 2
        assert main.parts.registry.all() == [client.client]


async def test_errors_are_counted_once_each_whoever_answers_with_them() -> None:
    async with house(3, requirepass="secret") as main:
        client = main.connect_http()
        token = {"authorization": "Bearer secret"}
        client.ask("GET", "/ping")  # NOAUTH
        client.ask("GET", "/ping", authorization="Bearer wrong")  # WRONGPASS
        client.ask("GET", "/get", **token)  # ERR, of a command
        client.ask("GET", "/hello", **token)  # ERR, refused
        client.ask("POST", "/pipeline", [["QUIT"], ["LPUSH", "k", "v"], ["GET", "k"]], **token)  # ERR, WRONGTYPE
        client.ask("POST", "/multi-exec", [["NOSUCH"]], **token)  # ERR and EXECABORT
        client.ask("GET", "/%zz", **token)  # ERR
        await main.settle()
        assert len(client.responses()) == 7
        stats = main.connect_http()
        stats.ask("GET", "/info/errorstats", **token)
        await main.settle()
        lines = [line for line in stats.response().result.splitlines() if line.startswith("errorstat_")]
        assert dict(line.removeprefix("errorstat_").split(":") for line in lines) == {
            "NOAUTH": "count=1",
            "WRONGPASS": "count=1",
            "ERR": "count=5",
            "EXECABORT": "count=1",
            "WRONGTYPE": "count=1",
        }


async def test_one_who_takes_no_responses_does_not_pile_them_up() -> None:
    """Refusals, which no command stands behind, count as well."""
    async with house() as main:
        client = main.connect_http()
        client.stop_reading()
        requests = http_request("GET", "/%zz") * 1000
        client.send_raw(*[requests] * 8)
        await main.settle()
        assert client.socket.chunks  # the rest is left to TCP
        assert client.client.transport.unsent < (1 << 20) + (1 << 19)
        client.read()
        await main.settle()
        assert client.received().count(b"HTTP/1.1 400 Bad Request\r\n") == 8000
        client.post("PING")
        await main.settle()
        assert client.response().result == "PONG"
