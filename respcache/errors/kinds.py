"""The two kinds of errors that clients see.

A `CommandError` is the reply to one command; the connection goes on. A `ProtocolError` means that the byte stream
cannot be understood any further: the client is told, then hung up on. Any other exception that reaches a dispatcher is
a bug, and is logged with its traceback.
"""

from __future__ import annotations


class CommandError(Exception):
    """One error reply. `text` is the whole line without the leading '-', e.g. ``ERR syntax error``."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def line(self) -> bytes:
        """The reply line in bytes. Line breaks would end the line early, so they become spaces, as in Redis."""
        text = self.text.replace("\r", " ").replace("\n", " ")
        return b"-" + text.encode("utf-8", "surrogateescape") + b"\r\n"


class ErrorCounts:
    """How many errors were sent, by their first word; for INFO. Bounded, since a client can make up such words.

    As in Redis, an error without a space among its first characters counts as ERR.
    """

    __slots__ = ("by_code",)

    _MOST = 128
    _LONGEST = 30  # characters of a word

    def __init__(self) -> None:
        self.by_code: dict[str, int] = {}

    def count(self, error: CommandError) -> None:
        end = error.text.find(" ", 0, self._LONGEST + 1)
        code = error.text[:end] if end >= 0 else "ERR"
        if code in self.by_code or len(self.by_code) < self._MOST:
            self.by_code[code] = self.by_code.get(code, 0) + 1


class ProtocolError(Exception):
    """The stream of a client is broken: `text` is sent as ``-ERR Protocol error: text``, then the socket is closed."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def line(self) -> bytes:
        return CommandError(f"ERR Protocol error: {self.text}").line()


def printable(data: bytes) -> str:
    """Bytes from a client, for an error text; they go back over the wire unchanged."""
    return data.decode("utf-8", "surrogateescape")
