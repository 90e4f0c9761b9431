"""How the timeouts of blocking commands are read."""

from __future__ import annotations

import pytest

from respcache.commands.args import INT64_MAX, Args
from respcache.errors import CommandError

NOW = 1_700_000_000_000
NOT_A_FLOAT = "ERR timeout is not a float or out of range"
NOT_AN_INTEGER = "ERR timeout is not an integer or out of range"
NEGATIVE = "ERR timeout is negative"
OUT_OF_RANGE = "ERR timeout is out of range"


@pytest.mark.parametrize(
    ("word", "milliseconds"),
    [
        ("0", 0),
        ("1", 1000),
        ("+1", 1000),
        ("0.001", 1),
        ("0.0001", 1),
        ("1.5", 1500),
        ("1.0001", 1001),
        (".25", 250),
        ("1e1", 10_000),
        ("0x1p2", 4000),
        ("-0", 0),
        ("-0.0009", 0),  # rounded up
        ("000000000000000000001", 1000),
        ("9000000000000000", 9_000_000_000_000_000_000),
    ],
)
def test_seconds(word: str, milliseconds: int) -> None:
    assert Args([word.encode()], 0).timeout(NOW) == milliseconds


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("", NOT_A_FLOAT),
        ("a", NOT_A_FLOAT),
        (" 1", NOT_A_FLOAT),
        ("1 ", NOT_A_FLOAT),
        ("nan", NOT_A_FLOAT),
        ("1_0", NOT_A_FLOAT),
        ("1e5000", NOT_A_FLOAT),
        ("-1", NEGATIVE),
        ("-inf", NEGATIVE),
        ("-1e4931", NEGATIVE),
        ("inf", OUT_OF_RANGE),
        ("1e30", OUT_OF_RANGE),
        ("1e4931", OUT_OF_RANGE),
        ("9223372036854775", OUT_OF_RANGE),
        ("9223372036854775.5", OUT_OF_RANGE),
    ],
)
def test_bad_seconds(word: str, error: str) -> None:
    with pytest.raises(CommandError) as caught:
        Args([word.encode()], 0).timeout(NOW)
    assert caught.value.text == error


def test_milliseconds() -> None:
    assert Args([b"0"], 0).timeout_ms(NOW) == 0
    assert Args([b"1500"], 0).timeout_ms(NOW) == 1500
    assert Args([b"%d" % (INT64_MAX - NOW)], 0).timeout_ms(NOW) == INT64_MAX - NOW


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("1.5", NOT_AN_INTEGER),
        ("+1", NOT_AN_INTEGER),
        ("92233720368547758071", NOT_AN_INTEGER),
        ("-1", NEGATIVE),
        (str(INT64_MAX), OUT_OF_RANGE),
    ],
)
def test_bad_milliseconds(word: str, error: str) -> None:
    with pytest.raises(CommandError) as caught:
        Args([word.encode()], 0).timeout_ms(NOW)
    assert caught.value.text == error
