"""Each test finds a fresh server: once, before it, whichever fixtures it uses, and before these store something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from respcache.testing.plugin import marks
from respcache.testing.plugin.reports import JOURNAL_OF_A_TEST, LOG_START, tell_death
from respcache.testing.plugin.runs import RUN, SERVER, server_fixture, uses_our_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from respcache.testing.kept import KeptClient
    from respcache.testing.server import Server

_FRESH, _PREPARED = "_respcache_fresh", "_respcache_prepared"


@pytest.fixture
def _respcache_fresh(request: pytest.FixtureRequest, respcache_server: Server) -> Iterator[None]:
    """The server is as at its start."""
    item, server = request.node, respcache_server
    kept = request.config.stash[RUN].kept(server)
    # `respcache_journal`: what is recorded is shown if the test fails.
    journal = JOURNAL_OF_A_TEST if request.config.getini("respcache_journal") else 0
    if (server.shared or server.alive()) and _reset(server, kept, journal):
        item.stash[LOG_START] = server.log_size()
    else:
        kept.close()
        _replace(server)
        item.stash[LOG_START] = 0
        if journal:
            server.start_journal(journal)
    item.stash[SERVER] = server
    yield
    tell_death(item, server)


@pytest.fixture
def _respcache_prepared(request: pytest.FixtureRequest, _respcache_fresh: None, respcache_server: Server) -> None:
    """The server is in the state that the test's mark asks for. Tests with the mark use this first."""
    from respcache.testing.plugin.prepared import prepare

    prepare(request, respcache_server)


def _reset(server: Server, kept: KeptClient, journal: int) -> bool:
    """False if the server does not answer (any more), or refuses to: there may be no room for one more client."""
    try:
        if not kept.reset(journal):
            server.reset()
            if journal:
                server.start_journal(journal)
    except RuntimeError:
        return False
    except OSError:
        server.wait_for_end(1.0)  # the connection may end a moment before the process does
        return False
    return True


def _replace(server: Server) -> None:
    """Start a new server after one that was stopped, does not answer or has died. A death fails the test."""
    death = server.death()
    if server.shared:
        pytest.fail(death or "the server that the workers share does not let this one in", pytrace=False)
    server.stop()
    server.start()
    if death is not None:
        pytest.fail(f"before this test, {death}", pytrace=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """The server may have died during a test, or between tests, that nobody looked after it."""
    server = item.config.stash[RUN].server
    if server is not None and not server.shared and "respcache_server" in getattr(item, "fixturenames", ()):
        item.stash[SERVER] = server
        if not server.alive():
            _replace(server)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Start the server while other tests are still being collected."""
    if marks.is_given(item):
        _prepare_first(item)
    run = item.config.stash[RUN]
    if run.server is None and not item.config.option.collectonly and uses_our_server(item):
        try:
            run.start()
        except pytest.UsageError:
            pass  # the fixture says so


def _prepare_first(item: pytest.Item) -> None:
    """Let a test start from the state that its mark asks for, before its own fixtures, but those of a wider scope."""
    names: list[str] = getattr(item, "fixturenames", [])
    known: dict[str, Any] = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    wider = [name for name in names if name in known and known[name][-1].scope != "function"]
    own = [name for name in names if name not in wider]
    item.fixturenames = [*wider, _FRESH, _PREPARED, *own]  # type: ignore[attr-defined]  # tests that are functions have it


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
    server = server_fixture(item)
    # A server of one test is fresh anyway, and what it depends on cannot wait for it.
    if server is not None and server.scope != "function":
        request.getfixturevalue(_FRESH)
