"""Bytes to commands, without I/O.

A client sends arrays of bulk strings, or inline commands: lines of words, as typed into telnet. Three parsers know that
grammar. Nanoseconds per command, each parser given the same chunks (Python 3.11):

| chunk                                       | by lines | hiredis | strict    | hiredis, unchecked |
|---------------------------------------------|----------|---------|-----------|--------------------|
| one SET                                     |      530 |    2600 |      4200 |                960 |
| 16 SET                                      |      320 |     620 |      4000 |                155 |
| 8 SET and 8 GET                             |      400 |     580 |      3400 |                150 |
| 16 SET of 2000 bytes                        |     2100 |    2300 |      4100 |                410 |
| 16 SET of a text of 10 lines                |        - |     710 |      3900 |                160 |
| DEL of 5000 keys                            |        - | 305,000 | 4,900,000 |             83,000 |

- *By lines* (`whole.parse_lines`): the chunk is split at its line breaks, and headers are compared with the words
  after them. It is the fastest one that is safe, and takes nearly all that clients send.
- *hiredis* (`whole.parse_with_hiredis`): for words with line breaks in them, and for arrays of more than 1023 words. It
  is made for the replies of servers: it accepts every type of RESP3 in every place, does not check the line breaks
  after words, and allocates an array when its header arrives. So it is given only chunks that could hold all that they
  announce, and what it returns is checked. That takes three quarters of the time.
- *Strict* (in this file): for everything else, which is the ends of chunks, inline commands, and broken input. It is
  incremental, judges one header at a time, and knows each protocol error of Redis. It alone decides what is an error.

The first two say nothing about a chunk they do not take, and the property tests hold them to the third.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache import errors
from respcache.errors import ProtocolError
from respcache.quoting import split_args
from respcache.resp.whole import parse_lines, parse_with_hiredis

if TYPE_CHECKING:
    from respcache.resp.types import Argv, Columns

MAX_INLINE = 64 * 1024
MAX_WORDS = (1 << 31) - 1
UNAUTHENTICATED_WORDS = 10
UNAUTHENTICATED_BULK = 16384

_INT64 = 1 << 63

# Larger chunks are part of a large value, which the parsers of whole chunks would only copy once more.
_FAST_CHUNK = 1 << 18


class Decoder:
    """The commands of one connection. After a broken one `error` is set, and nothing more is taken.

    `columns` has the commands that `feed` returned last once more, column by column, if all have the same number of
    words and that was found out anyway; else it is empty. All names, or all keys, are one column.
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
        self.max_bulk = max_bulk  # bytes that one word may have
        self.authenticated = True  # False: small limits, and one command per call of `feed`
        self.clear()

    def clear(self) -> None:
        """Forget all bytes held back and the last columns: the connection has ended."""
        self.columns: Columns = []
        self._buffer = bytearray()  # received, and not parsed yet
        self._at = 0  # where the strict parser stands in the buffer
        self._missing = 0  # words that the current array still lacks
        self._words: Argv = []  # words that it has
        self._held = 0  # bytes of these words
        self._length = -1  # of the current bulk string; -1 until its header has come

    @property
    def buffered(self) -> int:
        """Bytes held back: of a command that is not complete, or, before authentication, of those after the first."""
        return len(self._buffer) + self._held

    def feed(self, data: bytes) -> list[Argv]:
        """The commands that `data` completes, in order. Empty ones, which Redis ignores, may be among them.

        Before authentication it is one command at a time; `feed(b"")` gives the next. The command may be the AUTH that
        lifts the small limits, so what follows it is not looked at until then.
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
        if commands and self._buffer:
            data = bytes(self._buffer)
            self._buffer.clear()
            commands += self._parse_chunk(data)
            self.columns = []  # they lack the first command
        return commands

    def _parse_chunk(self, data: bytes) -> list[Argv]:
        """The commands of a chunk that begins where a command does."""
        commands: list[Argv] | None = None
        if data[0] == 42 and len(data) <= _FAST_CHUNK:  # "*"
            if data.endswith(b"\r\n"):
                commands = self._parse_whole(data)
                if commands is not None:
                    return commands
            end = data.rfind(b"\r\n*") + 2
            if end > 2:  # where what seems to be the last command begins
                commands = self._parse_whole(data[:end])
                if commands is not None:
                    data = data[end:]
        self._buffer += data
        others = self._parse()
        if others:
            self.columns = []
        return commands + others if commands else others

    def _parse_whole(self, data: bytes) -> list[Argv] | None:
        whole = parse_lines(data)
        if whole is None:
            return parse_with_hiredis(data)
        commands, self.columns = whole
        return commands

    # -- the strict, incremental parser: each step takes what it can at `_at`, and returns whether it got on

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
            self.clear()
        del self._buffer[: self._at]
        self._at = 0
        return commands

    def _header(self, too_long: str) -> int | None:
        """The number after the mark at `_at`, or None if its line is incomplete. Raises ValueError if there is none."""
        end = self._buffer.find(b"\r", self._at)
        if end < 0:
            if len(self._buffer) - self._at > MAX_INLINE:
                raise ProtocolError(too_long)
            return None
        if end + 1 >= len(self._buffer):
            return None
        digits = bytes(self._buffer[self._at + 1 : end])
        number = int(digits) if len(digits) <= 20 else None
        if number is None or not -_INT64 <= number < _INT64 or b"%d" % number != digits:
            raise ValueError(digits)  # int() takes "+1", " 1" and "01"; Redis does not
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
