"""Keys that expire: EXPIRE to PEXPIRETIME.

Deadlines are milliseconds since the epoch, whatever unit a command uses. A deadline that is not in the future removes
the key at once, with a "del" event: the key did not expire, it was deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.args import INT64_MAX, INT64_MIN, parse_int
from respcache.commands.table import FAST, READ, READONLY, UPDATE, WRITE, family
from respcache.commands.table.tips import RANDOM_OUTPUT
from respcache.errors import (
    GT_WITH_LT,
    NX_WITH_OTHERS,
    CommandError,
    NotAnInteger,
    invalid_expire_time,
    unsupported_option,
)
from respcache.resp.types import Reply
from respcache.store.shard import Event, Shard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respcache.commands.args import Args

command = family("generic")

SECONDS, MILLISECONDS = 1000, 1


@command("EXPIRE", "key seconds [NX | XX | GT | LT]", arity=-3, keys=UPDATE, flags=WRITE | FAST, since="1.0.0")
def expire(shard: Shard, args: Args) -> Reply:
    """Let a key expire in so many seconds."""
    return _expire(shard, args, "expire", SECONDS, shard.now)


@command("PEXPIRE", "key milliseconds [NX | XX | GT | LT]", arity=-3, keys=UPDATE, flags=WRITE | FAST, since="2.6.0")
def pexpire(shard: Shard, args: Args) -> Reply:
    """Let a key expire in so many milliseconds."""
    return _expire(shard, args, "pexpire", MILLISECONDS, shard.now)


@command(
    "EXPIREAT", "key unix-time-seconds [NX | XX | GT | LT]", arity=-3, keys=UPDATE, flags=WRITE | FAST, since="1.2.0"
)
def expireat(shard: Shard, args: Args) -> Reply:
    """Let a key expire at a time given in seconds since the epoch."""
    return _expire(shard, args, "expireat", SECONDS, 0)


@command(
    "PEXPIREAT",
    "key unix-time-milliseconds [NX | XX | GT | LT]",
    arity=-3,
    keys=UPDATE,
    flags=WRITE | FAST,
    since="2.6.0",
)
def pexpireat(shard: Shard, args: Args) -> Reply:
    """Let a key expire at a time given in milliseconds since the epoch."""
    return _expire(shard, args, "pexpireat", MILLISECONDS, 0)


def _expire(shard: Shard, args: Args, name: str, unit: int, since: int) -> int:
    key, amount, conditions = args.next(), args.next(), _conditions(args.rest())
    deadline = _deadline(amount, unit, since, name)

    if shard.look_to_write(key) is None or not _allowed(conditions, shard.deadline(key), deadline):
        return 0

    if deadline <= shard.now:
        shard.delete(key)
    else:
        shard.set_deadline(key, deadline)
        shard.notify(Event.GENERIC, b"expire", key)
    return 1


def _conditions(words: Sequence[bytes]) -> set[bytes]:
    """The conditions under which the deadline changes. Raises CommandError."""
    conditions = {word.upper() for word in words}
    for word in words:
        if word.upper() not in (b"NX", b"XX", b"GT", b"LT"):
            raise unsupported_option(word)
    if b"NX" in conditions and len(conditions) > 1:
        raise CommandError(NX_WITH_OTHERS)
    if conditions >= {b"GT", b"LT"}:
        raise CommandError(GT_WITH_LT)
    return conditions


def _deadline(amount: bytes, unit: int, since: int, name: str) -> int:
    """The deadline in milliseconds; it may be negative. Raises CommandError if it does not fit in 64 bits."""
    value = parse_int(amount)
    if value is None:
        raise NotAnInteger
    # As in Redis, the lower bound applies before `since` is added, the upper bound after.
    deadline = value * unit + since
    if value * unit < INT64_MIN or deadline > INT64_MAX:
        raise invalid_expire_time(name)
    return deadline


def _allowed(conditions: set[bytes], current: int | None, deadline: int) -> bool:
    """True if NX, XX, GT and LT let the deadline of a key change. No deadline is later than any other."""
    return not (
        (b"NX" in conditions and current is not None)
        or (b"XX" in conditions and current is None)
        or (b"GT" in conditions and (current is None or deadline <= current))
        or (b"LT" in conditions and current is not None and deadline >= current)
    )


@command("PERSIST", "key", arity=2, keys=UPDATE, flags=WRITE | FAST, since="2.2.0")
def persist(shard: Shard, args: Args) -> Reply:
    """Let a key stay for good."""
    key = args.next()
    if shard.look_to_write(key) is None or shard.deadline(key) is None:
        return 0
    shard.set_deadline(key, None)
    shard.notify(Event.GENERIC, b"persist", key)
    return 1


@command("TTL", "key", arity=2, keys=READ, flags=READONLY | FAST, since="1.0.0", tips=RANDOM_OUTPUT)
def ttl(shard: Shard, args: Args) -> Reply:
    """Return in how many seconds a key expires."""
    return _time_left(shard, args.next(), SECONDS, shard.now)


@command("PTTL", "key", arity=2, keys=READ, flags=READONLY | FAST, since="2.6.0", tips=RANDOM_OUTPUT)
def pttl(shard: Shard, args: Args) -> Reply:
    """Return in how many milliseconds a key expires."""
    return _time_left(shard, args.next(), MILLISECONDS, shard.now)


@command("EXPIRETIME", "key", arity=2, keys=READ, flags=READONLY | FAST, since="7.0.0")
def expiretime(shard: Shard, args: Args) -> Reply:
    """Return when a key expires, in seconds since the epoch."""
    return _time_left(shard, args.next(), SECONDS, 0)


@command("PEXPIRETIME", "key", arity=2, keys=READ, flags=READONLY | FAST, since="7.0.0")
def pexpiretime(shard: Shard, args: Args) -> Reply:
    """Return when a key expires, in milliseconds since the epoch."""
    return _time_left(shard, args.next(), MILLISECONDS, 0)


def _time_left(shard: Shard, key: bytes, unit: int, since: int) -> int:
    """The time from `since` to the deadline, rounded to the unit; -1 without a deadline, -2 without the key."""
    if shard.look_untouched(key) is None:
        return -2
    deadline = shard.deadline(key)
    if deadline is None:
        return -1
    return (deadline - since + unit // 2) // unit
