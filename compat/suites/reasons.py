"""Why tests of a suite fail on respcache: the report counts failures by reason, and lists those without one."""

from __future__ import annotations

import re
from functools import cache

from compat.docs import missing_commands
from compat.results import Outcome
from compat.suites.base import consequences, reason_for

# What clients report for a missing command; the TCL suite cuts off the beginning.
_COMMAND = re.compile(r"n command '([^']+)'")
_SUBCOMMAND = re.compile(r"n subcommand '([^']+)'\. Try (\w+) HELP")


def reason(outcome: Outcome, test: str, genuine: dict[str, Outcome]) -> str:
    """Why a test fails; empty if unknown. `genuine` has the outcomes of the same suite on genuine servers."""
    for target, theirs in genuine.items():
        if test in theirs.failed and not _missing_command(outcome.failed[test]):
            return f"fails on {target} too"
    return why(outcome.name, test, outcome.failed[test])


def why(suite: str, test: str, problem: str) -> str:
    """Why a test of a suite fails with this message; empty if unknown."""
    if name := _missing_command(problem):
        return f"{name} is missing"
    return reason_for(test, consequences(suite))


def _missing_command(problem: str) -> str:
    if found := _SUBCOMMAND.search(problem):
        name = f"{found[2]} {found[1]}".upper()
    elif found := _COMMAND.search(problem):
        name = found[1].upper()
    else:
        return ""
    return name if name in _missing() else ""


@cache
def _missing() -> frozenset[str]:
    return frozenset(missing_commands())
