"""A connection whose replies keep even those distinctions that most tests can ignore."""

from __future__ import annotations

from typing import Any

from tests.support.resp import Closed, Connection

NULL_ARRAY = "(null array)"
NULL_STRING = "(null string)"
HUNG_UP = "(the server hung up)"
SILENT = "(no answer)"


class Double(str):
    """A RESP3 double, as its digits."""


class BigNumber(str):
    """A RESP3 big number, as its text: scripts may return any."""


class StrictConnection(Connection):
    """Tells the three nulls apart, and different digits of one number. No answer at all counts as an answer."""

    null_array = NULL_ARRAY
    null_string = NULL_STRING

    def answer(self) -> Any:
        """The next reply; `HUNG_UP` or `SILENT` where none comes."""
        try:
            return self.read()
        except (Closed, BrokenPipeError):
            return HUNG_UP
        except TimeoutError:
            return SILENT

    def _double(self, text: bytes) -> Any:
        return Double(text.decode())

    def _big_number(self, text: bytes) -> Any:
        return BigNumber(text.decode("utf-8", "surrogateescape"))


def delete_libraries(connection: Connection) -> None:
    """Remove all functions. Not by FUNCTION FLUSH, which may end Redis 8.0.6."""
    for library in connection.call("FUNCTION", "LIST"):
        name = library[b"library_name"] if isinstance(library, dict) else library[1]
        connection.call("FUNCTION", "DELETE", name)
