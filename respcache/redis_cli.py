"""A small stand-in for redis-cli: `python -m respcache.redis_cli [OPTIONS] [COMMAND ...]`.

Only the container image installs it as `redis-cli`, for compose files whose health check is `redis-cli ping`. It sends
the command on its command line, or one command per line of standard input, and prints each reply as redis-cli does when
its output is not a terminal. Texts and exit statuses are those of redis-cli. Unknown options are refused.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

import hiredis

from respcache import __version__
from respcache.quoting import split_args

_USAGE = """\
Usage: redis-cli [OPTIONS] [COMMAND [ARGUMENT ...]]

  -h HOST              host of the server (default: 127.0.0.1)
  -p PORT              port of the server (default: 6379)
  -s SOCKET            unix socket of the server; host and port are ignored
  -n DATABASE          number of the database
  -a, --pass PASSWORD  password; the variable REDISCLI_AUTH is read if there is none
  --user USER          user name that goes with the password
  -u URL               redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]
  -x                   use standard input as the last argument
  -e                   exit status 1 if the reply is an error
  --no-auth-warning    no warning about a password on the command line
  --raw                accepted: there is no other format here
  -v, --version        print the version
  --help               print this text

Without a command, each line of standard input is one. This is respcache's stand-in for redis-cli.
"""

# Commands that go on answering until they are interrupted.
_ENDLESS = {"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR"}


class Refused(Exception):
    """The command line or the connection cannot be used; the text says why."""


@dataclass
class Options:
    """The parsed command line."""

    host: str = "127.0.0.1"
    port: int = 6379
    unixsocket: str = ""
    database: int = 0
    user: str = ""
    password: str = ""
    last_from_stdin: bool = False
    errors_count: bool = False
    warn: bool = False
    words: tuple[bytes, ...] = ()

    @property
    def place(self) -> str:
        """The address of the server, for messages."""
        return self.unixsocket or f"{self.host}:{self.port}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program. Returns its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words in (["-v"], ["--version"]):
        print(f"redis-cli (respcache {__version__})")
        return 0
    if words in (["-h"], ["--help"]):
        print(_USAGE, end="")
        return 0
    try:
        options = parse(words)
        if options.warn:
            _complain(
                "Warning: Using a password with '-a' or '-u' option on the command line interface may not be safe."
            )
        return _run(options)
    except Refused as refused:
        _complain(str(refused))
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of the output has gone, as with `| head -1`. Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def parse(words: list[str]) -> Options:
    """Parse the command line. Raises Refused."""
    options = Options(password=os.environ.get("REDISCLI_AUTH", ""))
    quiet = False
    at = 0
    while at < len(words) and words[at].startswith("-"):
        option, value = words[at], words[at + 1] if at + 1 < len(words) else None
        at += 1
        match option:
            case "-x":
                options.last_from_stdin = True
                continue
            case "-e":
                options.errors_count = True
                continue
            case "--no-auth-warning":
                quiet = True
                continue
            case "--raw":
                continue
        at += 1
        match option, value:
            case "-h", str(value):
                options.host = value
            case "-p", str(value):
                options.port = _number(value)
            case "-s", str(value):
                options.unixsocket = value
            case "-n", str(value):
                options.database = _number(value)
            case (("-a" | "--pass"), str(value)):
                options.password, options.warn = value, True
            case "--user", str(value):
                options.user = value
            case "-u", str(value):
                _read_url(options, value)
            case _:
                raise Refused(f"Unrecognized option or bad number of args for: '{option}'")
    options.warn = options.warn and not quiet
    options.words = tuple(os.fsencode(word) for word in words[at:])
    return options


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Refused(f"Not a number: '{text}'") from None


def _read_url(options: Options, text: str) -> None:
    try:
        url = urlsplit(text)
        options.host, options.port = url.hostname or options.host, url.port or options.port
    except ValueError as error:
        raise Refused(f"Invalid URI: {error}") from None
    if url.scheme != "redis":
        raise Refused(f"Invalid URI scheme: '{url.scheme}' (this redis-cli knows redis:// only)")
    if login := url.netloc.rpartition("@")[0]:
        # A single word before the @ is the password.
        user, _, password = login.rpartition(":")
        options.user, options.password, options.warn = unquote(user), unquote(password), True
    if database := url.path.strip("/"):
        options.database = _number(database)


def _run(options: Options) -> int:
    with _connect(options) as connection:
        server = _Server(connection)
        _log_in(server, options)
        status = 0
        for words in _commands(options):
            if words is None:
                _print("Invalid argument(s)")
                continue
            status = max(status, _answer(server, words, options.errors_count))
        return status


def _log_in(server: _Server, options: Options) -> None:
    """Log in and select the database. After a failure the command is run all the same, as in redis-cli."""
    steps = []
    if options.password:
        steps.append(("AUTH failed:", ["AUTH", *([options.user] if options.user else []), options.password]))
    if options.database:
        steps.append((f"SELECT {options.database} failed:", ["SELECT", str(options.database)]))
    for failure, words in steps:
        reply = server.call(*words)
        if isinstance(reply, Exception):
            _complain(f"{failure} {reply}")
            return


def _connect(options: Options) -> socket.socket:
    """Raises Refused."""
    try:
        if not options.unixsocket:
            return socket.create_connection((options.host, options.port))
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(options.unixsocket)
        except OSError:
            connection.close()
            raise
        return connection
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Refused(f"Could not connect to Redis at {options.place}: {reason}") from None


def _commands(options: Options) -> Iterator[list[bytes] | None]:
    """The commands to run, as words; None for a line with unbalanced quotes."""
    if options.last_from_stdin:
        yield [*options.words, sys.stdin.buffer.read()]
    elif options.words:
        yield list(options.words)
    else:
        for line in sys.stdin.buffer:
            words = split_args(line)
            if words != []:
                yield words


def _answer(server: _Server, words: list[bytes], errors_count: bool) -> int:
    """Run one command and print its reply. Returns the exit status."""
    name = words[0].decode("utf-8", "replace").upper()
    try:
        reply = server.call(*words)
        if errors_count and isinstance(reply, Exception):
            _complain(str(reply))
            return 1
        _print(_raw(reply))
        while name in _ENDLESS and not isinstance(reply, Exception):
            _print(_raw(server.read()))
    except ConnectionError:
        if name != "SHUTDOWN":
            raise Refused("Error: Server closed the connection") from None
    return 0


class _Server:
    """A connection with calls and replies."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = hiredis.Reader()

    def call(self, *words: str | bytes) -> Any:
        """Send a command and wait for its reply; an error is returned. Raises ConnectionError."""
        packed = hiredis.pack_command(words)  # type: ignore[arg-type]  # any tuple, not only of one element
        self._connection.sendall(packed)
        return self.read()

    def read(self) -> Any:
        """Wait for the next reply. Raises ConnectionError."""
        while (reply := self._reader.gets()) is False:
            received = self._connection.recv(65536)
            if not received:
                raise ConnectionError
            self._reader.feed(received)
        return reply


def _raw(reply: Any) -> bytes:
    """A reply as redis-cli prints it with --raw."""
    match reply:
        case None:
            return b""
        case bytes():
            return reply
        case Exception():
            return f"{reply}\n".encode()
        case dict():  # after HELLO 3
            return b"\n".join(_raw(key) + b" " + _raw(value) for key, value in reply.items())
        case list() | set():
            return b"\n".join(map(_raw, reply))
        case _:
            return str(reply).encode()


def _print(text: str | bytes) -> None:
    output: BinaryIO = sys.stdout.buffer
    output.write((text if isinstance(text, bytes) else text.encode()) + b"\n")
    output.flush()


def _complain(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
