"""What a script needs of its surroundings, and how it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from respcache.errors import CommandError

if TYPE_CHECKING:
    from respcache.resp.types import Argv, Reply


class Host(Protocol):
    """The world of a script. One per interpreter; it knows which script runs for whom."""

    # The protocol of the replies within the script: 2, or 3 after ``redis.setresp(3)``. The interpreter sets it.
    protocol: int

    def call(self, argv: Argv) -> Reply:
        """Carry out a command of the script, whose words are all bytes; at least one.

        Raises CommandError, with the text as Redis words it within scripts. Any other exception ends the script, and
        comes out of `Interpreter.run`.
        """

    def interrupted(self) -> None:
        """Called about every 100,000 instructions. Raises Killed if the script has to end."""

    def log(self, level: int, text: bytes) -> None:
        """``redis.log``. `level` is 0 (debug) to 3 (warning)."""

    def allowed(self, argv: Argv) -> bool | None:
        """``redis.acl_check_cmd``: True if the script's user may run this command; None if there is no such command."""


class Killed(BaseException):
    """The script has to end. `text` is the whole error, with its code; the script's name and line are added to it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class ScriptError(CommandError):
    """What a script raised or returned as an error.

    `counted` says that a command of the script failed with this error and has been counted for it: as in Redis, such an
    error is not to be counted again.
    """

    __slots__ = ("counted",)

    def __init__(self, text: str, counted: bool = False) -> None:
        super().__init__(text)
        self.counted = counted
