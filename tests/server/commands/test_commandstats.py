"""INFO commandstats, latencystats and LATENCY HISTOGRAM: every command is counted once, in the way of its kind."""

from __future__ import annotations

import os
import re
import signal
from typing import Any

import pytest

from tests.support.resp import Connection
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

COUNTS = re.compile(r"calls=(\d+),usec=\d+,usec_per_call=\d+\.\d\d,rejected_calls=(\d+),failed_calls=(\d+)")
# What the tests themselves send to see the counts.
OWN = ("info", "config|", "client|", "latency|", "flushall", "hello", "debug")


def section(do: Transcript, title: str) -> dict[str, str]:
    """The fields of a section of INFO."""
    reply = do("INFO", title)
    text = str(reply).removeprefix("txt:") if do.protocol == 3 else reply.decode()
    return dict(line.split(":", 1) for line in text.split("\r\n") if line and not line.startswith("#"))


def counts(do: Transcript) -> dict[str, tuple[int, int, int]]:
    """Calls, rejected calls and failed calls by command."""
    found = {}
    for field, value in section(do, "commandstats").items():
        name = field.removeprefix("cmdstat_")
        matched = COUNTS.fullmatch(value)
        assert matched, value
        if not name.startswith(OWN):
            calls, rejected, failed = map(int, matched.groups())
            found[name] = (calls, rejected, failed)
    return found


@pytest.fixture(autouse=True)
def zero(do: Transcript) -> None:
    do("CONFIG", "RESETSTAT")


def test_one_shard(do: Transcript) -> None:
    do("SET", "k", "v")
    do("get", "k")
    do("gEt", "k")
    do.error("INCR", "k")
    do("OBJECT", "ENCODING", "k")
    assert counts(do) == {"set": (1, 0, 0), "get": (2, 0, 0), "incr": (1, 0, 1), "object|encoding": (1, 0, 0)}


def test_several_shards(do: Transcript) -> None:
    do("MSET", "a", 1, "b", 2, "c", 3)
    do("MGET", "a", "b", "c")
    do("EXISTS", "a", "b", "c", "d")
    do("RENAME", "a", "d")
    do.error("RENAME", "a", "e")
    do("SADD", "s1", "x")
    do("SADD", "s2", "x")
    do("SUNION", "s1", "s2")
    do("SINTERSTORE", "s3", "s1", "s2")
    do.error("SINTERSTORE", "s3", "s1", "b")
    do("DEL", "b", "c", "d")
    assert counts(do) == {
        "mset": (1, 0, 0),
        "mget": (1, 0, 0),
        "exists": (1, 0, 0),
        "rename": (2, 0, 1),
        "sadd": (2, 0, 0),
        "sunion": (1, 0, 0),
        "sinterstore": (2, 0, 1),
        "del": (1, 0, 0),
    }


def test_all_shards(do: Transcript) -> None:
    do("MSET", "a", 1, "b", 2, "c", 3)
    do("DBSIZE")
    do("KEYS", "*")
    do("RANDOMKEY")
    do("SCAN", 0)
    do("SCAN", 0, "COUNT", 1)
    do.error("SCAN", "x")
    do.error("SCAN", 0, "COUNT", "x")
    do.error("FLUSHDB", "NOSUCH")
    assert counts(do) == {
        "mset": (1, 0, 0),
        "dbsize": (1, 0, 0),
        "keys": (1, 0, 0),
        "randomkey": (1, 0, 0),
        "scan": (4, 0, 2),
        "flushdb": (1, 0, 1),
    }
    assert section(do, "errorstats")["errorstat_ERR"] == "count=3"


def test_streams(do: Transcript) -> None:
    """They are read in parts."""
    for key in "abc":
        do("XADD", key, "1-1", "f", "v")
        do("XGROUP", "CREATE", key, "g", "0")
    do("XREAD", "STREAMS", "a", "b", "c", 0, 0, 0)
    do("XREAD", "STREAMS", "a", "b", "c", "$", "$", "$")
    do.error("XREAD", "STREAMS", "a", "b", "c", 0, 0, "x")
    do("XREADGROUP", "GROUP", "g", "me", "STREAMS", "a", "b", "c", ">", ">", ">")
    do.error("XREADGROUP", "GROUP", "nosuch", "me", "STREAMS", "a", "b", "c", ">", ">", ">")
    assert counts(do) == {
        "xadd": (3, 0, 0),
        "xgroup|create": (3, 0, 0),
        "xread": (3, 0, 1),
        "xreadgroup": (2, 0, 1),
    }
    assert section(do, "errorstats") == {"errorstat_ERR": "count=1", "errorstat_NOGROUP": "count=1"}


def test_pipelines(do: Transcript, connect: type[Connection]) -> None:
    other = connect()
    other.pipeline(*[("SET", f"k{number}", number) for number in range(50)])
    other.pipeline(*[("GET", f"k{number % 5}") if number % 3 else ("INCR", f"k{number}") for number in range(30)])
    other.pipeline(*[("LPUSH", "k1", "x"), ("PING",), ("GET", "k1")] * 4)
    assert counts(do) == {
        "set": (50, 0, 0),
        "get": (24, 0, 0),
        "incr": (10, 0, 0),
        "lpush": (4, 0, 4),
        "ping": (4, 0, 0),
    }


def test_commands_of_main(do: Transcript) -> None:
    do("PING")
    do("ECHO", "x")
    do("SELECT", 1)
    do("SELECT", 0)
    do.error("SELECT", "x")
    do("PUBLISH", "c", "x")
    do("COMMAND", "COUNT")
    do("WATCH", "k")
    do("UNWATCH")
    do.error("EXEC")
    do("SCRIPT", "EXISTS", "x")
    assert counts(do) == {
        "ping": (1, 0, 0),
        "echo": (1, 0, 0),
        "select": (3, 0, 1),
        "publish": (1, 0, 0),
        "command|count": (1, 0, 0),
        "watch": (1, 0, 0),
        "unwatch": (1, 0, 0),
        "exec": (1, 0, 1),
        "script|exists": (1, 0, 0),
    }


def test_transactions(do: Transcript) -> None:
    do.transaction(("SET", "{t}a", 1), ("INCR", "{t}a"), ("LPUSH", "{t}a", 1))  # one shard
    do.transaction(("SET", "a", 1), ("SET", "b", 1), ("MSET", "a", 1, "b", 2, "c", 3), ("DBSIZE",), ("PING",))
    do.transaction(("SADD", "s1", 1), ("SADD", "s2", 1), ("SINTER", "s1", "s2"), ("SCAN", 0), ("LPUSH", "a", 1))
    do.transaction()
    assert counts(do) == {
        "multi": (4, 0, 0),
        "exec": (4, 0, 0),
        "set": (3, 0, 0),
        "incr": (1, 0, 0),
        "lpush": (2, 0, 2),
        "mset": (1, 0, 0),
        "dbsize": (1, 0, 0),
        "ping": (1, 0, 0),
        "sadd": (2, 0, 0),
        "sinter": (1, 0, 0),
        "scan": (1, 0, 0),
    }


def test_transactions_that_are_not_carried_out(do: Transcript, connect: type[Connection]) -> None:
    other = connect()
    do("WATCH", "k")
    other.call("SET", "k", "v")
    assert do.transaction(("SET", "k", "x")) is None
    do("WATCH", "a", "b", "c")
    other.call("SET", "b", "v")
    assert do.transaction(("SET", "k", "x"), ("SET", "m", "x")) is None
    do("MULTI")
    do("SET", "k", "v")
    do.error("GET")
    do.error("EXEC")
    do("MULTI")
    do.error("NOSUCH")
    do("DISCARD")
    assert counts(do) == {
        "watch": (2, 0, 0),
        "set": (2, 0, 0),
        "multi": (4, 0, 0),
        "get": (0, 1, 0),
        "exec": (3, 0, 1),
        "discard": (1, 0, 0),
    }


def test_refused_commands(do: Transcript) -> None:
    do.error("NOSUCH")
    do.error("CLIENT", "NOSUCH")
    do.error("GET")
    do.error("OBJECT", "ENCODING")
    do.error("SLOWLOG")
    assert counts(do) == {"get": (0, 1, 0), "object|encoding": (0, 1, 0), "slowlog": (0, 1, 0)}


SCRIPT = """
    redis.call('SET', KEYS[1], 'v')
    redis.pcall('INCR', KEYS[1])
    redis.pcall('GET')
    redis.pcall('SUBSCRIBE', 'c')
    redis.pcall('NOSUCH')
    redis.call('TIME')
    redis.call('PING')
    return 1
"""


def test_scripts(do: Transcript) -> None:
    do("EVAL", SCRIPT, 1, "k")
    do.error("EVAL", "return redis.call('INCR', KEYS[1])", 1, "k")
    do.error("EVAL", "return redis.pcall('INCR', KEYS[1])", 1, "k")
    do.error("EVALSHA", "0" * 40, 0)
    do.error("EVAL", "return 1", "x")
    do("EVAL_RO", "return redis.call('GET', KEYS[1])", 1, "k")
    do.error("EVAL_RO", "return redis.call('SET', KEYS[1], 'x')", 1, "k")
    assert counts(do) == {
        "eval": (4, 0, 3),
        "evalsha": (1, 0, 1),
        "eval_ro": (2, 0, 1),
        "set": (1, 1, 0),
        "incr": (3, 0, 3),
        "get": (1, 1, 0),
        "subscribe": (0, 1, 0),
        "time": (1, 0, 0),
        "ping": (1, 0, 0),
    }


def test_scripts_that_use_other_keys(do: Transcript) -> None:
    script = """
        for _, key in ipairs(redis.call('SMEMBERS', KEYS[1])) do
            redis.call('SET', key, 1)
            redis.pcall('LPUSH', key, 1)
            redis.call('SORT', KEYS[1], 'BY', 'nosort', 'ALPHA')
        end
        redis.call('MGET', 'a', 'b', 'c')
        redis.call('SUNIONSTORE', 'd', KEYS[1], 'none')
        redis.call('DBSIZE')
        return redis.call('SCAN', 0)[1]
    """
    do("SADD", "s", "a", "b", "c")
    do("EVAL", script, 1, "s")
    assert counts(do) == {
        "sadd": (1, 0, 0),
        "eval": (1, 0, 0),
        "smembers": (1, 0, 0),
        "set": (3, 0, 0),
        "lpush": (3, 0, 3),
        "sort": (3, 0, 0),
        "mget": (1, 0, 0),
        "sunionstore": (1, 0, 0),
        "dbsize": (1, 0, 0),
        "scan": (1, 0, 0),
    }


@pytest.mark.since("7.2")
def test_commands_that_wait(do: Transcript, connect: type[Connection]) -> None:
    other = connect()
    number = other.call("CLIENT", "ID")

    def waits(*words: Any) -> None:
        other.send(*words)
        assert eventually(lambda: section(do, "clients")["blocked_clients"] == "1")

    do("RPUSH", "l1", "x")
    assert other.call("BLPOP", "l1", "l2", 0) == [b"l1", b"x"]
    assert other.call("BLPOP", "l1", "0.001") is None
    assert other.call("BLPOP", "l1", "l2", "l3", "0.001") is None
    waits("BLPOP", "l1", 0)
    do("RPUSH", "l1", "x")
    other.read()
    waits("BLPOP", "l1", "l2", "l3", 0)
    do("RPUSH", "l2", "x")
    other.read()
    waits("BLMOVE", "l1", "l2", "LEFT", "LEFT", 0)
    do("RPUSH", "l1", "x")
    other.read()
    waits("XREAD", "BLOCK", 0, "STREAMS", "x1", "x2", "x3", "$", "$", "$")
    do("XADD", "x2", "1-1", "f", "v")
    other.read()
    waits("BLPOP", "l1", 0)
    do("CLIENT", "UNBLOCK", number, "ERROR")
    other.read()
    do("SET", "k", "v")
    other.send("BLPOP", "k", 0)
    other.read()
    assert counts(do) == {
        "rpush": (4, 0, 0),
        "blpop": (7, 0, 2),
        "blmove": (1, 0, 0),
        "xadd": (1, 0, 0),
        "xread": (1, 0, 0),
        "set": (1, 0, 0),
    }


def test_resetting(do: Transcript) -> None:
    do("SET", "k", "v")
    do("PING")
    do("CONFIG", "RESETSTAT")
    assert section(do, "commandstats").keys() == {"cmdstat_config|resetstat"}


def test_when_info_shows_it(do: Transcript) -> None:
    do("PING")
    assert "cmdstat_ping" not in section(do, "default")
    for title in ("all", "everything", "commandstats"):
        assert "cmdstat_ping" in section(do, title)
    for title in ("all", "everything", "latencystats"):
        assert "latency_percentiles_usec_ping" in section(do, title)


def test_percentiles(do: Transcript) -> None:
    do("SET", "k", "v")
    do("SET", "k", "v")
    value = section(do, "latencystats")["latency_percentiles_usec_set"]
    assert re.fullmatch(r"p50=\d+\.\d{3},p99=\d+\.\d{3},p99\.9=\d+\.\d{3}", value)
    do("CONFIG", "SET", "latency-tracking-info-percentiles", "0 12.5 100")
    try:
        value = section(do, "latencystats")["latency_percentiles_usec_set"]
        assert re.fullmatch(r"p0=\d+\.\d{3},p12\.5=\d+\.\d{3},p100=\d+\.\d{3}", value)
        do("CONFIG", "SET", "latency-tracking-info-percentiles", "")
        assert section(do, "latencystats")["latency_percentiles_usec_set"] == ""
    finally:
        do("CONFIG", "SET", "latency-tracking-info-percentiles", "50 99 99.9")


# Powers of two, by 1024 nanoseconds, as Redis' histograms round them.
LIMITS = (1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056, 2113, 4227, 8454, 16908, 33816, 67633, 135266, 270532, 541065)


def histograms(do: Transcript, *names: str) -> dict[bytes, tuple[int, dict[int, int]]]:
    found = {}
    for name, entry in do.as_map(do("LATENCY", "HISTOGRAM", *names)).items():
        fields = do.as_map(entry)
        assert list(fields) == [b"calls", b"histogram_usec"]
        found[name] = (fields[b"calls"], do.as_map(fields[b"histogram_usec"]))
    return found


def test_histograms(do: Transcript) -> None:
    for number in range(20):
        do("SET", "k", number)
    do("EVAL", "for i = 1, 1000000 do end", 0)
    do("CLIENT", "ID")
    found = histograms(do)
    assert {b"set", b"eval", b"client|id"} <= found.keys()
    calls, by_limit = found[b"set"]
    assert calls == 20
    assert max(by_limit.values()) == 20
    assert list(by_limit.values()) == sorted(set(by_limit.values()))
    assert set(by_limit) <= set(LIMITS)
    assert max(found[b"eval"][1]) > 1000


def test_histograms_of_some(do: Transcript) -> None:
    do("SET", "k", "v")
    do("CLIENT", "ID")
    do("CLIENT", "GETNAME")
    assert histograms(do, "SET", "get", "nosuch").keys() == {b"set"}
    assert histograms(do, "client").keys() >= {b"client|id", b"client|getname"}
    assert histograms(do, "client|id", "set").keys() == {b"client|id", b"set"}


def test_no_tracking(do: Transcript) -> None:
    do("CONFIG", "SET", "latency-tracking", "no")
    try:
        do("CONFIG", "RESETSTAT")
        do("SET", "k", "v")
        do("PING")
        assert histograms(do) == {}
        assert section(do, "latencystats") == {}
        assert counts(do) == {"set": (1, 0, 0), "ping": (1, 0, 0)}
    finally:
        do("CONFIG", "SET", "latency-tracking", "yes")


@pytest.mark.respcache_only(reason="namespaces, RESPCACHE RESET and shards that die")
class TestOfOurOwn:
    def test_resetting_the_server(self, do: Transcript) -> None:
        do("SET", "k", "v")
        do("PING")
        do("RESPCACHE", "RESET")
        assert section(do, "commandstats") == {}

    def test_they_are_of_the_whole_server(self, do: Transcript, connect: type[Connection]) -> None:
        other = connect()
        other.call("RESPCACHE", "NAMESPACE", "counted")
        other.call("SET", "k", "v")
        do("SET", "k", "v")
        assert counts(do) == {"set": (2, 0, 0)}

    def test_a_shard_that_dies(self, do: Transcript) -> None:
        """Its successor counts on from what was last seen."""
        do("SET", "k", "v")
        assert counts(do) == {"set": (1, 0, 0)}
        before = do("DEBUG", "SHARDS")
        for _, pid, _, _ in before:
            os.kill(pid, signal.SIGKILL)
        restarts = [link[2] + 1 for link in before]
        assert eventually(lambda: [link[2] for link in do("DEBUG", "SHARDS")] == restarts)
        do("SET", "k", "v")
        assert counts(do) == {"set": (2, 0, 0)}
