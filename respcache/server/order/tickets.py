"""The tickets of runs and transactions, and how their answers fill the batches of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.resp.encode import encode
from respcache.resp.types import NULL_ARRAY
from respcache.server.order.outbox import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from respcache.errors import CommandError
    from respcache.server.order.outbox import Outbox


def batch_of(ticket: object) -> Batch | None:
    """The batch that a ticket helps to fill, if it is known: not where the client waits for a task anyway."""
    batch: Batch | None = getattr(ticket, "batch", None)
    return batch


class SplitBatch(Batch):
    """A batch whose commands went to several shards; `shards` says where each one went."""

    __slots__ = ("replies", "shards")

    def __init__(self, outbox: Outbox, shards: bytes, missing: int) -> None:
        super().__init__(outbox, len(shards), missing)
        self.shards = shards
        self.replies: dict[int, Iterator[bytes]] = {}

    def output(self) -> bytes:
        self.data = b"".join(map(next, map(self.replies.__getitem__, self.shards)))
        return super().output()


class WholeRun:
    """Ticket of a run that is all of its batch: the answer is bytes, in one piece or several."""

    __slots__ = ("batch",)

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def deliver(self, result: bytes) -> None:
        batch = self.batch
        batch.data = batch.data + result if batch.data else result
        batch.arrived()

    def deliver_piece(self, result: bytes) -> None:
        self.batch.data += result
        self.batch.outbox.ready()

    def fail(self, error: CommandError) -> None:
        # How many replies the pieces held is not known; one error each for all commands is what a client expects of a
        # run that was lost. After pieces it can only be told that the connection is of no more use.
        batch = self.batch
        if batch.data or batch.sent:
            batch.outbox.break_off()
        else:
            batch.data = error.line() * batch.count
        batch.arrived()


class PartialRun:
    """Ticket of what one shard has of a `SplitBatch`: the answer is a list of bytes, a reply each."""

    __slots__ = ("_pieces", "batch", "shard")

    def __init__(self, batch: SplitBatch, shard: int) -> None:
        self.batch = batch
        self.shard = shard
        self._pieces: list[bytes] = []

    def deliver(self, result: list[bytes]) -> None:
        self.batch.replies[self.shard] = iter(self._pieces + result if self._pieces else result)
        self.batch.arrived()

    def deliver_piece(self, result: list[bytes]) -> None:
        self._pieces += result

    def fail(self, error: CommandError) -> None:
        self.deliver([error.line()] * (self.batch.shards.count(self.shard) - len(self._pieces)))


class ExecTicket:
    """Ticket of a transaction that runs in one frame of one shard: a list of replies, None if a watched key changed.

    on_end: told that it is over, and whether it has run.
    """

    __slots__ = ("_count", "_on_end", "_pieces", "_protocol", "batch")

    def __init__(self, batch: Batch, count: int, protocol: int, on_end: Callable[[bool], object] = bool) -> None:
        self.batch = batch
        self._count = count
        self._protocol = protocol
        self._on_end = on_end
        self._pieces: list[bytes] = []

    def deliver(self, result: list[bytes] | None) -> None:
        if result is None:
            self.batch.data = encode(NULL_ARRAY, self._protocol)
        else:
            self.batch.data = b"*%d\r\n%b" % (self._count, b"".join(self._pieces + result))
        self.batch.arrived()
        self._on_end(result is not None)

    def deliver_piece(self, result: list[bytes]) -> None:
        self._pieces += result

    def fail(self, error: CommandError) -> None:
        self.batch.data = error.line()
        self.batch.arrived()
        self._on_end(True)  # for all that is known
