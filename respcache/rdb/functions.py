"""Libraries of functions as FUNCTION DUMP gives them: one entry each, then the version of the format and a checksum."""

from __future__ import annotations

from collections.abc import Iterable

from respcache import errors
from respcache.rdb.payload import FOOTER, BadFrame, seal, unseal
from respcache.rdb.strings import Malformed, Reader, write_string

_FUNCTION, _FUNCTION_BEFORE_7 = 0xF5, 0xF6


class BadPayload(ValueError):
    """It is not a payload of FUNCTION DUMP. `str()` is the error reply."""


def dump(codes: Iterable[bytes], *, compressed: bool = False) -> bytes:
    """The payload of libraries, given as their codes."""
    return seal(b"".join(bytes((_FUNCTION,)) + write_string(code, compressed=compressed) for code in codes))


def restore(payload: bytes) -> list[bytes]:
    """The codes of the libraries in a payload, of any version that has the same entries. Raises BadPayload."""
    try:
        unseal(payload)
    except BadFrame:
        raise BadPayload(errors.BAD_PAYLOAD) from None
    reader = Reader(payload[:-FOOTER])
    codes = []
    while not reader.at_end:
        kind = reader.byte()
        if kind == _FUNCTION_BEFORE_7:
            raise BadPayload(errors.OLD_PAYLOAD)
        if kind != _FUNCTION:
            raise BadPayload(errors.NOT_A_FUNCTION)
        try:
            codes.append(reader.string())
        except Malformed:
            raise BadPayload(errors.BROKEN_PAYLOAD) from None
    return codes
