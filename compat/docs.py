"""Write docs/reference from the code: `python -m compat.docs`; with `--check`, only check that it is up to date.

Six pages: the commands (from the table), the directives (from the configuration), how respcache differs from Redis
(compat/differences.toml), the testing API (from its docstrings), the metrics and the rules of lint (from their tables).
They are not edited by hand. It also copies the figures of compat/bench/REPORT.md into README.md.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import respcache.commands.all
import respcache.server.commands  # noqa: F401 - fills the table with main's own commands
from compat import lint_page, metrics_page, testing_page
from respcache import REDIS_VERSION
from respcache.commands.table import TABLE, Command, Keys, Reach
from respcache.config.directives import DIRECTIVES, Directive
from respcache.redis_commands import REDIS_COMMANDS

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
REFERENCE = HERE.parent / "docs" / "reference"

MADE_BY = "<!-- Made by `python -m compat.docs`; do not edit. -->"

GROUPS = {
    "generic": "Keys",
    "string": "Strings",
    "bitmap": "Bitmaps",
    "hash": "Hashes",
    "list": "Lists",
    "set": "Sets",
    "sorted_set": "Sorted sets",
    "stream": "Streams",
    "geo": "Geo",
    "hyperloglog": "HyperLogLog",
    "pubsub": "Publish and subscribe",
    "transactions": "Transactions",
    "scripting": "Scripts",
    "connection": "Connections",
    "server": "Server",
}

# Defaults that depend on the machine.
DEFAULTS = {"shards": "1 to 4", "dir": "the directory it was started in"}


class Stale(Exception):
    """The sources of the pages contradict each other, or something is missing; the text says where."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m compat.docs", description="Write docs/reference from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is not up to date")
    check = parser.parse_args(arguments).check
    results = [_update(page, make, check) for page, make in PAGES.items()]
    return 0 if all(results) else 1


def _update(page: Path, make: Callable[[], str], check: bool) -> bool:
    """Write a page that is not up to date, or only say so if `check`. True if the page is up to date afterwards."""
    try:
        text = make()
    except Stale as error:
        print(error, file=sys.stderr)
        return False
    if page.exists() and page.read_text("utf-8") == text:
        return True
    if check:
        print(f"{page.name} is not up to date: run `python -m compat.docs`", file=sys.stderr)
        return False
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text, "utf-8")
    print(f"wrote {page}")
    return True


def rows() -> Iterator[Command]:
    """All commands, a container before its subcommands."""
    for row in TABLE.values():
        yield row
        yield from row.subcommands.values()


# -- commands


def commands_page() -> str:
    shown = [row for row in rows() if not row.subcommands or row.accepts(1)]
    parts = [
        "# Commands",
        MADE_BY,
        f"respcache has {len(shown)} commands, subcommands counted. They behave as in Redis "
        f"{REDIS_VERSION.rsplit('.', 1)[0]}, with all options; what behaves differently, and which commands are "
        "missing, is listed in [differences](differences.md).",
        "*Over shards* says what happens when the keys of one command live on several shards. In every case the "
        "command is atomic (see [architecture](../concepts/architecture.md#what-is-atomic)).",
        _table(("over shards", "means"), REACHES.items()),
    ]
    groups = sorted({row.group for row in shown}, key=list(GROUPS).index)
    for group in groups:
        of_group = [row for row in shown if row.group == group]
        parts += [f"## {GROUPS[group]}", _table(("command", "since", "over shards", ""), map(_command_cells, of_group))]
    return _page(parts)


REACHES = {
    "-": "the command has no keys, or one, or keys that are not data",
    "split": "each shard runs its part, all at one point in the order of commands, and the replies are merged",
    "in parts": "each shard runs its part while all shards involved wait, after all have checked theirs",
    "by key": "the shard of the first key that exists runs it while all shards involved wait",
    "carried": "the keys are brought to one shard while all shards involved wait",
    "by text": "one shard runs it, alone or while all shards wait: what the script names decides "
    "(see [scripts](../concepts/architecture.md#scripts))",
    "all": "every shard runs it, all at one point in the order of commands",
    "in turn": "one shard after another; the cursor says which is next",
}


def over_shards(row: Command) -> str:
    """One of REACHES."""
    if row.reach is Reach.ALL:
        return "all"
    if row.reach is Reach.CURSOR:
        return "in turn"
    if row.reach is Reach.SCRIPT:
        return "by text"
    one_key = len(row.keys) == 1 and isinstance(row.keys[0], Keys) and row.keys[0].last is None
    if row.reach is Reach.LOCAL or not row.keys or one_key:
        return "-"
    if row.in_parts is not None:
        return "in parts"
    if row.by_key:
        return "by key"
    return "carried" if row.gather is None else "split"


def _command_cells(row: Command) -> tuple[str, ...]:
    return f"`{row.name} {row.syntax}`".replace(" `", "`"), row.since, over_shards(row), row.summary


# -- configuration


def configuration_page() -> str:
    own_defaults = [row for row in DIRECTIVES.values() if not row.unused]
    unused = [row for row in DIRECTIVES.values() if row.unused]
    return _page(
        [
            "# Configuration",
            MADE_BY,
            "Directives come from a file in the format of redis.conf, from the command line (`--port 7777`), and from "
            "CONFIG SET while the server runs; CONFIG REWRITE writes them back. Those marked *at start-up* cannot be "
            "changed later.",
            _table(("directive", "default", "", "what it does"), map(_directive_cells, own_defaults)),
            "## Known, without effect",
            "All other directives of Redis 7.2 are known: they are checked, kept, and shown by CONFIG GET, so that an "
            "existing redis.conf works. They have no effect; at start-up a warning names those that were changed.",
            _table(("directive", "default"), ((_names(row), _default(row)) for row in unused)),
        ]
    )


def _directive_cells(row: Directive) -> tuple[str, ...]:
    return _names(row), _default(row), "at start-up" if row.fixed or row.starting else "", row.help


def _names(row: Directive) -> str:
    return f"`{row.name}`, `{row.alias}`" if row.alias else f"`{row.name}`"


def _default(row: Directive) -> str:
    if row.name in DEFAULTS:
        return DEFAULTS[row.name]
    shown = row.kind.show(row.default)
    return f"`{shown}`" if shown else "empty"


# -- differences


def differences_page() -> str:
    """Raises Stale."""
    entries = tomllib.loads(HERE.joinpath("differences.toml").read_text("utf-8"))
    _check_differences(entries["difference"])
    missing = _missing(entries["missing"])
    parts = [
        "# Differences from Redis",
        MADE_BY,
        f"Measured against Redis {REDIS_VERSION.rsplit('.', 1)[0]}. A difference that is not listed here is a bug.",
        "## What behaves differently",
    ]
    for entry in entries["difference"]:
        parts += [f"### {entry['title']}", *_difference_lines(entry)]
    parts.append("## Missing commands")
    for title, reason, names in missing:
        parts += [f"### {title}", reason, ", ".join(f"`{name}`" for name in names) + "."]
    return _page(parts)


def _difference_lines(entry: dict[str, Any]) -> Iterator[str]:
    if entry["commands"]:
        yield "*" + ", ".join(entry["commands"]) + "*"
    yield f"- Redis: {entry['genuine']}\n- respcache: {entry['here']}\n- Why: {entry['reason']}"


def _check_differences(entries: list[dict[str, Any]]) -> None:
    known = {row.name for row in rows()}
    for entry in entries:
        if unknown := set(entry["commands"]) - known:
            names = ", ".join(sorted(unknown))
            raise Stale(f"differences.toml: {entry['name']} names nonexistent commands: {names}")


def missing_commands() -> list[str]:
    """The commands of Redis that respcache does not have."""
    known = {row.name for row in rows()}
    return [name for name in REDIS_COMMANDS if name not in known]


def _missing(entries: Iterable[dict[str, Any]]) -> list[tuple[str, str, list[str]]]:
    """Title, reason and names of each group of missing commands. Raises Stale if a command has no reason."""
    left = missing_commands()
    groups = []
    for entry in entries:
        for pattern in entry["commands"]:
            if not any(fnmatchcase(name, pattern) for name in left):
                raise Stale(f"differences.toml: {entry['title']}: {pattern} names no missing command (any more)")
        names = [name for name in left if any(fnmatchcase(name, pattern) for pattern in entry["commands"])]
        left = [name for name in left if name not in names]
        groups.append((entry["title"], entry["reason"], names))
    if left:
        raise Stale(f"differences.toml: missing without a reason: {', '.join(left)}")
    return groups


# -- the testing API


def testing_reference() -> str:
    return _page(["# Testing API", MADE_BY, *testing_page.parts()])


# -- metrics


def metrics_reference() -> str:
    parts = (part if isinstance(part, str) else _table(*part) for part in metrics_page.parts())
    return _page(["# Metrics", MADE_BY, *parts])


# -- lint


def lint_reference() -> str:
    parts = (part if isinstance(part, str) else _table(*part) for part in lint_page.parts())
    return _page(["# Lint", MADE_BY, *parts])


# -- Markdown


def _page(parts: Iterable[str]) -> str:
    return "\n\n".join(parts) + "\n"


def _table(head: Iterable[str], body: Iterable[Iterable[str]]) -> str:
    head = tuple(head)
    lines = [head, tuple("---" for _ in head), *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


# Rows of compat/bench/REPORT.md that README.md shows.
FIGURES = (
    "GET, 50 clients",
    "GET, 50 clients, pipelines of 16",
    "redis-py, one GET after the other",
    "Start until PING is answered",
)
_MEASURED = re.compile(r"(?<=<!-- measured -->\n\n).*?(?=\n\n<!-- /measured -->)", re.DOTALL)


def readme_page() -> str:
    """The current README.md with some rows of the last benchmark."""
    lines = (HERE / "bench" / "REPORT.md").read_text("utf-8").splitlines()
    rows = {line.split("|")[1].strip(): line for line in lines if line.startswith("|")}
    if missing := [title for title in FIGURES if title not in rows]:
        raise Stale(f"bench/REPORT.md has no {', '.join(missing)}: run `python -m compat.bench`")
    table = "\n".join(rows[title] for title in ("", "---", *FIGURES))
    return _MEASURED.sub(lambda _: table, README.read_text("utf-8"), count=1)


PAGES: dict[Path, Callable[[], str]] = {
    REFERENCE / "commands.md": commands_page,
    REFERENCE / "configuration.md": configuration_page,
    REFERENCE / "differences.md": differences_page,
    REFERENCE / "testing.md": testing_reference,
    REFERENCE / "metrics.md": metrics_reference,
    REFERENCE / "lint.md": lint_reference,
    README: readme_page,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
