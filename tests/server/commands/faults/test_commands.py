"""RESPCACHE FAULT: ERROR and DELAY of commands, plain, in pipelines and in MULTI."""

from __future__ import annotations

import pytest

from tests.support.faults import Arm, Connect, counts
from tests.support.resp import Connection
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

pytestmark = pytest.mark.respcache_only(reason="RESPCACHE is respcache's own command")


# -- ERROR


def test_error(do: Transcript, fault: Arm) -> None:
    fault("COMMAND", "SET", "TIMES", 1, "ERROR", "BUSY two\r\nlines")
    assert do.error("SET", "k", "v") == "BUSY two  lines"
    assert do("GET", "k") is None
    assert do("SET", "k", "v") == "OK"


def test_error_in_a_transaction(do: Transcript, fault: Arm) -> None:
    fault("COMMAND", "INCR", "TIMES", 1, "ERROR", "ERR no")
    do("MULTI")
    assert do.error("INCR", "k") == "ERR no"
    assert do("SET", "k", 1) == "QUEUED"
    assert do.error("EXEC").startswith("EXECABORT ")
    assert do.transaction(("INCR", "k")) == [1]


def test_error_of_exec_ends_the_transaction(do: Transcript, fault: Arm) -> None:
    fault("COMMAND", "EXEC", "TIMES", 1, "ERROR", "CLUSTERDOWN for now")
    do("MULTI")
    do("SET", "k", 1)
    assert do.error("EXEC") == "EXECABORT Transaction discarded because of: CLUSTERDOWN for now"
    assert do.error("EXEC") == "ERR EXEC without MULTI"
    assert do("GET", "k") is None


def test_error_is_counted(do: Transcript, fault: Arm, admin: Connection) -> None:
    fault("COMMAND", "GET", "ERROR", "TRYAGAIN later")
    do.error("GET", "k")
    assert b"errorstat_TRYAGAIN:count=1" in admin.call("INFO", "errorstats")


# -- DELAY


def test_delay(do: Transcript, connect: Connect, fault: Arm, admin: Connection) -> None:
    """The client waits until its time has come; nobody else does."""
    fault("COMMAND", "SET", "DELAY", 1000)
    do("RESPCACHE", "CLOCK", "FREEZE")
    do.connection.send("SET", "k", "v")
    assert eventually(lambda: counts(admin) == (1, 1))
    assert admin.call("GET", "k") is None
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 998)
    assert admin.call("GET", "k") is None
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1)
    assert do.connection.read() == "OK"
    assert admin.call("GET", "k") == b"v"


def test_delay_keeps_the_order_of_a_pipeline(do: Transcript, fault: Arm, admin: Connection) -> None:
    fault("COMMAND", "INCR", "DELAY", 1000)
    do("RESPCACHE", "CLOCK", "FREEZE")
    for words in (("SET", "k", 1), ("INCR", "k"), ("GET", "k"), ("INCR", "k"), ("SET", "k", 9)):
        do.connection.send(*words)
    assert do.connection.read() == "OK"
    assert admin.call("GET", "k") == b"1"
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    assert [do.connection.read(), do.connection.read()] == [2, b"2"]
    assert admin.call("GET", "k") == b"2"
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    assert [do.connection.read(), do.connection.read()] == [3, "OK"]
    assert counts(admin) == (2, 2)


def test_two_delays_add_up_and_an_error_comes_after_them(do: Transcript, fault: Arm, admin: Connection) -> None:
    fault("COMMAND", "GET", "TIMES", 1, "DELAY", 1000)
    fault("COMMAND", "GET", "TIMES", 1, "DELAY", 500)
    fault("COMMAND", "GET", "TIMES", 1, "ERROR", "ERR late")
    do("RESPCACHE", "CLOCK", "FREEZE")
    do.connection.send("GET", "k")
    assert eventually(lambda: counts(admin) == (1, 1))
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    assert counts(admin, "f2") == (0, 0)
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 500)
    assert str(do.connection.read()) == "ERR late"
    assert do("GET", "k") is None


@pytest.mark.parametrize("end", ["DEL", "CLEAR", "RESET"])
def test_a_delay_ends_with_its_fault(do: Transcript, fault: Arm, admin: Connection, end: str) -> None:
    fault("COMMAND", "SET", "DELAY", 3_600_000)
    do.connection.send("SET", "k", "v")
    assert eventually(lambda: counts(admin) == (1, 1))
    words = {"DEL": ("FAULT", "DEL", "f0"), "CLEAR": ("FAULT", "CLEAR"), "RESET": ("RESET",)}[end]
    admin.call("RESPCACHE", *words)
    assert do.connection.read() == "OK"
    # A held command comes before RESET in the order, so it does not disturb the next test.
    assert admin.call("GET", "k") == (None if end == "RESET" else b"v")


def test_delay_in_a_transaction(do: Transcript, fault: Arm, admin: Connection) -> None:
    fault("COMMAND", "EXEC", "DELAY", 1000)
    do("RESPCACHE", "CLOCK", "FREEZE")
    do("MULTI")
    do("INCR", "k")
    do.connection.send("EXEC")
    assert eventually(lambda: counts(admin) == (1, 1))
    assert admin.call("SET", "k", 10) == "OK"
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    assert do.connection.read() == [11]


def test_delay_of_a_blocking_command(do: Transcript, fault: Arm, admin: Connection) -> None:
    """It waits from the end of the delay."""
    fault("COMMAND", "BLPOP", "DELAY", 1000)
    do("RESPCACHE", "CLOCK", "FREEZE")
    do.connection.send("BLPOP", "l", 1)
    assert eventually(lambda: counts(admin) == (1, 1))
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1500)
    admin.call("RPUSH", "l", "x")
    assert do.connection.read() == [b"l", b"x"]


def test_a_client_that_leaves_during_a_delay(do: Transcript, connect: Connect, fault: Arm, admin: Connection) -> None:
    """As with a slow server, what it has sent is carried out later, unless the connection breaks."""
    fault("COMMAND", "SET", "DELAY", 1000)
    do("RESPCACHE", "CLOCK", "FREEZE")
    leaving = connect()
    leaving.send("SET", "k", "v")
    assert eventually(lambda: counts(admin) == (1, 1))
    leaving.close()
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    assert eventually(lambda: admin.call("GET", "k") == b"v")


def test_a_client_that_is_killed_during_a_delay(
    do: Transcript, connect: Connect, fault: Arm, admin: Connection
) -> None:
    fault("COMMAND", "SET", "DELAY", 1000)
    do("RESPCACHE", "CLOCK", "FREEZE")
    victim = connect()
    number = victim.call("CLIENT", "ID")
    victim.send("SET", "k", "v")
    assert eventually(lambda: counts(admin) == (1, 1))
    assert admin.call("CLIENT", "KILL", "ID", number) == 1
    assert victim.rest() == b""
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    assert admin.call("GET", "k") is None


def test_delay_beside_a_pause(do: Transcript, fault: Arm, admin: Connection) -> None:
    fault("COMMAND", "SET", "DELAY", 1000)
    do("RESPCACHE", "CLOCK", "FREEZE")
    do.connection.send("SET", "k", "v")
    assert eventually(lambda: counts(admin) == (1, 1))
    admin.call("CLIENT", "PAUSE", 5000)
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 5000)
    assert do.connection.read() == "OK"
    assert counts(admin) == (1, 1)


def test_a_thousand_clients_in_a_delay(do: Transcript, connect: Connect, fault: Arm, admin: Connection) -> None:
    if do.protocol == 3:
        pytest.skip(reason="makes no difference")
    clients = [connect() for _ in range(1000)]
    fault("COMMAND", "INCR", "DELAY", 1000)
    do("RESPCACHE", "CLOCK", "FREEZE")
    for client in clients:
        client.send("INCR", "k")
    assert eventually(lambda: counts(admin) == (1000, 1000))
    assert admin.call("GET", "k") is None
    admin.call("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    assert sorted(client.read() for client in clients) == list(range(1, 1001))
