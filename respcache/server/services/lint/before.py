"""Rules that need nothing but the words of a command: each function returns what it sees, or None.

`CONCERNED` says which commands a rule can have to do with, so that most commands are not looked at by most rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.args import parse_int
from respcache.server.services.lint.calls import clipped, shown
from respcache.server.services.lint.deprecated import DEPRECATED
from respcache.server.services.lint.findings import Sight
from respcache.slots import slot_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from respcache.commands.table import Command
    from respcache.resp.types import Argv
    from respcache.server.services.lint.calls import Call
    from respcache.server.services.lint.profiles import Profile

_FLUSHES = frozenset(("FLUSHALL", "FLUSHDB"))
# Client libraries send it when they connect, and do not mind an error.
_NOT_MINDED = "CLIENT SETINFO"


def crossslot(call: Call) -> Sight | None:
    """Keys in several slots: of a command, of a script's KEYS, or of all commands of a transaction."""
    if not call.profile.cluster:
        return None
    if call.name == "EXEC":
        return _in_transaction(call)
    if len(call.keys) < 2:
        return None
    return _in_slots(call.keys, call.profile.cluster)


def _in_transaction(call: Call) -> Sight | None:
    transaction = call.client.transaction
    if transaction is None or transaction.aborted:
        return None
    owners: dict[bytes, Argv] = {}  # key -> the first command that has it
    for queued in transaction.commands:
        for at in queued.row.key_positions(queued.argv):
            owners.setdefault(queued.argv[at], queued.argv)
    sight = _in_slots(owners, call.profile.cluster)
    if sight is None:
        return None
    one, other = owners[sight.key], owners[sight.last_key]
    commands = [shown(one)] if one is other else [shown(one), shown(other)]
    example = b" ... ".join([b"MULTI", *commands, b"EXEC"])
    return sight._replace(detail=f"the transaction has {sight.detail}", example=example, argv=other)


def _in_slots(keys: Iterable[bytes], source: str) -> Sight | None:
    first: dict[int, bytes] = {}
    for key in keys:
        first.setdefault(slot_of(key), key)
    if len(first) < 2:
        return None
    one, other, *_ = first.values()
    names = f"{_text(one)} and {_text(other)}"
    return Sight(f"keys in {len(first)} slots, such as {names}", one, source, last_key=other)


def _text(key: bytes) -> str:
    return clipped(key).decode("utf-8", "backslashreplace")


def database(call: Call) -> Sight | None:
    """A second database."""
    source = call.profile.one_database
    if not source:
        return None
    argv = call.argv
    match call.name:
        case "SELECT" | "MOVE":
            index = argv[-1]
        case "COPY":
            index = next((argv[at + 1] for at in range(3, len(argv) - 1) if argv[at].upper() == b"DB"), b"0")
        case "SWAPDB":
            index = b"any"
        case _:
            return None
    if parse_int(index) == 0:
        return None
    return Sight(f"database {_text(index)}" if index != b"any" else "two databases", source=source)


def missing(call: Call) -> Sight | None:
    """A command or an option that the profile lacks."""
    lack = call.profile.find(call.name, call.argv)
    if lack is None or call.name == _NOT_MINDED:
        return None
    what = f"no {call.name}" + (f" with {lack.option}" if lack.option else "")
    return Sight(f"{call.profile.title} has {what}", source=lack.source)


def keys(call: Call) -> Sight | None:
    """KEYS, whatever there is at present. With a threshold, `sizes` decides."""
    if call.name != "KEYS" or call.config.lint_large_keyspace:
        return None
    return Sight("goes through all keys of the database")


def flush(call: Call) -> Sight | None:
    """FLUSHALL and FLUSHDB that do not say ASYNC."""
    if not flushes(call) or call.config.lint_large_keyspace:
        return None
    return Sight("frees all keys at once")


def flushes(call: Call) -> bool:
    """True for a flush that the server waits for."""
    return call.name in _FLUSHES and not call.has_option(b"ASYNC", 1)


def blocking(call: Call) -> Sight | None:
    """A command that would wait where nothing may wait."""
    if not (call.row.blocking and call.row.waits(call.argv)):
        return None
    if call.script:
        return Sight("in a script")
    return Sight("in MULTI") if call.in_multi else None


def large_argument(call: Call) -> Sight | None:
    """An argument over the limit."""
    size = max(map(len, call.argv))
    if size <= call.config.lint_max_value:
        return None
    return Sight(f"an argument of {size} bytes", call.keys[0] if call.keys else b"")


def deprecated(call: Call) -> Sight | None:
    """A command that has a successor. QUIT has none, and client libraries send it when they are closed."""
    row = None if call.name == "QUIT" else DEPRECATED.get(call.name)
    return row and Sight(f"deprecated since Redis {row[0]}: use {row[1]}")


# Rule -> whether a command may break it, for those that only some commands can.
CONCERNED: dict[str, Callable[[Command, Profile], bool]] = {
    "crossslot": lambda row, profile: bool(profile.cluster) and (row.name == "EXEC" or not row.first_key),
    "database": lambda row, profile: bool(profile.one_database) and row.name in ("SELECT", "MOVE", "COPY", "SWAPDB"),
    "missing": lambda row, profile: profile.names(row.name),
    "keys": lambda row, _: row.name == "KEYS",
    "flush": lambda row, _: row.name in _FLUSHES,
    "blocking": lambda row, _: row.blocking,
    "deprecated": lambda row, _: row.name in DEPRECATED,
}
