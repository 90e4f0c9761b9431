"""The pytest plugin: fixtures that give tests a Redis-compatible server.

It is loaded with every test run wherever respcache is installed, so it imports nothing but the standard
library until a fixture is asked for. The names leave room for those of pytest-redis.

One server is started for the test run, when the first test asks for it (with pytest-xdist: one for each
worker), and its data is removed before each test that uses a client fixture. The ini options
`respcache_shards` and `respcache_args` say how it is started:

    [tool.pytest.ini_options]
    respcache_args = "--maxmemory 10mb --maxmemory-policy allkeys-lru"
"""

from __future__ import annotations

import gc
import warnings
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Iterator

    import redis
    import redis.asyncio

    from respcache.testing.server import Server


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("respcache_shards", "number of shard processes of the server (default: 1)", default="1")
    parser.addini("respcache_args", "more directives for the server, as on its command line", type="args")


@pytest.fixture(scope="session")
def respcache_server(pytestconfig: pytest.Config) -> Iterator[Server]:
    """The running server of this test run: a `respcache.testing.Server`. Its data is left alone."""
    from respcache.testing.server import Server

    with Server(shards=_shards(pytestconfig), args=pytestconfig.getini("respcache_args")) as server:
        yield server


@pytest.fixture
def respcache(respcache_server: Server) -> Iterator[redis.Redis]:
    """A `redis.Redis` client of an empty server; replies are bytes."""
    respcache_server.flush()
    with respcache_server.client() as client:
        yield client


@pytest.fixture
def respcache_async(respcache_server: Server) -> Iterator[redis.asyncio.Redis]:
    """A `redis.asyncio.Redis` client of an empty server; replies are bytes.

    It connects at its first command, in whatever event loop that runs, so it goes with `asyncio.run` as well
    as with pytest-asyncio and anyio. It is closed after the test.
    """
    import asyncio

    opened: list[tuple[Any, AbstractEventLoop]] = []

    async def on_connect(connection: Any) -> None:
        opened.append((connection, asyncio.get_running_loop()))
        await connection.on_connect()

    respcache_server.flush()
    client = respcache_server.async_client(redis_connect_func=on_connect)
    yield client
    _close(client, opened)


@pytest.fixture
def respcache_url(respcache_server: Server) -> str:
    """The URL of an empty server, such as ``redis://127.0.0.1:12345/0``, for the settings of a program."""
    respcache_server.flush()
    return respcache_server.url


def _shards(config: pytest.Config) -> int:
    value = config.getini("respcache_shards")
    try:
        return int(value)
    except ValueError:
        raise pytest.UsageError(f"respcache_shards: {value!r} is not a number") from None


def _close(client: redis.asyncio.Redis, opened: list[tuple[Any, AbstractEventLoop]]) -> None:
    """Close what a test left open: in the event loop of the connection, if that can still run.

    Where the loop is gone (`asyncio.run` in the test), nothing can be closed in an orderly way any more, and
    asyncio would warn about it; but the fixture owns the client, so that is no fault of the test.
    """
    abandoned = False
    for connection, loop in opened:
        if loop.is_closed():
            abandoned = abandoned or connection.is_connected
        elif not loop.is_running():
            loop.run_until_complete(connection.disconnect())
        del connection, loop  # the last references must not be here
    opened.clear()
    if abandoned:
        _abandon(client)


def _abandon(client: redis.asyncio.Redis) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        client.connection_pool.reset()  # type: ignore[no-untyped-call]  # redis-py gives it no types
        # The sockets hang in reference cycles: they are closed here, where the warnings are ignored.
        gc.collect()
