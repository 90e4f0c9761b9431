"""The part of the pytest plugin that is about lint: what was found is shown at the end of the run.

After each test that used the server, one command asks what was found; RESPCACHE RESET, before the next one, makes the
server forget. The line that did it is known for clients of redis-py that the fixtures have made: their connections note
who sends what, and the note that fits a finding is looked up. For all others the test is known.

While it is on, the client takes some 5 to 10 µs longer for each command, and the server about as much.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from hashlib import sha1
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from types import FrameType

    import redis
    import redis.asyncio

    from respcache.testing.lint import LintFinding
    from respcache.testing.server import Server

# What workers of pytest-xdist report to their controller.
_OUTPUT = "respcache_lint"
# Notes that are kept during a test.
_NOTES = 10_000
# Findings, and places of one finding, that are shown.
_MOST_SHOWN, _MOST_PLACES = 100, 5
_CHOICES = ("off", "report", "refuse")
_SCRIPTS = (b"EVAL", b"EVAL_RO", b"EVALSHA", b"EVALSHA_RO", b"FCALL", b"FCALL_RO")


def add_options(parser: pytest.Parser) -> None:
    """For `pytest_addoption`."""
    parser.addini(
        "respcache_lint",
        "find what breaks or hurts in production: `off`, `report` it at the end of the run, or `refuse` such commands, "
        "too (default: off)",
        default="off",
    )
    parser.addini("respcache_lint_profile", "what production is, such as `elasticache` (default: redis-cluster)")


class Lint:
    """Registered as a plugin of pytest if `respcache_lint` asks for it.

    server_of: the server that a test has used, if any.
    """

    def __init__(self, config: pytest.Config, server_of: Callable[[pytest.Item], Server | None]) -> None:
        self._config = config
        self._server_of = server_of
        self._notes = _Notes(os.path.join(config.rootpath, ""))
        # By what the findings have in common: one, how often in all, and places (test, line), in order.
        self._found: dict[tuple[str, ...], _Merged] = {}

    def directives(self) -> list[str]:
        """For the command line of the server."""
        words = ["--lint", self._config.getini("respcache_lint")]
        profile = self._config.getini("respcache_lint_profile")
        return [*words, "--lint-profile", profile] if profile else words

    def trace(self, client: redis.Redis | redis.asyncio.Redis) -> None:
        """Let a new client note who sends its commands."""
        pool: Any = client.connection_pool
        if not issubclass(pool.connection_class, _Noting):
            pool.connection_class = _noting(pool.connection_class, self._notes)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """What was noted before is not of this test. (Its setup is, so the notes are not cleared later.)"""
        self._notes.clear()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        """Ask what was found, after the fixtures of the test have done their work."""
        try:
            yield
        finally:
            server = self._server_of(item)
            if server is not None and server.alive():
                try:
                    findings = server.lint.report()
                except (RuntimeError, OSError):  # it dies, or has no room for one more client
                    findings = []
                for finding in findings:
                    line = self._notes.find(finding)
                    self._add([*_described(finding)], finding.count, f"{item.nodeid} ({line})" if line else item.nodeid)

    def _add(self, described: list[str], count: int, place: str) -> None:
        merged = self._found.setdefault(tuple(described), _Merged(0, {}))
        merged.places[place] = merged.places.get(place, 0) + count
        self._found[tuple(described)] = merged._replace(times=merged.times + count)

    # -- the end of the run

    @pytest.hookimpl
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_OUTPUT] = [[list(key), merged.places] for key, merged in self._found.items()]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        for described, places in getattr(node, "workeroutput", {}).get(_OUTPUT, ()):
            for place, count in places.items():
                self._add(described, count, place)

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._found:
            return
        terminalreporter.section("respcache lint")
        for line in self._lines():
            terminalreporter.line(line)

    def _lines(self) -> Iterator[str]:
        said: set[str] = set()
        for (rule, detail, example, why), merged in list(self._found.items())[:_MOST_SHOWN]:
            times = f" ({merged.times} times)" if merged.times > 1 else ""
            yield f"{rule}: {detail}{times}"
            yield f"    > {example}"
            for place in list(merged.places)[:_MOST_PLACES]:
                yield f"    {place}"
            if len(merged.places) > _MOST_PLACES:
                yield f"    and {len(merged.places) - _MOST_PLACES} more places"
            if rule not in said:
                said.add(rule)
                yield f"    {why}"
        if len(self._found) > _MOST_SHOWN:
            yield f"and {len(self._found) - _MOST_SHOWN} more"


class _Merged(NamedTuple):
    times: int
    places: dict[str, int]  # how often in each


def _described(finding: LintFinding) -> Iterator[str]:
    yield finding.rule
    yield finding.detail
    yield finding.example + (f" (in script {finding.script[:8]})" if finding.script else "")
    yield f"{finding.why} {finding.instead}"


# -- who sends what


class _Notes:
    """The commands that were sent during a test, and the lines that did it.

    root: the tests' directory. The line is the innermost one below it; without one, that of redis-py's caller.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        # A command, the file and the line.
        self._sent: deque[tuple[tuple[Any, ...], str, int]] = deque(maxlen=_NOTES)
        self._kinds: dict[str, int] = {}  # of files: 0 for redis-py and us, 1 for others, 2 for those of the user

    def clear(self) -> None:
        self._sent.clear()

    def add(self, commands: list[tuple[Any, ...]]) -> None:
        """Commands are about to be sent by whoever called our caller."""
        name, line = self._caller()
        for command in commands:
            self._sent.append((command, name, line))

    def _caller(self) -> tuple[str, int]:
        frame: FrameType | None = sys._getframe(3)
        nearest: FrameType | None = None
        while frame is not None:
            name = frame.f_code.co_filename
            kind = self._kinds.get(name)
            if kind is None:
                kind = self._kinds[name] = self._kind(name)
            if kind == 2:
                return name, frame.f_lineno
            if kind and nearest is None:
                nearest = frame
            frame = frame.f_back
        return (nearest.f_code.co_filename, nearest.f_lineno) if nearest is not None else ("", 0)

    def _kind(self, name: str) -> int:
        parts = name.split(os.sep)
        ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        if os.path.abspath(name).startswith(os.path.join(ours, "")) or ("redis" in parts and "site-packages" in parts):
            return 0
        return 2 if name.startswith(self._root) and "site-packages" not in parts else 1

    def find(self, finding: LintFinding) -> str:
        """The line that has sent what was found; empty if that is not known."""
        fits = _calls_script if finding.script else _has_words
        for command, name, line in self._sent:
            if name and fits(command, finding):
                return f"{name.removeprefix(self._root)}:{line}"
        return ""


def _has_words(command: tuple[Any, ...], finding: LintFinding) -> bool:
    """True if a command, as redis-py was given it, begins with the words of a finding, which may be shortened."""
    words = finding.words
    given = _words(command, len(words))
    if len(given) < len(words) or given[0].upper() != words[0].upper():
        return False
    return all(one.startswith(other) for one, other in zip(given[1:], words[1:], strict=False))


def _calls_script(command: tuple[Any, ...], finding: LintFinding) -> bool:
    """True if a command calls the script of a finding, given by its SHA, or its function."""
    given = _words(command, 2)
    if len(given) < 2 or given[0].upper() not in _SCRIPTS:
        return False
    script = finding.script.encode()
    return given[1].lower() == script.lower() or _sha(given[1]) == script


def _sha(text: bytes) -> bytes:
    return sha1(text, usedforsecurity=False).hexdigest().encode()


def _words(command: tuple[Any, ...], most: int) -> list[bytes]:
    """The first words as they go over the wire: a name may have a blank in it."""
    words: list[bytes] = []
    for at, word in enumerate(command[:most]):
        data = word if isinstance(word, (bytes, bytearray, memoryview)) else str(word).encode("utf-8", "replace")
        words += bytes(data).split() if at == 0 else [bytes(data)]
    return words


class _Noting:
    """Marks the connections that note who sends commands."""


def _noting(kind: Any, notes: _Notes) -> Any:
    """A class of connections of redis-py that notes who sends commands."""
    if kind.__module__.startswith("redis.asyncio"):
        return _noting_async(kind, notes)

    class Noting(_Noting, kind):  # type: ignore[misc]  # which class it is depends on the client
        def send_command(self, *args: Any, **options: Any) -> Any:
            notes.add([args])
            return super().send_command(*args, **options)

        def pack_commands(self, commands: Any) -> Any:
            commands = [*commands]
            notes.add(commands)
            return super().pack_commands(commands)

    return Noting


def _noting_async(kind: Any, notes: _Notes) -> Any:
    class Noting(_Noting, kind):  # type: ignore[misc]  # as above
        async def send_command(self, *args: Any, **options: Any) -> Any:
            notes.add([args])
            return await super().send_command(*args, **options)

        def pack_commands(self, commands: Any) -> Any:
            commands = [*commands]
            notes.add(commands)
            return super().pack_commands(commands)

    return Noting


def lint_of(config: pytest.Config, server_of: Callable[[pytest.Item], Server | None]) -> Lint | None:
    """The plugin, registered, if `respcache_lint` asks for it. Raises UsageError."""
    mode = config.getini("respcache_lint")
    if mode not in _CHOICES:
        raise pytest.UsageError(f"respcache_lint is {mode!r}, and not one of: {', '.join(_CHOICES)}")
    if mode == "off":
        return None
    lint = Lint(config, server_of)
    config.pluginmanager.register(lint, "respcache-lint")
    return lint
