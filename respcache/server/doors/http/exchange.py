"""What a request asks for, and how it is answered: at once, by commands, or by what a coroutine finds out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from typing import Any, TypeAlias

    from respcache.resp.types import Argv
    from respcache.server.doors.http.replies import Replies
    from respcache.server.doors.http.requests import Request
    from respcache.server.doors.http.responses import Response


@dataclass
class Exchange:
    """Commands, and what makes a response of their replies."""

    commands: list[Argv]
    replies: Replies
    # It goes on until somebody hangs up: a stream of events.
    endless: bool = False
    # The errors of commands that are refused without being asked; `replies` has them, too.
    refused: Sequence[str] = ()
    # Set by the session.
    started: bool = field(default=False, init=False)  # the status was sent


Work: TypeAlias = "Response | Exchange | Coroutine[Any, Any, Response]"


class Dialect(Protocol):
    """What the targets of requests mean."""

    @property
    def methods(self) -> tuple[bytes, ...]:
        """Those that have a meaning for any target."""

    def route(self, request: Request) -> Work:
        """What a request asks for. Raises BadRequest."""

    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """What it adds to every response."""
