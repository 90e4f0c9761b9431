"""Whether a server answers: `python -m respcache.health [WORDS]`, for the health check of a container.

The words are those that the server was started with: they, and the configuration file that they name, tell the port,
the address or the unix socket. Without words those of the first respcache process are looked up, in a container the
only one (Linux; elsewhere the defaults count). Exit status 0 if it answers a PING, else 1, and the reason on standard
error.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from respcache.config import Config
from respcache.config.files import ConfigError, load

_TIMEOUT = 2.0
_PROC = Path("/proc")
_LOOPBACK = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::*": "::1", "::": "::1"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask the server for a sign of life; the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments) or words_of_the_server()
    try:
        # What came on its standard input is not there any more.
        reply = ping(load([word for word in words if word != "-"]))
    except (ConfigError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    # It lives, too, when it wants a password first. CONFIG SET may have given it another than the words tell.
    if reply.startswith((b"+PONG", b"-NOAUTH")):
        return 0
    print(reply.decode("utf-8", "replace").rstrip() or "the server hung up", file=sys.stderr)
    return 1


def ping(config: Config) -> bytes:
    """The first line that the server with this configuration answers to a PING. Raises OSError."""
    with _connect(config) as connection:
        connection.sendall(b"PING\r\n")
        return connection.makefile("rb").readline()


def _connect(config: Config) -> socket.socket:
    if config.unixsocket and not config.port:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_TIMEOUT)
        try:
            connection.connect(config.unixsocket)
        except OSError:
            connection.close()
            raise
        return connection
    address = next(iter(config.bind), "*").lstrip("-")
    return socket.create_connection((_LOOPBACK.get(address, address), config.port), _TIMEOUT)


def words_of_the_server(processes: Path = _PROC) -> list[str]:
    """What stands behind the program's name on the command line of the first respcache process; else nothing."""
    # By number: shards and whatever else a user starts come later. Number 1 may be an init.
    for number in sorted(int(entry.name) for entry in processes.glob("[0-9]*")):
        try:
            line = (processes / str(number) / "cmdline").read_text("utf-8", "surrogateescape")
        except OSError:
            continue  # it has ended, or is none of our business
        words = line.split("\0")[:-1]
        for at, word in enumerate(words[:3]):
            # PYTHON /path/to/respcache WORDS, or PYTHON -m respcache WORDS.
            if at and word.rpartition("/")[2] == "respcache":
                return words[at + 1 :]
    return []


if __name__ == "__main__":
    sys.exit(main())
