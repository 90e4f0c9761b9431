"""`server.faults` and `server.async_faults`, what redis-py makes of faults, and the same from other languages."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import trio
from redis.backoff import NoBackoff
from redis.retry import Retry

from compat.results import cache
from respcache.testing import Server
from respcache.testing.faults import Filters
from tests.support.cancelling import cancel_block
from tests.support.waiting import eventually

# redis-py types every reply as one of many.
Client = Any

ONCE = Retry(NoBackoff(), 0)


@pytest.fixture(scope="module", params=[1, 3], ids=["1-shard", "3-shards"])
def running(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(shards=request.param, http=True) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.reset()
    return running


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    """One that tries everything only once."""
    with server.client(retry=ONCE, socket_timeout=20) as client:
        yield client


# -- the handle


def test_a_fault_ends_with_its_block(server: Server, client: Client) -> None:
    with server.faults.error("ERR no", command="GET") as fault:
        with pytest.raises(redis.ResponseError, match="no"):
            client.get("k")
        assert (fault.matched, fault.fired) == (1, 1)
        assert [(state.name, state.action, state.over) for state in server.faults.list()] == [
            (fault.name, "ERROR ERR no", False)
        ]
    assert client.get("k") is None
    assert server.faults.list() == []
    assert (fault.matched, fault.fired) == (1, 1)  # as they were


def fail_within(server: Server, act: Callable[[], object] = lambda: None) -> None:
    """A block that raises ZeroDivisionError."""
    with server.faults.error("ERR no", times=1):
        act()
        _ = 1 / 0


def test_a_fault_ends_whatever_happens(server: Server, client: Client) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_within(server)
    assert server.faults.list() == []
    with pytest.raises(ZeroDivisionError):  # it has run out
        fail_within(server, lambda: _tried(client))
    with pytest.raises(ZeroDivisionError):  # it was deleted by somebody else
        fail_within(server, server.reset)
    assert server.faults.list() == []


def _tried(client: Client) -> None:
    with pytest.raises(redis.ResponseError):
        client.get("k")


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_fault_ends_with_the_server(how: str) -> None:
    server = Server()
    server.start()

    def end() -> None:
        if how == "stopped":
            server.stop()
        else:
            server.process.send_signal(signal.SIGKILL)
            assert server.wait_for_end(10)

    try:
        with pytest.raises(ZeroDivisionError):
            fail_within(server, end)
    finally:
        server.stop()


def test_a_refusal_is_told(server: Server) -> None:
    with pytest.raises(RuntimeError, match="PROBABILITY is not a number from 0 to 1"):
        server.faults.error("ERR no", probability=2)
    with pytest.raises(RuntimeError, match="DROP-SHARD is not an integer"):
        server.faults.drop_shard(99)


def test_without_a_block(server: Server, client: Client) -> None:
    server.faults.error("ERR no", name="mine", command="GET")
    server.faults.delay(1, command="SET")
    assert [state.name == "mine" for state in server.faults.list()] == [True, False]
    assert server.faults.delete("mine")
    assert not server.faults.delete("mine")
    assert client.get("k") is None
    assert server.faults.clear() == 1


def test_every_filter(server: Server) -> None:
    server.faults.error(
        "ERR no", command="get", key=b"\xff*", client="a*", user="u", after=1, times=2, probability=0.5, seed=3
    )
    with server.client() as admin:
        (fields,) = admin.execute_command("RESPCACHE", "FAULT", "LIST")
    given = [fields[name] for name in (b"command", b"key", b"client", b"user", b"after", b"times", b"probability")]
    assert given == [b"get", b"\xff*", b"a*", b"u", 1, 2, b"0.5"]


def test_every_action(server: Server) -> None:
    faults = server.faults
    some: Filters = {"command": "nosuch"}
    actions: list[Callable[[], object]] = [
        lambda: faults.error("ERR x", **some),
        lambda: faults.delay(1.5, **some),
        lambda: faults.close_before(**some),
        lambda: faults.close_after(**some),
        lambda: faults.cut(3, **some),
        lambda: faults.dribble(3, 0.1, **some),
        lambda: faults.blackhole(**some),
        lambda: faults.refuse(client="10.*"),
        lambda: faults.drop_shard(0, **some),
        lambda: faults.loading(2, **some),
        lambda: faults.readonly(**some),
        lambda: faults.oom(**some),
    ]
    for arm in actions:
        arm()
    assert [state.action for state in faults.list()] == [
        "ERROR ERR x",
        "DELAY 1500",
        "CLOSE BEFORE",
        "CLOSE AFTER",
        "CUT 3",
        "DRIBBLE 3 100",
        "BLACKHOLE",
        "REFUSE",
        "DROP-SHARD 0",
        "LOADING 2000",
        "READONLY",
        "OOM",
    ]


def test_while_connections_are_refused(server: Server, client: Client) -> None:
    """The handle gets in all the same, without being counted, and those that are there stay."""
    client.ping()
    with server.faults.refuse(times=3) as fault:
        assert fault.fired == 0
        with server.client(retry=ONCE) as other, pytest.raises(redis.ConnectionError):
            other.ping()
        assert client.ping()
        assert (fault.matched, fault.fired) == (1, 1)
    with server.client(retry=ONCE) as other:
        assert other.ping()


def test_reset_while_connections_are_refused(server: Server, client: Client) -> None:
    client.execute_command("RESPCACHE", "FAULT", "ADD", "x", "REFUSE")
    server.reset()
    with server.client(retry=ONCE) as other:
        assert other.ping()


@pytest.mark.parametrize("run", [trio.run, lambda main: asyncio.run(main())], ids=["trio", "asyncio"])
def test_async(server: Server, client: Client, run: Callable[..., Any]) -> None:
    async def main() -> None:
        faults = server.async_faults
        async with faults.error("ERR no", command="GET") as fault:
            with pytest.raises(redis.ResponseError, match="no"):
                client.get("k")
            assert (await fault.matched(), await fault.fired()) == (1, 1)
        assert await faults.list() == []
        held = await faults.readonly()
        with pytest.raises(redis.ReadOnlyError):
            client.set("k", "v")
        await held.delete()
        await faults.oom(name="full")
        assert await faults.delete("full")
        assert await faults.clear() == 0
        with pytest.raises(RuntimeError, match="is not armed"):
            await faults.oom().fired()

    run(main)


def test_a_cancelled_block_leaves_no_fault(server: Server) -> None:
    async def main() -> None:
        with trio.move_on_after(0.05):
            async with server.async_faults.readonly():
                await trio.sleep_forever()
        assert await server.async_faults.list() == []

    trio.run(main)


def test_cancelled_under_asyncio_while_it_is_armed(server: Server) -> None:
    def check() -> None:
        assert server.faults.list() == []

    cancel_block(server.async_faults.readonly, check)


# -- what redis-py makes of it


def retrying(server: Server, times: int, *errors: type[Exception]) -> Client:
    return server.client(retry=Retry(NoBackoff(), times), retry_on_error=list(errors), socket_timeout=20)


def test_redis_py_tries_again_while_the_server_loads(server: Server) -> None:
    with (
        server.faults.error("LOADING Redis is loading the dataset in memory", command="GET", times=3) as fault,
        retrying(server, 3) as client,
    ):
        assert client.get("k") is None
        assert fault.fired == 3
    with server.faults.loading(), retrying(server, 3) as client, pytest.raises(redis.BusyLoadingError):
        client.get("k")


def test_redis_py_does_a_command_twice_whose_reply_was_lost(server: Server) -> None:
    with server.faults.close_after(command="INCRBY", times=1), retrying(server, 1) as client:
        assert client.incr("k") == 2


def test_redis_py_connects_again(server: Server) -> None:
    with server.faults.refuse(times=2), retrying(server, 3) as client:
        assert client.ping()


def test_redis_py_gives_up_in_time(server: Server) -> None:
    with (
        server.faults.blackhole(command="GET"),
        server.client(retry=ONCE, socket_timeout=0.05) as client,
        pytest.raises(redis.TimeoutError),
    ):
        client.get("k")


def test_redis_py_sees_a_cut_reply(server: Server, client: Client) -> None:
    client.set("k", "value")
    with server.faults.cut(6, command="GET"), pytest.raises(redis.ConnectionError):
        client.get("k")


def test_redis_py_in_a_pipeline(server: Server, client: Client) -> None:
    with server.faults.error("ERR no", command="INCRBY", after=1, times=1):
        replies = client.pipeline(transaction=False).incr("a").incr("a").incr("a").execute(raise_on_error=False)
    assert [replies[0], str(replies[1]), replies[2]] == [1, "no", 2]
    with server.faults.oom(), pytest.raises(redis.exceptions.OutOfMemoryError):
        client.pipeline().set("a", 1).execute()


def test_redis_py_subscribes_again(server: Server) -> None:
    with retrying(server, 3) as client, client.pubsub() as listening:
        listening.subscribe("c")
        assert listening.get_message(timeout=20)["type"] == "subscribe"
        with server.faults.close_before(command="message", times=1):
            client.publish("c", "lost")
            assert listening.get_message(timeout=20)["type"] == "subscribe"
        client.publish("c", "found")
        assert listening.get_message(timeout=20)["data"] == b"found"


# -- the end of the server


@pytest.mark.parametrize("shards", [1, 3])
def test_the_server_ends_while_faults_hold_clients(shards: int) -> None:
    with Server(shards=shards) as server:
        server.clock.freeze()
        server.faults.delay(3600, command="SET")
        server.faults.dribble(1, 3600, command="GET")
        server.faults.blackhole(command="INCR")
        server.faults.delay(3600, command="message")
        server.faults.refuse()
        server.faults.clear()
        server.faults.delay(3600, command="SET")
        server.faults.dribble(1, 3600, command="GET")
        server.faults.blackhole(command="INCR")
        held = [socket.create_connection((server.host, server.port)) for _ in range(3)]
        for connection, words in zip(held, (b"SET a b\r\n", b"GET a\r\n", b"INCR n\r\n"), strict=True):
            connection.sendall(words)
        assert eventually(lambda: [state.fired for state in server.faults.list()] == [1, 1, 1])
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 1.5  # the grace period is longer
        for connection in held:
            connection.close()


def test_a_kill_of_the_server_leaves_nothing() -> None:
    server = Server(shards=3)
    server.start()
    server.faults.blackhole()
    server.faults.refuse()
    directory = Path(server.process.args[server.process.args.index("--dir") + 1])  # type: ignore[index,union-attr,arg-type]
    port = server.port
    server.process.kill()
    assert server.wait_for_end(10)
    server.stop()
    assert not directory.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


# -- other doors, other languages


def test_over_http(server: Server, client: Client) -> None:
    import http.client

    client.set("k", "value")

    def get() -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(server.rest_url.removeprefix("http://"), timeout=20)
        try:
            connection.request("GET", "/get/k", headers={"authorization": f"Bearer {server.rest_token}"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    assert get() == (200, b'{"result":"value"}')
    with server.faults.error("ERR no", command="GET"):
        assert get() == (400, b'{"error":"ERR no"}')
    for fault in (
        server.faults.close_before(command="GET"),
        server.faults.close_after(command="GET"),
        server.faults.cut(3, command="GET"),
        server.faults.refuse(),
    ):
        with fault, pytest.raises((http.client.HTTPException, ConnectionError)):
            get()
    for fault in (server.faults.delay(0.01, command="GET"), server.faults.dribble(1, 0.001, command="GET")):
        with fault:
            assert get() == (200, b'{"result":"value"}')
    with server.faults.blackhole(command="GET") as fault:
        failed: list[Exception] = []

        def try_get() -> None:
            try:
                get()
            except (http.client.HTTPException, ConnectionError) as error:
                failed.append(error)

        waiting = threading.Thread(target=try_get)
        waiting.start()
        assert eventually(lambda: fault.fired == 1)
        assert not failed
    waiting.join()
    assert failed


NODE = """
import Redis from "ioredis";
import assert from "node:assert/strict";

const url = process.argv[2];
const admin = new Redis(url);
const redis = new Redis(url, { retryStrategy: () => 1, maxRetriesPerRequest: 3 });
const fault = (...words) => admin.call("RESPCACHE", "FAULT", ...words);
redis.on("error", () => {});

assert.equal(await fault("ADD", "f", "COMMAND", "GET", "TIMES", "1", "ERROR", "ERR no"), "OK");
await assert.rejects(redis.get("k"), /ERR no/);
assert.equal(await redis.get("k"), null);
const [described] = await fault("LIST");
const fields = Object.fromEntries(described.flatMap((word, at) => (at % 2 ? [] : [[word, described[at + 1]]])));
assert.equal(fields.name, "f");
assert.equal(fields.state, "over");
assert.equal(fields.fired, 1);
assert.equal(fields.key, null);
assert.equal(await fault("DEL", "f"), 1);

await fault("ADD", "lost", "COMMAND", "INCR", "TIMES", "1", "CLOSE", "AFTER");
assert.equal(await redis.incr("n"), 2);  // ioredis sends again what was not answered

await fault("ADD", "slow", "COMMAND", "GET", "DELAY", "3600000");
const slow = redis.get("n");
while ((await fault("LIST"))[1][9] !== 1) await new Promise((resolve) => setTimeout(resolve, 1));
await admin.call("RESPCACHE", "CLOCK", "ADVANCE", "3600000");
assert.equal(await slow, "2");

await fault("ADD", "replica", "READONLY");
await assert.rejects(redis.set("k", "v"), /READONLY/);
assert.equal(await fault("CLEAR"), 3);
assert.equal(await redis.set("k", "v"), "OK");
redis.disconnect();
admin.disconnect();
"""


def test_from_ioredis(server: Server, tmp_path: Path) -> None:
    node = shutil.which("node")
    packages = cache() / "environments" / "program-ioredis" / "node_modules"
    if node is None or not packages.exists():
        pytest.skip(reason="needs node, and ioredis: `python -m compat programs ioredis` installs it")
    (tmp_path / "node_modules").symlink_to(packages)
    (tmp_path / "faults.mjs").write_text(NODE)
    done = subprocess.run([node, "faults.mjs", server.url], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
