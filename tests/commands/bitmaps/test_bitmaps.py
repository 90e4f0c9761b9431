"""Bitmaps and bit fields: strings, bit by bit."""

from __future__ import annotations

import functools
import operator
import random

import pytest

from tests.shard.conftest import Child
from tests.support.cost import calls_in
from tests.support.transcript import Transcript

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
SYNTAX = "ERR syntax error"
BAD_OFFSET = "ERR bit offset is not an integer or out of range"
BAD_BIT = "ERR bit is not an integer or out of range"
BAD_TYPE = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."


def test_setbit_and_getbit(do: Transcript) -> None:
    assert do("SETBIT", "k", 7, 1) == 0
    assert do("SETBIT", "k", 7, 1) == 1
    assert do("GET", "k") == b"\x01"
    assert do("SETBIT", "k", 17, 1) == 0
    assert do("GET", "k") == b"\x01\x00\x40"
    assert [do("GETBIT", "k", at) for at in (7, 17, 0, 100, 4294967295)] == [1, 1, 0, 0, 0]
    assert do("GETBIT", "none", 0) == 0
    assert do("SETBIT", "k", 7, 0) == 1
    assert do("STRLEN", "k") == 3


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("SETBIT", "k", "-1", "1"), BAD_OFFSET),
        (("SETBIT", "k", "4294967296", "1"), BAD_OFFSET),
        (("SETBIT", "k", "x", "1"), BAD_OFFSET),
        (("SETBIT", "k", "1", "2"), BAD_BIT),
        (("SETBIT", "k", "1", "x"), BAD_BIT),
        (("GETBIT", "k", "-1"), BAD_OFFSET),
        (("SETBIT", "l", "1", "1"), WRONG_TYPE),
        (("GETBIT", "l", "1"), WRONG_TYPE),
        (("BITCOUNT", "l"), WRONG_TYPE),
        (("BITPOS", "l", "1"), WRONG_TYPE),
        (("BITPOS", "k", "2"), "ERR The bit argument must be 1 or 0."),
        (("BITPOS", "k", "x"), NOT_AN_INTEGER),
        (("BITPOS", "k", "1", "x"), NOT_AN_INTEGER),
        (("BITPOS", "k", "1", "0", "1", "NIBBLE"), SYNTAX),
        (("BITCOUNT", "k", "0"), SYNTAX),
        (("BITCOUNT", "k", "0", "1", "NIBBLE"), SYNTAX),
        (("BITCOUNT", "k", "0", "x"), NOT_AN_INTEGER),
        (("BITOP", "NOR", "d", "k"), SYNTAX),
        (("BITOP", "NOT", "d", "k", "k"), "ERR BITOP NOT must be called with a single source key."),
        (("BITOP", "AND", "d", "k", "l"), WRONG_TYPE),
        (("BITFIELD", "k", "GET", "u64", "0"), BAD_TYPE),
        (("BITFIELD", "k", "GET", "i65", "0"), BAD_TYPE),
        (("BITFIELD", "k", "GET", "u0", "0"), BAD_TYPE),
        (("BITFIELD", "k", "GET", "u8", "-1"), BAD_OFFSET),
        (("BITFIELD", "k", "GET", "u8"), SYNTAX),
        (("BITFIELD", "k", "SET", "u8", "0", "x"), NOT_AN_INTEGER),
        (("BITFIELD", "k", "OVERFLOW", "NEVER"), "ERR Invalid OVERFLOW type specified"),
        (("BITFIELD", "l", "GET", "u8", "0"), WRONG_TYPE),
        (("BITFIELD_RO", "k", "SET", "u8", "0", "1"), "ERR BITFIELD_RO only supports the GET subcommand"),
    ],
)
def test_errors(do: Transcript, words: tuple[str, ...], error: str) -> None:
    do("SET", "k", "foobar")
    do("RPUSH", "l", "x")
    assert do.error(*words) == error
    assert do("GET", "k") == b"foobar"
    assert do("EXISTS", "d") == 0


@pytest.mark.parametrize(
    ("rest", "expected"),
    [((), 26), ((0, 0), 4), ((1, 1), 6), ((0, -1), 26), ((-2, -1), 7), ((5, 2), 0), ((-100, 100), 26),
     ((5, 30, "BIT"), 17), ((0, -1, "BYTE"), 26), ((-8, -1, "BIT"), 4), ((1, 1, "bit"), 1)],
)  # fmt: skip
def test_bitcount(do: Transcript, rest: tuple[object, ...], expected: int) -> None:
    do("SET", "k", "foobar")
    assert do("BITCOUNT", "k", *rest) == expected
    assert do("BITCOUNT", "none", *rest) == 0


@pytest.mark.parametrize(
    ("value", "rest", "expected"),
    [(b"\xff\xf0\x00", (0,), 12), (b"\x00\xff\xf0", (1, 0), 8), (b"\x00\xff\xf0", (1, 2), 16),
     (b"\x00\x00\x00", (1,), -1), (b"\xff\xff\xff", (0,), 24), (b"\xff\xff\xff", (0, 0, 2), -1),
     (b"\xff\xff\xff", (0, 3), -1), (b"\x00\xff\xf0", (1, 7, 15, "BIT"), 8), (b"\x00\xff\xf0", (0, -4, -1, "BIT"), 20),
     (b"\x00\xff", (1, -1), 8), (b"\x00\xff", (1, 2, 1), -1), (b"", (1,), -1)],
)  # fmt: skip
def test_bitpos(do: Transcript, value: bytes, rest: tuple[object, ...], expected: int) -> None:
    do("SET", "k", value)
    assert do("BITPOS", "k", *rest) == expected


def test_bitpos_of_a_missing_key(do: Transcript) -> None:
    assert do("BITPOS", "none", 0) == 0
    assert do("BITPOS", "none", 1) == -1


def test_bitpos_in_long_strings(do: Transcript) -> None:
    """Blocks that are compared at once, the bytes at their edges, and ranges that begin and end within a byte."""
    size = 3 * 4096 + 7
    for common, bit in ((0x00, 1), (0xFF, 0)):
        for place in (0, 1, 4095, 4096, 4097, 8192, size - 2, size - 1):
            value = bytearray([common]) * size
            value[place] ^= 0x24  # bits 2 and 5
            do("SET", "k", bytes(value))
            first = place * 8 + 2
            assert do("BITPOS", "k", bit) == first
            assert do("BITPOS", "k", bit, place) == first
            assert do("BITPOS", "k", bit, place + 1, -1) == -1
            assert do("BITPOS", "k", bit, 0, place) == first
            assert do("BITPOS", "k", bit, first, -1, "BIT") == first
            assert do("BITPOS", "k", bit, first + 1, -1, "BIT") == first + 3
            assert do("BITPOS", "k", bit, first + 1, first + 2, "BIT") == -1
            assert do("BITPOS", "k", bit, first + 4, -1, "BIT") == -1
            assert do("BITPOS", "k", bit, 0, first - 1, "BIT") == -1
            assert do("BITPOS", "k", 1 - bit, first, -1, "BIT") == first + 1


def test_finding_a_bit_takes_no_step_per_byte() -> None:
    child = Child()
    child.run(f"SETBIT k {8 * 4_000_000 - 1} 1")
    assert child.run("BITPOS k 1") == [b":31999999\r\n"]
    assert calls_in(lambda: child.run("BITPOS k 1")) < 4_000_000 // 1000


def test_setbit_makes_a_string_raw_even_if_it_changes_nothing(do: Transcript) -> None:
    do("SET", "k", "a")
    assert do("SETBIT", "k", 1, 1) == 1
    assert do("OBJECT", "ENCODING", "k") == b"raw"
    do("SET", "k", "a" * 45)
    assert do("SETBIT", "k", 1, 1) == 1
    assert do("OBJECT", "ENCODING", "k") == b"raw"


def test_bitop_over_shards(do: Transcript) -> None:
    values = {"a": b"abcdef", "b": b"xyz", "c": b"\xff\x00\x0f\xf0"}
    for key, value in values.items():
        do("SET", key, value)
    width = 6
    padded = [value.ljust(width, b"\0") for value in values.values()]
    for name, merge in (("AND", operator.and_), ("OR", operator.or_), ("XOR", operator.xor)):
        assert do("BITOP", name, "d", *values) == width
        assert do("GET", "d") == bytes(functools.reduce(merge, column) for column in zip(*padded, strict=True))
    assert do("BITOP", "NOT", "d", "a") == 6
    assert do("GET", "d") == bytes(255 - byte for byte in b"abcdef")
    assert do("BITOP", "AND", "d", "a", "none") == 6
    assert do("GET", "d") == bytes(6)
    assert do("BITOP", "OR", "d", "none", "other") == 0
    assert do("EXISTS", "d") == 0


def test_bitfield_reads_and_writes(do: Transcript) -> None:
    assert do("BITFIELD", "k", "INCRBY", "i5", 100, 1, "GET", "u4", 0) == [1, 0]
    do("DEL", "k")
    assert do("BITFIELD", "k", "SET", "u8", "#0", 255, "SET", "u8", "#1", 1, "GET", "u16", 0) == [0, 0, 0xFF01]
    assert do("GET", "k") == b"\xff\x01"
    assert do("BITFIELD", "k", "GET", "i8", 0, "GET", "u4", 4, "GET", "u1", 1000) == [-1, 15, 0]
    assert do("BITFIELD_RO", "k", "GET", "u16", 0) == [0xFF01]
    assert do("BITFIELD", "k") == []
    assert do("BITFIELD", "none", "GET", "u8", 0) == [0]
    assert do("EXISTS", "none") == 0


@pytest.mark.parametrize(
    ("overflow", "start", "step", "expected", "left"),
    [("WRAP", 250, 10, 4, 4), ("SAT", 250, 10, 255, 255), ("FAIL", 250, 10, None, 250), ("SAT", 5, -10, 0, 0),
     ("WRAP", 5, -10, 251, 251), ("FAIL", 5, -5, 0, 0)],
)  # fmt: skip
def test_bitfield_overflow_unsigned(
    do: Transcript, overflow: str, start: int, step: int, expected: int | None, left: int
) -> None:
    do("BITFIELD", "k", "SET", "u8", 0, start)
    assert do("BITFIELD", "k", "OVERFLOW", overflow, "INCRBY", "u8", 0, step) == [expected]
    assert do("BITFIELD", "k", "GET", "u8", 0) == [left]


@pytest.mark.parametrize(
    ("overflow", "start", "step", "expected"),
    [("WRAP", 120, 10, -126), ("SAT", 120, 10, 127), ("FAIL", 120, 10, None), ("SAT", -120, -10, -128),
     ("WRAP", -120, -10, 126)],
)  # fmt: skip
def test_bitfield_overflow_signed(do: Transcript, overflow: str, start: int, step: int, expected: int | None) -> None:
    do("BITFIELD", "k", "SET", "i8", 0, start)
    assert do("BITFIELD", "k", "OVERFLOW", overflow, "INCRBY", "i8", 0, step) == [expected]


def test_bitfield_at_any_place_and_width(do: Transcript) -> None:
    """A written field is read back, and no other bit has changed."""
    chance = random.Random(7)
    model = 0  # the first 256 bits as one number
    size = 256
    for _ in range(60):
        width, signed = chance.randrange(1, 64), chance.random() < 0.5
        offset, raw = chance.randrange(size - width), chance.getrandbits(width)
        value = raw - (1 << width) if signed and raw >> (width - 1) else raw
        do("BITFIELD", "k", "SET", f"{'i' if signed else 'u'}{width}", offset, value)
        shift = size - width - offset
        model = model & ~(((1 << width) - 1) << shift) | raw << shift
        assert do("BITFIELD", "k", "GET", f"{'i' if signed else 'u'}{width}", offset) == [value]
    stored = do("GET", "k")
    assert stored == model.to_bytes(size // 8, "big")[: len(stored)]
    assert do("BITCOUNT", "k") == model.bit_count()
