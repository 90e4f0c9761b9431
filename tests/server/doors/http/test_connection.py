"""One connection: requests one after the other, in pieces, at once, and its end."""

from __future__ import annotations

import pytest

from tests.support.house import house
from tests.support.http import http_request, http_responses

pytestmark = [pytest.mark.trio, pytest.mark.parametrize("shards", [1, 3])]


async def test_a_request_byte_by_byte(shards: int) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        request = http_request("POST", "/", ["SET", "k", "v"])
        client.send_raw(*[request[at : at + 1] for at in range(len(request))])
        await main.settle()
        assert client.response().result == "OK"


@pytest.mark.parametrize("count", [2, 3, 50])
async def test_requests_that_come_at_once_are_answered_in_order(shards: int, count: int) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        client.send_raw(b"".join(http_request("POST", "/", ["APPEND", "k", "x"]) for _ in range(count)))
        await main.settle()
        assert [response.result for response in client.responses()] == list(range(1, count + 1))
        client.post("PING")
        await main.settle()
        assert client.response().result == "PONG"


async def test_those_answered_at_once_wait_for_those_before_them(shards: int) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        refused = http_request("GET", "/%zz")
        client.send_raw(refused + http_request("GET", "/get/k") + refused + refused + http_request("GET", "/ping"))
        await main.settle()
        assert [response.status for response in client.responses()] == [400, 200, 400, 400, 200]


async def test_requests_cut_anywhere(shards: int) -> None:
    requests = http_request("POST", "/", ["SET", "k", "v"]) + http_request("GET", "/get/k") + http_request("GET", "/%")
    async with house(shards) as main:
        for at in range(1, len(requests)):
            client = main.connect_http()
            client.send_raw(requests[:at])
            main.turn()
            client.send_raw(requests[at:])
            await main.settle()
            assert [response.status for response in client.responses()] == [200, 200, 400], at
            client.break_()
            main.turn()


@pytest.mark.parametrize("target", ["/%zz", "*", "/get/k", "/get", "/health", "/pipeline"])
async def test_head_has_no_body_whatever_is_asked(shards: int, target: str) -> None:
    """A body would be read as the head of the next response."""
    async with house(shards) as main:
        client = main.connect_http()
        client.send_raw(http_request("HEAD", target) + http_request("GET", "/ping"))
        await main.settle()
        head, ping = client.responses(heads=1)
        assert head.body == b""
        assert int(head.headers["content-length"]) > 0
        assert ping.result == "PONG"


async def test_head_of_a_large_reply(shards: int) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        client.post("SET", "k", "v" * 200_000)
        await main.settle()
        client.received()
        client.send_raw(http_request("HEAD", "/get/k") + http_request("GET", "/ping"))
        await main.settle()
        _head, ping = client.responses(heads=1)
        assert ping.result == "PONG"


async def test_half_closed_clients_get_all_answers(shards: int) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        client.send_raw(b"".join(http_request("GET", "/incr/n") for _ in range(5)))
        client.end()
        await main.settle()
        assert [response.result for response in client.responses()] == [1, 2, 3, 4, 5]
        assert client.closed
        assert not main.parts.registry.all()


@pytest.mark.parametrize("part", [0, 10, 60])
async def test_half_of_a_request_is_not_answered(shards: int, part: int) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        client.send_raw(http_request("POST", "/", ["SET", "k", "v"])[:part])
        client.end()
        await main.settle()
        assert client.closed
        assert client.received() == b""


async def test_connection_close_ends_it_after_the_response(shards: int) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        client.send_raw(http_request("GET", "/incr/n", connection="close") + http_request("GET", "/incr/n"))
        await main.settle()
        response = client.response()
        assert response.result == 1
        assert response.headers["connection"] == "close"
        assert client.closed


@pytest.mark.parametrize("target", ["/ping", "/%zz"])
async def test_what_follows_the_last_request_does_not_cost_its_response(shards: int, target: str) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        client.stop_reading()
        client.send_raw(http_request("GET", target, connection="close") + b"\r\nrubbish")
        await main.settle()
        client.read()
        await main.settle()
        assert len(client.responses()) == 1
        assert client.closed


async def test_http_1_0(shards: int) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        client.send_raw(b"GET /ping HTTP/1.0\r\n\r\n")
        await main.settle()
        assert client.response().result == "PONG"
        assert client.closed
        # A large reply has no chunks there: it ends with the connection.
        client = main.connect_http()
        client.post("RPUSH", "l", *range(20_000))
        await main.settle()
        client.received()
        client.send_raw(b"GET /lrange/l/0/-1 HTTP/1.0\r\n\r\n")
        await main.settle()
        response = client.response()
        assert "transfer-encoding" not in response.headers
        assert response.result == [str(number) for number in range(20_000)]
        assert client.closed


async def test_expect_100_continue(shards: int) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        request = http_request("POST", "/", ["SET", "k", "v"], expect="100-continue")
        head, _, body = request.partition(b"\r\n\r\n")
        client.send_raw(head + b"\r\n\r\n")
        await main.settle()
        assert client.response().status == 100
        client.send_raw(body)
        await main.settle()
        assert client.response().result == "OK"


async def test_a_refused_body_is_not_asked_for(shards: int) -> None:
    async with house(shards, requirepass="secret") as main:
        client = main.connect_http()
        client.send_raw(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
        await main.settle()
        assert client.response().status == 401


@pytest.mark.parametrize(
    "fields",
    [
        b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        b"Content-Length: 3\r\nContent-Length: 4\r\n",
        b"Content-Length: x\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Host: again\r\n",
        b"No-Colon\r\n",
    ],
)
async def test_ambiguous_requests_are_refused_and_hung_up_on(shards: int, fields: bytes) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        client.send_raw(
            b"POST /set/k HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\n0\r\n\r\nGET /set/k/smuggled HTTP/1.1\r\n"
        )
        await main.settle()
        response = client.response()
        assert response.status in (400, 501)
        assert response.headers["connection"] == "close"
        await main.advance(2000)
        assert client.closed


async def test_other_versions(shards: int) -> None:
    async with house(shards) as main:
        for head, status in [(b"GET / HTTP/3.1\r\nHost: h\r\n\r\n", 505), (b"PING\r\n", 400), (b"\x16\x03\x01", 400)]:
            client = main.connect_http()
            client.send_raw(head)
            await main.settle()
            assert client.response().status == status


async def test_a_refused_request_with_bad_chunks_is_refused_all_the_same(shards: int) -> None:
    async with house(shards, requirepass="secret") as main:
        client = main.connect_http()
        client.send_raw(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")
        await main.settle()
        assert client.response().status == 401
        await main.advance(2000)
        assert client.closed


async def test_a_chunked_body(shards: int) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        client.send_raw(
            b"PUT /set/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"2;x=y\r\n"
        )
        client.send_raw(b"de\r\n0\r\nTrailer: x\r\n\r\n" + http_request("GET", "/get/k"))
        await main.settle()
        assert [response.result for response in client.responses()] == ["OK", "abcde"]


async def test_state_ends_with_the_request(shards: int) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        rows = [["SELECT", "3"], ["SET", "k", "v"], ["CLIENT", "SETNAME", "me"], ["CLIENT", "GETNAME"]]
        client.post(*rows, to="/pipeline")
        await main.settle()
        assert client.response().json == [{"result": "OK"}, {"result": "OK"}, {"result": "OK"}, {"result": "me"}]
        client.post(["GET", "k"], ["CLIENT", "GETNAME"], ["CLIENT", "NO-EVICT", "on"], to="/pipeline")
        await main.settle()
        assert client.response().json == [{"result": None}, {"result": None}, {"result": "OK"}]
        assert not client.client.no_evict


async def test_an_error_of_a_dialect_costs_that_client_only(shards: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(shards) as main:
        unlucky, other = main.connect_http(), main.connect_http()
        monkeypatch.setattr("respcache.server.doors.http.upstash._parameters", lambda _request: 1 // 0)
        unlucky.ask("GET", "/ping")
        other.post("PING")
        await main.settle()
        assert unlucky.closed
        assert other.response().result == "PONG"
        # The same where it is found out later: by a request that waited.
        late = main.connect_http()
        late.send_raw(http_request("POST", "/", ["PING"]) + http_request("GET", "/ping"))
        await main.settle()
        assert late.response().result == "PONG"
        assert late.closed
        assert main.parts.registry.all() == [other.client]


async def test_an_error_of_what_writes_replies_costs_that_client_only(
    shards: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(shards) as main:
        unlucky, other = main.connect_http(), main.connect()
        monkeypatch.setattr("respcache.server.doors.http.replies.JsonReplies._integer", lambda *_: 1 // 0)
        unlucky.post("INCR", "n")
        other.send("GET", "n")
        await main.settle()
        assert unlucky.closed
        assert other.replies() == [b"1"]


async def test_an_error_of_a_coroutine_is_a_500(shards: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_parts: object) -> bytes:
        raise RuntimeError("a bug")

    async with house(shards) as main:
        client = main.connect_http()
        monkeypatch.setattr("respcache.server.doors.http.observation.metrics", fail)
        client.send_raw(http_request("GET", "/metrics") + http_request("GET", "/ping"))
        await main.settle()
        failed, ping = client.responses()
        assert failed.status == 500
        assert failed.error
        assert ping.result == "PONG"


async def test_a_shard_that_dies_costs_its_requests_an_error(shards: int) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        client.post("INCR", "n")
        main.turn()
        shard = next(shard for shard in main.shards if shard.take())
        shard.die()
        await main.settle()
        response = client.response()
        assert response.status == 400
        assert "shard" in response.error
        client.post("INCR", "n")
        await main.settle()
        assert client.response().result == 1


async def test_nothing_of_a_connection_is_left_when_it_breaks(shards: int) -> None:
    async with house(shards) as main:
        for sent in [b"", b"GET", http_request("POST", "/", ["BLPOP", "l", 0]), http_request("GET", "/subscribe/c")]:
            client = main.connect_http()
            client.send_raw(sent)
            await main.settle()
            client.break_()
            await main.settle()
            assert not main.parts.registry.all()
            assert main.next_alarm() is None
        other = main.connect()
        other.send("PUBSUB", "NUMSUB", "c")
        await main.settle()
        assert other.replies() == [[b"c", 0]]


async def test_what_it_prints_of_itself(shards: int) -> None:
    async with house(shards) as main:
        client, other = main.connect_http(), main.connect()
        client.send_raw(http_request("POST", "/", ["CLIENT", "INFO"]))
        await main.settle()
        line = client.response().result
        assert " cmd=client|info " in line
        assert " addr=127.0.0.1:50000 laddr=127.0.0.1:8079 " in line
        client.send_raw(http_request("PUT", "/set/k", b"x" * 5000)[:-1000])
        main.turn()
        other.send("CLIENT", "LIST", "ID", client.client.id)
        await main.settle()
        (listed,) = other.replies()
        assert b" qbuf=4000 " in listed
        assert b" omem=0 " in listed


async def test_client_kill(shards: int) -> None:
    async with house(shards) as main:
        client, idle = main.connect_http(), main.connect_http()
        client.post("CLIENT", "KILL", "ID", str(idle.client.id))
        await main.settle()
        assert client.response().result == 1
        assert idle.closed
        assert idle.received() == b""
        client.post("CLIENT", "KILL", "ID", str(client.client.id), "SKIPME", "no")
        await main.settle()
        response = client.response()
        assert response.result == 1
        assert client.closed


async def test_dates(shards: int) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        dates = []
        for _ in range(2):
            client.post("PING")
            await main.settle()
            dates.append(client.response().headers["date"])
            await main.advance(1000)
        assert dates == ["Tue, 14 Nov 2023 22:13:20 GMT", "Tue, 14 Nov 2023 22:13:21 GMT"]


async def test_tokens_of_synchronization_differ(shards: int) -> None:
    async with house(shards) as main:
        client = main.connect_http()
        client.send_raw(http_request("GET", "/ping", upstash_sync_token="") * 3)
        await main.settle()
        tokens = {response.headers["upstash-sync-token"] for response in http_responses(client.received())}
        assert len(tokens) == 3
