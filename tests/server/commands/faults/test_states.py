"""RESPCACHE FAULT: the states of a server: LOADING, READONLY, OOM."""

from __future__ import annotations

import pytest

from tests.support.faults import Arm, Connect, counts, state
from tests.support.resp import Connection
from tests.support.transcript import Transcript

pytestmark = pytest.mark.respcache_only(reason="RESPCACHE is respcache's own command")


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
