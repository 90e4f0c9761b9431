"""What one database held at a moment, for snapshots.

An image is either complete, or says how a database differs from what its base holds. So taking a snapshot costs what
has changed since the last one. An image is put together with its base if that is not much larger: there are few layers,
and each key is copied a few times at most. It is so, too, if the base holds much that is of no use any more.
"""

from __future__ import annotations

import marshal
from typing import TYPE_CHECKING, Any

from respcache.datatypes.types import dump_value, load_value
from respcache.store.footprint import DEADLINE, PLACE

if TYPE_CHECKING:
    from collections.abc import Collection

    from respcache.datatypes.limits import Limits
    from respcache.store.keyspace import Keyspace

# A base stays by itself if it is more than so many times as large.
_MUCH = 2


class _Packed(bytes):
    """Any value but a string, as it travels between shards."""

    __slots__ = ()


def _pack(value: Any) -> bytes:
    """Strings that are `bytes` never change, so they need no copy."""
    if type(value) is bytes:
        return value
    plain: Any = dump_value(value)
    return _Packed(marshal.dumps(plain))


def unpack(limits: Limits, packed: bytes) -> Any:
    """The value, which may be changed."""
    return packed if type(packed) is bytes else load_value(limits, *marshal.loads(packed))


class Image:
    """Keys with their packed values and deadlines. It never changes, and snapshots share it."""

    __slots__ = ("_deadlines", "_values", "base", "count", "own", "size", "users")

    def __init__(
        self,
        base: Image | None,
        values: dict[bytes, bytes | None],
        deadlines: dict[bytes, int],
        count: int,
        size: int,
        own: int,
    ) -> None:
        # What this one says nothing of is as it is there.
        self.base = base
        # None: there is no such key. Only where there is a base.
        self._values = values
        # In the terms of the database: less its `shift`.
        self._deadlines = deadlines
        # How many keys there were.
        self.count = count
        # Bytes of all of it, and of what is not in the base, about.
        self.size = size
        self.own = own
        # How many snapshots need it.
        self.users = 0

    @classmethod
    def of(cls, db: Keyspace) -> Image:
        """Everything that a database holds now."""
        packed = [value if type(value) is bytes else _pack(value) for value in db.values]
        size = (PLACE * len(packed) + DEADLINE * len(db.deadlines)) + sum(map(len, db.members)) + sum(map(len, packed))
        values: dict[bytes, bytes | None] = dict(zip(db.members, packed, strict=True))
        return cls(None, values, dict(db.deadlines), len(packed), size, size)

    def updated(self, db: Keyspace, keys: Collection[bytes]) -> Image:
        """What a database holds now that differs from this image in no other keys."""
        values: dict[bytes, bytes | None] = {}
        deadlines: dict[bytes, int] = {}
        count, size = self.count, self.size
        for key in keys:
            before = self.get(key)
            if before is not None:
                count -= 1
                size -= _cost(key, *before)
            if key in db.slots:
                packed, deadline = _pack(db[key]), db.deadlines.get(key)
                if deadline is not None:
                    deadlines[key] = deadline
                values[key] = packed
                count += 1
                size += _cost(key, packed, deadline)
            else:
                values[key] = None
        return self._covered(values, deadlines, count, size)

    def _covered(self, values: dict[bytes, bytes | None], deadlines: dict[bytes, int], count: int, size: int) -> Image:
        """An image of this and what has changed, with no more layers than are worth it."""
        base: Image | None = self
        while base is not None and (len(base._values) <= _MUCH * len(values) or base.own > _MUCH * size):
            deadlines = {key: when for key, when in base._deadlines.items() if key not in values} | deadlines
            values = base._values | values
            base = base.base
        if base is None:
            values = {key: packed for key, packed in values.items() if packed is not None}
            return Image(None, values, deadlines, count, size, size)
        own = sum(_cost(key, packed or b"", deadlines.get(key)) for key, packed in values.items())
        return Image(base, values, deadlines, count, size, own)

    def get(self, key: bytes) -> tuple[bytes, int | None] | None:
        """The packed value and the deadline of a key; None if there was none."""
        image: Image | None = self
        while image is not None:
            if key in image._values:
                packed = image._values[key]
                return None if packed is None else (packed, image._deadlines.get(key))
            image = image.base
        return None

    def contents(self) -> tuple[dict[bytes, bytes], dict[bytes, int]]:
        """All keys with their packed values, and all deadlines. O(n)."""
        if self.base is None:
            values = {key: packed for key, packed in self._values.items() if packed is not None}
            return values, self._deadlines.copy()
        values, deadlines = self.base.contents()
        for key, packed in self._values.items():
            deadlines.pop(key, None)
            if packed is None:
                values.pop(key, None)
            else:
                values[key] = packed
        return values, deadlines | self._deadlines


def _cost(key: bytes, packed: bytes, deadline: int | None) -> int:
    return PLACE + len(key) + len(packed) + (0 if deadline is None else DEADLINE)
