"""The pytest plugin: fixtures that give tests a Redis-compatible server.

It is loaded with every test run wherever respcache is installed, so it imports nothing but the standard library until a
test needs a server. The names leave room for those of pytest-redis.

One server serves the test run (with pytest-xdist: one per worker). It starts in the background as soon as a test is
collected that needs it. Before each test that uses a client fixture, once, everything is put back as at its start. If
the server dies, the test during which it died says so, and the next one gets a new server, on the same port.

The ini options say how the server is started:

    [tool.pytest.ini_options]
    respcache_shards = 2
    respcache_args = "--databases 4 --notify-keyspace-events KEA"
    respcache_decode_responses = true

A mark says from which state a test starts, if not from an empty server: see `respcache.testing.prepared`.
"""

from __future__ import annotations

import gc
import warnings
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from respcache.testing import pytest_lint
from respcache.testing.prepared import HELP, is_asked_for

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Generator, Iterator

    import redis
    import redis.asyncio

    from respcache.testing.kept import KeptClient
    from respcache.testing.server import Server

Client = TypeVar("Client", "redis.Redis", "redis.asyncio.Redis")

_FRESH, _PREPARED = "_respcache_fresh", "_respcache_prepared"
_MISSING = "respcache_missing_commands"  # what workers of pytest-xdist report to their controller


def pytest_addoption(parser: pytest.Parser) -> None:
    number: Any = "int" if pytest.version_tuple >= (8, 4) else "string"  # the types of older versions lack "int"
    parser.addini("respcache_shards", "number of shard processes of the server (default: 1)", type=number, default=1)
    parser.addini("respcache_args", "more directives for the server, as on its command line", type="args")
    parser.addini("respcache_decode_responses", "clients return text, not bytes (default: false)", type="bool")
    pytest_lint.add_options(parser)


# -- fixtures


@pytest.fixture(scope="session")
def respcache_server(pytestconfig: pytest.Config) -> Server:
    """The running server of this test run: a `respcache.testing.Server`.

    A test that uses no other fixture of respcache finds what the test before it left.
    """
    server = pytestconfig.stash[_RUN].start()
    _ = server.port  # waits for it
    return server


@pytest.fixture(scope="session")
def respcache_session_url(respcache_server: Server) -> str:
    """The URL of the server, for fixtures of the scope of a session. It stays the same for the test run.

    The data is removed before each test that uses a client fixture, whatever fixtures of a wider scope have stored.
    """
    return respcache_server.url


@pytest.fixture
def respcache(_respcache_fresh: None, respcache_server: Server, pytestconfig: pytest.Config) -> redis.Redis:
    """A `redis.Redis` client of a fresh server. Replies are bytes, unless `respcache_decode_responses` is set."""
    return _traced(pytestconfig, pytestconfig.stash[_RUN].kept(respcache_server).client())


@pytest.fixture
def respcache_client(
    _respcache_fresh: None, respcache_server: Server, pytestconfig: pytest.Config
) -> Iterator[Callable[..., redis.Redis]]:
    """Makes clients of a fresh server: `respcache_client(decode_responses=True, db=1)`.

    The options are those of `redis.Redis`. The clients are closed after the test.
    """
    made: list[redis.Redis] = []

    def make(**options: Any) -> redis.Redis:
        made.append(_traced(pytestconfig, respcache_server.client(**{**_options(pytestconfig), **options})))
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

    client = respcache_server.async_client(**_options(pytestconfig), redis_connect_func=on_connect)
    yield _traced(pytestconfig, client)
    _close(client, opened)


@pytest.fixture
def respcache_url(_respcache_fresh: None, respcache_server: Server) -> str:
    """The URL of a fresh server, such as ``redis://127.0.0.1:12345/0``, for the settings of a program."""
    return respcache_server.url


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


@pytest.fixture
def _respcache_fresh(
    request: pytest.FixtureRequest, respcache_server: Server, pytestconfig: pytest.Config
) -> Iterator[None]:
    """The server is as at its start: once per test, before it, whichever fixtures it uses."""
    item, server = request.node, respcache_server
    kept = pytestconfig.stash[_RUN].kept(server)
    if server.alive() and _reset(server, kept):
        item.stash[_LOG_START] = server.log_size()
    else:
        kept.close()
        _replace(server)
        item.stash[_LOG_START] = 0
    item.stash[_SERVER] = server
    yield
    _tell_death(item, server)


@pytest.fixture
def _respcache_prepared(request: pytest.FixtureRequest, _respcache_fresh: None, respcache_server: Server) -> None:
    """The server is in the state that the test's mark asks for. Tests with the mark use this first."""
    from respcache.testing.prepared import prepare

    prepare(request, respcache_server)


def _reset(server: Server, kept: KeptClient) -> bool:
    """False if the server does not answer (any more), or refuses to: there may be no room for one more client."""
    try:
        if not kept.reset():
            server.reset()
    except RuntimeError:
        return False
    except OSError:
        server.wait_for_end(1.0)  # the connection may end a moment before the process does
        return False
    return True


def _options(config: pytest.Config) -> dict[str, Any]:
    return {"decode_responses": True} if config.getini("respcache_decode_responses") else {}


def _traced(config: pytest.Config, client: Client) -> Client:
    """The client; while lint is on, it notes which line of a test sends what."""
    lint = config.stash[_LINT]
    if lint is not None:
        lint.trace(client)
    return client


# -- the server of the run


class _Run:
    """The server of this test run, from when it is first needed."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.server: Server | None = None
        self._kept: KeptClient | None = None  # of the fixture `respcache`

    def start(self) -> Server:
        """The server; it may still be starting. Raises UsageError for options that cannot be understood."""
        if self.server is None:
            from respcache.testing.server import Server

            lint = self.config.stash[_LINT]
            args = [*self.config.getini("respcache_args"), *(lint.directives() if lint is not None else ())]
            self.server = Server(shards=self._shards(), args=args)
            self.server.start_soon()
        return self.server

    def _shards(self) -> int:
        try:
            return int(self.config.getini("respcache_shards"))
        except (TypeError, ValueError, pytest.UsageError) as error:  # which one depends on the version of pytest
            raise pytest.UsageError(f"respcache_shards is not a number: {error}") from None

    def kept(self, server: Server) -> KeptClient:
        """The client of `server`, which may be another one than that of the run."""
        from respcache.testing.kept import KeptClient

        if self._kept is None or self._kept.server is not server:
            self._close_kept()
            self._kept = KeptClient(server, **_options(self.config))
        return self._kept

    def stop(self) -> None:
        """End the server, if there is one."""
        self._close_kept()
        if self.server is not None:
            self.server.stop()

    def _close_kept(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None


_RUN = pytest.StashKey[_Run]()
_SERVER = pytest.StashKey["Server"]()  # of an item: the server that it uses
_LOG_START = pytest.StashKey[int]()  # of an item: the size of the server's log when the test began
_FAILED = pytest.StashKey[bool]()  # of an item: a phase of it has failed
_LINT = pytest.StashKey["pytest_lint.Lint | None"]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", HELP)
    config.stash[_RUN] = _Run(config)
    config.stash[_LINT] = pytest_lint.lint_of(config, lambda item: item.stash.get(_SERVER, None))
    config.stash[_REPORTED] = set()


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_RUN].stop()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Start the server while other tests are still being collected."""
    if is_asked_for(item):
        _prepare_first(item)
    if item.config.stash[_RUN].server is None and not item.config.option.collectonly and _uses_our_server(item):
        try:
            item.config.stash[_RUN].start()
        except pytest.UsageError:
            pass  # the fixture says so


def _prepare_first(item: pytest.Item) -> None:
    """Let a test start from the state that its mark asks for, before its own fixtures, but those of a wider scope."""
    names: list[str] = getattr(item, "fixturenames", [])
    known: dict[str, Any] = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    wider = [name for name in names if name in known and known[name][-1].scope != "function"]
    own = [name for name in names if name not in wider]
    item.fixturenames = [*wider, _FRESH, _PREPARED, *own]  # type: ignore[attr-defined]  # tests that are functions have it


def pytest_collection_finish(session: pytest.Session) -> None:
    """The tests that need a server may have been deselected."""
    if not any(map(_uses_our_server, session.items)):
        session.config.stash[_RUN].stop()
        session.config.stash[_RUN].server = None


def _uses_our_server(item: pytest.Item) -> bool:
    """True if a test needs the server of the run. Where that cannot be known, the fixture starts it."""
    definition = _server_fixture(item)
    return definition is not None and definition.func.__module__ == __name__


def _server_fixture(item: pytest.Item) -> pytest.FixtureDef[Any] | None:
    """The fixture `respcache_server` of a test, which a conftest may override; None if the test does not use it."""
    # pytest has no public way to ask for this.
    known: dict[str, Any] = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    definitions = known.get("respcache_server")
    return definitions[-1] if definitions else None


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
    """The server is made fresh before other fixtures of the test store something in it, by whatever way."""
    item = request.node
    if (
        fixturedef.scope != "function"
        or fixturedef.argname in (_FRESH, _PREPARED)
        or _FRESH not in getattr(item, "fixturenames", ())
    ):
        return
    server = _server_fixture(item)
    # A server of one test is fresh anyway, and what it depends on cannot wait for it.
    if server is not None and server.scope != "function":
        request.getfixturevalue(_FRESH)


# -- when it dies, and when tests fail


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """The server may have died during a test, or between tests, that nobody looked after it."""
    server = item.config.stash[_RUN].server
    if server is not None and "respcache_server" in getattr(item, "fixturenames", ()):
        item.stash[_SERVER] = server
        if not server.alive():
            _replace(server)


def _replace(server: Server) -> None:
    """Start a new server after one that was stopped, does not answer or has died. A death fails the test."""
    death = server.death()
    server.stop()
    server.start()
    if death is not None:
        pytest.fail(f"before this test, {death}", pytrace=False)


def _tell_death(item: pytest.Item, server: Server) -> None:
    """Fail the test if the server has died. The next one gets a new server."""
    death = server.death()
    if death is None:
        return
    server.stop()
    if not item.stash.get(_FAILED, False):
        pytest.fail(death, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows what the server has logged since it began."""
    report = yield
    if report.failed and not item.stash.get(_FAILED, False):
        item.stash[_FAILED] = True
        server = item.stash.get(_SERVER, None)
        if server is not None and server.running and (log := server.log(item.stash.get(_LOG_START, 0))):
            report.sections.append(("respcache log", log))
    return report


# -- commands that are not there yet

_REPORTED = pytest.StashKey[set[str]]()  # of the controller of pytest-xdist: by its workers


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_MISSING] = _missing(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[_REPORTED].update(getattr(node, "workeroutput", {}).get(_MISSING, ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    names = sorted({*_missing(config), *config.stash[_REPORTED]})
    if names:
        terminalreporter.section("respcache")
        terminalreporter.line(f"Called, but not in respcache yet: {', '.join(names)}")
        terminalreporter.line("See docs/reference/differences.md.")


def _missing(config: pytest.Config) -> list[str]:
    server = config.stash[_RUN].server
    return server.missing_commands() if server is not None else []


# -- clients for asyncio


def _close(client: redis.asyncio.Redis, opened: list[tuple[Any, AbstractEventLoop]]) -> None:
    """Close what a test left open: in the event loop of the connection, if that can still run.

    Where the loop is gone (`asyncio.run` in the test), nothing can be closed in an orderly way any more, and asyncio
    would warn about it; but the fixture owns the client, so that is no fault of the test.
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
