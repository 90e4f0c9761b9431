"""What every command test gets: a redis-cli session, typed, against each kind of server.

`do("LPUSH", "l", "a")` sends one command and returns its typed reply; an unexpected error raises. Every test that
uses `do` runs on 1 and on 3 shards, in RESP2 and RESP3, and on a genuine server where one is found
(`$RESPCACHE_REFERENCE`, or redis-server on the PATH), which proves the test itself.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.support.processes import ReferenceServer, RespcacheServer, StartedServer
from tests.support.resp import Connection
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

REFERENCE = os.environ.get("RESPCACHE_REFERENCE") or shutil.which("redis-server")
KINDS = ("1-shard", "3-shards", "genuine")


@pytest.fixture(scope="session")
def started() -> Iterator[dict[str, StartedServer]]:
    """Servers of this test run by kind, each started when first asked for, all ended with the run."""
    servers: dict[str, StartedServer] = {}
    yield servers
    for server in servers.values():
        server.stop()


def _start(kind: str) -> StartedServer:
    if kind == "genuine":
        assert REFERENCE is not None
        return ReferenceServer(REFERENCE)
    return RespcacheServer(shards=int(kind[0]))


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, started: dict[str, StartedServer]) -> StartedServer:
    """A running server, emptied and back in its starting state."""
    kind = request.param
    if kind == "genuine":
        if REFERENCE is None:
            pytest.skip(reason="no genuine redis-server found ($RESPCACHE_REFERENCE, or on the PATH)")
        if request.node.get_closest_marker("respcache_only"):
            pytest.skip(reason="speaks of respcache itself")
    if kind not in started or not started[kind].alive():
        started[kind] = _start(kind)
    current = started[kind]
    if kind == "genuine" and (marker := request.node.get_closest_marker("since")):
        wanted = tuple(int(part) for part in marker.args[0].split("."))
        if current.version < wanted:
            pytest.skip(reason=f"the genuine server is older than {marker.args[0]}")
    current.reset()
    return current


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def protocol(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def connect(server: StartedServer) -> Iterator[type[Connection]]:
    """Make more connections to the same server: `connect(protocol=2)`. They are closed with the test."""
    opened: list[Connection] = []

    def open_connection(protocol: int = 2) -> Connection:
        connection = Connection(server.port, protocol)
        opened.append(connection)
        return connection

    yield open_connection  # type: ignore[misc]  # a factory with the class's own signature
    for connection in opened:
        connection.close()


@pytest.fixture
def block(do: Transcript, connect: Callable[..., Connection]) -> Callable[..., Connection]:
    """Let one more client wait: `waiter = block("BLPOP", "l", 0)` returns once the server says that it does.

    `on=connection` is for one that exists; a new one speaks the protocol of `do`.
    """

    def blocked_clients() -> int:
        found = re.search(r"blocked_clients:(\d+)", str(do("INFO", "clients")))
        assert found is not None
        return int(found[1])

    def send_and_wait(*words: object, on: Connection | None = None) -> Connection:
        connection = on or connect(do.protocol)
        before = blocked_clients()
        connection.send(*words)
        assert eventually(lambda: blocked_clients() == before + 1)
        return connection

    return send_and_wait


@pytest.fixture
def do(server: StartedServer, protocol: int) -> Iterator[Transcript]:
    """A redis-cli session, see `tests.support.transcript`."""
    with Transcript(Connection(server.port, protocol), server) as transcript:
        yield transcript
