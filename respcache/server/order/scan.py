"""SCAN over several shards: one shard after the other, its number in the cursor.

A client's cursor is ``own * shards + shard``, where `own` is the cursor that this shard gave out (0: from the start).
So 0 starts with the first shard. A call that reaches the end of one shard with less than COUNT keys goes on with the
next one, so that a few keys come in one call, as in Redis; it costs COUNT steps per shard at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.commands.args import parse_int
from respcache.commands.scanning import DEFAULT_COUNT, parse_cursor
from respcache.errors import CommandError
from respcache.resp.encode import encode
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from respcache.commands.table import Command
    from respcache.resp.types import Argv
    from respcache.server.order.counting import Counting
    from respcache.server.order.outbox import Batch
    from respcache.server.shards.link import ShardLink
    from respcache.shard.wire import Item
    from respcache.store.call import Caller


class Scan:
    """One SCAN, shard by shard. `reply` is set when it is done. Raises CommandError for an invalid cursor.

    counting: told when it is done, and how long it took in all shards.
    """

    def __init__(self, caller: Caller, row: Command, argv: Argv, shards: int, counting: Counting) -> None:
        self._caller = caller
        self._row = row
        self._argv = argv
        self._counting = counting
        self._nanoseconds = 0
        self._shards = shards  # how many there are
        # The shard that is asked next, and its own cursor.
        try:
            self._cursor, self.shard = divmod(parse_cursor(argv[1]), shards)
        except CommandError:
            self.failed()
            raise
        self._wanted = _count(argv)
        self._found: list[Any] = []  # keys, of all shards so far
        self.reply = b""

    def item(self) -> Item:
        """What to ask of shard `shard`."""
        return wire.part(self._caller, [self._argv[0], b"%d" % self._cursor, *self._argv[2:]])

    def take(self, result: tuple[list[Any], int]) -> bool:
        """The answer of the shard. True if the scan is done; otherwise `item` is for the next shard."""
        answer, nanoseconds = result
        self._nanoseconds += nanoseconds
        self._cursor = int(answer[0])
        self._found += answer[1]
        if not self._cursor:
            self.shard += 1
            if self.shard < self._shards and len(self._found) < self._wanted:
                return False
        told = 0 if self.shard == self._shards else self._cursor * self._shards + self.shard
        self.reply = encode([b"%d" % told, self._found], self._caller.protocol)
        self._counting.ran(self._row, self._argv, self._caller, self._nanoseconds)
        return True

    def failed(self) -> None:
        """It ends with an error."""
        self._counting.ran(self._row, self._argv, self._caller, self._nanoseconds, failed=True)


def _count(argv: Argv) -> int:
    """The COUNT of a SCAN. The shard refuses one that is not a number."""
    for at in range(2, len(argv) - 1, 2):
        if argv[at].upper() == b"COUNT":
            return parse_int(argv[at + 1]) or DEFAULT_COUNT
    return DEFAULT_COUNT


class ScanTicket:
    """The ticket of a SCAN on its way through the shards. `count_error`: told the error that it ends with."""

    __slots__ = ("_count_error", "_links", "_scan", "batch")

    def __init__(
        self, batch: Batch, scan: Scan, links: Sequence[ShardLink], count_error: Callable[[CommandError], None]
    ) -> None:
        self._count_error = count_error
        self.batch = batch
        self._scan = scan
        self._links = links

    def submit(self) -> None:
        """Take the next place in the order of the shard that the scan has come to."""
        self._links[self._scan.shard].submit(self._scan.item(), self)

    def deliver(self, result: tuple[list[Any], int]) -> None:
        try:
            done = self._scan.take(result)
        except CommandError as too_large:
            self.fail(too_large)
            return
        if done:
            self.batch.data = self._scan.reply
            self.batch.arrived()
        else:
            self.submit()

    def deliver_piece(self, result: Any) -> None:  # noqa: ARG002 - a Ticket has it, and gets no pieces here
        raise AssertionError("a part is answered whole")

    def fail(self, error: CommandError) -> None:
        self._scan.failed()
        self._count_error(error)
        self.batch.data = error.line()
        self.batch.arrived()
