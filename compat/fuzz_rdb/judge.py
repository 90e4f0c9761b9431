"""Restores payloads in a shard of its own, in this process, and says what is wrong with what came of it."""

from __future__ import annotations

import time
from typing import Any

import respcache.commands.all  # noqa: F401 - fills the table
from respcache import errors
from respcache.commands.args import Args
from respcache.commands.table import TABLE
from respcache.datatypes.set import Set
from respcache.datatypes.stream import Stream
from respcache.datatypes.types import dump_value, type_name
from respcache.datatypes.zset import ZSet
from respcache.errors import CommandError
from respcache.store.shard import Shard

# The errors that there are for payloads; what is not supported begins as the second.
_ERRORS = (errors.BAD_PAYLOAD, errors.BAD_DATA_FORMAT)
_UNSUPPORTED = f"{errors.BAD_DATA_FORMAT}: "
# Seconds for a case, and for each byte of it. Compressed bytes may stand for many.
_LONG, _LONG_PER_BYTE = 2.0, 0.001

_NOW = 1_800_000_000_000
_KEY, _AGAIN, _OTHER = b"restored", b"again", b"other"

_restore, _dump = TABLE[b"RESTORE"].handler, TABLE[b"DUMP"].handler


class Judge:
    """One shard, which is used for all cases."""

    def __init__(self) -> None:
        self._shard = Shard(1, 1)
        self._shard.set_time(_NOW)
        self._put(_OTHER)

    def judge(self, payload: bytes) -> tuple[str, str]:
        """What became of a payload ("restored", or the error), and what is wrong with that (empty: nothing)."""
        started = time.perf_counter()
        try:
            said, wrong = self._judged(payload)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            said, wrong = "exception", f"{type(error).__name__}: {error}"
        took = time.perf_counter() - started
        if not wrong and took > _LONG + _LONG_PER_BYTE * len(payload):
            wrong = f"took {took:.1f} seconds for {len(payload)} bytes"
        self._shard.delete(_KEY)
        self._shard.delete(_AGAIN)
        return said, wrong

    def _judged(self, payload: bytes) -> tuple[str, str]:
        shard = self._shard
        changes = shard.figures.changes
        try:
            _restore(shard, Args([b"RESTORE", _KEY, b"0", payload]))
        except CommandError as error:
            said = str(error)
            if said not in _ERRORS and not said.startswith(_UNSUPPORTED):
                return said, "not an error for payloads"
            if shard.figures.changes != changes or len(shard.db) != 1:
                return said, "something has changed"
            return said.partition(" the module type")[0], ""
        value = shard.db.get(_KEY)
        if value is None:
            return "restored", "there is no value"
        if not _is_sound(value):
            return "restored", "elements cannot be found, or are out of order"
        again = _dump(shard, Args([b"DUMP", _KEY]))
        try:
            _restore(shard, Args([b"RESTORE", _AGAIN, b"0", again]))
        except CommandError as error:
            return "restored", f"its own dump: {error}"
        other = shard.db.get(_AGAIN)
        if content(value) != content(other):
            return "restored", f"dumps to another value: {content(value)!r:.300} {content(other)!r:.300}"
        if _dump(shard, Args([b"DUMP", _AGAIN])) != again and not isinstance(value, Set):
            return "restored", "dumps differently the second time"
        return "restored", ""

    def _put(self, key: bytes) -> None:
        self._shard.replace(key, b"here to stay", None)


def _is_sound(value: Any) -> bool:
    """Whether the value is as its own commands expect it: in order, with each element where it is looked for."""
    if isinstance(value, Stream):
        ids = [id for id, _ in value]
        return ids == sorted(set(ids)) and all(value.get(id) is not None for id in ids) and len(value) == len(ids)
    if isinstance(value, ZSet):
        return [value.rank(member) for member in value] == list(range(len(value)))
    return len(value) > 0 or isinstance(value, (bytes, bytearray))


def content(value: Any) -> Any:
    """What clients can see of a value, whatever its encoding."""
    kind = type_name(value)
    match kind:
        case b"string":
            return kind, bytes(value)
        case b"list":
            return kind, list(value)
        case b"set":
            return kind, set(value)
        case b"hash":
            return kind, dict(value.items())
        case b"zset":
            return kind, dict(value.items()), list(value)
    groups = dump_value(value)[1][-1]  # type: ignore[index]  # the groups of a stream come last
    figures = value.last_id, value.first_id, value.max_deleted_id, value.entries_added, len(value)
    return kind, value.range(), figures, sorted((name, _group(group)) for name, group in groups)


def _group(group: Any) -> Any:
    """A group without the times that version 10 of the format has no place for, in an order that does not matter."""
    last_id, entries_read, (names, seen, _active), (ids, owners, times, counts) = group
    owned = [names[owner] for owner in owners]
    pending = sorted(zip(ids, owned, times, counts, strict=True))
    return last_id, -1 if entries_read is None else entries_read, sorted(zip(names, seen, strict=True)), pending
