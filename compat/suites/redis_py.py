"""redis-py's own tests, from its source distribution: commands, connections, pipelines, pub/sub, locks, scripts."""

from __future__ import annotations

from pathlib import Path

from compat.suites import pytest_suite
from compat.suites.base import Tally, environment, skips
from tests.support.processes import StartedServer

VERSION = "8.1.0"
VARIANTS = ("RESP2 sync", "RESP2 asyncio", "RESP3 sync", "RESP3 asyncio")
DIRECTIVES = ()
HTTP = False

_REQUIREMENTS = (
    f"redis[hiredis]=={VERSION}",
    "pytest==8.4.2",
    "pytest-asyncio==1.2.0",
    "pytest-timeout==2.4.0",
    "coverage",
    "numpy",
    "redis-entraid==1.2.1",
    "ujson",
    "pybreaker",
    "cachetools",
    "xxhash",
    "PyJWT",
    "aiohttp",
    "opentelemetry-api",
    "opentelemetry-sdk",
)
_LIMIT = 900.0  # seconds per variant
_TEST_LIMIT = 20  # seconds per test
# The suite's own marks for tests that need modules, a cluster, TLS, or several servers.
_ELSEWHERE = ("redismod", "onlycluster", "ssl", "cp_integration", "multidb_integration", "replica")


def prepare() -> Path:
    """Fetch it. Raises Unavailable."""
    return pytest_suite.source(_python(), "redis", VERSION)


def run(path: Path, variant: str, server: StartedServer, only: str) -> Tally:
    """Run the tests of a variant; `only` is an expression as for pytest's -k."""
    protocol, kind = variant.removeprefix("RESP").split()
    arguments = [
        "tests/test_asyncio" if kind == "asyncio" else "tests",
        f"--redis-url=redis://127.0.0.1:{server.port}/0",
        f"--protocol={protocol}",
        f"--timeout={_TEST_LIMIT}",
        "-m",
        " and ".join(f"not {mark}" for mark in _ELSEWHERE),
    ]
    left_out = dict(skips("redis_py", server.port))
    if kind == "sync":
        left_out["tests/test_asyncio"] = "the asyncio variant"
    if only:
        arguments += ["-k", only]
    return pytest_suite.run(_python(), path, arguments, left_out, _LIMIT)


def _python() -> Path:
    return environment("suite-redis-py", *_REQUIREMENTS)
