"""How rows get into the table, and how a command's words find theirs.

A module of commands begins with ``command = family("list")`` and puts `@command` above each handler.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from respcache import errors
from respcache.commands.table.help import help_of
from respcache.commands.table.keys import KeyFinder, Keys, KeySpec, KeywordKeys, NumKeys, StreamKeys
from respcache.commands.table.spec import (
    LOADING,
    NO_FLAGS,
    STALE,
    TABLE,
    Command,
    Flag,
    Handler,
    InParts,
    Reach,
    Roams,
    Waits,
)
from respcache.resp.types import Reply

if TYPE_CHECKING:
    from respcache.commands.table.gather import Gather
    from respcache.resp.types import Argv

H = TypeVar("H", bound=Handler)


class Family:
    """Registers the commands of one group (as COMMAND DOCS calls it)."""

    def __init__(self, group: str) -> None:
        self.group = group

    def __call__(
        self,
        name: str,
        syntax: str = "",
        *,
        arity: int,
        keys: KeySpec | tuple[KeySpec, ...] = (),
        flags: Flag = NO_FLAGS,
        gather: Gather | None = None,
        roams: Roams | None = None,
        waits: Waits = lambda _: True,
        in_parts: InParts | None = None,
        by_key: bool = False,
        reach: Reach | None = None,
        since: str,
        help_since: str = "",
        categories: tuple[str, ...] = (),
        tips: tuple[str, ...] = (),
    ) -> Callable[[H], H]:
        """Register the function below as the handler of `name`.

        `gather` merges the replies if the command may be cut up by key; without it, a command whose keys are on several
        shards is carried, unless `in_parts` says how each shard does its part, or it is `by_key`: it needs only the
        first of its keys that exists, and runs there. `roams` tells if a call may use keys that it does not name: such
        a call is carried with a barrier over all shards, and its handler asks for those keys by `Shard.require`.
        `waits` tells if a call of a blocking command may wait (the default: any may); its handler raises `Blocked`.
        `reach` follows from `keys` and is given only for ALL, CURSOR, HELD, and commands with keys that main answers.
        `help_since` adds a HELP subcommand. `categories` are ACL categories beyond those that flags and group imply.
        The first line of the docstring is the summary in the docs.
        """

        def register(handler: H) -> H:
            specs = (keys,) if isinstance(keys, (Keys, NumKeys, KeyFinder, StreamKeys, KeywordKeys)) else keys
            row = Command(
                name,
                handler,
                syntax=syntax,
                arity=arity,
                keys=specs,
                flags=flags,
                gather=gather,
                roams=roams,
                waits=waits,
                in_parts=in_parts,
                by_key=by_key,
                reach=reach or (Reach.KEYS if specs else Reach.LOCAL),
                since=since,
                group=self.group,
                categories=categories,
                tips=tips,
                summary=(handler.__doc__ or "").strip().split("\n", 1)[0],
            )
            container, _, subcommand = name.encode().partition(b" ")
            if subcommand:
                TABLE[container].subcommands[subcommand] = row
            else:
                TABLE[container] = row
            if help_since:
                self._add_help(row, help_since)
            return handler

        return register

    def container(self, name: str, summary: str, *, since: str, help_since: str) -> None:
        """Register a command that only holds subcommands (OBJECT, CONFIG ...), and its HELP."""

        def uncallable(place: object, args: object) -> Reply:
            raise AssertionError(f"{name} has no handler: only its subcommands are called")

        uncallable.__doc__ = summary
        self(name, arity=-2, reach=Reach.LOCAL, since=since, help_since=help_since)(uncallable)

    def _add_help(self, row: Command, since: str) -> None:
        def print_help(place: object, args: object) -> Reply:
            """List the subcommands."""
            return help_of(row)

        flags = LOADING | STALE
        self(f"{row.name} HELP", arity=2, flags=flags, since=since, categories=row.categories)(print_help)


def family(group: str) -> Family:
    """What registers the commands of `group`: ``command = family("list")``."""
    return Family(group)


def lookup(argv: Argv) -> Command:
    """The row that `argv` calls, with the number of words checked. Raises CommandError, worded as in Redis."""
    row = find_row(argv)
    if not row.accepts(len(argv)):
        raise errors.wrong_arity(row.wire_name)
    return row


def find_row(argv: Argv) -> Command:
    """The row that `argv` calls, by its name alone. Raises CommandError."""
    row = TABLE.get(argv[0]) or TABLE.get(argv[0].upper())
    if row is None:
        raise errors.unknown_command(argv)
    if row.subcommands and len(argv) > 1:
        subcommand = row.subcommands.get(argv[1]) or row.subcommands.get(argv[1].upper())
        if subcommand is None:
            raise errors.unknown_subcommand(row.name, argv[1])
        row = subcommand
    return row
