"""``supervised``: systemd or upstart has started the server, and is told how far it is.

systemd gets datagrams through the socket that the environment names. Upstart waits until the process stops itself, and
lets it go on. Redis does that as its first step; here it means that clients can connect.
"""

from __future__ import annotations

import os
import signal
import socket

from respcache.logs import log

# Seconds after which systemd is not waited for any more.
_PATIENCE = 1.0


class Supervisor:
    """Nobody. `name` is what INFO says."""

    name = "no"

    def ready(self) -> None:
        """Clients can connect."""

    def stopping(self) -> None:
        """The server ends."""


class _Systemd(Supervisor):
    name = "systemd"

    def __init__(self) -> None:
        log.notice(
            "Supervised by systemd. Please make sure you set appropriate values for TimeoutStartSec and TimeoutStopSec "
            "in your service unit."
        )
        _notify("STATUS=The server is starting...\n")

    def ready(self) -> None:
        _notify("STATUS=Ready to accept connections\n")
        _notify("READY=1\n")

    def stopping(self) -> None:
        _notify("STOPPING=1\n")


class _Upstart(Supervisor):
    name = "upstart"

    def ready(self) -> None:
        log.notice("supervised by upstart, will stop to signal readiness.")
        os.kill(os.getpid(), signal.SIGSTOP)


def find_supervisor(mode: str) -> Supervisor:
    """The supervisor that `mode`, the value of the directive, stands for; nobody if there are no signs of it."""
    upstart, systemd = "UPSTART_JOB" in os.environ, "NOTIFY_SOCKET" in os.environ
    if mode == "auto":
        mode = "upstart" if upstart else "systemd" if systemd else "no"
    if mode == "upstart":
        if upstart:
            # As in Redis: what the server starts is not supervised.
            del os.environ["UPSTART_JOB"]
            return _Upstart()
        log.warning("upstart supervision requested, but UPSTART_JOB not found!")
    elif mode == "systemd":
        if systemd:
            return _Systemd()
        log.warning("systemd supervision error: NOTIFY_SOCKET not found!")
    return Supervisor()


def _notify(state: str) -> None:
    address = os.environ["NOTIFY_SOCKET"]
    if address.startswith("@"):  # in Linux' abstract namespace
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(_PATIENCE)
            sock.connect(address)
            sock.send(state.encode())
    except OSError as error:
        log.warning(f"systemd supervision error: {error.strerror or error}")
