"""Counting the commands that main merges, or runs in several steps: what this package needs of those who count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from respcache.commands.table import Command
    from respcache.errors import CommandError
    from respcache.resp.types import Argv
    from respcache.store.call import Caller


class Uncounted:
    """For what main does by itself: it is nobody's command."""

    def ran(self, row: Command, argv: Argv, caller: Caller, nanoseconds: int, *, failed: bool = False) -> None:
        pass

    def rejected(self, argv: Argv) -> None:
        pass

    def count_error(self, error: CommandError) -> None:
        pass


class Counting(Protocol):
    """Counts commands and errors."""

    def ran(self, row: Command, argv: Argv, caller: Caller, nanoseconds: int, *, failed: bool = False) -> None:
        """A command ran, and took so long in all; if it `failed`, its reply is an error."""

    def rejected(self, argv: Argv) -> None:
        """A command was refused before it began."""

    def count_error(self, error: CommandError) -> None:
        """An error is sent to a client."""
