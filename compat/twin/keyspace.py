"""The whole content of a server, as plain values that can be compared."""

from __future__ import annotations

import re
from typing import Any

from compat.twin.looseness import Dialect, same, same_without
from tests.support.resp import Connection

_INTEGER = re.compile(rb"0|-?[1-9][0-9]*")

# The deadlines that one command sets on two servers may differ by this many milliseconds.
_TOLERANCE = 5000

# How to read a value of each type: the command, and the words after the key.
_READ: dict[str, tuple[str, tuple[str, ...]]] = {
    "string": ("GET", ()),
    "list": ("LRANGE", ("0", "-1")),
    "set": ("SMEMBERS", ()),
    "zset": ("ZRANGE", ("0", "-1", "WITHSCORES")),
    "hash": ("HGETALL", ()),
    "stream": ("XRANGE", ("-", "+")),
}
# Numbers from here on are times in milliseconds: those of deliveries, and when a consumer was seen.
_TIMES = 10**12

Entry = tuple[str, Any, Any, int]  # type, value, encoding, deadline in milliseconds (-1: none)


def contents(connection: Connection, databases: int = 2) -> dict[tuple[int, bytes], Entry]:
    """(database, key) -> entry. The connection must speak RESP2; it is in database 0 afterwards."""
    found: dict[tuple[int, bytes], Entry] = {}
    for database in range(databases):
        connection.call("SELECT", database)
        for key in sorted(connection.call("KEYS", "*")):
            kind = str(connection.call("TYPE", key))
            command, options = _READ[kind]
            value = connection.call(command, key, *options)
            if kind == "set":
                value = sorted(value)
            elif kind == "hash":
                value = sorted(zip(value[::2], value[1::2], strict=True))
            elif kind == "stream":
                value = [value, _without_times(connection.call("XINFO", "STREAM", key, "FULL", "COUNT", 0))]
            encoding = connection.call("OBJECT", "ENCODING", key)
            if encoding == b"embstr" and _INTEGER.fullmatch(value):
                encoding = b"int"  # difference "incrbyfloat-encoding"
            found[database, key] = (kind, value, encoding, connection.call("PEXPIRETIME", key))
    connection.call("SELECT", 0)
    return found


def _without_times(reply: Any) -> Any:
    """A reply of XINFO STREAM without the times. `active-time` is left out too: it is new in 7.2."""
    if isinstance(reply, list):
        at = reply.index(b"active-time") if b"active-time" in reply else len(reply)
        return [_without_times(item) for item in (*reply[:at], *reply[at + 2 :])]
    return None if isinstance(reply, int) and reply >= _TIMES else reply


def differences(
    ours: dict[tuple[int, bytes], Entry], theirs: dict[tuple[int, bytes], Entry], dialect: Dialect
) -> list[str]:
    """One line for each key that differs. `theirs` is of a server of this dialect."""
    compared = 3 if dialect.has_our_encodings else 2
    equal = same_without(*dialect.left_out_of_streams)(same)
    lines = []
    for place in sorted(ours.keys() | theirs.keys()):
        one, other = ours.get(place), theirs.get(place)
        if (
            one is None
            or other is None
            or not equal([*one[:compared]], [*other[:compared]])
            or not _same_deadline(one[3], other[3])
        ):
            lines.append(f"database {place[0]}, key {place[1]!r}: ours {one}, theirs {other}")
    return lines


def _same_deadline(one: int, other: int) -> bool:
    return one == other or (one >= 0 and other >= 0 and abs(one - other) <= _TOLERANCE)
