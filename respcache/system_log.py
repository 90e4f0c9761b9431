"""The system's log (``syslog-enabled``): each line is a datagram to the socket of its daemon, in the form of RFC 3164.

The standard library's `syslog` waits while the daemon does not read, and logging never blocks here: such lines are
lost, and so are those for which there is no daemon.
"""

from __future__ import annotations

import os
import socket
import time

# Where Linux and macOS have it.
SOCKETS = ("/dev/log", "/var/run/syslog")

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# The codes of syslog.h.
_FACILITIES = {"user": 1} | {f"local{number}": 16 + number for number in range(8)}
_SEVERITIES = (7, 6, 5, 4)  # of debug, verbose, notice and warning, as in Redis


class SystemLog:
    """Sends lines under a name (`ident`) and a facility: ``user``, or ``local0`` to ``local7``."""

    def __init__(self, ident: str, facility: str) -> None:
        self._ident = ident
        self._facility = _FACILITIES[facility]
        self._socket: socket.socket | None = None  # connected, while there is a daemon

    def send(self, level: int, message: str) -> None:
        """Send a line if that is possible at once. `level` is from 0 (debug) to 3 (warning)."""
        t = time.localtime()
        date = f"{_MONTHS[t.tm_mon - 1]} {t.tm_mday:2} {t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02}"
        priority = self._facility << 3 | _SEVERITIES[level]
        data = f"<{priority}>{date} {self._ident}[{os.getpid()}]: {message}".encode("utf-8", "surrogateescape")
        for _ in range(2):  # the daemon may have been started again since the last line
            try:
                self._connected().send(data)
                return
            except BlockingIOError:
                return
            except OSError:
                self.close()

    def _connected(self) -> socket.socket:
        """Raises OSError."""
        if self._socket is None:
            path = next(filter(os.path.exists, SOCKETS), SOCKETS[0])
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                sock.setblocking(False)
                sock.connect(path)
            except OSError:
                sock.close()
                raise
            self._socket = sock
        return self._socket

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
