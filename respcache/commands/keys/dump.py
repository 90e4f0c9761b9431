"""DUMP and RESTORE: values in Redis' own format, so that they may go from one server to another (`respcache.rdb`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from respcache.commands.args import INT64_MAX, Args
from respcache.commands.table import ASKING, DENYOOM, OVERWRITE, READ, READONLY, WRITE, family
from respcache.commands.table.tips import RANDOM_OUTPUT
from respcache.errors import (
    BAD_DATA_FORMAT,
    BAD_PAYLOAD,
    BUSY_KEY,
    INVALID_FREQ,
    INVALID_IDLETIME,
    INVALID_TTL,
    CommandError,
    WrongSyntax,
    unsupported_payload,
)
from respcache.rdb.modules import Unsupported
from respcache.rdb.payload import BadFrame, Malformed, dump, restore
from respcache.rdb.writing import Writer
from respcache.resp.types import OK, Reply
from respcache.store.accesses import INITIAL
from respcache.store.shard import Event, Shard

if TYPE_CHECKING:
    from typing import Any

command = family("generic")
# Redis counts RESTORE-ASKING among these.
server_command = family("server")

DANGEROUS = ("keyspace", "dangerous")

_SYNTAX = "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]"
_HIGHEST_FREQ = 255


@command("DUMP", "key", arity=2, keys=READ, flags=READONLY, since="2.6.0", tips=RANDOM_OUTPUT)
def dump_(shard: Shard, args: Args) -> Reply:
    """Return the value of a key in a binary form that RESTORE takes."""
    value = shard.look(args.next())
    return None if value is None else dump(value, Writer(compressed=shard.limits.rdbcompression))


class _Options(NamedTuple):
    """What RESTORE is to do besides. `idle` is in seconds; it and `frequency` are None if they are not given."""

    replace: bool
    absolute: bool
    idle: int | None
    frequency: int | None


@command("RESTORE", _SYNTAX, arity=-4, keys=OVERWRITE, flags=WRITE | DENYOOM, since="2.6.0", categories=DANGEROUS)
def restore_(shard: Shard, args: Args) -> Reply:
    """Create a key from what DUMP has returned, maybe on another server."""
    return _restore(shard, args)


@server_command(
    "RESTORE-ASKING",
    _SYNTAX,
    arity=-4,
    keys=OVERWRITE,
    flags=WRITE | DENYOOM | ASKING,
    since="3.0.0",
    categories=DANGEROUS,
)
def restore_asking(shard: Shard, args: Args) -> Reply:
    """Do as RESTORE; nodes of a cluster send it while they move keys."""
    return _restore(shard, args)


def _restore(shard: Shard, args: Args) -> Reply:
    key, ttl, payload = args.next(), args.next(), args.next()
    options = _options(args)

    # In Redis' order: options, the key that is there, the TTL, the payload.
    if not options.replace and shard.look_to_write(key) is not None:
        raise CommandError(BUSY_KEY)
    deadline = _deadline(shard, ttl, options)
    value = _value(shard, payload)

    if deadline is not None and deadline <= shard.now:
        # It has expired already, and so has what it would have replaced.
        shard.delete(key)
        return OK
    shard.notify(Event.NEW, b"new", key)
    shard.replace(key, value, deadline)
    _remember_access(shard, key, options)
    shard.notify(Event.GENERIC, b"restore", key)
    return OK


def _options(args: Args) -> _Options:
    replace = absolute = False
    idle: int | None = None
    frequency: int | None = None
    while len(args):
        option = args.option()
        if option == b"REPLACE":
            replace = True
        elif option == b"ABSTTL":
            absolute = True
        elif option == b"IDLETIME" and len(args) and frequency is None:
            idle = args.int(low=0, range_error=INVALID_IDLETIME)
        elif option == b"FREQ" and len(args) and idle is None:
            frequency = args.int(low=0, high=_HIGHEST_FREQ, range_error=INVALID_FREQ)
        else:
            raise WrongSyntax
    return _Options(replace, absolute, idle, frequency)


def _deadline(shard: Shard, ttl: bytes, options: _Options) -> int | None:
    """The deadline that a TTL in milliseconds stands for; None for 0. Raises CommandError."""
    milliseconds = Args([ttl], 0).int(low=0, range_error=INVALID_TTL)
    if not milliseconds:
        return None
    deadline = milliseconds if options.absolute else shard.now + milliseconds
    # In C the sum wraps around: the deadline is in the past.
    return deadline if deadline <= INT64_MAX else 0


def _value(shard: Shard, payload: bytes) -> Any:
    """Raises CommandError for anything that is no payload, or whose value there is no place for."""
    try:
        return restore(shard.limits, payload)
    except BadFrame:
        raise CommandError(BAD_PAYLOAD) from None
    except Malformed:
        raise CommandError(BAD_DATA_FORMAT) from None
    except Unsupported as error:
        raise unsupported_payload(error.what) from None


def _remember_access(shard: Shard, key: bytes, options: _Options) -> None:
    """It is a new key, also where it replaces one. Each of the two means something to its own kind of policy only."""
    if options.idle is not None:
        shard.set_idle(key, options.idle)
    shard.set_frequency(key, INITIAL if options.frequency is None else options.frequency)
