"""The fields of CLIENT LIST that tell what a connection does, and what it takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.server.commands.test_client import row_of, rows
from tests.support.processes import RespcacheServer
from tests.support.resp import Connection
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

Connect = Callable[..., Connection]


def flags(do: Transcript, number: int) -> str:
    return row_of(do, number)["flags"]


@pytest.fixture
def other(do: Transcript, connect: Connect) -> Connection:
    """Another connection."""
    return connect(do.protocol)


@pytest.fixture
def number(other: Connection) -> int:
    """Its id."""
    return int(other.call("CLIENT", "ID"))


class TestFlags:
    def test_of_a_new_connection(self, do: Transcript, number: int) -> None:
        assert flags(do, number) == "N"

    def test_a_watched_key_that_has_changed(self, do: Transcript, other: Connection, number: int) -> None:
        other.call("WATCH", "a", "b")
        assert flags(do, number) == "N"
        do("SET", "other", 1)
        assert flags(do, number) == "N"
        do("SET", "b", 1)
        assert flags(do, number) == "d"
        other.call("MULTI")
        assert flags(do, number) == "xd"
        other.call("DISCARD")
        assert flags(do, number) == "N"

    def test_of_its_own(self, do: Transcript, other: Connection) -> None:
        do("WATCH", "k")
        other.call("SET", "k", 1)
        assert rows(do("CLIENT", "INFO"))[0]["flags"] == "d"
        do("UNWATCH")
        assert rows(do("CLIENT", "INFO"))[0]["flags"] == "N"

    def test_in_a_transaction(self, do: Transcript, other: Connection, number: int) -> None:
        other.call("WATCH", "k")
        do("SET", "k", 1)
        reply: Any = do.transaction(("SET", "k", 2), ("SET", "l", 1), ("CLIENT", "LIST", "ID", number))
        assert rows(reply[2])[0]["flags"] == "d"

    def test_several_at_once(self, do: Transcript, other: Connection, number: int) -> None:
        other.call("CLIENT", "NO-EVICT", "ON")
        other.call("SUBSCRIBE", "c")
        assert flags(do, number) == "Pe"

    @pytest.mark.since("7.2")
    def test_no_touch(self, do: Transcript, other: Connection, number: int) -> None:
        other.call("CLIENT", "NO-TOUCH", "ON")
        assert flags(do, number) == "T"
        other.call("RESET")
        assert flags(do, number) == "N"

    @pytest.mark.respcache_only(reason="it needs a server of its own")
    @pytest.mark.parametrize("protocol", [2], ids=["RESP2"])
    def test_unix_sockets(self, do: Transcript, tmp_path: Path) -> None:  # noqa: ARG002 - for its marks
        path = str(tmp_path / "s")
        server = RespcacheServer("--unixsocket", path)
        try:
            with redis.Redis(unix_socket_path=path) as client:
                (row,) = client.client_list()
                assert (row["flags"], row["addr"]) == ("U", f"{path}:0")
        finally:
            server.stop()


class TestSizes:
    def test_what_multi_has_queued(self, do: Transcript, other: Connection, number: int) -> None:
        other.call("MULTI")
        for _ in range(3):
            other.call("SET", "key", "x" * 1000)
        row = row_of(do, number)
        assert row["multi"] == "3"
        assert 3 * 1006 <= int(row["multi-mem"]) < 3 * 1100  # and what Redis keeps beside it
        other.call("DISCARD")
        assert row_of(do, number)["multi-mem"] == "0"

    def test_nothing_is_queued_once_exec_must_fail(self, do: Transcript, other: Connection, number: int) -> None:
        other.call("MULTI")
        other.call("SET", "k", 1)
        other.call("NOSUCH")
        assert other.call("SET", "k", 1) == "QUEUED"
        assert row_of(do, number)["multi"] == "1"

    def test_what_waits(self, do: Transcript, other: Connection, number: int, block: Callable[..., Connection]) -> None:
        block("BLPOP", "list", 0, on=other)
        other.send("PING")
        assert eventually(lambda: row_of(do, number)["qbuf"] == "14")
        row = row_of(do, number)
        assert (row["flags"], row["argv-mem"], row["obl"], row["oll"], row["omem"]) == ("b", "10", "0", "0", "0")

    def test_what_is_not_taken(self, do: Transcript, other: Connection, number: int) -> None:
        do("SET", "k", "x" * 10_000_000)
        other.send("GET", "k")
        assert eventually(lambda: row_of(do, number)["events"] == "rw")
        row = row_of(do, number)
        assert int(row["oll"]) >= 1
        assert int(row["tot-mem"]) > int(row["omem"]) > 1_000_000
        assert len(other.read()) == 10_000_000
        assert eventually(lambda: row_of(do, number)["events"] == "r")

    def test_a_connection_takes_something(self, do: Transcript, number: int) -> None:
        assert int(row_of(do, number)["tot-mem"]) > 1000


class TestFilters:
    def test_ids_in_their_order_and_twice(self, do: Transcript, number: int) -> None:
        own = do("CLIENT", "ID")
        listed = rows(do("CLIENT", "LIST", "ID", number, 10**12, own, number))
        assert [int(row["id"]) for row in listed] == [number, own, number]

    def test_kill_takes_the_last_of_a_filter(self, do: Transcript, number: int) -> None:
        assert do("CLIENT", "KILL", "ID", number, "ID", 10**12) == 0
        assert do("CLIENT", "KILL", "ID", 10**12, "ID", number) == 1

    def test_filters_of_kill_are_looked_at_in_their_order(self, do: Transcript) -> None:
        assert do.error("CLIENT", "KILL", "ID", 0, "FOO") == "ERR client-id should be greater than 0"
        assert do.error("CLIENT", "KILL", "TYPE", "zz", "SKIPME", "maybe") == "ERR Unknown client type 'zz'"
        assert do.error("CLIENT", "KILL", "SKIPME", "maybe", "ID", 0) == "ERR syntax error"
        assert do.error("CLIENT", "KILL", "USER", "nobody", "ID", 0) == "ERR No such user 'nobody'"
        assert do.error("CLIENT", "KILL", "ID", 5, "ADDR") == "ERR syntax error"
