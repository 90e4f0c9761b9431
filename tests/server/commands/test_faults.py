"""RESPCACHE FAULT: each action on plain commands, in pipelines, in MULTI, on blocked clients and on subscribers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from respcache import errors
from tests.support.processes import RespcacheServer
from tests.support.resp import Closed, Connection, ReplyError, pack
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

pytestmark = pytest.mark.respcache_only(reason="RESPCACHE is respcache's own command")

Connect = Callable[..., Connection]
Block = Callable[..., Connection]


@pytest.fixture(autouse=True)
def _as_before(do: Transcript, connect: Connect) -> Iterator[None]:
    """Other tests share the server."""
    yield
    connect().call("RESPCACHE", "RESET")


@pytest.fixture
def fault(connect: Connect) -> Callable[..., None]:
    """Arm one: `fault("COMMAND", "GET", "ERROR", "ERR x")`."""
    control = connect()
    numbers = iter(range(1000))

    def arm(*words: object) -> None:
        assert control.call("RESPCACHE", "FAULT", "ADD", f"f{next(numbers)}", *words) == "OK"

    return arm


@pytest.fixture
def admin(connect: Connect) -> Connection:
    """A client that no fault bothers."""
    return connect()


Arm = Callable[..., None]


def state(admin: Connection, name: str = "f0") -> dict[str, Any]:
    for flat in admin.call("RESPCACHE", "FAULT", "LIST"):
        fields = {key.decode(): value for key, value in zip(flat[::2], flat[1::2], strict=True)}
        if fields["name"] == name.encode():
            return fields
    raise AssertionError(f"no fault {name}")


def counts(admin: Connection, name: str = "f0") -> tuple[int, int]:
    fields = state(admin, name)
    return fields["matched"], fields["fired"]


def subscriber(connect: Connect, protocol: int, *channels: str) -> Connection:
    listening = connect(protocol)
    listening.send("SUBSCRIBE", *channels)
    for channel in channels:
        assert listening.read()[1] == channel.encode()
    return listening


# -- the table of faults


def test_list_tells_everything(do: Transcript, fault: Arm) -> None:
    fault("COMMAND", "get", "KEY", "user:*", "AFTER", 1, "TIMES", 2, "ERROR", "ERR no")
    fault("CLIENT", "w*", "USER", "default", "PROBABILITY", 0.5, "SEED", 7, "DRIBBLE", 3, 100)
    for _ in range(3):
        do.connection.call("GET", "user:1")
    first, second = (do.as_map(fields) for fields in do("RESPCACHE", "FAULT", "LIST"))
    assert first == {
        b"name": b"f0",
        b"action": b"ERROR ERR no",
        b"state": b"over",
        b"matched": 3,
        b"fired": 2,
        b"command": b"get",
        b"key": b"user:*",
        b"client": None,
        b"user": None,
        b"after": 1,
        b"times": 2,
        b"probability": None,
        b"seed": None,
    }
    assert (second[b"action"], second[b"state"]) == (b"DRIBBLE 3 100", b"armed")
    assert (second[b"client"], second[b"user"], second[b"probability"], second[b"seed"]) == (
        b"w*",
        b"default",
        b"0.5",
        7,
    )


def test_delete_and_clear(do: Transcript, fault: Arm) -> None:
    fault("COMMAND", "GET", "ERROR", "ERR no")
    fault("COMMAND", "GET", "ERROR", "ERR neither")
    assert do.error("GET", "k") == "ERR no"
    assert do("RESPCACHE", "FAULT", "DEL", "f0") == 1
    assert do("RESPCACHE", "FAULT", "DEL", "f0") == 0
    assert do.error("GET", "k") == "ERR neither"
    assert do("RESPCACHE", "FAULT", "CLEAR") == 1
    assert do("GET", "k") is None
    assert do("RESPCACHE", "FAULT", "LIST") == []


def test_reset_clears(do: Transcript, fault: Arm) -> None:
    fault("ERROR", "ERR no")
    assert do.error("GET", "k") == "ERR no"
    do("RESPCACHE", "RESET")
    assert do("GET", "k") is None
    assert do("RESPCACHE", "FAULT", "LIST") == []


def test_errors(do: Transcript) -> None:
    add = ("RESPCACHE", "FAULT", "ADD")
    assert do.error("RESPCACHE", "FAULT") == "ERR wrong number of arguments for 'respcache|fault' command"
    assert do.error("RESPCACHE", "FAULT", "NOSUCH").startswith("ERR unknown subcommand or wrong number of arguments")
    assert do.error(*add).startswith("ERR unknown subcommand or wrong number of arguments for 'ADD'")
    assert do.error("RESPCACHE", "FAULT", "LIST", "x").startswith("ERR unknown subcommand or wrong number")
    assert do.error("RESPCACHE", "FAULT", "DEL").startswith("ERR unknown subcommand or wrong number")
    assert do.error(*add, "f") == errors.FAULT_WITHOUT_ACTION
    assert do.error(*add, "f", "TIMES", 3) == errors.FAULT_WITHOUT_ACTION
    assert do.error(*add, "f", "NOSUCH") == "ERR unknown filter or action of a fault 'NOSUCH'"
    assert do.error(*add, "f", "COMMAND") == "ERR COMMAND needs more words"
    assert do.error(*add, "f", "KEY", "a", "KEY", "b", "OOM") == "ERR KEY is given twice"
    assert do.error(*add, "f", "TIMES", 0, "OOM") == f"ERR TIMES is not an integer from 1 to {2**63 - 1}"
    assert do.error(*add, "f", "AFTER", "x", "OOM") == f"ERR AFTER is not an integer from 0 to {2**63 - 1}"
    assert do.error(*add, "f", "PROBABILITY", 0.5, "OOM") == errors.SEED_AND_PROBABILITY
    assert do.error(*add, "f", "SEED", 1, "OOM") == errors.SEED_AND_PROBABILITY
    for wrong in ("x", "-0.1", "1.1", "nan"):
        assert do.error(*add, "f", "PROBABILITY", wrong, "SEED", 1, "OOM") == errors.BAD_PROBABILITY
    assert do.error(*add, "f", "ERROR") == "ERR ERROR needs more words"
    assert do.error(*add, "f", "ERROR", "") == errors.FAULT_TEXT_EMPTY
    assert do.error(*add, "f", "DELAY", -1).startswith("ERR DELAY is not an integer from 0 to ")
    assert do.error(*add, "f", "CLOSE") == "ERR CLOSE needs more words"
    assert do.error(*add, "f", "CLOSE", "NOW") == errors.CLOSE_WHEN
    assert do.error(*add, "f", "DRIBBLE", 1) == "ERR DRIBBLE needs more words"
    assert do.error(*add, "f", "DRIBBLE", 0, 1).startswith("ERR DRIBBLE is not an integer from 1 to ")
    assert do.error(*add, "f", "DRIBBLE", 1, 0).startswith("ERR DRIBBLE is not an integer from 1 to ")
    assert do.error(*add, "f", "DROP-SHARD", 9).startswith("ERR DROP-SHARD is not an integer from 0 to ")
    assert do.error(*add, "f", "OOM", "x") == "ERR 'x' comes after the action, which is last"
    assert do.error(*add, "f", "COMMAND", "GET", "REFUSE") == errors.REFUSE_FILTERS
    assert do.error(*add, "x" * 1025, "OOM") == errors.FAULT_TOO_LONG
    assert do.error(*add, "f", "KEY", "x" * 1025, "OOM") == errors.FAULT_TOO_LONG
    assert do.error(*add, "f", "ERROR", "x" * 1025) == errors.FAULT_TOO_LONG
    assert do("RESPCACHE", "FAULT", "LIST") == []
    assert do(*add, "f", "COMMAND", "x", "OOM") == "OK"
    assert do.error(*add, "f", "OOM") == "ERR fault 'f' exists already"


def test_there_is_a_most(do: Transcript) -> None:
    adds = [("RESPCACHE", "FAULT", "ADD", number, "COMMAND", "x", "OOM") for number in range(1001)]
    assert do.connection.pipeline(*adds)[-2:] == ["OK", ReplyError(errors.TOO_MANY_FAULTS)]
    assert do("RESPCACHE", "FAULT", "CLEAR") == 1000


def test_its_own_commands_are_never_hit(do: Transcript, fault: Arm) -> None:
    fault("CLOSE", "BEFORE")
    assert len(do("RESPCACHE", "FAULT", "LIST")) == 1
    assert do("RESPCACHE", "CLOCK", "GET") > 0
    do("RESPCACHE", "FAULT", "CLEAR")
    assert do("PING") == "PONG"


# -- filters


def test_a_command_is_found_by_its_name(do: Transcript, fault: Arm) -> None:
    fault("COMMAND", "hg*", "ERROR", "ERR hash")
    fault("COMMAND", "CONFIG GET", "ERROR", "ERR config")
    fault("COMMAND", "object", "ERROR", "ERR object")
    fault("COMMAND", "nosuch", "ERROR", "ERR not even that")
    assert do.error("HGET", "h", "f") == do.error("hgetall", "h") == "ERR hash"
    assert do("HSET", "h", "f", "v") == 1
    assert do.error("CONFIG", "GET", "x") == "ERR config"
    assert do("CONFIG", "SET", "maxmemory", 0) == "OK"
    assert do.error("OBJECT", "ENCODING", "h") == "ERR object"
    assert do.error("NOSUCH") == "ERR not even that"


def test_a_key_is_found_wherever_it_stands(do: Transcript, fault: Arm) -> None:
    fault("KEY", "user:*", "ERROR", "ERR hit")
    assert do("MGET", "a", "b") == [None, None]
    for words in (
        ("MGET", "a", "user:1"),
        ("MSET", "a", 1, "user:1", 2),
        ("EVAL", "return 1", 1, "user:1"),
        ("SINTERSTORE", "user:1", "a"),
        ("XREAD", "STREAMS", "user:1", 0),
    ):
        assert do.error(*words) == "ERR hit"
    assert do("MSET", "a", "user:1") == "OK"  # a value
    do("MULTI")
    do("SET", "b", "user:1")
    assert do("EXEC") == ["OK"]


def test_a_client_is_found_by_name_address_or_library(do: Transcript, connect: Connect, fault: Arm) -> None:
    named, addressed, library, other = (connect() for _ in range(4))
    named.call("CLIENT", "SETNAME", "worker-1")
    library.call("CLIENT", "SETINFO", "lib-name", "lettuce")
    host, port = addressed.socket.getsockname()
    fault("CLIENT", "worker-*", "ERROR", "ERR by name")
    fault("CLIENT", f"{host}:{port}", "ERROR", "ERR by address")
    fault("CLIENT", "lettuce", "ERROR", "ERR by library")
    assert [str(client.call("PING")) for client in (named, addressed, library, other)] == [
        "ERR by name",
        "ERR by address",
        "ERR by library",
        "PONG",
    ]


def test_a_user_is_found_by_name(do: Transcript, fault: Arm) -> None:
    fault("USER", "somebody", "ERROR", "ERR somebody")
    fault("USER", "default", "ERROR", "ERR default")
    assert do.error("PING") == "ERR default"


def test_after_and_times(do: Transcript, fault: Arm, admin: Connection) -> None:
    fault("COMMAND", "GET", "AFTER", 2, "TIMES", 2, "ERROR", "ERR no")
    commands = [("GET", "k")] * 6
    failed = [isinstance(reply, ReplyError) for reply in do.connection.pipeline(*commands)]
    assert failed == [False, False, True, True, False, False]
    assert counts(admin) == (4, 2)  # none when it is over


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_gives_the_same_chances(do: Transcript, connect: Connect, seed: int) -> None:
    def outcomes() -> list[bool]:
        do("RESPCACHE", "FAULT", "ADD", "f", "PROBABILITY", 0.3, "SEED", seed, "ERROR", "ERR no")
        replies = connect().pipeline(*[("PING",)] * 100)
        do("RESPCACHE", "FAULT", "CLEAR")
        return [isinstance(reply, ReplyError) for reply in replies]

    first = outcomes()
    assert first == outcomes()
    assert 10 < sum(first) < 50


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


# -- LOADING, READONLY, OOM


def test_loading(do: Transcript, connect: Connect, fault: Arm, admin: Connection) -> None:
    do("RESPCACHE", "CLOCK", "FREEZE")
    fault("LOADING", 1000)
    assert do.error("GET", "k") == "LOADING Redis is loading the dataset in memory"
    assert do.error("PING").startswith("LOADING ")
    assert do.error("GET").startswith("ERR wrong number of arguments")
    assert do("SELECT", 0) == "OK"
    assert do("ECHO", "x") == b"x"
    assert connect(3).call("CLIENT", "SETNAME", "x") == "OK"
    do("MULTI")
    assert do.error("GET", "k").startswith("LOADING ")
    assert do.error("EXEC") == "EXECABORT Transaction discarded because of previous errors."
    assert state(admin)["state"] == b"armed"
    do("RESPCACHE", "CLOCK", "ADVANCE", 1000)
    assert do("GET", "k") is None
    assert state(admin)["state"] == b"over"


def test_loading_until_it_is_deleted(do: Transcript, fault: Arm) -> None:
    fault("LOADING", 0)
    do("RESPCACHE", "CLOCK", "ADVANCE", 1_000_000_000)
    assert do.error("GET", "k").startswith("LOADING ")
    do("RESPCACHE", "FAULT", "CLEAR")
    assert do("GET", "k") is None


def test_loading_begins_between_multi_and_exec(do: Transcript, fault: Arm) -> None:
    do("MULTI")
    do("GET", "k")
    fault("LOADING", 0)
    assert do.error("EXEC") == (
        "EXECABORT Transaction discarded because of: LOADING Redis is loading the dataset in memory"
    )
    assert do.error("EXEC") == "ERR EXEC without MULTI"


# The replies of redis-server 7.0 and 8.0: as a replica, and with maxmemory 1.
READONLY_TEXT = "READONLY You can't write against a read only replica."
OOM_TEXT = "OOM command not allowed when used memory > 'maxmemory'."
SHA_OF_SET = "67ed14c1cb086d8c2fcf91ebe13410ba087fd0f8"
SET = "return redis.call('set','a','1')"
LIBRARY = (
    "#!lua name=l\nredis.register_function('w',function() return redis.call('set','a','1') end)\n"
    "redis.register_function{function_name='ro',callback=function() return redis.call('get','a') end,"
    "flags={'no-writes'}}"
)


def test_readonly(do: Transcript, fault: Arm) -> None:
    do("FUNCTION", "LOAD", LIBRARY)
    fault("READONLY")
    for words in (
        ("SET", "a", 1),
        ("DEL", "x"),
        ("FLUSHALL",),
        ("SORT", "a"),
        ("BLPOP", "q", 0.01),
        ("FUNCTION", "DELETE", "zz"),
        ("FUNCTION", "LOAD", LIBRARY),
        ("EVAL", "#!lua\nreturn 1", 0),
        ("EVAL_RO", "#!lua\nreturn 1", 0),
        ("EVAL", "#!lua flags=allow-oom\nreturn redis.call('set','a','1')", 1, "a"),
        ("FCALL", "w", 0),
        ("EVAL", "return redis.pcall('set','a','1')", 1, "a"),
    ):
        assert do.error(*words) == READONLY_TEXT, words
    assert do.error("EVAL", SET, 1, "a") == f"{READONLY_TEXT} script: {SHA_OF_SET}, on @user_script:1."
    assert do.error("EVAL_RO", SET, 1, "a").startswith("ERR Write commands are not allowed from read-only scripts.")
    assert do("GET", "a") is None
    assert do("EVAL", "return redis.call('get','a')", 1, "a") is None
    assert do("EVAL", "return redis.call('publish','a','b')", 0) == 0
    assert do("EVAL", "#!lua flags=no-writes\nreturn redis.call('get','a')", 1, "a") is None
    assert do("FCALL", "ro", 0) is None
    assert do("PUBLISH", "c", "m") == 0
    assert len(do("SCRIPT", "LOAD", SET)) == 40
    assert do.error("EVALSHA", SHA_OF_SET, 1, "a").startswith(READONLY_TEXT)
    do("RESPCACHE", "FAULT", "CLEAR")
    assert do("EVAL", SET, 1, "a") == "OK"


def test_readonly_in_transactions(do: Transcript, fault: Arm) -> None:
    do("MULTI")
    do("SET", "a", 1)
    fault("READONLY")
    assert do.error("EXEC") == f"EXECABORT Transaction discarded because of: {READONLY_TEXT}"
    do("MULTI")
    assert do.error("SET", "a", 1) == READONLY_TEXT
    assert do.error("EXEC") == "EXECABORT Transaction discarded because of previous errors."
    assert do.transaction(("GET", "a")) == [None]
    (refused,) = do.transaction(("EVAL", SET, 1, "a")) or [None]
    assert str(refused).startswith(READONLY_TEXT)


def test_oom(do: Transcript, fault: Arm) -> None:
    do("FUNCTION", "LOAD", LIBRARY)
    do("SET", "a", 1)
    fault("OOM")
    for words in (
        ("SET", "a", 1),
        ("SORT", "a"),
        ("FUNCTION", "LOAD", LIBRARY),
        ("EVAL", "#!lua\nreturn 1", 0),
        ("EVAL_RO", "#!lua\nreturn 1", 0),
        ("FCALL", "w", 0),
        ("EVAL", "return redis.pcall('set','a','1')", 1, "a"),
    ):
        assert do.error(*words) == OOM_TEXT, words
    assert do.error("EVAL", SET, 1, "a") == f"{OOM_TEXT} script: {SHA_OF_SET}, on @user_script:1."
    assert do("EVAL", "#!lua flags=allow-oom\nreturn redis.call('set','a','1')", 1, "a") == "OK"
    assert do("EVAL", "redis.call('del','x'); return redis.call('set','a','1')", 2, "a", "x") == "OK"  # has written
    assert do("GET", "a") == b"1"
    assert do("FCALL_RO", "ro", 0) == b"1"
    assert do("BLPOP", "q", 0.01) is None
    assert do("DEL", "x") == 0
    do("MULTI")
    assert do.error("GET", "a") == OOM_TEXT  # as in Redis 7.0: queueing takes memory
    assert do.error("EXEC").startswith("EXECABORT ")


def test_oom_begins_between_multi_and_exec(do: Transcript, fault: Arm) -> None:
    do("MULTI")
    do("SET", "a", 1)
    fault("OOM")
    assert do.error("EXEC") == f"EXECABORT Transaction discarded because of: {OOM_TEXT}"


def test_a_state_for_some(do: Transcript, connect: Connect, fault: Arm) -> None:
    other = connect()
    other.call("CLIENT", "SETNAME", "replica-reader")
    fault("CLIENT", "replica-*", "KEY", "user:*", "READONLY")
    assert do("MSET", "user:1", 1, "a", 1) == "OK"
    assert str(other.call("SET", "user:1", 1)) == READONLY_TEXT
    assert other.call("SET", "a", 1) == "OK"
    assert str(other.call("EVAL", SET, 1, "user:1")).startswith(READONLY_TEXT)
    assert other.call("EVAL", SET, 1, "a") == "OK"
    assert do("EVAL", SET, 1, "a") == "OK"


def test_a_state_counts_what_it_refuses(do: Transcript, fault: Arm, admin: Connection) -> None:
    fault("TIMES", 1, "READONLY")
    replies = do.connection.pipeline(("GET", "a"), ("EVAL", SET, 1, "a"), ("EVAL", SET, 1, "a"))
    assert replies[0] is None
    assert str(replies[1]).startswith(READONLY_TEXT)
    assert replies[2] == "OK"
    assert counts(admin) == (1, 1)


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


def test_it_is_off_unless_it_is_allowed() -> None:
    server = RespcacheServer("--enable-test-commands", "no")
    connection = Connection(server.port)
    for words in (("ADD", "f", "OOM"), ("LIST",), ("DEL", "f"), ("CLEAR",), ("NOSUCH",)):
        refused = connection.call("RESPCACHE", "FAULT", *words)
        assert isinstance(refused, ReplyError)
        assert str(refused) == errors.TEST_COMMANDS_NOT_ALLOWED
    assert connection.call("SET", "k", "v") == "OK"
    connection.close()
    server.stop()
