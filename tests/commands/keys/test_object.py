"""OBJECT, as a redis-cli session shows it."""

from __future__ import annotations

import pytest

from tests.support.transcript import Transcript


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


def test_object_of_a_missing_key(do: Transcript) -> None:
    for subcommand in ("ENCODING", "REFCOUNT", "IDLETIME", "FREQ"):
        assert do("OBJECT", subcommand, "none") is None
        wrong = f"ERR wrong number of arguments for 'object|{subcommand.lower()}' command"
        assert do.error("OBJECT", subcommand) == wrong
    assert do.error("OBJECT") == "ERR wrong number of arguments for 'object' command"
    assert do.error("OBJECT", "NONSENSE") == "ERR unknown subcommand 'NONSENSE'. Try OBJECT HELP."


def test_object_help(do: Transcript) -> None:
    lines = do("OBJECT", "HELP")
    assert all(isinstance(line, str) for line in lines)
    assert lines[0] == "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    usages = [line for line in lines[1:] if not line.startswith("    ")]
    assert usages == ["ENCODING <key>", "FREQ <key>", "IDLETIME <key>", "REFCOUNT <key>", "HELP"]
    assert lines[-2] == "HELP"
    assert do.error("OBJECT", "HELP", "x") == "ERR wrong number of arguments for 'object|help' command"


@pytest.mark.respcache_only("shifts the server's clock")
def test_idletime(do: Transcript) -> None:
    def idle() -> int:
        return int(do("OBJECT", "IDLETIME", "k"))

    do("RPUSH", "k", "a")
    assert idle() <= 1
    do.advance(100_000)
    assert 100 <= idle() <= 101
    # Commands about the key itself do not count as access ...
    for command in ("TYPE", "TTL", "EXISTS", "PTTL"):
        do(command, "k")
    assert idle() >= 100
    # ... but reading or changing the value does, and TOUCH.
    for access in (("LLEN", "k"), ("TOUCH", "k"), ("RPUSH", "k", "b"), ("EXPIRE", "k", 5000), ("RENAME", "k", "k")):
        do.advance(100_000)
        assert idle() >= 100
        do(*access)
        assert idle() <= 1
