"""What scripts call, for lint: each command once per run, and for each the first key that is not declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.scripting.admission import row_of
from respcache.commands.table import Reach

if TYPE_CHECKING:
    from collections.abc import Collection

    from respcache.resp.types import Argv
    from respcache.store.reports import Reports

# What is reported of a command: so many words, of so many bytes each.
_MOST_WORDS, _LONGEST_WORD = 20, 128


class ReportedCalls:
    """The calls of one run of a script.

    script: the SHA of its text, or the name of the function. declared: its KEYS. client: for whom it runs.
    """

    __slots__ = ("_client", "_declared", "_reports", "_script", "_seen")

    def __init__(self, reports: Reports, client: int, script: bytes, declared: Collection[bytes]) -> None:
        self._reports = reports
        self._client = client
        self._script = script
        self._declared = frozenset(declared)
        self._seen: set[tuple[bytes, bool]] = set()  # names of commands; and whether with an undeclared key

    def look(self, db: int, argv: Argv) -> None:
        """A command is called."""
        name = argv[0][:_LONGEST_WORD].upper()
        undeclared = None if (name, True) in self._seen else self._undeclared(argv)
        if undeclared is None and (name, False) in self._seen:
            return
        self._seen |= {(name, False), (name, undeclared is not None)}
        words = [word[:_LONGEST_WORD] for word in argv[:_MOST_WORDS]]
        if undeclared is not None:
            undeclared = undeclared[:_LONGEST_WORD]
        self._reports.script_call(self._client, db, self._script, words, undeclared)

    def _undeclared(self, argv: Argv) -> bytes | None:
        row = row_of(argv)
        if row is None or row.reach is not Reach.KEYS or not row.accepts(len(argv)):
            return None
        if (len(argv) - row.min_words) % row.step:
            return None  # a group is not complete
        return next((argv[at] for at in row.key_positions(argv) if argv[at] not in self._declared), None)
