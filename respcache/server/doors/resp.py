"""The RESP door: what a listening port of Redis' protocol does with a new connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.errors import CommandError
from respcache.server.clients.conversation import Conversation, fast_rows
from respcache.server.doors.admission import keep_alive, refusal, refused_by_fault
from respcache.server.io.transport import SocketTransport

if TYPE_CHECKING:
    import socket

    from respcache.server.parts import Parts


class RespDoor:
    """`accept` is what a listener calls."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._fast = fast_rows(parts.router.shards)

    def accept(self, sock: socket.socket, peer: str, local: str) -> None:
        """A client has connected: begin a conversation with it, or turn it away."""
        parts = self._parts
        if refused_by_fault(parts, sock, peer):
            return
        error = refusal(parts, peer)
        if error is not None:
            _turn_away(sock, CommandError(error))
            return
        keep_alive(sock, parts.config.tcp_keepalive)
        transport = SocketTransport(sock, parts.poller, peer, local)
        conversation = Conversation(parts, transport, parts.registry.next_id(), self._fast)
        transport.receive_with(conversation)  # may fail: then it is no client
        parts.registry.add(conversation.client)


def _turn_away(sock: socket.socket, error: CommandError) -> None:
    try:
        sock.send(error.line())
    except OSError:
        pass
    sock.close()
