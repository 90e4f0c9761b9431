"""Transcripts: files of commands as typed into redis-cli, run line by line on both servers.

Each file in `transcripts/` is for one family of commands. A line is a command, quoted as in redis-cli; blank lines and
those that begin with ``#`` are skipped. A command may have a prefix:

    b: GET k          on another connection, named by a single letter
    ~shape TIME       compared by this rule instead of that of the command: `same`, `sorted`, `pairs`, `shape`, `error`
    >=7.2 WAITAOF ... only if the genuine server is at least this new; `<8` only if it is older
    @redis MULTI      only beside Redis: Valkey answers differently
    !raw \\x2a1\\r\\n    these bytes, unencoded, with the escapes of a double-quoted word
    <                 send nothing and read one more message (a push, or a message to a subscriber)

Each file starts with empty servers and new connections.

The files of Lua in `lua/`, from which the generated scripts are made, are run as well: each line in scripts of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compat.twin import scripts
from compat.twin.looseness import Dialect, Equal, same, same_error, same_pairs_sorted, same_shape, same_sorted
from compat.twin.sequences import SETTING, shown
from compat.twin.strict import StrictConnection, delete_libraries
from respcache.quoting import split_args

FOLDER = Path(__file__).with_name("transcripts")
RULES: Mapping[str, Equal] = {
    "same": same,
    "sorted": same_sorted,
    "pairs": same_pairs_sorted,
    "shape": same_shape,
    "error": same_error,
}
_PREFIX = re.compile(
    r"(?:(?P<connection>[a-z]):\s+)?(?:~(?P<rule>\w+)\s+)?(?:(?P<compare>>=|<)(?P<version>[\d.]+)\s+)?"
    r"(?P<redis>@redis\s+)?(?P<rest>.*)"
)
_ANY = ((0,), (1000,))  # versions


@dataclass(frozen=True)
class Line:
    """One line: what to send (None: only read), over which connection, and how to compare the answers.

    It applies to servers of versions from `since` on and before `before`, and maybe only to Redis.
    """

    number: int
    text: str
    connection: str
    sent: tuple[bytes, ...] | bytes | None
    rule: str  # empty: that of the command
    since: tuple[int, ...]
    before: tuple[int, ...]
    redis_only: bool

    def is_for(self, dialect: Dialect) -> bool:
        """True if the line applies beside such a server."""
        return self.since <= dialect.version < self.before and (dialect.is_redis or not self.redis_only)

    def equality(self, dialect: Dialect) -> Equal:
        """How to compare the answers."""
        if self.rule:
            return RULES[self.rule]
        if not isinstance(self.sent, tuple):
            return same
        return dialect.equality(tuple(word.decode("latin-1") for word in self.sent))


def files(only: str = "") -> list[Path]:
    """All transcripts and files of Lua, or only those with one name."""
    found = (path for folder in (FOLDER, scripts.FOLDER) for path in sorted(folder.glob("*.txt")))
    return [path for path in found if only in ("", path.stem)]


def lines_of(path: Path, dialect: Dialect) -> Iterator[Line]:
    """The lines of a file that apply beside such a server. Raises ValueError for one that it cannot parse."""
    if path.parent == scripts.FOLDER:
        for number, call in scripts.each_line(path.stem):
            if dialect.knows(call):
                yield Line(number, shown(call), "a", tuple(word.encode() for word in call), "", *_ANY, False)
    else:
        yield from (line for line in parse(path) if line.is_for(dialect))


def parse(path: Path) -> Iterator[Line]:
    """The lines of a transcript. Raises ValueError for a line that it cannot parse."""
    for number, text in enumerate(path.read_text("utf-8").splitlines(), 1):
        text = text.strip()
        if text and not text.startswith("#"):
            yield _parse_line(number, text)


def _parse_line(number: int, text: str) -> Line:
    found = _PREFIX.fullmatch(text)
    assert found is not None
    rest = found["rest"]
    sent: tuple[bytes, ...] | bytes | None
    if rest == "<":
        sent = None
    elif rest.startswith("!raw "):
        words = split_args(b'"%b"' % rest[5:].encode())
        if words is None:
            raise ValueError(f"line {number}: {text}")
        sent = words[0]
    else:
        words = split_args(rest.encode())
        if not words:
            raise ValueError(f"line {number}: {text}")
        sent = tuple(words)
    rule = found["rule"] or ""
    if rule and rule not in RULES:
        raise ValueError(f"line {number}: {text}")
    bound = tuple(int(part) for part in (found["version"] or "0").split("."))
    since, before = (_ANY[0], bound) if found["compare"] == "<" else (bound, _ANY[1])
    return Line(number, text, found["connection"] or "a", sent, rule, since, before, bool(found["redis"]))


class Side:
    """One server, and the connections that a transcript has opened to it."""

    def __init__(self, port: int, protocol: int) -> None:
        self._port, self._protocol = port, protocol
        self._connections: dict[str, StrictConnection] = {}

    def answer(self, line: Line) -> Any:
        """The server's answer to a line. Hanging up counts as an answer."""
        connection = self._connections.get(line.connection)
        if connection is None:
            connection = self._connections[line.connection] = StrictConnection(self._port, self._protocol)
        if isinstance(line.sent, bytes):
            connection.send_raw(line.sent)
        elif line.sent is not None:
            connection.send(*line.sent)
        return connection.answer()

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()


def differences(path: Path, ours: int, theirs: int, protocol: int, dialect: Dialect) -> tuple[int, list[str]]:
    """How many answers were compared, and a text for each that differs."""
    for port in (ours, theirs):
        connection = StrictConnection(port)
        delete_libraries(connection)
        connection.pipeline(("FLUSHALL",), *(SETTING if path.parent == scripts.FOLDER else ()))
        connection.close()
    sides = Side(ours, protocol), Side(theirs, protocol)
    compared, found = 0, []
    try:
        for line in lines_of(path, dialect):
            one, other = sides[0].answer(line), sides[1].answer(line)
            compared += 1
            if not line.equality(dialect)(one, other):
                found.append(f"{path.name}:{line.number}: {line.text}\n  ours:   {one!r}\n  theirs: {other!r}")
    finally:
        for side in sides:
            side.close()
    return compared, found
