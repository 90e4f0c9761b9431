"""`server.snapshots`, sync and async."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis
import trio

from respcache.testing import Server
from tests.support.cancelling import cancel_block
from tests.support.node import CLIENTS, tell
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with Server(shards=2) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    for snapshot in running.snapshots.list():
        running.snapshots.drop(snapshot.name)
    running.reset()
    return running


@pytest.fixture
def client(server: Server) -> Iterator[redis.Redis]:
    with server.client(decode_responses=True) as client:
        yield client


def test_take_restore_list_drop(server: Server, client: redis.Redis) -> None:
    server.clock.set(datetime(2030, 1, 1, tzinfo=UTC))
    client.set("book:1", "Dune", ex=60)
    server.snapshots.take("catalogue")
    server.advance(61)
    client.set("book:2", "Emma")
    server.snapshots.restore("catalogue")
    assert client.keys() == ["book:1"]
    assert client.ttl("book:1") == 60
    (snapshot,) = server.snapshots.list()
    assert (snapshot.name, snapshot.keys, snapshot.lost) == ("catalogue", 1, False)
    assert snapshot.time.replace(second=0, microsecond=0) == datetime(2030, 1, 1, tzinfo=UTC)
    assert 100 < snapshot.size < 1000
    server.snapshots.drop("catalogue")
    assert server.snapshots.list() == []


def test_settings_and_clock(server: Server, client: redis.Redis) -> None:
    with server.clock.freeze():
        before = server.clock.now()
        server.snapshots.take("s")
        server.clock.advance(10)
        client.config_set("timeout", 5)
        server.snapshots.restore("s", config=True, clock=True)
        assert server.clock.now() == before
    assert client.config_get("timeout") == {"timeout": "0"}


def test_refusals(server: Server) -> None:
    with pytest.raises(RuntimeError, match="no such snapshot 'nothing'"):
        server.snapshots.restore("nothing")
    with pytest.raises(RuntimeError, match="no such snapshot 'nothing'"):
        server.snapshots.drop("nothing")
    with pytest.raises(RuntimeError, match="must have 1 to 128 bytes"):
        server.snapshots.take("")


def test_a_block_that_is_undone(server: Server, client: redis.Redis) -> None:
    client.set("k", "before")

    def fails() -> None:
        with server.snapshots.rollback():
            client.set("k", "within")
            with server.snapshots.rollback():
                client.flushall()
            assert client.get("k") == "within"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert client.get("k") == "before"
    assert server.snapshots.list() == []


async def in_either_library(server: Server) -> None:
    snapshots = server.async_snapshots
    await snapshots.take("s")
    async with snapshots.rollback():
        await snapshots.restore("s")
    assert [snapshot.name for snapshot in await snapshots.list()] == ["s"]
    await snapshots.drop("s")
    assert await snapshots.list() == []


def test_with_asyncio(server: Server) -> None:
    asyncio.run(in_either_library(server))


def test_with_trio(server: Server) -> None:
    trio.run(in_either_library, server)


def test_a_cancelled_rollback_leaves_no_snapshot(server: Server) -> None:
    def check() -> None:
        assert server.snapshots.list() == []

    cancel_block(server.async_snapshots.rollback, check)


def test_a_rollback_that_fails_leaves_no_snapshot(server: Server) -> None:
    def fails() -> None:
        with server.snapshots.rollback():
            server.faults.drop_shard(0).delete()
            assert eventually(lambda: server.snapshots.list()[0].lost)

    with pytest.raises(RuntimeError, match="a shard that held a part of it died"):
        fails()
    assert server.snapshots.list() == []


STORY = """
await call("SET", "book", "Dune", "EX", "60");
await call("RPUSH", "queue", "a", "b");
assert.equal(await call("RESPCACHE", "SNAPSHOT", "catalogue"), "OK");
for (let test = 0; test < 3; test++) {
  await call("FLUSHALL");
  await call("SET", "mine", String(test));
  assert.equal(await call("RESPCACHE", "RESTORE", "catalogue"), "OK");
  assert.equal(await call("LPOP", "queue"), "a");
  assert.equal(await call("TTL", "book"), 60);
  assert.equal(await call("DBSIZE"), 2);
}
const [snapshot] = await call("RESPCACHE", "SNAPSHOTS");
const fields = Array.isArray(snapshot)
  ? Object.fromEntries(Array.from({ length: snapshot.length / 2 }, (_, n) => [snapshot[2 * n], snapshot[2 * n + 1]]))
  : snapshot;
assert.equal(fields.name, "catalogue");
assert.equal(fields.keys, 2);
await assert.rejects(call("RESPCACHE", "RESTORE", "nothing"), /no such snapshot 'nothing'/);
assert.equal(await call("RESPCACHE", "DROP", "catalogue"), "OK");
"""


@pytest.mark.parametrize("name", CLIENTS)
def test_plain_commands_from_node(server: Server, name: str, tmp_path: Path) -> None:
    tell(name, STORY, server.url, tmp_path)
