"""The RESP door: what a listening port of Redis' protocol does with a new connection."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from respcache import errors
from respcache.errors import CommandError
from respcache.server.clients.client import is_local
from respcache.server.clients.conversation import Conversation, fast_rows
from respcache.server.io.transport import SocketTransport

if TYPE_CHECKING:
    from respcache.server.parts import Parts


class RespDoor:
    """`accept` is what a listener calls."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._fast = fast_rows(parts.router.shards)

    def accept(self, sock: socket.socket, peer: str, local: str) -> None:
        """A client has connected: begin a conversation with it, or turn it away."""
        parts = self._parts
        parts.stats.connections += 1
        if len(parts.registry) >= parts.config.maxclients:
            self._turn_away(sock, CommandError(errors.MAX_CLIENTS))
            return
        if parts.config.protected_mode and not parts.config.requirepass and not is_local(peer):
            self._turn_away(sock, CommandError(errors.PROTECTED_MODE))
            return
        if sock.family != socket.AF_UNIX:
            _keep_alive(sock, parts.config.tcp_keepalive)
        transport = SocketTransport(sock, parts.poller, peer, local)
        conversation = Conversation(parts, transport, parts.registry.next_id(), self._fast)
        transport.receive_with(conversation)  # may fail: then it is no client
        parts.registry.add(conversation.client)

    def _turn_away(self, sock: socket.socket, error: CommandError) -> None:
        self._parts.stats.rejected += 1
        try:
            sock.send(error.line())
        except OSError:
            pass
        sock.close()


def _keep_alive(sock: socket.socket, seconds: int) -> None:
    """Have TCP find out about a dead peer: it is probed after `seconds` of silence, then three times more."""
    if not seconds:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # The names differ by platform; where one is missing, the system's default serves.
    for name, value in (("TCP_KEEPIDLE", seconds), ("TCP_KEEPINTVL", max(1, seconds // 3)), ("TCP_KEEPCNT", 3)):
        if option := getattr(socket, name, None):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
