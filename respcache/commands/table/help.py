"""The HELP subcommands: help in the form of Redis, generated from the rows of the table."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from respcache.commands.table.syntax import Argument, parse_syntax
from respcache.resp.types import Reply, Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from respcache.commands.table.spec import Command

_INDENT = "    "
_WIDTH = 80
_REPEATED = 40  # a longer argument is not written out twice


def help_of(row: Command) -> Reply:
    """The reply to HELP for a command with subcommands: each of them, with its summary."""
    subcommands = sorted(row.subcommands.values(), key=lambda subcommand: subcommand.name)
    entries = [_entry(subcommand) for subcommand in subcommands if not subcommand.name.endswith(" HELP")]
    if row.accepts(1):
        entries.insert(0, ("(no subcommand)", row.summary))
    return help_reply(row.name, entries)


def help_reply(container: str, entries: Iterable[tuple[str, str]]) -> Reply:
    """The same from (usage, summary) pairs, for subcommands without rows (DEBUG)."""
    lines = [f"{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for usage, summary in (*entries, ("HELP", "Print this help.")):
        lines.append(usage)
        lines += wrap(summary, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
    return [Status(line.encode()) for line in lines]


def _entry(row: Command) -> tuple[str, str]:
    _, _, subcommand = row.name.partition(" ")
    return f"{subcommand} {_usage(parse_syntax(row.name, row.syntax, len(row.keys)))}".rstrip(), row.summary


def _usage(arguments: Iterable[Argument]) -> str:
    return " ".join(map(_shown, arguments))


def _shown(argument: Argument) -> str:
    """One argument as help writes it: ``<value>``, ``(ON|OFF)``, ``[<key> [<key> ...]]``."""
    match argument.type:
        case "pure-token":
            body = ""
        case "oneof":
            # Among alternatives, brackets around one of them would say nothing.
            body = f"({'|'.join(_alone(choice) for choice in argument.arguments)})"
        case "block":
            body = _usage(argument.arguments)
        case _:
            body = f"<{argument.display}>"
    shown = f"{argument.token} {body}".strip()
    if argument.multiple:
        again = shown if argument.multiple_token else body
        shown += f" [{again} ...]" if len(again) <= _REPEATED else " [...]"
    if argument.optional:
        return f"[{body[1:-1]}]" if argument.type == "oneof" and shown == body else f"[{shown}]"
    return shown


def _alone(choice: Argument) -> str:
    return _shown(choice).removeprefix("[").removesuffix("]") if choice.optional else _shown(choice)
