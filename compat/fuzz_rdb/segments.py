"""A value's bytes as a sequence of lengths, strings and raw bytes, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from respcache.rdb.modules import Unsupported
from respcache.rdb.reading import read_value
from respcache.rdb.strings import Malformed, Reader, write_length, write_string


class Segment(NamedTuple):
    """`kind` is "length", "string" or "raw"; `number` the value of a length, `data` that of the others."""

    kind: str
    number: int = 0
    data: bytes = b""

    def written(self, *, compressed: bool = False) -> bytes:
        match self.kind:
            case "length":
                return write_length(min(self.number, (1 << 64) - 1))
            case "string":
                return write_string(self.data, compressed=compressed)
        return self.data


class _Recorder(Reader):
    """Notes what is read; lengths and strings as a whole, although they are read in parts."""

    __slots__ = ("_depth", "segments")

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.segments: list[Segment] = []
        # How many of the methods below are running.
        self._depth = 0

    def _read(self, kind: str, read: Callable[[], Any]) -> Any:
        self._depth += 1
        try:
            found = read()
        finally:
            self._depth -= 1
        if not self._depth:
            if kind == "length":
                self.segments.append(Segment(kind, number=found))
            else:
                self.segments.append(Segment(kind, data=found if isinstance(found, bytes) else bytes((found,))))
        return found

    def length(self) -> int:
        return int(self._read("length", super().length))

    def string(self) -> bytes:
        return bytes(self._read("string", super().string))

    def take(self, size: int) -> bytes:
        return bytes(self._read("raw", lambda: Reader.take(self, size)))

    def byte(self) -> int:
        return int(self._read("raw", super().byte))


def taken_apart(kind: int, body: bytes, version: int) -> list[Segment]:
    """The segments of a value. What is left when it cannot be read further comes as raw bytes."""
    recorder = _Recorder(body)
    with suppress(Malformed, Unsupported):
        read_value(recorder, kind, version)
    written = recorder.segments
    if recorder.at < len(body):
        written.append(Segment("raw", data=body[recorder.at :]))
    return written


def put_together(segments: list[Segment], *, compressed: bool = False) -> bytes:
    return b"".join(segment.written(compressed=compressed) for segment in segments)
