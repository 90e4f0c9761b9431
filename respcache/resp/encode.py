"""Replies to bytes. The only module that knows how RESP2 and RESP3 differ.

A reply is encoded whole before any of it is sent, so an error cannot cut it in half.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from math import copysign, isinf, isnan
from typing import Any

from respcache.errors import CommandError
from respcache.resp.types import Encoded, NullArray, Pairs, Push, Reply, SetReply, Status, Verbatim

RESP2 = 2
RESP3 = 3

OK_LINE = b"+OK\r\n"
NULL = {RESP2: b"$-1\r\n", RESP3: b"_\r\n"}
# What separates an element from a string of this length after it.
_HEADS = [b"\r\n$%d\r\n" % length for length in range(1024)]
_NULL_ARRAY = {RESP2: b"*-1\r\n", RESP3: b"_\r\n"}


def encode(reply: Reply, protocol: int) -> bytes:
    """The bytes of one reply. `protocol` is 2 or 3. Raises TypeError for a value that is no `Reply`."""
    if type(reply) is bytes:
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    if type(reply) is int:
        return b":%d\r\n" % reply
    if reply is None:
        return NULL[protocol]
    parts: list[bytes] = []
    _encode_into(reply, protocol, parts.append)
    return b"".join(parts)


def _encode_into(reply: Reply, protocol: int, put: Callable[[bytes], None]) -> None:
    match reply:
        case None:
            put(NULL[protocol])
        case bytes() | bytearray():
            put(b"$%d\r\n%b\r\n" % (len(reply), bytes(reply)))
        case bool():
            put((b"#t\r\n" if reply else b"#f\r\n") if protocol == RESP3 else (b":1\r\n" if reply else b":0\r\n"))
        case int():
            put(b":%d\r\n" % reply)
        case float():
            text = format_double(reply)
            put(b",%b\r\n" % text if protocol == RESP3 else b"$%d\r\n%b\r\n" % (len(text), text))
        case Status():
            put(b"+%b\r\n" % reply.text)
        case SetReply():
            _sequence(b"~" if protocol == RESP3 else b"*", len(reply), reply, protocol, put)
        case Pairs():
            _pairs(reply, protocol, put)
        case Push():
            _sequence(b">" if protocol == RESP3 else b"*", len(reply), reply, protocol, put)
        case list() | tuple():
            _sequence(b"*", len(reply), reply, protocol, put)
        case dict():
            words = list(chain.from_iterable(reply.items()))
            if protocol == RESP3:
                _sequence(b"%", len(reply), words, protocol, put)
            else:
                _sequence(b"*", len(words), words, protocol, put)
        case Verbatim():
            if protocol == RESP3:
                put(b"=%d\r\n%b:%b\r\n" % (len(reply.text) + 4, reply.format, reply.text))
            else:
                put(b"$%d\r\n%b\r\n" % (len(reply.text), reply.text))
        case NullArray():
            put(_NULL_ARRAY[protocol])
        case CommandError():
            put(reply.line())
        case Encoded():
            put(reply.data)
        case _:
            raise TypeError(f"not a reply: {type(reply).__name__}")


def _sequence(mark: bytes, count: int, items: Sequence[Any], protocol: int, put: Callable[[bytes], None]) -> None:
    heads = _HEADS
    try:  # only short strings: by far the most frequent sequence
        put(b"%b%d%b\r\n" % (mark, count, b"".join([heads[len(item)] + item for item in items])))
    except (TypeError, IndexError):
        put(b"%b%d\r\n" % (mark, count))
        for item in items:
            _encode_into(item, protocol, put)


def _pairs(pairs: Pairs, protocol: int, put: Callable[[bytes], None]) -> None:
    put(b"*%d\r\n" % (len(pairs) if protocol == RESP3 else 2 * len(pairs)))
    head = b"*2\r\n" if protocol == RESP3 else b""
    for first, second in pairs:
        put(head)
        _encode_into(first, protocol, put)
        _encode_into(second, protocol, put)


def format_double(value: float) -> bytes:
    """A double as Redis 7.2 prints scores: the shortest digits that read back the same.

    Integers below 2**62 and ``-0`` have neither point nor exponent; ``inf``, ``-inf`` and ``nan`` are lower case; the
    exponent appears where Redis' shortest-digits printer switches to it (`fpconv_dtoa`).
    """
    if value.is_integer() and abs(value) < (1 << 62):
        return b"%d" % value if value or copysign(1, value) > 0 else b"-0"
    if 1e-3 <= abs(value) < 1e4:
        return repr(value).encode()  # neither Redis nor Python has an exponent then
    if isinf(value):
        return b"inf" if value > 0 else b"-inf"
    if isnan(value):
        return b"nan"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    scale = int(exponent or 0) - len(fraction)
    digits = (whole + fraction).lstrip("0")
    scale += len(digits) - len(digits.rstrip("0"))
    digits = digits.rstrip("0")
    power = scale + len(digits) - 1
    if scale >= 0 and abs(power) < len(digits) + 7:
        text = digits + "0" * scale
    elif scale < 0 and (scale > -7 or abs(power) < 4):
        point = len(digits) + scale
        text = f"{digits[:point]}.{digits[point:]}" if point > 0 else f"0.{'0' * -point}{digits}"
    else:
        text = f"{digits[0]}{'.' + digits[1:] if len(digits) > 1 else ''}e{'+' if power >= 0 else '-'}{abs(power)}"
    return (sign + text).encode()
