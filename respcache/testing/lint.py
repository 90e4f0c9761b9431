"""What lint has found, for tests: `server.lint`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from respcache.testing.control import fields_of
from respcache.testing.threads import in_thread

if TYPE_CHECKING:
    from respcache.testing.control import Caller


@dataclass(frozen=True, slots=True)
class LintFinding:
    """What one rule has found in one kind of command of one client.

    rule: its name, as in docs/reference/lint.md; `why` and `instead` are what it says there.
    client: the name of the client (CLIENT SETNAME); empty if it has none.
    command: its name in upper case.
    script: the SHA of the script that has called the command, or the name of the function; empty for other commands.
    pattern: the key, with a star for each number or id in it; empty where there is no key.
    count: how often it was found; for `n-plus-one` and `eval`, how many commands.
    detail: what exactly was found the first time, and `example` and `words` the command then, shortened.
    first_key, last_key: of the keys that match the pattern.
    first, last: the server's time when it was found.
    source: the page that says so, if it is about a service.
    """

    rule: str
    client: str
    command: str
    script: str
    pattern: bytes
    count: int
    detail: str
    example: str
    words: tuple[bytes, ...]
    first_key: bytes
    last_key: bytes
    first: datetime
    last: datetime
    source: str
    why: str
    instead: str

    def __str__(self) -> str:
        where = f" by {self.client}" if self.client else ""
        where += f" in script {self.script[:8]}" if self.script else ""
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{self.rule}: {self.detail}{times}\n    > {self.example}{where}\n    {self.why} {self.instead}"


class ServerLint:
    """What the server has found that works here, and breaks or hurts in production.

    It looks for that if it was started with ``--lint report`` or ``--lint refuse``, or since CONFIG SET. RESPCACHE
    RESET, and so the next test, makes it forget.
    Errors: RuntimeError if the server refuses, ConnectionError if it died.
    """

    def __init__(self, call: Caller) -> None:
        self._call = call

    def report(self) -> list[LintFinding]:
        """What was found in the commands that were answered so far, in the order in which it was found first."""
        return [_finding(fields) for fields in self._report()["findings"]]

    def dropped(self) -> int:
        """How often something was found for which there was no room: a thousand findings, or a megabyte, are kept."""
        return int(self._report()["dropped"])

    def reset(self) -> None:
        """Forget what was found."""
        self._call("RESPCACHE", "LINT", "RESET")

    def _report(self) -> dict[str, Any]:
        return fields_of(self._call("RESPCACHE", "LINT", "REPORT"))


class AsyncServerLint:
    """`ServerLint` for trio and asyncio, whose tasks go on meanwhile."""

    def __init__(self, lint: ServerLint) -> None:
        self._lint = lint

    async def report(self) -> list[LintFinding]:
        """See `ServerLint.report`."""
        return await in_thread(self._lint.report)

    async def dropped(self) -> int:
        """See `ServerLint.dropped`."""
        return await in_thread(self._lint.dropped)

    async def reset(self) -> None:
        """See `ServerLint.reset`."""
        await in_thread(self._lint.reset)


def _finding(flat: list[Any]) -> LintFinding:
    fields = fields_of(flat)
    return LintFinding(
        rule=_text(fields["rule"]),
        client=_text(fields["client"]),
        command=_text(fields["command"]),
        script=_text(fields["script"]),
        pattern=fields["pattern"],
        count=fields["count"],
        detail=_text(fields["detail"]),
        example=_text(fields["example"]),
        words=tuple(fields["words"]),
        first_key=fields["first-key"],
        last_key=fields["last-key"],
        first=_moment(fields["first-time"]),
        last=_moment(fields["last-time"]),
        source=_text(fields["source"]),
        why=_text(fields["why"]),
        instead=_text(fields["instead"]),
    )


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
