"""Clients that wait: what they are told, what ends a wait, and what may happen meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from random import Random

import pytest

from tests.support.resp import Closed, Connection, PushData, pack
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

Block = Callable[..., Connection]
Connect = Callable[..., Connection]

NOT_INTEGER = "ERR value is not an integer or out of range"
BAD_REASON = "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"
UNBLOCKED = "UNBLOCKED client unblocked via CLIENT UNBLOCK"


def clients_info(do: Transcript) -> dict[str, str]:
    lines = str(do("INFO", "clients")).replace("\\r\\n", "\r\n").split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


def blocked(do: Transcript) -> int:
    return int(clients_info(do)["blocked_clients"])


def new_waiter(connect: Connect, block: Block) -> tuple[Connection, int]:
    """A client that waits for a list "k", and its id."""
    connection = connect()
    number = connection.call("CLIENT", "ID")
    block("BLPOP", "k", 0, on=connection)
    return connection, number


def test_a_pipeline_serves_in_its_order(do: Transcript, connect: Connect, block: Block) -> None:
    """Each push serves whoever has waited longest for its key, wherever the keys are; then comes the next push."""
    random = Random(3)
    keys = [b"a", b"b", b"c", b"d", b"e", b"f"]  # on all shards, if there are three
    for _ in range(12):
        wanted = [random.sample(keys, random.randint(1, 4)) for _ in range(8)]
        waiters = [block("BLPOP", *names, 0) for names in wanted]
        pushed = [(random.choice(keys), b"%d" % number) for number in range(10)]
        do.connection.send_raw(b"".join(pack(("RPUSH", *push)) for push in pushed))
        waiting, left = list(range(len(wanted))), []
        for key, element in pushed:
            first = next((number for number in waiting if key in wanted[number]), None)
            if first is None:
                left.append((key, element))
            else:
                waiting.remove(first)
                assert waiters[first].read() == [key, element]
        for number in range(len(pushed)):
            assert do.connection.read() >= 1, number
        for waiter in waiters:
            waiter.close()
        for key in keys:
            assert do("LRANGE", key, 0, -1) == [element for name, element in left if name == key]
        do("FLUSHALL")


def test_a_thousand_clients_for_one_key(do: Transcript, connect: Connect) -> None:
    """Each of a thousand pushes serves one of them, and they go on."""
    waiters = [connect() for _ in range(1000)]
    for waiter in waiters:
        waiter.send("BLPOP", "k", 0)
        waiter.send("PING")
    assert eventually(lambda: blocked(do) == 1000)
    do.connection.send_raw(b"".join(pack(("RPUSH", "k", number)) for number in range(1000)))
    assert [do.connection.read() for _ in range(1000)] == [1] * 1000
    served = []
    for waiter in waiters:
        served.append(int(waiter.read()[1]))
        assert waiter.read() == "PONG"
    assert sorted(served) == list(range(1000))
    assert blocked(do) == do("EXISTS", "k") == 0


class TestUnblock:
    def test_as_if_time_was_up(self, do: Transcript, connect: Connect, block: Block) -> None:
        waiter, number = new_waiter(connect, block)
        assert do("CLIENT", "UNBLOCK", number) == 1
        assert waiter.read() is None
        assert do("CLIENT", "UNBLOCK", number) == 0
        block("BLPOP", "k", 100, on=waiter)
        assert do("CLIENT", "UNBLOCK", number, "timeout") == 1
        assert waiter.read() is None
        do("RPUSH", "k", "x")
        assert do("LLEN", "k") == 1

    def test_with_an_error(self, do: Transcript, connect: Connect, block: Block) -> None:
        waiter, number = new_waiter(connect, block)
        assert do("CLIENT", "UNBLOCK", number, "error") == 1
        assert str(waiter.read()) == UNBLOCKED
        assert waiter.call("PING") == "PONG"

    def test_of_those_who_do_not_wait(self, do: Transcript, connect: Connect) -> None:
        assert do("CLIENT", "UNBLOCK", connect().call("CLIENT", "ID")) == 0
        assert do("CLIENT", "UNBLOCK", do("CLIENT", "ID")) == 0
        assert do("CLIENT", "UNBLOCK", 1_000_000) == 0
        assert do("CLIENT", "UNBLOCK", -1, "ERROR") == 0

    def test_in_a_transaction(self, do: Transcript, connect: Connect, block: Block) -> None:
        """In the same one as what the client waits for: it is told to stop before anything is there for it."""
        waiter, number = new_waiter(connect, block)
        replies = do.transaction(("RPUSH", "k", "x"), ("CLIENT", "UNBLOCK", number), ("CLIENT", "UNBLOCK", number))
        assert replies == [1, 1, 0]
        assert waiter.read() is None
        assert do("LLEN", "k") == 1

    def test_errors(self, do: Transcript) -> None:
        assert do.error("CLIENT", "UNBLOCK") == "ERR wrong number of arguments for 'client|unblock' command"
        assert do.error("CLIENT", "UNBLOCK", "x") == NOT_INTEGER
        assert do.error("CLIENT", "UNBLOCK", "x", "soon") == BAD_REASON
        assert do.error("CLIENT", "UNBLOCK", 1, "ERROR", "x") == (
            "ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP."
        )


class TestWhatIsSeen:
    def test_client_list(self, do: Transcript, connect: Connect, block: Block) -> None:
        waiter, number = new_waiter(connect, block)
        line = str(do("CLIENT", "LIST", "ID", number))
        assert " flags=b " in line
        assert " cmd=blpop " in line
        do("RPUSH", "k", "x")
        assert waiter.read() == [b"k", b"x"]
        assert " flags=N " in str(do("CLIENT", "LIST", "ID", number))

    def test_info(self, do: Transcript, block: Block) -> None:
        assert clients_info(do)["clients_in_timeout_table"] == "0"
        waiters = [block("BLPOP", "a", "b", 0), block("BLPOP", "b", "c", 100), block("BZPOPMIN", "a", 0)]
        assert blocked(do) == 3
        assert clients_info(do)["clients_in_timeout_table"] == "1"
        do("RPUSH", "b", "x", "y")
        for waiter in waiters[:2]:
            assert waiter.read()[0] == b"b"
        assert blocked(do) == 1
        do("ZADD", "a", 1, "m")
        waiters[2].read()
        assert blocked(do) == 0

    @pytest.mark.since("7.2")
    def test_keys_in_info(self, do: Transcript, block: Block) -> None:
        waiters = [block("BLPOP", "a", "b", 0), block("BLPOP", "b", "c", "b", 0)]
        assert clients_info(do)["total_blocking_keys"] == "3"
        assert clients_info(do)["total_blocking_keys_on_nokey"] == "0"
        do("RPUSH", "b", "x", "y")
        for waiter in waiters:
            waiter.read()
        assert clients_info(do)["total_blocking_keys"] == "0"


class TestWhileAClientWaits:
    def test_its_next_commands_wait(self, do: Transcript, connect: Connect, block: Block) -> None:
        waiter = connect()
        block("BLPOP", "k", 0, on=waiter)
        waiter.send("INCR", "n")
        waiter.send("BLPOP", "l", 0)
        waiter.send("INCR", "n")
        do("RPUSH", "l", "2")
        assert do("EXISTS", "n") == 0
        do("RPUSH", "k", "1")
        assert [waiter.read() for _ in range(4)] == [[b"k", b"1"], 1, [b"l", b"2"], 2]

    def test_commands_before_it_in_the_pipeline(self, do: Transcript, connect: Connect) -> None:
        waiter = connect()
        waiter.send_raw(b"INCR n\r\nPING\r\nBLPOP k 0\r\nPING x\r\n")
        assert [waiter.read(), waiter.read()] == [1, "PONG"]
        assert eventually(lambda: blocked(do) == 1)
        do("RPUSH", "k", "1")
        assert [waiter.read(), waiter.read()] == [[b"k", b"1"], b"x"]

    def test_messages_come_through(self, do: Transcript, connect: Connect, block: Block) -> None:
        if do.protocol == 2:
            pytest.skip(reason="a subscriber cannot wait in RESP2")
        waiter = connect(3)
        waiter.call("SUBSCRIBE", "news")
        block("BLPOP", "k", 0, on=waiter)
        do("PUBLISH", "news", "today")
        assert waiter.read() == PushData([b"message", b"news", b"today"])
        do("RPUSH", "k", "1")
        assert waiter.read() == [b"k", b"1"]

    def test_replies_off(self, do: Transcript, connect: Connect, block: Block) -> None:
        waiter = connect()
        waiter.send("CLIENT", "REPLY", "OFF")
        block("BLPOP", "k", 0, on=waiter)
        do("RPUSH", "k", "1", "2")
        waiter.send("CLIENT", "REPLY", "ON")
        assert waiter.read() == "OK"
        assert do("LRANGE", "k", 0, -1) == [b"2"]
        do("DEL", "k")
        waiter.send("CLIENT", "REPLY", "SKIP")
        block("BLPOP", "k", 0, on=waiter)
        do("RPUSH", "k", "1")
        assert waiter.call("PING") == "PONG"

    def test_it_may_not_send_too_much(self, do: Transcript, block: Block) -> None:
        """It is read from, up to the limit of any client, so that its end is noticed."""
        limit = 1 << 20
        do("CONFIG", "SET", "client-query-buffer-limit", limit)
        waiter = block("BLPOP", "a", "b", 0)
        waiter.send("SET", "k", "x" * (limit // 2))
        do("PING")
        assert blocked(do) == 1
        with contextlib.suppress(OSError):
            waiter.send("SET", "k", "x" * limit)
        assert eventually(lambda: blocked(do) == 0)
        assert do("EXISTS", "k") == 0
        with pytest.raises((Closed, OSError)):
            waiter.read()

    def test_it_is_not_idle(self, do: Transcript, connect: Connect, block: Block) -> None:
        """Clients that wait are not closed for saying nothing."""
        if not hasattr(do.server, "shards"):
            pytest.skip(reason="lets time pass")
        waiter = connect()
        do("CONFIG", "SET", "timeout", 5)
        block("BLPOP", "k", 0, on=waiter)
        do.advance(20_000)
        do("PING")
        do("RPUSH", "k", "1")
        assert waiter.read() == [b"k", b"1"]


class TestEnds:
    def test_hanging_up(self, do: Transcript, block: Block) -> None:
        waiter, other = block("BLPOP", "k", 0), block("BLPOP", "k", 0)
        waiter.close()
        assert eventually(lambda: blocked(do) == 1)
        do("RPUSH", "k", "1")
        assert other.read() == [b"k", b"1"]

    def test_half_close(self, do: Transcript, block: Block) -> None:
        """As in Redis, a client that will send nothing more does not wait: mostly it is gone."""
        waiter = block("BLPOP", "k", 0)
        waiter.socket.shutdown(1)
        with pytest.raises(Closed):
            waiter.read()
        assert eventually(lambda: blocked(do) == 0)
        do("RPUSH", "k", "1")
        assert do("LLEN", "k") == 1

    def test_killing(self, do: Transcript, connect: Connect, block: Block) -> None:
        waiter, number = new_waiter(connect, block)
        assert do("CLIENT", "KILL", "ID", number) == 1
        with pytest.raises(Closed):
            waiter.read()
        do("RPUSH", "k", "1")
        assert do("LLEN", "k") == 1
        assert blocked(do) == 0

    def test_pause(self, do: Transcript, connect: Connect, block: Block) -> None:
        """A pause holds back those who would serve them; time runs out all the same."""
        waiter, other = block("BLPOP", "k", "0.05"), block("BLPOP", "k", 0)
        pusher = connect()
        do("CLIENT", "PAUSE", 100_000, "WRITE")
        pusher.send("RPUSH", "k", "1")
        assert waiter.read() is None
        assert do("EXISTS", "k") == 0
        do("CLIENT", "UNPAUSE")
        assert other.read() == [b"k", b"1"]
        assert pusher.read() == 1


@pytest.mark.respcache_only(reason="of respcache's own command")
class TestReset:
    def test_others_go_on_waiting(self, do: Transcript, block: Block) -> None:
        """RESPCACHE RESET leaves other connections alone, and what they wait for as well."""
        waiter = block("BLPOP", "k", 1)
        do.advance(500)
        do("RESPCACHE", "RESET")
        do.advance(499)
        do("PING")
        do.advance(3)
        assert waiter.read() is None
        assert blocked(do) == 0
