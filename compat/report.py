"""`python -m compat report`: REPORT.md, made from the results that the other verbs have kept."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from compat.results import Outcome, saved
from compat.suites.reasons import reason

PATH = Path(__file__).with_name("REPORT.md")
TITLES = {
    "twin": "Twin: the same commands to both",
    "suites": "Other people's test suites",
    "programs": "Programs",
}
_INTRODUCTIONS = {
    "twin": "Answers are compared one by one, and all data after each generated sequence. `passed` counts the "
    "answers that were compared, `failed` the commands, files or tables in which something differs.",
    "suites": "Unchanged, as their authors publish them. The genuine servers' columns are there to compare with.",
    "programs": "Small scenarios with real libraries, checked on the genuine server first.",
}


def add_options(_parser: argparse.ArgumentParser) -> None:
    pass


def run(_options: argparse.Namespace) -> int:
    """Write the report; 0."""
    PATH.write_text("\n".join(_lines()) + "\n", "utf-8")
    print(f"wrote {PATH}")
    return 0


def _lines() -> Iterator[str]:
    yield "# respcache against the outside world"
    yield ""
    yield "<!-- Made by `python -m compat report`; do not edit. -->"
    yield ""
    yield (
        f"Python {platform.python_version()} on {platform.system()}. Cells are passed / failed / excluded. "
        "[Contributing](../docs/contributing/compat.md) says how to run all this again, and "
        "[differences](../docs/reference/differences.md) what is known to differ, and why."
    )
    for verb, title in TITLES.items():
        outcomes = saved(verb)
        if outcomes:
            details = _reasons if verb == "suites" else _details
            yield from ("", f"## {title}", "", _INTRODUCTIONS[verb], "", *_table(outcomes), *details(outcomes))


def _table(outcomes: list[Outcome]) -> Iterator[str]:
    ours = list(dict.fromkeys(outcome.target for outcome in outcomes if outcome.ours))
    theirs = sorted({outcome.target for outcome in outcomes if not outcome.ours})
    columns = [*ours, *theirs]
    yield f"| | | {' | '.join(columns)} |"
    yield "|---|---|" + "---|" * len(columns)
    for (name, variant), group in groupby(outcomes, key=lambda outcome: (outcome.name, outcome.variant)):
        cells = {outcome.target: outcome for outcome in group}
        version = next((outcome.version for outcome in cells.values() if outcome.version), "")
        shown = [_cell(cells.get(column)) for column in columns]
        yield f"| {' '.join(filter(None, (name, version)))} | {variant} | {' | '.join(shown)} |"


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    return f"{outcome.passed} / {len(outcome.failed)} / {len(outcome.excluded)}"


def _details(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """What failed or was left out on respcache, each with its reason."""
    mine = [outcome for outcome in outcomes if outcome.ours]
    for heading, attribute in (("What fails", "failed"), ("What is left out", "excluded")):
        found = {
            (outcome.name, test, _first_line(problem))
            for outcome in mine
            for test, problem in getattr(outcome, attribute).items()
        }
        if found:
            yield from ("", f"### {heading}", "")
            yield from (f"* {name}: `{test}`: {problem}" for name, test, problem in sorted(found))


def _reasons(outcomes: list[Outcome]) -> Iterator[str]:
    """By suite: how many tests fail or are left out for each reason, and the tests that fail for no known reason."""
    for name, group in groupby(outcomes, key=lambda outcome: outcome.name):
        of_suite = list(group)
        failing: dict[str, set[str]] = {}
        excluded: dict[str, set[str]] = {}
        unexplained: dict[str, str] = {}
        for outcome in of_suite:
            if not outcome.ours:
                continue
            genuine = {other.target: other for other in of_suite if not other.ours and other.variant == outcome.variant}
            for test, problem in outcome.failed.items():
                if why := reason(outcome, test, genuine):
                    failing.setdefault(why, set()).add(test)
                else:
                    unexplained[test] = problem
            for test, why in outcome.excluded.items():
                excluded.setdefault(why, set()).add(test)
        yield from ("", f"### {name}: why tests fail", "", *_counted(failing))
        yield f"* no known reason: {len(unexplained)}"
        yield from (f"    * `{test}`: {_first_line(problem)}" for test, problem in sorted(unexplained.items()))
        if excluded:
            yield from ("", f"### {name}: what is left out, and why", "", *_counted(excluded))


def _counted(reasons: dict[str, set[str]]) -> Iterator[str]:
    for why, tests in sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0])):
        yield f"* {why}: {len(tests)}"


def _first_line(text: str) -> str:
    line = text.strip().splitlines()[0] if text.strip() else "?"
    return line if len(line) <= 200 else f"{line[:200]} ..."
