"""What DUMP gives: the type of a value, the value, the version of the format, and a checksum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.rdb.building import build
from respcache.rdb.crc import crc64
from respcache.rdb.reading import VALKEY, read_value
from respcache.rdb.strings import Malformed, Reader
from respcache.rdb.writing import OF_7_0, Writer

if TYPE_CHECKING:
    from respcache.datatypes.limits import Limits
    from respcache.rdb.plain import Plain

# The version and the checksum.
FOOTER = 10
_CHECKSUM = 8

# The versions that are read: those of Redis up to 8.10, and that of Valkey 9.
_NEWEST = 15
_VERSIONS = frozenset((*range(_NEWEST + 1), VALKEY))


class BadFrame(ValueError):
    """Not a payload, or one that was damaged, or of an unknown version."""


def seal(body: bytes, version: int = OF_7_0) -> bytes:
    """A payload with this body."""
    data = body + version.to_bytes(2, "little")
    return data + crc64(data).to_bytes(_CHECKSUM, "little")


def unseal(payload: bytes, *, check: bool = True) -> int:
    """The version of a payload. Its body is all but the last `FOOTER` bytes. Raises BadFrame.

    `check`: whether the checksum has to be right.
    """
    if len(payload) < FOOTER:
        raise BadFrame("too short")
    version = int.from_bytes(payload[-FOOTER:-_CHECKSUM], "little")
    if version not in _VERSIONS:
        raise BadFrame("of another version")
    if check and crc64(memoryview(payload)[:-_CHECKSUM]) != int.from_bytes(payload[-_CHECKSUM:], "little"):
        raise BadFrame("damaged")
    return version


def dump(value: Any, writer: Writer) -> bytes:
    """The payload of a value."""
    kind, data = writer.value(value)
    return seal(bytes((kind,)) + data, writer.version)


def read(payload: bytes, *, check: bool = True) -> Plain:
    """The value of a payload as it stands there. Raises BadFrame, Malformed and Unsupported."""
    version = unseal(payload, check=check)
    reader = Reader(payload[:-FOOTER])
    return read_value(reader, reader.byte(), version)


def restore(limits: Limits, payload: bytes) -> Any:
    """The value of a payload. Raises BadFrame, Malformed and Unsupported."""
    return build(limits, read(payload, check=not limits.skip_checksum_validation))


__all__ = ["FOOTER", "BadFrame", "Malformed", "dump", "read", "restore", "seal", "unseal"]
