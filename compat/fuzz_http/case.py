"""What is sent on one connection, and what has to come back."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

PATIENCE = 15.0
ANYTHING: Any = object()  # no particular result is expected


class Closing(Enum):
    """Whether the connection is closed after an answer."""

    NEVER = "must stay open"
    MAYBE = "may be closed"
    ALWAYS = "must be closed"


class End(Enum):
    """What the client does when it has sent everything."""

    READ = "reads its answers, and closes"
    HALF = "closes its sending side, and reads"
    VANISH = "closes at once"
    RESET = "resets the connection at once"
    DEAF = "reads nothing for a while, and closes"


@dataclass(slots=True)
class Want:
    """The answer that one request deserves."""

    statuses: frozenset[int]
    closing: Closing = Closing.NEVER
    # The connection may be closed without an answer.
    silence: bool = False
    # It is an answer to HEAD: no body, whatever its length says.
    head: bool = False
    # An endless answer: its head is enough.
    stream: bool = False
    # What the JSON body says: {"result": ...}, or the whole body of another shape.
    body: Any = ANYTHING
    # The keys that this request sets: they are there if the answer is a 200, and must not be there otherwise.
    writes: Mapping[bytes, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class Case:
    """One connection."""

    name: str
    # Bytes to send at once, or seconds to wait.
    pieces: list[bytes | float]
    wants: list[Want]
    end: End = End.READ
    # To the RESP port: any answer is right as long as the connection is closed and no canary is set.
    resp: bool = False
    # Answers are not compared with `wants`, only looked at: they are HTTP, and the connection ends.
    free: bool = False
    # It hangs if nothing happens for so many seconds.
    within: float = field(default_factory=lambda: PATIENCE)
    # How many requests it sends.
    requests: int = 0
    number: int = 0
    # How many seconds it took to send it, once it is sent: on a busy machine, one byte after the other, many.
    sending: float = 0.0

    def sent(self) -> bytes:
        """Everything, as far as it gets."""
        return b"".join(piece for piece in self.pieces if isinstance(piece, bytes))


@dataclass(frozen=True)
class Site:
    """How to address the server: `token` is empty where no password is needed."""

    host: bytes
    token: bytes = b""
    # No request may be longer than this, as the server is configured, nor take more time.
    body_limit: int = 1 << 20
    seconds: float = 3.0


def statuses(*numbers: int) -> frozenset[int]:
    return frozenset(numbers)


OK = statuses(200)
BAD = statuses(400)
REFUSED = statuses(400, 401, 403, 404, 405, 406, 408, 411, 413, 414, 415, 417, 422, 431, 501, 505)
ANY = OK | REFUSED | statuses(204)


class Maker:
    """Makes the requests of one case; whatever is random comes from its seed."""

    def __init__(self, site: Site, seed: int, number: int) -> None:
        self.site = site
        self.rng = random.Random((seed << 40) + number)
        self.tag = b"%d-%d" % (seed, number)
        self._keys = 0
        # Names of what was used, for statistics.
        self.used: list[str] = []

    def key(self) -> bytes:
        """A key that nobody else uses."""
        self._keys += 1
        return b"asked:%b:%d" % (self.tag, self._keys)

    def canary(self) -> bytes:
        """A whole request that must never be carried out."""
        self._keys += 1
        return self.request(b"GET", b"/set/canary:%b:%d/1" % (self.tag, self._keys))

    def request(
        self,
        method: bytes,
        target: bytes,
        body: bytes | None = None,
        headers: Iterable[bytes] = (),
        version: bytes = b"HTTP/1.1",
        host: bytes | None = None,
    ) -> bytes:
        """A request as it should be; `headers` are whole lines, `body` brings its Content-Length."""
        return self.head(method, target, body, headers, version, host) + (body or b"")

    def head(
        self,
        method: bytes,
        target: bytes,
        body: bytes | None = None,
        headers: Iterable[bytes] = (),
        version: bytes = b"HTTP/1.1",
        host: bytes | None = None,
    ) -> bytes:
        lines = [b"%b %b %b" % (method, target, version), b"Host: %b" % (self.site.host if host is None else host)]
        if self.site.token:
            lines.append(b"Authorization: Bearer " + self.site.token)
        if body is not None:
            lines.append(b"Content-Length: %d" % len(body))
        lines += headers
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def text(self, most: int = 20) -> bytes:
        """Letters and digits."""
        return bytes(self.rng.choices(b"abcdefghijklmnopqrstuvwxyzABCXYZ0123456789", k=self.rng.randint(1, most)))

    def binary(self, most: int = 40) -> bytes:
        return self.rng.randbytes(self.rng.randint(1, most))

    def pieces(self, data: bytes) -> list[bytes | float]:
        """The same bytes in one piece, in several, or one by one."""
        style = self.rng.random()
        if style < 0.75 or len(data) < 2:
            return [data]
        if style < 0.95 or len(data) > 400:
            cuts = sorted(self.rng.randrange(1, len(data)) for _ in range(self.rng.randint(1, 4)))
        else:
            cuts = list(range(1, len(data)))
        return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if start < end]

    def one_of(self, choices: Sequence[Any]) -> Any:
        return self.rng.choice(choices)


def quoted(data: bytes) -> bytes:
    """Percent-escaped as a whole."""
    return b"".join(b"%%%02X" % byte for byte in data)
