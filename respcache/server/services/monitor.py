"""What the monitors of one namespace are shown, in the order of the commands.

A command is shown as soon as it has its place in the order. Two kinds are not complete by then: of a script, what it
calls is known only as its shard reports it; and whether EXEC runs its commands at all depends on the watched keys. Such
an *entry* stays open until it is over, and what comes after it waits. What waits has a limit: beyond it the oldest
entry is given up, and what it still brings is shown when it comes.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

# Bytes that may wait for an open entry.
_MOST_HELD = 16 << 20


class Watcher(Protocol):
    """A client in monitor mode."""

    def show(self, lines: bytes) -> None:
        """Send it lines, each a simple string."""


class Entry:
    """The lines of a script, or of an EXEC.

    expected: those that will be shown if it runs. A None stands where a script of a transaction begins: what that one
    calls is shown there.
    otherwise: what is shown if it does not run.
    """

    __slots__ = ("_expected", "_known", "_otherwise", "_view", "open")

    def __init__(self, view: View, known: Iterable[bytes], expected: Iterable[bytes | None], otherwise: bytes) -> None:
        self._view = view
        self._known = list(known)  # what can be shown
        self._expected = deque(expected)
        self._otherwise = otherwise
        self.open = True

    @property
    def size(self) -> int:
        """Bytes of what it has still to show."""
        return sum(len(line or b"") for line in (*self._known, *self._expected))

    def script_begins(self) -> None:
        """The next script of a transaction begins: so what comes before it has run."""
        if self.open:
            self._move(stop=True)
            self._view.drain()

    def add(self, line: bytes) -> None:
        """The running script has called a command."""
        if self.open:
            self._known.append(line)
            self._view.grown(len(line))
        else:
            self._view.show(line)  # it was given up

    def close(self, ran: bool) -> None:
        """It is over; with `ran`, all that was expected has happened."""
        if not self.open:
            return
        if ran:
            self._move(stop=False)
        else:
            self._view.held += len(self._otherwise) - sum(len(line or b"") for line in self._expected)
            self._expected.clear()
            self._known.append(self._otherwise)
        self.open = False
        self._view.drain()

    def _move(self, *, stop: bool) -> None:
        """What is expected has happened, up to the next script or to the end."""
        while self._expected:
            line = self._expected.popleft()
            if line is not None:
                self._known.append(line)
            elif stop:
                return

    def take(self) -> list[bytes]:
        """What can be shown, and was not taken before."""
        taken, self._known = self._known, []
        return taken


class View:
    """What the monitors of one namespace see."""

    def __init__(self) -> None:
        self.watchers: dict[Watcher, None] = {}
        self._entries: deque[Entry | bytes] = deque()  # the first one is open; lines behind it wait
        self.held = 0  # bytes of these

    @property
    def active(self) -> bool:
        return bool(self.watchers)

    def add(self, line: bytes) -> None:
        """A command that is complete."""
        if self._entries:
            self._entries.append(line)
            self.grown(len(line))
        else:
            self.show(line)

    def open(self, known: Iterable[bytes], expected: Iterable[bytes | None] = (), otherwise: bytes = b"") -> Entry:
        """A command that is not; see `Entry`. It has to be closed."""
        entry = Entry(self, known, expected, otherwise)
        self._entries.append(entry)
        self.grown(entry.size)
        return entry

    def grown(self, size: int) -> None:
        """So many bytes more are held. Shows what can be shown."""
        self.held += size
        self.drain()
        while self.held > _MOST_HELD and self._entries:
            entry = self._entries[0]
            assert isinstance(entry, Entry)
            entry.close(ran=True)

    def drain(self) -> None:
        """Show everything before the first entry that is still open, and what is known of that one."""
        lines: list[bytes] = []
        while self._entries:
            entry = self._entries[0]
            if isinstance(entry, Entry):
                lines += entry.take()
                if entry.open:
                    break
            else:
                lines.append(entry)
            self._entries.popleft()
        if lines:
            shown = b"".join(lines)
            self.held -= len(shown)
            self.show(shown)

    def show(self, lines: bytes) -> None:
        """To all monitors. One that is cut off by that leaves."""
        for watcher in list(self.watchers):
            watcher.show(lines)
