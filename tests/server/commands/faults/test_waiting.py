"""RESPCACHE FAULT: clients in blocking commands, and subscribers."""

from __future__ import annotations

import pytest

from tests.support.faults import Arm, Block, Connect, counts, subscriber
from tests.support.resp import Closed, Connection
from tests.support.transcript import Transcript

pytestmark = pytest.mark.respcache_only(reason="RESPCACHE is respcache's own command")


# -- blocked clients

ANSWER = b"*2\r\n$1\r\nl\r\n$1\r\nx\r\n"


@pytest.mark.parametrize("armed", ["before", "while it waits"])
@pytest.mark.parametrize("keys", [("l",), ("l", "m", "n")])
def test_a_blocked_client(
    do: Transcript, fault: Arm, block: Block, admin: Connection, armed: str, keys: tuple[str, ...]
) -> None:
    """What happens to a reply happens when it is served."""
    for action, expected in (("CLOSE AFTER", b""), ("CUT 7", ANSWER[:7])):
        words = ("COMMAND", "BLPOP", *action.split())
        if armed == "before":
            fault(*words)
        waiter = block("BLPOP", *keys, 0)
        if armed != "before":
            fault(*words)
        assert admin.call("RPUSH", "l", "x") == 1
        assert waiter.rest() == expected
        assert admin.call("EXISTS", "l") == 0  # popped, and lost
        assert admin.call("RESPCACHE", "FAULT", "CLEAR") == 1


def test_a_blocked_client_dribbles(do: Transcript, fault: Arm, block: Block, admin: Connection) -> None:
    do("RESPCACHE", "CLOCK", "FREEZE")
    waiter = block("BLPOP", "l", 0)
    fault("COMMAND", "BLPOP", "DRIBBLE", 10, 1000)
    admin.call("RPUSH", "l", "x")
    assert waiter.read_raw(10) == ANSWER[:10]
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    assert waiter.read_raw(8) == ANSWER[10:18]


@pytest.mark.parametrize("keys", [("l",), ("l", "m", "n")])
def test_other_actions_while_a_client_waits(
    do: Transcript, fault: Arm, block: Block, admin: Connection, keys: tuple[str, ...]
) -> None:
    do("RESPCACHE", "CLOCK", "FREEZE")
    waiter = block("BLPOP", *keys, 0)
    fault("COMMAND", "BLPOP", "TIMES", 1, "ERROR", "ERR lost")
    admin.call("RPUSH", "l", "x")
    assert str(waiter.read()) == "ERR lost"

    block("BLPOP", *keys, 0, on=waiter)
    fault("COMMAND", "BLPOP", "TIMES", 1, "DELAY", 1000)
    admin.call("RPUSH", "l", "x")
    assert counts(admin, "f1") == (1, 1)
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    assert waiter.read() == [b"l", b"x"]

    block("BLPOP", *keys, 0, on=waiter)
    fault("COMMAND", "BLPOP", "TIMES", 1, "BLACKHOLE")
    admin.call("RPUSH", "l", "x")
    assert counts(admin, "f2") == (1, 1)
    admin.call("RESPCACHE", "FAULT", "CLEAR")
    assert waiter.rest() == b""


def test_a_blocked_client_in_time(do: Transcript, fault: Arm, block: Block, admin: Connection) -> None:
    """The end of its time is a reply, too."""
    waiter = block("BLPOP", "l", 1)
    fault("COMMAND", "BLPOP", "CLOSE", "BEFORE")
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    assert waiter.rest() == b""


# -- subscribers


def test_messages_are_found_by_their_kind_and_channel(
    do: Transcript, connect: Connect, fault: Arm, admin: Connection
) -> None:
    listening = subscriber(connect, do.protocol, "news", "sport")
    fault("COMMAND", "message", "KEY", "news", "ERROR", "ERR lost")
    admin.call("PUBLISH", "sport", 1)
    admin.call("PUBLISH", "news", 2)
    admin.call("PUBLISH", "sport", 3)
    assert listening.read() == [b"message", b"sport", b"1"]
    assert str(listening.read()) == "ERR lost"
    assert listening.read() == [b"message", b"sport", b"3"]


@pytest.mark.parametrize(
    ("kind", "subscribe", "publish"),
    [
        ("message", "SUBSCRIBE", "PUBLISH"),
        ("pmessage", "PSUBSCRIBE", "PUBLISH"),
        ("smessage", "SSUBSCRIBE", "SPUBLISH"),
    ],
)
def test_each_kind_of_message(
    do: Transcript, connect: Connect, fault: Arm, admin: Connection, kind: str, subscribe: str, publish: str
) -> None:
    listening = connect(do.protocol)
    listening.call(subscribe, "c")
    fault("COMMAND", kind, "CLOSE", "BEFORE")
    admin.call(publish, "c", "hello")
    assert listening.rest() == b""


def head(protocol: int) -> bytes:
    return (b"*" if protocol == 2 else b">") + b"3\r\n$7\r\nmessage\r\n$1\r\nc\r\n"


def test_a_message_is_cut_or_the_last(do: Transcript, connect: Connect, fault: Arm, admin: Connection) -> None:
    whole = head(do.protocol) + b"$5\r\nhello\r\n"
    for action, expected in (("CUT 9", whole[:9]), ("CLOSE AFTER", whole)):
        listening = subscriber(connect, do.protocol, "c")
        fault("COMMAND", "message", "TIMES", 1, *action.split())
        admin.call("PUBLISH", "c", "hello")
        admin.call("PUBLISH", "c", "again")
        assert listening.rest() == expected


def test_a_message_comes_late(do: Transcript, connect: Connect, fault: Arm, admin: Connection) -> None:
    """What comes after it does not overtake it."""
    do("RESPCACHE", "CLOCK", "FREEZE")
    listening = subscriber(connect, do.protocol, "c")
    fault("COMMAND", "message", "TIMES", 1, "DELAY", 1000)
    admin.call("PUBLISH", "c", 1)
    admin.call("PUBLISH", "c", 2)
    listening.send("PING", "x")
    listening.socket.settimeout(0.01)
    with pytest.raises(TimeoutError):
        listening.socket.recv(1)
    listening.socket.settimeout(20)
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    assert [listening.read()[2], listening.read()[2]] == [b"1", b"2"]
    assert listening.read() == ([b"pong", b"x"] if do.protocol == 2 else b"x")


def test_messages_that_come_late_do_not_add_up(do: Transcript, connect: Connect, fault: Arm, admin: Connection) -> None:
    do("RESPCACHE", "CLOCK", "FREEZE")
    listening = subscriber(connect, do.protocol, "c")
    fault("COMMAND", "message", "DELAY", 1000)
    for number in range(3):
        admin.call("PUBLISH", "c", number)
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    assert [listening.read()[2] for _ in range(3)] == [b"0", b"1", b"2"]


def test_a_message_dribbles(do: Transcript, connect: Connect, fault: Arm, admin: Connection) -> None:
    do("RESPCACHE", "CLOCK", "FREEZE")
    listening = subscriber(connect, do.protocol, "c")
    fault("COMMAND", "message", "TIMES", 1, "DRIBBLE", 6, 1000)
    admin.call("PUBLISH", "c", "hello")
    admin.call("PUBLISH", "c", "again")
    assert listening.read_raw(6) == head(do.protocol)[:6]
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    assert listening.read_raw(6) == head(do.protocol)[6:12]
    admin.call("RESPCACHE", "FAULT", "CLEAR")
    rest = head(do.protocol)[12:] + b"$5\r\nhello\r\n"
    assert listening.read_raw(len(rest)) == rest
    assert listening.read() == [b"message", b"c", b"again"]


def test_a_subscriber_falls_silent(do: Transcript, connect: Connect, fault: Arm, admin: Connection) -> None:
    listening = subscriber(connect, do.protocol, "c")
    fault("COMMAND", "message", "TIMES", 1, "BLACKHOLE")
    for _ in range(100):
        assert admin.call("PUBLISH", "c", "x" * 100_000) == 1  # none of them is kept
    listening.send("PING")
    listening.socket.settimeout(0.01)
    with pytest.raises(TimeoutError):
        listening.socket.recv(1)
    admin.call("RESPCACHE", "FAULT", "CLEAR")
    listening.socket.settimeout(20)
    assert listening.rest() == b""


def test_messages_to_oneself_come_after_the_reply(do: Transcript, fault: Arm, admin: Connection) -> None:
    if do.protocol == 2:
        pytest.skip(reason="a subscriber cannot publish in RESP2")
    do("RESPCACHE", "CLOCK", "FREEZE")
    do("SUBSCRIBE", "c")
    fault("COMMAND", "message", "DELAY", 1000)
    assert do("PUBLISH", "c", "hello") == 1
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    assert do.connection.read() == [b"message", b"c", b"hello"]


def test_what_waits_for_a_message_is_bounded(do: Transcript, connect: Connect, fault: Arm, admin: Connection) -> None:
    """By the limit on what a subscriber leaves unread."""
    do("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 0 0")
    do("RESPCACHE", "CLOCK", "FREEZE")
    listening = subscriber(connect, do.protocol, "c")
    fault("COMMAND", "message", "DELAY", 1000)
    receivers = [admin.call("PUBLISH", "c", "x" * 100_000) for _ in range(20)]
    assert receivers == [1] * 11 + [0] * 9
    assert listening.rest() == b""


def test_drop_shard_at_a_message(do: Transcript, connect: Connect, fault: Arm, admin: Connection) -> None:
    do("SET", "k", "v")
    listening = subscriber(connect, do.protocol, "c")
    for index in range(len(admin.call("DEBUG", "SHARDS"))):
        fault("COMMAND", "message", "TIMES", 1, "DROP-SHARD", index)
    admin.call("PUBLISH", "c", "hello")
    assert listening.read() == [b"message", b"c", b"hello"]
    assert do("GET", "k") is None


def test_closed_is_closed(connect: Connect, do: Transcript, fault: Arm) -> None:
    """A client library sees what it sees when a server goes away."""
    fault("COMMAND", "GET", "TIMES", 1, "CLOSE", "BEFORE")
    with pytest.raises(Closed):
        connect().call("GET", "k")
    assert connect().call("GET", "k") is None
