"""Keys as a whole: whether they exist, their types, and how they are removed, renamed, copied and moved.

See `expiry` for deadlines, `search` for iterating over keys, `object` for what is known about one key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.args import INT32_MAX, INT32_MIN
from respcache.commands.table import (
    DENYOOM,
    EXAMINE,
    FAST,
    MODIFY,
    OVERWRITE,
    READ,
    READONLY,
    TAKE,
    WRITE,
    Keys,
    family,
    total,
)
from respcache.commands.table.tips import SUMMED_BY_SHARD
from respcache.datatypes.types import copy_value, type_name
from respcache.errors import NO_SUCH_KEY, NOT_AN_INT32, SAME_OBJECT, CommandError, WrongSyntax
from respcache.resp.types import OK, Reply, Status
from respcache.store.accesses import INITIAL
from respcache.store.shard import Event, Shard

if TYPE_CHECKING:
    from typing import Any

    from respcache.commands.args import Args

command = family("generic")

REMOVED, EXAMINED = Keys(1, -1, access="RM DELETE"), EXAMINE.at(1, -1)


# -- any number of keys


@command("DEL", "key [key ...]", arity=-2, keys=REMOVED, gather=total, flags=WRITE, since="1.0.0", tips=SUMMED_BY_SHARD)
def del_(shard: Shard, args: Args) -> Reply:
    """Delete keys."""
    return sum(map(shard.delete, args.rest()))


@command(
    "UNLINK",
    "key [key ...]",
    arity=-2,
    keys=REMOVED,
    gather=total,
    flags=WRITE | FAST,
    since="4.0.0",
    tips=SUMMED_BY_SHARD,
)
def unlink(shard: Shard, args: Args) -> Reply:
    """Delete keys; their memory may be reclaimed later."""
    return sum(map(shard.delete, args.rest()))


@command(
    "EXISTS",
    "key [key ...]",
    arity=-2,
    keys=EXAMINED,
    gather=total,
    flags=READONLY | FAST,
    since="1.0.0",
    tips=SUMMED_BY_SHARD,
)
def exists(shard: Shard, args: Args) -> Reply:
    """Count the keys that exist, each as often as it is named."""
    return sum(shard.look_untouched(key) is not None for key in args.rest())


@command(
    "TOUCH",
    "key [key ...]",
    arity=-2,
    keys=EXAMINED,
    gather=total,
    flags=READONLY | FAST,
    since="3.2.1",
    tips=SUMMED_BY_SHARD,
)
def touch(shard: Shard, args: Args) -> Reply:
    """Set the access time of keys, and count those that exist."""
    # TOUCH is the only command that touches even for a client with CLIENT NO-TOUCH.
    touching, shard.touch = shard.touch, True
    found = sum(shard.look(key) is not None for key in args.rest())
    shard.touch = touching
    return found


@command("TYPE", "key", arity=2, keys=EXAMINE, flags=READONLY | FAST, since="1.0.0")
def type_(shard: Shard, args: Args) -> Reply:
    """Return the type of the value of a key."""
    value = shard.look_untouched(args.next())
    return Status(b"none" if value is None else type_name(value))


# -- to another name, or another database


@command("RENAME", "key newkey", arity=3, keys=(TAKE, OVERWRITE.at(2)), flags=WRITE, since="1.0.0")
def rename(shard: Shard, args: Args) -> Reply:
    """Give a key another name, and remove the key that had it."""
    _rename(shard, args.next(), args.next(), overwrite=True)
    return OK


@command("RENAMENX", "key newkey", arity=3, keys=(TAKE, Keys(2, access="OW INSERT")), flags=WRITE | FAST, since="1.0.0")
def renamenx(shard: Shard, args: Args) -> Reply:
    """Give a key another name that no key has."""
    return int(_rename(shard, args.next(), args.next(), overwrite=False))


def _rename(shard: Shard, source: bytes, destination: bytes, *, overwrite: bool) -> bool:
    value = shard.look_to_write(source)
    if value is None:
        raise CommandError(NO_SUCH_KEY)
    if source == destination or (not overwrite and shard.look_to_write(destination) is not None):
        return False

    _settle(shard, destination, value, shard.deadline(source))
    shard.replace(source, None, None)
    shard.notify(Event.GENERIC, b"rename_from", source)
    shard.notify(Event.GENERIC, b"rename_to", destination)
    return True


def _settle(shard: Shard, key: bytes, value: Any, deadline: int | None) -> None:
    """Store a value that comes from another key, with its deadline. What was there goes without a "del" event."""
    shard.notify(Event.NEW, b"new", key)
    shard.replace(key, value, deadline)
    shard.set_frequency(key, INITIAL)


@command(
    "COPY",
    "source destination [DB destination-db] [REPLACE]",
    arity=-3,
    keys=(READ, Keys(2, access="OW UPDATE", database=b"DB")),
    flags=WRITE | DENYOOM,
    since="6.2.0",
)
def copy(shard: Shard, args: Args) -> Reply:
    """Copy the value and the expiration time of a key to another key."""
    source, destination = args.next(), args.next()
    database, overwrite = shard.db_index, False
    while len(args):
        option = args.option()
        if option == b"REPLACE":
            overwrite = True
        elif option == b"DB" and len(args):
            database = _database(shard, args)
        else:
            raise WrongSyntax
    if database == shard.db_index and source == destination:
        raise CommandError(SAME_OBJECT)

    value = shard.look(source)
    if value is None:
        return 0
    deadline = shard.deadline(source)
    with shard.within(database):
        if shard.look_to_write(destination) is not None and not overwrite:
            return 0
        _settle(shard, destination, copy_value(value), deadline)
        shard.notify(Event.GENERIC, b"copy_to", destination)
    return 1


@command("MOVE", "key db", arity=3, keys=MODIFY, flags=WRITE | FAST, since="1.0.0")
def move(shard: Shard, args: Args) -> Reply:
    """Move a key to another database, unless that has a key of this name."""
    key, database = args.next(), _database(shard, args)
    if database == shard.db_index:
        raise CommandError(SAME_OBJECT)

    value = shard.look_to_write(key)
    if value is None:
        return 0
    deadline = shard.deadline(key)
    with shard.within(database):
        if shard.look_to_write(key) is not None:
            return 0
        _settle(shard, key, value, deadline)
    shard.replace(key, None, None)
    shard.notify(Event.GENERIC, b"move_from", key)
    with shard.within(database):
        shard.notify(Event.GENERIC, b"move_to", key)
    return 1


def _database(shard: Shard, args: Args) -> int:
    """The number of an existing database. Raises CommandError."""
    return shard.database(args.int(low=INT32_MIN, high=INT32_MAX, range_error=NOT_AN_INT32))
