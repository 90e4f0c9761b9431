"""The fixtures that tests use."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from respcache.testing.plugin.asyncio_clients import close
from respcache.testing.plugin.options import client_options
from respcache.testing.plugin.runs import LINT, RUN, SERVER

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterator

    import redis
    import redis.asyncio

    from respcache.testing.namespaces import Namespace
    from respcache.testing.server import Server

Client = TypeVar("Client", "redis.Redis", "redis.asyncio.Redis")


@pytest.fixture(scope="session")
def respcache_server(request: pytest.FixtureRequest) -> Server:
    """The running server of this test run: a `respcache.testing.Server`.

    A test that uses no other fixture of respcache finds what the test before it left. Where workers of pytest-xdist
    share one server (`respcache_shared`), it is a `respcache.testing.shared.SharedServer`.
    """
    server = request.config.stash[RUN].start(getattr(request, "param", None))
    _ = server.port  # waits for it
    return server


@pytest.fixture(scope="session")
def respcache_session_url(respcache_server: Server) -> str:
    """The URL of the server, for fixtures of the scope of a session. It stays the same for the test run.

    The data is removed before each test that uses a client fixture, whatever fixtures of a wider scope have stored.
    """
    return respcache_server.url


@pytest.fixture(scope="session")
def respcache_server_factory() -> Iterator[Callable[..., Server]]:
    """Starts more servers: `respcache_server_factory(shards=2)`, for fixtures of whatever scope.

    The options are those of `respcache.testing.Server`. The servers end with the test run, unless they are stopped.
    """
    from respcache.testing.server import Server

    with ExitStack() as running:
        yield lambda **options: running.enter_context(Server(**options))


@pytest.fixture
def respcache(request: pytest.FixtureRequest, _respcache_fresh: None) -> redis.Redis:
    """A `redis.Redis` client of a fresh server. Replies are bytes, unless `respcache_decode_responses` is set."""
    # Not by the fixture `respcache_server`: pytest takes a moment for each, and this one is used most.
    server = request.node.stash[SERVER]
    return _traced(request.config, request.config.stash[RUN].kept(server).client())


@pytest.fixture
def respcache_client(
    _respcache_fresh: None, respcache_server: Server, pytestconfig: pytest.Config
) -> Iterator[Callable[..., redis.Redis]]:
    """Makes clients of a fresh server: `respcache_client(decode_responses=True, db=1)`.

    The options are those of `redis.Redis`. The clients are closed after the test.
    """
    made: list[redis.Redis] = []

    def make(**options: Any) -> redis.Redis:
        made.append(_traced(pytestconfig, respcache_server.client(**{**client_options(pytestconfig), **options})))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def respcache_async(
    _respcache_fresh: None, respcache_server: Server, pytestconfig: pytest.Config
) -> Iterator[redis.asyncio.Redis]:
    """A `redis.asyncio.Redis` client of a fresh server. Replies are as those of `respcache`.

    It connects at its first command, in whatever event loop that runs, so it goes with `asyncio.run` as well as with
    pytest-asyncio and anyio. It is closed after the test.
    """
    import asyncio

    opened: list[tuple[Any, AbstractEventLoop]] = []

    async def on_connect(connection: Any) -> None:
        """A connection is new. If this is cancelled, redis-py closes it."""
        opened.append((connection, asyncio.get_running_loop()))
        await connection.on_connect()

    client = respcache_server.async_client(**client_options(pytestconfig), redis_connect_func=on_connect)
    yield _traced(pytestconfig, client)
    close(client, opened)


@pytest.fixture
def respcache_url(_respcache_fresh: None, respcache_server: Server) -> str:
    """The URL of a fresh server, such as ``redis://127.0.0.1:12345/0``, for the settings of a program."""
    return respcache_server.url


@pytest.fixture
def respcache_namespace(respcache_server: Server) -> Iterator[Namespace]:
    """A server of one test within the server: an empty `Namespace`, with `url`, `client()` and `async_client()`.

    For tests that run at the same time in one process. It is dropped after the test.
    """
    with respcache_server.namespace() as namespace:
        yield namespace


@pytest.fixture
def respcache_rest_url(_respcache_fresh: None, respcache_server: Server) -> str:
    """The base URL of Upstash's REST API on a fresh server, such as ``http://127.0.0.1:12345``.

    It is what UPSTASH_REDIS_REST_URL takes. It needs ``respcache[http]``. The server opens its HTTP door for the first
    test that asks for it; the URL stays the same for the test run.
    """
    try:
        respcache_server.open_http()
    except RuntimeError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    return respcache_server.rest_url


@pytest.fixture
def respcache_rest_token(respcache_server: Server) -> str:
    """The token that goes with `respcache_rest_url`, for UPSTASH_REDIS_REST_TOKEN."""
    return respcache_server.rest_token


def _traced(config: pytest.Config, client: Client) -> Client:
    """The client; while lint is on, it notes which line of a test sends what."""
    lint = config.stash[LINT]
    if lint is not None:
        lint.trace(client)
    return client
