"""Rules that need to know how large keys are: shards are asked, in line with the commands.

What a command goes through is asked for just before it, and what it has written just after.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

from respcache.commands.args import parse_int
from respcache.commands.table import DENYOOM
from respcache.server.services.lint.before import flushes
from respcache.server.services.lint.findings import Sight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from respcache.commands.table import Command
    from respcache.resp.types import Argv
    from respcache.server.services.lint.calls import Call

# How many keys of one command are asked for.
MOST_KEYS = 1000


class Size(NamedTuple):
    """Of a key that exists. A string has no elements, and no other value bytes."""

    elements: int
    bytes: int
    expires: bool


class Measure(Protocol):
    """Asks shards, at this point of the order, for the sizes of keys, and with `all_keys` how many there are.

    `then` is called with a size for each key (None: there is none), and that number.
    """

    def __call__(
        self, db: int, keys: Sequence[bytes], all_keys: bool, then: Callable[[list[Size | None], int], None]
    ) -> None: ...


# -- what goes through all of a key

# Each call of these does.
_WHOLE = frozenset(
    (
        *("SMEMBERS", "HGETALL", "HKEYS", "HVALS", "LREM", "LINSERT", "LPOS", "DEL", "COPY", "SORT", "SORT_RO"),
        *("SINTER", "SUNION", "SDIFF", "SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE", "SINTERCARD"),
        *("ZINTER", "ZUNION", "ZDIFF", "ZINTERSTORE", "ZUNIONSTORE", "ZDIFFSTORE", "ZINTERCARD"),
    )
)
# Ranges of indexes: where the first one is.
_INDEXES = {"LRANGE": 2, "ZREVRANGE": 2, "ZREMRANGEBYRANK": 2, "ZRANGE": 2, "ZRANGESTORE": 3}
# Ranges that may be open at both ends: where they begin.
_OPEN = {
    "ZRANGEBYSCORE": 2,
    "ZREVRANGEBYSCORE": 2,
    "ZRANGEBYLEX": 2,
    "ZREVRANGEBYLEX": 2,
    "XRANGE": 2,
    "XREVRANGE": 2,
    "ZRANGE": 2,
    "ZRANGESTORE": 3,
}
_READERS = _WHOLE.union(_INDEXES, _OPEN)
_ENDS = frozenset((b"-INF", b"+INF", b"INF", b"-", b"+"))
_TO_A_KEY = frozenset(
    ("SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE", "ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE", "ZRANGESTORE")
)


def read_keys(call: Call) -> list[bytes]:
    """The keys that a command may go through as a whole; empty if it does not do such things."""
    if call.name not in _READERS:
        return []
    keys = call.keys[1:] if call.name in _TO_A_KEY else call.keys
    return keys[:1] if call.name == "COPY" else keys[:MOST_KEYS]


def whole_key(call: Call, keys: Sequence[bytes], sizes: Sequence[Size | None]) -> Iterator[Sight]:
    """Large keys that a command goes through."""
    limit = call.config.lint_large_key
    for key, size in zip(keys, sizes, strict=True):
        if size is not None and size.elements > limit:
            count = _reached(call.name, call.argv, size.elements)
            if count > limit:
                yield Sight(f"goes through {count} elements", key)


def _reached(name: str, argv: Argv, size: int) -> int:
    """How many of `size` elements a command goes through."""
    if name in _WHOLE:
        return size
    options = {word.upper() for word in argv[4:]}
    if name in _INDEXES and not options & {b"BYSCORE", b"BYLEX"}:
        at = _INDEXES[name]
        first, last = (parse_int(argv[index]) if index < len(argv) else None for index in (at, at + 1))
        if first is None or last is None:
            return 0
        first = max(first + size if first < 0 else first, 0)
        last = min(last + size if last < 0 else last, size - 1)
        return max(last - first + 1, 0)
    at = _OPEN.get(name, 0)
    ends = {word.upper() for word in argv[at : at + 2]}
    bounded = options & {b"LIMIT", b"COUNT"}
    return size if at and ends <= _ENDS and not bounded else 0


# -- what goes through all keys


def looks_at_all_keys(call: Call) -> str:
    """The rule about all keys that a call may break, if there is a threshold; empty if none."""
    if not call.config.lint_large_keyspace:
        return ""
    return "keys" if call.name == "KEYS" else "flush" if flushes(call) else ""


def whole_keyspace(call: Call, count: int) -> Sight | None:
    """Too many keys to go through."""
    if count <= call.config.lint_large_keyspace:
        return None
    return Sight(f"goes through {count} keys")


# -- what has become too large


def grown_keys(call: Call) -> list[bytes]:
    """The keys that a command may have made larger."""
    if not (_grows(call.row) and call.keys):
        return []
    return call.keys[:1] if call.name in _TO_A_KEY else call.keys[:MOST_KEYS]


@cache
def _grows(row: Command) -> bool:
    """A look at an IntFlag takes half a microsecond."""
    return bool(row.flags & DENYOOM)


def large_collection(call: Call, key: bytes, size: Size) -> Sight | None:
    """A key with too many elements."""
    if size.elements <= call.config.lint_max_elements:
        return None
    return Sight(f"a key of {size.elements} elements", key)


def large_value(call: Call, key: bytes, size: Size) -> Sight | None:
    """A string that has grown over the limit, by APPEND and its like."""
    longest = call.config.lint_max_value
    if size.bytes <= longest or any(len(word) > longest for word in call.argv):
        return None  # what it was given was too large already
    return Sight(f"a string of {size.bytes} bytes", key)
