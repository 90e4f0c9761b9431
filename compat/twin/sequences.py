"""Sequences of commands on two servers: replies are compared one by one, and all data at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from compat.twin import geo, hyperloglogs, scripts, streams
from compat.twin.calls import sources
from compat.twin.grammar import Call, weighted
from compat.twin.keyspace import contents, differences
from compat.twin.looseness import LEFT_OUT, Dialect, same
from compat.twin.strict import StrictConnection
from tests.support.resp import Connection

# The data when a sequence begins: a small value of each type, and one that expires.
SETTING: tuple[Call, ...] = (
    *scripts.SETTING,
    ("FLUSHALL",),
    ("SET", "a", "10"),
    ("RPUSH", "b", "1", "2", "m", "1"),
    ("SADD", "c", "1", "2", "3"),
    ("ZADD", "d", "1", "1", "2", "m", "2", "n"),
    ("HSET", "e", "m", "1", "n", "x"),
    ("SET", "f", "text", "EX", "10000"),
    *streams.SETTING,
    *hyperloglogs.SETTING,
    *geo.SETTING,
)


class Differs(AssertionError):
    """The servers disagree; the text is a redis-cli session with both answers."""


@dataclass(frozen=True)
class Step:
    """Commands that are sent together: a single one, a pipeline, or a transaction."""

    kind: str  # "single", "pipeline", "transaction"
    calls: tuple[Call, ...]


@st.composite
def _steps(draw: st.DrawFn, calls: st.SearchStrategy[Call]) -> Step:
    kind = draw(st.sampled_from(("single", "single", "single", "pipeline", "transaction")))
    count = 1 if kind == "single" else draw(st.integers(1, 4))
    return Step(kind, tuple(draw(calls) for _ in range(count)))


def sequences(only: str = "") -> st.SearchStrategy[list[Step]]:
    """Sequences of any commands. If `only` is given, that command occurs, among others of its group and of all."""
    chosen = list(sources(without=frozenset(LEFT_OUT)))
    anything = st.one_of([one.calls for one in chosen])
    if not only:
        return st.lists(_steps(anything), min_size=1, max_size=12)
    (mine,) = (one for one in chosen if one.name == only)
    family = st.one_of([one.calls for one in chosen if one.group == mine.group])
    around = st.lists(_steps(weighted((2, mine.calls), (3, family), (1, anything))), max_size=5)
    return st.tuples(around, _steps(mine.calls), around).map(lambda parts: [*parts[0], parts[1], *parts[2]])


def commands_of(port: int) -> frozenset[str]:
    """The commands and subcommands that a server has."""
    connection = Connection(port)
    try:
        return frozenset(name.decode().upper().replace("|", " ") for name in _listed(connection.call("COMMAND")))
    finally:
        connection.close()


def _listed(entries: list[Any]) -> Iterator[bytes]:
    for entry in entries:
        yield entry[0]
        yield from _listed(entry[9])


class Twin:
    """A connection to each server, both in the same protocol, and one more to each to read the data.

    common: the commands that both have; calls of others are left out of the sequences.
    """

    def __init__(self, ours: int, theirs: int, protocol: int, dialect: Dialect, common: frozenset[str]) -> None:
        self._dialect = dialect
        self._common = common
        self._missing = {one.name for one in sources()} - common
        self._ours, self._theirs = StrictConnection(ours, protocol), StrictConnection(theirs, protocol)
        self._our_view, self._their_view = Connection(ours), Connection(theirs)
        self.commands = 0

    def close(self) -> None:
        for connection in (self._ours, self._theirs, self._our_view, self._their_view):
            connection.close()

    def run(self, sequence: list[Step]) -> None:
        """Raises Differs at the first reply that differs, or if the data differs at the end."""
        for connection in (self._our_view, self._their_view):
            connection.pipeline(*filter(self._is_common, SETTING))
        session: list[str] = []
        for step in sequence:
            self._step(step, session)
        found = differences(contents(self._our_view), contents(self._their_view), self._dialect)
        if found:
            raise Differs("\n".join([*session, "# the data differs:", *found]))

    def _step(self, step: Step, session: list[str]) -> None:
        known = tuple(call for call in step.calls if self._dialect.knows(call) and self._is_common(call))
        calls = known if step.kind != "transaction" else (("MULTI",), *known, ("EXEC",))
        ours, theirs = self._ours.pipeline(*calls), self._theirs.pipeline(*calls)
        self.commands += len(calls)
        for call, one, other in zip(calls, ours, theirs, strict=True):
            session.append(f"> {shown(call)}")
            if call == ("EXEC",):
                fine = same_results(self._dialect, known, one, other)
            else:
                fine = (same if step.kind == "transaction" else self._dialect.equality(call))(one, other)
            if not fine:
                raise Differs("\n".join([*session, f"ours:   {one!r}", f"theirs: {other!r}"]))

    def _is_common(self, call: Call) -> bool:
        words = [word.upper() for word in call]
        return words[0] in self._common and " ".join(words[:2]) not in self._missing


def same_results(dialect: Dialect, calls: Sequence[Call], one: object, other: object) -> bool:
    """True if two replies of EXEC to these calls are equal, by the rule of each call."""
    if isinstance(one, list) and isinstance(other, list):
        equalities = map(dialect.equality, calls)
        same_length = len(one) == len(other) == len(calls)
        return same_length and all(equal(o, t) for equal, o, t in zip(equalities, one, other, strict=True))
    return same(one, other)


def shown(call: Call) -> str:
    """A call as typed into redis-cli."""
    return " ".join(word if word and word.isalnum() else f'"{word}"' for word in call)
