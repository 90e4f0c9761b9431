"""Sessions of curl in the documentation, played against a server."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
from types import TracebackType
from typing import Self

from respcache.testing import Server


class Sessions:
    """``respcache ...`` starts the server that the other commands talk to, in place of the one before.

    The ports of a page stand for free ones. Commands with ``-N`` do not end: they stay in the background, and have to
    have printed what is on the page when the server is replaced, or at the end.
    """

    def __init__(self) -> None:
        self._server: Server | None = None
        self._ports: dict[str, str] = {}  # port on the page -> the free one
        self._endless: list[tuple[subprocess.Popen[str], list[str]]] = []  # with the lines that are still to come

    def play(self, command: str, printed: str) -> None:
        """Run a command; it must print what the page says."""
        if command.startswith("respcache "):
            self._start(command)
        elif " -N " in command:
            process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {self._here(command)}"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            first, *others = printed.splitlines()
            self._endless.append((process, others))
            assert _line(process) == first  # what comes next on the page may be its answer to this
        else:
            done = subprocess.run(
                ["/bin/sh", "-c", self._here(command)], capture_output=True, text=True, timeout=30, check=False
            )
            assert done.stdout.replace("\r\n", "\n").rstrip("\n") == printed, command

    def _start(self, command: str) -> None:
        self._finish()
        for port in re.findall(r"-port (\d+)", command):
            if port not in self._ports:
                self._ports[port] = _free_port()
        self._server = Server(args=shlex.split(self._here(command))[1:])
        self._server.start()

    def _here(self, command: str) -> str:
        for port, ours in self._ports.items():
            command = re.sub(rf"\b{port}\b", ours, command)
        return command

    def _finish(self) -> None:
        """Look at what is in the background, then end it, and the server."""
        try:
            for process, expected in self._endless:
                assert [_line(process) for _ in expected] == expected
        finally:
            self._close()

    def _close(self) -> None:
        for process, _ in self._endless:
            process.kill()
            process.communicate()
        self._endless = []
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._finish()
        else:
            self._close()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
