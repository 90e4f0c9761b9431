"""Django's own cache backend for Redis."""

from __future__ import annotations

REQUIREMENTS = ("django==5.2.19", "redis==7.1.0")


def _cache(url: str):  # type: ignore[no-untyped-def]  # not installed where types are checked
    from django.conf import settings

    if not settings.configured:
        backend = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}
        settings.configure(CACHES={"default": backend})
    from django.core.cache import cache

    return cache


def scenario_values(url: str) -> None:
    cache = _cache(url)
    cache.set("key", {"a": [1, 2]}, timeout=60)
    assert cache.get("key") == {"a": [1, 2]}
    assert cache.get("none", "default") == "default"
    assert not cache.add("key", "other")
    assert cache.add("fresh", 1)
    assert cache.delete("key")
    assert cache.get("key") is None
    assert cache.get_or_set("made", lambda: 42) == 42
    assert cache.has_key("made")


def scenario_counters(url: str) -> None:
    cache = _cache(url)
    cache.set("n", 10)
    assert cache.incr("n") == 11
    assert cache.decr("n", 5) == 6
    try:
        cache.incr("none")
    except ValueError:
        pass
    else:
        raise AssertionError("incremented a nonexistent key")


def scenario_many_keys(url: str) -> None:
    cache = _cache(url)
    values = {f"k{number}": number for number in range(50)}
    assert cache.set_many(values, timeout=60) == []
    assert cache.get_many([*values, "none"]) == values
    cache.delete_many(["k1", "k2"])
    assert len(cache.get_many(values)) == 48
    cache.clear()
    assert cache.get_many(values) == {}


def scenario_expiry(url: str) -> None:
    cache = _cache(url)
    cache.set("gone", 1, timeout=0)
    assert cache.get("gone") is None
    cache.set("k", 1, timeout=100)
    assert cache.touch("k", 500)
    assert not cache.touch("none", 500)
    cache.set("k", 2, version=2)
    assert (cache.get("k"), cache.get("k", version=2)) == (1, 2)
