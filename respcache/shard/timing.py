"""How long the commands of a shard take, and which of them are slow.

The clock is read twice per item of one command. In a pipeline of commands that have the same name and are brief by
nature (main says so, see `wire.run`), it is read twice for all of them, which share the time equally: to read it costs
as much as a tenth of such a command. Of other pipelines and of transactions each command is measured; so are all while
the threshold for slow commands is below a millisecond.

Times are real ones: tests that freeze the server's clock do not change them.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING

from respcache.commands.scripting.admission import row_of
from respcache.commands.scripting.scripts import UNKNOWN
from respcache.commands.table import TABLE
from respcache.store.tally import EXACT, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from respcache.resp.types import Argv
    from respcache.store.shard import Shard
    from respcache.store.tally import Entry

# The longest that nothing is slow.
_NEVER = 1 << 62
# Below this threshold, in nanoseconds, even brief commands are measured one by one.
_FINE = 1_000_000
# What SLOWLOG keeps of a command: so many words, and so many bytes of each.
_MOST_WORDS = 32
_MOST_BYTES = 128
_BY_SHA = frozenset((b"EVALSHA", b"EVALSHA_RO"))


class Timing:
    """The times of the commands of one shard."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self.tally = tally = Tally()
        # Commands without subcommands, by the usual spellings of their names.
        self._entries: dict[bytes, Entry] = {
            spelling: tally.entry(row.wire_name)
            for name, row in TABLE.items()
            if not row.subcommands
            for spelling in (name, name.lower())
        }
        # Commands that take so many nanoseconds are reported to main.
        self._limit = _NEVER
        # Measure each command, whatever it is.
        self.each_one = False
        # Below this, a duration needs nothing but to be counted.
        self._plain = EXACT * 1000

    def configure(self, slower_than: int, threshold: int, tracking: bool) -> None:
        """What is slow: ``slowlog-log-slower-than``, in microseconds, and ``latency-monitor-threshold``, in ms.

        `tracking`: keep histograms (``latency-tracking``).
        """
        self.tally.tracking = tracking
        limits = [slower_than * 1000] if slower_than >= 0 else []
        if threshold:
            limits.append(threshold * 1_000_000)
        self._limit = min(limits, default=_NEVER)
        self.each_one = self._limit < _FINE
        self._plain = min(self._limit, EXACT * 1000) if tracking else 0

    def ran(self, argv: Argv, nanoseconds: int, calls: int = 1, in_script: bool = False) -> None:
        """A command ran; or several with the same name, which took so long together."""
        try:
            entry = self._entries[argv[0]]
        except KeyError:
            entry = self._entry_of(argv)
        if nanoseconds < self._plain:  # as most: what `Tally.ran` does, without the call
            entry.calls += calls
            entry.nanoseconds += nanoseconds
            entry.histogram[nanoseconds // (1000 * calls)] += calls
            return
        self.tally.ran(entry, nanoseconds, calls)
        if nanoseconds >= self._limit and calls == 1:
            self._report(argv, nanoseconds, in_script)

    def each(
        self, commands: Iterator[Argv], after: Callable[[Argv], None] | None, *, shared: bool
    ) -> Generator[Argv, None, None]:
        """The commands, each of which is measured from when it is given until the next one is asked for, or `close`.

        `after` is called with each one then. With `shared`, this takes time, or asking for the next command does more,
        such as to serve clients that wait: that is no command's time.
        """
        before = perf_counter_ns()
        for argv in commands:
            if shared:
                before = perf_counter_ns()
            try:
                yield argv
            finally:
                now = perf_counter_ns()
                self.ran(argv, now - before)
                before = now
                if after is not None:
                    after(argv)

    def failed(self, argv: Argv) -> None:
        """A command ends with an error. Its time is counted as well."""
        self._entry_of(argv).failed += 1

    def rejected(self, argv: Argv) -> None:
        """A script has called a command that it must not call, or not like this."""
        self._entry_of(argv).rejected += 1

    def _entry_of(self, argv: Argv) -> Entry:
        """The entry of a command in any spelling. If there is no row, it is one of main's that a shard answers."""
        row = row_of(argv)
        return self.tally.entry(argv[0].lower().decode("latin-1") if row is None else row.wire_name)

    def _report(self, argv: Argv, nanoseconds: int, in_script: bool) -> None:
        shard = self._shard
        client = 0 if in_script else shard.client
        shard.reports.slow(client, shard.db_index, nanoseconds // 1000, trimmed(_as_sent(argv)))


def _as_sent(argv: Argv) -> Argv:
    """The words of a command with the SHA of a script for its text, which main has put in its place."""
    if argv[0].upper() not in _BY_SHA or len(argv) < 2:
        return argv
    if argv[1].startswith(UNKNOWN):
        return [argv[0], argv[1][len(UNKNOWN) :], *argv[2:]]
    from respcache.scripting.natives import sha1hex  # only shards that run scripts need it

    return [argv[0], sha1hex(argv[1]), *argv[2:]]


def trimmed(argv: Argv) -> Argv:
    """The words as SLOWLOG keeps them: of many only the first ones, and of long ones only the beginnings."""
    count = len(argv)
    words = argv
    if count > _MOST_WORDS:
        words = [*argv[: _MOST_WORDS - 1], b"... (%d more arguments)" % (count - _MOST_WORDS + 1)]
    return [
        word if len(word) <= _MOST_BYTES else b"%b... (%d more bytes)" % (word[:_MOST_BYTES], len(word) - _MOST_BYTES)
        for word in words
    ]
