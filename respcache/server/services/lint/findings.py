"""What was found: the same thing found again is counted, not kept again, and all of it is bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from respcache.server.services.lint.calls import clipped, kept_words, pattern_of, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from respcache.resp.types import Argv

# Findings, and bytes of them, that are kept.
MOST = 1000
MOST_BYTES = 1 << 20
# Bytes of the name of a client, and of a function, that are kept.
LONGEST_NAME = 128
# What Python takes for a finding besides its bytes.
_OVERHEAD = 600


class Sight(NamedTuple):
    """Something that a rule sees in a command.

    detail: what exactly, in a few words. key: the key that it is about, if it is about one. source: the page that says
    so. pattern: what findings are merged by, where that does not follow from the key. last_key: the last of several.
    argv, example: what is shown instead of the command.
    """

    detail: str
    key: bytes = b""
    source: str = ""
    pattern: bytes = b""
    last_key: bytes = b""
    argv: Argv | None = None
    example: bytes = b""


class Finding:
    """What one rule has found in one kind of command of one client. Times are milliseconds since the epoch."""

    __slots__ = (
        "bytes",
        "client",
        "command",
        "count",
        "detail",
        "example",
        "first_key",
        "first_time",
        "last_key",
        "last_time",
        "pattern",
        "rule",
        "script",
        "source",
        "words",
    )

    def __init__(
        self, rule: str, client: bytes, command: str, pattern: bytes, script: bytes, sight: Sight, argv: Argv
    ) -> None:
        self.rule = rule
        self.client = client  # its name (CLIENT SETNAME), not its id: a pool has many connections
        self.command = command
        self.pattern = pattern  # of the key, see `pattern_of`
        self.script = script  # that has called the command: its SHA, or the name of the function
        self.count = 0  # how often it was found; of a rule about round trips, these
        self.detail = sight.detail  # of the first time, as the next three are
        self.source = sight.source
        self.example = sight.example or shown(argv)
        self.words = kept_words(sight.argv or argv)  # the same to compare with: not quoted, without dots
        self.first_key = self.last_key = clipped(sight.key)
        self.first_time = self.last_time = 0
        self.bytes = _OVERHEAD + sum(map(len, (client, pattern, script))) + 2 * len(self.example + self.first_key)

    def fields(self) -> dict[bytes, object]:
        """As RESPCACHE LINT REPORT shows it, except for what the rule says."""
        return {
            b"rule": self.rule.encode(),
            b"client": self.client,
            b"command": self.command.encode(),
            b"pattern": self.pattern,
            b"script": self.script,
            b"count": self.count,
            b"detail": self.detail.encode(),
            b"example": self.example,
            b"words": self.words,
            b"first-key": self.first_key,
            b"last-key": self.last_key,
            b"first-time": self.first_time,
            b"last-time": self.last_time,
            b"source": self.source.encode(),
        }


class Findings:
    """All of them, in the order in which they were first found."""

    def __init__(self) -> None:
        self.dropped = 0  # what was found and had no room
        self._all: dict[tuple[str, bytes, str, bytes, bytes], Finding] = {}
        self._bytes = 0

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def add(
        self,
        rule: str,
        client: bytes,
        command: str,
        argv: Argv,
        sight: Sight,
        now: int,
        count: int = 1,
        script: bytes = b"",
    ) -> None:
        """Something was found, `count` times."""
        pattern = sight.pattern or pattern_of(sight.key)
        name, script = client[:LONGEST_NAME], script[:LONGEST_NAME]
        place = (rule, name, command, pattern, script)
        finding = self._all.get(place)
        if finding is None:
            finding = Finding(rule, name, command, pattern, script, sight, argv)
            if len(self._all) >= MOST or self._bytes + finding.bytes > MOST_BYTES:
                self.dropped += count
                return
            finding.first_time = now
            self._all[place] = finding
            self._bytes += finding.bytes
        finding.count += count
        finding.last_time = now
        if sight.key:
            finding.last_key = clipped(sight.last_key or sight.key)

    def clear(self) -> None:
        """Forget them."""
        self._all = {}
        self._bytes = self.dropped = 0
