"""Whole responses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from time import gmtime, strftime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"


@dataclass(frozen=True)
class Response:
    """A whole response."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: Sequence[tuple[bytes, bytes]] = ()
    error: str = ""  # that it tells; INFO counts it


def refused(status: int, text: str, *headers: tuple[bytes, bytes]) -> Response:
    """An error, in the form of Upstash's REST API."""
    body = json.dumps({"error": text}, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Response(status, body, headers=headers, error=text)


_dates: dict[int, bytes] = {}


def date(seconds: int) -> bytes:
    """The time as HTTP writes it. Only the latest one is kept."""
    written = _dates.get(seconds)
    if written is None:
        _dates.clear()
        written = _dates[seconds] = strftime("%a, %d %b %Y %H:%M:%S GMT", gmtime(seconds)).encode()
    return written
