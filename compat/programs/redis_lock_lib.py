"""python-redis-lock: a lock that is signalled through a list (BLPOP), with scripts."""

from __future__ import annotations

REQUIREMENTS = ("python-redis-lock==4.0.1", "redis==7.1.0")
MISSING = ("EVALSHA", "BLPOP")


def scenario_lock(url: str) -> None:
    import redis_lock
    from redis import Redis

    with Redis.from_url(url) as connection:
        with redis_lock.Lock(connection, "work", expire=60):
            assert not redis_lock.Lock(connection, "work").acquire(blocking=False)
        lock = redis_lock.Lock(connection, "work")
        assert lock.acquire(timeout=2)
        lock.release()


def scenario_lost(url: str) -> None:
    import redis_lock
    from redis import Redis

    with Redis.from_url(url) as connection:
        lock = redis_lock.Lock(connection, "work", expire=60)
        assert lock.acquire()
        redis_lock.reset_all(connection)
        try:
            lock.release()
        except redis_lock.NotAcquired:
            return
        raise AssertionError("released a lost lock")
