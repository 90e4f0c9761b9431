"""OBJECT and MEMORY USAGE, as a redis-cli session shows them."""

from __future__ import annotations

import pytest

from tests.support.transcript import Transcript

SYNTAX = "ERR syntax error"


def test_encoding_of_strings(do: Transcript) -> None:
    def encoding(value: object) -> bytes:
        do("SET", "k", value)
        return bytes(do("OBJECT", "ENCODING", "k"))

    assert encoding(12) == b"int"
    assert encoding(-(1 << 63)) == b"int"
    assert encoding((1 << 63) - 1) == b"int"
    assert encoding(1 << 63) == b"embstr"
    assert encoding("012") == b"embstr"
    assert encoding("+1") == b"embstr"
    assert encoding("") == b"embstr"
    assert encoding("x" * 44) == b"embstr"
    assert encoding("x" * 45) == b"raw"
    encoding("x")
    do("APPEND", "k", "y")
    assert do("OBJECT", "ENCODING", "k") == b"raw"
    encoding(12)
    do("INCR", "k")
    assert do("OBJECT", "ENCODING", "k") == b"int"
    do("COPY", "k", "copied")
    do("RENAME", "copied", "k")
    assert do("OBJECT", "ENCODING", "k") == b"int"


def test_raw_stays_raw(do: Transcript) -> None:
    do("SET", "k", "x")
    do("APPEND", "k", "y")
    do("RENAME", "k", "renamed")
    do("COPY", "renamed", "copied")
    assert do("OBJECT", "ENCODING", "renamed") == b"raw"
    assert do("OBJECT", "ENCODING", "copied") == b"raw"


def test_refcount(do: Transcript) -> None:
    do("MSET", "small", 9999, "big", 10000, "text", "x")
    assert do("OBJECT", "REFCOUNT", "small") == 2147483647
    assert do("OBJECT", "REFCOUNT", "big") == 1
    assert do("object", "refcount", "text") == 1


def test_freq_needs_a_policy(do: Transcript) -> None:
    do("SET", "k", 1)
    assert do.error("OBJECT", "FREQ", "k").startswith("ERR An LFU maxmemory policy is not selected, access freq")


def test_object_of_no_key(do: Transcript) -> None:
    for subcommand in ("ENCODING", "REFCOUNT", "IDLETIME", "FREQ"):
        assert do("OBJECT", subcommand, "none") is None
        wrong = f"ERR wrong number of arguments for 'object|{subcommand.lower()}' command"
        assert do.error("OBJECT", subcommand) == wrong
    assert do.error("OBJECT") == "ERR wrong number of arguments for 'object' command"
    assert do.error("OBJECT", "NONSENSE") == "ERR unknown subcommand 'NONSENSE'. Try OBJECT HELP."


def test_object_help(do: Transcript) -> None:
    lines = do("OBJECT", "HELP")
    assert lines[0] == "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    assert lines[-2:] == ["HELP", "    Prints this help."]
    assert len(lines) == 15


@pytest.mark.respcache_only("shifts the server's clock")
def test_idletime(do: Transcript) -> None:
    def idle() -> int:
        return int(do("OBJECT", "IDLETIME", "k"))

    do("RPUSH", "k", "a")
    assert idle() <= 1
    do.advance(100_000)
    assert 100 <= idle() <= 101
    # Looking at a key from outside is no access ...
    for command in ("TYPE", "TTL", "EXISTS", "PTTL"):
        do(command, "k")
    assert idle() >= 100
    # ... but reading its value is, and TOUCH, and all that changes it.
    for access in (("LLEN", "k"), ("TOUCH", "k"), ("RPUSH", "k", "b"), ("EXPIRE", "k", 5000), ("RENAME", "k", "k")):
        do.advance(100_000)
        assert idle() >= 100
        do(*access)
        assert idle() <= 1


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
