"""Words of a line: the meaning of quotes and escapes, and that any word can be quoted."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from respcache.quoting import quote, quote_bytes, split_args

# Lines and their words, as a genuine server reads them; None if the quotes are unbalanced.
LINES: dict[bytes, list[bytes] | None] = {
    b"": [],
    b" \t\r ": [],
    b"SET k v": [b"SET", b"k", b"v"],
    b"  SET\tk  v ": [b"SET", b"k", b"v"],
    b"a\vb \v\fc": [b"a\vb", b"c"],
    b'"a b"': [b"a b"],
    b'a"b c"': [b"ab c"],
    b'""': [b""],
    b'"\\x41\\x4g\\n\\t\\q\\""': [b'Ax4g\n\tq"'],
    b"'\\x41\\'\\n'": [b"\\x41'\\n"],
    b"a\\ b": [b"a\\", b"b"],
    b'"a': None,
    b'"a\\': None,
    b"'a": None,
    b"'a\\": None,
    b'"a"b': None,
    b"'a'b": None,
}


@pytest.mark.parametrize(("line", "words"), LINES.items())
def test_lines(line: bytes, words: list[bytes] | None) -> None:
    assert split_args(line) == words


@settings(deadline=None)
@given(st.lists(st.text("ab \"'\\\t\n\v\f\r\0x4é", max_size=6), max_size=4))
def test_quoted_words_are_read_back(words: list[str]) -> None:
    line = " ".join(map(quote, words)).encode()
    assert split_args(line) == [word.encode() for word in words]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=6), max_size=4))
def test_plain_words_need_no_quotes(words: list[bytes]) -> None:
    """The code paths for lines with and without quotes agree."""
    line = b" ".join(words)
    if not set(line) & set(b"\"'\\\v\f\0"):
        quoted = b" ".join(b'"%b"' % word for word in line.split())
        assert split_args(line) == split_args(quoted) == line.split()


@settings(deadline=None)
@given(st.lists(st.binary(max_size=20), max_size=4))
def test_bytes_in_quotes_are_read_back(words: list[bytes]) -> None:
    line = b" ".join(map(quote_bytes, words))
    assert line.isascii()
    assert line.decode().isprintable()
    assert split_args(line) == words


def test_bytes_in_quotes() -> None:
    assert quote_bytes(b'\x00\a\b\t\n\x0b\r\x1b "\\~\x7f\x80\xff') == rb'"\x00\a\b\t\n\x0b\r\x1b \"\\~\x7f\x80\xff"'
