"""Accepts clients on one listening socket, and hands them over."""

from __future__ import annotations

import errno
import os
import socket
from typing import IO, TYPE_CHECKING, Any

from respcache.logs import log, log_exception
from respcache.server.io.poller import READ

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.alarms import Alarms
    from respcache.server.io.poller import Poller

    AcceptClient = Callable[[socket.socket, str, str], None]

# A flood of connections must not hold up the clients that are there.
_PER_ROUND = 64
# No more wait to be accepted: the system caps `tcp-backlog`, mostly at this.
_MOST_WAITING = 1 << 12
# `accept` fails with these when the system is out of something; trying again at once would not help.
_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_SHORTAGE_PAUSE = 100  # milliseconds
# What stands behind the path of a unix socket where other addresses have their port.
_NO_PORT = ":0"


class Listener:
    """`accept(socket, peer, local)` gets each client; the addresses are as CLIENT LIST prints them."""

    def __init__(self, sock: socket.socket, poller: Poller, alarms: Alarms, accept: AcceptClient) -> None:
        self._socket = sock
        self._poller = poller
        self._alarms = alarms
        self._accept = accept
        # Closed for a moment when no descriptor is left, so that a client can be turned away.
        self._spare: IO[bytes] | None = _spare_descriptor()
        self._closed = False
        sock.setblocking(False)
        self._listen()

    def _listen(self) -> None:
        if not self._closed:
            self._poller.watch(self._socket.fileno(), READ, self._on_ready)

    def _on_ready(self, _events: int) -> None:
        self._accept_up_to(_PER_ROUND)

    def _accept_up_to(self, most: int) -> None:
        for _ in range(most):
            try:
                sock, address = self._socket.accept()
            except OSError as error:
                if error.errno in _SHORTAGES:
                    self._turn_one_away(error)
                return
            sock.setblocking(False)
            try:
                self._welcome(sock, address)
            except Exception:
                # A client that cannot be served (it may be gone already) is no reason to stop listening.
                log_exception("a connection could not be served")
                sock.close()

    def _turn_one_away(self, error: OSError) -> None:
        """Out of descriptors: the spare one is enough to accept a client and hang up on it.

        Left in the queue, the client would keep the listener ready and the poller busy. If even that fails, the
        listener accepts no client for a moment.
        """
        log.warning(f"Accepting client connection: {error.strerror}", kind="descriptors")
        turned_away = False
        if self._spare is not None:
            self._spare.close()
            self._spare = None
            try:
                self._socket.accept()[0].close()
                turned_away = True
            except OSError:
                pass
        try:
            self._spare = _spare_descriptor()
        except OSError:
            turned_away = False
        if not turned_away:
            self._poller.forget(self._socket.fileno())
            self._alarms.after(_SHORTAGE_PAUSE, self._listen)

    def _welcome(self, sock: socket.socket, address: Any) -> None:
        if sock.family == socket.AF_UNIX:
            path = self._socket.getsockname() or "?"
            self._accept(sock, path + _NO_PORT, path + _NO_PORT)
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._accept(sock, printed_address(address), printed_address(sock.getsockname()))

    def retire(self) -> None:
        """Accept those that have connected already, then close."""
        self._accept_up_to(_MOST_WAITING)
        self.close()

    def close(self) -> None:
        """Stop accepting."""
        self._closed = True
        self._poller.forget(self._socket.fileno())
        self._socket.close()
        if self._spare is not None:
            self._spare.close()


def _spare_descriptor() -> IO[bytes]:
    return open(os.devnull, "rb")


def printed_address(address: tuple[str, int] | tuple[str, int, int, int]) -> str:
    """``127.0.0.1:6379`` or ``[::1]:6379``."""
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_unix_socket(peer: str) -> bool:
    """True for an address of a unix socket, as `accept` gets it."""
    return peer.endswith(_NO_PORT)
