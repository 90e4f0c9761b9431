"""Keyspace events as a subscriber sees them.

A test asks for the events since it last asked:

    events = Events(do, connect)
    do("RENAME", "a", "b")
    assert events() == [(0, "rename_from", "a"), (0, "rename_to", "b")]
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.resp import Connection
    from tests.support.transcript import Transcript

_END = "__keyevent@0__:end-of-test"


class Events:
    """Events of all databases and kinds since this object was made."""

    def __init__(self, do: Transcript, connect: type[Connection], flags: str = "EAn") -> None:
        self._do = do
        do("CONFIG", "SET", "notify-keyspace-events", flags)
        self._listener = connect(protocol=2)  # type: ignore[call-arg]  # the fixture has the port already
        self._listener.call("PSUBSCRIBE", "__keyevent@*__:*")

    def __call__(self) -> list[tuple[int, str, str]]:
        """(database, event, key) of all events since the last call."""
        # Subscribers are told in the order of the commands, so this message comes after all events.
        self._do("PUBLISH", _END, "")
        found: list[tuple[int, str, str]] = []
        while True:
            _, _, channel, key = self._listener.read()
            if channel.decode() == _END:
                return found
            place = re.fullmatch(r"__keyevent@(\d+)__:(.*)", channel.decode())
            assert place is not None
            found.append((int(place[1]), place[2], key.decode()))
