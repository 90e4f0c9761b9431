"""Flask-Limiter: limits on the views of an application, shared by its processes."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import Any

from compat.programs.support import eventually, same, started

REQUIREMENTS = ("flask-limiter[redis]==4.1.1", "redis==7.1.0")

_STRATEGIES = ("fixed-window", "moving-window", "sliding-window-counter")


def _app(url: str, strategy: str = "fixed-window", **options: Any) -> Any:
    from flask import Flask, request
    from flask_limiter import Limiter

    app = Flask("test")
    limiter = Limiter(
        lambda: request.headers.get("User", "nobody"),
        app=app,
        storage_uri=url,
        strategy=strategy,
        headers_enabled=True,
        key_prefix=strategy,
        **options,
    )

    @app.route("/default")
    def default() -> str:
        return "default"

    @app.route("/slow")
    @limiter.limit("2 per day; 100 per year", override_defaults=True)
    def slow() -> str:
        return "slow"

    @app.route("/free")
    @limiter.exempt
    def free() -> str:
        return "free"

    @app.route("/login")
    @limiter.limit("2/hour", deduct_when=lambda response: response.status_code == 401)
    def login() -> tuple[str, int]:
        return ("in", 200) if request.args.get("password") == "right" else ("wrong", 401)

    shared = limiter.shared_limit("3/hour", scope="shared")

    @app.route("/one")
    @shared
    def one() -> str:
        return "one"

    @app.route("/two")
    @shared
    def two() -> str:
        return "two"

    @app.route("/reset")
    @limiter.exempt
    def reset() -> str:
        limiter.reset()
        return "reset"

    return app


def _statuses(client: Any, path: str, times: int, user: str = "ann") -> list[int]:
    return [client.get(path, headers={"User": user}).status_code for _ in range(times)]


def scenario_limits_of_views(url: str) -> None:
    for strategy in _STRATEGIES:
        client = _app(url, strategy, default_limits=["4 per hour"]).test_client()
        same(_statuses(client, "/default", 5), [200, 200, 200, 200, 429])
        same(_statuses(client, "/default", 1, "bob"), [200])
        same(_statuses(client, "/slow", 3), [200, 200, 429])
        same(_statuses(client, "/free", 10), [200] * 10)
        same([_statuses(client, path, 1)[0] for path in ("/one", "/two", "/one", "/two")], [200, 200, 200, 429])


def scenario_headers(url: str) -> None:
    for strategy in _STRATEGIES:
        client = _app(url, strategy, default_limits=["3 per hour"]).test_client()
        headers = [client.get("/default").headers for _ in range(4)]
        same([header["X-RateLimit-Remaining"] for header in headers], ["2", "1", "0", "0"])
        same({header["X-RateLimit-Limit"] for header in headers}, {"3"})
        assert 0 < int(headers[-1]["Retry-After"]) <= 3601, headers[-1]


def scenario_only_failures_count(url: str) -> None:
    client = _app(url, "moving-window").test_client()
    same(_statuses(client, "/login?password=right", 5), [200] * 5)
    same(_statuses(client, "/login", 3), [401, 401, 429])
    same(_statuses(client, "/login?password=right", 1), [429])


def scenario_reset(url: str) -> None:
    for strategy in _STRATEGIES:
        client = _app(url, strategy).test_client()
        same(_statuses(client, "/slow", 3), [200, 200, 429])
        same(_statuses(client, "/reset", 1), [200])
        same(_statuses(client, "/slow", 1), [200])


def scenario_application_limit_and_window(url: str) -> None:
    client = _app(url, "moving-window", application_limits=["3 per 1 second"]).test_client()
    same(_statuses(client, "/default", 2) + _statuses(client, "/two", 2), [200, 200, 200, 429])
    eventually(lambda: _statuses(client, "/default", 1) == [200], 5)


def _browse(url: str, strategy: str) -> None:
    from redis import Redis

    redis = Redis.from_url(url)
    client = _app(url, strategy, default_limits=["30 per hour"]).test_client()
    for status in _statuses(client, "/default", 30):
        redis.rpush(f"statuses:{strategy}", status)


def scenario_several_processes(url: str) -> None:
    from redis import Redis

    redis = Redis.from_url(url)
    for strategy in _STRATEGIES:
        with ExitStack() as stack:
            for worker in [stack.enter_context(started(_browse, url, strategy)) for _ in range(3)]:
                worker.join()
                same(worker.exitcode, 0)
        same(Counter(redis.lrange(f"statuses:{strategy}", 0, -1)), Counter({b"200": 30, b"429": 60}))


def scenario_connections_are_cut(url: str) -> None:
    from redis import Redis

    client = _app(url, "sliding-window-counter", default_limits=["4 per hour"]).test_client()
    redis = Redis.from_url(url)
    for _ in range(4):
        same(_statuses(client, "/default", 1), [200])
        redis.client_kill_filter(_type="normal", skipme=True)
        redis.script_flush()
    same(_statuses(client, "/default", 1), [429])
