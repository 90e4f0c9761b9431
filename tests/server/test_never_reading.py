"""From outside: clients that never read are cut off by their limits, and tables stay within theirs. Others go on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from respcache.testing import Server
from tests.support.resp import Closed, Connection, PushData, pack
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

LIMIT = 1 << 20  # of each class
VALUE = b"v" * 20_000


@pytest.fixture(params=[1, 3])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Its own for each test, since memory is measured."""
    limits = f"normal {LIMIT} 0 0 pubsub {LIMIT} 0 0"
    with Server(shards=request.param, args=["--client-output-buffer-limit", limits]) as running:
        yield running


@pytest.fixture
def connect(server: Server) -> Iterator[Callable[..., Connection]]:
    opened: list[Connection] = []

    def open_connection(protocol: int = 2) -> Connection:
        opened.append(Connection(server.port, protocol))
        return opened[-1]

    yield open_connection
    for connection in opened:
        connection.close()


def resident(server: Server) -> int:
    """Bytes that all processes of the server take."""
    with closing(Connection(server.port)) as connection:
        shards = [row[1] for row in connection.call("DEBUG", "SHARDS")]
    pages = [int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) for pid in (server.pid, *shards)]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE")


def figure(connection: Connection, name: str) -> int:
    for line in connection.call("INFO", "everything").decode().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.partition(":")[2])
    raise AssertionError(name)


# What each of them asks for, and the protocol that it speaks.
DEAF: dict[str, tuple[int, tuple[str, ...]]] = {
    "monitor": (2, ("MONITOR",)),
    "reader": (3, ("CLIENT", "TRACKING", "ON")),
    "broadcast": (3, ("CLIENT", "TRACKING", "ON", "BCAST")),
    "subscriber": (2, ("SUBSCRIBE", "channel")),
}


def test_those_that_never_read_are_cut_off_while_others_go_on(
    server: Server, connect: Callable[..., Connection]
) -> None:
    """All of them at the same time. Those that read get everything, and the writer has the right replies."""
    deaf = {}
    for name, (protocol, words) in DEAF.items():
        deaf[name] = connect(protocol)
        assert deaf[name].call("CLIENT", "SETNAME", f"deaf-{name}") == "OK"
        deaf[name].send(*words)
    writer, watching, listening = connect(), connect(), connect()
    assert watching.call("MONITOR") == "OK"
    listening.call("SUBSCRIBE", "channel")
    assert eventually(
        lambda: (figure(writer, "tracking_clients"), writer.call("PUBSUB", "NUMSUB", "channel")[1]) == (2, 2)
    )
    before = resident(server)
    # They are told of keys by name, so the names are long.
    keys = [b"%d:" % number + b"k" * 2000 for number in range(100)]
    reads = b"".join(pack(("EXISTS", key)) for key in keys)
    rounds = 0

    def all_are_gone() -> bool:
        nonlocal rounds
        rounds += 1
        with suppress(OSError):  # once it is cut off
            deaf["reader"].send_raw(reads)
        writes = [("SET", key, rounds) for key in keys]
        *replies, told = writer.pipeline(*writes, ("INCR", "rounds"), ("PUBLISH", "channel", VALUE))
        assert replies == ["OK"] * len(keys) + [rounds]
        assert told in (1, 2)
        assert listening.read() == [b"message", b"channel", VALUE]
        seen: list[str] = []
        while not seen or '"PUBLISH"' not in seen[-1]:
            seen.append(watching.read())
        assert sum('"SET"' in line for line in seen) == len(keys)
        return b"name=deaf-" not in writer.call("CLIENT", "LIST")

    assert eventually(all_are_gone, within=60)
    assert server.log().count("it leaves too many replies unread") == len(DEAF)
    assert figure(writer, "tracking_clients") == 0
    assert writer.call("MGET", *keys) == [b"%d" % rounds] * len(keys)
    # They could hold four times the limit, and their commands as much again; the rest is data, and what Python keeps.
    assert resident(server) - before < 40 << 20
    for client in deaf.values():
        with pytest.raises((Closed, ConnectionResetError)):
            read_on(client)


def test_tracked_keys_stay_within_the_limit_of_the_table(server: Server, connect: Callable[..., Connection]) -> None:
    """A client reads many more keys than may be remembered. It is told of each one that was forgotten, once."""
    count, limit, step = 100_000, 500, 1000
    reader, admin = connect(3), connect()
    assert admin.call("CONFIG", "SET", "tracking-table-max-keys", limit) == "OK"
    assert reader.call("CLIENT", "TRACKING", "ON") == "OK"
    invalid: list[bytes] = []
    before = 0
    for start in range(0, count, step):
        reader.send_raw(b"".join(pack(("EXISTS", f"key:{number}")) for number in range(start, start + step)))
        replies = 0
        while replies < step:
            reply = reader.read()
            if isinstance(reply, PushData):
                invalid += reply[1]
            else:
                assert reply == 0
                replies += 1
        # All of a pipeline may be remembered at first.
        assert figure(admin, "tracking_total_keys") <= limit + step
        before = before or resident(server)
    assert eventually(lambda: figure(admin, "tracking_total_keys") <= limit)
    assert resident(server) - before < 10 << 20
    kept = figure(admin, "tracking_total_keys")
    reader.send("PING")
    while isinstance(reply := reader.read(), PushData):
        invalid += reply[1]
    assert reply == "PONG"
    assert len(invalid) == len(set(invalid)) == count - kept


def read_on(connection: Connection) -> None:
    """Read until the connection is closed. Raises what says so."""
    while True:
        connection.read()
