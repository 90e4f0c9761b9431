"""What the server knows about one key: OBJECT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.args import parse_int
from respcache.commands.table import EXAMINE, READONLY, family
from respcache.commands.table.tips import RANDOM_OUTPUT
from respcache.errors import LFU_POLICY, NO_LFU, CommandError
from respcache.resp.types import Reply

if TYPE_CHECKING:
    from typing import Any

    from respcache.commands.args import Args
    from respcache.store.shard import Shard

command = family("generic")
command.container("OBJECT", "Tell how values are stored.", since="2.2.3", help_since="6.2.0")


# Up to this length Redis keeps a string in one piece with its object header.
EMBEDDED = 44

# Redis shares the integers below this among all keys, and reports the highest possible reference count for them.
SHARED_INTEGERS = 10000
SHARED_REFERENCES = 2147483647


@command("OBJECT ENCODING", "key", arity=3, keys=EXAMINE.at(2), flags=READONLY, since="2.2.3", tips=RANDOM_OUTPUT)
def object_encoding(shard: Shard, args: Args) -> Reply:
    """Return how the value of a key is stored (as Redis would)."""
    value = shard.peek(args.next())
    return None if value is None else encoding_of(value)


def encoding_of(value: Any) -> bytes:
    """How Redis would store a value."""
    if type(value) is bytearray:
        return b"raw"
    if type(value) is bytes:
        if parse_int(value) is not None:
            return b"int"
        return b"embstr" if len(value) <= EMBEDDED else b"raw"
    encoding: bytes = value.encoding
    return encoding


@command("OBJECT IDLETIME", "key", arity=3, keys=EXAMINE.at(2), flags=READONLY, since="2.2.3", tips=RANDOM_OUTPUT)
def object_idletime(shard: Shard, args: Args) -> Reply:
    """Return for how many seconds a key was not accessed; fails with an LFU policy, as in Redis."""
    key = args.next()
    if shard.peek(key) is None:
        return None
    if shard.accesses.counting:
        raise CommandError(LFU_POLICY)
    return shard.idle_seconds(key)


@command("OBJECT FREQ", "key", arity=3, keys=EXAMINE.at(2), flags=READONLY, since="4.0.0", tips=RANDOM_OUTPUT)
def object_freq(shard: Shard, args: Args) -> Reply:
    """Return about the logarithm of how often a key was accessed; fails without an LFU policy, as in Redis."""
    key = args.next()
    if shard.peek(key) is None:
        return None
    if not shard.accesses.counting:
        raise CommandError(NO_LFU)
    return shard.frequency(key)


@command("OBJECT REFCOUNT", "key", arity=3, keys=EXAMINE.at(2), flags=READONLY, since="2.2.3", tips=RANDOM_OUTPUT)
def object_refcount(shard: Shard, args: Args) -> Reply:
    """Return how many references to a value there are (as in Redis)."""
    value = shard.peek(args.next())
    return None if value is None else references_to(value)


def references_to(value: Any) -> int:
    """How many references to a value Redis would count."""
    number = parse_int(value) if type(value) is bytes else None
    return SHARED_REFERENCES if number is not None and 0 <= number < SHARED_INTEGERS else 1
