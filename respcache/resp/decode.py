"""Bytes to commands, without I/O.

A client sends arrays of bulk strings, or inline commands (a line of words, as typed into telnet). hiredis parses the
arrays in C, but it is made for replies: it takes ``+GET`` for ``$3 GET``, nested arrays and null elements for words,
and it has no inline commands. So it only ever sees chunks that end at the end of a command, and afterwards the chunk is
counted: as many ``\\r\\n*`` as commands, as many ``\\r\\n$`` as words, and nothing held back. Whatever does not add up
(the end of a chunk, inline commands, broken input), and values with bytes in them that could make up for something
missing elsewhere, go through a second parser, which is slower, incremental, and knows each protocol error of Redis.

Most chunks are simpler than that: all their commands have the same number of words. These are cut up here by lines,
which is faster than hiredis and the counting.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

import hiredis

from respcache import errors
from respcache.errors import ProtocolError
from respcache.quoting import split_args

if TYPE_CHECKING:
    from respcache.resp.types import Argv

MAX_INLINE = 64 * 1024
MAX_WORDS = (1 << 31) - 1
UNAUTHENTICATED_WORDS = 10
UNAUTHENTICATED_BULK = 16384

# Larger chunks are part of a large value, which hiredis would only copy once more.
_FAST_CHUNK = 1 << 18
# hiredis allocates an array as large as its header promises; that is not left to a client.
_MANY_WORDS = re.compile(rb"\*[0-9]{6}")
# What a value needs to look like a header to those who count headers.
_HEADER_BYTES = b"$*\r\n"

# The header of an array -> how many lines the whole of it has; headers of bulk strings by their length.
_STRIDES = {b"*%d" % count: 1 + 2 * count for count in range(1, 1024)}
_LENGTHS = tuple(b"$%d" % length for length in range(1024))

# The first words of some commands, their second words, and so on.
Columns = list[list[bytes]]

_NOTHING = object()


def _new_reader() -> hiredis.Reader:
    return hiredis.Reader(notEnoughData=_NOTHING)


_reader = _new_reader()


def _parse_uniform(data: bytes) -> tuple[list[Argv], Columns] | None:
    """The commands of a chunk if all have the same number of words, and no word has a line break in it; else None.

    That is what a client sends without a pipeline, and what most pipelines look like. Every header is compared with
    what it announces, so nothing but well-formed commands comes through.
    """
    parts = data.split(b"\r\n")
    columns: Columns = []
    try:
        if parts.pop():
            return None
        stride = _STRIDES[parts[0]]
        if len(parts) == stride:
            words = parts[2::2]
            return ([words], columns) if parts[1::2] == [_LENGTHS[len(word)] for word in words] else None
        if len(parts) % stride or parts[::stride].count(parts[0]) * stride != len(parts):
            return None
        for at in range(2, stride, 2):
            headers, words = parts[at - 1 :: stride], parts[at::stride]
            if words.count(words[0]) == len(words):
                if headers.count(_LENGTHS[len(words[0])]) != len(words):
                    return None
            elif headers != [_LENGTHS[len(word)] for word in words]:
                return None
            columns.append(words)
    except LookupError:
        return None  # larger than the tables
    return list(map(list, zip(*columns, strict=True))), columns


def _parse_whole(data: bytes) -> list[Argv] | None:
    """The commands of a chunk that holds nothing but complete arrays of bulk strings; None for any other chunk.

    `data` ends with a line break.
    """
    global _reader
    if b"$-" in data or _MANY_WORDS.search(data):
        return None
    _reader.feed(data)
    try:
        commands: list[Argv] = list(iter(_reader.gets, _NOTHING))
        text = b"".join(chain.from_iterable(commands))
        # All clients share the reader: what it holds back would be the beginning of the next client's command. It holds
        # nothing if a further reply comes back as itself.
        _reader.feed(b":1\r\n")
        if (
            _reader.gets() == 1
            and len(text.translate(None, _HEADER_BYTES)) == len(text)
            and data.count(b"\r\n$") == sum(map(len, commands))
            and data.count(b"\r\n*") == len(commands) - 1
        ):
            return commands
    except (hiredis.ProtocolError, TypeError):
        pass  # broken, or values that are no bytes
    _reader = _new_reader()
    return None


class Decoder:
    """The commands of one connection. After a broken one `error` is set, and nothing more is taken.

    `columns`: the commands that `feed` has returned last once more, turned by 90 degrees, where it is known that all
    have the same number of words; else empty. To look at all names, or at all keys, is a matter of one column then.
    """

    __slots__ = (
        "_at",
        "_buffer",
        "_held",
        "_length",
        "_missing",
        "_words",
        "authenticated",
        "columns",
        "error",
        "max_bulk",
    )

    def __init__(self, max_bulk: int = 512 * 1024 * 1024) -> None:
        self.error: ProtocolError | None = None
        self.max_bulk = max_bulk
        self.columns: Columns = []
        self.authenticated = True  # clients that still have to log in get small limits
        self._buffer = bytearray()
        self._at = 0  # where the incremental parser stands in it
        self._missing = 0  # words that the array under way still lacks
        self._words: Argv = []
        self._held = 0  # bytes of these words
        self._length = -1  # of the bulk string under way; -1: its header is not there yet

    @property
    def buffered(self) -> int:
        """Bytes held back because their command is not complete."""
        return len(self._buffer) + self._held

    def feed(self, data: bytes) -> list[Argv]:
        """The commands that `data` completes, in order. Empty ones, which Redis ignores, may be among them.

        Before authentication it is one command at a time, as it may end the small limits; `feed(b"")` gives the next.
        """
        self.columns = []
        if self.error is not None:
            return []
        if not self.authenticated:
            self._buffer += data
            return self._parse(limit=1)
        if not self._buffer and not self._missing:
            return self._parse_chunk(data) if data else []
        self._buffer += data
        commands = self._parse(limit=1)
        if self.error is None and commands and self._buffer:
            data = bytes(self._buffer)
            self._buffer.clear()
            commands += self._parse_chunk(data)
            self.columns = []  # they lack the first command
        return commands

    def _parse_chunk(self, data: bytes) -> list[Argv]:
        commands: list[Argv] | None = None
        if data[0] == 42 and len(data) <= _FAST_CHUNK:  # "*"
            if data.endswith(b"\r\n"):
                uniform = _parse_uniform(data)
                if uniform is not None:
                    commands, self.columns = uniform
                    return commands
                commands = _parse_whole(data)
                if commands is not None:
                    return commands
            last = data.rfind(b"\r\n*") + 2
            if last > 2:
                commands = _parse_whole(data[:last])
                if commands is not None:
                    data = data[last:]
        self._buffer += data
        return (commands or []) + self._parse()

    # -- the strict, incremental parser: each step takes what it can at `_at`, and says whether it got on

    def _parse(self, limit: int = -1) -> list[Argv]:
        """Commands out of the buffer until it has no complete one (or `limit` were found)."""
        commands: list[Argv] = []
        try:
            while len(commands) != limit and self._at < len(self._buffer):
                if self._missing:
                    advanced = self._take_bulk_string(commands)
                elif self._buffer[self._at] == 42:  # "*"
                    advanced = self._take_array_header()
                else:
                    advanced = self._take_inline(commands)
                if not advanced:
                    break
        except ProtocolError as error:
            self.error = error
        del self._buffer[: self._at]
        self._at = 0
        return commands

    def _header(self, too_long: str) -> int | None:
        """The number behind the mark at `_at`, or None if its line is not complete. Raises ValueError for no number."""
        end = self._buffer.find(b"\r", self._at)
        if end < 0:
            if len(self._buffer) - self._at > MAX_INLINE:
                raise ProtocolError(too_long)
            return None
        if end + 1 >= len(self._buffer):
            return None
        digits = bytes(self._buffer[self._at + 1 : end])
        number = int(digits) if len(digits) <= 20 else None
        if number is None or b"%d" % number != digits:  # int() takes "+1", " 1" and "01"; Redis does not
            raise ValueError(digits)
        self._at = end + 2
        return number

    def _take_array_header(self) -> bool:
        try:
            count = self._header(errors.ARRAY_HEADER_TOO_LONG)
        except ValueError:
            raise ProtocolError(errors.BAD_ARRAY_LENGTH) from None
        if count is None:
            return False
        if count > MAX_WORDS:
            raise ProtocolError(errors.BAD_ARRAY_LENGTH)
        if count > UNAUTHENTICATED_WORDS and not self.authenticated:
            raise ProtocolError(errors.ARRAY_BEFORE_LOGIN)
        self._missing = max(count, 0)
        self._words = []
        return True

    def _take_bulk_string(self, commands: list[Argv]) -> bool:
        if self._length < 0:
            mark = self._buffer[self._at]
            if mark != 36 and self._buffer.find(b"\r", self._at) >= 0:  # "$"
                raise errors.expected_bulk(mark)
            try:
                length = self._header(errors.BULK_HEADER_TOO_LONG)
            except ValueError:
                raise ProtocolError(errors.BAD_BULK_LENGTH) from None
            if length is None:
                return False
            if not 0 <= length <= self.max_bulk:
                raise ProtocolError(errors.BAD_BULK_LENGTH)
            if length > UNAUTHENTICATED_BULK and not self.authenticated:
                raise ProtocolError(errors.BULK_BEFORE_LOGIN)
            self._length = length
        end = self._at + self._length
        if len(self._buffer) < end + 2:
            return False
        with memoryview(self._buffer) as view:
            self._words.append(bytes(view[self._at : end]))
        self._held += self._length
        self._at = end + 2
        self._length = -1
        self._missing -= 1
        if not self._missing:
            commands.append(self._words)
            self._words = []
            self._held = 0
        return True

    def _take_inline(self, commands: list[Argv]) -> bool:
        end = self._buffer.find(b"\n", self._at)
        if end < 0:
            if len(self._buffer) - self._at > MAX_INLINE:
                raise ProtocolError(errors.INLINE_TOO_LONG)
            return False
        words = split_args(bytes(self._buffer[self._at : end]).removesuffix(b"\r"))
        if words is None:
            raise ProtocolError(errors.UNBALANCED_QUOTES)
        self._at = end + 1
        commands.append(words)
        return True
