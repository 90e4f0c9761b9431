"""Blocking commands beside the data: who waits for which key, and who is served next."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respcache.resp.types import Argv, Reply


class Blocked(Exception):
    """A blocking command finds nothing to take. It has changed nothing, and is run again when one of its keys is ready.

    keys: of the selected database, in the order in which they are to be looked at.
    timeout: in milliseconds from now, 0 for never.
    otherwise: the reply when the time is up; given at once where nothing may wait (MULTI, scripts).
    kinds: the types of value that make a key ready.
    argv: the words to run again, where they differ from what the client has sent (``$`` of XREAD).
    on_removal: the command is run again also when a key is removed or gets another type (XREADGROUP).
    """

    def __init__(
        self,
        keys: Sequence[bytes],
        timeout: int,
        otherwise: Reply,
        kinds: tuple[type, ...],
        *,
        argv: Argv | None = None,
        on_removal: bool = False,
    ) -> None:
        super().__init__(keys)
        self.keys = keys
        self.timeout = timeout
        self.otherwise = otherwise
        self.kinds = kinds
        self.argv = argv
        self.on_removal = on_removal
