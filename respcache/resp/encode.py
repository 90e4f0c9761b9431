"""Replies to bytes. The only module that knows how RESP2 and RESP3 differ.

A reply is encoded whole before any of it is sent, so an error cannot cut it off. A reply that would have more than
`MAX_REPLY` bytes is an error, and found out before those bytes are allocated: a list of 16 million references to one
member is small until it is encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain
from math import copysign, isinf, isnan
from typing import Any

from respcache.errors import REPLY_TOO_LARGE, CommandError
from respcache.resp.types import (
    BigNumber,
    Digits,
    Encoded,
    Entries,
    NullArray,
    PairedMap,
    Pairs,
    Push,
    Reply,
    SetReply,
    Status,
    Verbatim,
)

RESP2 = 2
RESP3 = 3

# A string of 512 MB, which is the longest one by default, with its header.
MAX_REPLY = 512 * 1024 * 1024 + 64

OK_LINE = b"+OK\r\n"
NULL = {RESP2: b"$-1\r\n", RESP3: b"_\r\n"}
_NULL_ARRAY = {RESP2: b"*-1\r\n", RESP3: b"_\r\n"}
_SHORT = 1024
_HEADERS = [b"$%d\r\n" % length for length in range(_SHORT)]
# Entries of streams that are encoded at once, and the fields and values that one of them may have then.
_FEW, _FIELDS = 128, 64
_ARRAY_HEADERS = [b"*%d" % length for length in range(_FIELDS)]
# An entry up to its id, which has two numbers of 64 bits and a dash.
_ID_HEADERS = [b"*2\r\n$%d\r\n" % length for length in range(42)]
# Longer sequences are encoded in slices, as each element becomes an object of its own on the way.
_SLICE = 1 << 16


def encode(reply: Reply, protocol: int) -> bytes:
    """The bytes of one reply. `protocol` is 2 or 3.

    Raises CommandError if there would be more than `MAX_REPLY`, and TypeError for a value that is no `Reply`.
    """
    if type(reply) is bytes:
        size = len(reply)
        if size < _SHORT:
            return _HEADERS[size] + reply + b"\r\n"
        if size < MAX_REPLY - 32:  # room for its header
            return b"$%d\r\n%b\r\n" % (size, reply)
    elif type(reply) is int:
        return b":%d\r\n" % reply
    elif reply is None:
        return NULL[protocol]
    out = bytearray()
    if type(reply) is list and len(reply) <= _SLICE:
        strings = _strings(reply)
        if strings is not None:
            return b"*%d\r\n%b" % (len(reply), strings)
        out += b"*%d\r\n" % len(reply)
        _each(reply, protocol, out)
    else:
        _write(reply, protocol, out)
    _check(len(out))
    return bytes(out)


def _check(size: int) -> None:
    if size > MAX_REPLY:
        raise CommandError(REPLY_TOO_LARGE)


def _write(reply: Reply, protocol: int, out: bytearray) -> None:
    writer = _WRITERS.get(type(reply))
    if writer is None:
        writer = next((_WRITERS[kind] for kind in type(reply).__mro__ if kind in _WRITERS), None)
        if writer is None:
            raise TypeError(f"not a reply: {type(reply).__name__}")
    writer(reply, protocol, out)


# -- a writer for each kind of reply: (reply, protocol, out)


def _null(reply: None, protocol: int, out: bytearray) -> None:
    out += NULL[protocol]


def _null_array(reply: NullArray, protocol: int, out: bytearray) -> None:
    out += _NULL_ARRAY[protocol]


def _bool(reply: bool, protocol: int, out: bytearray) -> None:
    if protocol == RESP3:
        out += b"#t\r\n" if reply else b"#f\r\n"
    else:
        out += b":1\r\n" if reply else b":0\r\n"


def _int(reply: int, protocol: int, out: bytearray) -> None:
    out += b":%d\r\n" % reply


def _float(reply: float, protocol: int, out: bytearray) -> None:
    text = format_double(reply)
    out += b",%b\r\n" % text if protocol == RESP3 else b"$%d\r\n%b\r\n" % (len(text), text)


def _status(reply: Status, protocol: int, out: bytearray) -> None:
    out += b"+%b\r\n" % reply.text


def _error(reply: CommandError, protocol: int, out: bytearray) -> None:
    out += reply.line()


def _encoded(reply: Encoded, protocol: int, out: bytearray) -> None:
    _check(len(out) + len(reply.data))
    out += reply.data


def _string(reply: bytes | bytearray, protocol: int, out: bytearray) -> None:
    _text(b"$%d\r\n" % len(reply), reply, out)


def _verbatim(reply: Verbatim, protocol: int, out: bytearray) -> None:
    if protocol == RESP3:
        _text(b"=%d\r\n%b:" % (len(reply.text) + 4, reply.format), reply.text, out)
    else:
        _text(b"$%d\r\n" % len(reply.text), reply.text, out)


def _big_number(reply: BigNumber, protocol: int, out: bytearray) -> None:
    if protocol == RESP3:
        out += b"(%b\r\n" % reply.digits
    else:
        _string(reply.digits, protocol, out)


def _digits(reply: Digits, protocol: int, out: bytearray) -> None:
    if protocol == RESP3:
        out += b",%b\r\n" % reply.text
    else:
        _string(reply.text, protocol, out)


def _text(header: bytes, text: bytes | bytearray, out: bytearray) -> None:
    _check(len(out) + len(header) + len(text) + 2)
    out += header
    out += text
    out += b"\r\n"


def _list(reply: Sequence[Reply], protocol: int, out: bytearray) -> None:
    _sequence(b"*%d\r\n" % len(reply), reply, protocol, out)


def _set(reply: SetReply, protocol: int, out: bytearray) -> None:
    _sequence((b"~%d\r\n" if protocol == RESP3 else b"*%d\r\n") % len(reply), reply, protocol, out)


def _push(reply: Push, protocol: int, out: bytearray) -> None:
    _sequence((b">%d\r\n" if protocol == RESP3 else b"*%d\r\n") % len(reply), reply, protocol, out)


def _dict(reply: dict[bytes, Reply], protocol: int, out: bytearray) -> None:
    words = list(chain.from_iterable(reply.items()))
    _sequence(b"%%%d\r\n" % len(reply) if protocol == RESP3 else b"*%d\r\n" % len(words), words, protocol, out)


def _pairs(reply: Pairs, protocol: int, out: bytearray) -> None:
    out += b"*%d\r\n" % (len(reply) if protocol == RESP3 else 2 * len(reply))
    head = b"*2\r\n" if protocol == RESP3 else b""
    for first, second in reply:
        out += head
        _write(first, protocol, out)
        _write(second, protocol, out)
        _check(len(out))


def _paired_map(reply: PairedMap, protocol: int, out: bytearray) -> None:
    out += b"%%%d\r\n" % len(reply) if protocol == RESP3 else b"*%d\r\n" % len(reply)
    head = b"" if protocol == RESP3 else b"*2\r\n"
    for key, value in reply:
        if type(key) is bytes and type(value) is Entries:  # XREAD and XREADGROUP: without the way through `_write`
            out += b"%b$%d\r\n%b\r\n" % (head, len(key), key)
            _entries(value, protocol, out)
        else:
            out += head
            _write(key, protocol, out)
            _write(value, protocol, out)
        _check(len(out))


def _entries(reply: Entries, protocol: int, out: bytearray) -> None:
    count = len(reply)
    out += b"*%d\r\n" % count
    for start in range(0, count, _FEW):
        few = reply[start : start + _FEW] if count > _FEW else reply
        lines = _entry_lines(few)
        if lines is not None:
            out += lines
        else:
            for id, fields in few:
                out += b"*2\r\n$%d\r\n%b\r\n" % (len(id), id)
                _write(fields, protocol, out)
        _check(len(out))


def _entry_lines(few: Sequence[tuple[bytes, Sequence[bytes] | NullArray]]) -> bytes | None:
    """Entries if all of them have a few short fields, by far the most frequent case; else None."""
    ids, arrays, strings = _ID_HEADERS, _ARRAY_HEADERS, _HEADERS
    lines: list[bytes] = []
    try:
        for id, fields in few:
            lines.append(ids[len(id)] + id)
            lines.append(arrays[len(fields)])  # type: ignore[arg-type]  # a NullArray raises TypeError
            lines += [strings[len(field)] + field for field in fields]  # type: ignore[union-attr]  # as above
    except (TypeError, IndexError):
        return None
    lines.append(b"")
    return b"\r\n".join(lines)


def _sequence(header: bytes, items: Sequence[Any], protocol: int, out: bytearray) -> None:
    out += header
    if len(items) <= _SLICE:
        _items(items, protocol, out)
        return
    if len(items) * _SHORT > MAX_REPLY:
        with suppress(TypeError):  # numbers among them: what those come to is seen as they are encoded
            _check(sum(map(len, items)))
    for start in range(0, len(items), _SLICE):
        _items(items[start : start + _SLICE], protocol, out)
        _check(len(out))


def _items(items: Sequence[Any], protocol: int, out: bytearray) -> None:
    strings = _strings(items)
    if strings is not None:
        out += strings
    else:
        _each(items, protocol, out)


def _strings(items: Sequence[Any]) -> bytes | None:
    """The elements of a sequence if all are short strings, by far the most frequent case; else None."""
    headers = _HEADERS
    try:
        lines = [headers[len(item)] + item for item in items]
    except (TypeError, IndexError):
        return None
    lines.append(b"")
    return b"\r\n".join(lines)


def _each(items: Sequence[Any], protocol: int, out: bytearray) -> None:
    for item in items:
        _write(item, protocol, out)
        _check(len(out))


_WRITERS: dict[type, Callable[[Any, int, bytearray], None]] = {
    type(None): _null,
    NullArray: _null_array,
    bool: _bool,
    int: _int,
    float: _float,
    bytes: _string,
    bytearray: _string,
    Status: _status,
    Verbatim: _verbatim,
    BigNumber: _big_number,
    Digits: _digits,
    Encoded: _encoded,
    CommandError: _error,
    list: _list,
    tuple: _list,
    SetReply: _set,
    Pairs: _pairs,
    PairedMap: _paired_map,
    Entries: _entries,
    Push: _push,
    dict: _dict,
}


def format_double(value: float) -> bytes:
    """A double as Redis 7.2 prints scores: the shortest digits that read back the same.

    Integers below 2**62 and ``-0`` have neither point nor exponent; ``inf``, ``-inf`` and ``nan`` are lower case.
    """
    if value.is_integer() and abs(value) < (1 << 62):
        return b"%d" % value if value or copysign(1, value) > 0 else b"-0"
    return shortest_double(value)


def shortest_double(value: float) -> bytes:
    """The same where Redis does not look whether it is an integer: so many of these have an exponent, too.

    It appears where Redis' shortest-digits printer (`fpconv_dtoa`) switches to it.
    """
    if not value:
        return b"0" if copysign(1, value) > 0 else b"-0"
    if not value.is_integer() and 1e-3 <= abs(value) < 1e4:
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
