"""Merging the answers of several shards into the one reply of a command that was cut up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache import errors
from respcache.commands.table import Part
from respcache.errors import CommandError
from respcache.logs import log_exception
from respcache.resp.encode import encode

if TYPE_CHECKING:
    from respcache.commands.table import Command
    from respcache.resp.types import Argv
    from respcache.server.order.counting import Counting
    from respcache.server.order.outbox import Batch
    from respcache.store.call import Caller


class Gathering:
    """The parts of one command; when the last one is in, its batch has the merged reply, or the first error.

    counting: told then that the command ran, and for how long in all its shards.
    """

    __slots__ = ("_argv", "_caller", "_counting", "_error", "_missing", "_nanoseconds", "_parts", "_row", "batch")

    def __init__(self, row: Command, argv: Argv, parts: int, caller: Caller, batch: Batch, counting: Counting) -> None:
        self._row = row
        self._argv = argv
        self._missing = parts
        self._parts: list[Part | None] = [None] * parts
        self._caller = caller
        self.batch = batch
        self._counting = counting
        self._nanoseconds = 0
        self._error: CommandError | None = None

    def ticket(self, index: int, positions: list[int]) -> PartTicket:
        """The ticket of part `index`; `positions` says where its keys are in the command."""
        return PartTicket(self, index, positions)

    def put(self, index: int, part: Part, nanoseconds: int, error: CommandError | None = None) -> None:
        """The answer to part `index`, and how long it took."""
        self._error = self._error or error
        self._parts[index] = part
        self._nanoseconds += nanoseconds
        self._missing -= 1
        if not self._missing:
            self._finish()

    def _finish(self) -> None:
        parts: list[Part] | CommandError = self._error or [part for part in self._parts if part]
        self.batch.data = merged(self._row, self._argv, self._caller, parts, self._nanoseconds, self._counting)
        self.batch.arrived()


def merged(
    row: Command, argv: Argv, caller: Caller, parts: list[Part] | CommandError, nanoseconds: int, counting: Counting
) -> bytes:
    """The encoded reply of a command from its parts, or from the first error among them. The command is counted."""
    failed = False
    try:
        if isinstance(parts, CommandError):
            raise parts
        data = _merge(row, parts, caller.protocol)
    except CommandError as error:
        failed = True
        counting.count_error(error)
        data = error.line()
    counting.ran(row, argv, caller, nanoseconds, failed=failed)
    return data


def _merge(row: Command, parts: list[Part], protocol: int) -> bytes:
    """The encoded reply of a command from its parts. Raises CommandError."""
    assert row.gather is not None
    try:
        return encode(row.gather(parts), protocol)
    except CommandError:
        raise
    except Exception:
        # A bug of the command's `gather`, as in a handler. The shards that answered are not to blame.
        log_exception(f"the parts of {row.name} could not be merged")
        raise CommandError(errors.INTERNAL) from None


class PartTicket:
    """Ticket of one part of a command."""

    __slots__ = ("_gathering", "_index", "_positions")

    def __init__(self, gathering: Gathering, index: int, positions: list[int]) -> None:
        self._gathering = gathering
        self._index = index
        self._positions = positions

    @property
    def batch(self) -> Batch:
        """Where the reply will be."""
        return self._gathering.batch

    def deliver(self, result: tuple[Any, int]) -> None:
        reply, nanoseconds = result
        self._gathering.put(self._index, Part(reply, self._positions), nanoseconds)

    def deliver_piece(self, result: Any) -> None:  # noqa: ARG002 - a Ticket has it, and gets no pieces here
        raise AssertionError("a part is answered whole")

    def fail(self, error: CommandError) -> None:
        self._gathering.put(self._index, Part(None, self._positions), 0, error)
