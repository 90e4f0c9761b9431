"""Glob patterns: a table of cases, a naive matcher to compare with, and hostile patterns."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from respcache.glob import compile_glob

# pattern, what it matches, what it does not match; taken from HSCAN ... MATCH of a genuine server.
CASES = [
    (b"", [b""], [b"a"]),
    (b"abc", [b"abc"], [b"", b"ab", b"abcd", b"ABC"]),
    (b"*", [b"a", b"abc", b"\n", b"\x00\xff"], [b""]),
    (b"**", [b"a"], [b""]),
    (b"?", [b"a", b"\n", b"\xff"], [b"", b"ab"]),
    (b"a*", [b"a", b"ab", b"a\nb"], [b"", b"ba"]),
    (b"*a", [b"a", b"ba", b"aa"], [b"ab"]),
    (b"*a*b*", [b"ab", b"xaxbx", b"aab"], [b"ba", b"a", b"b"]),
    (b"*ab", [b"ab", b"aab", b"abab"], [b"aba"]),
    (b"a*a", [b"aa", b"aba"], [b"a"]),
    (b"h?llo", [b"hello", b"h\nllo"], [b"hllo", b"heello"]),
    (b"[ab]", [b"a", b"b"], [b"", b"c", b"ab"]),
    (b"[^ab]", [b"c", b"^"], [b"a", b"b", b"", b"cc"]),
    (b"[a^]", [b"a", b"^"], [b"b"]),
    (b"[a-c]", [b"a", b"b", b"c"], [b"d", b"-"]),
    (b"[c-a]", [b"a", b"b", b"c"], [b"d", b"-"]),
    (b"[a-]", [b"]", b"^", b"a"], [b"-", b"b", b"Z"]),
    (b"[-a]", [b"-", b"a"], [b"b"]),
    (b"[a-c", [b"b"], [b"d"]),
    (b"[ab", [b"a", b"b"], [b"ab"]),
    (b"[", [], [b"", b"["]),
    (b"[]", [], [b"", b"]", b"a"]),
    (b"[]a]", [], [b"]", b"a", b"a]"]),
    (b"[^]", [b"a", b"]"], [b""]),
    (b"[\\]]", [b"]"], [b"\\", b"a"]),
    (b"[\\-a]", [b"-", b"a"], [b"\\"]),
    (b"[a\\]", [b"a", b"]"], [b"\\"]),
    (b"[*?]", [b"*", b"?"], [b"a"]),
    # Bytes are signed, as C's `char` is on the usual machines.
    (b"[\x80-\x7f]", [b"\x80", b"\xff", b"\x00", b"\x7f", b"a"], [b""]),
    (b"[\xff-a]", [b"\xff", b"\x00", b"a"], [b"b", b"\xfe"]),
    (b"\\*", [b"*"], [b"a", b"\\*"]),
    (b"\\a", [b"a"], [b"\\a"]),
    (b"a\\", [b"a\\"], [b"a"]),
    (b"\\\\", [b"\\"], [b"\\\\"]),
    (b"a\\*b*", [b"a*b", b"a*bc"], [b"aab"]),
    # Characters with a special meaning in regular expressions.
    (b"a.b", [b"a.b"], [b"acb"]),
    (b"(a|b)+$", [b"(a|b)+$"], [b"a"]),
    (b"{a}", [b"{a}"], [b"a"]),
]


@pytest.mark.parametrize(("pattern", "matching", "other"), CASES)
def test_cases(pattern: bytes, matching: list[bytes], other: list[bytes]) -> None:
    matches = compile_glob(pattern)
    assert [subject for subject in matching if not matches(subject)] == []
    assert [subject for subject in other if matches(subject)] == []


def test_ignoring_case() -> None:
    for pattern, matching, other in (
        (b"aB*", [b"ab", b"Abc", b"aBC"], [b"b"]),
        (b"[a-c]", [b"A", b"b", b"C"], [b"D"]),
        (b"[A]", [b"a", b"A"], [b"b"]),
        (b"\\a", [b"a", b"A"], [b"b"]),
        (b"[\\a]", [b"a"], [b"A"]),  # an escaped byte in brackets is compared as it is
        (b"\xe4", [b"\xe4"], [b"\xc4"]),  # only ASCII has cases
    ):
        matches = compile_glob(pattern, ignore_case=True)
        assert [subject for subject in matching if not matches(subject)] == [], pattern
        assert [subject for subject in other if matches(subject)] == [], pattern


def naive(pattern: bytes, subject: bytes) -> bool:
    """The definition, by trying everything."""
    if not pattern:
        return not subject
    head, rest = pattern[:1], pattern[1:]
    if head == b"*":
        return any(naive(rest, subject[at:]) for at in range(len(subject) + 1))
    if not subject:
        return False
    if head == b"?":
        return naive(rest, subject[1:])
    if head == b"[":
        allowed, rest = naive_bracket(rest, subject[0])
        return allowed and naive(rest, subject[1:])
    if head == b"\\" and rest:
        head, rest = rest[:1], rest[1:]
    return subject[:1] == head and naive(rest, subject[1:])


def naive_bracket(pattern: bytes, byte: int) -> tuple[bool, bytes]:
    """Whether a bracket allows a byte, and the rest of the pattern after it."""
    negated = pattern[:1] == b"^"
    pattern = pattern[negated:]
    found = False
    while pattern and pattern[:1] != b"]":
        if pattern[:1] == b"\\" and len(pattern) > 1:
            found |= pattern[1] == byte
            pattern = pattern[2:]
        elif pattern[1:2] == b"-" and len(pattern) > 2:
            low, high = sorted((pattern[0], pattern[2]))
            found |= low <= byte <= high
            pattern = pattern[3:]
        else:
            found |= pattern[0] == byte
            pattern = pattern[1:]
    return found != negated, pattern[1:]


PIECES = st.sampled_from([b"a", b"b", b"c", b"*", b"?", b"[", b"]", b"^", b"-", b"\\", b"[ab]", b"*a"])
PATTERNS = st.lists(PIECES, max_size=8).map(b"".join)
SUBJECTS = st.text("abc-]^\\*", max_size=6).map(str.encode)


@given(pattern=PATTERNS, subject=SUBJECTS)
@example(pattern=b"*a*", subject=b"a")
@example(pattern=b"a**", subject=b"a")
@settings(max_examples=400, deadline=None, derandomize=True)
def test_agrees_with_the_definition(pattern: bytes, subject: bytes) -> None:
    # Redis' only exception: stars do not match an empty subject.
    assert compile_glob(pattern)(subject) == (naive(pattern, subject) if subject else not pattern)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", [b"a*", b"*a", b"?*", b"[ab]*", b"*?a", b"**a*"])
def test_a_hostile_pattern_takes_at_most_pattern_times_subject(piece: bytes) -> None:
    """A matcher that backtracks to every star would practically never end."""
    matches = compile_glob(piece * 500 + b"b")
    assert not matches(b"a" * 2000)
    assert matches(b"a" * 2000 + b"b")
