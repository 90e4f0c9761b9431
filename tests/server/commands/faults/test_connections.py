"""RESPCACHE FAULT: what happens to connections: CLOSE, CUT, DRIBBLE, BLACKHOLE, REFUSE, DROP-SHARD."""

from __future__ import annotations

import pytest

from respcache import errors
from tests.support.faults import Arm, Block, Connect, counts, state, subscriber
from tests.support.resp import Connection, pack
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

pytestmark = pytest.mark.respcache_only(reason="RESPCACHE is respcache's own command")


# -- CLOSE


def test_close_before(do: Transcript, connect: Connect, fault: Arm, admin: Connection) -> None:
    fault("COMMAND", "SET", "CLOSE", "BEFORE")
    client = connect(do.protocol)
    client.send_raw(pack(("PING",)) + pack(("SET", "k", "v")) + pack(("INCR", "n")))
    assert client.read() == "PONG"
    assert client.rest() == b""
    assert admin.call("MGET", "k", "n") == [None, None]


def test_close_after(do: Transcript, connect: Connect, fault: Arm, admin: Connection) -> None:
    """The command has run, nothing after it."""
    fault("COMMAND", "SET", "CLOSE", "AFTER")
    client = connect(do.protocol)
    client.send_raw(pack(("PING",)) + pack(("SET", "k", "v")) + pack(("INCR", "n")))
    assert client.read() == "PONG"
    assert client.rest() == b""
    assert admin.call("MGET", "k", "n") == [b"v", None]


@pytest.mark.parametrize(("when", "value"), [("BEFORE", None), ("AFTER", b"1")])
def test_close_at_exec(
    do: Transcript, connect: Connect, fault: Arm, admin: Connection, when: str, value: bytes | None
) -> None:
    fault("COMMAND", "EXEC", "CLOSE", when)
    client = connect(do.protocol)
    client.pipeline(("MULTI",), ("SET", "a", 1), ("SET", "b", 1), ("SET", "c", 1))
    client.send("EXEC")
    assert client.rest() == b""
    assert admin.call("MGET", "a", "b", "c") == [value] * 3


def test_close_after_a_command_without_a_reply(do: Transcript, connect: Connect, fault: Arm) -> None:
    fault("COMMAND", "CLIENT REPLY", "CLOSE", "AFTER")
    client = connect(do.protocol)
    client.send("CLIENT", "REPLY", "OFF")
    assert client.rest() == b""


@pytest.mark.parametrize("command", [("MGET", "a", "b", "c"), ("KEYS", "*"), ("PING",), ("SUBSCRIBE", "a", "b")])
def test_close_after_every_kind(do: Transcript, connect: Connect, fault: Arm, command: tuple[str, ...]) -> None:
    """Cut up, of all shards, of main, with several replies."""
    fault("COMMAND", command[0], "CLOSE", "AFTER")
    client = connect(do.protocol)
    client.send(*command)
    assert client.rest() == b""


def test_the_end_of_the_fault_before_the_reply(do: Transcript, fault: Arm, block: Block, admin: Connection) -> None:
    """What was to be cut off goes on as if nothing had been."""
    fault("COMMAND", "BLPOP", "CLOSE", "AFTER")
    waiter = block("BLPOP", "l", 0)
    waiter.send("PING")
    admin.call("RESPCACHE", "FAULT", "CLEAR")
    admin.call("RPUSH", "l", "x")
    assert [waiter.read(), waiter.read()] == [[b"l", b"x"], "PONG"]


# -- CUT


@pytest.mark.parametrize("size", [0, 1, 5, 11, 100])
def test_cut(do: Transcript, connect: Connect, fault: Arm, size: int) -> None:
    do("SET", "k", "value")
    fault("COMMAND", "GET", "CUT", size)
    client = connect(do.protocol)
    client.send_raw(pack(("PING",)) + pack(("GET", "k")) + pack(("PING",)))
    assert client.rest() == b"+PONG\r\n" + b"$5\r\nvalue\r\n"[:size]


def test_cut_of_a_large_reply(do: Transcript, connect: Connect, fault: Arm) -> None:
    """One that is sent in parts before it is complete."""
    do("MSET", *[word for number in range(40) for word in (f"k{number}", "x" * (1 << 20))])
    fault("COMMAND", "MGET", "CUT", 30_000_000)
    client = connect(do.protocol)
    client.send("MGET", *[f"k{number}" for number in range(40)])
    assert len(client.rest()) == 30_000_000


# -- DRIBBLE


def test_dribble(do: Transcript, fault: Arm, admin: Connection) -> None:
    do("SET", "k", "value")
    fault("COMMAND", "GET", "DRIBBLE", 4, 1000)
    do("RESPCACHE", "CLOCK", "FREEZE")
    client = do.connection
    client.send_raw(pack(("GET", "k")) + pack(("PING",)))
    assert client.read_raw(4) == b"$5\r\n"
    assert counts(admin) == (1, 1)
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    assert client.read_raw(4) == b"valu"
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    assert client.read_raw(3 + 7) == b"e\r\n+PONG\r\n"


def test_dribble_follows_a_jump_of_time(do: Transcript, fault: Arm, admin: Connection) -> None:
    do("SET", "k", "x" * 1000)
    fault("COMMAND", "GET", "DRIBBLE", 1, 1000)
    do("RESPCACHE", "CLOCK", "FREEZE")
    do.connection.send("GET", "k")
    assert do.connection.read_raw(1) == b"$"
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 10_000_000)
    assert do.connection.read_raw(7 + 1000 + 1) == b"1000\r\n" + b"x" * 1000 + b"\r\n"


@pytest.mark.parametrize("action", ["DELAY 1000", "DRIBBLE 4 1000"])
def test_the_clock_is_set_back_meanwhile(do: Transcript, fault: Arm, admin: Connection, action: str) -> None:
    """What was to take a second still does."""
    do("RESPCACHE", "CLOCK", "FREEZE")
    do("SET", "k", "value")
    fault("COMMAND", "GET", *action.split())
    do.connection.send("GET", "k")
    assert eventually(lambda: counts(admin) == (1, 1))
    admin.call("RESPCACHE", "CLOCK", "SET", 1_000_000_000_000)
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    if action.startswith("DELAY"):
        assert do.connection.read() == b"value"
    else:
        assert do.connection.read_raw(8) == b"$5\r\nvalu"
        admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
        assert do.connection.read_raw(3) == b"e\r\n"


def test_a_late_message_when_the_clock_is_set_back(
    do: Transcript, connect: Connect, fault: Arm, admin: Connection
) -> None:
    do("RESPCACHE", "CLOCK", "FREEZE")
    listening = subscriber(connect, do.protocol, "c")
    fault("COMMAND", "message", "DELAY", 1000)
    admin.call("PUBLISH", "c", 1)
    admin.call("RESPCACHE", "CLOCK", "SET", 1_000_000_000_000)
    admin.call("PUBLISH", "c", 2)
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    assert [listening.read()[2], listening.read()[2]] == [b"1", b"2"]


def test_dribble_ends_with_its_fault(do: Transcript, fault: Arm, admin: Connection) -> None:
    do("SET", "k", "value")
    fault("COMMAND", "GET", "DRIBBLE", 1, 3_600_000)
    do.connection.send("GET", "k")
    assert do.connection.read_raw(1) == b"$"
    admin.call("RESPCACHE", "FAULT", "CLEAR")
    assert do.connection.read_raw(10) == b"5\r\nvalue\r\n"
    assert do("GET", "k") == b"value"


@pytest.mark.parametrize("end", ["hang up", "kill"])
def test_a_client_that_leaves_while_it_dribbles(
    do: Transcript, connect: Connect, fault: Arm, admin: Connection, end: str
) -> None:
    fault("COMMAND", "PING", "DRIBBLE", 1, 1000)
    do("RESPCACHE", "CLOCK", "FREEZE")
    client = connect()
    number = client.call("CLIENT", "ID")
    client.send("PING")
    assert client.read_raw(1) == b"+"
    if end == "kill":
        admin.call("CLIENT", "KILL", "ID", number)
    client.close()
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    admin.call("RESPCACHE", "FAULT", "CLEAR")
    assert eventually(lambda: b"id=%d " % number not in admin.call("CLIENT", "LIST"))


# -- BLACKHOLE


def test_blackhole(do: Transcript, connect: Connect, fault: Arm, admin: Connection) -> None:
    fault("COMMAND", "SET", "TIMES", 1, "BLACKHOLE")
    client = connect(do.protocol)
    number = client.call("CLIENT", "ID")
    client.send_raw(pack(("PING",)) + pack(("SET", "k", "v")) + pack(("INCR", "n")))
    assert client.read() == "PONG"
    client.send("INCR", "n")
    client.send_raw(b"*1\r\n$1000000000\r\n" + b"x" * (4 << 20))  # nothing of it is kept
    assert b"id=%d " % number in admin.call("CLIENT", "LIST")
    assert admin.call("MGET", "k", "n") == [None, None]
    client.socket.settimeout(0.01)
    with pytest.raises(TimeoutError):
        client.socket.recv(1)


def test_the_end_of_a_blackhole_closes_connections(
    do: Transcript, connect: Connect, fault: Arm, admin: Connection
) -> None:
    fault("COMMAND", "SET", "BLACKHOLE")
    client = connect(do.protocol)
    client.send("SET", "k", "v")
    assert eventually(lambda: counts(admin) == (1, 1))
    admin.call("RESPCACHE", "FAULT", "CLEAR")
    assert client.rest() == b""
    assert admin.call("GET", "k") is None


@pytest.mark.parametrize("end", ["hang up", "half-close", "kill"])
def test_a_client_that_leaves_a_blackhole(
    do: Transcript, connect: Connect, fault: Arm, admin: Connection, end: str
) -> None:
    fault("COMMAND", "PING", "BLACKHOLE")
    client = connect()
    number = client.call("CLIENT", "ID")
    client.send("PING")
    assert eventually(lambda: counts(admin) == (1, 1))
    match end:
        case "hang up":
            client.close()
        case "half-close":
            client.socket.shutdown(1)
        case _:
            admin.call("CLIENT", "KILL", "ID", number)
    assert eventually(lambda: b"id=%d " % number not in admin.call("CLIENT", "LIST"))


def test_a_blackhole_at_exec_drops_the_transaction(
    do: Transcript, connect: Connect, fault: Arm, admin: Connection
) -> None:
    fault("COMMAND", "EXEC", "BLACKHOLE")
    client = connect(do.protocol)
    admin.call("SET", "k", 1)
    client.pipeline(("WATCH", "k"), ("MULTI",), ("INCR", "k"))
    client.send("EXEC")
    assert eventually(lambda: counts(admin) == (1, 1))
    assert admin.call("GET", "k") == b"1"


# -- REFUSE


def test_refuse(do: Transcript, connect: Connect, fault: Arm, admin: Connection) -> None:
    fault("TIMES", 2, "REFUSE")
    for _ in range(2):
        assert connect().rest() == b""
    assert connect().call("PING") == "PONG"
    assert do("PING") == "PONG"
    assert counts(admin) == (2, 2)


def test_refuse_by_address(do: Transcript, connect: Connect, fault: Arm) -> None:
    fault("CLIENT", "10.*", "REFUSE")
    assert connect().call("PING") == "PONG"
    fault("CLIENT", "127.0.0.1:*", "REFUSE")
    assert connect().rest() == b""
    do("RESPCACHE", "FAULT", "CLEAR")


# -- DROP-SHARD


def test_drop_shard_at_once(do: Transcript, fault: Arm, admin: Connection) -> None:
    do("SET", "k", "v")
    shard = [int(fields[2]) for fields in admin.call("DEBUG", "SHARDS")]
    for index in range(len(shard)):
        fault("DROP-SHARD", index)
    assert do("GET", "k") is None  # answered by the one that was started again, empty
    assert [int(fields[2]) for fields in admin.call("DEBUG", "SHARDS")] == [restarts + 1 for restarts in shard]
    assert (state(admin)["state"], *counts(admin)) == (b"over", 0, 1)


def test_drop_shard_at_a_command(do: Transcript, fault: Arm, admin: Connection) -> None:
    """That command is under way then."""
    for index in range(len(admin.call("DEBUG", "SHARDS"))):
        fault("COMMAND", "INCR", "TIMES", 1, "DROP-SHARD", index)
    do("SET", "k", 1)
    assert do.error("INCR", "k") == errors.SHARD_DIED
    assert do("INCR", "k") == 1


def test_drop_shard_with_a_client_that_waits(do: Transcript, fault: Arm, block: Block, admin: Connection) -> None:
    waiter = block("BLPOP", "l", 0)
    for index in range(len(admin.call("DEBUG", "SHARDS"))):
        fault("DROP-SHARD", index)
    assert str(waiter.read()) == errors.SHARD_DIED
