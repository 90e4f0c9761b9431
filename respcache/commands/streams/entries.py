"""Adding and removing entries: XADD, XDEL, XTRIM, XLEN, XSETID."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from respcache.commands.streams.ids import format_id, parse_id, parse_new_id
from respcache.commands.table import DELETE, DENYOOM, EXAMINE, FAST, READONLY, UPDATE, WRITE, family
from respcache.commands.table.tips import RANDOM_OUTPUT
from respcache.datatypes.stream import Stream
from respcache.datatypes.stream_ids import MAX_ID, MAX_PART, MIN_ID, StreamID
from respcache.errors import (
    ENTRIES_ADDED_NEGATIVE,
    LIMIT_WITHOUT_STRATEGY,
    LIMIT_WITHOUT_TILDE,
    MAXLEN_AND_MINID,
    NO_SUCH_KEY,
    TRIM_LIMIT_NEGATIVE,
    TRIM_MAXLEN_NEGATIVE,
    XADD_ID_TOO_SMALL,
    XADD_ID_ZERO,
    XADD_IDS_EXHAUSTED,
    XADD_TOO_LARGE,
    XSETID_BELOW_DELETED,
    XSETID_BELOW_GIVEN_DELETED,
    XSETID_BELOW_LENGTH,
    XSETID_BELOW_TOP,
    XTRIM_WITHOUT_STRATEGY,
    CommandError,
    WrongSyntax,
    wrong_arity,
)
from respcache.resp.types import OK, Reply
from respcache.store.shard import Event, Shard

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.datatypes.limits import Limits

command = family("stream")

_TRIM = "<MAXLEN | MINID> [= | ~] threshold [LIMIT count]"

# Without LIMIT, an approximate trimming removes up to this many full nodes, and at most `_MOST_TRIMMED` entries.
_NODES_TRIMMED = 100
_MOST_TRIMMED = 1_000_000
# The same where nodes have no maximum of entries.
_TRIMMED = 10_000


class _Trim(NamedTuple):
    """What to remove from the head of a stream."""

    # The entries to keep (MAXLEN), or the lowest id to keep (MINID).
    by_id: bool
    threshold: int
    # Whether only whole nodes are removed.
    approximate: bool
    # The most entries to remove, 0 for no limit.
    limit: int

    def apply(self, stream: Stream) -> int:
        """Trim the stream; how many entries are gone."""
        trim = stream.trim_below if self.by_id else stream.trim_to_length
        return trim(self.threshold, whole_nodes=self.approximate, limit=self.limit)


class _Options:
    """The options of XADD, which end at the id, or those of XTRIM, which are all of its words."""

    __slots__ = ("_adding", "_approximate", "_by_id", "_limit", "_threshold", "automatic", "create", "id", "trim")

    def __init__(self, *, adding: bool) -> None:
        self._adding = adding
        self._by_id: bool | None = None  # None without a strategy
        self._threshold, self._approximate = 0, False
        self._limit: int | None = None
        # XADD: whether a missing stream is created.
        self.create = True
        # XADD: the id, None for ``*``; and whether its sequence number is left to the server.
        self.id: StreamID | None = None
        self.automatic = True
        # What to do after the entry was added.
        self.trim: _Trim | None = None

    def take(self, args: Args, limits: Limits) -> _Options:
        """These options as they are given. Raises CommandError."""
        while len(args) and self._take_option(args):
            pass
        self.trim = self._checked_trim(limits)
        return self

    def _take_option(self, args: Args) -> bool:
        """Take one option. False if it was the id, which ends them."""
        word = args.next()
        option = word.upper()
        if self._adding and word == b"*":
            return False
        if option in (b"MAXLEN", b"MINID") and len(args):
            self._take_strategy(args, by_id=option == b"MINID")
        elif option == b"LIMIT" and len(args):
            self._limit = args.int()
            if self._limit < 0:
                raise CommandError(TRIM_LIMIT_NEGATIVE)
        elif not self._adding:
            raise WrongSyntax
        elif option == b"NOMKSTREAM":
            self.create = False
        else:
            self.id, self.automatic = parse_new_id(word)
            return False
        return True

    def _take_strategy(self, args: Args, *, by_id: bool) -> None:
        if self._by_id is not None:
            raise CommandError(MAXLEN_AND_MINID)
        self._by_id = by_id
        if len(args) > 1 and args.flag(b"~"):
            self._approximate = True
        elif len(args) > 1:
            args.flag(b"=")
        self._threshold = parse_id(args.next()) if by_id else args.int()
        if self._threshold < 0:
            raise CommandError(TRIM_MAXLEN_NEGATIVE)

    def _checked_trim(self, limits: Limits) -> _Trim | None:
        if self._by_id is None:
            if self._limit:
                raise CommandError(LIMIT_WITHOUT_STRATEGY)
            if not self._adding:
                raise CommandError(XTRIM_WITHOUT_STRATEGY)
        if self._limit is not None and not self._approximate:
            raise CommandError(LIMIT_WITHOUT_TILDE)
        if self._by_id is None:
            return None
        if self._limit is None:
            most = _NODES_TRIMMED * limits.stream_node_max_entries or _TRIMMED
            self._limit = min(most, _MOST_TRIMMED) if self._approximate else 0
        return _Trim(self._by_id, self._threshold, self._approximate, self._limit)


# Those of ``XADD key *``.
_NO_OPTIONS = _Options(adding=True)


@command(
    "XADD",
    f"key [NOMKSTREAM] [{_TRIM}] <* | id> field value [field value ...]",
    arity=-5,
    keys=UPDATE,
    flags=WRITE | DENYOOM | FAST,
    since="5.0.0",
    tips=RANDOM_OUTPUT,
)
def xadd(shard: Shard, args: Args) -> Reply:
    """Append an entry to a stream, creating it if need be, and return the entry's id."""
    key = args.next()
    options = _NO_OPTIONS if args.flag(b"*") else _Options(adding=True).take(args, shard.limits)
    fields = args.rest()
    if len(fields) < 2 or len(fields) % 2:
        raise wrong_arity("xadd")
    if options.id == MIN_ID and not options.automatic:
        raise CommandError(XADD_ID_ZERO)

    stream = shard.obtain(key, Stream) if options.create else shard.edit(key, Stream)
    if stream is None:
        return None
    id = _new_id(stream, options, shard.now)

    try:
        stream.append(id, fields)
    except OverflowError:
        raise CommandError(XADD_TOO_LARGE) from None
    shard.changed(key, stream, Event.STREAM, b"xadd")
    if options.trim is not None and options.trim.apply(stream):
        shard.notify(Event.STREAM, b"xtrim", key)
    return format_id(id)


def _new_id(stream: Stream, options: _Options, now: int) -> StreamID:
    """The id of the entry to add. Raises CommandError."""
    last = stream.last_id
    if last == MAX_ID:
        raise CommandError(XADD_IDS_EXHAUSTED)
    id = options.id
    if id is None:
        return stream.next_id(now)
    if options.automatic and last >> 64 == id >> 64:
        id = last + 1 if last & MAX_PART < MAX_PART else last
    if id <= last:
        raise CommandError(XADD_ID_TOO_SMALL)
    return id


@command("XDEL", "key id [id ...]", arity=-3, keys=DELETE, flags=WRITE | FAST, since="5.0.0")
def xdel(shard: Shard, args: Args) -> Reply:
    """Remove entries from a stream, and count them."""
    key = args.next()
    stream = shard.edit(key, Stream)
    if stream is None:
        return 0
    ids = list(map(parse_id, args.rest()))
    deleted = sum(map(stream.delete, ids))
    if deleted:
        shard.changed(key, stream, Event.STREAM, b"xdel")
    return deleted


@command("XTRIM", f"key <{_TRIM}>", arity=-4, keys=DELETE, flags=WRITE, since="5.0.0", tips=RANDOM_OUTPUT)
def xtrim(shard: Shard, args: Args) -> Reply:
    """Remove entries from the head of a stream, and count them."""
    key = args.next()
    trim = _Options(adding=False).take(args, shard.limits).trim
    stream = shard.edit(key, Stream)
    if stream is None or trim is None:
        return 0
    trimmed = trim.apply(stream)
    if trimmed:
        shard.changed(key, stream, Event.STREAM, b"xtrim")
    return trimmed


@command("XLEN", "key", arity=2, keys=EXAMINE, flags=READONLY | FAST, since="5.0.0")
def xlen(shard: Shard, args: Args) -> Reply:
    """Return the number of entries of a stream."""
    stream = shard.find(args.next(), Stream)
    return 0 if stream is None else len(stream)


@command(
    "XSETID",
    "key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
    arity=-3,
    keys=UPDATE,
    flags=WRITE | DENYOOM | FAST,
    since="5.0.0",
)
def xsetid(shard: Shard, args: Args) -> Reply:
    """Set what a stream remembers of its entries: its last id, perhaps its counter and its highest deleted id."""
    key, last_id = args.next(), parse_id(args.next())
    added, deleted = None, MIN_ID
    while len(args):
        option = args.option()
        if option == b"ENTRIESADDED" and len(args):
            added = args.int()
            if added < 0:
                raise CommandError(ENTRIES_ADDED_NEGATIVE)
        elif option == b"MAXDELETEDID" and len(args):
            deleted = parse_id(args.next())
            if last_id < deleted:
                raise CommandError(XSETID_BELOW_GIVEN_DELETED)
        else:
            raise WrongSyntax

    stream = shard.edit(key, Stream)
    if stream is None:
        raise CommandError(NO_SUCH_KEY)
    if last_id < stream.max_deleted_id:
        raise CommandError(XSETID_BELOW_DELETED)
    if last_id < stream.last_entry_id:
        raise CommandError(XSETID_BELOW_TOP)
    if added is not None and added < len(stream):
        raise CommandError(XSETID_BELOW_LENGTH)

    stream.last_id = last_id
    if added is not None:
        stream.entries_added = added
    if deleted != MIN_ID:
        stream.max_deleted_id = deleted
    shard.noted(key, Event.STREAM, b"xsetid")
    return OK
