"""Libraries of functions as FUNCTION DUMP gives them: one entry each, then the version of the format and a checksum."""

from __future__ import annotations

from collections.abc import Iterable

from respcache import errors
from respcache.rdb.crc import crc64
from respcache.rdb.strings import Reader, write_string

_FUNCTION, _FUNCTION_BEFORE_7 = 0xF5, 0xF6
# That of Redis 7.0, which all later servers read.
_VERSION = 10
_FOOTER = 10  # bytes: version and checksum


class BadPayload(ValueError):
    """It is not a payload of FUNCTION DUMP. `str()` is the error reply."""


def dump(codes: Iterable[bytes]) -> bytes:
    """The payload of libraries, given as their codes."""
    data = b"".join(bytes((_FUNCTION,)) + write_string(code) for code in codes) + _VERSION.to_bytes(2, "little")
    return data + crc64(data).to_bytes(8, "little")


def restore(payload: bytes) -> list[bytes]:
    """The codes of the libraries in a payload, of any version that has the same entries. Raises BadPayload."""
    if len(payload) < _FOOTER or crc64(payload[:-8]) != int.from_bytes(payload[-8:], "little"):
        raise BadPayload(errors.BAD_PAYLOAD)
    reader = Reader(payload[:-_FOOTER])
    codes = []
    while not reader.at_end:
        kind = reader.byte()
        if kind == _FUNCTION_BEFORE_7:
            raise BadPayload(errors.OLD_PAYLOAD)
        if kind != _FUNCTION:
            raise BadPayload(errors.NOT_A_FUNCTION)
        try:
            codes.append(reader.string())
        except ValueError:
            raise BadPayload(errors.BROKEN_PAYLOAD) from None
    return codes
