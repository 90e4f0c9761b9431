"""Requests and responses of HTTP as bytes. Responses are read by a plain reader of our own, not by h11."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


def http_request(method: str, target: str, body: Any = None, **headers: str) -> bytes:
    """A request; a body that is no bytes as JSON. In the names of headers, underscores stand for dashes."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    fields = {"host": "localhost", **{name.replace("_", "-").lower(): value for name, value in headers.items()}}
    if body is not None and "transfer-encoding" not in fields:
        fields.setdefault("content-length", str(len(data)))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode() + data


@dataclass
class HttpResponse:
    status: int
    headers: dict[str, str]  # by names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)

    @property
    def result(self) -> Any:
        """Of a command that has not failed."""
        assert self.status == 200, self
        assert list(self.json) == ["result"], self
        return self.json["result"]

    @property
    def error(self) -> str:
        """Of one that has."""
        assert self.status >= 400, self
        assert list(self.json) == ["error"], self
        return str(self.json["error"])


def http_responses(data: bytes, *, heads: int = 0) -> list[HttpResponse]:
    """The responses that these bytes are. Anything that is not complete is an error. `heads` come without a body."""
    found = []
    while data:
        head, ended, data = data.partition(b"\r\n\r\n")
        assert ended, f"not a whole head: {head!r}"
        first, *lines = head.decode().split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1"
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        assert len(headers) == len(lines), "a header twice"
        body = b""
        if len(found) < heads or status in ("100", "204"):
            pass
        elif headers.get("transfer-encoding") == "chunked":
            body, data, ended_well = dechunked(data)
            assert ended_well, "chunks are missing"
        elif "content-length" in headers:
            length = int(headers["content-length"])
            assert len(data) >= length, "the body is not complete"
            body, data = data[:length], data[length:]
        else:
            assert headers["connection"] == "close"
            body, data = data, b""
        found.append(HttpResponse(int(status), headers, body))
    return found


def dechunked(data: bytes) -> tuple[bytes, bytes, bool]:
    """What is in the chunks; what comes after them; and whether there was the last chunk."""
    pieces = []
    at = 0
    while at < len(data):
        end = data.index(b"\r\n", at)
        length = int(data[at:end], 16)
        at = end + 2 + length + 2
        assert data[at - 2 : at] == b"\r\n", "a chunk is not complete"
        pieces.append(data[end + 2 : at - 2])
        if not length:
            return b"".join(pieces), data[at:], True
    return b"".join(pieces), b"", False
