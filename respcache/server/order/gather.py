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
    from respcache.server.order.outbox import Batch


class Gathering:
    """The parts of one command; when the last one is in, its batch has the merged reply, or the first error."""

    __slots__ = ("_error", "_missing", "_parts", "_protocol", "_row", "batch")

    def __init__(self, row: Command, parts: int, protocol: int, batch: Batch) -> None:
        self._row = row
        self._missing = parts
        self._parts: list[Part | None] = [None] * parts
        self._protocol = protocol
        self.batch = batch
        self._error: CommandError | None = None

    def ticket(self, index: int, positions: list[int]) -> PartTicket:
        """The ticket of part `index`; `positions` says where its keys are in the command."""
        return PartTicket(self, index, positions)

    def put(self, index: int, part: Part, error: CommandError | None = None) -> None:
        """The answer to part `index`."""
        self._error = self._error or error
        self._parts[index] = part
        self._missing -= 1
        if not self._missing:
            self.batch.data = merge(self._row, [p for p in self._parts if p], self._protocol, self._error)
            self.batch.arrived()


def merge(row: Command, parts: list[Part], protocol: int, error: CommandError | None) -> bytes:
    """The encoded reply of a command from its parts; an error of any part is the error of the whole."""
    assert row.gather is not None
    if error is None:
        try:
            return encode(row.gather(parts), protocol)
        except CommandError as too_large:
            error = too_large
        except Exception:
            # A bug of the command's `gather`, as in a handler. The shards that answered are not to blame.
            log_exception(f"the parts of {row.name} could not be merged")
            error = CommandError(errors.INTERNAL)
    return error.line()


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

    def deliver(self, result: Any) -> None:
        self._gathering.put(self._index, Part(result, self._positions))

    def deliver_piece(self, result: Any) -> None:  # noqa: ARG002 - a Ticket has it, and gets no pieces here
        raise AssertionError("a part is answered whole")

    def fail(self, error: CommandError) -> None:
        self._gathering.put(self._index, Part(None, self._positions), error)
