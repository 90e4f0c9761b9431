"""Replies in RESP2 to the body of a response, piece by piece, however they are cut.

A reply may be long, so it is never there as a whole: what has come of it is written, and only what a string of moderate
size needs is held back. A reader of `feed` that does not take what it gets can stop feeding.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from base64 import b64encode
from codecs import getincrementaldecoder
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Protocol

from respcache.server.doors.http.responses import JSON, TEXT

if TYPE_CHECKING:
    from collections.abc import Mapping

# Longer strings are written as they come.
_LONG = 1 << 16
_LINE_BREAK = re.compile(rb"\r\n|\r|\n")
_STRING, _ARRAY, _STATUS, _ERROR, _INTEGER = b"$*+-:"


class Replies(ABC):
    """The replies to the commands of one request.

    expected: how many commands there are.
    errors: for requests with several commands, those that are refused without being asked: index -> error.
    """

    content_type = JSON

    def __init__(self, expected: int, errors: Mapping[int, str] | None = None) -> None:
        self.status = 200  # known as soon as anything was written
        self._out = bytearray()
        self._buffer = bytearray()
        self._needed = 0  # bytes that the buffer must have before there is anything to read in it
        self._rest = 0  # bytes to come of a long string, its line break included
        self._long = bytearray()  # what has come of it, for those who need it whole
        self._left: list[int] = []  # elements that the open arrays still lack, the outermost first
        self._missing = expected
        self._errors = dict(errors or {})
        self._index = 0  # of the next reply
        self._write_refusals()

    @property
    def done(self) -> bool:
        """True if the body is complete."""
        return not self._missing

    def feed(self, data: bytes | memoryview) -> bytes:
        """Take a piece of the replies; what that adds to the body."""
        if self._rest:
            data = self._go_on_with_string(bytes(data))
        buffer = self._buffer
        buffer += data
        size = len(buffer)
        if size >= self._needed:
            self._needed = 0
            at = 0
            while at < size and self._missing:
                end = buffer.find(b"\r\n", at)
                if end < 0:
                    self._needed = size - at + 1
                    break
                kind = buffer[at]
                line = bytes(buffer[at + 1 : end])
                at = self._read(kind, line, at, end + 2)
                if self._needed:
                    self._needed -= at
                    break
            del buffer[:at]
        out = bytes(self._out)
        self._out.clear()
        return out

    def _read(self, kind: int, line: bytes, start: int, at: int) -> int:
        """Write what begins at `start`, and whose header ends at `at`. Where the next one begins.

        If it has not come as a whole, `_needed` is set, to where it ends; or `_rest`, for a long string.
        """
        if kind == _STRING and line != b"-1":
            end = at + int(line)
            if end + 2 > len(self._buffer):
                if int(line) <= _LONG:
                    self._needed = end + 2
                    return start
                self._begin_string(int(line))
                self._rest = int(line) + 2
                self._go_on_with_string(bytes(self._buffer[at:]))
                return len(self._buffer)
            self._string(bytes(self._buffer[at:end]))
            at = end + 2
        elif kind == _ARRAY and line != b"-1":
            count = int(line)
            self._open(count)
            if count:
                self._left.append(count)
                return at
            self._close()
        elif kind == _STATUS:
            self._status(line)
        elif kind == _ERROR:
            self._error(line)
        elif kind == _INTEGER:
            self._integer(line)
        else:
            self._null()
        self._end_value()
        return at

    def _go_on_with_string(self, data: bytes) -> bytes:
        """Write what comes of a long string; the rest of the data."""
        content = data[: max(self._rest - 2, 0)]
        taken = min(self._rest, len(data))
        self._rest -= taken
        if content:
            self._add_to_string(content)
        if not self._rest:
            self._end_string()
            self._end_value()
        return data[taken:]

    def _begin_string(self, size: int) -> None:  # noqa: ARG002 - for those who write it as it comes
        """A long string begins."""
        self._long = bytearray()

    def _add_to_string(self, content: bytes) -> None:
        self._long += content

    def _end_string(self) -> None:
        self._string(bytes(self._long))
        self._long = bytearray()

    def _end_value(self) -> None:
        """A value is complete, and so may be the arrays around it."""
        left = self._left
        while left:
            left[-1] -= 1
            if left[-1]:
                return
            left.pop()
            self._close()
        self._missing -= 1
        self._index += 1
        self._write_refusals()

    def _write_refusals(self) -> None:
        while self._errors and self._index in self._errors:
            self._error(self._errors.pop(self._index).encode("utf-8", "replace"))
            self._index += 1

    # -- what each kind of value adds

    @abstractmethod
    def _string(self, value: bytes) -> None: ...

    @abstractmethod
    def _status(self, line: bytes) -> None: ...

    @abstractmethod
    def _error(self, line: bytes) -> None: ...

    @abstractmethod
    def _integer(self, line: bytes) -> None: ...

    @abstractmethod
    def _null(self) -> None: ...

    @abstractmethod
    def _open(self, count: int) -> None: ...

    @abstractmethod
    def _close(self) -> None: ...


class JsonReplies(Replies):
    """``{"result": ...}``, or ``{"error": "..."}``: of one command, or of several as an array.

    base64: each string is encoded so, but for the status OK where it is a whole result. Clients differ in whether they
    expect it plain anywhere else, and take it encoded everywhere.
    several: whether to write an array of them.
    """

    def __init__(
        self,
        expected: int = 1,
        errors: Mapping[int, str] | None = None,
        *,
        base64: bool = False,
        several: bool = False,
        name: bytes = b"result",
    ) -> None:
        self._encode = _encoded if base64 else _quoted
        self._long_string: _LongString | None = None  # the one that is coming
        self._base64 = base64
        self._several = several
        self._opening = b'{"%b":' % name
        self._wrapped = 0  # at this depth, values are results
        self._comma = False
        super().__init__(expected, errors)
        if several:
            self._out[:0] = b"["
            if self.done:
                self._out += b"]"

    def _string(self, value: bytes) -> None:
        self._write(self._encode(value))

    def _status(self, line: bytes) -> None:
        plain = line == b"OK" and len(self._left) == self._wrapped
        self._write(b'"OK"' if plain else self._encode(line))

    def _integer(self, line: bytes) -> None:
        self._write(line)

    def _null(self) -> None:
        self._write(b"null")

    def _error(self, line: bytes) -> None:
        if len(self._left) == self._wrapped:
            self._write_error(line)
        else:  # within a reply, which only scripts can bring about
            self._write(b'{"error":%b}' % _quoted(line))

    def _write_error(self, line: bytes) -> None:
        if not self._several:
            self.status = 400
        self._separate()
        self._out += b'{"error":%b}' % _quoted(line)

    def _begin_string(self, size: int) -> None:  # noqa: ARG002 - it is told by the end
        self._long_string = _LongBase64() if self._base64 else _LongText()
        self._separate()
        self._out += (self._opening if len(self._left) == self._wrapped else b"") + b'"'

    def _add_to_string(self, content: bytes) -> None:
        assert self._long_string is not None
        self._out += self._long_string.add(content)

    def _end_string(self) -> None:
        assert self._long_string is not None
        self._out += self._long_string.end() + b'"'
        if len(self._left) == self._wrapped:
            self._out += b"}"
        self._long_string = None

    def _write(self, text: bytes) -> None:
        self._separate()
        if len(self._left) == self._wrapped:
            self._out += b"%b%b}" % (self._opening, text)
        else:
            self._out += text

    def _open(self, count: int) -> None:  # noqa: ARG002 - it is told by the end
        self._separate()
        if len(self._left) == self._wrapped:
            self._out += self._opening
        self._out += b"["
        self._comma = False

    def _close(self) -> None:
        self._out += b"]"
        self._comma = True
        if len(self._left) == self._wrapped:
            self._out += b"}"

    def _separate(self) -> None:
        if self._comma:
            self._out += b","
        self._comma = True

    def _end_value(self) -> None:
        super()._end_value()
        if self.done and self._several:
            self._out += b"]"


class TransactionReplies(JsonReplies):
    """The replies to MULTI, some commands, and EXEC: an array of results, or the error that has discarded them."""

    def __init__(self, commands: int, *, base64: bool) -> None:
        super().__init__(commands + 2, base64=base64)
        self._wrapped = 1
        self._reason = b""  # the first error of queueing

    def _status(self, line: bytes) -> None:
        if self._missing == 1:
            super()._status(line)

    def _error(self, line: bytes) -> None:
        if self._left:
            super()._error(line)
        elif self._missing > 1:
            self._reason = self._reason or line
        else:
            if self._reason and line.startswith(b"EXECABORT"):
                line = b"EXECABORT Transaction discarded because of: " + self._reason.removeprefix(b"ERR ")
            self._write_error(line)
            self.status = 400

    def _write_error(self, line: bytes) -> None:
        self._separate()
        self._out += b'{"error":%b}' % _quoted(line)


class RawReplies(Replies):
    """As they are."""

    content_type = b"application/octet-stream"

    def __init__(self, expected: int = 1, errors: Mapping[int, str] | None = None, *, several: bool = False) -> None:
        self._several = several
        super().__init__(expected, errors)

    def _read(self, kind: int, line: bytes, start: int, at: int) -> int:
        if kind == _ERROR and not self._left and not self._several:
            self.status = 400
        if kind != _STRING or line == b"-1":
            self._out += self._buffer[start:at]
        else:
            end = at + int(line) + 2
            if end <= len(self._buffer):
                self._out += self._buffer[start:end]
        return super()._read(kind, line, start, at)

    def _write_refusals(self) -> None:
        while self._errors and self._index in self._errors:
            self._out += b"-%b\r\n" % self._errors.pop(self._index).encode("utf-8", "replace")
            self._index += 1

    def _begin_string(self, size: int) -> None:
        self._out += b"$%d\r\n" % size

    def _add_to_string(self, content: bytes) -> None:
        self._out += content

    def _end_string(self) -> None:
        self._out += b"\r\n"

    def _string(self, value: bytes) -> None: ...

    def _status(self, line: bytes) -> None: ...

    def _error(self, line: bytes) -> None: ...

    def _integer(self, line: bytes) -> None: ...

    def _null(self) -> None: ...

    def _open(self, count: int) -> None: ...

    def _close(self) -> None: ...


class Events(Replies):
    """Messages as server-sent events, without an end: the parts of a message are separated by commas.

    A line break in a message, whichever it is, begins another line of the same event.
    """

    content_type = b"text/event-stream"

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        super().__init__(1)

    def _end_value(self) -> None:
        super()._end_value()
        if not self._missing and self.status == 200:
            self._missing = 1
            self._send(b",".join(self._parts))
            self._parts = []

    def _send(self, message: bytes) -> None:
        for line in _LINE_BREAK.split(message.decode("utf-8", "replace").encode()):
            self._out += b"data: %b\n" % line
        self._out += b"\n"

    def _string(self, value: bytes) -> None:
        self._parts.append(value)

    def _status(self, line: bytes) -> None:
        self._parts.append(b'"OK"' if line == b"OK" else line)

    def _error(self, line: bytes) -> None:
        if self._left or self._index:
            self._parts.append(line)
        else:  # refused from the start
            self.status = 400
            self.content_type = JSON
            self._out += b'{"error":%b}' % _quoted(line)

    def _integer(self, line: bytes) -> None:
        self._parts.append(line)

    def _null(self) -> None:
        self._parts.append(b"")

    def _open(self, count: int) -> None: ...

    def _close(self) -> None: ...


class StatusText(Replies):
    """The text of one status or error."""

    content_type = TEXT

    def __init__(self) -> None:
        super().__init__(1)

    def _string(self, value: bytes) -> None:
        self._out += value

    def _status(self, line: bytes) -> None:
        self._out += line

    def _error(self, line: bytes) -> None:
        self.status = 400
        self._out += line

    def _integer(self, line: bytes) -> None:
        self._out += line

    def _null(self) -> None: ...

    def _open(self, count: int) -> None: ...

    def _close(self) -> None: ...


class _LongString(Protocol):
    """A string on its way into JSON."""

    def add(self, content: bytes) -> bytes:
        """A part of it; what that adds between the quotation marks."""

    def end(self) -> bytes:
        """What was held back."""


class _LongText:
    """As text, in which a character may be cut."""

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")("replace")

    def add(self, content: bytes) -> bytes:
        return encode_basestring(self._decoder.decode(content))[1:-1].encode()

    def end(self) -> bytes:
        return encode_basestring(self._decoder.decode(b"", True))[1:-1].encode()


class _LongBase64:
    """Three bytes at a time."""

    def __init__(self) -> None:
        self._left = b""

    def add(self, content: bytes) -> bytes:
        content = self._left + content
        whole = len(content) - len(content) % 3
        self._left = content[whole:]
        return b64encode(content[:whole])

    def end(self) -> bytes:
        return b64encode(self._left)


def _quoted(text: bytes) -> bytes:
    """As a JSON string. What is not UTF-8 in it becomes U+FFFD."""
    return encode_basestring(text.decode("utf-8", "replace")).encode()


def _encoded(text: bytes) -> bytes:
    return b'"%b"' % b64encode(text)
