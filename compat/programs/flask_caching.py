"""Flask-Caching: memoized functions and views."""

from __future__ import annotations

REQUIREMENTS = ("Flask-Caching==2.5.1", "redis==7.1.0")


def _cache(url: str):  # type: ignore[no-untyped-def]  # not installed where types are checked
    from flask import Flask
    from flask_caching import Cache

    app = Flask("test")
    app.config.update(CACHE_TYPE="RedisCache", CACHE_REDIS_URL=url, CACHE_DEFAULT_TIMEOUT=60)
    return app, Cache(app)


def scenario_memoize(url: str) -> None:
    app, cache = _cache(url)
    calls = []

    @cache.memoize()
    def add(a: int, b: int) -> int:
        calls.append((a, b))
        return a + b

    with app.app_context():
        assert [add(1, 2), add(1, 2), add(2, 2)] == [3, 3, 4]
        assert calls == [(1, 2), (2, 2)]
        cache.delete_memoized(add, 1, 2)
        assert [add(1, 2), add(2, 2)] == [3, 4]
        assert len(calls) == 3


def scenario_view(url: str) -> None:
    app, cache = _cache(url)
    served = []

    @app.route("/")
    @cache.cached(timeout=50)
    def index() -> str:
        served.append(1)
        return "hello"

    client = app.test_client()
    assert [client.get("/").text for _ in range(3)] == ["hello"] * 3
    assert len(served) == 1
    with app.app_context():
        cache.clear()
    client.get("/")
    assert len(served) == 2


def scenario_values(url: str) -> None:
    app, cache = _cache(url)
    with app.app_context():
        cache.set_many({"a": 1, "b": [2]})
        assert cache.get_many("a", "b", "c") == [1, [2], None]
        assert cache.add("a", 5) is False
        assert cache.has("b")
        assert cache.delete("b")
        assert cache.get("b") is None
