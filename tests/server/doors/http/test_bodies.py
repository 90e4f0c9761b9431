"""JSON to commands."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respcache.errors import CommandError
from respcache.server.doors.http import bodies
from respcache.server.doors.http.requests import BadRequest
from tests.support.cost import seconds_of


@given(st.lists(st.text(), min_size=1), st.booleans())
def test_strings(words: list[str], ascii_only: bool) -> None:
    body = json.dumps(words, ensure_ascii=ascii_only).encode("utf-8", "replace")
    assert bodies.command(body) == [word.encode("utf-8", "replace") for word in words]


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("9007199254740993", b"9007199254740993"),
        ("123456789012345678901234567890", b"123456789012345678901234567890"),
        ("-0", b"-0"),
        ("1.10", b"1.10"),
        ("1e+21", b"1e+21"),
        ("1E-05", b"1E-05"),
        ("true", b"true"),
        ("false", b"false"),
        (r'"\ud83d\ude00"', "😀".encode()),
        (r'"\ud800"', "\ufffd".encode()),  # half of a pair
        (r'"\ude00\ud83d"', "\ufffd\ufffd".encode()),
        (r'"\u0000"', b"\x00"),
        ('""', b""),
        ('"\u2028"', "\u2028".encode()),
    ],
)
def test_words_as_they_are_written(written: str, word: bytes) -> None:
    assert bodies.command(f'[ "SET" ,\n"k",\t{written} ]'.encode()) == [b"SET", b"k", word]


def test_a_number_may_have_any_length() -> None:
    digits = "9" * 100_000
    assert bodies.command(f'["SET", "k", {digits}]'.encode()) == [b"SET", b"k", digits.encode()]


@pytest.mark.parametrize("word", ["null", '["nested"]', "[]", "{}", '{"a": 1}'])
def test_what_is_no_word(word: str) -> None:
    with pytest.raises(BadRequest, match="must be strings, numbers or booleans") as caught:
        bodies.command(f'["SET", "k", {word}]'.encode())
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "body",
    ["[", '["a"', '["a",]', '["a"] x', "NaN", "[NaN]", "[Infinity]", "[-Infinity]", "[01]", "['a']", '["a\nb"]', ""],
)
def test_what_is_no_json(body: str) -> None:
    with pytest.raises(BadRequest, match="ERR the body is not valid JSON") as caught:
        bodies.command(body.encode())
    assert caught.value.status == 400


@pytest.mark.parametrize("body", [b'["\xff"]', b"\xff\xfe[\x00]\x00", b'\xef\xbb\xbf["a"]'])
def test_json_is_utf8_without_a_mark(body: bytes) -> None:
    with pytest.raises(BadRequest, match="ERR the body is not valid JSON"):
        bodies.command(body)


@pytest.mark.parametrize("body", ["{}", '"GET"', "1", "null", '{"a": ["GET", "k"]}'])
def test_what_is_no_array(body: str) -> None:
    with pytest.raises(BadRequest, match="must be a JSON array"):
        bodies.command(body.encode())


def test_an_empty_command() -> None:
    with pytest.raises(BadRequest, match="ERR empty command"):
        bodies.command(b"[]")


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting(opening: str) -> None:
    with pytest.raises(BadRequest) as caught:
        bodies.command(opening.encode() * 200_000)
    assert caught.value.status == 400


def test_rows() -> None:
    one, empty, bad = bodies.commands(b'[["GET", "k"], [], ["SET", "k", null]]')
    assert one == [b"GET", b"k"]
    assert isinstance(empty, CommandError)
    assert empty.text == "ERR empty command"
    assert isinstance(bad, CommandError)
    assert bodies.commands(b"[]") == []


@pytest.mark.parametrize("body", ['["GET", "k"]', '[["GET", "k"], "GET"]', "[{}]", "[null]"])
def test_rows_that_are_none(body: str) -> None:
    with pytest.raises(BadRequest, match="ERR the body must be a JSON array of arrays"):
        bodies.commands(body.encode())


MOST = 1 << 20


@pytest.mark.parametrize("value", [b"1", b'""', b'"\\\\"', b'"\\","', b"[]"])
def test_the_number_of_values_is_limited(value: bytes) -> None:
    with pytest.raises(BadRequest, match="ERR the body has too many values") as caught:
        bodies.command(b"[" + b",".join([value] * (MOST + 1)) + b"]")
    assert caught.value.status == 413


@pytest.mark.parametrize("text", [",", "[", '\\",', "\\\\[", '{\\"'])
def test_strings_may_have_any_number_of_commas_and_brackets(text: str) -> None:
    words = json.dumps(["SET", "k", text * (MOST + 1)]).encode()
    assert bodies.command(words) == [b"SET", b"k", text.encode() * (MOST + 1)]


@pytest.mark.parametrize(
    "part", [b'"\\"', b'\\"', b'"', b'""', b"\\", b'"\\\\"', b" ", b"x"], ids=lambda part: repr(part)
)
def test_no_body_takes_long_to_be_refused(part: bytes) -> None:
    """A regular expression that tries each quote as the beginning of a string takes hours for some of these."""

    def refuse(count: int) -> None:
        with pytest.raises(BadRequest):
            bodies.command(b'["' + b"," * (MOST + 1) + b'"' + part * count)

    assert seconds_of(lambda: refuse(1_000_000)) < 30 * seconds_of(lambda: refuse(100_000)) + 0.1
