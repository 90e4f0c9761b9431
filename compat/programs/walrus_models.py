"""walrus: containers, models and a cache on redis-py."""

from __future__ import annotations

from urllib.parse import urlsplit

REQUIREMENTS = ("walrus==0.9.8", "redis==7.1.0")
MISSING = ("EVAL",)  # its lock and rate limit


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
    limit = _database(url).rate_limit("api", limit=2, per=60)
    assert [limit.limit("me") for _ in range(3)] == [False, False, True]
