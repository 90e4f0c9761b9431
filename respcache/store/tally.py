"""How often commands were called, and how long they took: for INFO commandstats and latencystats.

Each process has one of these. Main adds them up when it is asked.
"""

from __future__ import annotations

from collections import defaultdict

# Durations up to so many microseconds are kept as they are, longer ones with so many values per power of two. A
# histogram of Redis has 128, so nothing that it tells apart is lost.
EXACT = 1 << 10
_BITS = EXACT.bit_length() - 1
# As in Redis, nothing is longer in a histogram: a second.
_LONGEST = 1_000_000


# What is known of one command, as it travels: calls, nanoseconds, failed, rejected, histogram; see `Entry`.
Counts = tuple[int, int, int, int, dict[int, int]]


class Entry:
    """One command."""

    __slots__ = ("calls", "failed", "histogram", "nanoseconds", "rejected")

    def __init__(self) -> None:
        # How often it ran, and how long in all.
        self.calls = 0
        self.nanoseconds = 0
        # Calls that ended with an error, and those that were refused before they began, which are no calls.
        self.failed = 0
        self.rejected = 0
        # Microseconds, rounded -> calls. Empty while ``latency-tracking`` is off.
        self.histogram: defaultdict[int, int] = defaultdict(int)

    def clear(self) -> None:
        """Start from zero."""
        self.calls = self.nanoseconds = self.failed = self.rejected = 0
        self.histogram.clear()


class Tally:
    """All commands, by wire name (``get``, ``config|get``). Names come from the table only, which bounds them."""

    __slots__ = ("_entries", "tracking")

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        # Keep histograms (``latency-tracking``).
        self.tracking = True

    def entry(self, name: str) -> Entry:
        """That of a command. It stays the same object."""
        entry = self._entries.get(name)
        if entry is None:
            entry = self._entries[name] = Entry()
        return entry

    def ran(self, entry: Entry, nanoseconds: int, calls: int = 1) -> None:
        """A command ran so often, and took so long in all: each call an equal share."""
        entry.calls += calls
        entry.nanoseconds += nanoseconds
        if self.tracking:
            microseconds = nanoseconds // (1000 * calls)
            if microseconds >= EXACT:
                microseconds = rounded(microseconds)
            entry.histogram[microseconds] += calls

    def entries(self) -> list[tuple[str, Entry]]:
        """The commands of which something is known, by name."""
        return sorted(
            (name, entry) for name, entry in self._entries.items() if entry.calls or entry.failed or entry.rejected
        )

    def reset(self) -> None:
        """CONFIG RESETSTAT."""
        for entry in self._entries.values():
            entry.clear()

    def counts(self) -> dict[str, Counts]:
        """The commands of which something is known, by name."""
        return {
            name: (entry.calls, entry.nanoseconds, entry.failed, entry.rejected, dict(entry.histogram))
            for name, entry in self.entries()
        }

    def add(self, counts: dict[str, Counts]) -> None:
        """Add what another process has counted."""
        for name, (calls, nanoseconds, failed, rejected, histogram) in counts.items():
            entry = self.entry(name)
            entry.calls += calls
            entry.nanoseconds += nanoseconds
            entry.failed += failed
            entry.rejected += rejected
            for microseconds, count in histogram.items():
                entry.histogram[microseconds] += count


def rounded(microseconds: int) -> int:
    """A long duration as it stands in a histogram."""
    if microseconds >= _LONGEST:
        return _LONGEST
    excess = max(0, microseconds.bit_length() - _BITS)
    return microseconds >> excess << excess


# The histograms of Redis (HdrHistogram) tell values apart to two digits: of nanoseconds in 128 steps per power of two.
_STEPS_BITS = 7


def _end_of_step(nanoseconds: int) -> int:
    """The largest value that Redis' histograms do not tell apart from this one."""
    excess = max(0, nanoseconds.bit_length() - _STEPS_BITS - 1)
    return (nanoseconds >> excess << excess) + (1 << excess) - 1


def distribution(histogram: dict[int, int]) -> dict[int, int]:
    """Microseconds -> how many calls took so long or less, as LATENCY HISTOGRAM shows it.

    The limits are powers of two, by 1024 nanoseconds; those that add nothing are left out.
    """
    shown: dict[int, int] = {}
    calls = 0
    limit = 1024
    for microseconds, count in sorted(histogram.items()):
        while microseconds > _end_of_step(limit) // 1000:
            limit *= 2
        calls += count
        shown[_end_of_step(limit) // 1000] = calls
    return shown


def percentile(histogram: dict[int, int], percent: float) -> float:
    """The microseconds that this part of the calls took at most, to the precision of Redis' histograms."""
    calls = sum(histogram.values())
    wanted = max(1, int(percent / 100 * calls + 0.5))
    for microseconds, count in sorted(histogram.items()):
        wanted -= count
        if wanted <= 0:
            return _end_of_step(max(1, microseconds * 1000)) / 1000
    return 0.0
