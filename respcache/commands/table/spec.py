"""A row of the table: everything that is known about one command."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, IntFlag
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from respcache.commands.table.keys import Keys

if TYPE_CHECKING:
    from respcache.commands.table.gather import Gather
    from respcache.commands.table.keys import KeySpec
    from respcache.resp.types import Argv


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
ASKING = Flag.ASKING
NO_AUTH, NO_MULTI, ALLOW_BUSY, PROTECTED = Flag.NO_AUTH, Flag.NO_MULTI, Flag.ALLOW_BUSY, Flag.PROTECTED
MOVABLEKEYS, NO_ASYNC_LOADING, MAY_REPLICATE = Flag.MOVABLEKEYS, Flag.NO_ASYNC_LOADING, Flag.MAY_REPLICATE
NO_FLAGS = Flag(0)


class Reach(Enum):
    """Where a command runs (see docs/concepts/architecture.md)."""

    LOCAL = "local"  # main answers by itself
    HELD = "held"  # main answers, and the shards of its keys stand still meanwhile (MIGRATE)
    KEYS = "keys"  # the shards of its keys: one, split with `gather`, or carried under a barrier
    ALL = "all"  # a part for every shard, merged with `gather`
    CURSOR = "cursor"  # SCAN: the cursor names the shard
    SCRIPT = "script"  # EVAL, FCALL: what the script may do decides it


# ``(shard, args) -> reply`` in a shard; in the main process ``(client, args) -> reply``, perhaps a coroutine.
Handler = Callable[[Any, Any], Any]

# True if a call with these words may wait (XREAD does only with BLOCK).
Waits = Callable[["Argv"], bool]

# True if a call with these words may use keys that it does not name (SORT ... BY).
Roams = Callable[["Argv"], bool]


class InParts(NamedTuple):
    """How a command runs whose keys, after STREAMS, are on several shards: each of them reads its own.

    Nothing may be read if anything is wrong, and only the shard of a key can tell. So all shards check first, and only
    then they read, under a barrier.

    check: ``(shard, args)`` -> for each key the word to go on with in place of its id, and its error or "".
    find: ``(shard, args)`` -> for each key that has something: its number, its name and its value in the reply.
    """

    check: Callable[[Any, Any], list[tuple[bytes, str]]]
    find: Callable[[Any, Any], list[tuple[int, bytes, Any]]]


class Command:
    """One row of the table. `name` is in upper case; a subcommand is ``CONFIG GET``, its wire name ``config|get``."""

    __slots__ = (
        "arity",
        "blocking",
        "by_key",
        "categories",
        "first_key",
        "flags",
        "for_tests",
        "gather",
        "group",
        "guarded",
        "handler",
        "in_main",
        "in_parts",
        "keys",
        "max_words",
        "min_words",
        "name",
        "protected",
        "reach",
        "roams",
        "since",
        "step",
        "subcommands",
        "summary",
        "syntax",
        "tips",
        "waits",
        "wire_name",
        "words_of_name",
    )

    def __init__(
        self,
        name: str,
        handler: Handler,
        *,
        syntax: str,
        arity: int,
        keys: tuple[KeySpec, ...],
        flags: Flag,
        gather: Gather | None,
        roams: Roams | None,
        waits: Waits,
        in_parts: InParts | None,
        by_key: bool,
        reach: Reach,
        since: str,
        group: str,
        categories: tuple[str, ...],
        tips: tuple[str, ...],
        summary: str,
    ) -> None:
        self.name = name
        self.wire_name = name.lower().replace(" ", "|")
        self.handler = handler
        self.arity = arity
        self.min_words = abs(arity)
        self.max_words = arity if arity >= 0 else 1 << 62
        self.keys = keys
        # The index of the key of a single-key command, 0 if it needs a closer look.
        fixed = keys[0] if len(keys) == 1 and isinstance(keys[0], Keys) and keys[0].last is None else None
        self.first_key = fixed.first if fixed is not None and reach is Reach.KEYS and roams is None else 0
        # The size of the groups that repeat up to the end (MSET key value ...). The handler refuses an incomplete one.
        open_ended = len(keys) == 1 and isinstance(keys[0], Keys) and keys[0].last == -1
        self.step = keys[0].step if open_ended else 1  # type: ignore[union-attr]  # it is Keys then
        self.flags = flags | (Flag.MOVABLEKEYS if any(not isinstance(k, Keys) for k in keys) else NO_FLAGS)
        # Looked at for every command, and a look at an IntFlag takes half a microsecond.
        self.protected = bool(self.flags & Flag.PROTECTED)
        self.for_tests = name.startswith("RESPCACHE ")
        # Only some clients may call it, so each is checked.
        self.guarded = self.protected or self.for_tests
        self.blocking = bool(self.flags & Flag.BLOCKING)
        self.words_of_name = name.count(" ") + 1
        self.gather = gather
        self.reach = reach
        # True if main carries it out.
        self.in_main = reach in (Reach.LOCAL, Reach.HELD)
        self.roams = roams
        self.in_parts = in_parts
        self.waits = waits  # of a blocking command
        self.by_key = by_key
        self.since = since
        self.group = group
        self.syntax = syntax
        self.categories = categories
        self.tips = tips
        self.summary = summary
        self.subcommands: dict[bytes, Command] = {}

    def __repr__(self) -> str:
        return f"<Command {self.name}>"

    def accepts(self, count: int) -> bool:
        """True if `count` words, the name included, satisfy the arity."""
        return self.min_words <= count <= self.max_words

    def key_positions(self, argv: Argv) -> list[int]:
        """Indexes into `argv` of all its keys, in order of the specifications."""
        return list(chain.from_iterable([spec.positions(argv) for spec in self.keys]))

    def key_databases(self, argv: Argv) -> dict[int, int | None]:
        """Index into `argv` of each key -> the database that an option names for it; None: the selected one."""
        databases: dict[int, int | None] = {}
        for spec in self.keys:
            option = spec.database if isinstance(spec, Keys) else b""
            database = _operand(argv, option) if option else None
            databases.update(dict.fromkeys(spec.positions(argv), database))
        return databases


def _operand(argv: Argv, option: bytes) -> int | None:
    """The number after the last `option`; None if there is none, which the handler reports."""
    for at in range(len(argv) - 2, 0, -1):
        if argv[at].upper() == option and argv[at + 1].isdigit() and len(argv[at + 1]) < 10:
            return int(argv[at + 1])
    return None


# All commands, by name in upper case; subcommands are in the row of their container.
TABLE: dict[bytes, Command] = {}
