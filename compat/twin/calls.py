"""Calls of commands, made by hypothesis from their syntax, or by the hand-written strategies of other modules.

A call is a tuple of words. Keys come from a small set that is spread over the shards and holds values of all types, so
that commands often meet the wrong type. Most words are what the syntax asks for; some calls are then damaged in one
place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from hypothesis import strategies as st

import respcache.commands.all
import respcache.server.commands  # noqa: F401 - fills the table with main's own commands
from compat.twin import blocking, geo, hyperloglogs, scripts, streams
from compat.twin.grammar import Call, Words, weighted
from respcache.commands.table import TABLE, Command
from respcache.commands.table.syntax import Argument, parse_syntax

# With three shards, each holds at least two of these.
KEYS = ("a", "b", "c", "d", "e", "f", "s", "{a}2", "none")
# Group of commands -> the key that holds a value of their type at first: most calls should find something.
_AT_HOME = {"string": "a", "list": "b", "set": "c", "sorted_set": "d", "hash": "e", "bitmap": "f"}
MEMBERS = ("1", "2", "3", "m", "n", "x", "", "10", "-5", "3.5", "aé")

_INTEGERS = st.sampled_from(("0", "1", "2", "3", "-1", "-2", "10", "100"))
_ODD_INTEGERS = st.sampled_from(
    ("x", "", "1.5", "-9223372036854775808", "9223372036854775807", "9223372036854775808", "+1", "01", " 1", "-100")
)
_DOUBLES = st.sampled_from(("0", "1", "2", "-1", "1.5", "inf", "-inf", "3.0", "1e3", "-0.1", "(1", "(2"))
_ODD_DOUBLES = st.sampled_from(("nan", "x", "", "1e400", "0x10", "(", "1 "))
_PATTERNS = st.sampled_from(("*", "a*", "?", "[a-c]", "none", "weight_*", "*->m", "\\*", "[^a]*"))
_STRINGS = st.sampled_from(MEMBERS)
_RANGE_ENDS = st.sampled_from(("-", "+", "[a", "(m", "[", "(", "0", "-1", "1", "inf", "(1", "[x"))

# Names of values that mean something special, whatever their type.
_SPECIAL: dict[str, st.SearchStrategy[str]] = {
    "encoding": st.sampled_from(("u8", "i8", "i16", "u4", "i5", "u63", "i64", "u64", "x8")),
    "offset": st.sampled_from(("0", "1", "7", "8", "15", "#0", "#1", "-1", "100")),
    "bit": st.sampled_from(("0", "1", "2")),
    "start": st.sampled_from(("0", "1", "2", "-1", "-2", "-100", "100", "-", "[a", "(m", "(1")),
    "stop": st.sampled_from(("-1", "0", "1", "5", "-2", "+", "[x", "(m", "2")),
    "end": st.sampled_from(("-1", "0", "1", "5", "-2", "100")),
    "min": st.one_of(_DOUBLES, _RANGE_ENDS),
    "max": st.one_of(_DOUBLES, _RANGE_ENDS),
    "seconds": st.sampled_from(("100", "1000", "0", "-1", "9223372036854775807")),
    "milliseconds": st.sampled_from(("100000", "1000000", "0", "-1", "9223372036854775807")),
    "unix-time-seconds": st.sampled_from(("4000000000", "4100000000", "1", "0")),
    "unix-time-milliseconds": st.sampled_from(("4000000000000", "4100000000000", "1", "0")),
    "index": st.sampled_from(("0", "1", "-1", "2", "-3", "50")),
    "cursor": st.just("0"),
    "type": st.sampled_from(("string", "list", "set", "zset", "hash", "stream")),
    "db": st.sampled_from(("0", "1", "99")),
    "destination-db": st.sampled_from(("0", "1", "99")),
    "count": st.sampled_from(("0", "1", "2", "5", "-1", "-3", "100")),
}


# Group -> command -> its calls, where the syntax says too little to make calls that often do something.
BY_HAND: Mapping[str, Mapping[str, st.SearchStrategy[Call]]] = {
    "stream": streams.CALLS,
    "hyperloglog": hyperloglogs.CALLS,
    "blocking": blocking.CALLS,
    "geo": geo.CALLS,
    "scripting": scripts.CALLS,
}


class Source(NamedTuple):
    """A command, and a strategy for calls of it: most are valid, some are damaged."""

    name: str
    group: str
    calls: st.SearchStrategy[Call]


def sources(*, without: frozenset[str] = frozenset()) -> Iterator[Source]:
    """All commands, subcommands included, except those in `without`: by hand, or of the table."""
    by_hand = {name: (group, calls) for group, of_group in BY_HAND.items() for name, calls in of_group.items()}
    for name, (group, calls) in by_hand.items():
        if name not in without:
            yield Source(name, group, _some_damaged(calls).map(blocking.soon))
    for row in TABLE.values():
        for command in row.subcommands.values() or (row,):
            if command.name not in without and row.name not in without and command.name not in by_hand:
                yield Source(command.name, command.group, _calls_of(command))


def _calls_of(row: Command) -> st.SearchStrategy[Call]:
    arguments = parse_syntax(row.name, row.syntax, max(1, len(row.keys)))
    keys = st.sampled_from(KEYS)
    if row.group in _AT_HOME:
        keys = weighted((1, st.just(_AT_HOME[row.group])), (1, keys))
    valid = _all(arguments, keys).map(lambda words: (*row.name.split(), *words))
    return _some_damaged(valid)


def _some_damaged(valid: st.SearchStrategy[Call]) -> st.SearchStrategy[Call]:
    return weighted((3, valid), (1, _damaged(valid)))


@st.composite
def _damaged(draw: st.DrawFn, calls: st.SearchStrategy[Call]) -> Call:
    """A call with one word changed, left out or added."""
    words = list(draw(calls))
    at = draw(st.integers(1, len(words)))
    odd = draw(st.one_of(_ODD_INTEGERS, _ODD_DOUBLES, _STRINGS, st.sampled_from(KEYS)))
    match draw(st.sampled_from(("change", "drop", "insert"))):
        case "change" if at < len(words):
            words[at] = odd
        case "drop" if at < len(words):
            del words[at]
        case _:
            words.insert(at, odd)
    return tuple(words)


@st.composite
def _all(draw: st.DrawFn, arguments: tuple[Argument, ...], keys: st.SearchStrategy[str]) -> Words:
    """The words of all arguments, in order. `numkeys` is the number of keys that follow it."""
    words: Words = []
    counted_at = -1
    for argument in arguments:
        if argument.name == "numkeys":
            counted_at = len(words)
            words.append("1")
            continue
        before = len(words)
        words += draw(_one(argument, keys))
        if counted_at >= 0 and argument.type == "key":
            words[counted_at] = str(len(words) - before)
            counted_at = -1
    return words


@st.composite
def _one(draw: st.DrawFn, argument: Argument, keys: st.SearchStrategy[str]) -> Words:
    if argument.optional and draw(st.integers(0, 2)) < 2:
        return []
    times = draw(st.integers(1, 3)) if argument.multiple else 1
    words: Words = [argument.token] if argument.token and not argument.multiple_token else []
    for _ in range(times):
        if argument.token and argument.multiple_token:
            words.append(argument.token)
        words += draw(_value(argument, keys))
    return words


def _value(argument: Argument, keys: st.SearchStrategy[str]) -> st.SearchStrategy[Words]:
    match argument.type:
        case "pure-token":
            return st.just([])
        case "oneof":
            return st.one_of([_one(choice, keys) for choice in argument.arguments])
        case "block":
            return _all(argument.arguments, keys)
        case "key":
            return keys.map(lambda key: [key])
    words = _SPECIAL.get(argument.display or argument.name)
    if words is None:
        words = {"integer": _INTEGERS, "double": _DOUBLES, "pattern": _PATTERNS}.get(argument.type, _STRINGS)
    return words.map(lambda word: [word])
