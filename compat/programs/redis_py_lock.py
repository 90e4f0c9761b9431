"""redis-py's own lock: held by one of many processes, extended, reacquired, waited for and lost."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from compat.programs.support import eventually, raises, same, started

REQUIREMENTS = ("redis==8.1.0",)

_WORKERS, _TURNS = 4, 25


def _connect(url: str) -> Any:
    from redis import Redis

    return Redis.from_url(url)


def scenario_one_holder(url: str) -> None:
    from redis.exceptions import LockError

    redis = _connect(url)
    lock, other = redis.lock("work", timeout=60), redis.lock("work", timeout=60)
    assert lock.acquire()
    assert lock.locked()
    assert lock.owned()
    assert not other.owned()
    assert not other.acquire(blocking=False)
    with raises(LockError, "not owned"):
        other.release()
    lock.release()
    with raises(LockError):
        lock.release()
    assert other.acquire(blocking=False)
    with raises(LockError, "Unable to acquire"), redis.lock("work", blocking_timeout=0.05, sleep=0.01):
        pass


def scenario_extend_and_reacquire(url: str) -> None:
    from redis.exceptions import LockError

    redis = _connect(url)
    lock = redis.lock("work", timeout=10)
    assert lock.acquire()
    assert lock.extend(20)
    assert 28_000 < redis.pttl("work") <= 30_000
    assert lock.extend(5.5, replace_ttl=True)
    assert 4_000 < redis.pttl("work") <= 5_500
    assert lock.reacquire()
    assert 8_000 < redis.pttl("work") <= 10_000
    lock.release()
    with raises(LockError):
        lock.extend(1)
    forever = redis.lock("forever")
    assert forever.acquire()
    same(redis.ttl("forever"), -1)
    with raises(LockError, "no timeout"):
        forever.reacquire()


def scenario_lost_by_timeout(url: str) -> None:
    """Its time runs out, another client takes it; the first one must not touch that one's lock."""
    from redis.exceptions import LockNotOwnedError

    redis = _connect(url)
    lost, winner = redis.lock("work", timeout=0.1), redis.lock("work", timeout=60)
    assert lost.acquire()
    assert winner.acquire(blocking_timeout=10, sleep=0.01)
    for attempt in (lost.reacquire, lambda: lost.extend(100), lost.release):
        with raises(LockNotOwnedError):
            attempt()
    assert winner.owned()
    assert redis.ttl("work") > 50
    winner.release()
    with raises(LockNotOwnedError), redis.lock("work", timeout=60):
        redis.delete("work")
    with redis.lock("work", timeout=60, raise_on_release_error=False):
        redis.delete("work")


def scenario_wait_for_release(url: str) -> None:
    redis = _connect(url)
    lock = redis.lock("work", timeout=60, thread_local=False)
    assert lock.acquire()
    releasing = threading.Timer(0.2, lock.release)
    begin = time.monotonic()
    releasing.start()
    assert redis.lock("work", timeout=60, sleep=0.01).acquire(blocking_timeout=10)
    assert time.monotonic() - begin >= 0.19
    releasing.join()


def scenario_scripts_are_forgotten(url: str) -> None:
    redis = _connect(url)
    lock = redis.lock("work", timeout=60)
    for _ in range(3):
        assert lock.acquire(blocking=False)
        redis.script_flush()
        lock.release()
        assert not lock.locked()


def _count(url: str) -> None:
    redis = _connect(url)
    for _ in range(_TURNS):
        with redis.lock("counter:lock", timeout=20, sleep=0.001):
            value = int(redis.get("counter") or 0)
            time.sleep(0.0005)
            redis.set("counter", value + 1)


def scenario_contention(url: str) -> None:
    """Several processes read, wait and write under the lock: no turn may be lost."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        workers = [stack.enter_context(started(_count, url)) for _ in range(_WORKERS)]
        for worker in workers:
            worker.join()
            same(worker.exitcode, 0)
    redis = _connect(url)
    same(int(redis.get("counter")), _WORKERS * _TURNS)
    assert not redis.exists("counter:lock")


def _hold(url: str) -> None:
    _connect(url).lock("work", timeout=1).acquire()
    time.sleep(600)


def scenario_holder_is_killed(url: str) -> None:
    redis = _connect(url)
    with started(_hold, url) as holder:
        eventually(lambda: redis.get("work"))
        holder.kill()
        holder.join()
        lock = redis.lock("work", timeout=60, sleep=0.02)
        assert lock.acquire(blocking_timeout=10)
        lock.release()


def scenario_asyncio(url: str) -> None:
    from redis.asyncio import Redis
    from redis.exceptions import LockNotOwnedError

    async def main() -> None:
        redis = Redis.from_url(url)
        inside = total = 0

        async def turn() -> None:
            nonlocal inside, total
            for _ in range(5):
                async with redis.lock("work", timeout=20, sleep=0.001):
                    inside += 1
                    same(inside, 1)
                    await asyncio.sleep(0.001)
                    inside -= 1
                    total += 1

        await asyncio.gather(*(turn() for _ in range(10)))
        same(total, 50)
        lost = redis.lock("lost", timeout=0.05)
        assert await lock_expires(redis, lost)
        with raises(LockNotOwnedError):
            await lost.release()
        await redis.aclose()

    async def lock_expires(redis: Any, lock: Any) -> bool:
        await lock.acquire()
        while await redis.exists("lost"):
            await asyncio.sleep(0.01)
        return True

    asyncio.run(main())
