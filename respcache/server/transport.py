"""Sockets of clients: plain TCP and unix sockets on the poller.

Replies are sent straight from where they are made; only what the kernel does not take waits here for the poller.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from typing import IO, TYPE_CHECKING, Any

from respcache.logs import log, log_exception
from respcache.server.poller import READ, WRITE

if TYPE_CHECKING:
    from respcache.server.poller import Poller
    from respcache.server.session import Session

_CHUNK = 1 << 16


class SocketTransport:
    """One client's socket. `session` is set right after both are made."""

    session: Session

    def __init__(self, sock: socket.socket, poller: Poller, peer: str, local: str) -> None:
        self.peer = peer
        self.local = local
        self.unsent = 0
        self.fd = sock.fileno()
        self._socket = sock
        self._poller = poller
        self._pending: deque[memoryview] = deque()
        self._reading = True
        self._closing = False
        self._closed = False
        self._events = READ
        poller.watch(self.fd, READ, self._on_ready)

    def write(self, data: bytes) -> None:
        """Send, or keep until the peer takes it. To a closed connection: nothing."""
        if self._closed or not data:
            return
        if not self._pending:
            try:
                sent = self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                self._lost()
                return
            if sent == len(data):
                return
            rest = memoryview(data)[sent:]
        else:
            rest = memoryview(data)
        self._pending.append(rest)
        self.unsent += len(rest)
        self._update_events()

    def pause_reading(self, paused: bool) -> None:
        """Stop or go on reading what the client sends."""
        self._reading = not paused
        self._update_events()

    def close(self, *, after_writing: bool = False) -> None:
        """Hang up; with `after_writing`, once the peer has taken what it is owed."""
        if self._closed:
            return
        if after_writing and self._pending:
            self._closing = True
            self._reading = False
            self._update_events()
            return
        self._closed = True
        self._poller.forget(self.fd)
        self._pending.clear()
        self.unsent = 0
        self._socket.close()

    def _update_events(self) -> None:
        events = (READ if self._reading else 0) | (WRITE if self._pending else 0)
        if events != self._events and not self._closed:
            self._events = events
            self._poller.watch(self.fd, events, self._on_ready)

    def _on_ready(self, events: int) -> None:
        if self._closed:
            return  # closed earlier in the same round
        try:
            if events & WRITE:
                self._send_pending()
            if events & READ and self._reading:
                self._receive()
        except Exception:
            # A bug: this client's state cannot be trusted any more, but nobody else need suffer.
            log_exception("a session failed")
            self.session.close()

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._lost()
            return
        if data:
            self.session.feed(data)
        else:
            self._reading = False
            self._update_events()
            self.session.end_of_input()

    def _send_pending(self) -> None:
        try:
            while self._pending:
                sent = self._socket.send(self._pending[0])
                self.unsent -= sent
                if sent < len(self._pending[0]):
                    self._pending[0] = self._pending[0][sent:]
                    break
                self._pending.popleft()
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._lost()
            return
        if self._closing and not self._pending:
            self.close()
            return
        self._update_events()
        self.session.outbox.answered()  # there is room again: it may want to read on

    def _lost(self) -> None:
        """The connection is gone."""
        if self._closing:
            self.close()
        else:
            self.session.close()


class Listener:
    """Accepts clients on one listening socket, and hands them over."""

    def __init__(self, sock: socket.socket, poller: Poller, accept: AcceptClient) -> None:
        self._socket = sock
        self._poller = poller
        self._accept = accept
        self._spare = _spare_descriptor()
        sock.setblocking(False)
        poller.watch(sock.fileno(), READ, self._on_ready)

    def _on_ready(self, _events: int) -> None:
        for _ in range(64):  # a flood of connections must not hold up the others
            try:
                sock, address = self._socket.accept()
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self._turn_one_away()
                return  # nobody waits any more
            sock.setblocking(False)
            try:
                self._welcome(sock, address)
            except Exception:
                # A client that cannot be served (it may be gone already) is no reason to stop listening.
                log_exception("a connection could not be served")
                sock.close()

    def _turn_one_away(self) -> None:
        """Out of descriptors: the spare one is enough to take a client and hang up on it.

        Left in the queue, it would keep the listener ready, and the poller busy.
        """
        self._spare.close()
        try:
            self._socket.accept()[0].close()
            self._spare = _spare_descriptor()
        except OSError:
            pass  # somebody else was faster
        log.warning("a client was turned away: out of file descriptors", kind="descriptors")

    def _welcome(self, sock: socket.socket, address: Any) -> None:
        if sock.family == socket.AF_UNIX:
            path = self._socket.getsockname() or "?"
            self._accept(sock, f"{path}:0", f"{path}:0")
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._accept(sock, printed_address(address), printed_address(self._socket.getsockname()))

    def close(self) -> None:
        self._poller.forget(self._socket.fileno())
        self._socket.close()
        self._spare.close()


def _spare_descriptor() -> IO[bytes]:
    return open(os.devnull, "rb")


def printed_address(address: tuple[str, int] | tuple[str, int, int, int]) -> str:
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


if TYPE_CHECKING:
    from collections.abc import Callable

    AcceptClient = Callable[[socket.socket, str, str], None]
