"""SCAN over several shards: one shard after the other, its number in the cursor.

A client's cursor is ``place * shards + shard``, where `place` is the cursor of that shard's own keys (0: from the
start). So 0 starts with the first shard, and a call costs what the call to one shard costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.errors import INVALID_CURSOR, CommandError
from respcache.resp.encode import encode

if TYPE_CHECKING:
    from respcache.server.replies import Batch

Argv = list[bytes]


def shard_of_cursor(argv: Argv, shards: int) -> tuple[int, Argv]:
    """Which shard a SCAN goes to, and the command with that shard's own cursor. Raises CommandError."""
    try:
        cursor = int(argv[1])
    except ValueError:
        raise CommandError(INVALID_CURSOR) from None
    if not 0 <= cursor < 1 << 64:
        raise CommandError(INVALID_CURSOR)
    return cursor % shards, [argv[0], b"%d" % (cursor // shards), *argv[2:]]


def client_reply(result: tuple[bool, Any], shard: int, shards: int, protocol: int) -> bytes:
    """The shard's answer with the client's cursor in it, or its error, in bytes."""
    succeeded, reply = result
    if not succeeded:
        return CommandError(reply).line()
    cursor = int(reply[0])
    if cursor:
        cursor = cursor * shards + shard
    elif shard + 1 < shards:
        cursor = shard + 1
    return encode([b"%d" % cursor, reply[1]], protocol)


class ScanTicket:
    """The ticket of a SCAN."""

    __slots__ = ("_batch", "_shard", "_shards")

    def __init__(self, batch: Batch, shard: int, shards: int) -> None:
        self._batch = batch
        self._shard = shard
        self._shards = shards

    def deliver(self, result: tuple[bool, Any]) -> None:
        self._batch.data = client_reply(result, self._shard, self._shards, self._batch.session.protocol)
        self._batch.arrived()

    def fail(self, error: CommandError) -> None:
        self._batch.data = error.line()
        self._batch.arrived()
