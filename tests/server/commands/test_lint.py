"""RESPCACHE LINT: for each rule what it finds, and what is almost the same and is not found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from respcache.server.services.lint.findings import MOST
from respcache.server.services.lint.rules import RULES
from tests.support.processes import RespcacheServer
from tests.support.resp import Connection, ReplyError
from tests.support.transcript import Transcript

pytestmark = pytest.mark.respcache_only(reason="RESPCACHE is respcache's own command")

Connect = Callable[..., Connection]
Finding = dict[str, Any]


@pytest.fixture(autouse=True)
def _lint(do: Transcript) -> Iterator[None]:
    """It is on during these tests. Other tests share the server."""
    do("CONFIG", "SET", "lint", "report")
    yield
    do.connection.call("RESPCACHE", "RESET")


def findings(do: Transcript, rule: str = "") -> list[Finding]:
    """All findings, or those of one rule."""
    report = do.as_map(do("RESPCACHE", "LINT", "REPORT"))
    found = [{name.decode(): value for name, value in do.as_map(fields).items()} for fields in report[b"findings"]]
    return [finding for finding in found if not rule or finding["rule"] == rule.encode()]


def rules(do: Transcript) -> list[str]:
    return sorted({finding["rule"].decode() for finding in findings(do)})


def only(do: Transcript, rule: str) -> Finding:
    """The one finding there is."""
    [finding] = findings(do)
    assert finding["rule"] == rule.encode()
    return finding


# -- crossslot


@pytest.mark.parametrize(
    "words",
    [
        ("MGET", "a", "b"),
        ("MSET", "a", 1, "b", 2),
        ("DEL", "a", "b"),
        ("RENAME", "a", "b"),
        ("SINTERSTORE", "a", "{a}1", "b"),
        ("ZUNION", 2, "a", "b"),
        ("WATCH", "a", "b"),
        ("EVAL", "return 1", 2, "a", "b"),
        ("XREAD", "STREAMS", "a", "b", 0, 0),
    ],
    ids=lambda words: str(words[0]),
)
def test_keys_in_several_slots(do: Transcript, words: tuple[Any, ...]) -> None:
    do.connection.call(*words)
    finding = only(do, "crossslot")
    assert finding["command"] == str(words[0]).encode()
    assert finding["detail"] == b"keys in 2 slots, such as a and b"
    assert finding["count"] == 1


@pytest.mark.parametrize(
    "words",
    [
        ("MGET", "{a}1", "{a}2"),
        ("MGET", "a", "a"),
        ("MSET", "{a}1", 1, "{a}2", 2),
        ("EVAL", "return 1", 2, "{a}1", "{a}2"),
        ("EVAL", "return 1", 1, "a", "b"),
        ("MSET", "a", 1, "b"),
    ],
    ids=["tags", "same-key", "mset", "script", "argument", "refused"],
)
def test_keys_in_one_slot(do: Transcript, words: tuple[Any, ...]) -> None:
    do.connection.call(*words)
    assert findings(do) == []


def test_a_transaction_with_keys_in_several_slots(do: Transcript) -> None:
    do.connection.pipeline(("MULTI",), ("SET", "a", 1), ("SET", "b", 2), ("EXEC",))
    finding = only(do, "crossslot")
    assert finding["command"] == b"EXEC"
    assert finding["example"] == b"MULTI ... SET a 1 ... SET b 2 ... EXEC"


def test_a_transaction_in_one_slot(do: Transcript) -> None:
    do.connection.pipeline(("MULTI",), ("SET", "{a}1", 1), ("SET", "{a}2", 2), ("EXEC",), ("SET", "b", 1))
    assert findings(do) == []


def test_slots_are_of_no_interest_without_a_cluster(do: Transcript) -> None:
    do("CONFIG", "SET", "lint-profile", "azure")
    do("MGET", "a", "b")
    do("SELECT", 1)
    assert findings(do) == []


# -- scripts


def test_a_key_that_a_script_does_not_declare(do: Transcript) -> None:
    do("EVAL", "redis.call('SET', 'x' .. ARGV[1], 1) return redis.call('GET', KEYS[1])", 1, "k", "1")
    finding = only(do, "undeclared-key")
    assert finding["command"] == b"SET"
    assert finding["first-key"] == b"x1"
    assert finding["pattern"] == b"x*"
    assert len(finding["script"]) == 40


def test_undeclared_keys_are_told_once_per_run(do: Transcript) -> None:
    text = "for i = 1, 100 do redis.call('SET', '{k}' .. i, 1) end redis.call('GET', '{k}1')"
    do("EVAL", text, 1, "k")
    do("EVAL", text, 1, "k")
    assert [(finding["command"], finding["count"]) for finding in findings(do)] == [(b"SET", 2), (b"GET", 2)]


def test_keys_that_a_script_declares(do: Transcript) -> None:
    do("EVAL", "redis.call('SET', KEYS[1], 1) return redis.call('GET', KEYS[2])", 2, "{k}1", "{k}2")
    do("EVAL", "return redis.call('PING')", 0)
    assert findings(do) == []


def test_a_key_that_a_function_does_not_declare(do: Transcript) -> None:
    code = "#!lua name=lib\nredis.register_function('f', function(keys) return redis.call('GET', keys[1] .. 'x') end)"
    do("FUNCTION", "LOAD", code)
    do("FCALL", "f", 1, "{k}")
    assert only(do, "undeclared-key")["script"] == b"f"


# -- databases, profiles


@pytest.mark.parametrize(
    "words",
    [("SELECT", 1), ("MOVE", "k", 1), ("COPY", "k", "{k}1", "DB", 1), ("SWAPDB", 0, 1)],
    ids=lambda words: str(words[0]),
)
def test_a_second_database(do: Transcript, words: tuple[Any, ...]) -> None:
    do("SET", "k", "v")
    do(*words)
    assert only(do, "database")["source"].startswith(b"https://")


def test_the_first_database(do: Transcript) -> None:
    do("SET", "k", "v")
    do("SELECT", 0)
    do("COPY", "k", "{k}1", "DB", 0)
    do.error("SELECT", "x", "y")
    assert findings(do) == []


def test_what_a_profile_lacks(do: Transcript) -> None:
    do("CONFIG", "SET", "lint-profile", "elasticache")
    do("CONFIG", "GET", "maxmemory")
    finding = only(do, "missing")
    assert finding["command"] == b"CONFIG GET"
    assert finding["detail"] == b"Amazon ElastiCache, cluster mode or serverless has no CONFIG GET"
    assert b"amazon.com" in finding["source"]


def test_what_another_profile_has(do: Transcript) -> None:
    do("CONFIG", "GET", "maxmemory")
    do("CLIENT", "SETINFO", "lib-name", "x")
    assert findings(do) == []


def test_an_option_that_a_profile_lacks(do: Transcript) -> None:
    do("RPUSH", "l", 1, 2)
    do("SORT", "l", "BY", "weight_*")
    assert only(do, "missing")["detail"].startswith(b"Redis Cluster has no SORT with BY or GET")


def test_an_option_that_it_has(do: Transcript) -> None:
    do("RPUSH", "{l}", 1, 2)
    do("SORT", "{l}", "BY", "nosort", "GET", "#")
    do("SORT", "{l}", "BY", "weight_{l}_*")
    assert findings(do) == []


# -- blocking


def test_a_blocking_command_in_multi(do: Transcript) -> None:
    do.connection.pipeline(("MULTI",), ("BLPOP", "l", 1), ("EXEC",))
    assert only(do, "blocking")["detail"] == b"in MULTI"


def test_a_blocking_command_in_a_script(do: Transcript) -> None:
    do("EVAL", "return redis.call('BLPOP', KEYS[1], 1)", 1, "l")
    assert only(do, "blocking")["detail"] == b"in a script"


def test_blocking_and_multi_apart(do: Transcript) -> None:
    do("RPUSH", "l", 1)
    do("BLPOP", "l", 1)
    do.connection.pipeline(("MULTI",), ("XREAD", "STREAMS", "x", 0), ("LPOP", "l"), ("DISCARD",))
    assert findings(do) == []


# -- what goes through everything


def test_keys(do: Transcript) -> None:
    do("KEYS", "*")
    do("SCAN", 0)
    assert only(do, "keys")["example"] == b"KEYS *"


def test_keys_in_a_script(do: Transcript) -> None:
    do("EVAL", "return redis.call('KEYS', '*')", 0)
    assert only(do, "keys")["script"]


@pytest.mark.parametrize("rule", ["keys", "flush"])
def test_the_size_of_the_database(do: Transcript, rule: str) -> None:
    words = ("KEYS", "*") if rule == "keys" else ("FLUSHDB",)
    do("CONFIG", "SET", "lint-large-keyspace", 10, "lint-rules", "keys flush")
    do("MSET", *[word for number in range(10) for word in (f"k{number}", 1)])
    do(*words)
    assert findings(do) == []
    do("MSET", *[word for number in range(11) for word in (f"k{number}", 1)])
    do(*words)
    assert only(do, rule)["detail"] == b"goes through 11 keys"


def test_flush(do: Transcript) -> None:
    do("FLUSHALL", "ASYNC")
    do("FLUSHDB", "async")
    assert findings(do) == []
    do("FLUSHALL", "SYNC")
    do("FLUSHALL")
    assert only(do, "flush")["count"] == 2


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("SMEMBERS", "set"), True),
        (("SSCAN", "set", 0), False),
        (("SMEMBERS", "small"), False),
        (("SORT", "list", "LIMIT", 0, 1), True),
        (("LRANGE", "list", 0, -1), True),
        (("LRANGE", "list", 0, 9), False),
        (("LRANGE", "list", -5, -1), False),
        (("ZRANGE", "zset", 0, -1), True),
        (("ZRANGE", "zset", 0, 5), False),
        (("ZRANGE", "zset", "-inf", "+inf", "BYSCORE"), True),
        (("ZRANGE", "zset", "-inf", "+inf", "BYSCORE", "LIMIT", 0, 5), False),
        (("ZRANGE", "zset", 1, 3, "BYSCORE"), False),
        (("DEL", "set"), True),
        (("UNLINK", "set"), False),
        (("SUNIONSTORE", "{set}2", "set"), True),
        (("SUNIONSTORE", "set", "{set}small"), False),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_going_through_a_large_key(do: Transcript, words: tuple[Any, ...], found: bool) -> None:
    do("CONFIG", "SET", "lint-large-key", 10)
    do("SADD", "set", *range(11))
    do("SADD", "small", *range(10))
    do("SADD", "{set}small", *range(10))
    do("RPUSH", "list", *range(11))
    do("ZADD", "zset", *[number // 2 for number in range(22)])
    do(*words)
    if found:
        assert only(do, "whole-key")["detail"] == b"goes through 11 elements"
    else:
        assert findings(do) == []


def test_it_counts_when_the_command_runs(do: Transcript) -> None:
    """Not what a later command has made of the key."""
    do("CONFIG", "SET", "lint-large-key", 10)
    do.connection.pipeline(
        ("SADD", "s", *range(5)), ("SMEMBERS", "s"), ("SADD", "s", *range(20)), ("SMEMBERS", "s"), ("UNLINK", "s")
    )
    assert only(do, "whole-key")["detail"] == b"goes through 20 elements"


def test_a_large_key_in_a_transaction(do: Transcript) -> None:
    do("CONFIG", "SET", "lint-large-key", 10)
    do("SADD", "s", *range(11))
    do.connection.pipeline(("MULTI",), ("SMEMBERS", "s"), ("EXEC",))
    assert only(do, "whole-key")["command"] == b"SMEMBERS"


# -- limits


def test_a_large_argument(do: Transcript) -> None:
    do("CONFIG", "SET", "lint-max-value", 100)
    do("SET", "k", "v" * 100)
    assert findings(do) == []
    do("SET", "user:7", "v" * 101)
    finding = only(do, "large-value")
    assert finding["detail"] == b"an argument of 101 bytes"
    assert finding["example"] == b"SET user:7 " + b"v" * 64 + b"..."


def test_a_string_that_grows(do: Transcript) -> None:
    do("CONFIG", "SET", "lint-max-value", 100)
    do("APPEND", "k", "v" * 60)
    do("APPEND", "k", "v" * 40)
    assert findings(do) == []
    do("APPEND", "k", "v")
    assert only(do, "large-value")["detail"] == b"a string of 101 bytes"


def test_a_collection_that_grows(do: Transcript) -> None:
    do("CONFIG", "SET", "lint-max-elements", 10)
    do("RPUSH", "l", *range(10))
    do("LRANGE", "l", 0, -1)
    assert findings(do) == []
    do("RPUSH", "l", 10)
    do("RPUSH", "l", 11)
    finding = only(do, "large-collection")
    assert (finding["detail"], finding["count"]) == (b"a key of 11 elements", 2)


def test_a_collection_that_a_transaction_makes_large(do: Transcript) -> None:
    do("CONFIG", "SET", "lint-max-elements", 10)
    do.connection.pipeline(("MULTI",), ("SADD", "s", *range(6)), ("SADD", "s", *range(6, 12)), ("EXEC",))
    assert {finding["command"] for finding in findings(do, "large-collection")} == {b"SADD"}


def test_a_large_reply(do: Transcript) -> None:
    do("SET", "k", "v" * 100)
    do("CONFIG", "SET", "lint-max-reply", 108)  # with $100 and the ends of lines
    do("GET", "k")
    assert findings(do) == []
    do("CONFIG", "SET", "lint-max-reply", 107)
    do("GET", "k")
    assert only(do, "large-reply")["detail"] == b"a reply of 108 bytes"


# -- keys that never expire


def test_a_key_without_a_ttl(do: Transcript) -> None:
    do("CONFIG", "SET", "lint-ttl-pattern", "session:* cache:*")
    do("SET", "session:1", "v", "EX", 10)
    do("HSET", "session:2", "f", "v")
    do("EXPIRE", "session:2", 10)
    do("SET", "session:3", "v")
    do("DEL", "session:3")
    do("SET", "other:4", "v")
    do("GET", "session:5")
    assert findings(do) == []
    do("SET", "cache:6", "v")
    do("SET", "session:1", "v")
    found = findings(do)
    assert [(each["rule"], each["first-key"]) for each in found] == [(b"no-ttl", b"cache:6"), (b"no-ttl", b"session:1")]
    assert [each["count"] for each in findings(do)] == [1, 1]


def test_a_key_without_a_ttl_that_a_script_or_a_transaction_writes(do: Transcript) -> None:
    do("CONFIG", "SET", "lint-ttl-pattern", "session:*")
    do("EVAL", "redis.call('SET', KEYS[1], 1)", 1, "session:1")
    do.connection.pipeline(("MULTI",), ("SET", "session:2", 1), ("EXEC",))
    assert {finding["rule"] for finding in findings(do)} == {b"no-ttl"}


# -- round trips


def test_n_plus_one(do: Transcript) -> None:
    for number in range(9):
        do("HGETALL", f"user:{number}")
    assert findings(do) == []
    for number in range(9, 12):
        do("HGETALL", f"user:{number}")
    finding = only(do, "n-plus-one")
    assert (finding["pattern"], finding["count"]) == (b"user:*", 12)
    assert (finding["first-key"], finding["last-key"]) == (b"user:0", b"user:11")


def test_n_plus_one_with_two_commands_in_turns(do: Transcript) -> None:
    for number in range(10):
        do("GET", f"user:{number}:name")
        do("LRANGE", f"user:{number}:posts", 0, 5)
        do("PING")
    assert [(each["rule"], each["command"]) for each in findings(do)] == [
        (b"n-plus-one", b"GET"),
        (b"n-plus-one", b"LRANGE"),
    ]


def test_a_pipeline_is_one_round_trip(do: Transcript) -> None:
    do.connection.pipeline(*[("GET", f"user:{number}") for number in range(500)])
    do.connection.pipeline(*[("PING",), *[("GET", f"user:{number}") for number in range(50)]])
    assert findings(do) == []


def test_small_pipelines_in_a_loop_are_not_found(do: Transcript) -> None:
    for number in range(20):
        do.connection.pipeline(("GET", f"user:{number}"), ("GET", f"cart:{number}"))
    assert findings(do) == []


@pytest.mark.parametrize("key", ["counter", "counter:1"])
def test_one_key_many_times_is_not_n_plus_one(do: Transcript, key: str) -> None:
    for _ in range(20):
        do("INCR", key)
    assert findings(do) == []


def test_keys_of_other_kinds_are_not_n_plus_one(do: Transcript) -> None:
    for letter in "abcdefghijklmnopqrstuvwxyz":
        do("GET", f"config:{letter}")
    assert findings(do) == []


def test_a_pause_ends_a_loop(do: Transcript) -> None:
    for number in range(20):
        do("GET", f"job:{number}")
        do("RESPCACHE", "CLOCK", "ADVANCE", 6000)
    assert findings(do) == []


def test_a_worker_that_waits_for_jobs_is_no_loop(do: Transcript) -> None:
    for number in range(20):
        do("RPUSH", "jobs", number)
        do("BLPOP", "jobs", 1)
        do("GET", f"job:{number}")
    assert findings(do) == []


def test_each_client_has_its_own_round_trips(do: Transcript, connect: Connect) -> None:
    clients = [connect() for _ in range(4)]
    for number in range(20):
        clients[number % 4].call("GET", f"user:{number}")
    assert findings(do) == []


def test_a_script_that_is_sent_again_and_again(do: Transcript) -> None:
    for _ in range(9):
        do("EVAL", "return ARGV[1]", 0, 1)
    assert findings(do) == []
    for _ in range(3):
        do("EVAL", "return ARGV[1]", 0, 1)
    assert only(do, "eval")["count"] == 12


def test_a_script_that_is_called_by_its_name(do: Transcript) -> None:
    sha = do("SCRIPT", "LOAD", "return ARGV[1]")
    for _ in range(20):
        do("EVALSHA", sha, 0, 1)
    assert findings(do) == []


# -- deprecated


def test_a_deprecated_command(do: Transcript) -> None:
    do("SETEX", "k", 10, "v")
    do("SET", "k", "v", "EX", 10)
    assert only(do, "deprecated")["detail"] == b"deprecated since Redis 2.6.12: use SET with EX"


# -- merging and bounds


def test_the_same_finding_is_counted(do: Transcript, connect: Connect) -> None:
    for number in range(5):
        do("MGET", f"user:{number}", f"cart:{number}")
    named = connect()
    named.call("CLIENT", "SETNAME", "worker")
    named.call("MGET", "user:1", "cart:1")
    found = findings(do)
    assert [(each["client"], each["count"], each["pattern"]) for each in found] == [
        (b"", 5, b"user:*"),
        (b"worker", 1, b"user:*"),
    ]
    assert found[0]["example"] == b"MGET user:0 cart:0"
    assert found[0]["first-time"] <= found[0]["last-time"]


def test_a_finding_says_why_and_what_to_do(do: Transcript) -> None:
    do("KEYS", "a b\r\n")
    finding = only(do, "keys")
    assert finding["example"] == rb'KEYS "a b\r\n"'
    assert finding["why"] == RULES["keys"].why.encode()
    assert finding["instead"] == RULES["keys"].instead.encode()


def test_passwords_are_not_kept(do: Transcript) -> None:
    do("CONFIG", "SET", "lint-profile", "elasticache")
    do("CONFIG", "SET", "requirepass", "")
    assert {finding["example"] for finding in findings(do)} == {b"CONFIG SET ..."}


def test_findings_are_bounded(do: Transcript) -> None:
    names = [bytes((97 + one, 97 + two, 97 + three)) for one in range(12) for two in range(10) for three in range(10)]
    do.connection.pipeline(*[("SETEX", name, 10, 1) for name in names])
    report = do.as_map(do("RESPCACHE", "LINT", "REPORT"))
    assert len(report[b"findings"]) == MOST
    assert report[b"dropped"] == len(names) - MOST


def test_rules_are_chosen(do: Transcript) -> None:
    do("CONFIG", "SET", "lint-rules", "all -deprecated -crossslot")
    do("SETEX", "k", 10, "v")
    do("MGET", "a", "b")
    do("KEYS", "*")
    assert rules(do) == ["keys"]
    do("CONFIG", "SET", "lint-rules", "crossslot")
    do("MGET", "a", "b")
    assert rules(do) == ["crossslot", "keys"]
    assert "lint-rules" in do.error("CONFIG", "SET", "lint-rules", "nosuch")


# -- on, off, reset


def test_off(do: Transcript) -> None:
    do("CONFIG", "SET", "lint", "off")
    do("MGET", "a", "b")
    do("EVAL", "return redis.call('GET', 'undeclared')", 0)
    assert findings(do) == []


def test_reset(do: Transcript) -> None:
    do("KEYS", "*")
    for number in range(9):
        do("GET", f"user:{number}")
    assert do("RESPCACHE", "LINT", "RESET") == "OK"
    do("GET", "user:10")
    assert findings(do) == []
    do("KEYS", "*")
    assert do("RESPCACHE", "RESET") == "OK"
    report = do.as_map(do("RESPCACHE", "LINT", "REPORT"))
    assert (report[b"mode"], report[b"profile"], report[b"findings"]) == (b"off", b"redis-cluster", [])


def test_it_may_be_asked_while_subscribed(do: Transcript) -> None:
    do("SUBSCRIBE", "c")
    assert findings(do) == []


def test_errors(do: Transcript) -> None:
    assert do.error("RESPCACHE", "LINT") == "ERR wrong number of arguments for 'respcache|lint' command"
    assert do.error("RESPCACHE", "LINT", "REPORT", 1) == "ERR wrong number of arguments for 'respcache|lint' command"
    assert do.error("RESPCACHE", "LINT", "NOSUCH") == (
        "ERR unknown subcommand or wrong number of arguments for 'NOSUCH'. Try RESPCACHE HELP."
    )


# -- refuse


@pytest.fixture
def refusing(do: Transcript) -> Transcript:
    do("SET", "k", "v")
    do("CONFIG", "SET", "lint", "refuse")
    return do


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("crossslot", ("MSET", "a", 1, "b", 2)),
        ("database", ("SELECT", 1)),
        ("missing", ("SORT", "k", "BY", "w_*")),
        ("keys", ("KEYS", "*")),
        ("flush", ("FLUSHALL",)),
        ("large-value", ("SET", "k", "v" * 2000)),
    ],
)
def test_what_is_refused(refusing: Transcript, rule: str, words: tuple[Any, ...]) -> None:
    do = refusing
    do("CONFIG", "SET", "lint-max-value", 1000)
    error = do.error(*words)
    assert error.startswith(f"LINT {rule}: ")
    assert error.endswith(RULES[rule].instead)
    assert only(do, rule)["count"] == 1
    assert do("GET", "k") == b"v"  # it was not run, and the connection goes on
    assert do("DBSIZE") == 1


def test_what_is_reported_only(refusing: Transcript) -> None:
    do = refusing
    assert do("SETEX", "k", 10, "v") == "OK"
    assert do("EVAL", "return redis.call('GET', 'k')", 0) == b"v"
    assert rules(do) == ["deprecated", "undeclared-key"]
    assert {name for name, rule in RULES.items() if rule.refuses} == {
        *("blocking", "crossslot", "database", "flush", "keys", "large-value", "missing")
    }


def test_what_multi_would_queue_is_refused(refusing: Transcript) -> None:
    replies = refusing.connection.pipeline(("MULTI",), ("BLPOP", "l", 1), ("SET", "k", "w"), ("EXEC",), ("GET", "k"))
    assert str(replies[1]).startswith("LINT blocking: in MULTI")
    assert str(replies[3]) == "EXECABORT Transaction discarded because of previous errors."
    assert replies[4] == b"v"


def test_a_transaction_is_refused_and_over(refusing: Transcript) -> None:
    replies = refusing.connection.pipeline(("MULTI",), ("SET", "k", 1), ("SET", "b", 2), ("EXEC",), ("GET", "k"))
    assert str(replies[3]).startswith("LINT crossslot: the transaction has keys in 2 slots, such as k and b.")
    assert replies[4] == b"v"
    assert refusing.error("EXEC") == "ERR EXEC without MULTI"


def test_a_server_is_started_with_it() -> None:
    server = RespcacheServer("--lint", "refuse", "--lint-rules", "all", "-keys", "--lint-ttl-pattern", "a:*", "b:*")
    connection = Connection(server.port)
    try:
        assert isinstance(connection.call("MGET", "a", "b"), ReplyError)
        assert connection.call("KEYS", "*") == []
        connection.call("SET", "b:1", 1)
        connection.call("RESPCACHE", "RESET")
        assert isinstance(connection.call("MGET", "a", "b"), ReplyError)
        assert connection.call("CONFIG", "GET", "lint-rules") == [b"lint-rules", b"all -keys"]
    finally:
        connection.close()
        server.stop()


def test_it_is_refused_where_test_commands_are_off() -> None:
    server = RespcacheServer("--enable-test-commands", "no", "--lint", "report")
    connection = Connection(server.port)
    try:
        for words in (("REPORT",), ("RESET",)):
            assert str(connection.call("RESPCACHE", "LINT", *words)).startswith("ERR RESPCACHE command not allowed")
    finally:
        connection.close()
        server.stop()
