"""python-redis-lock: a lock that is signalled through a list (BLPOP), with scripts; renewed while it is held."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from compat.programs.support import eventually, raises, same, started

REQUIREMENTS = ("python-redis-lock==4.0.1", "redis==7.1.0")

_TURNS = 50


def _connect(url: str) -> Any:
    from redis import Redis

    return Redis.from_url(url)


def scenario_lock(url: str) -> None:
    import redis_lock

    with _connect(url) as connection:
        with redis_lock.Lock(connection, "work", expire=60) as held:
            other = redis_lock.Lock(connection, "work")
            assert not other.acquire(blocking=False)
            same(other.get_owner_id(), held.id)
            with raises(redis_lock.AlreadyAcquired):
                held.acquire()
        lock = redis_lock.Lock(connection, "work")
        assert lock.acquire(timeout=2)
        lock.release()
        assert not lock.locked()


def scenario_lost(url: str) -> None:
    import redis_lock

    with _connect(url) as connection:
        lock = redis_lock.Lock(connection, "work", expire=60)
        assert lock.acquire()
        redis_lock.reset_all(connection)
        with raises(redis_lock.NotAcquired):
            lock.release()
        short = redis_lock.Lock(connection, "work", expire=1)
        assert short.acquire()
        other = redis_lock.Lock(connection, "work", expire=60)
        assert other.acquire(timeout=2)  # as soon as the other one has expired
        with raises(redis_lock.NotAcquired):
            short.release()
        with raises(redis_lock.NotAcquired):
            short.extend()
        same(connection.get("lock:work"), other.id.encode())


def scenario_renewal(url: str) -> None:
    import redis_lock

    with _connect(url) as connection:
        with redis_lock.Lock(connection, "work", expire=1, auto_renewal=True):
            time.sleep(1.5)
            assert connection.exists("lock:work")
        assert not connection.exists("lock:work")


def _count(url: str) -> None:
    import redis_lock

    connection = _connect(url)
    for _ in range(_TURNS):
        with redis_lock.Lock(connection, "counter", expire=20):
            connection.set("counter", int(connection.get("counter") or 0) + 1)


def scenario_contention(url: str) -> None:
    """Each process that waits is woken by the one that releases."""
    with ExitStack() as stack:
        for worker in [stack.enter_context(started(_count, url)) for _ in range(4)]:
            worker.join()
            same(worker.exitcode, 0)
    same(int(_connect(url).get("counter")), 4 * _TURNS)


def _hold(url: str) -> None:
    import redis_lock

    redis_lock.Lock(_connect(url), "work", expire=1).acquire()
    time.sleep(600)


def scenario_holder_is_killed(url: str) -> None:
    import redis_lock

    connection = _connect(url)
    with started(_hold, url) as holder:
        eventually(lambda: connection.exists("lock:work"))
        holder.kill()
        holder.join()
    lock = redis_lock.Lock(connection, "work", expire=60)
    assert lock.acquire(timeout=2)
    lock.release()
