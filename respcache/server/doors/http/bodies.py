"""JSON bodies to commands: an array of words, or an array of such arrays."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn

from respcache.errors import CommandError
from respcache.server.doors.http.requests import BadRequest

if TYPE_CHECKING:
    from respcache.resp.types import Argv

# As many words as an array of RESP may have. Each takes an object, many times its size in the body.
_MOST_VALUES = 1 << 20
# What a value or a name follows, and what is skipped before the next one.
_BEGINNING = re.compile(rb'(?:\A|[\[{,])(?:[^"\[{,]++|"[^"]*+(?:"|\Z))*+')
_SURROGATE = re.compile("[\ud800-\udfff]")


def command(body: bytes) -> Argv:
    """The command that a body is. Raises BadRequest."""
    return _words(_parsed(body))


def commands(body: bytes) -> list[Argv | CommandError]:
    """The commands of a two-dimensional array; an error in place of what is no command. Raises BadRequest."""
    rows = _parsed(body)
    if not all(isinstance(row, list) for row in rows):
        raise BadRequest(400, "ERR the body must be a JSON array of arrays, each with a command and its arguments")
    found: list[Argv | CommandError] = []
    for row in rows:
        try:
            found.append(_words(row))
        except BadRequest as error:
            found.append(CommandError(error.text))
    return found


def _parsed(body: bytes) -> list[Any]:
    if _has_too_many_values(body):
        raise BadRequest(413, "ERR the body has too many values")
    try:
        # Numbers stay as they are written: they are words of a command.
        value = json.loads(body.decode(), parse_int=str, parse_float=str, parse_constant=_refuse)
    except RecursionError:
        raise BadRequest(400, "ERR the body is nested too deeply") from None
    except ValueError:
        raise BadRequest(400, "ERR the body is not valid JSON") from None
    if not isinstance(value, list):
        raise BadRequest(400, "ERR the body must be a JSON array")
    return value


def _has_too_many_values(body: bytes) -> bool:
    """True if so; linear, and it stops as soon as it knows."""
    if len(body) <= _MOST_VALUES:  # each takes a byte at least
        return False
    if body.count(b",") + body.count(b"[") + body.count(b"{") <= _MOST_VALUES:
        return False
    bare = body.replace(b"\\\\", b"").replace(b'\\"', b"")  # so that each quote begins or ends a string
    beginnings = sum(1 for _ in islice(_BEGINNING.finditer(bare), _MOST_VALUES + 1))
    return beginnings > _MOST_VALUES


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _words(row: list[Any]) -> Argv:
    if not row:
        raise BadRequest(400, "ERR empty command")
    return [_word(value) for value in row]


def _word(value: Any) -> bytes:
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:  # half of a pair, as in "\ud800"
            return _SURROGATE.sub("\ufffd", value).encode()
    if isinstance(value, bool):
        return b"true" if value else b"false"
    raise BadRequest(400, "ERR the words of a command must be strings, numbers or booleans")
