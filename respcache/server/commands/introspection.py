"""COMMAND: the command table, as clients ask for it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from respcache.commands.table import (
    LOADING,
    STALE,
    TABLE,
    Command,
    Flag,
    KeyFinder,
    Keys,
    KeySpec,
    KeywordKeys,
    NumKeys,
    StreamKeys,
    family,
    find_row,
)
from respcache.commands.table.categories import categories_of
from respcache.commands.table.syntax import Argument, parse_syntax
from respcache.commands.table.tips import RANDOM_ORDER
from respcache.errors import (
    GETKEYS_INVALID_ARGUMENTS,
    GETKEYS_INVALID_COMMAND,
    GETKEYS_NO_KEYS,
    GETKEYS_WRONG_ARITY,
    CommandError,
    WrongSyntax,
)
from respcache.glob import compile_glob
from respcache.resp.encode import encode
from respcache.resp.types import Encoded, Reply, SetReply, Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from respcache.commands.args import Args
    from respcache.server.clients.client import Client

command = family("server")

COMMAND = LOADING | STALE
CONNECTION = ("connection",)  # where ACL puts them, though COMMAND DOCS has them in the group "server"
NOT_KEY = "NOT_KEY"  # the access of a word that only goes where a key of that name would (shard channels)
_HIDDEN_FLAGS = Flag.MAY_REPLICATE | Flag.PROTECTED  # as in Redis
_ARGUMENT_FLAGS = ("optional", "multiple", "multiple_token")


# -- COMMAND


@command(
    "COMMAND", arity=-1, flags=COMMAND, since="2.8.13", help_since="5.0.0", categories=CONNECTION, tips=RANDOM_ORDER
)
def command_(client: Client, args: Args) -> Reply:
    """Describe all commands."""
    return _all_described(client.protocol)


@cache
def _all_described(protocol: int) -> Encoded:
    """Made once: it takes main 10 ms, and some libraries ask for it with each connection."""
    return Encoded(encode([_describe(row) for row in TABLE.values()], protocol))


@command("COMMAND COUNT", arity=2, flags=COMMAND, since="2.8.13", categories=CONNECTION)
def command_count(client: Client, args: Args) -> Reply:
    """Count the commands."""
    return len(TABLE)


@command(
    "COMMAND INFO",
    "[command-name [command-name ...]]",
    arity=-2,
    flags=COMMAND,
    since="2.8.13",
    categories=CONNECTION,
    tips=RANDOM_ORDER,
)
def command_info(client: Client, args: Args) -> Reply:
    """Describe some commands, or all."""
    names = args.rest()
    if not names:
        return _all_described(client.protocol)
    rows = [_named(name) for name in names]
    return [None if row is None else _describe(row) for row in rows]


def _named(name: bytes) -> Command | None:
    """The row of a wire name (``get``, ``config|get``), in any case."""
    container_name, _, subcommand = name.upper().partition(b"|")
    row = TABLE.get(container_name)
    return row.subcommands.get(subcommand) if row is not None and subcommand else row


def _describe(row: Command) -> Reply:
    first, last, step = _legacy_range(row)
    return [
        row.wire_name.encode(),
        row.arity,
        SetReply(Status(name) for name in _flag_names(row)),
        first,
        last,
        step,
        SetReply(Status(b"@" + name.encode()) for name in categories_of(row)),
        SetReply(tip.encode() for tip in row.tips),
        SetReply(_describe_keys(spec) for spec in row.keys),
        SetReply(_describe(subcommand) for subcommand in row.subcommands.values()),
    ]


def _flag_names(row: Command) -> Iterable[bytes]:
    return (flag.name.lower().encode() for flag in Flag if flag in row.flags & ~_HIDDEN_FLAGS and flag.name)


def _legacy_range(row: Command) -> tuple[int, int, int]:
    """First key, last key and step, as clients knew them before key specifications; zeros where there is no range."""
    fixed = [spec for spec in row.keys if isinstance(spec, Keys)]
    if not fixed:
        return 0, 0, 0
    first = min(spec.first for spec in fixed)
    lasts = [spec.first if spec.last is None else spec.last for spec in fixed]
    return first, min(lasts) if min(lasts) < 0 else max(lasts), max(spec.step for spec in fixed)


def _describe_keys(spec: KeySpec) -> Reply:
    flags = SetReply(Status(flag.encode()) for flag in _access_flags(spec.access))
    match spec:
        case Keys(first, last, step):
            place: Reply = {b"index": first}
            until = 0 if last is None else last - first if last >= 0 else last
            keys: Reply = {b"lastkey": until, b"keystep": step, b"limit": 0}
            return _key_specification(flags, b"index", place, b"range", keys)
        case NumKeys(at):
            numbers: Reply = {b"keynumidx": 0, b"firstkey": 1, b"keystep": 1}
            return _key_specification(flags, b"index", {b"index": at}, b"keynum", numbers)
        case StreamKeys(start):
            search: Reply = {b"keyword": b"STREAMS", b"startfrom": start}
            half: Reply = {b"lastkey": -1, b"keystep": 1, b"limit": 2}
            return _key_specification(flags, b"keyword", search, b"range", half)
        case KeywordKeys(start):
            keyword: Reply = {b"keyword": b"KEYS", b"startfrom": start}
            rest: Reply = {b"lastkey": -1, b"keystep": 1, b"limit": 0}
            return _key_specification(flags, b"keyword", keyword, b"range", rest)
        case KeyFinder(option=option, start=start) if option:
            search = {b"keyword": option, b"startfrom": start}
            one: Reply = {b"lastkey": 0, b"keystep": 1, b"limit": 0}
            return _key_specification(flags, b"keyword", search, b"range", one)
        case KeyFinder():
            return _key_specification(flags, b"unknown", {}, b"unknown", {})


def _access_flags(access: str) -> list[str]:
    """Redis writes the kind of access in upper case, what it is for in lower case."""
    return [word if word in ("RW", "RO", "OW", "RM") else word.lower() for word in access.split()]


def _key_specification(flags: SetReply, search: bytes, place: Reply, find: bytes, keys: Reply) -> Reply:
    return {
        b"flags": flags,
        b"begin_search": {b"type": search, b"spec": place},
        b"find_keys": {b"type": find, b"spec": keys},
    }


@command(
    "COMMAND LIST",
    "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
    arity=-2,
    flags=COMMAND,
    since="7.0.0",
    categories=CONNECTION,
    tips=RANDOM_ORDER,
)
def command_list(client: Client, args: Args) -> Reply:
    """List the names of the commands: all, or those of a module, of a category, or that match a pattern."""
    rows = [row for top in TABLE.values() for row in (top, *top.subcommands.values())]
    if len(args):
        if len(args) != 3 or not args.flag(b"FILTERBY"):
            raise WrongSyntax
        kind, value = args.option(), args.next()
        match kind:
            case b"MODULE":
                rows = []
            case b"ACLCAT":
                category = value.lower().decode("latin-1")
                rows = [row for row in rows if category in categories_of(row)]
            case b"PATTERN":
                matches = compile_glob(value, ignore_case=True)
                rows = [row for row in rows if matches(row.wire_name.encode())]
            case _:
                raise WrongSyntax
    return [row.wire_name.encode() for row in rows]


@command(
    "COMMAND DOCS",
    "[command-name [command-name ...]]",
    arity=-2,
    flags=COMMAND,
    since="7.0.0",
    categories=CONNECTION,
    tips=RANDOM_ORDER,
)
def command_docs(client: Client, args: Args) -> Reply:
    """Document some commands, or all."""
    names = args.rest()
    if not names:
        return _all_documented(client.protocol)
    return {row.wire_name.encode(): document(row) for row in map(_named, names) if row is not None}


@cache
def _all_documented(protocol: int) -> Encoded:
    """Made once: redis-cli asks for it whenever it starts."""
    return Encoded(encode({row.wire_name.encode(): document(row) for row in TABLE.values()}, protocol))


def document(row: Command) -> Reply:
    """What COMMAND DOCS says of one command."""
    entry: dict[bytes, Reply] = {
        b"summary": row.summary.encode(),
        b"since": row.since.encode(),
        b"group": row.group.replace("_", "-").encode(),
    }
    if arguments := parse_syntax(row.name, row.syntax, len(row.keys)):
        entry[b"arguments"] = [_argument(argument) for argument in arguments]
    if row.subcommands:
        entry[b"subcommands"] = {sub.wire_name.encode(): document(sub) for sub in row.subcommands.values()}
    return entry


def _argument(argument: Argument) -> Reply:
    entry: dict[bytes, Reply] = {b"name": argument.name.encode(), b"type": argument.type.encode()}
    if argument.display:
        entry[b"display_text"] = argument.display.encode()
    if argument.key_spec >= 0:
        entry[b"key_spec_index"] = argument.key_spec
    if argument.token:
        entry[b"token"] = argument.token.encode()
    if flags := [Status(name.encode()) for name in _ARGUMENT_FLAGS if getattr(argument, name)]:
        entry[b"flags"] = SetReply(flags)
    if argument.arguments:
        entry[b"arguments"] = [_argument(part) for part in argument.arguments]
    return entry


@command("COMMAND GETKEYS", "command [arg [arg ...]]", arity=-3, flags=COMMAND, since="2.8.13", categories=CONNECTION)
def command_getkeys(client: Client, args: Args) -> Reply:
    """Return the keys of a command line."""
    return [key for key, _ in _keys_of(args.rest())]


@command(
    "COMMAND GETKEYSANDFLAGS", "command [arg [arg ...]]", arity=-3, flags=COMMAND, since="7.0.0", categories=CONNECTION
)
def command_getkeysandflags(client: Client, args: Args) -> Reply:
    """Return the keys of a command line, and what the command does to each."""
    # That a specification may be incomplete says nothing of the keys that were found.
    return [
        [key, SetReply(Status(flag.encode()) for flag in _access_flags(access) if flag != "incomplete")]
        for key, access in _keys_of(args.rest())
    ]


def _keys_of(argv: list[bytes]) -> list[tuple[bytes, str]]:
    """The keys of a command line, each with its access. Raises CommandError."""
    try:
        row = find_row(argv)
    except CommandError:
        raise CommandError(GETKEYS_INVALID_COMMAND) from None
    specs = [spec for spec in row.keys if spec.access != NOT_KEY]
    if not specs:
        raise CommandError(GETKEYS_NO_KEYS)
    if not row.accepts(len(argv)):
        raise CommandError(GETKEYS_WRONG_ARITY)
    found = [(argv[at], _access_of(spec, argv)) for spec in specs for at in spec.positions(argv)]
    # Where keys cannot be counted, none are given, not even those at fixed places: ZUNIONSTORE d 5 a.
    counted = all(spec.positions(argv) for spec in specs if isinstance(spec, NumKeys))
    if not (found and counted) and not row.flags & Flag.NO_MANDATORY_KEYS:
        raise CommandError(GETKEYS_INVALID_ARGUMENTS)
    return found


def _access_of(spec: KeySpec, argv: list[bytes]) -> str:
    """What this call does to the key, where that depends on its options (SET, BITFIELD)."""
    if "VARIABLE_FLAGS" not in spec.access:
        return spec.access
    if argv[0].upper() == b"SET":
        return "RW ACCESS UPDATE" if b"GET" in (word.upper() for word in argv[3:]) else "OW UPDATE"
    return "RO ACCESS" if _only_gets(argv[2:]) else "RW ACCESS UPDATE"


def _only_gets(operations: list[bytes]) -> bool:
    """Whether BITFIELD operations change nothing. What cannot be understood might change something."""
    at = 0
    while at < len(operations):
        width = {b"GET": 3, b"OVERFLOW": 2}.get(operations[at].upper())
        if width is None or at + width > len(operations):
            return False
        at += width
    return True
