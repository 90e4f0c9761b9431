"""walrus: containers, models and a cache on redis-py."""

from __future__ import annotations

import threading
import time
from urllib.parse import urlsplit

from compat.programs.support import same

REQUIREMENTS = ("walrus==0.9.8", "redis==7.1.0")


def _database(url: str):  # type: ignore[no-untyped-def]  # not installed where types are checked
    from walrus import Walrus

    return Walrus(host="127.0.0.1", port=urlsplit(url).port)


def scenario_containers(url: str) -> None:
    db = _database(url)
    items = db.Hash("h")
    items.update(a="1", b="2")
    assert items["a"] == b"1"
    assert len(items) == 2
    names = db.List("l")
    names.extend(["x", "y", "z"])
    assert list(names) == [b"x", b"y", b"z"]
    assert names.popright() == b"z"
    first, second = db.Set("s1"), db.Set("s2")
    first.add("1", "2")
    second.add("2", "3")
    assert first & second == {b"2"}
    scores = db.ZSet("z")
    scores.add({"a": 1, "b": 2})
    assert scores.range(0, -1, with_scores=True) == [(b"a", 1.0), (b"b", 2.0)]


def scenario_model(url: str) -> None:
    from walrus import IntegerField, Model, TextField

    db = _database(url)

    class User(Model):
        __database__ = db
        name = TextField(primary_key=True)
        city = TextField(index=True)
        age = IntegerField(index=True)

    for name, city, age in (("ann", "Bonn", 30), ("bob", "Bonn", 40), ("cid", "Jena", 50)):
        User.create(name=name, city=city, age=age)
    assert sorted(user.name for user in User.query(User.city == "Bonn")) == ["ann", "bob"]
    assert [user.name for user in User.query(User.age > 35, order_by=User.age.desc())] == ["cid", "bob"]
    User.load("ann").delete()
    assert [user.name for user in User.query(User.city == "Bonn")] == ["bob"]


def scenario_cache(url: str) -> None:
    cache = _database(url).cache()
    calls = []

    @cache.cached(timeout=60)
    def work(x: int) -> int:
        calls.append(x)
        return x + 1

    assert [work(1), work(1), work(2)] == [2, 2, 3]
    assert calls == [1, 2]


def scenario_rate_limit(url: str) -> None:
    db = _database(url)
    for limit in (db.rate_limit("api", limit=2, per=60), db.rate_limit_lua("lua", limit=2, per=60)):
        same([limit.limit("me") for _ in range(3)], [False, False, True])
        same(limit.limit("another"), False)


def scenario_lock(url: str) -> None:
    """A waiting thread is woken by a list, which the release pushes to."""
    db = _database(url)
    lock, other = db.lock("work", 60_000, lock_id="one"), db.lock("work", 60_000, lock_id="two")
    assert lock.acquire()
    assert not other.acquire(block=False)
    assert not other.release()
    waiting = threading.Thread(target=other.acquire, daemon=True)
    waiting.start()
    time.sleep(0.1)
    assert waiting.is_alive()
    assert lock.release()
    waiting.join(10)
    assert not waiting.is_alive()
    assert other.release()
    expiring = db.lock("expiring", 50)
    assert expiring.acquire()
    time.sleep(0.1)
    assert db.lock("expiring", 1000).acquire(block=False)
    assert not expiring.release()


def scenario_scripts(url: str) -> None:
    db = _database(url)
    array = db.Array("a")
    array.extend(["one", "two", "three", "four"])
    same([array[0], array[-1], len(array)], [b"one", b"four", 4])
    same(array.pop(1), b"two")
    array.append("five")
    same(list(array), [b"one", b"three", b"four", b"five"])
    db.set("key", "old")
    assert not db.cas("key", "other", "new")
    assert db.cas("key", "old", "new")
    same(db.get("key"), b"new")


def scenario_streams(url: str) -> None:
    db = _database(url)
    stream = db.Stream("s")
    ids = [stream.add({"n": number}) for number in range(5)]
    same(len(stream), 5)
    same([entry for entry, _ in stream[ids[1] : ids[3]]], ids[1:4])
    same(stream[ids[2]][1], {b"n": b"2"})
    group = db.consumer_group("workers", ["s"], consumer="ann")
    group.create()
    group.set_id("0-0")
    same([entry for entry, _ in group.s.read(count=3)], ids[:3])
    same([item["message_id"] for item in group.s.pending()], ids[:3])
    same(group.s.ack(ids[0]), 1)
    other = group.consumer("bob")
    same([entry for entry, _ in other.s.claim(ids[1], min_idle_time=0)], [ids[1]])
    same([item["consumer"] for item in group.s.pending()], [b"bob", b"ann"])
    stream.trim(2, approximate=False)
    same(len(stream), 2)


def scenario_autocomplete(url: str) -> None:
    complete = _database(url).autocomplete()
    for identifier, title in (("1", "walrus in python"), ("2", "python and redis"), ("3", "redis scripts")):
        complete.store(identifier, title)
    same(sorted(complete.search("py")), ["python and redis", "walrus in python"])
    complete.remove("2")
    same(list(complete.search("redi")), ["redis scripts"])
