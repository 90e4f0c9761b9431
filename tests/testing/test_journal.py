"""`server.journal()`: the calls of clients, assertions about them with their messages, and the picture."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import signal
import threading
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import redis
import trio

from respcache.testing import Server
from respcache.testing.calls import Calls
from tests.support.cancelling import cancel_block
from tests.support.node import CLIENTS, tell
from tests.support.waiting import eventually

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "what-did-my-code-do.md"


@pytest.fixture(scope="module", params=[1, 3], ids=["1-shard", "3-shards"])
def running(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(shards=request.param) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.reset()
    return running


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def client(server: Server, request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    """Connected already, so that only what tests do is in the journal."""
    with server.client(decode_responses=True, protocol=request.param) as client:
        client.ping()
        yield client


def failure(assertion: Callable[[], object]) -> str:
    """The message of an assertion that has to fail, with the prompt of redis-cli for our address."""
    with pytest.raises(AssertionError) as caught:
        assertion()
    return str(caught.value)


def text(server: Server, *lines: str) -> str:
    return "\n".join(lines).replace("127.0.0.1:6379", f"127.0.0.1:{server.port}")


# -- what is there


def test_a_sequence_of_calls(server: Server, client: redis.Redis) -> None:
    with server.journal() as calls:
        client.set("user:1", "alice", ex=60)
        client.get("user:1")
        client.mget("user:1", "user:2")
    client.get("afterwards")
    assert len(calls) == 3
    assert [call.words for call in calls] == [
        ("SET", "user:1", "alice", "EX", "60"),
        ("GET", "user:1"),
        ("MGET", "user:1", "user:2"),
    ]
    assert (calls[0].name, calls[0].kind, calls[0].reply) == ("SET", "status", "OK")
    assert (calls[1].kind, calls[1].reply, calls[-1].reply) == ("string", "alice", "2")
    assert [call.name for call in calls[1:]] == ["GET", "MGET"]
    assert repr(calls) == "<3 calls>"
    assert (repr(calls.of("GET")), repr(calls.of("get", "Set"))) == ("<1 call>", "<2 calls>")
    assert len(calls.matching("GET", "user:*")) == 1
    assert calls.missing == 0


def test_calls_can_be_looked_at_within_the_block(server: Server, client: redis.Redis) -> None:
    with server.journal() as calls:
        assert len(calls) == 0
        client.get("a")
        calls.assert_called("GET", "a", times=1)
        client.get("a")
        calls.assert_called("GET", "a", times=2)


def test_a_call_that_waits_has_its_reply_later(server: Server, client: redis.Redis) -> None:
    with server.journal() as calls, server.client() as other:
        popping = threading.Thread(target=lambda: other.blpop(["k"], 0))
        popping.start()
        assert eventually(lambda: len(calls.of("BLPOP")) == 1)
        assert (calls.of("BLPOP")[0].kind, calls.of("BLPOP")[0].microseconds) == ("none", None)
        client.rpush("k", "x")
        popping.join()
        assert calls.of("BLPOP")[0].kind == "array"
    assert [call.name for call in calls] == ["BLPOP", "RPUSH"]


def test_handshakes_are_left_out(server: Server) -> None:
    """Whether a client connects anew is the business of its pool."""
    with server.journal() as calls, server.client(db=3, client_name="worker") as client:
        client.set("a", 1)
        client.client_setname("other")
        client.config_set("timeout", 0)
    assert [(call.name, call.client_name, call.db) for call in calls] == [("SET", "worker", 3), ("CONFIG", "other", 3)]
    assert {"HELLO", "SELECT", "CLIENT"} <= {call.name for call in calls.handshakes}
    assert calls.round_trips == 2
    assert len(calls.by("worker")) == 1
    assert len(calls.by(calls[0].client)) == 2
    calls.assert_called("config set", "timeout")
    calls.assert_no("CONFIG GET")
    calls.assert_no("CONFIG", "GET")


def test_time_is_the_servers(server: Server, client: redis.Redis) -> None:
    server.clock.freeze()
    now = server.clock.now()
    with server.journal() as calls:
        client.ping()
        server.clock.advance(3600)
        client.ping()
    first, second = calls
    assert (first.time - now).total_seconds() < 0.001
    assert 3600 <= (second.time - first.time).total_seconds() < 3600.01
    assert (second.real_time - first.real_time).total_seconds() < 60


def test_journals_within_each_other(server: Server, client: redis.Redis) -> None:
    with server.journal() as outer:
        client.get("a")
        with server.journal() as inner:
            client.get("b")
        client.get("c")
    assert [[call.words[1] for call in calls] for calls in (outer, inner)] == [["a", "b", "c"], ["b"]]


def test_a_block_that_fails_ends_it(server: Server, client: redis.Redis) -> None:
    def fail(within: Calls) -> None:
        client.get("a")
        raise ValueError(len(within))

    with pytest.raises(ValueError, match="1"), server.journal() as calls:
        fail(calls)
    assert len(calls) == 1
    assert server.latest_calls().endswith("GET a\n(nil)")
    client.get("b")
    assert server.latest_calls().endswith("GET a\n(nil)")


def test_bytes_that_are_no_text(server: Server, client: redis.Redis) -> None:
    with server.journal() as calls:
        client.set(b"\xff\x00", "ä\n\"'\\ ")
    assert calls[0].words[1].encode("utf-8", "surrogateescape") == b"\xff\x00"
    assert str(calls) == text(server, r'127.0.0.1:6379> SET "\xff\x00" "ä\n\"' + r"'\\ " + '"', "OK")
    calls.assert_called("SET", b"\xff\x00", "ä*")


def test_long_words_are_compared_as_far_as_they_go(server: Server, client: redis.Redis) -> None:
    with server.journal() as calls:
        client.set("a", "x" * 1000)
        client.mset({f"key:{number}": "v" for number in range(2000)})
    assert calls[0].sizes == {2: 1000}
    calls.assert_called("SET", "a", "x" * 1000)
    calls.assert_called("SET", "a", "xxx*")
    calls.assert_no("SET", "a", "x" * 999)
    calls.assert_no("SET", "a", "x" * 512)
    shown = str(calls).splitlines()
    assert shown[0].endswith(f"> SET a {'x' * 120}...(1000 bytes)")
    assert len(calls[1].words) > 1000
    assert shown[2].endswith(f" ...({4001 - len(calls[1].words)} more words)")
    lost = f"MSET had 4001 words, of which the journal has {len(calls[1].words)}, so nobody can tell"
    assert failure(lambda: calls.assert_ttl_on("MSET")) == lost


# -- assertions


def test_assert_called(server: Server, client: redis.Redis) -> None:
    with server.journal() as calls:
        client.get("user:1")
        client.set("user:1", "alice")
        client.get("user:1")
        client.delete("a", "b")
    assert len(calls.assert_called("GET", "user:1")) == 2
    calls.assert_called("get", "user:*", times=2)
    calls.assert_called("GET", b"user:1", times=2)
    calls.assert_called("DEL", "a", times=1)
    calls.assert_called("DEL", times=1)
    calls.assert_called("GET", b"user:*", times=0)
    calls.assert_called("EXPIRE", times=0)
    assert failure(lambda: calls.assert_called("GET", "user:1", times=3)) == text(
        server,
        "GET user:1 was called twice, not 3 times. The calls were:",
        "127.0.0.1:6379> GET user:1  <--",
        "(nil)",
        "127.0.0.1:6379> SET user:1 alice",
        "OK",
        "127.0.0.1:6379> GET user:1  <--",
        '"alice"',
        "127.0.0.1:6379> DEL a b",
        "(integer) 0",
    )
    assert failure(lambda: calls.of("GET").assert_called("GET", "user:2")) == text(
        server,
        "GET user:2 was not called. The calls were:",
        "127.0.0.1:6379> GET user:1",
        "(nil)",
        "127.0.0.1:6379> GET user:1",
        '"alice"',
    )
    assert failure(lambda: calls.of("SET").assert_called("SET", times=0)) == text(
        server, "SET was called once, not never. The calls were:", "127.0.0.1:6379> SET user:1 alice  <--", "OK"
    )
    assert failure(lambda: calls.of("KEYS").assert_called("KEYS", "*")) == "KEYS * was not called. Nothing was called."


def test_assert_no(server: Server, client: redis.Redis) -> None:
    with server.journal() as calls:
        client.select(2)
        client.keys("user:*")
    calls.assert_no("KEYS", "session:*")
    calls.assert_no("FLUSHALL")
    assert failure(lambda: calls.assert_no("KEYS")) == text(
        server, "KEYS was called once. The calls were:", "127.0.0.1:6379[2]> KEYS user:*  <--", "(empty array)"
    )


def test_assert_round_trips(server: Server, client: redis.Redis) -> None:
    with server.journal() as calls:
        pipeline = client.pipeline(transaction=True)
        pipeline.incr("visits")
        pipeline.hgetall("nosuch")
        pipeline.execute()
        client.get("a")
    assert calls.round_trips == 2
    calls.assert_round_trips(at_most=2)
    assert failure(lambda: calls.assert_round_trips(at_most=1)) == text(
        server,
        "There were 2 round trips, not at most 1. The calls were, with an empty line between round trips:",
        "127.0.0.1:6379> MULTI",
        "OK",
        "127.0.0.1:6379(TX)> INCRBY visits 1",
        "QUEUED",
        "127.0.0.1:6379(TX)> HGETALL nosuch",
        "QUEUED",
        "127.0.0.1:6379> EXEC",
        "(array of 2 elements)",
        "",
        "127.0.0.1:6379> GET a",
        "(nil)",
    )


def test_a_large_pipeline_is_one_round_trip(server: Server, client: redis.Redis) -> None:
    """redis-py sends it in hundreds of pieces."""
    with server.journal(max=50_000) as calls:
        pipeline = client.pipeline(transaction=False)
        for number in range(20_000):
            pipeline.set(f"key:{number}", "value" * 10)
        pipeline.execute()
        client.get("key:1")
    assert len(calls) == 20_001
    calls.assert_round_trips(at_most=2)
    assert calls.round_trips == 2


def test_several_clients(server: Server, client: redis.Redis) -> None:
    with server.journal() as calls, server.client(client_name="worker") as worker:
        client.get("a")
        worker.get("b")
    first, second = (call.client for call in calls)
    assert failure(lambda: calls.assert_called("GET", "c")) == text(
        server,
        "GET c was not called. The calls were:",
        f"# client {first}",
        "127.0.0.1:6379> GET a",
        "(nil)",
        f"# client {second} (worker)",
        "127.0.0.1:6379> GET b",
        "(nil)",
    )


def test_a_message_shows_what_matters_of_many_calls(server: Server, client: redis.Redis) -> None:
    with server.journal() as calls:
        client.keys("*")
        for number in range(100):
            client.echo(str(number))
    lines = failure(lambda: calls.assert_no("KEYS")).splitlines()
    prompt = f"127.0.0.1:{server.port}>"
    assert lines[:4] == [
        "KEYS was called once. The calls were:",
        f"{prompt} KEYS *  <--",
        "(empty array)",
        "... 71 calls ...",
    ]
    assert lines[4] == f"{prompt} ECHO 71"
    assert lines[-2] == f"{prompt} ECHO 99"
    assert len(lines) == 4 + 2 * 29
    pipeline = client.pipeline(transaction=False)
    with server.journal() as calls:
        for number in range(100):
            pipeline.echo(str(number))
        pipeline.execute()
        client.ping()
    lines = failure(lambda: calls.assert_round_trips(at_most=1)).splitlines()
    assert lines[1:8:2] == [f"{prompt} ECHO 0", f"{prompt} ECHO 1", f"{prompt} ECHO 2", "... 71 calls ..."]
    assert lines[-3:] == ["", f"{prompt} PING", "PONG"]


Do = Callable[[redis.Redis], object]


@pytest.mark.parametrize(
    "do",
    [
        lambda client: client.set("session:1", "x", ex=10),
        lambda client: client.set("session:1", "x", pxat=99_999_999_999_999),
        lambda client: (client.set("session:1", "x"), client.expire("session:1", 10)),
        lambda client: (client.set("session:1", "x"), client.set("other", "x"), client.pexpire("session:1", 10_000)),
        lambda client: (client.set("session:1", "x"), client.getex("session:1", ex=10)),
        lambda client: (client.set("session:1", "x", ex=10), client.set("session:1", "y", keepttl=True)),
        lambda client: client.pipeline().set("session:1", "x").expire("session:1", 10).execute(),
        lambda client: (client.set("session:1", "x", ex=10), client.set("session:1", "y", nx=True)),
    ],
)
def test_assert_ttl_on(server: Server, client: redis.Redis, do: Do) -> None:
    with server.journal() as calls:
        do(client)
    calls.assert_ttl_on("SET", "session:*")


@pytest.mark.parametrize(
    "do",
    [
        lambda client: client.set("session:1", "x"),
        lambda client: (client.set("session:1", "x", ex=10), client.set("session:1", "y")),
        lambda client: (client.set("session:1", "x"), client.expire("session:2", 10)),
        lambda client: (client.set("session:1", "x"), client.expire("session:1", 10, xx=True)),
        lambda client: client.set("session:1", "EX"),
        lambda client: (client.set("session:1", "x"), client.select(2), client.expire("session:1", 10)),
        lambda client: (client.set("session:1", "x", ex=10), client.delete("session:1"), client.set("session:1", "y")),
        lambda client: client.set("session:1", "x", keepttl=True),
    ],
)
def test_assert_ttl_on_keys_without_one(server: Server, client: redis.Redis, do: Do) -> None:
    with server.journal() as calls:
        do(client)
    message = failure(lambda: calls.assert_ttl_on("SET", "session:*"))
    assert message.startswith("SET left keys without a TTL: session:1. The calls were:\n")
    assert message.count("<--") == 1
    client.select(0)


def test_assert_ttl_on_other_commands(server: Server, client: redis.Redis) -> None:
    with server.journal() as calls:
        client.incr("hits:1")
        client.expire("hits:1", 60)
        client.incr("hits:1")
        client.hset("user:1", "name", "alice")
        client.mset({"a": 1, "b": 2})
        client.expire("b", 60)
    calls.assert_ttl_on("INCRBY", "hits:*")
    assert failure(lambda: calls.assert_ttl_on("HSET")).startswith("HSET left keys without a TTL: user:1.")
    assert failure(lambda: calls.assert_ttl_on("MSET")).startswith("MSET left keys without a TTL: a.")
    assert failure(lambda: calls.of("HSET").assert_ttl_on("SET", "session:*")) == text(
        server,
        "SET was not called on session:*. The calls were:",
        "127.0.0.1:6379> HSET user:1 name alice",
        "(integer) 1",
    )
    with server.journal() as calls:
        for number in range(7):
            client.set(f"k{number}", "x")
    assert failure(lambda: calls.assert_ttl_on("SET")).startswith(
        "SET left keys without a TTL: k0, k1, k2, k3, k4 and 2 more. The calls were:\n"
    )


# -- bounds, and ends


def test_a_journal_that_is_full(server: Server, client: redis.Redis) -> None:
    with server.journal(max=3) as calls:
        for number in range(5):
            client.echo(str(number))
    assert [call.words[1] for call in calls] == ["2", "3", "4"]
    assert calls.missing == 2
    calls.assert_called("ECHO", "2")
    lost = (
        "2 calls had to make room in the journal, so nobody can tell: give it more, as in server.journal(max=100_000)"
    )
    assert failure(lambda: calls.assert_no("KEYS")) == lost
    assert failure(lambda: calls.assert_called("ECHO", times=5)) == lost
    assert failure(lambda: calls.assert_called("KEYS")) == lost
    assert failure(lambda: calls.assert_ttl_on("SET")) == lost
    assert failure(lambda: calls.of("ECHO").assert_round_trips(at_most=9)) == lost


def test_memory_is_bounded() -> None:
    with Server() as server, server.client() as client:
        with server.journal(max=1000) as calls:
            run(client, 10_000)
            before = resident(server.pid)
            run(client, 100_000)
            after = resident(server.pid)
        assert len(calls) == 1000
        assert calls.missing > 100_000
    assert after - before < 4 << 20


def run(client: redis.Redis, commands: int) -> None:
    for _ in range(commands // 1000):
        pipeline = client.pipeline(transaction=False)
        for number in range(1000):
            pipeline.set("k", f"value {number}" * 10)
        pipeline.execute()


def resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) if Path("/proc").exists() else 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_a_server_that_is_reset_within_the_block(server: Server, client: redis.Redis) -> None:
    def use() -> None:
        with server.journal():
            client.get("a")
            server.reset()

    with pytest.raises(RuntimeError, match="the journal was stopped within its block, by a reset of the server"):
        use()


def test_a_server_that_dies() -> None:
    server = Server()
    server.start()
    try:
        with server.client() as client:

            def use() -> None:
                with server.journal():
                    client.ping()
                    os.kill(server.pid, signal.SIGKILL)
                    assert server.wait_for_end(10)

            with pytest.raises(ConnectionError, match="the server died: it was killed by SIGKILL"):
                use()
    finally:
        server.stop()


def test_the_latest_calls(server: Server, client: redis.Redis) -> None:
    assert server.latest_calls() == ""
    with server.journal():
        for number in range(5):
            client.echo(str(number))
        assert server.latest_calls(2) == text(
            server, "... earlier calls ...", "127.0.0.1:6379> ECHO 3", '"3"', "127.0.0.1:6379> ECHO 4", '"4"'
        )
        assert server.latest_calls(5).startswith(text(server, "127.0.0.1:6379> ECHO 0"))


# -- trio and asyncio


def run_in_asyncio(main: Callable[[], Awaitable[None]]) -> None:
    async def coroutine() -> None:
        await main()

    asyncio.run(coroutine())


@pytest.mark.parametrize("run", [trio.run, run_in_asyncio])
def test_async_journal(server: Server, run: Callable[[Callable[[], Awaitable[None]]], None]) -> None:
    found: list[Calls] = []

    async def main() -> None:
        with server.client() as client:
            async with server.async_journal() as calls:
                client.get("a")
                with pytest.raises(RuntimeError, match="within the block"):
                    len(calls)
                await calls.update()
                calls.assert_called("GET", "a", times=1)
                client.get("a")
            calls.assert_called("GET", "a", times=2)
            found.append(calls)

    run(main)
    assert len(found[0]) == 2


def test_cancelled_under_asyncio_while_it_begins(server: Server) -> None:
    """Nothing goes on being recorded that nobody would stop."""

    def check() -> None:
        assert server._command("RESPCACHE", "JOURNAL", "STOP")[:2] == [b"was-running", 0]

    cancel_block(server.async_journal, check)


def test_an_async_client(server: Server) -> None:
    async def main() -> None:
        async with server.async_journal() as calls, server.async_client() as client:
            await client.set("a", 1)
            async with client.pipeline(transaction=False) as pipeline:
                await pipeline.get("a").get("b").execute()
        assert [call.name for call in calls] == ["SET", "GET", "GET"]
        calls.assert_round_trips(at_most=2)

    asyncio.run(main())


# -- the picture


def test_timeline(server: Server, client: redis.Redis, tmp_path: Path) -> None:
    with server.journal() as calls, server.client(client_name="<worker>") as worker:
        client.set("a", "<b>&\x00")
        worker.lpush("jobs", "x")
        pipeline = client.pipeline(transaction=False)
        for number in range(20):
            pipeline.get(f"key:{number}")
        pipeline.execute()
        with pytest.raises(redis.ResponseError):
            client.lpush("a", "x")
    calls.timeline(tmp_path / "calls.svg")
    drawn = ET.parse(tmp_path / "calls.svg").getroot()
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
    tips = [tip.text or "" for tip in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert len(tips) == 3 + 8
    assert 'SET a "<b>&\\x00"\nOK\n' in tips[0]
    assert sum("GET key:" in tip for tip in tips) == 8
    assert tips[8].splitlines() == [f"GET key:{number}" for number in range(7, 20)]
    labels = [label.text for label in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "<worker>" in labels
    assert any(label and label.startswith("23 calls, 4 round trips, ") for label in labels)


def test_a_timeline_of_nothing(server: Server, tmp_path: Path) -> None:
    with server.journal() as calls:
        pass
    calls.timeline(str(tmp_path / "calls.svg"))
    assert ET.parse(tmp_path / "calls.svg").getroot() is not None


# -- from other languages


@pytest.mark.parametrize("name", CLIENTS)
def test_plain_commands_from_node(server: Server, name: str, tmp_path: Path) -> None:
    """As the guide shows them."""
    (story,) = re.findall(r"^```js\n(.*?)^```$", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    tell(name, story, server.url, tmp_path)


ROUND_TRIPS = """
const pairs = (flat) =>
  Array.isArray(flat) ? flat.flatMap((_, n) => (n % 2 ? [] : [[flat[n], flat[n + 1]]])) : Object.entries(flat);
const begin = Object.fromEntries(pairs(await call("RESPCACHE", "JOURNAL", "START")));
for (let n = 0; n < 3; n++) await call("GET", "k");
await Promise.all([call("SET", "a", "1"), call("SET", "b", "x".repeat(100000)), call("SET", "c", "1")]);
const records = await call("RESPCACHE", "JOURNAL", "READ", "SINCE", String(begin["last-id"]));
const calls = records.map((record) => Object.fromEntries(pairs(record)));
assert.equal(calls.length, 6);
const trips = calls.map((one) => one["round-trip"]);
assert.equal(new Set(trips.slice(0, 4)).size, 4);
assert.deepEqual(calls[4]["cut-words"], [2, 100000]);
await assert.rejects(call("RESPCACHE", "JOURNAL", "NOSUCH"), /unknown subcommand or wrong number of arguments/);
"""


@pytest.mark.parametrize("name", CLIENTS)
def test_round_trips_of_node(server: Server, name: str, tmp_path: Path) -> None:
    tell(name, ROUND_TRIPS, server.url, tmp_path)


# -- over HTTP


def test_requests_over_http(server: Server, client: redis.Redis) -> None:
    """A request is a round trip, whatever it has."""
    pytest.importorskip("h11")
    server.open_http()
    connection = http.client.HTTPConnection("127.0.0.1", int(server.rest_url.rpartition(":")[2]))
    with server.journal() as calls:
        for target, body in (
            ("/set/a/1", None),
            ("/pipeline", '[["GET", "a"], ["INCR", "a"], ["GET"]]'),
            ("/multi-exec", '[["GET", "a"], ["INCR", "a"]]'),
            ("/pipeline", json.dumps([["SET", "a", "x" * 1000]] * 200)),
        ):
            connection.request("POST", target, body, {"Authorization": f"Bearer {server.rest_token}"})
            connection.getresponse().read()
    connection.close()
    trips = [call.round_trip for call in calls]
    assert [trips.count(trip) for trip in dict.fromkeys(trips)] == [1, 3, 4, 200]
    assert [call.words for call in calls[1:4]] == [("GET", "a"), ("INCR", "a"), ("GET",)]
    calls.assert_round_trips(at_most=4)
