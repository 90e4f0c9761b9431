"""The generated part of the twin: for each command, sequences that use it are run on both servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyFailure

from compat.twin import contests
from compat.twin.calls import sources
from compat.twin.looseness import LEFT_OUT, Dialect
from compat.twin.sequences import Differs, Twin, commands_of, sequences

# A failing case is shrunk, then printed.
_PHASES = (Phase.generate, Phase.shrink)


def names(only: str = "") -> list[str]:
    """The commands to make sequences for: all, or if `only` is given, that command or the commands of that group."""
    chosen = sources(without=frozenset(LEFT_OUT))
    return sorted(one.name for one in chosen if not only or only.upper() == one.name or only.lower() == one.group)


def differences(
    ours: int, theirs: int, protocol: int, dialect: Dialect, *, only: str = "", examples: int = 20, seeded: int = 1
) -> Iterator[tuple[str, int, str]]:
    """For each command: its name, how many commands were sent, and the smallest sequence that differs (empty: none).

    The same seed gives the same sequences. Commands that one of the servers lacks are left out.
    """
    common = commands_of(ours) & commands_of(theirs)
    for name in names(only):
        if name in common:
            twin = Twin(ours, theirs, protocol, dialect, common)
            try:
                yield name, *_run(twin, sequences(name), examples, seeded)
            finally:
                twin.close()


def contest_differences(
    ours: int, theirs: int, protocol: int, dialect: Dialect, *, only: str = "", examples: int = 20, seeded: int = 1
) -> Iterator[tuple[str, int, str]]:
    """The same for contests of waiting clients, by the command that they wait by."""
    common = commands_of(ours) & commands_of(theirs)
    for name in contests.names(only, common):
        arena = contests.Arena(ours, theirs, protocol, dialect, common)
        try:
            yield name, *_run(arena, contests.contests(name), examples, seeded)
        finally:
            arena.close()


def _run(twin: Twin | contests.Arena, cases: st.SearchStrategy[Any], examples: int, seeded: int) -> tuple[int, str]:
    @seed(seeded)
    @settings(
        max_examples=examples,
        phases=_PHASES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(cases)
    def compare(case: Any) -> None:
        twin.run(case)

    try:
        compare()
    except Differs as difference:
        return twin.commands, str(difference)
    except FlakyFailure as group:
        found = [str(difference) for difference in group.exceptions if isinstance(difference, Differs)]
        if not found:
            raise
        return twin.commands, f"# not every time:\n{found[0]}"
    return twin.commands, ""
