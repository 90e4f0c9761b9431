"""Glob patterns: a table of cases, a naive matcher to compare with, and hostile patterns."""

from __future__ import annotations

import gc
import tracemalloc

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


@given(
    pattern=st.lists(st.sampled_from([b"a", b"b", b"?", b"[ab]", b"[^a]", b"[b]", b"*"]), max_size=9).map(b"".join),
    subject=st.text("ab", max_size=14).map(str.encode),
)
@example(pattern=b"*a?b*", subject=b"aaaaaaaaaaab")  # more occurrences of the literal than are tried
@example(pattern=b"*?*", subject=b"a")
@settings(max_examples=400, deadline=None, derandomize=True)
def test_agrees_with_the_definition_on_near_matches(pattern: bytes, subject: bytes) -> None:
    assert compile_glob(pattern)(subject) == (naive(pattern, subject) if subject else not pattern)


@given(
    pattern=st.lists(st.sampled_from([b"a", b"B", b"?", b"[A]", b"[^b]", b"[a-b]", b"*"]), max_size=7).map(b"".join),
    subject=st.text("abAB", max_size=8).map(str.encode),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_ignoring_case_is_comparing_in_one_case(pattern: bytes, subject: bytes) -> None:
    matches = compile_glob(pattern, ignore_case=True)
    assert matches(subject) == compile_glob(pattern.lower())(subject.lower()) == matches(subject.swapcase())


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "pattern",
    [
        b"[a-z]" * 200_000,
        b"[" + b"a-z" * 300_000 + b"]",
        b"[^" + b"a" * 1_000_000,
        b"?" * 1_000_000,
        b"*?" * 250_000,
        b"\\a" * 500_000,
        b"a*" * 500_000,
    ],
    ids=["brackets", "one bracket of ranges", "one bracket", "question marks", "both", "escapes", "stars"],
)
def test_a_pattern_of_a_megabyte(pattern: bytes) -> None:
    """As a regular expression, the first one takes 13 seconds to compile, in the process that serves all clients."""
    matches = compile_glob(pattern)
    assert not matches(b"channel")  # all of them match one byte, or very many
    assert not matches(b"")


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("pattern", "subject"),
    [
        (b"*" + b"[ab]" * 1000 + b"c*", b"a" * 100_000),
        (b"*" + b"a?" * 1000 + b"c*", b"a" * 100_000),
        (b"*[ab]" * 5000 + b"c", b"a" * 100_000),
        (b"*" + b"a?" * 5000 + b"b*", b"a" * 100_000),
        (b"a*" * 5000 + b"b", b"a" * 100_000),
    ],
)
def test_long_subjects_that_nearly_match(pattern: bytes, subject: bytes) -> None:
    assert not compile_glob(pattern)(subject)


def test_nothing_of_a_pattern_is_kept() -> None:
    compile_glob(b"x[a-z]*")(b"xa")
    tracemalloc.start()
    try:
        matches = compile_glob(b"[a-z]?*[b]" * 10_000 + b"x" * 100_000)
        matches(b"a" * 200_000)
        del matches
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < 20_000
    finally:
        tracemalloc.stop()
