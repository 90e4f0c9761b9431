"""The servers of the test run, from when they are first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from respcache.testing.plugin import lint, marks
from respcache.testing.plugin.options import Settings, client_options, settings
from respcache.testing.plugin.workers import address_of_shared, is_controller, tell

if TYPE_CHECKING:
    from respcache.testing.kept import KeptClient
    from respcache.testing.server import Server

# Servers besides that of the run which are kept for later tests; the oldest makes room.
_MOST = 3


class Run:
    """The server of this test run, and those of tests that want another one."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        # The server that most tests use; a `SharedServer` if workers share it.
        self.server: Server | None = None
        # By their settings: servers that tests have asked for by a mark.
        self.others: dict[Settings, Server] = {}
        self._over: set[str] = set()  # commands that were missing, of servers that had to make room
        self._kept: KeptClient | None = None  # of the fixture `respcache`

    def start(self, wanted: Settings | None = None) -> Server:
        """The server of the run, or one with other settings; it may still be starting. Raises UsageError."""
        if wanted is not None:
            return self._other(wanted)
        if self.server is None:
            self.server = self._shared() or self._started(settings(self.config))
        return self.server

    def _other(self, wanted: Settings) -> Server:
        server = self.others.pop(wanted, None) or self._started(wanted)
        self.others[wanted] = server  # as the latest
        if len(self.others) > _MOST:
            oldest = self.others.pop(next(iter(self.others)))
            self._over.update(oldest.missing_commands())
            oldest.stop()
        return server

    def _started(self, wanted: Settings) -> Server:
        from respcache.testing.server import Server

        args = [*wanted.args, *(each.directives() if (each := self.config.stash[LINT]) is not None else ())]
        server = Server(shards=wanted.shards, args=args)
        server.start_soon()
        return server

    def _shared(self) -> Any:
        address = address_of_shared(self.config)
        if address is None:
            return None
        from respcache.testing.shared import SharedServer

        return SharedServer(**address)

    def kept(self, server: Server) -> KeptClient:
        """The client of `server`, which may be another one than that of the run."""
        from respcache.testing.kept import KeptClient

        if self._kept is None or self._kept.server is not server:
            self._close_kept()
            self._kept = KeptClient(server, **client_options(self.config))
        return self._kept

    def stop(self) -> None:
        """End all servers."""
        self._close_kept()
        for server in (self.server, *self.others.values()):
            if server is not None:
                server.stop()

    def forget(self) -> None:
        """End all servers. The next one who needs one starts a new one."""
        self.stop()
        self.server = None
        self.others.clear()

    def missing_commands(self) -> list[str]:
        """Commands of Redis that were called, and that respcache does not have yet."""
        servers = [server for server in (self.server, *self.others.values()) if server is not None]
        return sorted(self._over.union(*(server.missing_commands() for server in servers)))

    def _close_kept(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None


RUN = pytest.StashKey[Run]()
LINT = pytest.StashKey["lint.Lint | None"]()
SERVER = pytest.StashKey["Server"]()  # of an item: the server that it uses
REPORTED = pytest.StashKey[set[str]]()  # of the controller of pytest-xdist: missing commands, by its workers


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", marks.HELP)
    config.stash[RUN] = Run(config)
    config.stash[LINT] = lint.lint_of(config, lambda item: item.stash.get(SERVER, None))
    config.stash[REPORTED] = set()


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[RUN].stop()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """A worker of pytest-xdist is about to start. The server that they share starts with the first one."""
    config = node.config
    if config.getini("respcache_shared") and not config.option.collectonly:
        for name, wanted in (("lint", config.stash[LINT]), ("journal", config.getini("respcache_journal"))):
            if wanted:  # it would mix up what the workers do
                raise pytest.UsageError(f"respcache_{name} needs a server for each worker: switch respcache_shared off")
        tell(node, config.stash[RUN].start())


def pytest_collection_finish(session: pytest.Session) -> None:
    """The tests that need a server may have been deselected."""
    if not is_controller(session.config) and not any(map(uses_our_server, session.items)):
        session.config.stash[RUN].forget()


def uses_our_server(item: pytest.Item) -> bool:
    """True if a test needs the server of the run. Where that cannot be known, the fixture starts it."""
    definition = server_fixture(item)
    return definition is not None and definition.func.__module__.startswith(__package__ + ".")


def server_fixture(item: pytest.Item) -> pytest.FixtureDef[Any] | None:
    """The fixture `respcache_server` of a test, which a conftest may override; None if the test does not use it."""
    # pytest has no public way to ask for this.
    known: dict[str, Any] = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    definitions = known.get("respcache_server")
    return definitions[-1] if definitions else None
