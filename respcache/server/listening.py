"""Where the main process listens: the sockets, and the door behind each of them.

Every TCP port is opened on all addresses of `bind`. The HTTP door, and h11 with it, is imported only if one of its
ports is asked for.

While the server runs, CONFIG SET changes `port` and `bind`: sockets that can stay are left alone, new ones are opened,
and only then are the others closed. If that cannot be done, everything is as it was. Only if an old address is in the
way of a new one on the same port, as ``127.0.0.1`` is for ``*``, is it closed first.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from typing import TYPE_CHECKING, NamedTuple

from respcache.config.kinds import BadValue
from respcache.errors import CANNOT_BIND, CANNOT_LISTEN, CommandError
from respcache.logs import log
from respcache.server.io.listener import Listener, printed_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from respcache.config import Config
    from respcache.server.doors.http.door import HttpDoor, MetricsDoor
    from respcache.server.io.listener import AcceptClient
    from respcache.server.server import Server

# What the directive `bind` calls all addresses.
_WILDCARDS = {"*": "0.0.0.0", "::*": "::"}
# The system lacks the protocol of an address, such as IPv6. As in Redis, such an address is left out.
_NO_PROTOCOL = frozenset(
    getattr(errno, name)
    for name in ("ENOPROTOOPT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "EPFNOSUPPORT", "EAFNOSUPPORT")
)
# A port that the system has found free on the first address may be in use on the next one.
_ATTEMPTS = 20
# What CONFIG SET answers if one of these cannot be changed.
_MOVING = {"port": CANNOT_LISTEN, "bind": CANNOT_BIND}


class CannotListen(Exception):
    """No address to serve on, or nothing to serve there with; the text is for the log."""


class _Refused(CannotListen):
    """The system does not give a socket."""

    def __init__(self, wanted: _Wanted, error: OSError) -> None:
        reason = f"{'' if isinstance(error, socket.gaierror) else 'bind: '}{error.strerror}"
        door, address, port, _ = wanted
        super().__init__(f"Warning: Could not create server {door.name} listening socket {address}:{port}: {reason}")
        self.in_use = error.errno == errno.EADDRINUSE


class Door(NamedTuple):
    """What speaks on a port: its name in the log, who takes its clients, and what the log puts before its addresses."""

    name: str
    accept: AcceptClient
    prefix: str = ""


class _Wanted(NamedTuple):
    """Where a TCP door is to listen. Port 0 means any; an `optional` address may be missing on this machine."""

    door: Door
    address: str
    port: int
    optional: bool


class Place(NamedTuple):
    """One listening socket, its door, and the address and port for which it was opened. A unix socket has no port."""

    sock: socket.socket
    door: Door
    address: str
    port: int = 0

    def serves(self, wanted: _Wanted) -> bool:
        """True if this is what is wanted."""
        return (self.door, self.address, self.port) == wanted[:3]

    def __str__(self) -> str:
        name = self.sock.getsockname()
        return self.door.prefix + (name if isinstance(name, str) else printed_address(name))


class Listening:
    """All places of one server: `open`, then `accepting`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._resp = Door("TCP", server.accept)
        self._ports: dict[Door, int] = {}  # of the TCP doors that were opened
        self._places: list[Place] = []
        self._listeners: dict[socket.socket, Listener] = {}  # while clients are accepted

    # -- at the start

    def open(self) -> None:
        """Open sockets for all configured addresses, and note the ports. Raises CannotListen."""
        config, parts = self._server.config, self._server.parts
        _refuse_shared_ports(config)
        http = bool(config.http_port or config.respcache_http)
        if http or config.metrics_port:
            _import_http_doors()  # what is missing is said before anything is opened
        # As in Redis, port 0 means no TCP. If there is no unix socket either, or the starter waits to be told the port,
        # it means any free port.
        if config.port or not config.unixsocket or config.respcache_ready_fd >= 0:
            parts.port = self._open_door(self._resp, config.port)
            if not config.port:
                config.settle("port", parts.port)
        if http:
            self._open_http()
        if config.metrics_port:
            _, metrics_door = _import_http_doors()
            door = Door("metrics", metrics_door(parts).accept, "metrics http://")
            parts.metrics_port = self._open_door(door, config.metrics_port)
        # Last, since it leaves a file behind if another address cannot be had.
        if config.unixsocket:
            sock = _bind_unix(config.unixsocket, config.unixsocketperm, config.tcp_backlog)
            self._places.append(Place(sock, Door("unix", self._server.accept, "unix:"), config.unixsocket))
        if not self._places:
            raise CannotListen("Configured to not listen anywhere, exiting.")
        config.apply_by(_MOVING, self._apply)
        config.on_change(_MOVING, self._follow)

    def _open_http(self) -> list[Place]:
        """Raises CannotListen."""
        http_door, _ = _import_http_doors()
        parts = self._server.parts
        before = len(self._places)
        door = Door("HTTP", http_door(parts).accept, "http://")
        parts.http_port = self._open_door(door, self._server.config.http_port)
        return self._places[before:]

    def _open_door(self, door: Door, port: int) -> int:
        """Open `port`, or any free one if it is 0, on all addresses; the port. Raises CannotListen."""
        config = self._server.config
        for attempt in range(_ATTEMPTS):
            try:
                places = _open(_wanted({door: port}, config.bind), config.tcp_backlog)
                break
            except _Refused as refused:
                if port or not refused.in_use or attempt == _ATTEMPTS - 1:
                    log.warning(str(refused))
                    text = f"Failed listening on port {port} ({door.name.lower()}), aborting."
                    raise CannotListen(text) from None
        self._places += places
        self._ports[door] = places[0].port if places else port
        return self._ports[door]

    # -- while the server runs

    @contextlib.contextmanager
    def accepting(self) -> Iterator[None]:
        """Accept clients in all places, and say so. At the end nobody can connect any more."""
        parts, config = self._server.parts, self._server.config
        parts.open_http = self._open_http_now
        self._accept_in(self._places)
        try:
            if config.respcache_ready_fd >= 0:
                _tell_ports(config.respcache_ready_fd, [parts.port, *filter(None, [parts.http_port])])
            yield
        finally:
            for listener in self._listeners.values():
                listener.close()
            if config.unixsocket:
                _remove(config.unixsocket)

    def _accept_in(self, places: Sequence[Place]) -> None:
        server = self._server
        for place in places:
            self._listeners[place.sock] = Listener(place.sock, server.poller, server.alarms, place.door.accept)
        if places:
            log.notice(f"Ready to accept connections on {' '.join(map(str, places))}")

    def _close(self, places: Sequence[Place]) -> None:
        for place in places:
            self._listeners.pop(place.sock).retire()

    def _open_http_now(self) -> int:
        """See `Parts.open_http`."""
        parts = self._server.parts
        if not parts.http_port:
            try:
                opened = self._open_http()
            except CannotListen as error:
                raise CommandError(f"ERR {error}") from None
            self._accept_in(opened)
        return parts.http_port

    def _apply(self, name: str) -> None:
        """CONFIG SET has changed `name`, and perhaps the other one. Raises BadValue, with everything as it was."""
        try:
            self._move()
        except CannotListen as error:
            log.warning(str(error))
            log.warning(
                f"Failed applying new configuration. Possibly related to new {name} setting. "
                "Restoring previous settings."
            )
            raise BadValue(_MOVING[name]) from None

    def _follow(self) -> None:
        """RESPCACHE RESET and RESTORE put earlier values back, and cannot fail."""
        try:
            self._move()
        except CannotListen as error:
            log.warning(f"{error}. The server goes on listening where it did.")

    def _move(self) -> None:
        """Listen where the configuration says. Raises CannotListen, with everything as it was."""
        config = self._server.config
        _refuse_shared_ports(config)
        ports = self._ports | {self._resp: config.port}
        missing: list[_Wanted] = []
        leaving = [place for place in self._places if place.port]
        for wanted in _wanted({door: port for door, port in ports.items() if port}, config.bind):
            place = next((place for place in leaving if place.serves(wanted)), None)
            if place is None:
                missing.append(wanted)
            else:
                leaving.remove(place)
        opened = self._exchange(leaving, missing)
        self._places = [place for place in self._places if place not in leaving] + opened
        self._ports = ports
        self._server.parts.port = config.port

    def _exchange(self, leaving: Sequence[Place], missing: Sequence[_Wanted]) -> list[Place]:
        """Close some places and open others; those. Raises CannotListen, with everything as it was."""
        backlog = self._server.config.tcp_backlog
        try:
            opened = _open(missing, backlog)
        except _Refused as refused:
            in_the_way = {place.port for place in leaving} & {wanted.port for wanted in missing}
            if not (refused.in_use and in_the_way):
                raise
            self._close(leaving)
            try:
                opened = _open(missing, backlog)
            except _Refused:
                self._open_again(leaving)
                raise
        else:
            self._close(leaving)
        self._accept_in(opened)
        return opened

    def _open_again(self, places: Sequence[Place]) -> None:
        """After a failure. Somebody else may have taken one in this moment; Redis would end."""
        for place in places:
            self._places.remove(place)
            try:
                again = _open([_Wanted(place.door, place.address, place.port, False)], self._server.config.tcp_backlog)
            except _Refused as refused:
                log.warning(str(refused))
                continue
            self._places += again
            self._accept_in(again)


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


def _wanted(ports: dict[Door, int], bind: Sequence[str]) -> list[_Wanted]:
    """Each of these doors on all addresses of `bind`."""
    found = []
    for door, port in ports.items():
        for word in bind:
            address = word.lstrip("-")
            found.append(_Wanted(door, _WILDCARDS.get(address, address), port, word.startswith("-")))
    return found


def _open(places: Iterable[_Wanted], backlog: int) -> list[Place]:
    """Open sockets; where any port is wanted, the same on all addresses. Raises _Refused, and then none is open."""
    opened: list[Place] = []
    for wanted in places:
        door, address, port, optional = wanted
        if not port and opened:
            port = opened[0].port
        try:
            sock = _listen(address, port, backlog)
        except OSError as error:
            if error.errno in _NO_PROTOCOL or (optional and error.errno == errno.EADDRNOTAVAIL):
                log.verbose(f"Not listening on {address}:{port}: {error.strerror}")
                continue
            for place in opened:
                place.sock.close()
            raise _Refused(wanted._replace(port=port), error) from None
        opened.append(Place(sock, door, address, sock.getsockname()[1]))
    return opened


def _listen(address: str, port: int, backlog: int) -> socket.socket:
    """Raises OSError."""
    # Python would take an empty name for all addresses, and for these others raise what is no OSError.
    if not address or "\0" in address or not address.isascii():
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
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


def _tell_ports(fd: int, ports: Sequence[int]) -> None:
    try:
        with os.fdopen(fd, "wb") as pipe:
            pipe.write(" ".join(map(str, ports)).encode() + b"\n")
    except OSError as error:
        log.warning(f"The port could not be written to respcache-ready-fd {fd}: {error.strerror}")
