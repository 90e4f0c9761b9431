"""django-redis: a cache backend with raw access, patterns, locks and sessions."""

from __future__ import annotations

from compat.programs.support import raises

REQUIREMENTS = ("django-redis==7.0.0", "django==5.2.19", "redis==7.1.0")


def _cache(url: str):  # type: ignore[no-untyped-def]  # not installed where types are checked
    from django.conf import settings

    if not settings.configured:
        settings.configure(CACHES={"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url}})
    from django.core.cache import cache

    return cache


def scenario_values_and_ttl(url: str) -> None:
    cache = _cache(url)
    cache.set("k", {"x": 1}, timeout=100)
    assert cache.get("k") == {"x": 1}
    assert 98 <= cache.ttl("k") <= 100
    assert cache.persist("k")
    assert cache.ttl("k") is None
    assert cache.expire("k", timeout=50)
    assert cache.set("k", "other", nx=True) is False
    cache.set_many({"a": 1, "b": 2})
    assert cache.get_many(["a", "b", "c"]) == {"a": 1, "b": 2}


def scenario_patterns(url: str) -> None:
    cache = _cache(url)
    cache.set_many({f"user_{number}": number for number in range(20)})
    assert len(cache.keys("user_*")) == 20
    assert sorted(cache.iter_keys("user_1*")) == sorted(f"user_{n}" for n in (1, *range(10, 20)))
    assert cache.delete_pattern("user_1*") == 11
    assert len(cache.keys("*")) == 9


def scenario_lock(url: str) -> None:
    cache = _cache(url)
    with cache.lock("work", timeout=10):
        assert not cache.lock("work").acquire(blocking=False)
    lock = cache.lock("work", timeout=10)
    assert lock.acquire(blocking=False)
    assert lock.extend(60)
    assert 60 < cache.ttl("work") <= 70
    cache.delete("work")
    with raises(Exception, "no longer owned"):
        lock.release()
