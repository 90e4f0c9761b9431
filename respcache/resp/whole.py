"""Chunks that hold complete commands and nothing else, parsed in C.

Each function takes a chunk that ends with a line break and returns its commands, or None if it cannot vouch for them.
None is no verdict: the strict parser in `decode.py` then says what the chunk is. That file also says when each is used.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

import hiredis

if TYPE_CHECKING:
    from respcache.resp.types import Argv, Columns

# What has fewer words or bytes than this has its header in a table.
_SMALL = 1024
# The header of an array -> how many lines the array has; the headers of bulk strings by their length.
_STRIDES = {b"*%d" % count: 1 + 2 * count for count in range(1, _SMALL)}
_LENGTHS = tuple(b"$%d" % length for length in range(_SMALL))

# The same headers with the line breaks around them, as they stand between two words.
_ARRAYS = tuple(b"\r\n*%d" % count for count in range(_SMALL))
_BULKS = tuple(b"\r\n$%d\r\n" % length for length in range(_SMALL))

# hiredis accepts no more than ten digits.
_ARRAY_HEADER = re.compile(rb"\*([0-9]{1,10})\r\n")
# The fewest bytes that a word takes: ``$0``, a line break, and another one.
_LEAST_WORD = 6
_NOTHING = object()


def parse_lines(data: bytes) -> tuple[list[Argv], Columns] | None:
    """The commands of a chunk in which no word has a line break, with their columns if they are equally long.

    Every header is compared with what it announces, so nothing but well-formed commands comes through. A single
    command has no columns: they would not save its reader anything.
    """
    lines = data.split(b"\r\n")
    if lines.pop():
        return None
    try:
        stride = _STRIDES[lines[0]]
        if len(lines) == stride:
            words = lines[2::2]
            if lines[1::2] == [_LENGTHS[len(word)] for word in words]:
                return [words], []
        elif len(lines) % stride == 0 and lines[::stride].count(lines[0]) * stride == len(lines):
            columns = _columns(lines, stride)
            if columns is not None:
                return list(map(list, zip(*columns, strict=True))), columns
        return _parse_mixed(lines)
    except IndexError:
        return _parse_mixed(lines)  # a word larger than the table
    except KeyError:
        return None  # no array, an empty one, or one larger than the table


def _columns(lines: list[bytes], stride: int) -> Columns | None:
    """The words of commands that have `stride` lines each. Raises IndexError if one is larger than the table."""
    columns: Columns = []
    for at in range(2, stride, 2):
        headers, words = lines[at - 1 :: stride], lines[at::stride]
        if words.count(words[0]) == len(words):  # such as the name of the command
            if headers.count(_LENGTHS[len(words[0])]) != len(words):
                return None
        elif headers != [_LENGTHS[len(word)] for word in words]:
            return None
        columns.append(words)
    return columns


def _parse_mixed(lines: list[bytes]) -> tuple[list[Argv], Columns] | None:
    """The same for commands and words of any size."""
    commands: list[Argv] = []
    headers: list[bytes] = []
    at, count = 0, len(lines)
    try:
        while at < count:
            end = at + _STRIDES[lines[at]]
            headers += lines[at + 1 : end : 2]
            commands.append(lines[at + 2 : end : 2])
            at = end
    except KeyError:
        return None
    words = chain.from_iterable(commands)
    if at != count or headers != [_LENGTHS[len(w)] if len(w) < _SMALL else b"$%d" % len(w) for w in words]:
        return None
    return commands, []


def parse_with_hiredis(data: bytes) -> list[Argv] | None:
    """The commands of a chunk, whatever bytes their words have.

    hiredis is made for replies. It accepts every type of RESP3 where a command or a word is due, and allocates an
    array as its header arrives. So it is asked only if what the chunk promises could be in it, and what it returns is
    believed only if encoding that again gives the chunk.

    The reader lives as long as this call: what a broken chunk leaves in it is freed, and never becomes part
    of another client's command.
    """
    if b">" in data or b"~" in data or b"|" in data or b"%" in data:
        return None  # even within words: no length has been checked yet, so hiredis may read a type from anywhere
    if sum(map(int, _ARRAY_HEADER.findall(data))) * _LEAST_WORD > len(data):
        return None
    reader = hiredis.Reader(notEnoughData=_NOTHING)
    try:
        reader.feed(data)
        commands: list[Argv] = list(iter(reader.gets, _NOTHING))
        return commands if _encoded(commands) == data else None
    except (hiredis.HiredisError, TypeError, ValueError, MemoryError):
        return None  # broken; or replies that are no lists of bytes, which cannot be encoded


def _encoded(commands: list[Argv]) -> bytes:
    """The only bytes that are these commands in canonical form. Raises TypeError for anything but lists of bytes."""
    parts: list[bytes] = []
    for argv in commands:
        parts.append(_ARRAYS[len(argv)] if len(argv) < _SMALL else b"\r\n*%d" % len(argv))
        try:
            parts += [_BULKS[len(word)] + word for word in argv]
        except IndexError:  # a word larger than the table
            parts += [b"\r\n$%d\r\n%b" % (len(word), word) for word in argv]
    parts.append(b"\r\n")
    return b"".join(parts)[2:]
