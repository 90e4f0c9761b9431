"""SCAN over several shards: one shard after the other, its number in the cursor.

A client's cursor is ``place * shards + shard``, where `place` is the cursor of that shard's own keys (0: from the
start). So 0 starts with the first shard. A call that reaches the end of one shard with less than COUNT keys goes on
with the next one, so that a few keys come in one call, as in Redis; it costs COUNT steps a shard at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.commands.scanning import DEFAULT_COUNT, parse_cursor
from respcache.errors import CommandError
from respcache.resp.encode import encode
from respcache.shard import wire

if TYPE_CHECKING:
    from respcache.server.replies import Batch
    from respcache.server.session import Session
    from respcache.shard.wire import Item

Argv = list[bytes]


class Scan:
    """One SCAN, shard by shard. `reply` is set when it is done. Raises CommandError for a cursor that is none."""

    def __init__(self, session: Session, argv: Argv) -> None:
        self._shards = session.server.router.shards
        self._place, self.shard = divmod(parse_cursor(argv[1]), self._shards)
        self._argv = argv
        self._wanted = _count(argv)
        self._found: list[Any] = []
        # As it was when the command came: what the client sends next may change it.
        self._context = (session.db, session.protocol, session.id, session.touch)
        self.reply = b""

    def item(self) -> Item:
        """What to ask of shard `shard`."""
        return (wire.PART, *self._context, [self._argv[0], b"%d" % self._place, *self._argv[2:]])

    def take(self, result: tuple[bool, Any]) -> bool:
        """The answer of the shard; whether the scan is done. If not, `item` is for the next shard."""
        succeeded, answer = result
        if not succeeded:
            self.reply = CommandError(answer).line()
            return True
        self._place = int(answer[0])
        self._found += answer[1]
        if not self._place:
            self.shard += 1
            if self.shard < self._shards and len(self._found) < self._wanted:
                return False
        cursor = 0 if self.shard == self._shards else self._place * self._shards + self.shard
        self.reply = encode([b"%d" % cursor, self._found], self._context[1])
        return True


def _count(argv: Argv) -> int:
    """The COUNT of a SCAN. One that is no number is for the shard to complain about."""
    for at in range(2, len(argv) - 1, 2):
        if argv[at].upper() == b"COUNT" and argv[at + 1].isdigit():
            return int(argv[at + 1])
    return DEFAULT_COUNT


class ScanTicket:
    """The ticket of a SCAN on its way through the shards."""

    __slots__ = ("_batch", "_scan")

    def __init__(self, batch: Batch, scan: Scan) -> None:
        self._batch = batch
        self._scan = scan

    def submit(self) -> None:
        """Take the next place in the order of the shard that the scan has come to."""
        self._batch.session.server.links[self._scan.shard].submit(self._scan.item(), self)

    def deliver(self, result: tuple[bool, Any]) -> None:
        if self._scan.take(result):
            self._batch.data = self._scan.reply
            self._batch.arrived()
        else:
            self.submit()

    def fail(self, error: CommandError) -> None:
        self._batch.data = error.line()
        self._batch.arrived()
