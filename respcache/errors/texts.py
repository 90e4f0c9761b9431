"""Every error text that goes over the wire, in one place.

The texts are those of Redis 7.2; clients (and people's tests) match on them.
"""

from __future__ import annotations

from respcache.errors.kinds import CommandError, printable

# Shared by many commands. An exception object is raised anew each time (a traceback hangs on it), hence the functions
# and classes instead of constants.

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX = "ERR syntax error"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
NOT_AN_INT32 = "ERR value is out of range, value must between -2147483648 and 2147483647"  # [sic]
NOT_A_FLOAT = "ERR value is not a valid float"
BEYOND_INT64 = f"ERR value is out of range, value must between {-(1 << 63) + 1} and {(1 << 63) - 1}"  # [sic]
NOT_POSITIVE = "ERR value is out of range, must be positive"
OUT_OF_RANGE = "ERR value is out of range"
INDEX_OUT_OF_RANGE = "ERR index out of range"
NO_SUCH_KEY = "ERR no such key"
OVERFLOW = "ERR increment or decrement would overflow"
NAN_OR_INFINITY = "ERR increment would produce NaN or Infinity"
STRING_TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
MIN_MAX_NOT_FLOAT = "ERR min or max is not a float"
MIN_MAX_NOT_STRING = "ERR min or max not valid string range item"
SAME_OBJECT = "ERR source and destination objects are the same"
DEBUG_NOT_ALLOWED = (
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local '
    "connection, otherwise you need to set this option in the configuration file, and then restart the server."
)
DB_OUT_OF_RANGE = "ERR DB index is out of range"
INVALID_CURSOR = "ERR invalid cursor"
NO_AUTH = "NOAUTH Authentication required."
NO_PROTO = "NOPROTO unsupported protocol version"
WRONG_PASS = "WRONGPASS invalid username-password pair or user is disabled."
NESTED_MULTI = "ERR MULTI calls can not be nested"
EXEC_WITHOUT_MULTI = "ERR EXEC without MULTI"
DISCARD_WITHOUT_MULTI = "ERR DISCARD without MULTI"
WATCH_IN_MULTI = "ERR WATCH inside MULTI is not allowed"
NOT_IN_MULTI = "ERR Command not allowed inside a transaction"
EXEC_ABORT = "EXECABORT Transaction discarded because of previous errors."
EXEC_ABORTED_BY = "EXECABORT Transaction discarded because of:"
MAX_CLIENTS = "ERR max number of clients reached"
SHARD_DIED = "ERR the shard of this command died while the command was under way; whether it took effect is unknown"
INTERNAL = "ERR internal error: the server's log has the traceback"


class WrongType(CommandError):
    def __init__(self) -> None:
        super().__init__(WRONG_TYPE)


class WrongSyntax(CommandError):
    def __init__(self) -> None:
        super().__init__(SYNTAX)


class NotAnInteger(CommandError):
    def __init__(self) -> None:
        super().__init__(NOT_AN_INTEGER)


class NotAFloat(CommandError):
    def __init__(self) -> None:
        super().__init__(NOT_A_FLOAT)


def wrong_arity(name: str) -> CommandError:
    """`name` as clients see it: lower case, a subcommand after a bar (``config|get``)."""
    return CommandError(f"ERR wrong number of arguments for '{name}' command")


def _shown(data: bytes, limit: int = 128) -> str:
    """What ``%.128s`` prints: some bytes, up to the first that is zero."""
    return printable(data[:limit].partition(b"\0")[0])


def unknown_command(argv: list[bytes]) -> CommandError:
    """Redis quotes the name and the first arguments, each part cut so that all of it stays near 128 bytes."""
    quoted = ""
    for argument in argv[1:]:
        if len(quoted) >= 128:
            break
        quoted += f"'{_shown(argument, 128 - len(quoted))}' "
    return CommandError(f"ERR unknown command '{_shown(argv[0])}', with args beginning with: {quoted}")


def unknown_subcommand(container: str, subcommand: bytes) -> CommandError:
    """`container` in upper case."""
    return CommandError(f"ERR unknown subcommand '{_shown(subcommand)}'. Try {container} HELP.")


def unknown_call(container: str, subcommand: bytes) -> CommandError:
    """What subcommands say that count their words themselves. `container` in upper case."""
    return CommandError(
        f"ERR unknown subcommand or wrong number of arguments for '{_shown(subcommand)}'. Try {container} HELP."
    )
