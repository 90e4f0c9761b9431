"""Keys in JSON: every type, and what is said of mistakes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from respcache.testing import Server, keys


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(shards=2, args=["--requirepass", "secret"]) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[redis.Redis]:
    server.reset()
    server.clock.freeze()
    with server.client() as client:
        yield client


def test_the_example_of_the_documentation(server: Server, client: redis.Redis, tmp_path: Path) -> None:
    assert keys.__doc__ is not None
    example = keys.__doc__.partition("\n\n")[2].partition("\n\n")[0]
    path = tmp_path / "keys.json"
    path.write_text(example, "utf-8")
    for _ in range(2):  # a second time changes nothing
        assert server.load_json(path) == 8
        assert (client.get("greeting"), client.get("visits")) == (b"hello", b"42")
        assert client.lrange("queue", 0, -1) == [b"first", b"second"]
        assert (client.get("token"), client.ttl("token")) == (b"abc", 60)
        assert client.smembers("tags") == {b"a", b"b"}
        assert client.hgetall("user:1") == {b"name": b"Ada", b"age": b"36"}
        assert client.expiretime("user:1") == 1893456000
        assert client.zrange("scores", 0, -1, withscores=True) == [(b"bob", float("-inf")), (b"ada", 12.5)]
        assert client.xrange("events") == [(b"1-0", {b"kind": b"login"}), (b"2-0", {b"kind": b"logout"})]
        (group,) = client.xinfo_groups("events")
        assert (group["name"], group["last-delivered-id"], group["pending"]) == (b"workers", b"1-0", 1)
        assert {consumer["name"] for consumer in client.xinfo_consumers("events", "workers")} == {b"idle", b"busy"}
        (pending,) = client.xpending_range("events", "workers", "-", "+", 10)
        assert pending == {
            "message_id": b"1-0",
            "consumer": b"busy",
            "time_since_delivered": 30_000,
            "times_delivered": 2,
        }


def test_existing_keys(server: Server, client: redis.Redis) -> None:
    client.set("other", "stays")
    client.set("k", "v", ex=10)
    server.load_keys({"k": ["x"]})
    assert client.lrange("k", 0, -1) == [b"x"]
    assert client.ttl("k") == -1
    assert client.get("other") == b"stays"


def test_another_database(server: Server, client: redis.Redis) -> None:
    server.load_keys({"k": "v"}, db=3)
    assert client.dbsize() == 0
    client.select(3)
    assert client.get("k") == b"v"


def test_bytes(server: Server, client: redis.Redis) -> None:
    binary = {"base64": "AAH/"}
    server.load_keys(
        {
            "s": binary,
            "l": [binary, "x"],
            "h": {"type": "hash", "value": [[binary, binary]]},
            "z": {"type": "zset", "value": [[binary, 1]]},
            "é": "ü",
        }
    )
    data = b"\0\1\xff"
    assert client.get("s") == data
    assert client.lrange("l", 0, -1) == [data, b"x"]
    assert client.hgetall("h") == {data: data}
    assert client.zrange("z", 0, -1) == [data]
    assert client.get("é") == "ü".encode()


def test_streams(server: Server, client: redis.Redis) -> None:
    server.load_keys(
        {
            "empty": {"type": "stream", "last_id": "7-0", "entries_added": 5, "max_deleted_id": "6-0"},
            "now": {"type": "stream", "value": [{"fields": {"a": 1}}]},
            "read": {
                "type": "stream",
                "value": [{"id": "1-0", "fields": {"a": 1}}, {"id": "2-0", "fields": {"a": 2}}],
                "last_id": "9-0",
                "groups": [{"name": "g", "last_id": "2-0", "entries_read": 2}, {"name": "new"}],
            },
        }
    )
    empty = client.xinfo_stream("empty")
    assert (empty["length"], empty["groups"], empty["last-generated-id"]) == (0, 0, b"7-0")
    assert (empty["entries-added"], empty["max-deleted-entry-id"]) == (5, b"6-0")
    assert client.xlen("now") == 1
    assert client.xinfo_stream("read")["last-generated-id"] == b"9-0"
    groups = {group["name"]: group for group in client.xinfo_groups("read")}
    assert groups[b"g"]["entries-read"] == 2
    assert groups[b"new"]["last-delivered-id"] == b"0-0"


def test_many(server: Server, client: redis.Redis) -> None:
    assert server.load_keys({f"k:{number}": "v" * 1000 for number in range(5000)}) == 5000
    assert client.dbsize() == 5000


WRONG: list[tuple[Any, str]] = [
    (None, "its value must be a text or a number, not None"),
    (True, "its value must be a text or a number, not True"),
    ([], "it has no elements, and such a key cannot exist"),
    ([[]], "an element must be a text or a number, not []"),
    ({}, "its type must be one of string, list, set, hash, zset, stream, not None"),
    ({"type": "geo", "value": 1}, "its type must be one of string, list, set, hash, zset, stream, not 'geo'"),
    ({"type": "string", "value": 1, "TTL": 1}, "'TTL' means nothing there; there may be expires_at, ttl, type, value"),
    ({"type": "string", "value": 1, "groups": []}, "'groups' means nothing there"),
    ({"type": "string", "value": 1, "ttl": 0}, "its `ttl` must be positive"),
    ({"type": "string", "value": 1, "ttl": "1"}, "`ttl` must be a number of seconds, not '1'"),
    ({"type": "string", "value": 1, "ttl": 1, "expires_at": 1}, "it has both a `ttl` and an `expires_at`"),
    ({"type": "string", "value": 1, "expires_at": "soon"}, "`expires_at` is no date and time of ISO 8601: 'soon'"),
    ({"base64": "?"}, "its value is not valid base64: '?'"),
    ({"type": "hash", "value": {}}, "its value must have a member"),
    ({"type": "hash", "value": ["ab"]}, "its value must be an object, or an array of pairs"),
    ({"type": "set", "value": {"a": 1}}, "its value must be an array, not {'a': 1}"),
    ({"type": "stream", "value": [{"id": "1-0"}]}, "`fields` must be an array, not None"),
    ({"type": "stream", "value": ["x"]}, "an entry must be an object, not 'x'"),
    ({"type": "stream", "entries_added": 1}, "`entries_added` and `max_deleted_id` need a `last_id`"),
    ({"type": "stream", "groups": [{}]}, "the name of a group must be a text or a number, not None"),
    ({"type": "stream", "groups": [{"name": "g", "pending": [{"id": 1}]}]}, "a consumer must be a text or a number"),
]


@pytest.mark.parametrize(("description", "message"), WRONG)
def test_mistakes(server: Server, client: redis.Redis, description: Any, message: str) -> None:
    with pytest.raises(ValueError, match="key 'wrong': ") as raised:
        server.load_keys({"right": "v", "wrong": description})
    assert str(raised.value).startswith(f"key 'wrong': {message}")
    assert client.dbsize() == 0


def test_what_the_server_refuses(server: Server, client: redis.Redis, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"z": {"type": "zset", "value": {"m": "high"}}, "k": "v"}), "utf-8")
    with pytest.raises(RuntimeError, match=r"^ZADD z high m: .*value is not a valid float$"):
        server.load_json(path)
    assert client.keys() == [b"k"]
    path.write_text("[]", "utf-8")
    with pytest.raises(ValueError, match="must be one JSON object"):
        server.load_json(path)
    with pytest.raises(RuntimeError, match="DB index is out of range"):
        server.load_keys({"nowhere": "v"}, db=99)
    assert client.keys() == [b"k"]
