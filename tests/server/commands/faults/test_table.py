"""RESPCACHE FAULT: the table of faults, and which commands a fault is about."""

from __future__ import annotations

import pytest

from respcache import errors
from tests.support.faults import Arm, Connect, counts
from tests.support.processes import RespcacheServer
from tests.support.resp import Connection, ReplyError
from tests.support.transcript import Transcript

pytestmark = pytest.mark.respcache_only(reason="RESPCACHE is respcache's own command")


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
