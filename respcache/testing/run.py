"""`respcache run [server options] -- command ...`: a command with a server of its own, for tests in any language.

The server listens on a free port and takes test commands. The command finds it in its environment. It runs in the
foreground, as if it had been started directly: signals are passed on, and its exit status is ours. The server ends with
this process, however that ends. On Linux the command is told to end (SIGTERM) if this process is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from respcache.testing.server import Server, StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

USAGE = """\
Usage: respcache run [/path/to/redis.conf] [--directive value ...] [--http] -- command [argument ...]

Starts a server on a free port, runs the command with REDIS_URL set, and ends the server with it.
VALKEY_URL is the same; REDIS_HOST and REDIS_PORT are its parts. With --http, UPSTASH_REDIS_REST_URL and
UPSTASH_REDIS_REST_TOKEN are set, too. The exit status is that of the command.

Examples:
       respcache run -- pytest
       respcache run --shards 2 -- npm test
       respcache run --http -- npx vitest run
       respcache run -- go test ./...
"""

# As a shell says it.
_CANNOT_RUN, _NOT_FOUND, _KILLED = 126, 127, 128
_PASSED_ON = ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2")
# Those that a terminal sends to all processes in the foreground: the command has got them already.
_OF_TERMINALS = ("SIGINT", "SIGQUIT")
_PR_SET_PDEATHSIG = 1


def main(words: Sequence[str]) -> int:
    """Run a command, given as what follows ``respcache run``; the exit status."""
    words = list(words)
    if words[:1] in (["-h"], ["--help"]):
        print(USAGE, end="")
        return 0
    if "--" not in words or not words[words.index("--") + 1 :]:
        print(f"respcache run: there is no command; it comes after `--`\n\n{USAGE}", end="", file=sys.stderr)
        return 2
    at = words.index("--")
    told = _Signals()
    server = _server(words[:at])
    try:
        server.start()
        status = _run(words[at + 1 :], server, told)
    except (StartError, RuntimeError) as error:
        print(f"respcache run: {error}", file=sys.stderr)
        return 1
    finally:
        death = server.death()
        server.stop()
    if death is not None:
        print(f"respcache run: {death}", file=sys.stderr)
    return status


def _server(words: list[str]) -> Server:
    http = "--http" in words
    rest = [word for word in words if word != "--http"]
    file = rest.pop(0) if rest and not rest[0].startswith("--") else ""
    return Server(file=file, args=rest, http=http)


def environment(server: Server) -> dict[str, str]:
    """What tells a program where the server is."""
    found = {
        "REDIS_URL": server.url,
        "VALKEY_URL": server.url,
        "REDIS_HOST": server.host,
        "REDIS_PORT": str(server.port),
    }
    try:
        found |= {"UPSTASH_REDIS_REST_URL": server.rest_url, "UPSTASH_REDIS_REST_TOKEN": server.rest_token}
    except RuntimeError:
        pass  # it has no HTTP door
    return found


def _run(command: list[str], server: Server, told: _Signals) -> int:
    if told.first is not None:
        return _KILLED + told.first
    try:
        process = subprocess.Popen(command, env={**os.environ, **environment(server)}, preexec_fn=_before_command())
    except FileNotFoundError:
        print(f"respcache run: command not found: {command[0]}", file=sys.stderr)
        return _NOT_FOUND
    except OSError as error:
        print(f"respcache run: {command[0]}: {error.strerror}", file=sys.stderr)
        return _CANNOT_RUN
    told.pass_on(process)
    status = process.wait()
    return status if status >= 0 else _KILLED - status


class _Signals:
    """Signals are noted at first, and passed on once there is a command."""

    def __init__(self) -> None:
        self.first: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        for name in _PASSED_ON:
            number = getattr(signal, name)
            if signal.getsignal(number) is not signal.SIG_IGN:  # as after `nohup`
                signal.signal(number, self._on_signal)

    def pass_on(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        if self.first is not None:  # it came while the command was started
            process.send_signal(self.first)

    def _on_signal(self, number: int, _frame: Any) -> None:
        if self._process is None:
            self.first = self.first or number
        elif signal.Signals(number).name not in _OF_TERMINALS or not _in_foreground():
            self._process.send_signal(number)


def _in_foreground() -> bool:
    """True if a terminal sends its signals to this process."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _before_command() -> Callable[[], None] | None:
    """What the child does before it becomes the command: on Linux, ask for a signal when this process ends."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(_KILLED + signal.SIGTERM)

    return ask
