"""What is shown when tests fail and when the server dies, and at the end of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from respcache.testing.plugin.runs import REPORTED, RUN, SERVER
from respcache.testing.plugin.workers import SHARED

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from respcache.testing.server import Server

# Calls of a test that `respcache_journal` keeps, and that are shown.
JOURNAL_OF_A_TEST, _SHOWN = 1000, 50
_MISSING = "respcache_missing_commands"  # what workers of pytest-xdist report to their controller
# Characters of the log of a server that was shared, and has died.
_TAIL = 4000

LOG_START = pytest.StashKey[int]()  # of an item: the size of the server's log when the test began
_FAILED = pytest.StashKey[bool]()  # of an item: a phase of it has failed


def tell_death(item: pytest.Item, server: Server) -> None:
    """Fail the test if the server has died. The next one gets a new server."""
    death = None if server.shared else server.death()
    if death is None:
        return
    server.stop()
    if not item.stash.get(_FAILED, False):
        pytest.fail(death, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows what clients have sent, and what the server has logged, since it began."""
    report = yield
    if report.failed and not item.stash.get(_FAILED, False):
        item.stash[_FAILED] = True
        server = item.stash.get(SERVER, None)
        if server is not None and server.running:
            report.sections += _shown(item, server)
    return report


def _shown(item: pytest.Item, server: Server) -> Iterator[tuple[str, str]]:
    if item.config.getini("respcache_journal") and server.alive():
        try:
            calls = server.latest_calls(_SHOWN)
        except (OSError, RuntimeError) as error:
            calls = f"not to be had: {error}"
        if calls:
            yield "respcache journal", calls
    if log := server.log(item.stash.get(LOG_START, 0)):
        yield "respcache log", log


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_MISSING] = session.config.stash[RUN].missing_commands()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[REPORTED].update(getattr(node, "workeroutput", {}).get(_MISSING, ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    names = sorted({*config.stash[RUN].missing_commands(), *config.stash[REPORTED]})
    shared = config.stash.get(SHARED, None)
    death = shared.death() if shared is not None else None
    if names or death:
        terminalreporter.section("respcache")
    if names:
        terminalreporter.line(f"Called, but not in respcache yet: {', '.join(names)}")
        terminalreporter.line("See docs/reference/differences.md.")
    if death:
        terminalreporter.line(f"The server that the workers shared is dead: {death[-_TAIL:]}")
