"""Encoded replies as values again: what main answers to a command that a script has called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.errors import CommandError, printable
from respcache.resp.types import NULL_ARRAY, BigNumber, SetReply, Status, Verbatim

if TYPE_CHECKING:
    from respcache.resp.types import Reply


def decode(data: bytes) -> Reply:
    """The one reply that `data` is. It comes from our own encoder, so it is well-formed."""
    reply: Reply
    reply, end = _decode(data, 0)
    assert end == len(data)
    return reply


def _decode(data: bytes, at: int) -> tuple[Any, int]:
    """The reply that begins at `at`, and where it ends."""
    end = data.index(b"\r\n", at)
    kind, line = data[at], data[at + 1 : end]
    end += 2
    match kind:
        case 0x24:  # $
            if line == b"-1":
                return None, end
            size = int(line)
            return data[end : end + size], end + size + 2
        case 0x3A:  # :
            return int(line), end
        case 0x2B:  # +
            return Status(line), end
        case 0x2D:  # -
            return CommandError(printable(line)), end
        case 0x2A:  # *
            if line == b"-1":
                return NULL_ARRAY, end
            return _decode_many(data, end, int(line))
        case 0x7E:  # ~
            members, end = _decode_many(data, end, int(line))
            return SetReply(members), end
        case 0x25:  # %
            words, end = _decode_many(data, end, 2 * int(line))
            return dict(zip(words[::2], words[1::2], strict=True)), end
        case 0x5F:  # _
            return None, end
        case 0x23:  # #
            return line == b"t", end
        case 0x2C:  # ,
            return float(line), end
        case 0x28:  # (
            return BigNumber(line), end
        case 0x7C:  # |: an attribute, which scripts do not see; the reply itself follows
            _, end = _decode_many(data, end, 2 * int(line))
            return _decode(data, end)
        case 0x3E:  # >
            return _decode_many(data, end, int(line))
        case 0x3D:  # =
            size = int(line)
            return Verbatim(data[end + 4 : end + size], data[end : end + 3]), end + size + 2
        case _:
            raise ValueError(f"a reply that begins with {kind}")


def _decode_many(data: bytes, at: int, count: int) -> tuple[list[Any], int]:
    items = []
    for _ in range(count):
        item, at = _decode(data, at)
        items.append(item)
    return items, at
