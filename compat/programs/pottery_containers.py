"""pottery: Python's containers, and locks, on Redis."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from compat.programs.support import raises, same, started

REQUIREMENTS = ("pottery==3.0.1", "redis==4.6.0")


def scenario_containers(url: str) -> None:
    from pottery import RedisDeque, RedisDict, RedisList, RedisSet
    from redis import Redis

    redis = Redis.from_url(url)
    tel = RedisDict({"jack": 4098}, redis=redis, key="tel")
    tel["sape"] = 4139
    assert dict(tel) == {"jack": 4098, "sape": 4139}
    squares = RedisList([1, 4, 9], redis=redis, key="squares")
    squares.append(16)
    assert squares[-2:] == [9, 16]
    basket = RedisSet({"apple", "pear"}, redis=redis, key="basket")
    assert "apple" in basket
    queue = RedisDeque("ghi", redis=redis, key="queue")
    queue.appendleft("f")
    assert list(queue) == ["f", "g", "h", "i"]


def scenario_counter(url: str) -> None:
    from pottery import RedisCounter
    from redis import Redis

    redis = Redis.from_url(url)
    counter = RedisCounter(redis=redis, key="counter")
    for word in ("red", "blue", "red"):
        counter[word] += 1
    assert counter["red"] == 2


def scenario_lock(url: str) -> None:
    from pottery import Redlock
    from pottery.exceptions import ReleaseUnlockedLock
    from redis import Redis

    redis = Redis.from_url(url)
    lock = Redlock(key="work", masters={redis}, auto_release_time=10)
    assert lock.acquire()
    assert 9 < lock.locked() <= 10
    other = Redlock(key="work", masters={redis})
    assert not other.acquire(blocking=False)
    assert not other.acquire(timeout=0.2)
    lock.extend()
    lock.release()
    with raises(ReleaseUnlockedLock):
        lock.release()
    with Redlock(key="short", masters={redis}, auto_release_time=0.2) as short:
        time.sleep(0.3)
        same(short.locked(), 0)
        assert Redlock(key="short", masters={redis}, auto_release_time=10).acquire()
        with raises(ReleaseUnlockedLock):
            short.release()
        redis.delete("redlock:short")
        assert short.acquire()


def _take(url: str) -> None:
    from pottery import NextID, RedisDict, Redlock
    from redis import Redis

    redis = Redis.from_url(url)
    identifiers = NextID(key="orders", masters={redis}, num_tries=100)
    counts = RedisDict(redis=redis, key="counts")
    for _ in range(20):
        redis.rpush("taken", next(identifiers))
        with Redlock(key="counts", masters={redis}):
            counts["n"] = counts.get("n", 0) + 1


def scenario_several_processes(url: str) -> None:
    """Identifiers that nobody else gets, and a count under a lock."""
    from pottery import RedisDict
    from redis import Redis

    redis: Any = Redis.from_url(url)
    with ExitStack() as stack:
        for worker in [stack.enter_context(started(_take, url)) for _ in range(3)]:
            worker.join()
            same(worker.exitcode, 0)
    same(len(set(redis.lrange("taken", 0, -1))), 60)
    same(RedisDict(redis=redis, key="counts")["n"], 60)


def scenario_queue_and_cache(url: str) -> None:
    from queue import Empty

    from pottery import BloomFilter, RedisSimpleQueue, redis_cache
    from redis import Redis

    redis = Redis.from_url(url)
    queue = RedisSimpleQueue(redis=redis, key="queue")
    for item in ("one", "two"):
        queue.put(item)
    same([queue.get(timeout=1), queue.get(timeout=1)], ["one", "two"])
    with raises(Empty):
        queue.get(timeout=1)  # rounded down it would wait for ever
    calls = []

    @redis_cache(redis=redis, key="cache")
    def work(x: int) -> int:
        calls.append(x)
        return x + 1

    same([work(1), work(1), work(2), calls], [2, 2, 3, [1, 2]])
    bloom = BloomFilter(num_elements=100, false_positives=0.01, redis=redis, key="bloom")
    bloom.update({"red", "blue"})
    same(list(bloom.contains_many("red", "blue")), [True, True])
    assert "green" not in bloom
