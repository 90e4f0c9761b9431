"""One command that a client has sent, as a journal shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

# What client libraries send to set a connection up.
_HANDSHAKES = ("HELLO", "AUTH", "SELECT", "QUIT")
_HANDSHAKES_OF_CLIENT = ("SETINFO", "SETNAME", "MAINT_NOTIFICATIONS")


@dataclass(frozen=True)
class Call:
    """One command, as the server has seen it.

    client: the id of the connection that sent it; `client_name` is its name, and `db` its database.
    words: the name and the arguments; bytes that are no UTF-8 are escaped as `surrogateescape` does. Of a very long
        command the last ones are missing, and ``(redacted)`` stands for passwords.
    sizes: the true sizes, in bytes, of words that were shortened, by their indexes.
    kind: of the reply: status, error, integer, string, array, null, map, set, double, boolean, push, verbatim, or none
        while there is none.
    reply: the line of a status, an error or a number; the beginning of a string; how many elements others have.
    reply_size: in bytes, on the wire.
    microseconds: from when the command began to when its reply was sent, in real time; None while there is none.
    time: the server's time, which tests may move; `real_time` is the system's.
    round_trip: which one of this client it belongs to; a pipeline is one.
    """

    id: int
    words: tuple[str, ...]
    client: int
    client_name: str
    db: int
    round_trip: int
    kind: str
    reply: str
    reply_size: int
    microseconds: int | None
    time: datetime
    real_time: datetime
    word_count: int
    sizes: Mapping[int, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The command, in upper case: ``GET``; of ``CONFIG GET`` only the first word."""
        return self.words[0].upper()

    @property
    def is_handshake(self) -> bool:
        """True for what client libraries send to set a connection up: HELLO, AUTH, SELECT, CLIENT SETINFO ..."""
        if self.name == "CLIENT":
            return len(self.words) > 1 and self.words[1].upper() in _HANDSHAKES_OF_CLIENT
        return self.name in _HANDSHAKES
