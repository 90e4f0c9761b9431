"""What every door does with a new connection before anything is said."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from respcache import errors
from respcache.server.clients.client import is_local

if TYPE_CHECKING:
    from respcache.server.parts import Parts


def refused_by_fault(parts: Parts, sock: socket.socket, peer: str) -> bool:
    """True if a fault has closed this connection, as soon as it was accepted."""
    refused = parts.faults.refuses(peer)
    if refused:
        parts.stats.connections += 1
        sock.close()
    return refused


def refusal(parts: Parts, peer: str) -> str | None:
    """Count a connection; the error for one that is not let in."""
    parts.stats.connections += 1
    error = None
    if len(parts.registry) >= parts.config.maxclients:
        error = errors.MAX_CLIENTS
    elif parts.config.protected_mode and not parts.config.requirepass and not is_local(peer):
        error = errors.PROTECTED_MODE
    if error is not None:
        parts.stats.rejected += 1
    return error


def keep_alive(sock: socket.socket, seconds: int) -> None:
    """Have TCP find out about a dead peer: it is probed after `seconds` of silence, then three times more."""
    if not seconds or sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # The names differ by platform (macOS says TCP_KEEPALIVE); where one is missing, the system's default serves.
    idle = "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE"
    for name, value in ((idle, seconds), ("TCP_KEEPINTVL", max(1, seconds // 3)), ("TCP_KEEPCNT", 3)):
        if option := getattr(socket, name, None):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
