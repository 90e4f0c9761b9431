"""What `@pytest.mark.respcache` says of a test: on which server it runs, and from which state it starts."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from respcache.testing.plugin.options import Settings, settings

NAME = "respcache"
HELP = (
    "respcache(snapshot=None, keys=None, config=False, clock=False, shards=None, args=(), own_server=False): "
    "start the test from a snapshot of the server, or on another server. "
    "`snapshot` is its name; a fixture of that name prepares the state, once. `keys` is a JSON file of keys, in the "
    "directory of the test. With `config` and `clock`, settings and the time are put back, too. "
    "`shards` and `args` start a server with these settings, for all tests that want them. With `own_server`, a worker "
    "of pytest-xdist does not share its server with others."
)
_OF_STATE = {"snapshot", "keys", "config", "clock"}
_OF_SERVER = {"shards", "args", "own_server"}
_WRONG = f"@pytest.mark.{NAME} takes `snapshot=` or `keys=`, `config=` and `clock=`; `shards=`, `args=`, `own_server=`"


def wanted(node: pytest.Item) -> dict[str, Any]:
    """What the marks of a test, its class and its module say; the nearest one counts. Fails the test if it is wrong."""
    found: dict[str, Any] = {}
    for mark in node.iter_markers(NAME):
        if mark.args or not set(mark.kwargs) <= _OF_STATE | _OF_SERVER:
            pytest.fail(_WRONG, pytrace=False)
        nearer = _OF_STATE.intersection(found)
        # A state is one thing: that of a class is not mixed with that of one of its tests.
        found = {**{name: value for name, value in mark.kwargs.items() if not (nearer and name in _OF_STATE)}, **found}
    if not found and node.get_closest_marker(NAME) is None:
        return found
    state = _OF_STATE.intersection(found)
    if (state and ("snapshot" in found) == ("keys" in found)) or not found:
        pytest.fail(_WRONG, pytrace=False)
    return found


def is_given(node: pytest.Item) -> bool:
    """True if a test has the mark."""
    return node.get_closest_marker(NAME) is not None


def settings_of(node: pytest.Item) -> Settings | None:
    """The settings of the server that a test wants; None for the server of the run. Fails as `wanted` does."""
    found = wanted(node)
    if not _OF_SERVER.intersection(found) and "snapshot" not in found:
        return None
    usual = settings(node.config)
    args = found.get("args", ())
    more = shlex.split(args) if isinstance(args, str) else map(str, args)
    return Settings(int(found.get("shards", usual.shards)), (*usual.args, *more))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that wants another server is parametrized with it, so that fixtures of any scope are made for that one.

    What is wrong with a mark, the test says.
    """
    node = metafunc.definition
    if not is_given(node):
        return
    try:
        found = settings_of(node)
    except (pytest.fail.Exception, pytest.UsageError, TypeError, ValueError):
        return
    # The server of the run is one of those that have these settings, unless it is shared.
    if found is None or (found == settings(metafunc.config) and not metafunc.config.getini("respcache_shared")):
        return
    if "respcache_server" not in metafunc.fixturenames:
        metafunc.fixturenames.append("respcache_server")  # the test may ask for it later, by `request`
    hidden: Any = getattr(pytest, "HIDDEN_PARAM", "respcache")  # pytest 8.4
    metafunc.parametrize("respcache_server", [found], indirect=True, ids=[hidden])
