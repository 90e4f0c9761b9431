"""A RESP client of the tests' own, on a blocking socket.

Its decoder keeps apart what client libraries throw together: ``+ok`` and ``$2 ok``, arrays and sets and maps, doubles
and bulk strings. That is what the tests are about.
"""

from __future__ import annotations

import socket
from typing import Any


class Simple(str):
    """A simple string: compares equal to the same `str`, while bulk strings are `bytes`."""


class ReplyError(Exception):
    """An error reply; `str()` of it is the whole line without the dash."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReplyError) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


class VerbatimText(str):
    """A RESP3 verbatim string, its format in front: ``txt:...``."""


class PushData(list[Any]):
    """A RESP3 push."""


class Closed(Exception):
    """The server closed the connection."""


class Connection:
    """One client. Replies are Python values; errors come back as `ReplyError` objects, not raised."""

    # What RESP2's nulls are read as; the same as the null of RESP3, unless a test tells them apart.
    null_array: Any = None
    null_string: Any = None

    def __init__(self, port: int, protocol: int = 2, timeout: float = 20.0, host: str = "127.0.0.1") -> None:
        """`host` may be the path of a unix socket."""
        if host.startswith("/"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            try:
                self.socket.connect(host)
            except OSError:
                self.socket.close()
                raise
        else:
            self.socket = socket.create_connection((host, port), timeout=timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")
        self.protocol = protocol
        if protocol == 3:
            self.call("HELLO", "3")

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def send(self, *words: Any) -> None:
        self.send_raw(pack(words))

    def send_raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def call(self, *words: Any) -> Any:
        self.send(*words)
        return self.read()

    def pipeline(self, *commands: tuple[Any, ...]) -> list[Any]:
        self.send_raw(b"".join(map(pack, commands)))
        return [self.read() for _ in commands]

    def read_raw(self, size: int) -> bytes:
        """`size` bytes; fewer only if the server closes the connection."""
        return self._file.read(size)

    def rest(self) -> bytes:
        """Everything until the server closes the connection."""
        return self._file.read()

    def read(self) -> Any:
        """One reply. Raises Closed."""
        try:
            line = self._file.readline()
        except ConnectionResetError:
            raise Closed from None
        if not line.endswith(b"\r\n"):
            raise Closed
        mark, body = line[:1], line[1:-2]
        match mark:
            case b"+":
                return Simple(body.decode())
            case b"-":
                return ReplyError(body.decode("utf-8", "surrogateescape"))
            case b":":
                return int(body)
            case b"$":
                return self.null_string if body == b"-1" else self._bulk(int(body))
            case b"*":
                return self.null_array if body == b"-1" else [self.read() for _ in range(int(body))]
            case b"_":
                return None
            case b",":
                return self._double(body)
            case b"#":
                return body == b"t"
            case b"(":
                return self._big_number(body)
            case b"=":
                return VerbatimText(self._bulk(int(body)).decode())
            case b"~":
                return SetItems(self.read() for _ in range(int(body)))
            case b"%":
                return {_hashable(self.read()): self.read() for _ in range(int(body))}
            case b">":
                return PushData(self.read() for _ in range(int(body)))
        raise AssertionError(f"no RESP: {line!r}")

    def _double(self, text: bytes) -> Any:
        return float(text)

    def _big_number(self, text: bytes) -> Any:
        return int(text)

    def _bulk(self, size: int) -> bytes:
        data = self._file.read(size + 2)
        if len(data) < size + 2:
            raise Closed
        assert data.endswith(b"\r\n")
        return data[:-2]


class SetItems(list[Any]):
    """A RESP3 set, as a list in the order of the wire."""


def _hashable(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key


def pack(words: tuple[Any, ...]) -> bytes:
    """A command as an array of bulk strings; `str`, numbers and `bytes` are taken."""
    encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)
