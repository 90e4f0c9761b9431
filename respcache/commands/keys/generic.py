"""Keys as a whole: whether they exist, their types, and how they are removed, renamed, copied and moved.

Deadlines are in `key_expiry`, what iterates over keys in `key_scan`, and what tells about one key in `key_info`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.table import DENYOOM, FAST, READONLY, WRITE, Keys, Reach, all_succeeded, command, total
from respcache.datatypes.types import copy_value, type_name
from respcache.errors import DB_OUT_OF_RANGE, NO_SUCH_KEY, NOT_AN_INT32, SAME_OBJECT, CommandError, WrongSyntax
from respcache.resp.types import OK, Reply, Status
from respcache.store.shard import Event, Shard

if TYPE_CHECKING:
    from typing import Any

    from respcache.commands.args import Args

KEYSPACE = ("keyspace",)
SUMMED = ("request_policy:multi_shard", "response_policy:agg_sum")

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1


# -- any number of keys


@command("DEL", arity=-2, keys=Keys(1, -1, access="RM DELETE"), gather=total, flags=WRITE, since="1.0.0",
         group="generic", syntax="key [key ...]", categories=KEYSPACE, tips=SUMMED)  # fmt: skip
def del_(shard: Shard, args: Args) -> Reply:
    """Delete keys."""
    return sum(map(shard.delete, args.rest()))


@command("UNLINK", arity=-2, keys=Keys(1, -1, access="RM DELETE"), gather=total, flags=WRITE | FAST, since="4.0.0",
         group="generic", syntax="key [key ...]", categories=KEYSPACE, tips=SUMMED)  # fmt: skip
def unlink(shard: Shard, args: Args) -> Reply:
    """Delete keys; their memory may be reclaimed later."""
    return sum(map(shard.delete, args.rest()))


@command("EXISTS", arity=-2, keys=Keys(1, -1, access="RO"), gather=total, flags=READONLY | FAST, since="1.0.0",
         group="generic", syntax="key [key ...]", categories=KEYSPACE, tips=SUMMED)  # fmt: skip
def exists(shard: Shard, args: Args) -> Reply:
    """Count the keys that exist, each as often as it is named."""
    return sum(shard.look_untouched(key) is not None for key in args.rest())


@command("TOUCH", arity=-2, keys=Keys(1, -1, access="RO"), gather=total, flags=READONLY | FAST, since="3.2.1",
         group="generic", syntax="key [key ...]", categories=KEYSPACE, tips=SUMMED)  # fmt: skip
def touch(shard: Shard, args: Args) -> Reply:
    """Set the access time of keys, and count those that exist."""
    # Of all commands, this one touches even for a client that asked for CLIENT NO-TOUCH.
    touching, shard.touch = shard.touch, True
    found = sum(shard.look(key) is not None for key in args.rest())
    shard.touch = touching
    return found


@command("TYPE", arity=2, keys=Keys(1, access="RO"), flags=READONLY | FAST, since="1.0.0", group="generic",
         syntax="key", categories=KEYSPACE)  # fmt: skip
def type_(shard: Shard, args: Args) -> Reply:
    """Return the type of the value of a key."""
    value = shard.look_untouched(args.next())
    return Status(b"none" if value is None else type_name(value))


# -- to another name, or another database


@command("RENAME", arity=3, keys=(Keys(1, access="RW ACCESS DELETE"), Keys(2, access="OW UPDATE")), flags=WRITE,
         since="1.0.0", group="generic", syntax="key newkey", categories=KEYSPACE)  # fmt: skip
def rename(shard: Shard, args: Args) -> Reply:
    """Give a key another name, and remove the key that had it."""
    _rename(shard, args.next(), args.next(), overwrite=True)
    return OK


@command("RENAMENX", arity=3, keys=(Keys(1, access="RW ACCESS DELETE"), Keys(2, access="OW INSERT")),
         flags=WRITE | FAST, since="1.0.0", group="generic", syntax="key newkey", categories=KEYSPACE)  # fmt: skip
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
    """Store a value that comes from elsewhere with its deadline. What was there is gone without a "del" event."""
    shard.notify(Event.NEW, b"new", key)
    shard.replace(key, value, deadline)


@command("COPY", arity=-3, keys=(Keys(1, access="RO ACCESS"), Keys(2, access="OW UPDATE", database=b"DB")),
         flags=WRITE | DENYOOM, since="6.2.0", group="generic", categories=KEYSPACE,
         syntax="source destination [DB destination-db] [REPLACE]")  # fmt: skip
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


@command("MOVE", arity=3, keys=Keys(1, access="RW ACCESS UPDATE"), flags=WRITE | FAST, since="1.0.0", group="generic",
         syntax="key db", categories=KEYSPACE)  # fmt: skip
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
    """The number of a database that there is. Raises CommandError."""
    index = args.int(low=INT32_MIN, high=INT32_MAX, range_error=NOT_AN_INT32)
    if not 0 <= index < len(shard.databases):
        raise CommandError(DB_OUT_OF_RANGE)
    return index


# -- whole databases: a part for every shard, so replies that every part can give


@command("DBSIZE", arity=1, reach=Reach.ALL, gather=total, flags=READONLY | FAST, since="1.0.0", group="server",
         categories=KEYSPACE, tips=("request_policy:all_shards", "response_policy:agg_sum"))  # fmt: skip
def dbsize(shard: Shard, args: Args) -> Reply:
    """Return the number of keys. Keys whose time is over count until they are removed."""
    return len(shard.db)


@command("FLUSHDB", arity=-1, reach=Reach.ALL, gather=all_succeeded, flags=WRITE, since="1.0.0", group="server",
         syntax="[ASYNC | SYNC]", categories=("keyspace", "dangerous"),
         tips=("request_policy:all_shards", "response_policy:all_succeeded"))  # fmt: skip
def flushdb(shard: Shard, args: Args) -> Reply:
    """Remove all keys of the selected database."""
    _take_flush_mode(args)
    shard.flush(shard.db_index)
    return OK


@command("FLUSHALL", arity=-1, reach=Reach.ALL, gather=all_succeeded, flags=WRITE, since="1.0.0", group="server",
         syntax="[ASYNC | SYNC]", categories=("keyspace", "dangerous"),
         tips=("request_policy:all_shards", "response_policy:all_succeeded"))  # fmt: skip
def flushall(shard: Shard, args: Args) -> Reply:
    """Remove all keys of all databases."""
    _take_flush_mode(args)
    for index in range(len(shard.databases)):
        shard.flush(index)
    return OK


def _take_flush_mode(args: Args) -> None:
    """ASYNC or SYNC, which make no difference here: clearing a dict does not hold up anybody for long."""
    if len(args) and args.option() not in (b"ASYNC", b"SYNC"):
        raise WrongSyntax
    args.end()


@command("SWAPDB", arity=3, reach=Reach.ALL, gather=all_succeeded, flags=WRITE | FAST, since="4.0.0", group="server",
         syntax="index1 index2", categories=("keyspace", "dangerous"))  # fmt: skip
def swapdb(shard: Shard, args: Args) -> Reply:
    """Exchange two databases, for all clients at once."""
    one = args.int("ERR invalid first DB index", low=INT32_MIN, high=INT32_MAX)
    other = args.int("ERR invalid second DB index", low=INT32_MIN, high=INT32_MAX)
    if not (0 <= one < len(shard.databases) and 0 <= other < len(shard.databases)):
        raise CommandError(DB_OUT_OF_RANGE)

    shard.swap(one, other)
    return OK
