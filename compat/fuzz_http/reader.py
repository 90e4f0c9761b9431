"""Reads the answers on one connection, strictly: whatever is no HTTP/1.1 is a finding."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEAD = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\t -~]*)\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~]*\r\n)*)\r\n")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_LONGEST_HEAD = 16_384


class Malformed(Exception):
    """It is no HTTP. Its text says what is wrong with it."""


@dataclass(slots=True)
class Answer:
    """One response. The body of an endless one (`stream`) is not collected."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes = b""
    stream: bool = False

    @property
    def says_close(self) -> bool:
        return b"close" in self.headers.get(b"connection", b"").lower()


class Reader:
    """`feed` what comes, then take `answers`; `heads` tells which of them answer HEAD requests."""

    def __init__(self, heads: list[bool]) -> None:
        self._heads = heads
        self._buffer = bytearray()
        self._at = 0
        self.answers: list[Answer] = []
        self.interim = 0  # answers such as 100
        self._open: Answer | None = None  # its body goes on until the connection is closed
        self._chunked: Answer | None = None  # in the middle of its chunks
        self._body = bytearray()

    def feed(self, data: bytes) -> None:
        """Errors: Malformed."""
        self._buffer += data
        while self._step():
            pass
        if self._at:
            del self._buffer[: self._at]
            self._at = 0

    def end(self) -> None:
        """The connection is closed in good order. Errors: Malformed if that is in the middle of an answer."""
        if self._open is not None:
            self._open.body = bytes(self._body)
        elif self._buffer or (self._chunked is not None and not self._chunked.stream):
            raise Malformed(f"closed in the middle of an answer: {bytes(self._buffer[:200])!r}")

    @property
    def rest(self) -> bytes:
        """What came and is no whole answer."""
        return bytes(self._buffer)

    @property
    def idle(self) -> bool:
        """True if no answer is under way."""
        return not self._buffer and self._chunked is None

    def _step(self) -> bool:
        if self._open is not None:
            self._body += self._buffer[self._at :]
            self._at = len(self._buffer)
            return False
        if self._chunked is not None:
            return self._take_chunk(self._chunked)
        return self._at < len(self._buffer) and self._take_head()

    def _take_head(self) -> bool:
        buffer = self._buffer
        found = _HEAD.match(buffer, self._at)
        if found is None:
            if buffer.find(b"\r\n\r\n", self._at) >= 0 or not b"HTTP/1.1 ".startswith(buffer[self._at : self._at + 9]):
                raise Malformed(f"no head of an answer: {bytes(buffer[self._at : self._at + 200])!r}")
            if len(buffer) - self._at > _LONGEST_HEAD:
                raise Malformed("an endless head")
            return False
        status = int(found[1])
        headers: dict[bytes, bytes] = {}
        for line in bytes(found[3]).split(b"\r\n")[:-1]:
            name, _, value = line.partition(b":")
            name = name.lower()
            if name in headers and name in (b"content-length", b"transfer-encoding", b"content-type"):
                raise Malformed(f"{name!r} twice")
            headers[name] = value.strip()
        if status < 200:
            self._at = found.end()
            self.interim += 1
            return True
        return self._take_answer(Answer(status, headers), found.end())

    def _take_answer(self, answer: Answer, at: int) -> bool:
        headers = answer.headers
        length, coding = headers.get(b"content-length"), headers.get(b"transfer-encoding")
        index = len(self.answers)
        if length is not None and coding is not None:
            raise Malformed("Content-Length beside Transfer-Encoding")
        bodiless = answer.status in (204, 304) or (index < len(self._heads) and self._heads[index])
        answer.stream = headers.get(b"content-type", b"").startswith(b"text/event-stream")
        if bodiless:
            self._at = at
        elif coding is not None:
            if coding.lower() != b"chunked":
                raise Malformed(f"coded as {coding!r}")
            self._at, self._chunked, self._body = at, answer, bytearray()
            if not answer.stream:
                return True
        elif length is not None:
            if not length.isdigit():
                raise Malformed(f"a length of {length!r}")
            end = at + int(length)
            if end > len(self._buffer):
                return False
            answer.body = bytes(self._buffer[at:end])
            self._at = end
        else:
            if not answer.says_close and not answer.stream:
                raise Malformed("no length, and no word of closing")
            self._at, self._open = at, answer
        self.answers.append(answer)
        return True

    def _take_chunk(self, answer: Answer) -> bool:
        buffer, at = self._buffer, self._at
        found = _SIZE.match(buffer, at)
        if found is None:
            if len(buffer) - at > 10:
                raise Malformed(f"no size of a chunk: {bytes(buffer[at : at + 50])!r}")
            return False
        size = int(found[1], 16)
        end = found.end() + size
        if len(buffer) < end + 2:
            return False
        if buffer[end : end + 2] != b"\r\n":
            raise Malformed("a chunk that does not end")
        self._at = end + 2
        if size:
            if not answer.stream:
                self._body += buffer[found.end() : end]
            return True
        answer.body = bytes(self._body)
        self._chunked = None
        if not answer.stream:
            self.answers.append(answer)
        return True
