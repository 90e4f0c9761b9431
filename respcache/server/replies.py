"""Batches of answers, filled by the tickets of what was sent to shards; the `Outbox` sends them in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.commands.table import Part
from respcache.errors import CommandError
from respcache.resp.encode import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from respcache.commands.table import Command
    from respcache.server.session import Session


# What a local handler returns when its reply is on its way already, or when there is none to send.
IN_A_SLOT = object()


class Batch:
    """The replies of some consecutive commands of a session. `missing` counts the answers still to come."""

    __slots__ = ("count", "data", "missing", "muted", "session")

    def __init__(self, session: Session, count: int, missing: int, data: bytes = b"") -> None:
        self.session = session
        self.count = count
        self.missing = missing
        self.data = data  # all replies, joined
        self.muted = False  # CLIENT REPLY OFF: answered, but not sent

    def arrived(self) -> None:
        """One of the missing answers is in."""
        self.missing -= 1
        if not self.missing:
            self.session.outbox.answered()

    def output(self) -> bytes:
        """What to send. To be called once, when nothing is missing."""
        return b"" if self.muted else self.data


class SplitBatch(Batch):
    """A batch whose commands went to several shards; `shards` says where each one went."""

    __slots__ = ("replies", "shards")

    def __init__(self, session: Session, shards: bytes, missing: int) -> None:
        super().__init__(session, len(shards), missing)
        self.shards = shards
        self.replies: dict[int, Iterator[bytes]] = {}

    def output(self) -> bytes:
        self.data = b"".join(map(next, map(self.replies.__getitem__, self.shards)))
        return super().output()


class WholeRun:
    """Ticket of a run that is all of its batch: the answer is one piece."""

    __slots__ = ("batch",)

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def deliver(self, result: bytes) -> None:
        self.batch.data = result
        self.batch.arrived()

    def fail(self, error: CommandError) -> None:
        self.batch.data = error.line() * self.batch.count
        self.batch.arrived()


class PartialRun:
    """Ticket of what one shard has of a `SplitBatch`."""

    __slots__ = ("batch", "shard")

    def __init__(self, batch: SplitBatch, shard: int) -> None:
        self.batch = batch
        self.shard = shard

    def deliver(self, result: list[bytes]) -> None:
        self.batch.replies[self.shard] = iter(result)
        self.batch.arrived()

    def fail(self, error: CommandError) -> None:
        self.deliver([error.line()] * self.batch.shards.count(self.shard))


class Gathering:
    """The parts of one command that was cut up; `finish(reply)` gets the merged reply, or the first error."""

    __slots__ = ("_batch", "_missing", "_parts", "_protocol", "_row", "error")

    def __init__(self, row: Command, parts: int, protocol: int, batch: Batch) -> None:
        self._row = row
        self._missing = parts
        self._parts: list[Part | None] = [None] * parts
        self._protocol = protocol
        self._batch = batch
        self.error: CommandError | None = None

    def ticket(self, index: int, positions: list[int]) -> PartTicket:
        """The ticket of part `index`; `positions` says where its keys are in the command."""
        return PartTicket(self, index, positions)

    def put(self, index: int, part: Part) -> None:
        self._parts[index] = part
        self._missing -= 1
        if not self._missing:
            self._batch.data = merge(self._row, [p for p in self._parts if p], self._protocol, self.error)
            self._batch.arrived()


def merge(row: Command, parts: list[Part], protocol: int, error: CommandError | None) -> bytes:
    """The encoded reply of a command out of its parts; an error of any part is the error of the whole."""
    assert row.gather is not None
    return error.line() if error is not None else encode(row.gather(parts), protocol)


class PartTicket:
    """Ticket of one part of a split command."""

    __slots__ = ("_gathering", "_index", "_positions")

    def __init__(self, gathering: Gathering, index: int, positions: list[int]) -> None:
        self._gathering = gathering
        self._index = index
        self._positions = positions

    def deliver(self, result: tuple[bool, Any]) -> None:
        succeeded, reply = result
        if not succeeded and self._gathering.error is None:
            self._gathering.error = CommandError(reply)
        self._gathering.put(self._index, Part(reply, self._positions))

    def fail(self, error: CommandError) -> None:
        self._gathering.error = error
        self._gathering.put(self._index, Part(None, self._positions))
