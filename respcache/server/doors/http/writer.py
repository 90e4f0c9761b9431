"""Responses to bytes: whole, or in parts whose number nobody knows yet."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import h11

from respcache.server.doors.http.responses import date

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respcache.server.doors.http.exchange import Dialect
    from respcache.server.doors.http.guard import Guard
    from respcache.server.doors.http.requests import Request
    from respcache.server.doors.http.responses import Response
    from respcache.server.io.transport import SocketTransport
    from respcache.server.parts import Parts


class ResponseWriter:
    """Writes the responses of one connection, one after the other: `whole`, or `start`, `part`s and `end`."""

    def __init__(
        self, parts: Parts, http: h11.Connection, transport: SocketTransport, dialect: Dialect, guard: Guard | None
    ) -> None:
        self._parts = parts
        self._http = http
        self._transport = transport
        self._dialect = dialect
        self._guard = guard
        self.request: Request | None = None  # what is answered, if its head could be read
        self.without_body = False  # the request is a HEAD
        self.last = False  # the connection ends with this response

    @property
    def may_begin(self) -> bool:
        """True if no part of the response was sent."""
        return self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE)

    @property
    def in_parts(self) -> bool:
        """True after `start`, up to the `end`."""
        return self._http.our_state is h11.SEND_BODY

    @property
    def must_close(self) -> bool:
        """True after a response that is the last one for what the client has asked."""
        return self._http.our_state is h11.MUST_CLOSE

    def go_on(self) -> None:
        """The client wants to know whether it may send the body of its request."""
        self._transmit(
            self._http.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")) or b""
        )

    def whole(self, response: Response) -> None:
        """Send a response whose length is known."""
        head = self._head(response.status, response.content_type, len(response.body), response.headers)
        self._transmit(head + self._body(response.body) + self._end())

    def start(self, status: int, content_type: bytes, body: bytes) -> None:
        """Send the head of a response whose length is not known, and the first part of its body."""
        self._transmit(self._head(status, content_type, None) + self._body(body))

    def part(self, body: bytes) -> None:
        """Send another part."""
        self._transmit(self._body(body))

    def end(self, body: bytes = b"") -> None:
        """Send the last part, which may be empty."""
        self._transmit(self._body(body) + self._end())

    def _body(self, body: bytes) -> bytes:
        if not body or self.without_body:
            return b""
        return self._http.send(h11.Data(data=body)) or b""

    def _end(self) -> bytes:
        return self._http.send(h11.EndOfMessage()) or b""

    def _head(
        self, status: int, content_type: bytes, length: int | None, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> bytes:
        fields: list[Any] = [(b"date", date(self._parts.clock.last_ms // 1000))]
        if content_type:
            fields.append((b"content-type", content_type))
        if length is not None and status != 204:
            fields.append((b"content-length", b"%d" % length))
        if content_type == b"text/event-stream":
            fields.append((b"cache-control", b"no-cache"))
        fields += headers
        fields += self._dialect.headers()
        if self._guard is not None and self.request is not None:
            fields += self._guard.headers(self.request)
        if self.last:
            fields.append((b"connection", b"close"))
        response = h11.Response(status_code=status, headers=fields, reason=HTTPStatus(status).phrase.encode())
        return self._http.send(response) or b""

    def _transmit(self, data: bytes) -> None:
        self._parts.stats.bytes_out += len(data)
        self._transport.write(data)
