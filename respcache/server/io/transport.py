"""One client's socket on the poller: bytes in, bytes out.

Bytes are sent by the call that writes them; only what the kernel does not take waits here for the poller.

    open --close(after_writing) with unsent bytes--> draining --all taken--> closed
    open or draining --close, or the connection breaks--> closed

After `end_output` an open one is only received from.

`Receiver.disconnected` is called exactly once, when the socket is closed, no matter which side closed it.
"""

from __future__ import annotations

import socket
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from respcache.logs import log_exception
from respcache.server.io.poller import READ, WRITE

if TYPE_CHECKING:
    from respcache.server.io.poller import Poller

_CHUNK = 1 << 16
# Tells the kernel that more is to come: the FIN, so that a peer sees the last reply and the end together.
_MORE = getattr(socket, "MSG_MORE", 0)


class Receiver(Protocol):
    """What a transport tells of its connection."""

    def feed(self, data: bytes) -> None:
        """The peer has sent bytes."""

    def end_of_input(self) -> None:
        """The peer will send nothing more."""

    def room(self) -> None:
        """The peer has taken some of what was unsent."""

    def disconnected(self) -> None:
        """The socket is closed."""


class Transport(Protocol):
    """What a receiver, and the client that it belongs to, need of their connection."""

    peer: str  # address as CLIENT LIST prints it
    local: str  # likewise, of our end
    fd: int

    @property
    def unsent(self) -> int:
        """Bytes that the peer has not taken yet."""

    def write(self, data: bytes) -> None:
        """Send, or keep until the peer takes it. Does nothing if the connection is closed, or about to be."""

    def write_last(self, data: bytes) -> None:
        """Send the last bytes of the connection, and close it as soon as the peer has taken all."""

    def pause_reading(self, paused: bool) -> None:
        """Stop or resume reading what the peer sends."""

    def peek(self) -> bool:
        """True if the peer has sent bytes that were not received yet. A system call."""

    def close(self, *, after_writing: bool = False) -> None:
        """Hang up; with `after_writing`, once the peer has taken all that was written."""


class SocketTransport:
    """The `Transport` of a connected, non-blocking socket. Nothing is received before `receive_with`."""

    def __init__(self, sock: socket.socket, poller: Poller, peer: str, local: str) -> None:
        self.peer = peer
        self.local = local
        self.unsent = 0
        self.fd = sock.fileno()
        self._socket = sock
        self._poller = poller
        self._receiver: Receiver | None = None
        self._pending: deque[memoryview] = deque()  # what is unsent
        self._reading = True  # until the end of the input, or until we are draining
        self._paused = False  # by the receiver
        self._draining = False  # close once everything is sent
        self._ending = False  # tell the peer, once everything is sent, that this was all
        self.closed = False
        self._events = 0  # what the poller watches for

    def receive_with(self, receiver: Receiver) -> None:
        """Begin to receive. To be called once."""
        self._receiver = receiver
        self._update_events()

    def write(self, data: bytes) -> None:
        self._send(data, 0)

    def write_last(self, data: bytes) -> None:
        self._send(data, _MORE)
        if not self._pending and not self.closed:
            # What the kernel has kept leaves now. If the peer has sent more than we have read, `close` alone would
            # throw it away.
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
        self.close(after_writing=True)

    def _send(self, data: bytes, flags: int) -> None:
        if self.closed or self._draining or not data:
            return
        sent = 0
        if not self._pending:
            try:
                sent = self._socket.send(data, flags)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError:
                self.close()
                return
            if sent == len(data):
                return
        rest = memoryview(data)[sent:]
        self._pending.append(rest)
        self.unsent += len(rest)
        self._update_events()

    def peek(self) -> bool:
        try:
            return not self.closed and bool(self._socket.recv(1, socket.MSG_PEEK))
        except OSError:  # there is nothing, or the connection is broken
            return False

    def pause_reading(self, paused: bool) -> None:
        self._paused = paused
        self._update_events()

    def end_output(self) -> None:
        """Nothing more will be written, and the peer is told so after all that was. It is still received from."""
        self._ending = True
        if not self._pending and not self.closed:
            self._shut_down()

    def _shut_down(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()

    def close(self, *, after_writing: bool = False) -> None:
        if self.closed:
            return
        if after_writing and self._pending:
            self._draining = True
            self._reading = False
            self._update_events()
            return
        self.closed = True
        self._poller.forget(self.fd)
        self._socket.close()
        self._pending.clear()
        self.unsent = 0
        # No cycle may keep what the connection held until the garbage collector comes.
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.disconnected()

    def _update_events(self) -> None:
        events = (READ if self._reading and not self._paused else 0) | (WRITE if self._pending else 0)
        if events != self._events and not self.closed:
            self._events = events
            self._poller.watch(self.fd, events, self._on_ready)

    def _on_ready(self, events: int) -> None:
        if self.closed:
            return  # closed earlier in the same round
        try:
            if events & WRITE:
                self._send_pending()
            if events & READ and self._reading and not self._paused and not self.closed:
                self._receive()
        except Exception:
            # A bug: this client's state cannot be trusted any more, but no other client need suffer.
            log_exception("a conversation failed")
            self.close()

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        assert self._receiver is not None
        if data:
            self._receiver.feed(data)
        else:
            self._reading = False
            self._update_events()
            self._receiver.end_of_input()

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
            self.close()
            return
        if self._draining and not self._pending:
            self.close()
            return
        if self._ending and not self._pending:
            self._shut_down()
        self._update_events()
        if self._receiver is not None:
            self._receiver.room()
