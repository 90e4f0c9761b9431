"""Frames between main and a shard.

A frame is a little-endian u32 length and a `marshal` payload; both ends are the same interpreter, and nothing that a
client sent is ever unmarshalled. To the shard: ``(now_ms, [item, ...])``. An item is a tuple whose first element says
what it is (below). Back, one frame for each: ``(next_deadline_ms, [result, ...], [event, ...])``, the results in
the order of the items; an event is ``(index of the item, database, event name, key)``.
"""

from __future__ import annotations

import marshal
from struct import Struct
from typing import Any

# (RUN, database, protocol, client, touch, whole, [argv, ...]) -> the replies' bytes, joined if `whole`, else a list
RUN = 0
# (PART, database, protocol, client, touch, argv) -> (True, plain reply) or (False, error text): main merges the parts
PART = 1
# (EXEC, client, protocol, touch, check watches, [(database, argv), ...]) -> [bytes, ...]; None: a watched key changed
EXEC = 2
# (IS_DIRTY, client) -> bool; forgets the client's watches
IS_DIRTY = 3
# (WATCH, client, [(database, key), ...]) -> None
WATCH = 4
# (UNWATCH, client) -> None
UNWATCH = 5
# (BORROW, [(database, key), ...]) -> [(type name, data, deadline) or None, ...]
BORROW = 6
# (CARRY, database, protocol, client, touch, argv, guests) -> (reply bytes, [changed guest, ...], required); a guest is
# (database, key, type name or None, data, deadline); `required` lists the (database, key) without which it cannot run
CARRY = 7
# (HAND_BACK, [guest, ...]) -> None
HAND_BACK = 8
# (TICK,) -> None: active expiry
TICK = 9
# (CONFIGURE, {name: value}) -> None
CONFIGURE = 10
# (STATS,) -> dict of figures
STATS = 11
# (RESET_STATS,) -> None
RESET_STATS = 12

Item = tuple[Any, ...]

_LENGTH = Struct("<I")
# Version 2 writes no back references: they cost a hash look-up an object, and frames repeat little.
_MARSHAL_VERSION = 2


def pack(payload: Any) -> bytes:
    """One frame."""
    data = marshal.dumps(payload, _MARSHAL_VERSION)
    return _LENGTH.pack(len(data)) + data


# Bytes to read at once. A buffer of the larger size is mapped and unmapped by the allocator each time, so that is for
# frames that need it.
_SOME, _MANY = 1 << 16, 1 << 20


class FrameReader:
    """Cuts a stream of bytes into payloads. `wanted` is how many bytes to read next, at most."""

    __slots__ = ("_buffer", "wanted")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.wanted = _SOME

    def feed(self, data: bytes) -> list[Any]:
        """The payloads that `data` completes."""
        buffer = self._buffer
        if not buffer and len(data) >= 4 and _LENGTH.unpack_from(data)[0] == len(data) - 4:
            return [marshal.loads(memoryview(data)[4:])]  # by far the most frequent: one read, one frame
        buffer += data
        payloads = []
        at = 0
        with memoryview(buffer) as view:
            while len(buffer) - at >= 4:
                end = at + 4 + _LENGTH.unpack_from(buffer, at)[0]
                if len(buffer) < end:
                    break
                payloads.append(marshal.loads(view[at + 4 : end]))
                at = end
        del buffer[:at]
        self.wanted = _MANY if len(buffer) >= _SOME else _SOME
        return payloads
