"""MEMORY, as a redis-cli session shows it."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from tests.support.resp import VerbatimText
from tests.support.transcript import Transcript

SYNTAX = "ERR syntax error"


def test_memory_usage(do: Transcript) -> None:
    do("SET", "s", "x")
    small = do("MEMORY", "USAGE", "s")
    do("SET", "s", "x" * 10_000)
    assert do("MEMORY", "USAGE", "s") - small in range(9_900, 13_000)
    do("RPUSH", "l", *["x" * 1000] * 3, *["y" * 2000] * 100)
    assert do("MEMORY", "USAGE", "l", "SAMPLES", 0) > 200_000
    assert do("MEMORY", "USAGE", "l") < do("MEMORY", "USAGE", "l", "samples", 0) * 2
    assert do("MEMORY", "USAGE", "l", "SAMPLES", 1, "SAMPLES", 1000) > 200_000
    for words in (("SADD", "c"), ("HSET", "c"), ("ZADD", "c")):
        do("DEL", "c")
        # As members, as fields and values, and as scores and members.
        do(*words, *range(50))
        assert do("MEMORY", "USAGE", "c", "SAMPLES", 0) > small
    assert do("MEMORY", "USAGE", "none") is None


def test_memory_usage_errors(do: Transcript) -> None:
    assert do.error("MEMORY", "USAGE") == "ERR wrong number of arguments for 'memory|usage' command"
    assert do.error("MEMORY", "USAGE", "none", "SAMPLES") == SYNTAX
    assert do.error("MEMORY", "USAGE", "none", "NONSENSE") == SYNTAX
    assert do.error("MEMORY", "USAGE", "none", "SAMPLES", -1) == SYNTAX
    assert do.error("MEMORY", "USAGE", "none", "SAMPLES", "x") == "ERR value is not an integer or out of range"
    assert do.error("MEMORY") == "ERR wrong number of arguments for 'memory' command"


def databases(stats: Iterable[bytes]) -> list[bytes]:
    return [name for name in stats if re.fullmatch(rb"db\.\d+", name)]


def test_stats_of_an_empty_server(do: Transcript) -> None:
    stats = do.as_map(do("MEMORY", "STATS"))
    assert stats[b"keys.count"] == 0
    assert databases(stats) == []


def test_stats(do: Transcript) -> None:
    # Keys that end up on different shards, in two databases.
    for number in range(50):
        do("RPUSH", f"list:{number}", "x" * 1000)
    do("EXPIRE", "list:1", 1000)
    before = do.as_map(do("MEMORY", "STATS"))
    do("SELECT", 3)
    for number in range(50):
        do("RPUSH", f"list:{number}", "x" * 10_000)
    stats = do.as_map(do("MEMORY", "STATS"))

    assert (before[b"keys.count"], stats[b"keys.count"]) == (50, 100)
    assert before[b"dataset.bytes"] > 50_000
    assert stats[b"dataset.bytes"] - before[b"dataset.bytes"] in range(450_000, 900_000)
    assert stats[b"total.allocated"] == stats[b"dataset.bytes"] + stats[b"overhead.total"]
    assert stats[b"keys.bytes-per-key"] > 5000
    assert 0 < float(stats[b"dataset.percentage"]) < 100
    assert databases(stats) == [b"db.0", b"db.3"]
    first, second = do.as_map(stats[b"db.0"]), do.as_map(stats[b"db.3"])
    assert first[b"overhead.hashtable.main"] > 0
    assert first[b"overhead.hashtable.expires"] > 0
    assert second[b"overhead.hashtable.main"] > 0


_NAMES = """
    peak.allocated total.allocated startup.allocated replication.backlog clients.slaves clients.normal
    cluster.links aof.buffer lua.caches functions.caches db.0 overhead.total keys.count keys.bytes-per-key
    dataset.bytes dataset.percentage peak.percentage allocator.allocated allocator.active allocator.resident
    allocator-fragmentation.ratio allocator-fragmentation.bytes allocator-rss.ratio allocator-rss.bytes
    rss-overhead.ratio rss-overhead.bytes fragmentation fragmentation.bytes
"""
FIELDS = _NAMES.split()
OF_DATABASES = ["overhead.hashtable.main", "overhead.hashtable.expires", "overhead.hashtable.slot-to-keys"]
DOUBLES = {name for name in FIELDS if name.endswith(("percentage", "ratio")) or name == "fragmentation"}


def test_fields_of_stats(do: Transcript) -> None:
    do("SET", "k", "v")
    stats = {name.decode(): value for name, value in do.as_map(do("MEMORY", "STATS")).items()}
    newer = do.server.version[:2] > (7, 2)  # they have more fields, and no longer all of these
    assert [name for name in stats if name in FIELDS or not newer] == FIELDS
    database = [name.decode() for name in do.as_map(stats["db.0"])]
    assert newer or database == OF_DATABASES
    for name in FIELDS:
        kind = (float if do.protocol == 3 else bytes) if name in DOUBLES else type(stats["db.0"])
        assert type(stats[name]) is (kind if name in {*DOUBLES, "db.0"} else int), name
        assert name not in DOUBLES or float(stats[name]) >= 0
    assert stats["total.allocated"] <= stats["peak.allocated"]


def test_stats_in_a_transaction(do: Transcript) -> None:
    done = do.transaction(("SET", "k", "v"), ("MEMORY", "STATS"))
    assert done is not None
    assert do.as_map(done[1])[b"keys.count"] == 1


def test_purge(do: Transcript) -> None:
    do("RPUSH", "l", "x")
    assert do("MEMORY", "PURGE") == "OK"
    assert do("LLEN", "l") == 1


def test_doctor(do: Transcript) -> None:
    report = do("MEMORY", "DOCTOR")
    assert isinstance(report, VerbatimText if do.protocol == 3 else bytes)
    assert len(report) > 20


@pytest.mark.respcache_only("the reply depends on the allocator")
def test_malloc_stats(do: Transcript) -> None:
    assert do("MEMORY", "MALLOC-STATS") == b"Stats not supported for the current allocator"


def test_help(do: Transcript) -> None:
    lines = do("MEMORY", "HELP")
    assert lines[0] == "MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    usages = [line for line in lines[1:] if not line.startswith("    ")]
    assert usages == ["DOCTOR", "MALLOC-STATS", "PURGE", "STATS", "USAGE <key> [SAMPLES <count>]", "HELP"]


def test_errors(do: Transcript) -> None:
    for subcommand in ("DOCTOR", "HELP", "MALLOC-STATS", "PURGE", "STATS"):
        arity = f"ERR wrong number of arguments for 'memory|{subcommand.lower()}' command"
        assert do.error("MEMORY", subcommand, "x") == arity
    assert do.error("MEMORY", "NONSENSE") == "ERR unknown subcommand 'NONSENSE'. Try MEMORY HELP."
