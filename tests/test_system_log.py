"""The system's log, with a daemon of our own."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from respcache import system_log
from respcache.logs import Log
from respcache.system_log import SystemLog


class Daemon:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(5)

    def lines(self) -> list[str]:
        """What it has got."""
        self.socket.setblocking(False)
        found = []
        while True:
            try:
                found.append(self.socket.recv(1 << 16).decode())
            except BlockingIOError:
                return found

    def close(self) -> None:
        self.socket.close()
        self.path.unlink()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(system_log, "SOCKETS", (str(tmp_path / "no"), str(tmp_path / "log")))
    return tmp_path / "log"


@pytest.fixture
def daemon(path: Path) -> Iterator[Daemon]:
    daemon = Daemon(path)
    yield daemon
    daemon.close()


Open = Callable[..., SystemLog]


@pytest.fixture
def open_log() -> Iterator[Open]:
    opened: list[SystemLog] = []

    def open_one(ident: str = "x", facility: str = "user") -> SystemLog:
        opened.append(SystemLog(ident, facility))
        return opened[-1]

    yield open_one
    for log in opened:
        log.close()


def test_the_form_of_a_line(daemon: Daemon, open_log: Open) -> None:
    open_log("redis", "local0").send(2, "some text")
    [line] = daemon.lines()
    assert re.fullmatch(rf"<133>[A-Z][a-z]{{2}} [ 1-3]\d \d\d:\d\d:\d\d redis\[{os.getpid()}\]: some text", line)


@pytest.mark.parametrize(
    ("facility", "level", "priority"),
    [("user", 0, 8 + 7), ("local0", 1, 128 + 6), ("local3", 2, 152 + 5), ("local7", 3, 184 + 4)],
)
def test_priorities(daemon: Daemon, open_log: Open, facility: str, level: int, priority: int) -> None:
    open_log("x", facility).send(level, "text")
    assert [line.partition(">")[0] for line in daemon.lines()] == [f"<{priority}"]


def test_a_daemon_that_is_started_again(path: Path, open_log: Open) -> None:
    log = open_log()
    log.send(3, "one")
    first = Daemon(path)
    log.send(3, "two")
    assert [line[-3:] for line in first.lines()] == ["two"]
    first.close()
    log.send(3, "three")
    second = Daemon(path)
    log.send(3, "four")
    assert [line[-4:] for line in second.lines()] == ["four"]
    second.close()


def test_a_daemon_that_does_not_read(daemon: Daemon, open_log: Open) -> None:
    """Lines are lost then, and nobody waits."""
    log = open_log()
    for number in range(5000):
        log.send(3, f"{number}")
    assert 0 < len(daemon.lines()) < 5000
    log.send(3, "again")
    assert len(daemon.lines()) == 1


def test_lines_that_the_log_does_not_write_are_not_sent(daemon: Daemon, tmp_path: Path) -> None:
    log = Log()
    log.configure(level="notice", path=str(tmp_path / "file"), system=(True, "name", "user"))
    log.verbose("too much")
    log.notice("here")
    log.configure(system=(False, "name", "user"))
    log.notice("not there")
    assert [line.partition(": ")[2] for line in daemon.lines()] == ["here"]
    assert len((tmp_path / "file").read_text().splitlines()) == 2
