"""A connection whose replies keep apart even what most tests need not tell from each other."""

from __future__ import annotations

from typing import Any

from tests.support.resp import Closed, Connection

NULL_ARRAY = "(null array)"
HUNG_UP = "(the server hung up)"
SILENT = "(no answer)"


class StrictConnection(Connection):
    """A null array is not a null bulk string; and not to answer is an answer."""

    null_array = NULL_ARRAY

    def answer(self) -> Any:
        """The next reply; `HUNG_UP` or `SILENT` where none comes."""
        try:
            return self.read()
        except (Closed, BrokenPipeError):
            return HUNG_UP
        except TimeoutError:
            return SILENT
