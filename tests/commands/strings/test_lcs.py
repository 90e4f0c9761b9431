"""LCS: the longest common subsequence of two strings."""

from __future__ import annotations

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
