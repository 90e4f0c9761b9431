"""DEBUG."""

from __future__ import annotations

import secrets
import time
from math import isfinite
from typing import TYPE_CHECKING, Any

from respcache import errors
from respcache.commands.args import parse_float
from respcache.commands.table import (
    ADMIN,
    LOADING,
    NOSCRIPT,
    PROTECTED,
    STALE,
    family,
)
from respcache.commands.table.help import help_reply
from respcache.config.kinds import BadValue, Memory
from respcache.errors import CommandError, NotAFloat, printable
from respcache.logs import log
from respcache.resp.encode import encode
from respcache.resp.types import OK, BigNumber, Encoded, Push, Reply, SetReply, Status, Verbatim
from respcache.server.commands.control.clock import read_advance
from respcache.server.commands.control.family import refuse_in_namespace
from respcache.shard import wire
from respcache.shard.digests import joined, printed

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.server.clients.client import Client
    from respcache.server.shards.queue import Call

command = family("server")

DEBUG = ADMIN | NOSCRIPT | LOADING | STALE

# Usage and summary of its subcommands: in COMMAND INFO they are not listed, so they are no rows of the table.
_DEBUG_HELP = (
    ("ADVANCE-CLOCK <milliseconds>", "Shift the server's clock forward; for tests of what depends on time."),
    ("CHANGE-REPL-ID", "Give the data of this server another replication id."),
    ("DIGEST", "A digest of all keys and values, the same as on a genuine server with the same data."),
    ("DIGEST-VALUE <key> [<key> ...]", "The digests of values."),
    ("ERROR <string>", "Answer with this text as an error."),
    ("LOG <message>", "Write a line to the server's log."),
    ("OBJECT <key>", "Tell how a value is stored."),
    ("PROTOCOL <type>", "Answer with a reply of this type, for tests of clients."),
    ("POPULATE <count> [<prefix>] [<size>]", "Make string keys key:0, key:1 and so on, except for those that exist."),
    ("SET-DISABLE-DENY-SCRIPTS <0|1>", "Whether scripts may call commands that are not for scripts."),
    ("SET-SKIP-CHECKSUM-VALIDATION <0|1>", "Whether RESTORE takes payloads with a wrong checksum."),
    ("SHARDS", "Of each shard: its number, process id, restarts, and commands under way."),
    ("SLEEP <seconds>", "Do nothing else for so long. Takes decimals."),
    ("PAUSE-CRON <0|1>", "Accepted for the sake of test suites: there is no cron."),
    ("QUICKLIST-PACKED-THRESHOLD <size>", "Accepted for the sake of test suites: lists are not stored in nodes."),
    ("REPLYBUFFER PEAK-RESET-TIME <time>", "Accepted for the sake of test suites: there are no such buffers."),
    ("REPLYBUFFER RESIZING <0|1>", "Likewise."),
    ("SET-ACTIVE-EXPIRE <0|1>", "Whether keys are removed when their time is over, or only when somebody looks."),
)


@command("DEBUG", "subcommand [argument [argument ...]]", arity=-2, flags=DEBUG | PROTECTED, since="1.0.0")
def debug(client: Client, args: Args) -> Any:
    """What tests of clients and of servers ask for; off unless ``enable-debug-command`` allows it."""
    word = args.next()
    match word.upper():
        case b"HELP":
            return help_reply("DEBUG", _DEBUG_HELP)
        case b"SLEEP" if len(args) == 1:
            return _sleep(args)
        case b"ADVANCE-CLOCK":
            refuse_in_namespace(client, "DEBUG ADVANCE-CLOCK")
            return _advance_clock(client, read_advance(client, args))
        case b"SET-ACTIVE-EXPIRE" if len(args) == 1:
            return _set_active_expiry(client, args.next() != b"0")
        case b"QUICKLIST-PACKED-THRESHOLD" if len(args) == 1:
            return _set_packed_threshold(args.next())
        case b"PAUSE-CRON" if len(args) == 1:
            return OK
        case b"REPLYBUFFER" if len(args) == 2:
            return _set_reply_buffer(args)
        case b"CHANGE-REPL-ID" if not len(args):
            refuse_in_namespace(client, "DEBUG CHANGE-REPL-ID")
            client.parts.replication_id = secrets.token_hex(20)
            return OK
        case b"LOG" if len(args) == 1:
            log.warning(f"DEBUG LOG: {printable(args.next())}", kind="DEBUG LOG")
            return OK
        case b"DIGEST" if not len(args):
            return _digest(client)
        case b"DIGEST-VALUE":
            return _digest_values(client, args.rest())
        case b"ERROR" if len(args) == 1:
            raise CommandError(printable(args.next()))
        case b"PROTOCOL" if len(args) == 1:
            return _reply_of_type(client, args.next())
        case b"SET-DISABLE-DENY-SCRIPTS" if len(args) == 1:
            client.parts.executor.deny_in_scripts = args.next() == b"0"
            return OK
        case b"SET-SKIP-CHECKSUM-VALIDATION" if len(args) == 1:
            client.parts.skip_checksum_validation = args.next() not in (b"0", b"")
            return _done(_ask(client, _for_all(client, _checksums(client))))
        case b"OBJECT" if len(args) == 1:
            return _object(client, args.next())
        case b"POPULATE" if 1 <= len(args) <= 3:
            return _populate(client, args)
        case b"SHARDS":
            return [[link.index, link.pid, link.restarts, link.queue.unanswered] for link in client.parts.links]
        case name if name in _REFUSED:
            raise CommandError(f"ERR DEBUG {name.decode()} is not available in respcache: {_REFUSED[name]}")
        case _:
            raise errors.unknown_call("DEBUG", word)


_THRESHOLD = Memory(0, (4 << 30) - (1 << 20))
_INTERNALS = "it looks into structures of the C server"
_CRASHES = "to see what programs make of failures, use RESPCACHE FAULT, SHUTDOWN, or a signal to the process"
_FILES = "nothing is written to disk yet"
# What genuine servers have, and why this one has it not.
_REFUSED = {
    **dict.fromkeys(
        b"""
            CLIENT-EVICTION DICT-RESIZING HTSTATS HTSTATS-KEY LEAK LISTPACK MALLCTL MALLCTL-STR QUICKLIST SDSLEN
            STRINGMATCH-TEST STRUCTSIZE ZIPLIST
        """.split(),
        _INTERNALS,
    ),
    **dict.fromkeys((b"ASSERT", b"CRASH-AND-RECOVER", b"OOM", b"PANIC", b"RESTART", b"SEGFAULT"), _CRASHES),
    **dict.fromkeys((b"AOF-FLUSH-SLEEP", b"LOADAOF", b"RELOAD"), _FILES),
    **dict.fromkeys((b"CLUSTERLINK", b"DROP-CLUSTER-PACKET-FILTER"), "there is no cluster"),
    **dict.fromkeys((b"REPLICATE", b"REPL-PAUSE"), "there are no replicas"),
}


def _set_packed_threshold(size: bytes) -> Reply:
    """Redis refuses more than almost 4 GB, and takes 0 for the default."""
    try:
        _THRESHOLD.parse_word(size.decode("latin-1"))
    except BadValue:
        raise CommandError(errors.BAD_PACKED_THRESHOLD) from None
    return OK


def _set_reply_buffer(args: Args) -> Reply:
    match args.option():
        case b"PEAK-RESET-TIME":
            if not (args.flag(b"NEVER") or args.flag(b"RESET")):
                args.int()
        case b"RESIZING":
            pass
        case _:
            raise errors.unknown_call("DEBUG", args.argv[1])
    return OK


def _checksums(client: Client) -> wire.Item:
    return wire.configure({"skip_checksum_validation": client.parts.skip_checksum_validation})


def _for_all(client: Client, item: wire.Item) -> dict[int, wire.Item]:
    return dict.fromkeys(range(len(client.parts.links)), item)


async def _digest(client: Client) -> Reply:
    """The digest of all databases of the namespace."""
    calls = _ask(client, _for_all(client, wire.digest(client.caller)))
    return Status(printed(joined([await call.result() for call in calls])))


async def _digest_values(client: Client, keys: list[bytes]) -> Reply:
    """A digest for each key."""
    by_shard: dict[int, list[int]] = {}
    for at, key in enumerate(keys):
        by_shard.setdefault(client.parts.router.shard_of(key), []).append(at)
    items = {
        shard: wire.digest_values(client.caller, [keys[at] for at in positions])
        for shard, positions in by_shard.items()
    }
    calls = _ask(client, items)
    replies: list[Reply] = [None] * len(keys)
    for call, positions in zip(calls, by_shard.values(), strict=True):
        for at, digest in zip(positions, await call.result(), strict=True):
            replies[at] = Status(printed(digest))
    return replies


_MAP: Any = {0: False, 1: True, 2: False}
_AFTER_AN_ATTRIBUTE = b"Some real reply following the attribute"
_ATTRIBUTE_AND_REPLY = Encoded(
    b"|1\r\n" + encode(b"key-popularity", 3) + encode([b"key:123", 90], 3) + encode(_AFTER_AN_ATTRIBUTE, 3)
)


def _reply_of_type(client: Client, kind: bytes) -> Any:
    """As redis 7.2's `debugCommand` answers, whose tests compare it."""
    match kind.lower():
        case b"string":
            return b"Hello World"
        case b"integer":
            return 12345
        case b"double":
            return 3.141
        case b"null":
            return None
        case b"array":
            return [0, 1, 2]
        case b"set":
            return SetReply([0, 1, 2])
        case b"map":
            return _MAP
        case b"true" | b"false" as word:
            return word == b"true"
        case b"verbatim":
            return Verbatim(b"This is a verbatim\nstring")
        case b"bignum":
            return BigNumber(b"1234567999999999999999999999999999999")
        case b"attrib":
            return _ATTRIBUTE_AND_REPLY if client.protocol == 3 else _AFTER_AN_ATTRIBUTE
        case b"push":
            if client.protocol == 2:
                raise CommandError(errors.NO_PUSHES)
            client.push(encode(Push([b"server-cpu-usage", 42]), 3))
            return b"Some real reply following the push reply"
        case _:
            raise CommandError(errors.UNKNOWN_REPLY_TYPE)


def _sleep(args: Args) -> Reply:
    """Hold up the whole server, as Redis does: that is what the command is for."""
    seconds = parse_float(args.next())
    if seconds is None or not isfinite(seconds):
        raise NotAFloat
    time.sleep(max(0, seconds))
    return OK


async def _advance_clock(client: Client, milliseconds: int) -> Reply:
    """Our own: shift the server's clock forward, so that tests of expiry need not wait."""
    await client.parts.time.advance(milliseconds, in_exec=client.executing is not None)
    return OK


def _set_active_expiry(client: Client, active: bool) -> Reply:
    for expiry in client.parts.expiry:
        expiry.switch(active)
    return OK


def _object(client: Client, key: bytes) -> Any:
    """How a value is stored. Its shard knows."""
    shard = client.parts.router.shard_of(key)
    (call,) = _ask(client, {shard: wire.inspect(client.caller, key)})
    return _line(call)


async def _line(call: Call) -> Reply:
    line: bytes | None = await call.result()
    if line is None:
        raise CommandError(errors.NO_SUCH_KEY)
    return Status(line)


def _populate(client: Client, args: Args) -> Any:
    """Each shard creates the keys that belong to it."""
    count = args.int(errors.NOT_POSITIVE, low=0)
    prefix = args.next() if len(args) else b"key"
    size = args.int(errors.NOT_POSITIVE, low=0) if len(args) else 0
    if size > client.parts.config.proto_max_bulk_len:
        raise CommandError(errors.STRING_TOO_LONG)
    item = wire.populate(client.caller, count, prefix, size)
    return _done(_ask(client, _for_all(client, item)))


async def _done(calls: list[Call]) -> Reply:
    for call in calls:
        await call.result()
    return OK


def _ask(client: Client, items: dict[int, wire.Item]) -> list[Call]:
    """Queue items for shards, in one step. EXEC may hold these very queues up, so within EXEC the items pass them."""
    links = client.parts.links
    if client.executing is not None:
        return [links[shard].call(item) for shard, item in items.items()]
    return [links[shard].queue.submit_call(item) for shard, item in items.items()]
