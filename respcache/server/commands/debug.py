"""DEBUG."""

from __future__ import annotations

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
from respcache.errors import CommandError, NotAFloat, printable
from respcache.resp.encode import encode
from respcache.resp.types import OK, BigNumber, Encoded, Push, Reply, SetReply, Status, Verbatim
from respcache.server.commands.control.clock import read_advance
from respcache.server.commands.control.family import refuse_in_namespace
from respcache.shard import wire

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.server.clients.client import Client
    from respcache.server.shards.queue import Call

command = family("server")

DEBUG = ADMIN | NOSCRIPT | LOADING | STALE

# Usage and summary of its subcommands: in COMMAND INFO they are not listed, so they are no rows of the table.
_DEBUG_HELP = (
    ("ADVANCE-CLOCK <milliseconds>", "Shift the server's clock forward; for tests of what depends on time."),
    ("ERROR <string>", "Answer with this text as an error."),
    ("OBJECT <key>", "Tell how a value is stored."),
    ("PROTOCOL <type>", "Answer with a reply of this type, for tests of clients."),
    ("POPULATE <count> [<prefix>] [<size>]", "Make string keys key:0, key:1 and so on, except for those that exist."),
    ("SET-DISABLE-DENY-SCRIPTS <0|1>", "Whether scripts may call commands that are not for scripts."),
    ("SHARDS", "Of each shard: its number, process id, restarts, and commands under way."),
    ("SLEEP <seconds>", "Do nothing else for so long. Takes decimals."),
    ("CHANGE-REPL-ID | QUICKLIST-PACKED-THRESHOLD <bytes>", "Accepted for the sake of test suites, without effect."),
    ("PAUSE-CRON <0|1>", "The same."),
    ("SET-ACTIVE-EXPIRE <0|1>", "Whether keys are removed when their time is over, or only when somebody looks."),
)


@command("DEBUG", "subcommand [argument [argument ...]]", arity=-2, flags=DEBUG | PROTECTED, since="1.0.0")
def debug(client: Client, args: Args) -> Any:
    """What tests of clients and of servers ask for; off unless ``enable-debug-command`` allows it."""
    word = args.next()
    match word.upper():
        case b"HELP":
            return help_reply("DEBUG", _DEBUG_HELP)
        case b"SLEEP":
            return _sleep(args)
        case b"ADVANCE-CLOCK":
            refuse_in_namespace(client, "DEBUG ADVANCE-CLOCK")
            return _advance_clock(client, read_advance(client, args))
        case b"SET-ACTIVE-EXPIRE" if len(args) == 1:
            return _set_active_expiry(client, args.next() != b"0")
        case b"QUICKLIST-PACKED-THRESHOLD" | b"CHANGE-REPL-ID":
            return OK
        case b"PAUSE-CRON" if len(args) == 1:  # there is none: everything happens when it is due
            return OK
        case b"ERROR":
            raise CommandError(printable(args.next()))
        case b"PROTOCOL" if len(args) == 1:
            return _reply_of_type(client, args.next())
        case b"SET-DISABLE-DENY-SCRIPTS" if len(args) == 1:
            client.parts.executor.deny_in_scripts = args.next() == b"0"
            return OK
        case b"OBJECT" if len(args) == 1:
            return _object(client, args.next())
        case b"POPULATE" if 1 <= len(args) <= 3:
            return _populate(client, args)
        case b"SHARDS":
            return [[link.index, link.pid, link.restarts, link.queue.unanswered] for link in client.parts.links]
        case _:
            raise errors.unknown_call("DEBUG", word)


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
    return _done(_ask(client, dict.fromkeys(range(len(client.parts.links)), item)))


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
