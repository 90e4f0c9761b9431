"""What the server knows about one key: OBJECT and MEMORY USAGE."""

from __future__ import annotations

from sys import getsizeof
from typing import TYPE_CHECKING

from respcache.commands._args import parse_int
from respcache.commands._help import help_of
from respcache.commands._spec import LOADING, READONLY, STALE, Keys, command, container
from respcache.datatypes.sizes import memory_of
from respcache.errors import SYNTAX, CommandError, WrongSyntax
from respcache.resp.types import Reply

if TYPE_CHECKING:
    from typing import Any

    from respcache.commands._args import Args
    from respcache.store.shard import Shard

KEYSPACE = ("keyspace",)

# Up to this length Redis keeps a string in one piece with its object header.
EMBEDDED = 44

# Redis has the integers below this once for all keys; their reference count shows as the highest there is.
SHARED_INTEGERS = 10000
SHARED_REFERENCES = 2147483647

# How many elements MEMORY USAGE measures unless told otherwise.
SAMPLES = 5

# About what a key takes in the tables of its database, itself and its value apart: an entry in a dict that is half
# full, three places in the parallel lists, and the number that leads from one to the others.
PLACE = 110


@container("OBJECT", since="2.2.3", group="generic")
def object_(shard: Shard, args: Args) -> Reply:
    """Tell how values are stored."""
    raise AssertionError("only its subcommands are called")


@command("OBJECT ENCODING", arity=3, keys=Keys(2, access="RO"), flags=READONLY, since="2.2.3", group="generic",
         syntax="key", categories=KEYSPACE, tips=("nondeterministic_output",))  # fmt: skip
def object_encoding(shard: Shard, args: Args) -> Reply:
    """Return how the value of a key is stored (as Redis would)."""
    value = shard.peek(args.next())
    return None if value is None else _encoding(value)


def _encoding(value: Any) -> bytes:
    if type(value) is bytearray:
        return b"raw"
    if type(value) is bytes:
        if parse_int(value) is not None:
            return b"int"
        return b"embstr" if len(value) <= EMBEDDED else b"raw"
    encoding: bytes = value.encoding
    return encoding


@command("OBJECT IDLETIME", arity=3, keys=Keys(2, access="RO"), flags=READONLY, since="2.2.3", group="generic",
         syntax="key", categories=KEYSPACE, tips=("nondeterministic_output",))  # fmt: skip
def object_idletime(shard: Shard, args: Args) -> Reply:
    """Return for how many seconds a key was not accessed."""
    key = args.next()
    if shard.peek(key) is None:
        return None
    return max(shard.now // 1000 - shard.db.accessed[shard.db.slots[key]], 0)


@command("OBJECT FREQ", arity=3, keys=Keys(2, access="RO"), flags=READONLY, since="4.0.0", group="generic",
         syntax="key", categories=KEYSPACE, tips=("nondeterministic_output",))  # fmt: skip
def object_freq(shard: Shard, args: Args) -> Reply:
    """Return how often a key was accessed; fails without an LFU policy, as in Redis."""
    if shard.peek(args.next()) is None:
        return None
    raise CommandError(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching "
        "between policies at runtime LRU and LFU data will take some time to adjust."
    )


@command("OBJECT REFCOUNT", arity=3, keys=Keys(2, access="RO"), flags=READONLY, since="2.2.3", group="generic",
         syntax="key", categories=KEYSPACE, tips=("nondeterministic_output",))  # fmt: skip
def object_refcount(shard: Shard, args: Args) -> Reply:
    """Return how many references to a value there are (as in Redis)."""
    value = shard.peek(args.next())
    if value is None:
        return None
    number = parse_int(value) if type(value) is bytes else None
    return SHARED_REFERENCES if number is not None and 0 <= number < SHARED_INTEGERS else 1


@command("OBJECT HELP", arity=2, flags=LOADING | STALE, since="6.2.0", group="generic", categories=KEYSPACE)
def object_help(shard: Shard, args: Args) -> Reply:
    """List the subcommands."""
    return help_of("OBJECT")


@container("MEMORY", since="4.0.0", group="server")
def memory(shard: Shard, args: Args) -> Reply:
    """Tell how memory is used."""
    raise AssertionError("only its subcommands are called")


@command("MEMORY HELP", arity=2, flags=LOADING | STALE, since="4.0.0", group="server")
def memory_help(shard: Shard, args: Args) -> Reply:
    """List the subcommands."""
    return help_of("MEMORY")


@command("MEMORY USAGE", arity=-3, keys=Keys(2, access="RO"), flags=READONLY, since="4.0.0", group="server",
         syntax="key [SAMPLES count]")  # fmt: skip
def memory_usage(shard: Shard, args: Args) -> Reply:
    """Estimate how many bytes a key and its value take."""
    key, samples = args.next(), SAMPLES
    while len(args):
        if not args.flag(b"SAMPLES") or not len(args):
            raise WrongSyntax
        samples = args.int(low=0, range_error=SYNTAX)

    value = shard.peek(key)
    if value is None:
        return None
    return PLACE + getsizeof(key) + memory_of(value, samples)
