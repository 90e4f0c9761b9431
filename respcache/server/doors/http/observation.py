"""GET /metrics and GET /health."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.server.doors.http.metrics import CONTENT_TYPE, health, metrics
from respcache.server.doors.http.requests import BadRequest, not_allowed
from respcache.server.doors.http.responses import Response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respcache.server.doors.http.exchange import Work
    from respcache.server.doors.http.requests import Request
    from respcache.server.parts import Parts


class Observation:
    """A part of every dialect, and the whole of ``metrics-port``."""

    methods = (b"GET", b"HEAD")

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def route(self, request: Request) -> Work | None:
        """None if the request is about something else."""
        if request.path not in ([b"metrics"], [b"health"]):
            return None
        if request.method not in self.methods:
            raise not_allowed("ERR it can only be asked for by GET and HEAD", self.methods)
        if request.path == [b"metrics"]:
            return self._metrics()
        well, body = health(self._parts)
        return Response(200 if well else 503, body)

    async def _metrics(self) -> Response:
        return Response(200, await metrics(self._parts), CONTENT_TYPE)


class ObservationOnly:
    """The `Dialect` of ``metrics-port``."""

    methods = Observation.methods

    def __init__(self, observation: Observation) -> None:
        self._observe = observation.route

    def route(self, request: Request) -> Work:
        observed = self._observe(request)
        if observed is None:
            raise BadRequest(404, "ERR no such path: this port has /metrics and /health")
        return observed

    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        return ()
