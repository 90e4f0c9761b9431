"""docs/reference/lint.md: the rules of lint, and what the profiles lack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from respcache.server.services.lint.deprecated import DEPRECATED
from respcache.server.services.lint.profiles import PROFILES, Lack, Profile
from respcache.server.services.lint.rules import RULES, Rule
from respcache.server.services.lint.sizes import MOST_KEYS

_ABOUT = f"""\
With `--lint report`, respcache looks at commands for what works on a single server with little data, and breaks or
hurts in production. `RESPCACHE LINT REPORT` tells what it has found, or `server.lint.report()`, or pytest at the end of
a run: see [find what breaks on a cluster](../guides/find-what-breaks-on-a-cluster.md).

With `--lint refuse`, commands that break a rule marked *refuses* are answered with an error instead of being run:
`LINT crossslot: keys in 2 slots, such as a and b. ...`. Within MULTI that makes EXEC fail; a transaction that is
refused at EXEC is over. All other rules need a reply, several commands or the data, so they only report, and
`deprecated` does because such commands still work. What scripts call is reported, never refused.

`CONFIG SET lint report` switches it on while the server runs, and `lint-rules` chooses rules: `all -deprecated`, or
`crossslot undeclared-key`. All directives are in [configuration](configuration.md). Off, it costs nothing.

The same finding is counted: one rule, client name, command, script, and pattern of the key, which is the key with a
star in the place of numbers and ids. A thousand findings, or a megabyte of them, are kept; `dropped` says how often
there was no room. `RESPCACHE LINT RESET` and `RESPCACHE RESET` forget them.

What it does not see: of one run of a script, each command counts once, and sizes are not looked at; of one command, the
sizes of the first {MOST_KEYS} keys are."""

_PROFILES = """\
`lint-profile` says what production is. Whether keys are spread over nodes decides about `crossslot`, whether there is
only one database about `database`, and the commands below are found by `missing`. Services change: if the linked page
says something else, that counts."""


def parts() -> Iterator[tuple[tuple[str, ...], Iterable[tuple[str, ...]]] | str]:
    """The paragraphs of the page, after its title; a table is its head and its lines."""
    yield _ABOUT
    yield "## Rules"
    yield ("rule", "", "finds", "why", "instead", "limits"), map(_rule_cells, RULES.values())
    yield "## Profiles"
    yield _PROFILES
    yield ("profile", "is", "keys in one slot", "one database"), map(_profile_cells, PROFILES.values())
    yield ("profile", "lacks", "according to"), map(_lack_cells, _lacks())
    yield "## Deprecated commands"
    yield ("command", "since", "use"), ((f"`{name}`", *row) for name, row in DEPRECATED.items() if name != "QUIT")


def _rule_cells(rule: Rule) -> tuple[str, ...]:
    limits = ", ".join(f"`{name}`" for name in rule.directives)
    return f"`{rule.name}`", "refuses" if rule.refuses else "", rule.finds, rule.why, rule.instead, limits


def _profile_cells(profile: Profile) -> tuple[str, ...]:
    return f"`{profile.name}`", profile.title, _yes(profile.cluster), _yes(profile.one_database)


def _yes(source: str) -> str:
    return f"[yes]({source})" if source else ""


def _lacks() -> Iterator[tuple[Profile, Lack]]:
    for profile in PROFILES.values():
        for lack in profile.lacks:
            yield profile, lack


def _lack_cells(row: tuple[Profile, Lack]) -> tuple[str, ...]:
    profile, lack = row
    names = ", ".join(f"`{name}`" for name in lack.commands) + (f" with {lack.option}" if lack.option else "")
    return f"`{profile.name}`", names, f"[its page]({lack.source})"
