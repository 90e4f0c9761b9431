"""A prepared state for a test: `@pytest.mark.respcache(snapshot="catalogue")`, or ``keys="catalogue.json"``.

The state is made once per server, on a fresh one, and kept as a snapshot; each test with the mark starts from that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from respcache.testing.plugin import marks, options
from respcache.testing.plugin.runs import RUN, server_fixture, uses_our_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.testing.server import Server


def prepare(request: pytest.FixtureRequest, server: Server) -> None:
    """Bring the fresh server into the state that the test's mark asks for, if it has one."""
    wanted = marks.wanted(request.node)
    _check_server(request, server, wanted)
    if "snapshot" not in wanted and "keys" not in wanted:
        return
    how = {name: bool(wanted.get(name, False)) for name in ("config", "clock")}
    if "snapshot" in wanted:
        name = str(wanted["snapshot"])
        _start_from(server, name, lambda: _run_fixture(request, name), how)
    else:
        from hashlib import sha256  # not with the plugin, which every test run loads

        path = request.path.parent / wanted["keys"]
        if server.shared:
            server.load_json(path)  # there are no snapshots of namespaces
            return
        # A file that was edited meanwhile is another one.
        content = sha256(path.read_bytes()).hexdigest()
        _start_from(server, f"keys:{content}", lambda: server.load_json(path), how)


def _check_server(request: pytest.FixtureRequest, server: Server, wanted: dict[str, Any]) -> None:
    """Fail the test if it cannot have the server that its mark asks for."""
    settings = marks.settings_of(request.node)
    run = request.config.stash[RUN]
    if settings is None or server is run.others.get(settings):
        return
    if server is run.server and not server.shared and settings == options.settings(request.config):
        return
    if server_fixture(request.node) is not None and not uses_our_server(request.node):
        if not {"args", "shards", "own_server"}.intersection(wanted):
            return  # a snapshot of a server that a conftest has started
        pytest.fail("the mark's `args`, `shards` and `own_server` need the fixture `respcache_server` of respcache")
    pytest.fail("methods of unittest cannot have another server by a mark: see docs/guides/unittest.md", pytrace=False)


def _start_from(server: Server, name: str, make: Callable[[], object], how: dict[str, bool]) -> None:
    try:
        server.snapshots.restore(name, **how)
    except RuntimeError:  # it was not taken yet, or a shard has died since
        make()
        server.snapshots.take(name)


def _run_fixture(request: pytest.FixtureRequest, name: str) -> None:
    try:
        request.getfixturevalue(name)
    except pytest.FixtureLookupError as error:
        if error.argname != name:
            raise
        message = f"there is no snapshot {name!r}, and no fixture of that name that would prepare the state"
        pytest.fail(message, pytrace=False)
