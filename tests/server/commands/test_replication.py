"""ROLE, LASTSAVE, WAIT, WAITAOF, REPLICAOF and SLAVEOF of a master without replicas."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.support.resp import Connection, ReplyError
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

Connect = Callable[..., Connection]
Block = Callable[..., Connection]

NO_FILE = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."


class TestRole:
    def test_role(self, do: Transcript) -> None:
        assert do("ROLE") == [b"master", 0, []]
        assert do.error("ROLE", "x") == "ERR wrong number of arguments for 'role' command"

    def test_not_in_scripts(self, do: Transcript) -> None:
        assert "not allowed from script" in do.error("EVAL", "return redis.call('ROLE')", 0)

    def test_last_save(self, do: Transcript) -> None:
        saved = do("LASTSAVE")
        assert abs(time.time() - saved) < 3600
        assert do("EVAL", "return redis.call('LASTSAVE')", 0) == saved
        assert do.transaction(("LASTSAVE",), ("ROLE",)) == [saved, [b"master", 0, []]]
        assert do.error("LASTSAVE", "x") == "ERR wrong number of arguments for 'lastsave' command"


class TestWait:
    @pytest.mark.parametrize("replicas", [0, -1])
    def test_for_nobody(self, do: Transcript, replicas: int) -> None:
        assert do("WAIT", replicas, 0) == 0
        assert do("WAIT", replicas, 100_000) == 0

    def test_for_some_time(self, do: Transcript) -> None:
        do("SET", "k", "v")
        assert do("WAIT", 1, 10) == 0

    def test_it_waits(self, do: Transcript, block: Block) -> None:
        waiter = block("WAIT", 1, 0)
        assert b" cmd=wait " in _clients(do)
        waiter.close()
        assert eventually(lambda: b" cmd=wait " not in _clients(do))

    @pytest.mark.respcache_only(reason="time is moved")
    def test_the_time_is_the_servers(self, do: Transcript, block: Block) -> None:
        waiter = block("WAIT", 1, 50_000_000)
        do.advance(49_000_000)
        assert b" cmd=wait " in _clients(do)
        do.advance(1_000_001)
        assert waiter.read() == 0
        assert waiter.call("PING") == "PONG"

    def test_what_is_sent_meanwhile_waits(self, do: Transcript, block: Block, connect: Connect) -> None:
        waiter = connect(do.protocol)
        number = waiter.call("CLIENT", "ID")
        block("WAIT", 1, 0, on=waiter)
        waiter.send("SET", "k", "v")
        assert do("GET", "k") is None
        assert do("CLIENT", "UNBLOCK", number) == 1
        assert waiter.read() == 0
        assert waiter.read() == "OK"
        assert do("CLIENT", "UNBLOCK", number) == 0

    def test_unblocked_with_an_error(self, do: Transcript, connect: Connect, block: Block) -> None:
        waiter = connect(do.protocol)
        number = waiter.call("CLIENT", "ID")
        block("WAIT", 2, 0, on=waiter)
        assert do("CLIENT", "UNBLOCK", number, "ERROR") == 1
        assert str(waiter.read()) == "UNBLOCKED client unblocked via CLIENT UNBLOCK"

    def test_nothing_waits_in_transactions(self, do: Transcript) -> None:
        assert do.transaction(("WAIT", 1, 0), ("WAIT", 0, 0)) == [0, 0]

    @pytest.mark.since("7.2")
    def test_nor_in_scripts(self, do: Transcript) -> None:
        assert do("EVAL", "return redis.call('WAIT', 1, 0)", 0) == 0

    def test_errors(self, do: Transcript) -> None:
        assert do.error("WAIT", 1) == "ERR wrong number of arguments for 'wait' command"
        assert do.error("WAIT", "x", "y") == "ERR value is not an integer or out of range"
        assert do.error("WAIT", 0, "y") == "ERR timeout is not an integer or out of range"
        assert do.error("WAIT", 0, -1) == "ERR timeout is negative"


@pytest.mark.since("7.2")
class TestWaitAof:
    def test_for_nobody(self, do: Transcript) -> None:
        assert do("WAITAOF", 0, 0, 0) == [0, 0]

    def test_for_replicas(self, do: Transcript) -> None:
        assert do("WAITAOF", 0, 1, 10) == [0, 0]

    def test_unblocked(self, do: Transcript, connect: Connect, block: Block) -> None:
        waiter = connect(do.protocol)
        number = waiter.call("CLIENT", "ID")
        block("WAITAOF", 0, 1, 0, on=waiter)
        assert do("CLIENT", "UNBLOCK", number) == 1
        assert waiter.read() == [0, 0]

    def test_within(self, do: Transcript) -> None:
        assert do.transaction(("WAITAOF", 0, 1, 0), ("WAITAOF", 1, 0, 0)) == [[0, 0], ReplyError(NO_FILE)]
        assert do("EVAL", "return redis.call('WAITAOF', 0, 1, 0)", 0) == [0, 0]

    def test_errors(self, do: Transcript) -> None:
        out_of_range = "ERR value is out of range, value must between 0 and 1"
        assert do.error("WAITAOF", 1, 0, 0) == NO_FILE
        assert do.error("WAITAOF", 0, 0) == "ERR wrong number of arguments for 'waitaof' command"
        assert do.error("WAITAOF", 2, "x", 0) == out_of_range
        assert do.error("WAITAOF", -1, 0, 0) == out_of_range
        assert do.error("WAITAOF", "x", 0, 0) == "ERR value is not an integer or out of range"
        assert do.error("WAITAOF", 1, -1, "x") == "ERR value is out of range, must be positive"
        assert do.error("WAITAOF", 1, "x", 0) == "ERR value is out of range, must be positive"
        assert do.error("WAITAOF", 1, 0, "x") == "ERR timeout is not an integer or out of range"
        assert do.error("WAITAOF", 1, 0, -1) == "ERR timeout is negative"


@pytest.mark.parametrize("name", ["REPLICAOF", "SLAVEOF"])
class TestReplicaOf:
    def test_no_one(self, do: Transcript, name: str) -> None:
        assert do(name, "NO", "ONE") == "OK"
        assert do(name, "no", "one") == "OK"
        assert do.transaction((name, "NO", "ONE")) == ["OK"]

    def test_bad_ports(self, do: Transcript, name: str) -> None:
        for port in ("x", "65536", "-1", "one"):
            assert do.error(name, "127.0.0.1", port) == "ERR Invalid master port"

    def test_not_in_scripts(self, do: Transcript, name: str) -> None:
        assert "not allowed from script" in do.error("EVAL", f"return redis.call('{name}', 'NO', 'ONE')", 0)

    @pytest.mark.respcache_only(reason="a genuine server becomes a replica")
    def test_of_another_server(self, do: Transcript, name: str) -> None:
        assert "cannot replicate" in do.error(name, "127.0.0.1", 6379)
        assert do("ROLE")[0] == b"master"


def _clients(do: Transcript) -> bytes:
    reply = do("CLIENT", "LIST")
    return reply if isinstance(reply, bytes) else str(reply).encode()
