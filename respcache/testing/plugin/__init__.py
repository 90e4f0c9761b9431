"""The pytest plugin: fixtures that give tests a Redis-compatible server.

It is loaded with every test run wherever respcache is installed, so it imports nothing but the standard library until a
test needs a server. The names leave room for those of pytest-redis.

One server serves the test run (with pytest-xdist: one per worker, or one for all if `respcache_shared` is set). It
starts in the background as soon as a test is collected that needs it. Before each test that uses a client fixture,
once, everything is put back as at its start. If the server dies, the test during which it died says so, and the next
one gets a new server, on the same port.

The ini options say how the server is started:

    [tool.pytest.ini_options]
    respcache_shards = 2
    respcache_args = "--databases 4 --notify-keyspace-events KEA"
    respcache_decode_responses = true

A mark gives a test another server, or another state to start from: see `marks`.

- `options`: what the settings of pytest say.
- `marks`: what the mark of a test says.
- `runs`: the servers of the test run, from when they are needed to its end.
- `workers`: with pytest-xdist, the server that all workers share.
- `fixtures`: those that tests use. `asyncio_clients` closes what they left open.
- `fresh`: each test finds a fresh server, before its own fixtures do their work.
- `prepared`: or one in the state that its mark asks for.
- `reports`: what is shown of tests that fail, and at the end of the run. `lint` is the part that is about lint.
"""

# What pytest looks for in here: fixtures and hooks, under their own names.
from respcache.testing.plugin.fixtures import (
    respcache,
    respcache_async,
    respcache_client,
    respcache_namespace,
    respcache_rest_token,
    respcache_rest_url,
    respcache_server,
    respcache_server_factory,
    respcache_session_url,
    respcache_url,
)
from respcache.testing.plugin.fresh import (
    _respcache_fresh,
    _respcache_prepared,
    pytest_fixture_setup,
    pytest_itemcollected,
    pytest_runtest_setup,
)
from respcache.testing.plugin.marks import pytest_generate_tests
from respcache.testing.plugin.options import pytest_addoption
from respcache.testing.plugin.reports import (
    pytest_runtest_makereport,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)
from respcache.testing.plugin.runs import (
    pytest_collection_finish,
    pytest_configure,
    pytest_configure_node,
    pytest_unconfigure,
)

__all__ = [
    "_respcache_fresh",
    "_respcache_prepared",
    "pytest_addoption",
    "pytest_collection_finish",
    "pytest_configure",
    "pytest_configure_node",
    "pytest_fixture_setup",
    "pytest_generate_tests",
    "pytest_itemcollected",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_testnodedown",
    "pytest_unconfigure",
    "respcache",
    "respcache_async",
    "respcache_client",
    "respcache_namespace",
    "respcache_rest_token",
    "respcache_rest_url",
    "respcache_server",
    "respcache_server_factory",
    "respcache_session_url",
    "respcache_url",
]
