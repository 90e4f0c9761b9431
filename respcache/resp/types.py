"""What handlers take and return: a command as it came, and how each reply looks on the wire.

| Python value        | RESP2                       | RESP3                |
|---------------------|-----------------------------|----------------------|
| `None`              | ``$-1``                     | ``_``                |
| `NULL_ARRAY`        | ``*-1``                     | ``_``                |
| `int`               | ``:1``                      | ``:1``               |
| `bool`              | ``:1`` / ``:0``             | ``#t`` / ``#f``      |
| `float`             | bulk string                 | ``,1.5``             |
| `bytes` `bytearray` | bulk string                 | bulk string          |
| `Status`            | ``+OK``                     | ``+OK``              |
| `Verbatim`          | bulk string                 | ``=15\\r\\ntxt:...`` |
| `BigNumber`         | bulk string                 | ``(123...``          |
| `Digits`            | bulk string                 | ``,1.50``            |
| `list` `tuple`      | array                       | array                |
| `dict`              | flat array                  | map                  |
| `SetReply`          | array                       | set                  |
| `PairedMap`         | array of pairs              | map                  |
| `Entries`           | array of pairs              | array of pairs       |
| `Pairs`             | flat array                  | array of pairs       |
| `Push`              | array                       | push                 |
| `CommandError`      | ``-ERR ...``                | ``-ERR ...``         |
| `Encoded`           | as it is                    | as it is             |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from respcache.errors import CommandError


class Status:
    """A simple string such as ``+OK``."""

    __slots__ = ("text",)

    def __init__(self, text: bytes) -> None:
        self.text = text


class Verbatim:
    """Text for humans, with a three-letter format."""

    __slots__ = ("format", "text")

    def __init__(self, text: bytes, format: bytes = b"txt") -> None:
        self.text = text
        self.format = format


class BigNumber:
    """An integer of any size, as its digits. No command of Redis answers with one; scripts may, and DEBUG PROTOCOL."""

    __slots__ = ("digits",)

    def __init__(self, digits: bytes) -> None:
        self.digits = digits


class Digits:
    """A double that is sent with these digits, and not with the shortest ones that read back the same."""

    __slots__ = ("text",)

    def __init__(self, text: bytes) -> None:
        self.text = text


class NullArray:
    """The type of `NULL_ARRAY`: "no array", which RESP2 distinguishes from "no string"."""

    __slots__ = ()


class SetReply(list["Reply"]):
    """Members of a set, in the order to send them."""

    __slots__ = ()


class Pairs(list["tuple[Reply, Reply]"]):
    """(member, score), (field, value): flat in RESP2, one array per pair in RESP3."""

    __slots__ = ()


class PairedMap(list["tuple[Reply, Reply]"]):
    """(key, entries) of XREAD, where a key may come twice: one array per pair in RESP2, a map in RESP3."""

    __slots__ = ()


class Entries(list["tuple[bytes, tuple[bytes, ...] | NullArray]"]):
    """Entries of a stream: the id, and its fields and values, if it still has any."""

    __slots__ = ()


class Push(list["Reply"]):
    """Out-of-band data (pub/sub, invalidations)."""

    __slots__ = ()


class Encoded:
    """One or more replies, already encoded in the right protocol."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


# A command as it came: its name and its arguments.
Argv: TypeAlias = list[bytes]
# The first words of some commands, their second words, and so on.
Columns: TypeAlias = list[list[bytes]]

OK = Status(b"OK")
QUEUED = Status(b"QUEUED")
PONG = Status(b"PONG")
NULL_ARRAY = NullArray()

Reply: TypeAlias = (
    "bool | int | float | bytes | bytearray | Status | Verbatim | BigNumber | Digits | NullArray | SetReply | Pairs "
    "| PairedMap | Entries | Push | Encoded | CommandError | Sequence[Reply] | Mapping[bytes, Reply] | None"
)
