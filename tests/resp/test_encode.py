"""Replies to bytes: every kind of reply in both protocols, and how they nest."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable
from math import inf, isnan, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from respcache.errors import CommandError, ProtocolError, printable
from respcache.resp.encode import MAX_REPLY, encode, format_double
from respcache.resp.types import (
    NULL_ARRAY,
    OK,
    Digits,
    Encoded,
    Entries,
    PairedMap,
    Pairs,
    Push,
    Reply,
    SetReply,
    Status,
    Verbatim,
)

# Reply -> its bytes in RESP2 and in RESP3.
REPLIES: dict[str, tuple[Reply, bytes, bytes]] = {
    "null": (None, b"$-1\r\n", b"_\r\n"),
    "null array": (NULL_ARRAY, b"*-1\r\n", b"_\r\n"),
    "integer": (42, b":42\r\n", b":42\r\n"),
    "negative integer": (-1, b":-1\r\n", b":-1\r\n"),
    "largest integer": ((1 << 63) - 1, b":9223372036854775807\r\n", b":9223372036854775807\r\n"),
    "true": (True, b":1\r\n", b"#t\r\n"),
    "false": (False, b":0\r\n", b"#f\r\n"),
    "double": (1.5, b"$3\r\n1.5\r\n", b",1.5\r\n"),
    "whole double": (3.0, b"$1\r\n3\r\n", b",3\r\n"),
    "infinity": (inf, b"$3\r\ninf\r\n", b",inf\r\n"),
    "negative infinity": (-inf, b"$4\r\n-inf\r\n", b",-inf\r\n"),
    "no number": (nan, b"$3\r\nnan\r\n", b",nan\r\n"),
    "bytes": (b"\r\n\0", b"$3\r\n\r\n\0\r\n", b"$3\r\n\r\n\0\r\n"),
    "no bytes": (b"", b"$0\r\n\r\n", b"$0\r\n\r\n"),
    "bytearray": (bytearray(b"ab"), b"$2\r\nab\r\n", b"$2\r\nab\r\n"),
    "status": (OK, b"+OK\r\n", b"+OK\r\n"),
    "another status": (Status(b"QUEUED"), b"+QUEUED\r\n", b"+QUEUED\r\n"),
    "verbatim": (Verbatim(b"hello"), b"$5\r\nhello\r\n", b"=9\r\ntxt:hello\r\n"),
    "markdown": (Verbatim(b"# a", b"mkd"), b"$3\r\n# a\r\n", b"=7\r\nmkd:# a\r\n"),
    "digits": (Digits(b"1.50"), b"$4\r\n1.50\r\n", b",1.50\r\n"),
    "empty list": ([], b"*0\r\n", b"*0\r\n"),
    "list": ([b"a", 1, None], b"*3\r\n$1\r\na\r\n:1\r\n$-1\r\n", b"*3\r\n$1\r\na\r\n:1\r\n_\r\n"),
    "tuple": ((b"a",), b"*1\r\n$1\r\na\r\n", b"*1\r\n$1\r\na\r\n"),
    "nested": ([[b"a"], [[]]], b"*2\r\n*1\r\n$1\r\na\r\n*1\r\n*0\r\n", b"*2\r\n*1\r\n$1\r\na\r\n*1\r\n*0\r\n"),
    "map": ({b"k": 1}, b"*2\r\n$1\r\nk\r\n:1\r\n", b"%1\r\n$1\r\nk\r\n:1\r\n"),
    "empty map": ({}, b"*0\r\n", b"%0\r\n"),
    "set": (SetReply([b"a", b"b"]), b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", b"~2\r\n$1\r\na\r\n$1\r\nb\r\n"),
    "pairs": (Pairs([(b"a", 1.5)]), b"*2\r\n$1\r\na\r\n$3\r\n1.5\r\n", b"*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n"),
    "no pairs": (Pairs(), b"*0\r\n", b"*0\r\n"),
    "paired map": (
        PairedMap([(b"k", [1]), (b"k", [])]),
        b"*2\r\n*2\r\n$1\r\nk\r\n*1\r\n:1\r\n*2\r\n$1\r\nk\r\n*0\r\n",
        b"%2\r\n$1\r\nk\r\n*1\r\n:1\r\n$1\r\nk\r\n*0\r\n",
    ),
    "entries": (
        Entries([(b"1-0", (b"f", b"v")), (b"2-10", ()), (b"3-0", NULL_ARRAY)]),
        b"*3\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n*2\r\n$4\r\n2-10\r\n*0\r\n*2\r\n$3\r\n3-0\r\n*-1\r\n",
        b"*3\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n*2\r\n$4\r\n2-10\r\n*0\r\n*2\r\n$3\r\n3-0\r\n_\r\n",
    ),
    "an entry with a long value": (
        Entries([(b"1-0", (b"f", b"v" * 2000))]),
        *[b"*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$2000\r\n" + b"v" * 2000 + b"\r\n"] * 2,
    ),
    "push": (Push([b"message", 1]), b"*2\r\n$7\r\nmessage\r\n:1\r\n", b">2\r\n$7\r\nmessage\r\n:1\r\n"),
    "error": (CommandError("ERR no"), b"-ERR no\r\n", b"-ERR no\r\n"),
    "error in a list": ([1, CommandError("ERR no")], b"*2\r\n:1\r\n-ERR no\r\n", b"*2\r\n:1\r\n-ERR no\r\n"),
    "encoded": (Encoded(b"*1\r\n:1\r\n"), b"*1\r\n:1\r\n", b"*1\r\n:1\r\n"),
    "encoded in a list": ([Encoded(b":1\r\n"), 2], b"*2\r\n:1\r\n:2\r\n", b"*2\r\n:1\r\n:2\r\n"),
    "map in a map": (
        {b"k": {b"l": SetReply([True])}},
        b"*2\r\n$1\r\nk\r\n*2\r\n$1\r\nl\r\n*1\r\n:1\r\n",
        b"%1\r\n$1\r\nk\r\n%1\r\n$1\r\nl\r\n~1\r\n#t\r\n",
    ),
}


@pytest.mark.parametrize(("reply", "resp2", "resp3"), REPLIES.values(), ids=REPLIES)
def test_every_reply(reply: Reply, resp2: bytes, resp3: bytes) -> None:
    assert encode(reply, 2) == resp2
    assert encode(reply, 3) == resp3


@pytest.mark.parametrize(("reply", "resp2", "resp3"), REPLIES.values(), ids=REPLIES)
def test_a_reply_is_the_same_inside_a_list(reply: Reply, resp2: bytes, resp3: bytes) -> None:
    """Elements take another path than whole replies do."""
    assert encode([reply, b"end"], 2) == b"*2\r\n" + resp2 + b"$3\r\nend\r\n"
    assert encode([reply, b"end"], 3) == b"*2\r\n" + resp3 + b"$3\r\nend\r\n"


@pytest.mark.parametrize("value", ["text", object(), {1, 2}, [b"a", "text"]], ids=["str", "object", "set", "in a list"])
def test_what_is_no_reply(value: object) -> None:
    with pytest.raises(TypeError, match="not a reply"):
        encode(value, 2)  # type: ignore[arg-type]  # that is the point


LIMIT = 5000


class TestLimit:
    """A reply that would be too large is an error, and is not made first."""

    @pytest.fixture(autouse=True)
    def limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("respcache.resp.encode.MAX_REPLY", LIMIT)

    @pytest.mark.parametrize("protocol", [2, 3])
    @pytest.mark.parametrize(
        "kind",
        [
            lambda size: b"x" * size,
            lambda size: bytearray(size),
            lambda size: Verbatim(b"x" * size),
            lambda size: Encoded(b"x" * size),
            lambda size: [b"x" * size],
            lambda size: [1, b"x" * size],
            lambda size: [[b"x" * size], None],
            lambda size: SetReply([b"x"] * (size // 7)),
            lambda size: Push([1] * (size // 4)),
            lambda size: {b"k": [b"x" * size]},
            lambda size: Pairs([(b"x", 1)] * (size // 15)),
            lambda size: PairedMap([(b"x", 1)] * (size // 15)),
            lambda size: Entries([(b"1-0", (b"x", b"y"))] * (size // 31)),
            lambda size: Entries([(b"1-0", (b"x" * size, b"y"))]),
            lambda size: [CommandError("x")] * (size // 4),
        ],
    )
    def test_no_reply_is_larger(self, kind: Callable[[int], Reply], protocol: int) -> None:
        sizes = range(LIMIT // 2, LIMIT * 2, 11)
        refused = [size for size in sizes if self.is_refused(kind(size), protocol)]
        assert 0 < len(refused) < len(sizes)
        assert refused == list(sizes[-len(refused) :])

    def is_refused(self, reply: Reply, protocol: int) -> bool:
        try:
            data = encode(reply, protocol)
        except CommandError as error:
            return error.text == "ERR reply exceeds the maximum allowed size (512 MB)"
        assert len(data) <= LIMIT
        return False

    @pytest.mark.parametrize(
        "reply",
        [
            [b"x" * 140] * 500_000,
            SetReply([b"x" * 140] * 500_000),
            [[b"x" * 140] * 10] * 50_000,
            [b"x" * 1_000_000] * 50,
        ],
        ids=["list", "set", "nested", "long strings"],
    )
    def test_it_costs_no_memory_to_find_out(self, monkeypatch: pytest.MonkeyPatch, reply: Reply) -> None:
        """These are references to one string: it is the reply that would be large."""
        monkeypatch.setattr("respcache.resp.encode.MAX_REPLY", 1_500_000)
        tracemalloc.start()
        try:
            with pytest.raises(CommandError, match="reply exceeds"):
                encode(reply, 3)
            assert tracemalloc.get_traced_memory()[1] < 4_000_000
        finally:
            tracemalloc.stop()


def test_the_longest_string_fits() -> None:
    assert 512 * 1024 * 1024 + len(b"$536870912\r\n\r\n") <= MAX_REPLY


def test_long_sequences_are_the_same_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    replies: list[Reply] = [
        [b"a", b"bc"] * 50,
        [b"a", 1, None] * 40,
        SetReply([b"a"] * 99),
        dict.fromkeys(map(bytes, range(99))),
    ]
    whole = [encode(reply, 3) for reply in replies]
    monkeypatch.setattr("respcache.resp.encode._SLICE", 7)
    assert [encode(reply, 3) for reply in replies] == whole


# Each as Redis 7.2 prints it for ZSCORE.
DOUBLES = {
    0.0: b"0",
    0.1: b"0.1",
    -2.5: b"-2.5",
    100.0: b"100",
    3.14159: b"3.14159",
    1e15: b"1000000000000000",
    1e18: b"1000000000000000000",
    1e19: b"1e+19",
    1e20: b"1e+20",
    1.5e300: b"1.5e+300",
    -1e-7: b"-1e-7",
    0.0001: b"0.0001",
    0.00001: b"0.00001",
    1.7976931348623157e308: b"1.7976931348623157e+308",
    5e-324: b"5e-324",
}


@pytest.mark.parametrize(("value", "text"), DOUBLES.items(), ids=map(str, DOUBLES))
def test_doubles(value: float, text: bytes) -> None:
    assert format_double(value) == text


@settings(deadline=None)
@given(st.integers(0, (1 << 64) - 1))
def test_any_double_reads_back_the_same(bits: int) -> None:
    value: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
    text = format_double(value)
    assert isnan(float(text)) if isnan(value) else float(text) == value
    assert len(text) <= 25


class TestErrors:
    def test_line_breaks_do_not_end_the_line(self) -> None:
        assert CommandError("ERR a\r\nb\nc").line() == b"-ERR a  b c\r\n"
        assert ProtocolError("got '\r'").line() == b"-ERR Protocol error: got ' '\r\n"

    def test_bytes_of_clients_come_back_unchanged(self) -> None:
        assert CommandError(f"ERR '{printable(bytes([0xFF, 0xC3, 0xA9]))}'").line() == b"-ERR '\xff\xc3\xa9'\r\n"
