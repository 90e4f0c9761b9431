"""The two fast parsers by themselves: what each is for, and that neither vouches for anything but commands."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from respcache.resp.types import Argv
from respcache.resp.whole import parse_lines, parse_with_hiredis
from tests.resp.test_decode import JUNK
from tests.support.resp import pack

SAME_SIZE = [[b"SET", b"a", b"1"], [b"SET", b"b", b"22"]]
MIXED = [[b"SET", b"a", b"1"], [b"GET", b"a"], [b"PING"]]
LINE_BREAKS = [[b"SET", b"a", b"\r\n$1\r\n*1\r\n"], [b"GET", b"\r\n"]]
MANY = [[b"DEL", *[b"k"] * 1500]]
LONG = [[b"SET", b"k", b"x" * 3000], [b"GET", b"x" * 3000]]


def packed(commands: list[Argv]) -> bytes:
    return b"".join(pack(tuple(argv)) for argv in commands)


@pytest.mark.parametrize(
    ("commands", "by_lines"),
    [(SAME_SIZE, True), (MIXED, True), (LONG, True), (LINE_BREAKS, False), (MANY, False), ([[], [b"PING"]], False)],
    ids=["same size", "mixed", "long", "line breaks", "many words", "empty"],
)
def test_who_takes_what(commands: list[Argv], by_lines: bool) -> None:
    data = packed(commands)
    lines = parse_lines(data)
    assert lines is not None if by_lines else lines is None
    assert lines is None or lines[0] == commands
    assert parse_with_hiredis(data) == commands


def test_columns_are_given_where_all_have_the_same_size() -> None:
    assert parse_lines(packed(SAME_SIZE)) == (SAME_SIZE, [[b"SET", b"SET"], [b"a", b"b"], [b"1", b"22"]])
    assert parse_lines(packed(MIXED)) == (MIXED, [])


@pytest.mark.parametrize("mark", [b">", b"~", b"|", b"%"])
def test_hiredis_does_not_see_a_byte_that_may_begin_another_aggregate(mark: bytes) -> None:
    """Words with these bytes are left to the strict parser."""
    assert parse_with_hiredis(pack(("GET", mark + b"1\r\n"))) is None


@settings(deadline=None)
@given(JUNK.map(lambda data: b"*" + data + b"\r\n"))
def test_what_they_vouch_for_is_nothing_but_commands(data: bytes) -> None:
    """Commands have one canonical form. What the parsers return must encode to the chunk, to the last byte."""
    lines, found = parse_lines(data), parse_with_hiredis(data)
    assert lines is None or packed(lines[0]) == data
    assert found is None or packed(found) == data


@settings(deadline=None)
@given(st.lists(st.lists(st.binary(max_size=30), min_size=1, max_size=5), min_size=1, max_size=8))
def test_commands_come_back(commands: list[Argv]) -> None:
    data = packed(commands)
    lines, found = parse_lines(data), parse_with_hiredis(data)
    assert lines is None or lines[0] == commands
    assert found is None or found == commands
