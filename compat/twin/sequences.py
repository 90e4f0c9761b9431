"""Sequences of commands on two servers: replies are compared one by one, and all data at the end."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from compat.twin.calls import Call, calls_of, rows
from compat.twin.keyspace import contents, differences
from compat.twin.looseness import LEFT_OUT, Dialect, same
from compat.twin.strict import StrictConnection
from tests.support.resp import Connection, ReplyError

# The data when a sequence begins: a small value of each type, and one that expires.
SETTING: tuple[Call, ...] = (
    ("FLUSHALL",),
    ("SET", "a", "10"),
    ("RPUSH", "b", "1", "2", "m", "1"),
    ("SADD", "c", "1", "2", "3"),
    ("ZADD", "d", "1", "1", "2", "m", "2", "n"),
    ("HSET", "e", "m", "1", "n", "x"),
    ("SET", "f", "text", "EX", "10000"),
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
    chosen = list(rows(without=frozenset(LEFT_OUT)))
    anything = st.one_of([calls_of(row) for row in chosen])
    if not only:
        return st.lists(_steps(anything), min_size=1, max_size=12)
    (mine,) = (row for row in chosen if row.name == only)
    calls = calls_of(mine)
    family = st.one_of([calls_of(row) for row in chosen if row.group == mine.group])
    around = st.lists(_steps(st.one_of(calls, family, anything)), max_size=5)
    return st.tuples(around, _steps(calls), around).map(lambda parts: [*parts[0], parts[1], *parts[2]])


class Twin:
    """A connection to each server, both in the same protocol, and one more to each to read the data."""

    def __init__(self, ours: int, theirs: int, protocol: int, dialect: Dialect) -> None:
        self._dialect = dialect
        self._ours, self._theirs = StrictConnection(ours, protocol), StrictConnection(theirs, protocol)
        self._our_view, self._their_view = Connection(ours), Connection(theirs)
        self.commands = 0

    def close(self) -> None:
        for connection in (self._ours, self._theirs, self._our_view, self._their_view):
            connection.close()

    def run(self, sequence: list[Step]) -> None:
        """Raises Differs at the first reply that differs, or if the data differs at the end."""
        for connection in (self._our_view, self._their_view):
            connection.pipeline(*SETTING)
        session: list[str] = []
        for step in sequence:
            self._step(step, session)
        found = differences(contents(self._our_view), contents(self._their_view), self._dialect.has_our_encodings)
        if found:
            raise Differs("\n".join([*session, "# the data differs:", *found]))

    def _step(self, step: Step, session: list[str]) -> None:
        known = tuple(filter(self._dialect.knows, step.calls))
        calls = known if step.kind != "transaction" else (("MULTI",), *known, ("EXEC",))
        ours, theirs = self._ours.pipeline(*calls), self._theirs.pipeline(*calls)
        self.commands += len(calls)
        for call, one, other in zip(calls, ours, theirs, strict=True):
            session.append(f"> {shown(call)}")
            if call == ("EXEC",):
                self._compare_exec(known, one, other, session)
            elif not (same if step.kind == "transaction" else self._dialect.equality(call))(one, other):
                raise Differs("\n".join([*session, f"ours:   {one!r}", f"theirs: {other!r}"]))

    def _compare_exec(self, calls: tuple[Call, ...], one: object, other: object, session: list[str]) -> None:
        fine = type(one) is type(other)
        if isinstance(one, list) and isinstance(other, list):
            fine = len(one) == len(other) == len(calls)
            equalities = map(self._dialect.equality, calls)
            fine = fine and all(equal(o, t) for equal, o, t in zip(equalities, one, other, strict=True))
        elif isinstance(one, ReplyError):
            fine = same(one, other)
        if not fine:
            raise Differs("\n".join([*session, f"ours:   {one!r}", f"theirs: {other!r}"]))


def shown(call: Call) -> str:
    """A call as typed into redis-cli."""
    return " ".join(word if word and word.isalnum() else f'"{word}"' for word in call)
