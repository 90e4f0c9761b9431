"""What a request says before its body: method, target, headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    import h11

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ORIGIN_OF_TARGET = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)


class BadRequest(Exception):
    """A request that is refused: its status, the text of the error, and further headers."""

    def __init__(self, status: int, text: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers


def not_allowed(text: str, methods: Iterable[bytes]) -> BadRequest:
    """The method of a request makes no sense for its target; those that do."""
    return BadRequest(405, text, (b"allow", b", ".join(methods)))


class Request:
    """One request. Its target is known from `read_target` on; `body` is complete when a dialect sees it."""

    __slots__ = ("body", "headers", "method", "path", "query")

    def __init__(self, event: h11.Request) -> None:
        self.method: bytes = event.method
        # By name in lower case. h11 refuses a second Host and other lengths; of other headers the last one counts.
        self.headers: dict[bytes, bytes] = dict(event.headers)
        # Words of the target, decoded.
        self.path: list[bytes] = []
        self.query: list[tuple[bytes, bytes | None]] = []
        self.body = b""

    def read_target(self, target: bytes) -> None:
        """Find the words in it. Raises BadRequest."""
        self.path, self.query = _split_target(target)

    def header(self, name: bytes) -> bytes:
        """Its value, without the spaces around it; empty where there is none."""
        return self.headers.get(name, b"")

    def parameter(self, name: bytes) -> bytes | None:
        """The value of a query parameter; None where there is none."""
        return next((value or b"" for key, value in self.query if key == name), None)


def check_framing(event: h11.Request) -> None:
    """Raises BadRequest for a request whose end two readers might see in two places."""
    if event.http_version not in (b"1.0", b"1.1"):
        raise BadRequest(505, "ERR the version of HTTP must be 1.0 or 1.1")
    names = {name for name, _ in event.headers}
    if b"transfer-encoding" in names:
        if b"content-length" in names:
            raise BadRequest(400, "ERR Transfer-Encoding and Content-Length exclude each other")
        if event.http_version == b"1.0":
            raise BadRequest(400, "ERR HTTP/1.0 has no Transfer-Encoding")


def _split_target(target: bytes) -> tuple[list[bytes], list[tuple[bytes, bytes | None]]]:
    """The segments of the path, and the parameters of the query in their order; None for one without a value.

    One slash at the end says nothing. Slashes side by side have an empty word between them.
    """
    origin = _ORIGIN_OF_TARGET.match(target)
    if origin is not None:  # as a proxy is asked
        target = target[origin.end() :]
        if not target.startswith(b"/"):  # a proxy may leave an empty path out
            target = b"/" + target
    if not target.startswith(b"/"):
        raise BadRequest(400, "ERR the target of a request must begin with a slash")
    target = target.partition(b"#")[0]
    path, _, query = target.partition(b"?")
    path = path[1:].removesuffix(b"/")
    words = [_decoded(word) for word in path.split(b"/")] if path else []
    parameters = []
    for parameter in query.split(b"&"):
        if parameter:
            name, equals, value = parameter.replace(b"+", b" ").partition(b"=")
            parameters.append((_decoded(name), _decoded(value) if equals else None))
    return words, parameters


def _decoded(word: bytes) -> bytes:
    if b"%" not in word:
        return word
    if _BAD_ESCAPE.search(word):
        raise BadRequest(400, "ERR invalid percent escape in the target of the request")
    return unquote_to_bytes(word)
