"""Replies as Lua values, and what a script returns as a reply."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import isfinite
from typing import Any

from respcache.errors import REPLY_TOO_LARGE, CommandError, printable
from respcache.resp.encode import MAX_REPLY, NULL, RESP2, encode, format_double
from respcache.resp.types import BigNumber, Digits, NullArray, PairedMap, Pairs, Reply, SetReply, Status, Verbatim

_LEAST = -(1 << 63)

# What one element of a table takes in Lua, roughly, besides the bytes of a string.
_ELEMENT = 80


# -- from Redis to Lua. What is not a string, a number, a bool or None becomes a list or a dict here, and lupa
# makes a table of that. Each is made anew: lupa takes one that is there twice for a loop.


def to_lua(reply: Reply, protocol: int) -> Any:
    """A reply as the plain Python value that becomes its Lua value. `protocol` is that of the script."""
    convert = _CONVERTERS.get(type(reply))
    if convert is None:
        convert = next(_CONVERTERS[kind] for kind in type(reply).__mro__ if kind in _CONVERTERS)
    return convert(reply, protocol)


def error_table(text: bytes) -> dict[bytes, Any]:
    """A failed command as Lua sees it. The mark says that the error has been counted."""
    return {b"err": text, b"ignore_error_stats_update": True}


def error_text(error: CommandError) -> bytes:
    """The text of an error table. One without a code gets the general one."""
    text = error.text.strip("\r\n")
    return (text if " " in text else f"ERR {text}").encode("utf-8", "surrogateescape")


def weight(value: Any) -> int:
    """About how many bytes a reply, or a value from `to_lua`, will take in Lua."""
    if isinstance(value, (bytes, bytearray)):
        return len(value) + _ELEMENT
    if isinstance(value, (list, tuple)):
        return _ELEMENT + sum(map(weight, value))
    if isinstance(value, dict):
        return _ELEMENT + sum(weight(key) + weight(element) for key, element in value.items())
    if isinstance(value, (Status, Verbatim)):
        return len(value.text) + _ELEMENT
    return _ELEMENT


def _same(reply: Any, protocol: int) -> Any:
    return reply


def _bytes(reply: bytearray, protocol: int) -> Any:
    return bytes(reply)


def _status(reply: Status, protocol: int) -> Any:
    return {b"ok": reply.text}


def _error(reply: CommandError, protocol: int) -> Any:
    return error_table(error_text(reply))


def _null(reply: Any, protocol: int) -> Any:
    return False if protocol == RESP2 else None


def _bool(reply: bool, protocol: int) -> Any:
    return int(reply) if protocol == RESP2 else reply


def _float(reply: float, protocol: int) -> Any:
    return format_double(reply) if protocol == RESP2 else {b"double": reply}


def _list(reply: Iterable[Reply], protocol: int) -> Any:
    return [element if type(element) is bytes else to_lua(element, protocol) for element in reply]


def _map(reply: Mapping[bytes, Reply], protocol: int) -> Any:
    if protocol == RESP2:
        return [to_lua(word, protocol) for pair in reply.items() for word in pair]
    return {b"map": {to_lua(key, protocol): to_lua(value, protocol) for key, value in reply.items()}}


def _set(reply: SetReply, protocol: int) -> Any:
    if protocol == RESP2:
        return _list(reply, protocol)
    return {b"set": {to_lua(member, protocol): True for member in reply}}


def _pairs(reply: Pairs, protocol: int) -> Any:
    if protocol == RESP2:
        return [to_lua(word, protocol) for pair in reply for word in pair]
    return [_list(pair, protocol) for pair in reply]


def _paired_map(reply: PairedMap, protocol: int) -> Any:
    if protocol == RESP2:
        return [_list(pair, protocol) for pair in reply]
    return {b"map": {to_lua(key, protocol): to_lua(value, protocol) for key, value in reply}}


def _verbatim(reply: Verbatim, protocol: int) -> Any:
    if protocol == RESP2:
        return bytes(reply.text)
    return {b"verbatim_string": {b"string": bytes(reply.text), b"format": reply.format}}


def _big_number(reply: BigNumber, protocol: int) -> Any:
    return reply.digits if protocol == RESP2 else {b"big_number": reply.digits}


def _digits(reply: Digits, protocol: int) -> Any:
    return reply.text if protocol == RESP2 else {b"double": float(reply.text)}


_CONVERTERS: dict[type, Callable[[Any, int], Any]] = {
    bytes: _same,
    bytearray: _bytes,
    bool: _bool,
    int: _same,
    float: _float,
    type(None): _null,
    NullArray: _null,
    Status: _status,
    CommandError: _error,
    Verbatim: _verbatim,
    BigNumber: _big_number,
    Digits: _digits,
    list: _list,
    tuple: _list,
    dict: _map,
    SetReply: _set,
    Pairs: _pairs,
    PairedMap: _paired_map,
}


# -- from Lua to Redis


def integer(number: float) -> int:
    """A Lua number as a reply: cut off, and what is no 64-bit integer as processors cut it off."""
    if type(number) is int:
        return number
    whole = int(number) if isfinite(number) else _LEAST
    return whole if _LEAST <= whole < -_LEAST else _LEAST


def encode_tokens(tokens: Iterable[Any], script_protocol: int, protocol: int) -> bytes:
    """A reply in tokens (lua/engine.lua) for a client that speaks `protocol`.

    Encoded as it comes, since it may be nested thousands of levels deep. Raises CommandError if it is too large.
    """
    out = bytearray()
    stream = iter(tokens)
    for token in stream:
        if token is True:
            out += _OPERATORS[next(stream)](stream, script_protocol, protocol)
        elif type(token) is bytes:
            out += encode(token, protocol)
        else:
            out += b":%d\r\n" % integer(token)
        if len(out) > MAX_REPLY:
            raise CommandError(REPLY_TOO_LARGE)
    return bytes(out)


def line_text(text: bytes) -> bytes:
    """The text of a status: to Redis it ends at a zero byte, and it has no line breaks."""
    return text.partition(b"\0")[0].replace(b"\r", b" ").replace(b"\n", b" ")


def _encode_true(stream: Iterator[Any], script_protocol: int, protocol: int) -> bytes:
    return b":1\r\n" if script_protocol == RESP2 else encode(True, protocol)


def _encode_false(stream: Iterator[Any], script_protocol: int, protocol: int) -> bytes:
    return NULL[protocol] if script_protocol == RESP2 else encode(False, protocol)


def _encode_null(stream: Iterator[Any], script_protocol: int, protocol: int) -> bytes:
    return NULL[protocol]


def _encode_status(stream: Iterator[Any], script_protocol: int, protocol: int) -> bytes:
    return b"+%b\r\n" % line_text(next(stream))


def _encode_error(stream: Iterator[Any], script_protocol: int, protocol: int) -> bytes:
    text: bytes = next(stream)
    next(stream)  # whether it has been counted, which is of no interest within a reply
    return CommandError(printable(line_text(text))).line()


def _encode_double(stream: Iterator[Any], script_protocol: int, protocol: int) -> bytes:
    return encode(float(next(stream)), protocol)


def _encode_big_number(stream: Iterator[Any], script_protocol: int, protocol: int) -> bytes:
    digits: bytes = next(stream).replace(b"\r", b" ").replace(b"\n", b" ")
    return encode(digits, protocol) if protocol == RESP2 else b"(%b\r\n" % digits


def _encode_verbatim(stream: Iterator[Any], script_protocol: int, protocol: int) -> bytes:
    format = next(stream).partition(b"\0")[0][:3].ljust(3)
    return encode(Verbatim(next(stream), format), protocol)


def _encode_array(stream: Iterator[Any], script_protocol: int, protocol: int) -> bytes:
    return b"*%d\r\n" % next(stream)


def _encode_map(stream: Iterator[Any], script_protocol: int, protocol: int) -> bytes:
    count = next(stream)
    return b"*%d\r\n" % (2 * count) if protocol == RESP2 else b"%%%d\r\n" % count


def _encode_set(stream: Iterator[Any], script_protocol: int, protocol: int) -> bytes:
    count: int = next(stream)
    return (b"*%d\r\n" if protocol == RESP2 else b"~%d\r\n") % count


_OPERATORS: dict[bytes, Callable[[Iterator[Any], int, int], bytes]] = {
    b"t": _encode_true,
    b"f": _encode_false,
    b"_": _encode_null,
    b"+": _encode_status,
    b"-": _encode_error,
    b",": _encode_double,
    b"(": _encode_big_number,
    b"=": _encode_verbatim,
    b"*": _encode_array,
    b"%": _encode_map,
    b"~": _encode_set,
}
