"""Check whether a server answers: `python -m respcache.health [WHERE]`, for the health check of a container.

The exit status is 0 if it answers a PING, else 1, with the reason on standard error. WHERE is one of:

    HOST PORT, HOST:PORT, PORT
    redis://HOST:PORT, unix:///PATH      a URL; user, password and database are ignored
    /PATH                                a unix socket
    WORDS                                the words that the server was started with: they, and the configuration file
                                         they name, give the port, the address or the unix socket

Without WHERE, the words of this user's first respcache process are used, in a container the only one (Linux only). If
there is none, the check fails: a server that answers on port 6379 would be somebody else's.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from respcache.config import Config
from respcache.config.files import ConfigError, load

_TIMEOUT = 2.0
_DEFAULT_PORT = 6379
_PROC = Path("/proc")
_LOOPBACK = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::*": "::1", "::": "::1"}


class Unknown(Exception):
    """The address of the server is unknown; the text says why."""


class Place(NamedTuple):
    """Where a server listens: a unix socket if `path` is not empty, else a TCP port."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.path or f"{host}:{self.port}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the check. Returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words in (["-h"], ["--help"]):
        print((__doc__ or "").strip())
        return 0
    try:
        place = place_of(words) if words else place_of_the_running()
    except (ConfigError, Unknown, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    try:
        reply = ping(place)
    except OSError as error:
        print(f"{place}: {error.strerror or error}", file=sys.stderr)
        return 1
    # A server that asks for a password is alive too.
    if reply.startswith((b"+PONG", b"-NOAUTH")):
        return 0
    print(reply.decode("utf-8", "replace").rstrip() or "the server hung up", file=sys.stderr)
    return 1


def ping(place: Place) -> bytes:
    """The first line of the server's answer to a PING. Raises OSError."""
    with _connect(place) as connection:
        connection.sendall(b"PING\r\n")
        return connection.makefile("rb").readline()


def _connect(place: Place) -> socket.socket:
    if not place.path:
        return socket.create_connection((place.host, place.port), _TIMEOUT)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_TIMEOUT)
    try:
        connection.connect(place.path)
    except OSError:
        connection.close()
        raise
    return connection


# -- where it is


def place_of(words: Sequence[str]) -> Place:
    """The place that WHERE stands for, see the module. Raises Unknown, ConfigError and OSError."""
    first = words[0]
    if "://" in first and len(words) == 1:
        return _place_of_url(first)
    if first.startswith("-") or os.path.isfile(first):
        return _place_of_config(words)
    if len(words) == 1 and _is_socket(first):
        return Place(path=first)
    if len(words) == 1:
        host, _, port = ("", "", first) if first.isdecimal() else first.rpartition(":")
    elif len(words) == 2:
        host, port = words
    else:
        raise Unknown(f"'{' '.join(words)}' is neither a server's address nor its command line")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise Unknown(f"'{port}' is not a port")
    return Place(host.strip("[]") or "127.0.0.1", int(port))


def _place_of_url(text: str) -> Place:
    try:
        url = urlsplit(text)
        if url.scheme == "unix":
            return Place(path=unquote(url.path))
        if url.scheme == "redis":
            return Place(url.hostname or "127.0.0.1", url.port or _DEFAULT_PORT)
    except ValueError as error:
        raise Unknown(f"'{text}' is not a URL of a server: {error}") from None
    raise Unknown(f"'{text}' is not a URL of a server: only redis:// and unix:// are known")


def _place_of_config(words: Sequence[str]) -> Place:
    # A configuration from standard input cannot be read again.
    return _place_in(load([word for word in words if word != "-"]))


def _place_in(config: Config) -> Place:
    if config.port:
        address = next(iter(config.bind), "*").lstrip("-")
        return Place(_LOOPBACK.get(address, address), config.port)
    if config.unixsocket:
        return Place(path=config.unixsocket)
    raise Unknown("port 0 is any free port: say which one the server got")


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return path.startswith("/")  # then the error of connecting says what is wrong


# -- the running server


def place_of_the_running(processes: Path = _PROC) -> Place:
    """Where this user's first respcache process listens. Raises Unknown, ConfigError and OSError."""
    # Lowest number first: other programs of the user start later. Number 1 may be an init.
    for number in sorted(int(entry.name) for entry in processes.glob("[0-9]*")):
        directory = processes / str(number)
        try:
            if directory.stat().st_uid != os.geteuid():
                continue
            line = (directory / "cmdline").read_text("utf-8", "surrogateescape")
            words = words_of_the_server(line.split("\0")[:-1])
            if words is None:
                continue
            os.chdir(directory / "cwd")  # the words may name files relative to this directory
        except OSError:
            continue  # the process has ended, or is not readable
        return _place_of_config(words)
    raise Unknown("no respcache process of this user is running")


def words_of_the_server(line: Sequence[str]) -> list[str] | None:
    """The words after the program's name on a command line that starts respcache; None if it starts something else.

    Such a line is ``PYTHON [OPTION ...] /path/to/respcache WORDS`` or ``PYTHON [OPTION ...] -m respcache WORDS``.
    """
    if not line or not os.path.basename(line[0]).startswith(("python", "pypy")):
        return None
    at = 1
    while at < len(line) and line[at].startswith("-"):
        if line[at] == "-m":
            return list(line[at + 2 :]) if line[at + 1 : at + 2] == ["respcache"] else None
        if line[at] == "-c":
            return None
        at += 2 if line[at] in ("-W", "-X") else 1
    return list(line[at + 1 :]) if at < len(line) and os.path.basename(line[at]) == "respcache" else None


if __name__ == "__main__":
    sys.exit(main())
