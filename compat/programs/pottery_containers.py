"""pottery: Python's containers, and locks, on Redis."""

from __future__ import annotations

REQUIREMENTS = ("pottery==3.0.1", "redis==4.6.0")
MISSING = ("EVALSHA",)  # Redlock


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
    from redis import Redis

    redis = Redis.from_url(url)
    lock = Redlock(key="work", masters={redis}, auto_release_time=10)
    assert lock.acquire()
    assert not Redlock(key="work", masters={redis}).acquire(blocking=False)
    lock.release()
