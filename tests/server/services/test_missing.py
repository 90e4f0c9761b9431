"""Commands of Redis that are not there yet are logged once each.

The test takes some from the table, so that it holds when respcache has all of them.
"""

from __future__ import annotations

import pytest

import respcache.commands.all
import respcache.server.commands  # noqa: F401 - fills the table with main's own commands
from respcache.commands.table import TABLE, Command
from respcache.redis_commands import REDIS_COMMANDS
from respcache.server.services import missing
from respcache.server.services.missing import MissingCommands


class FakeLog:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def warning(self, message: str) -> None:
        self.lines.append(message)


def without(rows: dict[bytes, Command], *names: bytes) -> dict[bytes, Command]:
    return {name: row for name, row in rows.items() if name not in names}


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> FakeLog:
    # Copies, since an entry that is removed and put back comes last, and the reference lists commands in their order.
    monkeypatch.setattr(missing, "TABLE", without(TABLE, b"OBJECT", b"LPUSH"))
    monkeypatch.setattr(TABLE[b"CLIENT"], "subcommands", without(TABLE[b"CLIENT"].subcommands, b"ID"))
    fake = FakeLog()
    monkeypatch.setattr(missing, "log", fake)
    return fake


def line(name: str) -> str:
    return f"respcache has no {name} yet: see docs/reference/differences.md"


def test_each_is_logged_once(log: FakeLog) -> None:
    service = MissingCommands()
    for _ in range(3):
        service.called([b"lpush", b"l", b"x"])
        service.called([b"LPush"])
    assert log.lines == [line("LPUSH")]


def test_subcommands_are_named(log: FakeLog) -> None:
    service = MissingCommands()
    for _ in range(2):
        service.called([b"Object", b"freq", b"k"])
        service.called([b"CLIENT", b"id"])
    service.called([b"OBJECT", b"NONSENSE"])
    assert log.lines == [line("OBJECT FREQ"), line("CLIENT ID"), line("OBJECT")]


def test_nothing_is_said_of_what_nobody_has(log: FakeLog) -> None:
    service = MissingCommands()
    for argv in ([b"FOO"], [b""], [b"\xff\0"], [b"CLIENT", b"NONSENSE"], [b"GET"], [b"LPUSHER"], [b"LPUSH" * 10_000]):
        service.called(argv)
    assert log.lines == []


def test_the_names_are_those_of_redis() -> None:
    assert list(REDIS_COMMANDS) == sorted(set(REDIS_COMMANDS))
    assert {"GET", "EVAL", "CONFIG", "CONFIG GET", "CLIENT NO-EVICT"} <= set(REDIS_COMMANDS)
