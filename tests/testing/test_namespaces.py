"""`server.namespace`: for redis-py, for asyncio and trio, and for clients of Node."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import trio

from compat.results import cache
from respcache.testing import Server
from tests.support.resp import Connection


@pytest.fixture(scope="module", params=[1, 3], ids=["1-shard", "3-shards"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(shards=request.param) as running:
        yield running


def test_where_it_is(server: Server) -> None:
    with server.namespace("tests.test_a::[1]") as namespace:
        assert namespace.url == f"redis://ns.tests.test_a%3A%3A%5B1%5D:any@127.0.0.1:{server.port}/0"
        for client in (
            redis.Redis.from_url(namespace.url),
            redis.Redis.from_url(namespace.url, protocol=3),
            redis.Redis(**namespace.connection_kwargs),
            namespace.client(),
        ):
            with client:
                assert client.execute_command("RESPCACHE", "NAMESPACE") == b"tests.test_a::[1]"
        assert server.namespaces() == ["tests.test_a::[1]"]
    assert server.namespaces() == []


def test_each_sees_its_own(server: Server) -> None:
    with server.namespace() as one, server.namespace() as other:
        assert one.name != other.name
        clients = [server.client(), one.client(), other.client(db=3)]
        for number, client in enumerate(clients):
            client.flushall()
            client.set("k", number)
            client.publish("c", number)
        assert [client.get("k") for client in clients] == [b"0", b"1", b"2"]
        one.flush()
        assert [client.dbsize() for client in clients] == [1, 0, 1]
        sha = clients[2].script_load("return 1")
        other.reset()
        assert [client.dbsize() for client in clients] == [1, 0, 0]
        assert clients[2].script_exists(sha) == [False]
        for client in clients:
            client.close()
    server.reset()


def test_drop_ends_connections(server: Server) -> None:
    namespace = server.namespace("a")
    left_open = namespace.client(protocol=2)
    left_open.set("k", "v")
    namespace.drop()
    assert server.namespaces() == []
    assert left_open.get("k") is None  # redis-py has connected again: it has come into being once more
    assert server.namespaces() == ["a"]
    namespace.drop()
    left_open.close()


def test_with_a_password() -> None:
    with Server(args=["--requirepass", "se:cret"]) as server, server.namespace("a") as namespace:
        with redis.Redis.from_url(namespace.url) as client:
            client.set("k", "v")
            namespace.reset()
            assert client.dbsize() == 0
        with namespace.client(password="any") as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()


def test_asyncio_and_trio(server: Server) -> None:
    async def by_asyncio() -> None:
        async with server.namespace("a") as namespace, namespace.async_client() as client:
            await client.set("k", "v")
            assert await client.get("k") == b"v"
            assert server.namespaces() == ["a"]

    async def by_trio() -> None:
        async with server.namespace("b") as namespace:
            with namespace.client() as client:
                assert client.dbsize() == 0

    asyncio.run(by_asyncio())
    trio.run(by_trio)
    assert server.namespaces() == []


def test_nothing_is_done_elsewhere_if_it_cannot_be_there(server: Server) -> None:
    """FLUSHALL, in a server that has no room for one more."""
    with server.client() as client:
        client.set("k", "v")
        client.config_set("max-namespaces", 0)
        with pytest.raises(RuntimeError, match="max number of namespaces reached"):
            server.namespace("a").flush()
        assert client.get("k") == b"v"
    server.reset()


def test_a_clock_is_shared(server: Server) -> None:
    with server.namespace("a") as namespace, namespace.client() as client:
        client.set("k", "v", ex=60)
        server.advance(61)
        assert client.get("k") is None
    server.reset()


def test_a_server_that_died() -> None:
    """That is said, and the end of the block does not fail because of it."""
    with Server() as server, server.namespace("a") as namespace:
        server.process.kill()
        server.wait_for_end(10)
        with pytest.raises(ConnectionError, match="died"):
            namespace.reset()


def test_over_http() -> None:
    """It lasts for a pipeline, as SELECT does: the next request finds the client as the first one did."""

    def post(path: str, body: object) -> object:
        headers = {"Authorization": f"Bearer {server.rest_token}"}
        request = urllib.request.Request(server.rest_url + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.load(response)

    with Server(http=True) as server, server.namespace("a") as namespace, namespace.client() as client:
        commands = [["RESPCACHE", "NAMESPACE", "a"], ["SET", "k", "v"]]
        assert post("/pipeline", commands) == [{"result": "OK"}, {"result": "OK"}]
        assert post("/", ["GET", "k"]) == {"result": None}
        assert client.get("k") == b"v"


IOREDIS = """
import Redis from "ioredis";
const [one, other, third] = process.argv.slice(2).map((url) => new Redis(url));
"""
NODE_REDIS = """
import { createClient } from "redis";
const all = process.argv.slice(2).map((url) => createClient({ url, RESP: process.env.RESP }));
await Promise.all(all.map((client) => client.connect()));
for (const client of all) client.call = (...words) => client.sendCommand(words);
const [one, other, third] = all;
"""
BOTH = """
await one.call("SET", "k", "one");
await other.call("SET", "k", "other");
await third.call("RESPCACHE", "NAMESPACE", "third");
console.log(JSON.stringify([
  await one.call("RESPCACHE", "NAMESPACE"), await one.call("GET", "k"),
  await other.call("RESPCACHE", "NAMESPACE"), await other.call("GET", "k"),
  await third.call("RESPCACHE", "NAMESPACE"), await third.call("GET", "k"),
  (await one.call("RESPCACHE", "NAMESPACES")).length,
]));
process.exit(0);
"""


@pytest.mark.parametrize(
    ("package", "text", "protocol"),
    [("ioredis", IOREDIS, "3"), ("node_redis", NODE_REDIS, "2"), ("node_redis", NODE_REDIS, "3")],
)
def test_clients_of_node(server: Server, tmp_path: Path, package: str, text: str, protocol: str) -> None:
    """With plain commands, and by URL."""
    node, modules = shutil.which("node"), cache() / "environments" / f"program-{package}" / "node_modules"
    if node is None or not modules.exists():
        pytest.skip(reason="needs node, and the packages that `python -m compat programs` installs")
    (tmp_path / "node_modules").symlink_to(modules)
    script = tmp_path / "script.mjs"
    script.write_text((text + BOTH).replace("process.env.RESP", protocol))
    with server.namespace("one") as one, server.namespace("other") as other:
        command = [node, str(script), one.url, other.url, server.url]
        output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert json.loads(output) == ["one", "one", "other", "other", "third", None, 4]
    connection = Connection(server.port)
    assert connection.call("RESPCACHE", "NAMESPACE", "DROP", "third") == "OK"
    connection.close()
