"""limits: rate limits for web services; its counters are Lua scripts, or MULTI with INCR where that is enough."""

from __future__ import annotations

REQUIREMENTS = ("limits[redis]==5.8.0", "redis==7.1.0")
MISSING = ("EVALSHA",)


def scenario_fixed_window(url: str) -> None:
    from limits import parse, storage, strategies

    limiter = strategies.FixedWindowRateLimiter(storage.storage_from_string(url))
    limit = parse("3/hour")
    assert [limiter.hit(limit, "user") for _ in range(5)] == [True, True, True, False, False]
    assert limiter.hit(limit, "another")
    limiter.clear(limit, "user")
    assert limiter.test(limit, "user")


def scenario_moving_window(url: str) -> None:
    from limits import parse, storage, strategies

    limiter = strategies.MovingWindowRateLimiter(storage.storage_from_string(url))
    limit = parse("2/hour")
    assert [limiter.hit(limit, "user") for _ in range(3)] == [True, True, False]
    assert limiter.get_window_stats(limit, "user").remaining == 0
