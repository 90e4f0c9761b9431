"""Where the main process listens: the sockets, and the door behind each of them.

Every TCP port is opened on all addresses of `bind`. The HTTP door, and h11 with it, is imported only if one of its
ports is asked for.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, NamedTuple

from respcache.errors import CommandError
from respcache.logs import log
from respcache.server.io.listener import Listener, printed_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from respcache.config import Config
    from respcache.server.doors.http.door import HttpDoor, MetricsDoor
    from respcache.server.io.listener import AcceptClient
    from respcache.server.server import Server

# What the directive `bind` calls all addresses.
_WILDCARDS = {"*": "0.0.0.0", "::*": "::"}


class CannotListen(Exception):
    """No address to serve on, or nothing to serve there with; the text is for the log."""


class Place(NamedTuple):
    """One listening socket: who takes its clients, and what the log puts before its address."""

    sock: socket.socket
    accept: AcceptClient
    prefix: str

    def __str__(self) -> str:
        name = self.sock.getsockname()
        return self.prefix + (name if isinstance(name, str) else printed_address(name))


def bind(server: Server) -> list[Place]:
    """Open sockets for all configured addresses, and note the ports. Raises CannotListen."""
    config, parts = server.config, server.parts
    _refuse_shared_ports(config)
    http = bool(config.http_port or config.respcache_http)
    if http or config.metrics_port:
        _import_http_doors()  # what is missing is said before anything is opened
    places: list[Place] = []
    # As in Redis, port 0 means no TCP. If there is no unix socket either, or the starter waits to be told the port, it
    # means any free port.
    if config.port or not config.unixsocket or config.respcache_ready_fd >= 0:
        parts.port, sockets = _bind_tcp(config, config.port, "TCP")
        places += [Place(sock, server.accept, "") for sock in sockets]
    if http:
        places += _bind_http(server)
    if config.metrics_port:
        places += _bind_metrics(server)
    # Last, since it leaves a file behind if another address cannot be had.
    if config.unixsocket:
        sock = _bind_unix(config.unixsocket, config.unixsocketperm, config.tcp_backlog)
        places.append(Place(sock, server.accept, "unix:"))
    return places


@contextlib.contextmanager
def accepting(server: Server, places: Sequence[Place]) -> Iterator[None]:
    """Accept clients in all places, and say so. At the end nobody can connect any more."""
    listeners: list[Listener] = []

    def accept_in(places: Sequence[Place]) -> None:
        listeners.extend(Listener(place.sock, server.poller, server.alarms, place.accept) for place in places)

    def open_http() -> int:
        """See `Parts.open_http`."""
        if not server.parts.http_port:
            try:
                opened = _bind_http(server)
            except CannotListen as error:
                raise CommandError(f"ERR {error}") from None
            accept_in(opened)
            log.notice(f"Ready to accept connections on {' '.join(map(str, opened))}")
        return server.parts.http_port

    server.parts.open_http = open_http
    accept_in(places)
    try:
        _say_ready(server, places)
        yield
    finally:
        for listener in listeners:
            listener.close()
        if server.config.unixsocket:
            _remove(server.config.unixsocket)


def _refuse_shared_ports(config: Config) -> None:
    """Raises CannotListen, where the system would say only that the port is in use: by whom, people would look for."""
    names: dict[int, str] = {}
    for name in ("port", "http-port", "metrics-port"):
        port = config.value(name)
        if port and port in names:
            raise CannotListen(f"{names[port]} and {name} are both {port}; each needs a port of its own.")
        names[port] = name


def _import_http_doors() -> tuple[type[HttpDoor], type[MetricsDoor]]:
    """Raises CannotListen where the extra of the package is not installed."""
    try:
        from respcache.server.doors.http.door import HttpDoor, MetricsDoor
    except ModuleNotFoundError as error:
        if error.name != "h11":
            raise
        raise CannotListen(
            "The HTTP door needs the package h11, which is not installed. Get it with: pip install 'respcache[http]'"
        ) from None
    return HttpDoor, MetricsDoor


def _bind_http(server: Server) -> list[Place]:
    """Raises CannotListen."""
    http_door, _ = _import_http_doors()
    server.parts.http_port, sockets = _bind_tcp(server.config, server.config.http_port, "HTTP")
    accept = http_door(server.parts).accept
    return [Place(sock, accept, "http://") for sock in sockets]


def _bind_metrics(server: Server) -> list[Place]:
    """Raises CannotListen."""
    _, metrics_door = _import_http_doors()
    server.parts.metrics_port, sockets = _bind_tcp(server.config, server.config.metrics_port, "metrics")
    accept = metrics_door(server.parts).accept
    return [Place(sock, accept, "metrics http://") for sock in sockets]


def _bind_tcp(config: Config, port: int, protocol: str) -> tuple[int, list[socket.socket]]:
    """Open `port`, or any free one if it is 0, on all addresses; the port, and the sockets. Raises CannotListen."""
    sockets: list[socket.socket] = []
    for word in config.bind:
        optional = word.startswith("-")  # an address that may be missing
        address = word.lstrip("-")
        address = _WILDCARDS.get(address, address)
        try:
            sock = _listen(address, port, config.tcp_backlog)
        except OSError as error:
            if optional:
                continue
            for opened in sockets:  # the server may go on without them
                opened.close()
            reason = f"bind: {error.strerror}"
            log.warning(f"Warning: Could not create server {protocol} listening socket {address}:{port}: {reason}")
            raise CannotListen(f"Failed listening on port {port} ({protocol.lower()}), aborting.") from None
        sockets.append(sock)
        port = sock.getsockname()[1]
    if not sockets:
        raise CannotListen("Configured to not listen anywhere, exiting.")
    return port, sockets


def _listen(address: str, port: int, backlog: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock


def _bind_unix(path: str, permissions: int, backlog: int) -> socket.socket:
    _remove(path)  # a socket file that a killed server left behind
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        if permissions:
            os.chmod(path, permissions)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        # Python itself refuses a path that is too long, and gives no strerror.
        raise CannotListen(f"Failed opening Unix socket: bind: {error.strerror or error}") from None
    return sock


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # if it is there and in the way, bind says so


def _say_ready(server: Server, places: Sequence[Place]) -> None:
    """Log the addresses, and tell the ports to the process that has asked for them."""
    log.notice(f"Ready to accept connections on {' '.join(map(str, places))}")
    if server.config.respcache_ready_fd >= 0:
        ports = [server.parts.port, *filter(None, [server.parts.http_port])]
        _tell_ports(server.config.respcache_ready_fd, ports)


def _tell_ports(fd: int, ports: Sequence[int]) -> None:
    try:
        with os.fdopen(fd, "wb") as pipe:
            pipe.write(" ".join(map(str, ports)).encode() + b"\n")
    except OSError as error:
        log.warning(f"The port could not be written to respcache-ready-fd {fd}: {error.strerror}")
