"""The dialect that this project began with: ``GET /set/:key/:value`` and ``GET /get/:key``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.server.doors.http.exchange import Exchange
from respcache.server.doors.http.replies import JsonReplies, StatusText
from respcache.server.doors.http.requests import BadRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respcache.server.doors.http.exchange import Work
    from respcache.server.doors.http.observation import Observation
    from respcache.server.doors.http.requests import Request
    from respcache.server.parts import Parts


class Seed:
    """A `Dialect`."""

    methods = (b"GET", b"HEAD")

    def __init__(self, parts: Parts, observation: Observation) -> None:  # noqa: ARG002 - as all dialects
        self._observe = observation.route

    def route(self, request: Request) -> Work:
        observed = self._observe(request)
        if observed is not None:
            return observed
        match request.path:
            case [b"set", key, value]:
                return Exchange([[b"SET", key, value]], StatusText())
            case [b"get", key]:
                return Exchange([[b"GET", key]], JsonReplies(name=b"value"))
        raise BadRequest(404, "ERR no such path: there are /set/:key/:value and /get/:key")

    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        return ()
