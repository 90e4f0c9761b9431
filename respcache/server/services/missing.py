"""Says on the log which commands of Redis were called that respcache does not have yet: once each.

Clients get the error that Redis gives for any unknown word. This tells a user which of them is a typing error, and
which one is only not there yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.table import TABLE
from respcache.logs import log
from respcache.redis_commands import REDIS_COMMANDS

if TYPE_CHECKING:
    from respcache.resp.types import Argv

_LONGEST = max(map(len, REDIS_COMMANDS))


class MissingCommands:
    """To be made once the table of commands is full."""

    def __init__(self) -> None:
        known = {row.name for top in TABLE.values() for row in (top, *top.subcommands.values())}
        self._missing = frozenset(REDIS_COMMANDS) - known
        # Those that were logged. Bounded by the others, and so is what clients can cause on the log.
        self._told: set[str] = set()

    def called(self, argv: Argv) -> None:
        """The table has no row for this call. Log it if Redis has one."""
        words = [word[:_LONGEST].decode("latin-1").upper() for word in argv[:2]]
        name = " ".join(words)
        if name not in self._missing:  # a subcommand comes before its container
            name = words[0]
        if name in self._missing and name not in self._told:
            self._told.add(name)
            log.warning(f"respcache has no {name} yet: see docs/reference/differences.md")
