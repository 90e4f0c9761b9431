"""Adding to HyperLogLogs, counting them, and merging them: PFADD, PFCOUNT, PFMERGE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.table import DENYOOM, FAST, INSERT, MAY_REPLICATE, READ, READONLY, WRITE, Keys, family
from respcache.datatypes import hyperloglog
from respcache.datatypes.hyperloglog import Corrupted
from respcache.errors import HLL_CORRUPTED, NOT_A_HLL, CommandError
from respcache.resp.types import OK, Reply
from respcache.store.shard import Event

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.store.shard import Shard

command = family("hyperloglog")


def find(shard: Shard, key: bytes) -> bytes | bytearray | None:
    """The HyperLogLog of a key, for reading; None if there is no such key. Raises WrongType, CommandError."""
    return _checked(shard.find_string(key))


def edit(shard: Shard, key: bytes) -> bytearray | None:
    """Like `find`, for changing it in place."""
    value = _checked(shard.edit_string(key))
    return None if value is None else changeable(shard, key, value)


def _checked(value: bytes | bytearray | None) -> bytes | bytearray | None:
    if value is not None and not hyperloglog.is_valid(value):
        raise CommandError(NOT_A_HLL)
    return value


def changeable(shard: Shard, key: bytes, value: bytes | bytearray) -> bytearray:
    """The value of a key as what can be changed in place. It is "raw" from then on, even if nothing is changed."""
    if type(value) is bytearray:
        return value
    buffer = bytearray(value)
    shard.recast(key, buffer)
    return buffer


@command("PFADD", "key [element [element ...]]", arity=-2, keys=INSERT, flags=WRITE | DENYOOM | FAST, since="2.8.9")
def pfadd(shard: Shard, args: Args) -> int:
    """Add elements to a HyperLogLog, creating it if need be; return 1 if that has changed it."""
    key, elements = args.next(), args.rest()
    value = edit(shard, key)
    created = value is None
    if value is None:
        value = hyperloglog.new()
        hyperloglog.mark_stale(value)

    most_bytes = shard.limits.hll_sparse_max_bytes
    try:
        changes = hyperloglog.add_all(value, elements, most_bytes)
    except Corrupted:
        shard.marked(key)  # elements before this one may have changed it, as in Redis
        raise CommandError(HLL_CORRUPTED) from None
    if not changes and not created:
        return 0
    shard.changed(key, value, Event.STRING, b"pfadd")
    return 1


@command(
    "PFCOUNT",
    "key [key ...]",
    arity=-2,
    keys=Keys(1, -1, access="RW ACCESS"),  # it writes: see `_count_one`
    flags=READONLY | MAY_REPLICATE,
    since="2.8.9",
)
def pfcount(shard: Shard, args: Args) -> int:
    """Return about how many different elements were added to HyperLogLogs, to all of them together."""
    keys = args.rest()
    try:
        if len(keys) == 1:
            return _count_one(shard, keys[0])
        return hyperloglog.count_registers(_union(shard, keys)[0])
    except Corrupted:
        raise CommandError(HLL_CORRUPTED) from None


def _count_one(shard: Shard, key: bytes) -> int:
    """The cardinality of one key, which is kept in its value: that counts as a modification, but has no event."""
    value = find(shard, key)
    if value is None:
        return 0
    buffer = changeable(shard, key, value)
    count = hyperloglog.cached_count(buffer)
    if count is None:
        count = hyperloglog.count(buffer)
        hyperloglog.cache_count(buffer, count)
        shard.modified(key)
    return count


def _union(shard: Shard, keys: list[bytes]) -> tuple[bytes, bool]:
    """The registers of all these together, and whether any is dense. Raises Corrupted.

    Each is looked at as a whole before the next one: the first that is wrong decides which error there is.
    """
    registers, dense = hyperloglog.NO_REGISTERS, False
    for key in keys:
        value = find(shard, key)
        if value is not None:
            registers = hyperloglog.highest(registers, hyperloglog.registers_of(value))
            dense = dense or not hyperloglog.is_sparse(value)
    return registers, dense


@command(
    "PFMERGE",
    "destkey [sourcekey [sourcekey ...]]",
    arity=-2,
    keys=(Keys(1, access="RW ACCESS INSERT"), READ.at(2, -1)),
    flags=WRITE | DENYOOM,
    since="2.8.9",
)
def pfmerge(shard: Shard, args: Args) -> Reply:
    """Merge HyperLogLogs into one, which counts what was added to any of them."""
    keys = args.rest()
    try:
        registers, dense = _union(shard, keys)
    except Corrupted:
        raise CommandError(HLL_CORRUPTED) from None

    destination = keys[0]
    value = edit(shard, destination)
    if value is None:
        value = hyperloglog.new()
    hyperloglog.raise_all(value, registers, shard.limits.hll_sparse_max_bytes, dense=dense)
    shard.changed(destination, value, Event.STRING, b"pfadd")
    return OK
