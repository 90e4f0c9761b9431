"""aiocache: a cache for asyncio, with decorators."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

REQUIREMENTS = ("aiocache[redis]==0.12.3", "redis==5.2.1")


def scenario_values(url: str) -> None:
    from aiocache import RedisCache

    async def main() -> None:
        async with RedisCache(endpoint="127.0.0.1", port=urlsplit(url).port) as cache:
            assert await cache.set("k", "v", ttl=60)
            assert await cache.get("k") == "v"
            assert await cache.multi_set([("a", "1"), ("b", "2")], ttl=60)
            assert await cache.multi_get(["a", "b", "c"]) == ["1", "2", None]
            assert await cache.exists("a")
            assert await cache.increment("n", 5) == 5
            assert await cache.expire("a", 100)
            assert await cache.delete("a") == 1
            try:
                await cache.add("k", "again")
            except ValueError:
                pass
            else:
                raise AssertionError("added a key that existed")
            assert await cache.clear()
            assert not await cache.exists("k")

    asyncio.run(main())


def scenario_decorator(url: str) -> None:
    from aiocache import RedisCache, cached

    calls = []

    @cached(ttl=60, cache=RedisCache, endpoint="127.0.0.1", port=urlsplit(url).port)
    async def work(x: int) -> int:
        calls.append(x)
        return x * 2

    async def main() -> None:
        assert [await work(3), await work(3), await work(4)] == [6, 6, 8]
        assert calls == [3, 4]
        await work.cache.close()

    asyncio.run(main())


def scenario_lock(url: str) -> None:
    """Many ask for what is not there; one makes it, the others find it then."""
    from aiocache import RedisCache
    from aiocache.lock import RedLock

    async def main() -> None:
        async with RedisCache(endpoint="127.0.0.1", port=urlsplit(url).port) as cache:
            made = []
            making = asyncio.Event()

            async def obtain() -> object:
                async with RedLock(cache, "k", lease=10):
                    if (value := await cache.get("k")) is not None:
                        return value
                    making.set()
                    await asyncio.sleep(0.2)
                    made.append(1)
                    await cache.set("k", "made")
                    return "made"

            first = asyncio.create_task(obtain())
            await making.wait()  # before that, those who find the lock taken do not know yet whom to wait for
            assert await asyncio.gather(first, *(obtain() for _ in range(10))) == ["made"] * 11
            assert made == [1]
            assert not await cache.exists("k-lock")

    asyncio.run(main())


def scenario_optimistic_lock(url: str) -> None:
    from aiocache import RedisCache
    from aiocache.lock import OptimisticLock, OptimisticLockError

    async def main() -> None:
        async with RedisCache(endpoint="127.0.0.1", port=urlsplit(url).port) as cache:
            await cache.set("k", "first")
            async with OptimisticLock(cache, "k") as lock:
                await lock.cas("second")
            assert await cache.get("k") == "second"
            try:
                async with OptimisticLock(cache, "k") as lock:
                    await cache.set("k", "another's")
                    await lock.cas("third")
            except OptimisticLockError:
                pass
            else:
                raise AssertionError("overwrote another's value")
            assert await cache.get("k") == "another's"

    asyncio.run(main())
