"""Bytes that come in pieces of any size, and are taken in portions."""

from __future__ import annotations

from collections import deque


class Portions:
    """A queue of bytes. Neither a large piece nor many small ones cost more than their bytes."""

    def __init__(self, portion: int) -> None:
        self.size = 0
        self._portion = portion
        self._pieces: deque[bytes | memoryview] = deque()

    def add(self, data: bytes) -> None:
        """At the end. A large piece becomes a view, to be cut without copying the rest."""
        self._pieces.append(data if len(data) <= self._portion else memoryview(data))
        self.size += len(data)

    def take(self) -> bytes:
        """A portion from the beginning, or all that there is."""
        pieces = self._pieces
        taken: list[bytes | memoryview] = []
        room = self._portion
        while pieces and room:
            piece = pieces[0]
            if len(piece) > room:
                pieces[0] = memoryview(piece)[room:]
                piece = piece[:room]
            else:
                pieces.popleft()
            taken.append(piece)
            room -= len(piece)
        self.size -= self._portion - room
        return b"".join(taken)

    def clear(self) -> None:
        """Forget all."""
        self._pieces.clear()
        self.size = 0
