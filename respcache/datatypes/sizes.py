"""How much memory a value takes, estimated as Redis does for MEMORY USAGE: some elements of each container are measured
and stand for the others.

The figures are what the value takes in this Python process, not what it would take in Redis.
"""

from __future__ import annotations

from itertools import chain, islice
from sys import getsizeof
from typing import TYPE_CHECKING, Any

from respcache.datatypes.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LEAVES = (bytes, bytearray, int, float, str)

# Shared objects and code: reached through attributes, but not part of the value.
_SHARED = (bool, type(None), type, Limits)


def memory_of(value: object, samples: int) -> int:
    """Bytes that a value takes, with everything it refers to; each object counts once.

    Of each container, the first `samples` elements are measured (0: all).
    """
    return _Measure(samples).size(value)


class _Measure:
    def __init__(self, samples: int) -> None:
        self.samples = samples
        self.seen: set[int] = set()  # ids; the objects live as long as the value does

    def size(self, value: Any) -> int:
        if isinstance(value, _SHARED) or callable(value) or id(value) in self.seen:
            return 0
        self.seen.add(id(value))
        own = getsizeof(value)
        if isinstance(value, _LEAVES):
            return own
        if isinstance(value, dict):
            return own + self._sampled(value, len(value)) + self._sampled(value.values(), len(value))
        if type(value) in (list, tuple, set, frozenset):
            return own + self._sampled(value, len(value))
        return own + sum(map(self.size, _attributes(value)))

    def _sampled(self, elements: Iterable[Any], count: int) -> int:
        """The size of all elements, estimated from the first ones."""
        if self.samples == 0 or count <= self.samples:
            return sum(map(self.size, elements))
        return sum(map(self.size, islice(elements, self.samples))) * count // self.samples


def _attributes(value: object) -> Iterator[Any]:
    """The values of the attributes of an object, in slots and in its `__dict__`."""
    names = chain.from_iterable(getattr(kind, "__slots__", ()) for kind in type(value).__mro__)
    slots = (getattr(value, name) for name in names if hasattr(value, name))
    return chain(slots, getattr(value, "__dict__", {}).values())
