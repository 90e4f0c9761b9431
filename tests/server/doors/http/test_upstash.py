"""Upstash's REST API, by a client of HTTP that is not ours, over sockets."""

from __future__ import annotations

import http.client
import json
import re
import socket
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import pytest

from respcache.testing import Server
from tests.support.http import http_request, http_responses
from tests.support.resp import Connection
from tests.support.waiting import eventually


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["Content-Type"] == "application/json"
        return json.loads(self.body)


class Rest:
    """A client that keeps its connection."""

    def __init__(self, server: Server) -> None:
        port = int(server.rest_url.rpartition(":")[2])
        self.address = ("127.0.0.1", port)
        self.connection = http.client.HTTPConnection(*self.address, timeout=20)
        self.connection.connect()
        assert self.connection.sock is not None
        self._port = self.connection.sock.getsockname()[1]

    def ask(self, method: str, target: str, body: Any = None, **headers: str) -> Answer:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, target, data, fields)
        response = self.connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    def __call__(self, *words: Any, **headers: str) -> Any:
        """The result of a command."""
        answer = self.ask("POST", "/", list(words), **headers)
        assert answer.status == 200, answer
        assert list(answer.json) == ["result"]
        return answer.json["result"]

    def error(self, *words: Any) -> str:
        answer = self.ask("POST", "/", list(words))
        assert answer.status == 400, answer
        assert list(answer.json) == ["error"]
        return str(answer.json["error"])

    def several(self, *rows: Any, to: str = "/pipeline", **headers: str) -> Any:
        answer = self.ask("POST", to, list(rows), **headers)
        assert answer.status == 200, answer
        return answer.json

    def close(self) -> None:
        self.connection.close()

    def stayed(self) -> bool:
        """True if it has all been one connection."""
        return self.connection.sock is not None and self.connection.sock.getsockname()[1] == self._port


@pytest.fixture(scope="module", params=[1, 3], ids=["1-shard", "3-shards"])
def started(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(shards=request.param, http=True) as server:
        yield server


@pytest.fixture
def rest(started: Server) -> Iterator[Rest]:
    started.reset()
    with closing(Rest(started)) as client:
        yield client


class TestPaths:
    def test_commands(self, rest: Rest) -> None:
        assert rest.ask("GET", "/set/foo/bar").json == {"result": "OK"}
        assert rest.ask("GET", "/get/foo").body == b'{"result":"bar"}'
        assert rest.ask("POST", "/SET/foo/baz/EX/100").json == {"result": "OK"}
        assert rest.ask("PUT", "/ttl/foo").json == {"result": 100}
        assert rest.ask("GET", "/zadd/teams/100/team-x/90/team-y").json == {"result": 2}
        assert rest.ask("GET", "/mget/foo/none/teams").json == {"result": ["baz", None, None]}
        assert rest.stayed()

    def test_a_body_is_the_last_argument_before_parameters(self, rest: Rest) -> None:
        value = bytes(range(256))
        assert rest.ask("POST", "/set/k?EX=100&NX", value).json == {"result": "OK"}
        assert rest.ask("PUT", "/set/k?NX", b"other").json == {"result": None}
        assert b64decode(rest("GET", "k", upstash_encoding="base64")) == value
        assert rest("TTL", "k") == 100
        assert rest.ask("GET", "/set/k/json", b'["no", "argument"]').json == {"result": "OK"}
        assert rest("GET", "k") == "json"

    def test_json_as_a_value_stays_as_it_is(self, rest: Rest) -> None:
        rest.ask("POST", "/set/k", b'{"a": [1, null]}')
        assert rest("GET", "k") == '{"a": [1, null]}'

    def test_head(self, rest: Rest) -> None:
        answer = rest.ask("HEAD", "/incr/n")
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["Content-Length"] == str(len('{"result":1}'))
        assert rest("GET", "n") == "1"
        assert rest.stayed()

    @pytest.mark.parametrize("target", ["/", "/?a=b"])
    def test_nothing_asked(self, rest: Rest, target: str) -> None:
        for method in ("GET", "POST", "PUT"):
            answer = rest.ask(method, target)
            assert answer.status == 400
            assert answer.json == {"error": "ERR empty command"}

    @pytest.mark.parametrize("method", ["DELETE", "PATCH", "TRACE", "FOO"])
    def test_other_methods(self, rest: Rest, method: str) -> None:
        answer = rest.ask(method, "/set/k/v")
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET, HEAD, POST, PUT"
        assert list(answer.json) == ["error"]
        assert rest("GET", "k") is None
        assert rest.stayed()

    @pytest.mark.parametrize("target", ["/pipeline", "/multi-exec"])
    def test_lists_of_commands_come_in_bodies(self, rest: Rest, target: str) -> None:
        for method in ("GET", "HEAD"):
            answer = rest.ask(method, target)
            assert answer.status == 405
            assert answer.headers["Allow"] == "POST, PUT"
        assert rest.stayed()


class TestResults:
    def test_of_each_kind(self, rest: Rest) -> None:
        assert rest("SET", "s", "é") == "OK"
        assert rest("GET", "s") == "é"
        assert rest("GET", "none") is None
        assert rest("STRLEN", "s") == 2
        assert rest("RPUSH", "l", 1, 2.50, True) == 3
        assert rest("LRANGE", "l", 0, -1) == ["1", "2.5", "true"]
        assert rest("LRANGE", "none", 0, -1) == []
        assert rest("HSET", "h", "f", "v") == 1
        assert rest("HGETALL", "h") == ["f", "v"]
        assert rest("ZADD", "z", 1.5, "m") == 1
        assert rest("ZSCORE", "z", "m") == "1.5"
        assert rest("ZRANGE", "z", 0, -1, "WITHSCORES") == ["m", "1.5"]
        assert rest("SCAN", 0, "MATCH", "none*", "COUNT", 1000) == ["0", []]
        assert rest("TYPE", "l") == "list"
        assert rest("EVAL", "return {1, 'a', {ok='fine'}, {err='ERR x'}, {}, false}", 0) == [
            1,
            "a",
            "fine",
            {"error": "ERR x"},
            [],
            None,
        ]

    def test_large_numbers_keep_their_digits(self, rest: Rest) -> None:
        answer = rest.ask("POST", "/", b'["SET", "n", 9223372036854775806]')
        assert answer.status == 200
        assert rest("INCR", "n") == 9223372036854775807

    def test_errors(self, rest: Rest) -> None:
        assert rest.error("GET") == "ERR wrong number of arguments for 'get' command"
        assert rest.error("NOSUCH", "x").startswith("ERR unknown command 'NOSUCH'")
        rest("SET", "k", "v")
        assert rest.error("LPUSH", "k", "v").startswith("WRONGTYPE ")
        assert rest.error("EVALSHA", "0" * 40, 0) == "NOSCRIPT No matching script. Please use EVAL."
        assert rest.error("EVAL", 'return redis.error_reply("MINE \\"quoted\\"")', 0) == 'MINE "quoted"'
        assert rest.error("SET", "k", None) == "ERR the words of a command must be strings, numbers or booleans"
        assert rest.stayed()

    @pytest.mark.parametrize(
        "words",
        [
            ["SUBSCRIBE", "c"],
            ["multi"],
            ["EXEC"],
            ["WATCH", "k"],
            ["HELLO", "3"],
            ["AUTH", "x"],
            ["QUIT"],
            ["RESET"],
            ["MONITOR"],
        ],
    )
    def test_commands_of_connections(self, rest: Rest, words: list[str]) -> None:
        name = words[0].upper()
        refusal = f"ERR {name} is not available over HTTP"
        assert rest.error(*words) == refusal
        if name not in ("SUBSCRIBE", "MONITOR"):  # a stream
            assert rest.ask("GET", "/" + "/".join(words)).json == {"error": refusal}
        assert rest.several(["PING"], words, ["PING"]) == [{"result": "PONG"}, {"error": refusal}, {"result": "PONG"}]

    @pytest.mark.parametrize("subcommand", ["REPLY", "tracking", "CACHING"])
    def test_client_subcommands_of_connections(self, rest: Rest, subcommand: str) -> None:
        assert rest.error("CLIENT", subcommand, "OFF") == f"ERR CLIENT {subcommand.upper()} is not available over HTTP"
        assert rest("PING") == "PONG"

    def test_a_long_array(self, rest: Rest) -> None:
        count = 100_000
        assert rest("RPUSH", "l", *range(count)) == count
        answer = rest.ask("GET", "/lrange/l/0/-1")
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert answer.json == {"result": [str(number) for number in range(count)]}
        assert rest.stayed()

    def test_a_large_value(self, rest: Rest) -> None:
        value = "é" * 3_000_000
        assert rest("SET", "k", value) == "OK"
        assert rest("GET", "k") == value
        assert rest.stayed()


class TestFormats:
    def test_base64(self, rest: Rest) -> None:
        def encoded(text: str) -> str:
            return b64encode(text.encode()).decode()

        headers = {"upstash_encoding": "base64"}
        assert rest("SET", "k", "OK", **headers) == "OK"
        assert rest("GET", "k", **headers) == encoded("OK")
        assert rest("PING", **headers) == encoded("PONG")
        assert rest("MGET", "k", "none", **headers) == [encoded("OK"), None]
        assert rest("STRLEN", "k", **headers) == 2
        assert rest("GET", "none", **headers) is None
        assert rest.several(["SET", "k", "v"], ["GET", "k"], **headers) == [{"result": "OK"}, {"result": encoded("v")}]
        assert rest.several(["SET", "k", "w"], ["GET", "k"], to="/multi-exec", **headers) == [
            {"result": "OK"},
            {"result": encoded("w")},
        ]
        assert rest.ask("GET", "/lpush/k/v", **headers).json["error"].startswith("WRONGTYPE")

    def test_resp2(self, rest: Rest) -> None:
        headers = {"upstash_response_format": "resp2"}
        answer = rest.ask("GET", "/set/k/v", **headers)
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.body == b"+OK\r\n"
        assert rest.ask("GET", "/get/k", **headers).body == b"$1\r\nv\r\n"
        assert rest.ask("GET", "/mget/k/none", **headers).body == b"*2\r\n$1\r\nv\r\n$-1\r\n"
        failed = rest.ask("GET", "/get", **headers)
        assert failed.status == 400
        assert failed.body == b"-ERR wrong number of arguments for 'get' command\r\n"
        several = rest.ask("POST", "/pipeline", [["INCR", "n"], ["QUIT"], ["GET", "n"]], **headers)
        assert several.body == b":1\r\n-ERR QUIT is not available over HTTP\r\n$1\r\n1\r\n"

    @pytest.mark.parametrize(
        ("target", "headers"),
        [
            ("/incr/n", {"upstash_response_format": "resp3"}),
            ("/incr/n", {"upstash_response_format": "resp2", "upstash_encoding": "base64"}),
            ("/pipeline", {"upstash_response_format": "xml"}),
            ("/multi-exec", {"upstash_response_format": "resp2"}),
        ],
    )
    def test_combinations_that_are_refused(self, rest: Rest, target: str, headers: dict[str, str]) -> None:
        answer = rest.ask("POST", target, [["INCR", "n"]] if target != "/incr/n" else None, **headers)
        assert answer.status == 400
        assert list(answer.json) == ["error"]
        assert rest("GET", "n") is None


class TestPipeline:
    def test_results_and_errors(self, rest: Rest) -> None:
        rows = [["SET", "key1", "valuex"], ["SETEX", "key2", 13, "valuez"], ["INCR", "key1"], ["ZADD", "z", 11, "a"]]
        assert rest.several(*rows) == [
            {"result": "OK"},
            {"result": "OK"},
            {"error": "ERR value is not an integer or out of range"},
            {"result": 1},
        ]

    def test_empty(self, rest: Rest) -> None:
        assert rest.several() == []
        assert rest.several([]) == [{"error": "ERR empty command"}]
        assert rest.several(["QUIT"], ["SET", "k", None])[0] == {"error": "ERR QUIT is not available over HTTP"}

    @pytest.mark.parametrize("body", [b"", b"{}", b"[", b'["PING"]', b'[["INCR", "n"], 1]'])
    def test_what_is_no_list_of_commands(self, rest: Rest, body: bytes) -> None:
        for target in ("/pipeline", "/multi-exec"):
            answer = rest.ask("POST", target, body)
            assert answer.status == 400
            assert list(answer.json) == ["error"]
        assert rest("GET", "n") is None

    def test_a_long_one(self, rest: Rest) -> None:
        assert rest.several(*[["INCR", "n"]] * 20_000) == [{"result": number + 1} for number in range(20_000)]

    def test_a_database_is_selected_for_this_request_only(self, rest: Rest) -> None:
        assert rest.several(["SELECT", 1], ["SET", "k", "v"], ["GET", "k"])[2] == {"result": "v"}
        assert rest("GET", "k") is None


class TestTransaction:
    def test_results_and_errors(self, rest: Rest) -> None:
        rows = [["SET", "a", "x"], ["INCR", "a"], ["MGET", "a", "b", "c"], ["SET", "b", "y"]]
        assert rest.several(*rows, to="/multi-exec") == [
            {"result": "OK"},
            {"error": "ERR value is not an integer or out of range"},
            {"result": ["x", None, None]},
            {"result": "OK"},
        ]

    def test_empty(self, rest: Rest) -> None:
        assert rest.several(to="/multi-exec") == []

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            (["NOSUCH"], "unknown command 'NOSUCH'"),
            (["GET"], "wrong number of arguments for 'get' command"),
            (["QUIT"], "QUIT is not available over HTTP"),
            (["EXEC"], "EXEC is not available over HTTP"),
            ([], "empty command"),
            (["SET", "k", None], "must be strings, numbers or booleans"),
            (["RESPCACHE", "RESET"], "not allowed inside a transaction"),
        ],
    )
    def test_discarded(self, rest: Rest, row: list[Any], reason: str) -> None:
        answer = rest.ask("POST", "/multi-exec", [["INCR", "n"], row, ["INCR", "n"]])
        assert answer.status == 400
        assert list(answer.json) == ["error"]
        assert answer.json["error"].startswith("EXECABORT ")
        assert reason in answer.json["error"]
        assert rest("GET", "n") is None
        assert rest.several(["INCR", "n"], to="/multi-exec") == [{"result": 1}]


class TestConnections:
    def test_pipelined_requests(self, rest: Rest) -> None:
        with socket.create_connection(rest.address, timeout=20) as sock:
            count = 500
            requests = [http_request("POST", "/", ["APPEND", "k", "x"]) for _ in range(count)]
            sock.sendall(b"".join(requests))
            sock.shutdown(socket.SHUT_WR)
            data = b"".join(iter(lambda: sock.recv(1 << 16), b""))
        assert [response.result for response in http_responses(data)] == list(range(1, count + 1))

    def test_http_1_0(self, rest: Rest) -> None:
        with socket.create_connection(rest.address, timeout=20) as sock:
            sock.sendall(b"GET /ping HTTP/1.0\r\n\r\n")
            data = b"".join(iter(lambda: sock.recv(1 << 16), b""))
        head, _, body = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert body == b'{"result":"PONG"}'

    def test_a_stream(self, rest: Rest, started: Server) -> None:
        rest.connection.request("POST", "/subscribe/chat", "[]", {"Accept": "text/event-stream"})
        stream = rest.connection.getresponse()
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert stream.readline() == b"data: subscribe,chat,1\n"
        assert stream.readline() == b"\n"
        with closing(Rest(started)) as other:
            assert other.ask("POST", "/publish/chat/hello").json == {"result": 1}
        assert stream.readline() == b"data: message,chat,hello\n"
        stream.close()

    def test_one_too_many_reads_why(self, rest: Rest) -> None:
        rest("CONFIG", "SET", "maxclients", "1")
        connection = http.client.HTTPConnection(*rest.address, timeout=20)
        connection.request("GET", "/ping")
        response = connection.getresponse()
        assert response.status == 503
        assert json.loads(response.read()) == {"error": "ERR max number of clients reached"}
        connection.close()


@pytest.mark.parametrize("shards", [1, 3])
def test_the_end_of_the_server(shards: int) -> None:
    """What was asked is answered, a stream ends, and so does one who waits for what will not come."""
    with Server(shards=shards, http=True) as server, ExitStack() as opened:
        under_way, stream, blocked = (opened.enter_context(closing(Rest(server))) for _ in range(3))
        watcher = Connection(server.port)
        opened.callback(watcher.close)
        stream.connection.request("GET", "/subscribe/c")
        events = opened.enter_context(stream.connection.getresponse())
        assert events.readline() == b"data: subscribe,c,1\n"
        blocked.connection.request("GET", "/blpop/l/0")
        script = "local n = 0 for i = 1, 5000000 do n = n + 1 end return n"
        under_way.connection.request("POST", "/", json.dumps(["EVAL", script, 0]))
        assert eventually(lambda: {b"blpop", b"eval"} <= {*re.findall(rb" cmd=(\S+)", watcher.call("CLIENT", "LIST"))})
        server.stop()
        with under_way.connection.getresponse() as response:
            assert json.loads(response.read()) == {"result": 5_000_000}
        assert events.read() == b"\n"  # and the last chunk
        with pytest.raises(http.client.RemoteDisconnected):
            blocked.connection.getresponse()
