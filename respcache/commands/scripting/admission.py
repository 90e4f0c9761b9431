"""What a command called by a script has to pass, in Redis' order and with the texts that scripts get."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache import errors
from respcache.commands.table import TABLE, Command, Flag
from respcache.errors import CommandError

if TYPE_CHECKING:
    from respcache.resp.types import Argv

_WRITES = Flag.WRITE | Flag.MAY_REPLICATE
# Looked at with every call, and a look at an IntFlag takes half a microsecond: row -> (not allowed, writes).
_facts: dict[Command, tuple[bool, bool]] = {}


def row_of(argv: Argv) -> Command | None:
    """The row of the command that a script calls, by its name alone; None if this process has no such row."""
    row = TABLE.get(argv[0]) or TABLE.get(argv[0].upper())
    if row is not None and row.subcommands and len(argv) > 1:
        return row.subcommands.get(argv[1]) or row.subcommands.get(argv[1].upper())
    return row


def admit(row: Command | None, argv: Argv, *, read_only: bool, deny: bool = True) -> bool:
    """Raises CommandError if a script may not call this; what is not for scripts, only with `deny`.

    True if the command writes.
    """
    if row is None:
        raise CommandError(errors.UNKNOWN_IN_SCRIPT)
    if not row.accepts(len(argv)):
        raise CommandError(errors.WRONG_ARITY_IN_SCRIPT)
    facts = _facts.get(row)
    if facts is None:
        facts = _facts[row] = (bool(row.flags & Flag.NOSCRIPT), bool(row.flags & _WRITES))
    forbidden, writes = facts
    if forbidden and deny:
        raise CommandError(errors.NOT_IN_SCRIPT)
    if writes and read_only:
        raise CommandError(errors.WRITE_IN_READ_ONLY_SCRIPT)
    return writes
