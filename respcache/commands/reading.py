"""Which keys a command has read, as client-side caching counts them (CLIENT TRACKING)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.table import TABLE, Flag, Reach, lookup
from respcache.errors import CommandError

if TYPE_CHECKING:
    from respcache.commands.table import Command
    from respcache.resp.types import Argv


class _Rows(dict[bytes, "Command | None"]):
    """Names as clients write them -> the row of a command that reads; None for one that does not.

    It holds commands without subcommands in the usual spellings.
    """

    def fill(self) -> None:
        for name, row in TABLE.items():
            if not row.subcommands:
                self[name] = self[name.lower()] = row if reads(row) else None


_ROWS = _Rows()


def reads(row: Command) -> bool:
    """True for a command that only reads, and names the keys. Scripts do not count: what they call does."""
    return bool(row.flags & Flag.READONLY and row.keys) and row.reach is Reach.KEYS


def keys_read(argv: Argv) -> list[bytes]:
    """The keys that are named in a command that only reads, whatever its reply was. Empty for all others."""
    if not _ROWS:
        _ROWS.fill()
    name = argv[0]
    row = _ROWS[name] if name in _ROWS else _other(argv)
    if row is None or not row.accepts(len(argv)):
        return []
    if row.first_key:
        return [argv[row.first_key]]
    return [argv[at] for at in row.key_positions(argv)]


def _other(argv: Argv) -> Command | None:
    try:
        row = lookup(argv)
    except CommandError:
        return None
    return row if reads(row) else None
