"""A connection whose replies keep apart even what most tests need not tell from each other."""

from __future__ import annotations

from typing import Any

from tests.support.resp import Closed, Connection

NULL_ARRAY = "(null array)"
NULL_STRING = "(null string)"
HUNG_UP = "(the server hung up)"
SILENT = "(no answer)"


class Double(str):
    """A RESP3 double, by its digits."""


class StrictConnection(Connection):
    """The three nulls are not the same, nor are two ways to write a number; and not to answer is an answer."""

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
