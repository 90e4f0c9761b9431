"""Which calls have left their keys without a TTL, as far as a journal tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import respcache.commands.all  # noqa: F401 - fills the table of commands
from respcache.commands.table import lookup
from respcache.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from respcache.testing.call import Call

# These give a TTL, without an option: to the key that is their first argument.
_GIVE = frozenset(("EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT", "SETEX", "PSETEX"))
# These do so with one of these options.
_MAY_GIVE = {"SET": ("EX", "PX", "EXAT", "PXAT"), "GETEX": ("EX", "PX", "EXAT", "PXAT")}
# A TTL that the key has had is gone afterwards.
_TAKE = frozenset(("SET", "GETSET", "MSET", "MSETNX", "SETNX", "DEL", "UNLINK", "GETDEL", "PERSIST"))
_FLUSH = frozenset(("FLUSHALL", "FLUSHDB"))


class WithoutTtl(NamedTuple):
    """What was found: `keys` are those of `calls`, which left them without a TTL; `looked_at` counts all."""

    looked_at: int
    calls: list[Call]
    keys: list[str]


def keys_without_ttl(calls: Sequence[Call], asked: Callable[[Call], bool], wanted: Callable[[str], bool]) -> WithoutTtl:
    """Go through the calls, and note who still owes a TTL.

    asked: which calls have to leave a TTL; wanted: on which keys.
    """
    looked_at = 0
    has_ttl: set[tuple[int, str]] = set()  # (database, key)
    owing: dict[tuple[int, str], list[Call]] = {}
    for call in calls:
        if not _was_done(call):
            continue
        if call.name in _FLUSH:
            has_ttl.clear()
        gives, takes = _gives(call), call.name in _TAKE and not _has_option(call, "KEEPTTL")
        is_asked = asked(call)
        for key in _keys(call):
            place = (call.db, key)
            if gives:
                has_ttl.add(place)
                owing.pop(place, None)
            elif takes:
                has_ttl.discard(place)
            if is_asked and wanted(key):
                looked_at += 1
                if place not in has_ttl:
                    owing.setdefault(place, []).append(call)
    left = [(call, key) for (_, key), debtors in owing.items() for call in debtors]
    left.sort(key=lambda pair: pair[0].id)
    return WithoutTtl(looked_at, [call for call, _ in left], [key for _, key in left])


def _was_done(call: Call) -> bool:
    """False for a call that has changed nothing: refused, or not carried out because of its options."""
    if call.kind == "error" or (call.name in _GIVE and call.kind == "integer" and call.reply == "0"):
        return False
    if call.name == "SET" and call.kind == "null":  # NX or XX; with GET that was the old value
        return _has_option(call, "GET")
    return not (call.name in ("SETNX", "MSETNX", "PERSIST") and call.reply == "0")


def _gives(call: Call) -> bool:
    return call.name in _GIVE or any(_has_option(call, option) for option in _MAY_GIVE.get(call.name, ()))


def _has_option(call: Call, option: str) -> bool:
    """Options come after the key, and after the value if there is one."""
    first = 3 if call.name == "SET" else 2
    return any(word.upper() == option for word in call.words[first:])


def _keys(call: Call) -> list[str]:
    argv = [word.encode("utf-8", "surrogateescape") for word in call.words]
    try:
        row = lookup(argv)
    except CommandError:  # main's own commands, which have no keys that live; or nonsense
        return []
    return [call.words[at] for at in row.key_positions(argv)]
