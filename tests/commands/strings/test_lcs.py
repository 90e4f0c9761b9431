"""LCS: the longest common subsequence of two strings."""

from __future__ import annotations

import random

import pytest

from tests.support.transcript import Transcript

WRONG_TYPE = "ERR The specified keys must contain string values"


@pytest.fixture(autouse=True)
def _two_strings(do: Transcript) -> None:
    do("MSET", "a", "ohmytext", "b", "mynewtext")


def test_the_subsequence_and_its_length(do: Transcript) -> None:
    assert do("LCS", "a", "b") == b"mytext"
    assert do("LCS", "a", "b", "LEN") == 6
    assert do("LCS", "a", "none") == b""
    assert do("LCS", "none", "other", "LEN") == 0
    assert do("LCS", "a", "a") == b"ohmytext"


def test_positions(do: Transcript) -> None:
    reply = do.as_map(do("LCS", "a", "b", "IDX"))
    assert reply == {b"matches": [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], b"len": 6}
    reply = do.as_map(do("LCS", "a", "b", "IDX", "MINMATCHLEN", 4, "WITHMATCHLEN"))
    assert reply == {b"matches": [[[4, 7], [5, 8], 4]], b"len": 6}
    assert do.as_map(do("LCS", "a", "b", "IDX", "MINMATCHLEN", -1))[b"len"] == 6
    assert do.as_map(do("LCS", "a", "none", "IDX")) == {b"matches": [], b"len": 0}


def _walk(first: bytes, second: bytes) -> bytes:
    """The subsequence that Redis picks, by the textbook algorithm: the full table, walked from its end."""
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, byte in enumerate(first):
        for j, other in enumerate(second):
            table[i + 1][j + 1] = table[i][j] + 1 if byte == other else max(table[i][j + 1], table[i + 1][j])
    i, j = len(first), len(second)
    found = bytearray()
    while i and j:
        if first[i - 1] == second[j - 1]:
            i, j = i - 1, j - 1
            found.append(first[i])
        elif table[i - 1][j] > table[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return bytes(found[::-1])


def test_the_same_subsequence_as_redis(do: Transcript) -> None:
    chance = random.Random(13)
    for size, other_size in [(0, 3), (1, 9), (9, 1), (12, 12), (5, 30), (30, 5)] * 15:
        alphabet = chance.choice([b"ab", b"abc", b"abcdefgh"])
        first, second = bytes(chance.choices(alphabet, k=size)), bytes(chance.choices(alphabet, k=other_size))
        do("MSET", "a", first, "b", second)
        expected = _walk(first, second)
        assert do("LCS", "a", "b") == expected
        assert do("LCS", "a", "b", "LEN") == len(expected)
        ranges = do.as_map(do("LCS", "a", "b", "IDX"))[b"matches"]
        parts = [(first[i : ends + 1], second[j : ends_too + 1]) for (i, ends), (j, ends_too) in reversed(ranges)]
        assert b"".join(part for part, _ in parts) == b"".join(part for _, part in parts) == expected


def test_a_table_beyond_the_limit(do: Transcript) -> None:
    do("MSET", "a", b"x" * 12_000, "b", b"x" * 12_000)
    assert do.error("LCS", "a", "b").startswith("ERR Insufficient memory, transient memory for LCS exceeds")


def test_errors(do: Transcript) -> None:
    do("RPUSH", "l", "x")
    assert do.error("LCS", "a", "l") == WRONG_TYPE
    assert do.error("LCS", "a", "b", "LEN", "IDX") == (
        "ERR If you want both the length and indexes, please just use IDX."
    )
    assert do.error("LCS", "a", "b", "MINMATCHLEN") == "ERR syntax error"
    assert do.error("LCS", "a", "b", "IDX", "MINMATCHLEN", "x") == "ERR value is not an integer or out of range"
    assert do.error("LCS", "a", "b", "nonsense") == "ERR syntax error"
    assert do.error("LCS", "a") == "ERR wrong number of arguments for 'lcs' command"
