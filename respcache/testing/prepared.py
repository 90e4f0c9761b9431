"""A prepared state for a test: `@pytest.mark.respcache(snapshot="catalogue")`, or ``keys="catalogue.json"``.

The state is made once per server, on a fresh one, and kept as a snapshot; each test with the mark starts from that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.testing.server import Server

MARK = "respcache"
HELP = (
    "respcache(snapshot=None, keys=None, config=False, clock=False): start the test from a snapshot of the server. "
    "`snapshot` is its name; a fixture of that name prepares the state, once. `keys` is a JSON file of keys, in the "
    "directory of the test. With `config` and `clock`, settings and the time are put back, too."
)
_ARGUMENTS = {"snapshot", "keys", "config", "clock"}


def is_asked_for(item: pytest.Item) -> bool:
    """True if a test has the mark."""
    return item.get_closest_marker(MARK) is not None


def prepare(request: pytest.FixtureRequest, server: Server) -> None:
    """Bring the fresh server into the state that the test's mark asks for, if it has one."""
    mark = request.node.get_closest_marker(MARK)
    if mark is None:
        return
    wanted: dict[str, Any] = dict(mark.kwargs)
    if mark.args or not set(wanted) <= _ARGUMENTS or ("snapshot" in wanted) == ("keys" in wanted):
        pytest.fail(f"@pytest.mark.{MARK} takes `snapshot=` or `keys=`, `config=` and `clock=`", pytrace=False)
    how = {name: bool(wanted.get(name, False)) for name in ("config", "clock")}
    if "snapshot" in wanted:
        name = str(wanted["snapshot"])
        _start_from(server, name, lambda: _run_fixture(request, name), how)
    else:
        from hashlib import sha256  # not with the plugin, which every test run loads

        path = request.path.parent / wanted["keys"]
        # A file that was edited meanwhile is another one.
        content = sha256(path.read_bytes()).hexdigest()
        _start_from(server, f"keys:{content}", lambda: server.load_json(path), how)


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
