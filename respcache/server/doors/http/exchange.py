"""What a request asks for, and how it is answered: at once, by commands, or by what a coroutine finds out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from typing import Any, TypeAlias

    from respcache.resp.types import Argv
    from respcache.server.doors.http.replies import Replies
    from respcache.server.doors.http.requests import Request

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"


@dataclass(frozen=True)
class Response:
    """A whole response."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: Sequence[tuple[bytes, bytes]] = ()


def refused(status: int, text: str, *headers: tuple[bytes, bytes]) -> Response:
    """An error, in the form of Upstash's REST API."""
    body = json.dumps({"error": text}, ensure_ascii=False).encode("utf-8", "replace")
    return Response(status, body, headers=headers)


@dataclass
class Exchange:
    """Commands, and what makes a response of their replies."""

    commands: list[Argv]
    replies: Replies
    # It goes on until somebody hangs up: a stream of events.
    endless: bool = False
    # Set by the session.
    started: bool = field(default=False, init=False)  # the status was sent


Work: TypeAlias = "Response | Exchange | Coroutine[Any, Any, Response]"


class Dialect(Protocol):
    """What the targets of requests mean."""

    # The methods that have a meaning at all.
    methods: tuple[bytes, ...]

    def route(self, request: Request) -> Work:
        """What a request asks for. Raises BadRequest."""

    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """What it adds to every response."""
