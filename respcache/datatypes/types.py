"""The kinds of values a key may hold: their names for clients, and how they travel between shards.

Every kind except the string is a class of its own with `dump()` (plain data for `marshal`) and `load(limits, data)`.
Strings are `bytes`, or `bytearray` once changed in place. `marshal` would return both as `bytes`, but OBJECT ENCODING
tells them apart; so they travel under two names, while clients see one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.datatypes.hash import Hash
from respcache.datatypes.list import List
from respcache.datatypes.set import Set
from respcache.datatypes.stream import Stream
from respcache.datatypes.zset import ZSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.datatypes.limits import Limits

# The answers of TYPE, which SCAN ... TYPE compares with.
TYPE_NAMES: dict[type, bytes] = {
    bytes: b"string",
    bytearray: b"string",
    List: b"list",
    Set: b"set",
    ZSet: b"zset",
    Hash: b"hash",
    Stream: b"stream",
}

# The kinds whose values remain when they are empty. All others are removed then.
MAY_BE_EMPTY = frozenset((bytes, bytearray, Stream))

_DUMPS: dict[type, tuple[str, Callable[[Any], object]]] = {
    bytes: ("string", lambda value: value),
    bytearray: ("buffer", bytes),
    List: ("list", List.dump),
    Set: ("set", Set.dump),
    ZSet: ("zset", ZSet.dump),
    Hash: ("hash", Hash.dump),
    Stream: ("stream", Stream.dump),
}

_LOADS: dict[str, Callable[[Limits, Any], Any]] = {
    "string": lambda _, data: data,
    "buffer": lambda _, data: bytearray(data),
    "list": List.load,
    "set": Set.load,
    "zset": ZSet.load,
    "hash": Hash.load,
    "stream": Stream.load,
}


def type_name(value: object) -> bytes:
    """The kind of a value as clients know it."""
    return TYPE_NAMES[type(value)]


def dump_value(value: object) -> tuple[str, object]:
    """A value as a name and plain data; `load_value` makes an equal value of them, in this process or another."""
    name, dump = _DUMPS[type(value)]
    return name, dump(value)


def load_value(limits: Limits, name: str, data: object) -> Any:
    """The value that was passed to `dump_value`."""
    return _LOADS[name](limits, data)


def copy_value(value: Any) -> Any:
    """An independent value with the same content."""
    if type(value) is bytes:
        return value
    return value.copy()
