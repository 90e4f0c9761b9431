"""What main must hear besides replies: one stream of tagged tuples, in the order in which things happened.

A report is ``(kind, index, ...)``; `index` is the place of the result that it belongs to in the answer frame. The forms
are listed in `respcache.shard.wire`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

EVENT, UNFINISHED, FAILED, ASK, SERVED, SPOILT = range(6)
INVALID_SCRIPT, SLOW_SCRIPT, END_OF_SLOW_SCRIPT, EARLY, RESUMED = range(10, 15)
SCRIPT_CALL, MONITORED = 20, 21
INVALIDATED, FLUSHED, TRACKED = range(30, 33)
SLOW, LATENCY = 40, 41

Report = tuple[Any, ...]


class Event:
    """Classes of keyspace events: the letters of ``notify-keyspace-events``."""

    GENERIC, STRING, LIST, SET, HASH, ZSET = "g", "$", "l", "s", "h", "z"
    EXPIRED, EVICTED, STREAM, MISS, NEW = "x", "e", "t", "m", "n"


class EventFilter(NamedTuple):
    """What ``notify-keyspace-events`` lets through."""

    kinds: str  # classes of events, letters of `Event`; empty if there is no channel to publish to
    keyspace: bool  # K: publish to ``__keyspace@0__:key``
    keyevent: bool  # E: publish to ``__keyevent@0__:event``

    @classmethod
    def parse(cls, classes: str) -> EventFilter:
        """`classes` as the directive holds it: every letter by itself, ``A`` written out."""
        keyspace, keyevent = "K" in classes, "E" in classes
        kinds = classes.replace("K", "").replace("E", "") if keyspace or keyevent else ""
        return cls(kinds, keyspace, keyevent)


class Reports:
    """The reports of one answer frame while it is made, beside its results."""

    __slots__ = ("_reports", "filter", "kinds", "results")

    def __init__(self) -> None:
        # The results of the frame so far. What happens now belongs to the next one.
        self.results: list[Any] = []
        # Which keyspace events main wants to hear.
        self.filter = EventFilter("", False, False)
        # The same as `filter.kinds`, looked at with every change of a key.
        self.kinds = ""
        # What has happened since the last frame.
        self._reports: list[Report] = []

    def listen(self, events: EventFilter) -> None:
        """Report these keyspace events from now on."""
        self.filter = events
        self.kinds = events.kinds

    def event(self, db: int, event: bytes, key: bytes) -> None:
        """A keyspace event, one that the filter lets through."""
        self._reports.append((EVENT, len(self.results), db, event, key))

    def unfinished(self) -> None:
        """The result of the running item is a piece; the rest follows in the next frame."""
        self._reports.append((UNFINISHED, len(self.results)))

    def failed(self, text: str) -> None:
        """The running item has no result. `text` is that of a `CommandError`."""
        self._reports.append((FAILED, len(self.results), text))

    def served(self, number: int, reply: bytes) -> None:
        """A client that waited has its reply."""
        self._reports.append((SERVED, len(self.results), number, reply))

    def spoilt(self, number: int) -> None:
        """A client that waits for keys of other shards as well has a key of another type here."""
        self._reports.append((SPOILT, len(self.results), number))

    @property
    def waiting(self) -> bool:
        """True if something was reported since the last frame."""
        return bool(self._reports)

    def invalid_script(self, sha: bytes) -> None:
        """A script cannot be compiled, so main should not keep its text."""
        self._reports.append((INVALID_SCRIPT, len(self.results), sha))

    def slow_script(self, shard: int, client: int, elapsed: int, function: bytes | None, argv: list[bytes]) -> None:
        """A script runs for so many milliseconds already. Without a function, it is one of EVAL."""
        self._reports.append((SLOW_SCRIPT, len(self.results), shard, client, elapsed, function, argv))

    def script_call(self, client: int, db: int, script: bytes, argv: list[bytes], undeclared: bytes | None) -> None:
        """A script of this client calls a command, with a key that is not in its KEYS unless `undeclared` is None."""
        self._reports.append((SCRIPT_CALL, len(self.results), client, db, script, argv, undeclared))

    def invalidated(
        self, namespace: int, readers: tuple[int, ...], listened: bool, client: int, own: bool, key: bytes
    ) -> None:
        """A key has changed that clients have read, or that begins with a prefix to which some listen.

        Keys that change one after the other are one report if everything else is the same.
        """
        index = len(self.results)
        if self._reports:
            last = self._reports[-1]
            if last[0] == INVALIDATED and last[1:7] == (index, namespace, readers, listened, client, own):
                last[7].append(key)
                return
        self._reports.append((INVALIDATED, index, namespace, readers, listened, client, own, [key]))

    def flushed(self, namespace: int, client: int) -> None:
        """A script has emptied databases: all that clients have read may have changed."""
        self._reports.append((FLUSHED, len(self.results), namespace, client))

    def tracked(self, shard: int, keys: int) -> None:
        """So many keys are remembered for clients that cache: more than this shard's share."""
        self._reports.append((TRACKED, len(self.results), shard, keys))

    def slow(self, client: int, db: int, microseconds: int, argv: list[bytes]) -> None:
        """A command took longer than the thresholds allow. `client` is 0 within a script."""
        self._reports.append((SLOW, len(self.results), client, db, microseconds, argv))

    def latency(self, event: str, milliseconds: int) -> None:
        """Something that is no command took this long, for the latency monitor."""
        self._reports.append((LATENCY, len(self.results), event, milliseconds))

    def monitored(self, shard: int, db: int, words: bytes | None) -> None:
        """A script has called a command, whose words are quoted for MONITOR. None: a script begins."""
        self._reports.append((MONITORED, len(self.results), shard, db, words))

    def end_of_slow_script(self, shard: int) -> None:
        """That script has ended."""
        self._reports.append((END_OF_SLOW_SCRIPT, len(self.results), shard))

    def early(self, shard: int, places: list[int], error: str | None) -> None:
        """Answers to items whose turn has not come, counted from the running one: an error, or None."""
        self._reports.append((EARLY, len(self.results), shard, places, error))

    def ask(self, shard: int, kind: int, *details: Any) -> None:
        """The shard asks main something, and does nothing else until it has the answer."""
        self._reports.append((ASK, len(self.results), shard, kind, *details))

    def resumed(self) -> None:
        """The shard has the answer to what it has asked. Nothing else was reported since the last frame."""
        self._reports.append((RESUMED, 0))

    def take(self) -> tuple[list[Any], list[Report]]:
        """The results and reports of the frame that is sent now. The next frame begins."""
        taken = self.results, self._reports
        self.results, self._reports = [], []
        return taken
