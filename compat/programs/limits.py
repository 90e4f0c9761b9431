"""limits: rate limits for web services; its counters are Lua scripts, or MULTI with INCR where that is enough."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from compat.programs.support import eventually, same, started

REQUIREMENTS = ("limits[redis,async-redis]==5.8.0", "redis==7.1.0")

_STRATEGIES = ("fixed-window", "moving-window", "sliding-window-counter")
_GRANTED = 40  # by all processes together


def _limiter(url: str, strategy: str) -> Any:
    from limits import storage, strategies

    return strategies.STRATEGIES[strategy](storage.storage_from_string(url))


def _each(check: Callable[[str], None]) -> None:
    for strategy in _STRATEGIES:
        try:
            check(strategy)
        except AssertionError as error:
            raise AssertionError(f"{strategy}: {error}") from error


def scenario_limit_is_hit(url: str) -> None:
    from limits import parse

    def check(strategy: str) -> None:
        limiter, limit = _limiter(url, strategy), parse("3/hour")
        assert limiter.test(limit, strategy)
        same([limiter.hit(limit, strategy) for _ in range(5)], [True, True, True, False, False])
        assert not limiter.test(limit, strategy)
        same(limiter.get_window_stats(limit, strategy).remaining, 0)
        assert limiter.hit(limit, strategy, "another")
        limiter.clear(limit, strategy)
        assert limiter.test(limit, strategy)
        same(limiter.get_window_stats(limit, strategy).remaining, 3)

    _each(check)


def scenario_cost(url: str) -> None:
    from limits import parse

    def check(strategy: str) -> None:
        limiter, limit = _limiter(url, strategy), parse("10 per 2 hours")
        assert limiter.hit(limit, strategy, cost=6)
        assert not limiter.test(limit, strategy, cost=5)
        assert not limiter.hit(limit, strategy, cost=11)
        if strategy != "fixed-window":  # there the hit that is refused has counted
            same(limiter.get_window_stats(limit, strategy).remaining, 4)
            assert limiter.hit(limit, strategy, cost=4)
        assert not limiter.hit(limit, strategy)

    _each(check)


def scenario_window_passes(url: str) -> None:
    from limits import parse

    def check(strategy: str) -> None:
        limiter, limit = _limiter(url, strategy), parse("2/second")
        granted = [limiter.hit(limit, strategy) for _ in range(4)]
        assert granted[:2] == [True, True], granted
        assert not all(granted), granted
        reset = limiter.get_window_stats(limit, strategy).reset_time
        assert time.time() - 1 < reset < time.time() + 2.1, reset - time.time()
        eventually(lambda: limiter.hit(limit, strategy), 5)

    _each(check)


def scenario_moving_window_lets_go_one_by_one(url: str) -> None:
    from limits import parse

    limiter, limit = _limiter(url, "moving-window"), parse("2 per 1 second")
    begin = time.time()
    assert limiter.hit(limit, "user")
    time.sleep(0.5)
    assert limiter.hit(limit, "user")
    assert not limiter.hit(limit, "user")
    assert abs(limiter.get_window_stats(limit, "user").reset_time - begin - 1) < 0.3
    eventually(lambda: limiter.hit(limit, "user"), 5)
    assert not limiter.hit(limit, "user") or time.time() > begin + 1.5


def scenario_sliding_window_counts_the_previous_one(url: str) -> None:
    """Two windows, of which the older one weighs less and less."""
    from limits import parse

    limiter, limit = _limiter(url, "sliding-window-counter"), parse("100 per 3 seconds")
    assert limiter.hit(limit, "user", cost=100)
    assert not limiter.hit(limit, "user")
    time.sleep(3.2)
    assert limiter.hit(limit, "user")  # a new window
    assert not limiter.hit(limit, "user", cost=60)
    eventually(lambda: limiter.hit(limit, "user", cost=60))


def _hit(url: str, strategy: str) -> None:
    from limits import parse

    limiter, limit = _limiter(url, strategy), parse(f"{_GRANTED}/hour")
    for _ in range(_GRANTED):
        if limiter.hit(limit, strategy):
            limiter.storage.storage.incr(f"granted:{strategy}")


def scenario_several_processes(url: str) -> None:
    """They ask for three times what there is, all at once: exactly what there is must be granted."""
    from redis import Redis

    def check(strategy: str) -> None:
        with ExitStack() as stack:
            for worker in [stack.enter_context(started(_hit, url, strategy)) for _ in range(3)]:
                worker.join()
                same(worker.exitcode, 0)
        same(Redis.from_url(url).get(f"granted:{strategy}"), str(_GRANTED).encode())

    _each(check)


def scenario_storage(url: str) -> None:
    from limits import parse, storage

    store: Any = storage.storage_from_string(url)
    assert store.check()
    same([store.incr("counter", 60) for _ in range(3)], [1, 2, 3])
    assert 0 < store.get_expiry("counter") - time.time() <= 60
    limit = parse("1/day")
    for strategy in _STRATEGIES:
        for user in range(20):
            assert _limiter(url, strategy).hit(limit, f"user {user}", strategy)
    # A script that looks for keys by pattern, wherever they are: 20 and the counter, 20, and 20.
    assert store.reset() >= 60
    assert _limiter(url, "moving-window").hit(limit, "user 1", "moving-window")


def scenario_asyncio(url: str) -> None:
    from limits import parse
    from limits.aio import strategies
    from limits.storage import storage_from_string

    async def main(implementation: str) -> None:
        store: Any = storage_from_string(f"async+{url}", implementation=implementation)
        for strategy, kind in strategies.STRATEGIES.items():
            limiter = kind(store)
            limit = parse("5/minute")
            granted = await asyncio.gather(*(limiter.hit(limit, implementation, strategy) for _ in range(10)))
            same((strategy, sum(granted)), (strategy, 5))
            same((await limiter.get_window_stats(limit, implementation, strategy)).remaining, 0)

    asyncio.run(main("redispy"))
    asyncio.run(main("coredis"))
