"""Copies of strings for a reply that has many."""

from __future__ import annotations

from respcache.errors import REPLY_TOO_LARGE, CommandError
from respcache.resp.encode import MAX_REPLY


class Copies:
    """Strings that were changed in place, and may be again before the reply is sent, are copied for it.

    A reply that will be too large is refused before its copies take all memory: the same string may come many times.
    """

    __slots__ = ("_room",)

    def __init__(self) -> None:
        self._room = MAX_REPLY

    def of(self, value: bytearray) -> bytes:
        """One more copy. Raises CommandError."""
        self._room -= len(value)
        if self._room < 0:
            raise CommandError(REPLY_TOO_LARGE)
        return bytes(value)
