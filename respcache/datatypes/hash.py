"""Hashes: fields and values.

Small hashes (encoding "listpack") are a plain dict: like Redis' flat block, it keeps the order in which fields were
added, whatever is changed or removed. Beyond the limits it becomes an `IndexedDict` (encoding "hashtable"), from which
single fields can be picked at random, and which a cursor can walk. It never changes back, as in Redis.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from respcache.datatypes.indexed import IndexedDict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from random import Random

    from respcache.datatypes.limits import Limits

Pair: TypeAlias = "tuple[bytes, bytes]"


class Hash:
    """Byte strings to byte strings."""

    __slots__ = ("_fields", "_limits", "encoding")

    def __init__(self, limits: Limits, pairs: Iterable[Pair] = ()) -> None:
        self._limits = limits
        self._fields: dict[bytes, bytes] | IndexedDict[bytes] = {}
        self.encoding = b"listpack"
        self.update(list(pairs))

    def __len__(self) -> int:
        return len(self._fields)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._fields)

    def __contains__(self, field: bytes) -> bool:
        return field in self._fields

    def get(self, field: bytes) -> bytes | None:
        return self._fields.get(field)

    def items(self) -> Iterable[Pair]:
        return self._fields.items()

    def values(self) -> Collection[bytes]:
        fields = self._fields
        return fields.values if isinstance(fields, IndexedDict) else fields.values()

    def update(self, pairs: Collection[Pair]) -> int:
        """Set all these fields; return how many of them are new."""
        fields = self._fields
        before = len(fields)
        # Redis converts before it adds: for many pairs even if they name few fields, and for one long string even if
        # a later pair replaces it.
        if type(fields) is dict and not _fit(self._limits, pairs):
            fields = self._index()
        if type(fields) is dict:
            fields.update(pairs)
            if len(fields) > self._limits.hash_max_listpack_entries:
                self._index()
        else:
            for field, value in pairs:
                fields[field] = value
        return len(fields) - before

    def discard(self, field: bytes) -> bool:
        """Remove a field; return whether it was there."""
        fields = self._fields
        if isinstance(fields, IndexedDict):
            return fields.discard(field)
        return fields.pop(field, None) is not None

    def choices(self, random: Random, count: int) -> list[bytes]:
        """`count` fields, each chosen uniformly from all, so the same one may repeat. The hash is not empty."""
        return random.choices(self._sequence(), k=count)

    def sample(self, random: Random, count: int) -> list[bytes]:
        """`count` different fields (all of them if there are fewer), chosen uniformly."""
        if count >= len(self):
            return list(self)  # in their order, as Redis does
        return random.sample(self._sequence(), count)

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """About `count` fields and the next cursor, 0 at the end. A listpack is returned whole, whatever the count."""
        if isinstance(self._fields, IndexedDict):
            return self._fields.scan(cursor, count)
        return 0, list(self._fields)

    def copy(self) -> Hash:
        return Hash.load(self._limits, self.dump())

    def dump(self) -> tuple[bytes, dict[bytes, bytes]]:
        return self.encoding, dict(self.items())

    @classmethod
    def load(cls, limits: Limits, data: tuple[bytes, dict[bytes, bytes]]) -> Hash:
        """A hash with the encoding and order that were dumped; cursors into the old one remain valid."""
        loaded = cls(limits)
        loaded.encoding, fields = data
        loaded._fields = fields if loaded.encoding == b"listpack" else IndexedDict(fields.items())
        return loaded

    def _sequence(self) -> list[bytes]:
        """The fields by number; copied only if they are few."""
        fields = self._fields
        return fields.members if isinstance(fields, IndexedDict) else list(fields)

    def _index(self) -> IndexedDict[bytes]:
        """Turn into a hashtable."""
        self._fields = IndexedDict(self._fields.items())
        self.encoding = b"hashtable"
        return self._fields


def _fit(limits: Limits, pairs: Collection[Pair]) -> bool:
    """Whether the pairs by themselves fit in a listpack."""
    if len(pairs) > limits.hash_max_listpack_entries:
        return False
    return max(map(len, chain.from_iterable(pairs)), default=0) <= limits.hash_max_listpack_value
