"""XINFO STREAM and HELP, as a redis-cli session shows them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.transcript import Transcript

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
UNKNOWN = "ERR unknown subcommand or wrong number of arguments for '{}'. Try XINFO HELP."


def about(do: Transcript, *words: Any) -> dict[str, Any]:
    return {field.decode(): value for field, value in do.as_map(do("XINFO", "STREAM", "s", *words)).items()}


@pytest.fixture
def limit(do: Transcript) -> Iterator[Callable[[int, int], None]]:
    """Set how many entries and how many bytes a node may have. The defaults are restored after the test."""

    def set_limits(entries: int, size: int) -> None:
        do("CONFIG", "SET", "stream-node-max-entries", entries)
        do("CONFIG", "SET", "stream-node-max-bytes", size)

    yield set_limits
    set_limits(100, 4096)


def test_stream(do: Transcript) -> None:
    do("XADD", "s", "1-1", "a", "b")
    do("XADD", "s", "2-1", "c", "d", "e", "f")
    do("XADD", "s", "3-1", "a", "b")
    do("XDEL", "s", "1-1")
    assert about(do) == {
        "length": 2,
        "radix-tree-keys": 1,
        "radix-tree-nodes": 2,
        "last-generated-id": b"3-1",
        "max-deleted-entry-id": b"1-1",
        "entries-added": 3,
        "recorded-first-entry-id": b"2-1",
        "groups": 0,
        "first-entry": [b"2-1", [b"c", b"d", b"e", b"f"]],
        "last-entry": [b"3-1", [b"a", b"b"]],
    }
    do("XTRIM", "s", "MAXLEN", 0)
    assert about(do) == {
        "length": 0,
        "radix-tree-keys": 0,
        "radix-tree-nodes": 1,
        "last-generated-id": b"3-1",
        "max-deleted-entry-id": b"1-1",
        "entries-added": 3,
        "recorded-first-entry-id": b"0-0",
        "groups": 0,
        "first-entry": None,
        "last-entry": None,
    }


def test_order_of_fields(do: Transcript) -> None:
    do("XADD", "s", "1-1", "a", "b")
    common = ["length", "radix-tree-keys", "radix-tree-nodes", "last-generated-id", "max-deleted-entry-id"]
    common += ["entries-added", "recorded-first-entry-id"]
    assert list(about(do)) == [*common, "groups", "first-entry", "last-entry"]
    assert list(about(do, "FULL")) == [*common, "entries", "groups"]


def test_full(do: Transcript) -> None:
    for number in range(1, 16):
        do("XADD", "s", f"{number}-0", "a", number)
    full = about(do, "full")
    assert len(full["entries"]) == 10
    assert full["entries"][0] == [b"1-0", [b"a", b"1"]]
    assert full["groups"] == []
    assert len(about(do, "FULL", "COUNT", 12)["entries"]) == 12
    assert len(about(do, "FULL", "count", 0)["entries"]) == 15
    assert len(about(do, "FULL", "COUNT", -1)["entries"]) == 10


def tree(do: Transcript) -> tuple[int, int]:
    """Keys and nodes of the radix tree."""
    found = about(do)
    return found["radix-tree-keys"], found["radix-tree-nodes"]


def test_counts_beyond_the_highest_integer(do: Transcript) -> None:
    """They go on with the lowest one, as in C: RESP has no higher integers, so clients would hang up."""
    highest, lowest = 2**63 - 1, -(2**63)
    do("XADD", "s", "1-0", "a", "b")
    do("XGROUP", "CREATE", "s", "g", 0)
    do("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    do("XCLAIM", "s", "g", "c", 0, "1-0", "RETRYCOUNT", highest)
    do("XCLAIM", "s", "g", "c", 0, "1-0")
    assert do("XPENDING", "s", "g", "-", "+", 1)[0][3] == lowest
    do("XSETID", "s", "1-0", "ENTRIESADDED", highest)
    do("XGROUP", "SETID", "s", "g", "1-0", "ENTRIESREAD", highest)
    do("XADD", "s", "2-0", "a", "b")
    do("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    assert about(do)["entries-added"] == lowest
    group = do.as_map(do("XINFO", "GROUPS", "s")[0])
    assert (group[b"entries-read"], group[b"lag"]) == (lowest, 0)
    full = do.as_map(about(do, "FULL")["groups"][0])
    assert (full[b"entries-read"], full[b"pending"][0][3]) == (lowest, lowest)


def test_nodes(do: Transcript, limit: Callable[[int, int], None]) -> None:
    limit(3, 4096)
    for number in range(1, 11):
        do("XADD", "s", f"{number * 300}-{number}", "a", "b")
    assert tree(do) == (4, 10)
    # Only when all of its entries are deleted is a node removed.
    do("XDEL", "s", "1200-4", "1500-5")
    assert tree(do) == (4, 10)
    do("XDEL", "s", "1800-6")
    assert tree(do) == (3, 8)
    do("XTRIM", "s", "MAXLEN", 1)
    assert tree(do) == (1, 2)


@pytest.mark.parametrize(
    ("entries", "size", "kind", "expected"),
    [
        (0, 700, "text", (47, 98)),
        (0, 4096, "numbers", (2, 6)),
        (0, 4096, "mixed", (8, 19)),
        (0, 4096, "other names", (5, 12)),
        (100, 4096, "ids", (8, 18)),
    ],
)
def test_bytes_of_nodes(
    do: Transcript,
    limit: Callable[[int, int], None],
    entries: int,
    size: int,
    kind: str,
    expected: tuple[int, int],
) -> None:
    """The expected numbers are those of the genuine server, against which this runs too."""
    limit(entries, size)
    generator = random.Random(5)
    milliseconds = 0
    for number in range(1, 301):
        fields: tuple[object, ...] = ("name", "x" * generator.randrange(80), "other", "y" * generator.randrange(80))
        milliseconds += 1
        if kind == "numbers":
            fields = ("n", generator.randrange(-5000, 5000), "m", generator.getrandbits(generator.randrange(1, 64)))
        elif kind == "mixed":
            fields = ("text", "x" * generator.choice((1, 63, 64, 70, 127, 128)), "number", number)
        elif kind == "other names":
            fields = (f"name:{number % 3}", "x" * 40, *(("more", -number) if number % 5 == 0 else ()))
        elif kind == "ids":
            fields = ("a", "b" * 70)
            milliseconds += generator.choice((0, 1, 5000, 1 << 20, 1 << 40))
        do("XADD", "s", f"{milliseconds}-{generator.getrandbits(generator.randrange(1, 64))}", *fields)
    assert tree(do) == expected


def serialized(do: Transcript) -> int:
    """The length in an RDB file."""
    return int(str(do("DEBUG", "OBJECT", "s")).split("serializedlength:")[1].split()[0])


def test_length_in_a_file(do: Transcript) -> None:
    do("CONFIG", "SET", "rdbcompression", "no")
    do("XADD", "s", "1-1", "a", "b")
    assert serialized(do) == 57
    do("XADD", "s", "1526919030474-0", "a", 12345)
    assert serialized(do) == 86
    do("XGROUP", "CREATE", "s", "group", 0)
    assert serialized(do) == 105
    do("CONFIG", "SET", "rdbcompression", "yes")


@pytest.mark.since("7.2")  # consumers have one more time since then
def test_length_of_what_is_pending_in_a_file(do: Transcript) -> None:
    do("CONFIG", "SET", "rdbcompression", "no")
    do("XADD", "s", "1-1", "a", "b")
    do("XGROUP", "CREATE", "s", "group", 0)
    do("XREADGROUP", "GROUP", "group", "consumer", "STREAMS", "s", ">")
    assert serialized(do) == 135
    do("CONFIG", "SET", "rdbcompression", "yes")


def test_help(do: Transcript) -> None:
    lines = do("XINFO", "HELP")
    assert lines[0] == "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    assert "STREAM <key> [FULL [COUNT <count>]" in "\n".join(lines)


def test_errors(do: Transcript) -> None:
    do("SET", "str", "x")
    do("XADD", "s", "1-1", "a", "b")
    assert do.error("XINFO", "STREAM", "none", "x") == "ERR no such key"
    assert do.error("XINFO", "STREAM", "str", "x") == WRONG_TYPE
    for words in (("x",), ("FULL", "COUNT"), ("FULL", "x", 1), ("COUNT", 1), ("x", "COUNT", 1)):
        assert do.error("XINFO", "StReam", "s", *words) == UNKNOWN.format("StReam")
    assert do.error("XINFO", "STREAM", "s", "FULL", "COUNT", "x") == "ERR value is not an integer or out of range"
    assert do.error("XINFO", "STREAM") == "ERR wrong number of arguments for 'xinfo|stream' command"
    assert do.error("XINFO", "x", "s") == "ERR unknown subcommand 'x'. Try XINFO HELP."
