"""The HTTP doors: what ``http-port`` and ``metrics-port`` do with a new connection."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

from respcache import errors
from respcache.server.clients.conversation import fast_rows
from respcache.server.doors.admission import keep_alive, refusal, refused_by_fault
from respcache.server.doors.http.guard import Guard
from respcache.server.doors.http.observation import Observation, ObservationOnly
from respcache.server.doors.http.seed import Seed
from respcache.server.doors.http.session import HttpSession
from respcache.server.doors.http.upstash import Upstash
from respcache.server.io.transport import SocketTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.server.doors.http.exchange import Dialect
    from respcache.server.parts import Parts

_DIALECTS: dict[str, Callable[[Parts, Observation], Dialect]] = {"upstash": Upstash, "seed": Seed}


class _Door:
    def __init__(self, parts: Parts, dialect: Dialect, guard: Guard | None) -> None:
        self._parts = parts
        self._dialect = dialect
        self._guard = guard
        self._fast = fast_rows(parts.router.shards)

    def accept(self, sock: socket.socket, peer: str, local: str) -> None:
        """A client has connected: begin a session with it, or turn it away."""
        parts = self._parts
        if refused_by_fault(parts, sock, peer):
            return
        error = refusal(parts, peer)
        if error is not None:
            _turn_away(sock, error)
            return
        keep_alive(sock, parts.config.tcp_keepalive)
        transport = SocketTransport(sock, parts.poller, peer, local)
        session = HttpSession(parts, transport, parts.registry.next_id(), self._fast, self._dialect, self._guard)
        transport.receive_with(session)  # may fail: then it is no client
        parts.registry.add(session.client)


class HttpDoor(_Door):
    """``http-port``. `accept` is what a listener calls."""

    def __init__(self, parts: Parts) -> None:
        dialect = _DIALECTS[parts.config.http_dialect](parts, Observation(parts))
        super().__init__(parts, dialect, Guard(parts.config))


class MetricsDoor(_Door):
    """``metrics-port``."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts, ObservationOnly(Observation(parts)), None)


def _turn_away(sock: socket.socket, error: str) -> None:
    body = json.dumps({"error": error}, separators=(",", ":")).encode()
    status = b"503 Service Unavailable" if error == errors.MAX_CLIENTS else b"403 Forbidden"
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\nconnection: close\r\n" % status
    try:
        sock.send(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
    except OSError:
        pass
    sock.close()
