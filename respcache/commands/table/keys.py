"""Where the keys of a command are among its words, and what happens to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from respcache.resp.types import Argv


class Keys(NamedTuple):
    """Keys at fixed indexes: from `first` to `last` (negative: from the end) in steps of `step`.

    `access` holds the key flags as COMMAND INFO shows them (``RW``, ``RO``, ``OW``, ``RM``, then ``ACCESS``, ...).
    """

    first: int
    last: int | None = None
    step: int = 1
    access: str = ""
    # The option whose operand is the database of these keys (COPY ... DB n); without it, the client's database.
    database: bytes = b""

    def at(self, first: int, last: int | None = None, step: int = 1) -> Keys:
        """The same access to keys at other indexes: ``READ.at(2, -1)``."""
        return self._replace(first=first, last=last, step=step)

    def positions(self, argv: Argv) -> Sequence[int]:
        last = self.first if self.last is None else self.last
        if last < 0:
            last += len(argv)
        return range(self.first, min(last, len(argv) - 1) + 1, self.step)


class NumKeys(NamedTuple):
    """Keys that follow their own count, which is at index `at`."""

    at: int
    access: str = ""

    def positions(self, argv: Argv) -> Sequence[int]:
        try:
            count = int(argv[self.at])
        except (ValueError, IndexError):
            return ()  # the handler complains; it does not matter on which shard
        if count <= 0 or self.at + count >= len(argv):
            return ()
        return range(self.at + 1, self.at + 1 + count)


class KeyFinder(NamedTuple):
    """Keys that only a function can find (SORT ... STORE, MIGRATE ... KEYS)."""

    find: Callable[[Argv], list[int]]
    access: str = ""
    # If the key follows an option: its name, and the index from which COMMAND INFO says to look for it.
    option: bytes = b""
    start: int = 0

    def positions(self, argv: Argv) -> Sequence[int]:
        return self.find(argv)


class StreamKeys(NamedTuple):
    """Keys after the option STREAMS, and after them as many ids. `start` is where COMMAND INFO says to look for it."""

    start: int
    access: str = ""

    def positions(self, argv: Argv) -> Sequence[int]:
        first = self._first(argv)
        count, rest = divmod(len(argv) - first, 2)
        return () if rest else range(first, first + count)

    def part(self, argv: Argv, indexes: Sequence[int]) -> Argv:
        """The words for one shard: about the keys at `indexes` only."""
        first = self._first(argv)
        count = (len(argv) - first) // 2
        return [*argv[:first], *(argv[at] for at in indexes), *(argv[at + count] for at in indexes)]

    @staticmethod
    def with_ids(argv: Argv, ids: Sequence[bytes]) -> Argv:
        """The same words with these ids, one for each key."""
        return [*argv[: len(argv) - len(ids)], *ids]

    @staticmethod
    def _first(argv: Argv) -> int:
        """Where the first key is: after STREAMS. The end if that is missing, which the handler reports."""
        at = 1
        while at < len(argv):
            option = argv[at].upper()
            if option == b"STREAMS":
                return at + 1
            if option not in _OPERANDS:
                break
            at += 1 + _OPERANDS[option]
        return len(argv)


class LoneKey(Keys):
    """The first key of a command that takes either this one, or several after a keyword (`KeywordKeys`)."""

    __slots__ = ()

    def positions(self, argv: Argv) -> Sequence[int]:
        return () if find_keyword(argv, b"KEYS") else super().positions(argv)


class KeywordKeys(NamedTuple):
    """All words after KEYS (MIGRATE). `start` is where COMMAND INFO says to look for it: so many words from the end."""

    start: int
    access: str = ""

    def positions(self, argv: Argv) -> Sequence[int]:
        at = find_keyword(argv, b"KEYS")
        return range(at + 1, len(argv)) if at and not argv[3] else ()


# The options of MIGRATE begin here; how many words follow those that have any.
_OPTIONS_AT = 6
_VALUES = {b"AUTH": 1, b"AUTH2": 2}


def find_keyword(argv: Argv, keyword: bytes) -> int:
    """Where among the options of MIGRATE one is, if it is not the value of another; 0 if it is not there."""
    at = _OPTIONS_AT
    while at < len(argv):
        word = argv[at].upper()
        if word == keyword:
            return at
        at += 1 + _VALUES.get(word, 0)
    return 0


# How many words follow each option that may stand before STREAMS.
_OPERANDS = {b"BLOCK": 1, b"COUNT": 1, b"GROUP": 2, b"NOACK": 0}

KeySpec = Keys | NumKeys | KeyFinder | StreamKeys | KeywordKeys

# The one key of most commands, named for what happens to it; `Keys.at` says it of other keys.
EXAMINE = Keys(1, access="RO")  # the reply tells something about the value, such as its length, but no contents
READ = Keys(1, access="RO ACCESS")
INSERT = Keys(1, access="RW INSERT")
UPDATE = Keys(1, access="RW UPDATE")
DELETE = Keys(1, access="RW DELETE")
TAKE = Keys(1, access="RW ACCESS DELETE")
MODIFY = Keys(1, access="RW ACCESS UPDATE")  # the reply tells what was there
OVERWRITE = Keys(1, access="OW UPDATE")
