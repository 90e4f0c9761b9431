"""The command table: what `@command` writes, and everything else reads.

One decorator above a handler is all there is to a command. Arity checks, routing to shards, MULTI, ACL categories,
COMMAND, the reference docs and the coverage of compat/ are all derived from `TABLE`; there is no second list.

Handlers come in two sorts. Those in `respcache.commands` run in a shard, next to the data: plain functions
``(shard, args) -> reply``. Those in `respcache.server.commands` run in the main process (reach LOCAL) and get the
session instead of the shard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, IntFlag
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from respcache import errors
from respcache.resp.types import OK, Reply


class Flag(IntFlag):
    """What COMMAND INFO lists. The names are Redis' own, in lower case."""

    WRITE = 1 << 0
    READONLY = 1 << 1
    DENYOOM = 1 << 2
    ADMIN = 1 << 3
    PUBSUB = 1 << 4
    NOSCRIPT = 1 << 5
    BLOCKING = 1 << 6
    LOADING = 1 << 7
    STALE = 1 << 8
    SKIP_MONITOR = 1 << 9
    SKIP_SLOWLOG = 1 << 10
    ASKING = 1 << 11
    FAST = 1 << 12
    NO_AUTH = 1 << 13
    MAY_REPLICATE = 1 << 14
    NO_ASYNC_LOADING = 1 << 15
    NO_MULTI = 1 << 16
    ALLOW_BUSY = 1 << 17
    MOVABLEKEYS = 1 << 18
    NO_MANDATORY_KEYS = 1 << 19
    PROTECTED = 1 << 20


WRITE, READONLY, DENYOOM, ADMIN = Flag.WRITE, Flag.READONLY, Flag.DENYOOM, Flag.ADMIN
PUBSUB, NOSCRIPT, BLOCKING, LOADING = Flag.PUBSUB, Flag.NOSCRIPT, Flag.BLOCKING, Flag.LOADING
STALE, SKIP_MONITOR, SKIP_SLOWLOG, FAST = Flag.STALE, Flag.SKIP_MONITOR, Flag.SKIP_SLOWLOG, Flag.FAST
NO_AUTH, NO_MULTI, ALLOW_BUSY, PROTECTED = Flag.NO_AUTH, Flag.NO_MULTI, Flag.ALLOW_BUSY, Flag.PROTECTED
MOVABLEKEYS, NO_ASYNC_LOADING, MAY_REPLICATE = Flag.MOVABLEKEYS, Flag.NO_ASYNC_LOADING, Flag.MAY_REPLICATE
NO_FLAGS = Flag(0)


class Reach(Enum):
    """Where a command runs (see docs/concepts/architecture.md)."""

    LOCAL = "local"  # main answers by itself
    KEYS = "keys"  # the shards of its keys: one, split with `gather`, or carried under a barrier
    ALL = "all"  # a part for every shard, merged with `gather`
    CURSOR = "cursor"  # SCAN: the cursor names the shard


class Keys(NamedTuple):
    """Keys at fixed places: from index `first` to `last` (negative: from the end) in steps of `step`.

    `access` holds the key flags as COMMAND INFO shows them (``RW``, ``RO``, ``OW``, ``RM``, then ``ACCESS``, ...).
    """

    first: int
    last: int | None = None
    step: int = 1
    access: str = ""
    # The option whose operand is the database of these keys (COPY ... DB n); without it, the client's database.
    database: bytes = b""

    def positions(self, argv: Sequence[bytes]) -> Sequence[int]:
        last = self.first if self.last is None else self.last
        if last < 0:
            last += len(argv)
        return range(self.first, min(last, len(argv) - 1) + 1, self.step)


class NumKeys(NamedTuple):
    """Keys that follow their own count, which stands at index `at`."""

    at: int
    access: str = ""

    def positions(self, argv: Sequence[bytes]) -> Sequence[int]:
        try:
            count = int(argv[self.at])
        except (ValueError, IndexError):
            return ()  # the handler will complain; which shard says it does not matter
        if count <= 0 or self.at + count >= len(argv):
            return ()
        return range(self.at + 1, self.at + 1 + count)


class KeyFinder(NamedTuple):
    """Keys at places that only a function can tell (SORT ... STORE, MIGRATE ... KEYS)."""

    find: Callable[[Sequence[bytes]], list[int]]
    access: str = ""

    def positions(self, argv: Sequence[bytes]) -> Sequence[int]:
        return self.find(argv)


KeySpec = Keys | NumKeys | KeyFinder


class Part(NamedTuple):
    """The answer of one shard to its part of a split command."""

    reply: Any
    positions: list[int]  # the indexes of its keys in the words of the whole command


Gather = Callable[[list[Part]], Reply]


def total(parts: list[Part]) -> Reply:
    """Counts add up (DEL, EXISTS, DBSIZE)."""
    return sum(int(part.reply) for part in parts)


def all_succeeded(parts: list[Part]) -> Reply:
    """Every shard says OK (FLUSHALL, MSET); that it did travels without a word."""
    return OK


def concatenated(parts: list[Part]) -> Reply:
    """Lists one after the other (KEYS)."""
    return list(chain.from_iterable(part.reply for part in parts))


def in_key_order(parts: list[Part]) -> Reply:
    """One element a key, put back into the order of the keys, which are all words from the first on (MGET)."""
    first = min(part.positions[0] for part in parts)
    merged: list[Reply] = [None] * (first + sum(len(part.positions) for part in parts))
    for part in parts:
        for position, item in zip(part.positions, part.reply, strict=True):
            merged[position] = item
    return merged[first:]


Handler = Callable[[Any, Any], Any]

# Whether a call, given its words, may use keys that it does not name (SORT ... BY).
Roams = Callable[[Sequence[bytes]], bool]
H = TypeVar("H", bound=Handler)


class Command:
    """One row of the table. `name` is in upper case; a subcommand is ``CONFIG GET``, its wire name ``config|get``."""

    __slots__ = (
        "arity",
        "categories",
        "first_key",
        "flags",
        "gather",
        "group",
        "handler",
        "keys",
        "max_words",
        "min_words",
        "name",
        "reach",
        "roams",
        "since",
        "step",
        "subcommands",
        "summary",
        "syntax",
        "tips",
        "wire_name",
    )

    def __init__(
        self,
        name: str,
        handler: Handler,
        arity: int,
        keys: tuple[KeySpec, ...],
        flags: Flag,
        gather: Gather | None,
        reach: Reach,
        roams: Roams | None,
        since: str,
        group: str,
        syntax: str,
        categories: tuple[str, ...],
        tips: tuple[str, ...],
    ) -> None:
        self.name = name
        self.wire_name = name.lower().replace(" ", "|")
        self.handler = handler
        self.arity = arity
        self.min_words = abs(arity)
        self.max_words = arity if arity >= 0 else 1 << 62
        self.keys = keys
        # The router's fast path: the one key of a single-key command, 0 for everything that needs a closer look.
        fixed = keys[0] if len(keys) == 1 and isinstance(keys[0], Keys) and keys[0].last is None else None
        self.first_key = fixed.first if fixed is not None and reach is Reach.KEYS and roams is None else 0
        # Words that come in groups up to the end (MSET key value ...); an odd word is the handler's to refuse.
        open_ended = len(keys) == 1 and isinstance(keys[0], Keys) and keys[0].last == -1
        self.step = keys[0].step if open_ended else 1  # type: ignore[union-attr]  # it is Keys then
        self.flags = flags | (MOVABLEKEYS if any(not isinstance(k, Keys) for k in keys) else NO_FLAGS)
        self.gather = gather
        self.reach = reach
        self.roams = roams
        self.since = since
        self.group = group
        self.syntax = syntax
        self.categories = categories
        self.tips = tips
        self.summary = (handler.__doc__ or "").strip().split("\n", 1)[0]
        self.subcommands: dict[bytes, Command] = {}

    def __repr__(self) -> str:
        return f"<Command {self.name}>"

    def accepts(self, count: int) -> bool:
        """Whether `count` words, the name included, satisfy the arity."""
        return self.min_words <= count <= self.max_words

    def key_positions(self, argv: Sequence[bytes]) -> list[int]:
        """Indexes into `argv` of all its keys, in order of the specifications."""
        return list(chain.from_iterable([spec.positions(argv) for spec in self.keys]))

    def key_databases(self, argv: Sequence[bytes], current: int) -> dict[int, int]:
        """Index into `argv` of each key -> the database it is in, for a client whose database is `current`."""
        databases = {}
        for spec in self.keys:
            option = spec.database if isinstance(spec, Keys) else b""
            database = _operand(argv, option, current) if option else current
            databases.update(dict.fromkeys(spec.positions(argv), database))
        return databases


def _operand(argv: Sequence[bytes], option: bytes, default: int) -> int:
    """The number behind the last `option`; `default` where there is none: the handler will say what is wrong."""
    for at in range(len(argv) - 2, 0, -1):
        if argv[at].upper() == option and argv[at + 1].isdigit() and len(argv[at + 1]) < 10:
            return int(argv[at + 1])
    return default


TABLE: dict[bytes, Command] = {}


def command(
    name: str,
    *,
    arity: int,
    flags: Flag = NO_FLAGS,
    keys: KeySpec | tuple[KeySpec, ...] = (),
    gather: Gather | None = None,
    roams: Roams | None = None,
    reach: Reach | None = None,
    since: str,
    group: str,
    syntax: str = "",
    categories: tuple[str, ...] = (),
    tips: tuple[str, ...] = (),
) -> Callable[[H], H]:
    """Register the function below as the handler of `name`.

    `gather` says how the parts of a command merge that may be cut up by key; without it, a command whose keys sit on
    several shards is carried. `roams` tells of a call that may use keys it does not name: it is carried with a barrier
    over all shards, and its handler asks for such keys by `Shard.require`. `reach` follows from `keys` and need be
    given only for ALL and CURSOR. `categories` are ACL categories beyond those that flags and group imply. The first
    line of the docstring is the summary in the docs.
    """

    def register(handler: H) -> H:
        specs = keys if isinstance(keys, tuple) and not isinstance(keys, (Keys, NumKeys, KeyFinder)) else (keys,)
        where = reach or (Reach.KEYS if specs else Reach.LOCAL)
        row = Command(name, handler, arity, specs, flags, gather, where, roams, since, group, syntax, categories, tips)
        container, _, subcommand = name.encode().partition(b" ")
        if subcommand:
            TABLE[container].subcommands[subcommand] = row
        else:
            TABLE[container] = row
        return handler

    return register


def lookup(argv: Sequence[bytes]) -> Command:
    """The row that `argv` calls, the number of words checked. Raises CommandError as Redis words it."""
    row = find_row(argv)
    if not row.accepts(len(argv)):
        raise errors.wrong_arity(row.wire_name)
    return row


def find_row(argv: Sequence[bytes]) -> Command:
    """The row that `argv` calls, by its name. Raises CommandError."""
    row = TABLE.get(argv[0]) or TABLE.get(argv[0].upper())
    if row is None:
        raise errors.unknown_command(list(argv))
    if row.subcommands and len(argv) > 1:
        subcommand = row.subcommands.get(argv[1]) or row.subcommands.get(argv[1].upper())
        if subcommand is None:
            raise errors.unknown_subcommand(row.name, argv[1])
        row = subcommand
    return row


def container(name: str, *, arity: int = -2, flags: Flag = NO_FLAGS, since: str, group: str) -> Callable[[H], H]:
    """Declare a command that only holds subcommands (OBJECT, CONFIG ...); the function below is never called."""
    return command(name, arity=arity, flags=flags, reach=Reach.LOCAL, since=since, group=group)
