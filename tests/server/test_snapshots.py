"""Snapshots when a shard dies with its part of them, and where nobody may have any."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.changes import KEYS
from tests.support.processes import RespcacheServer
from tests.support.resp import Connection, ReplyError
from tests.support.waiting import eventually

LOST = "ERR the snapshot was lost: a shard that held a part of it died"


@pytest.fixture(params=[1, 3])
def damaged(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A client of a server for this test only."""
    server = RespcacheServer(shards=request.param)
    with closing(Connection(server.port)) as connection:
        yield connection
    server.stop()


def kill(connection: Connection) -> None:
    os.kill(connection.call("DEBUG", "SHARDS")[-1][1], signal.SIGKILL)


def restarted(connection: Connection) -> bool:
    return bool(connection.call("DEBUG", "SHARDS")[-1][2] == 1)


def test_nothing_is_restored(damaged: Connection) -> None:
    damaged.pipeline(*[("SET", key, "kept") for key in KEYS], ("RESPCACHE", "SNAPSHOT", "s"))
    damaged.pipeline(*[("SET", key, "changed") for key in KEYS])
    kill(damaged)
    reply = damaged.call("RESPCACHE", "RESTORE", "s")  # perhaps main does not know yet
    assert isinstance(reply, ReplyError)
    assert eventually(lambda: restarted(damaged))
    assert damaged.call("RESPCACHE", "RESTORE", "s") == ReplyError(LOST)
    assert set(damaged.call("MGET", *KEYS)) <= {b"changed", None}
    ((*_, lost),) = damaged.call("RESPCACHE", "SNAPSHOTS")
    assert lost == 1
    assert damaged.call("RESPCACHE", "SNAPSHOT", "s") == "OK"
    damaged.call("FLUSHALL")
    assert damaged.call("RESPCACHE", "RESTORE", "s") == "OK"
    assert damaged.call("RESPCACHE", "DROP", "s") == "OK"


def test_what_the_others_held_is_freed(damaged: Connection) -> None:
    damaged.pipeline(*[("SET", key, "kept") for key in KEYS], ("RESPCACHE", "SNAPSHOT", "s"))
    kill(damaged)
    assert eventually(lambda: restarted(damaged))
    assert b"snapshots_bytes:0\r" in damaged.call("INFO", "shards")
    assert damaged.call("RESPCACHE", "DROP", "s") == "OK"


@pytest.mark.parametrize("words", [("SNAPSHOT", "s"), ("RESTORE", "s"), ("SNAPSHOTS",), ("DROP", "s")])
def test_refused_where_test_commands_are_off(words: tuple[str, ...]) -> None:
    server = RespcacheServer("--enable-test-commands", "no")
    with closing(Connection(server.port)) as connection:
        assert str(connection.call("RESPCACHE", *words)).startswith("ERR RESPCACHE command not allowed.")
    server.stop()
