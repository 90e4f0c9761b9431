"""Lists: LPUSH to LMPOP. Those that block are in `blocking`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.table import (
    DELETE,
    DENYOOM,
    EXAMINE,
    FAST,
    INSERT,
    READ,
    READONLY,
    TAKE,
    UPDATE,
    WRITE,
    NumKeys,
    family,
)
from respcache.datatypes.list import List
from respcache.errors import (
    BEYOND_INT64,
    COUNT_NEGATIVE,
    COUNT_NOT_POSITIVE,
    INDEX_OUT_OF_RANGE,
    MAXLEN_NEGATIVE,
    NO_SUCH_KEY,
    NOT_POSITIVE,
    NUMKEYS_NOT_POSITIVE,
    RANK_ZERO,
    CommandError,
    WrongSyntax,
    wrong_arity,
)
from respcache.resp.types import NULL_ARRAY, OK, Reply
from respcache.store.shard import Event, Shard

if TYPE_CHECKING:
    from respcache.commands.args import Args

command = family("list")


@command("LPUSH", "key element [element ...]", arity=-3, keys=INSERT, flags=WRITE | DENYOOM | FAST, since="1.0.0")
def lpush(shard: Shard, args: Args) -> Reply:
    """Prepend elements to a list, creating it if need be."""
    key, elements = args.next(), args.rest()
    items = shard.obtain(key, List)
    items.extendleft(elements)
    shard.changed(key, items, Event.LIST, b"lpush")
    return len(items)


@command("RPUSH", "key element [element ...]", arity=-3, keys=INSERT, flags=WRITE | DENYOOM | FAST, since="1.0.0")
def rpush(shard: Shard, args: Args) -> Reply:
    """Append elements to a list, creating it if need be."""
    key, elements = args.next(), args.rest()
    items = shard.obtain(key, List)
    items.extend(elements)
    shard.changed(key, items, Event.LIST, b"rpush")
    return len(items)


@command("LPUSHX", "key element [element ...]", arity=-3, keys=INSERT, flags=WRITE | DENYOOM | FAST, since="2.2.0")
def lpushx(shard: Shard, args: Args) -> Reply:
    """Prepend elements to a list that exists."""
    key, elements = args.next(), args.rest()
    items = shard.edit(key, List)
    if items is None:
        return 0
    items.extendleft(elements)
    shard.changed(key, items, Event.LIST, b"lpush")
    return len(items)


@command("RPUSHX", "key element [element ...]", arity=-3, keys=INSERT, flags=WRITE | DENYOOM | FAST, since="2.2.0")
def rpushx(shard: Shard, args: Args) -> Reply:
    """Append elements to a list that exists."""
    key, elements = args.next(), args.rest()
    items = shard.edit(key, List)
    if items is None:
        return 0
    items.extend(elements)
    shard.changed(key, items, Event.LIST, b"rpush")
    return len(items)


@command("LPOP", "key [count]", arity=-2, keys=TAKE, flags=WRITE | FAST, since="1.0.0")
def lpop(shard: Shard, args: Args) -> Reply:
    """Remove and return the first elements of a list."""
    return _pop_command(shard, args, head=True)


@command("RPOP", "key [count]", arity=-2, keys=TAKE, flags=WRITE | FAST, since="1.0.0")
def rpop(shard: Shard, args: Args) -> Reply:
    """Remove and return the last elements of a list."""
    return _pop_command(shard, args, head=False)


def _pop_command(shard: Shard, args: Args, *, head: bool) -> Reply:
    if len(args) > 2:
        raise wrong_arity("lpop" if head else "rpop")
    key = args.next()
    count = args.int(NOT_POSITIVE, low=0) if len(args) else None

    items = shard.edit(key, List)
    if items is None:
        return None if count is None else NULL_ARRAY
    if count is None:
        return take(shard, key, items, 1, head)[0]
    return list(take(shard, key, items, count, head)) if count else []


def take(shard: Shard, key: bytes, items: List, count: int, head: bool) -> list[bytes]:
    """Remove up to `count` elements of the list at `key` from one end."""
    taken = items.take(count, last=not head)
    shard.changed(key, items, Event.LIST, b"lpop" if head else b"rpop")
    return taken


@command("LLEN", "key", arity=2, keys=EXAMINE, flags=READONLY | FAST, since="1.0.0")
def llen(shard: Shard, args: Args) -> Reply:
    """Return the length of a list."""
    return len(shard.find(args.next(), List) or ())


@command("LINDEX", "key index", arity=3, keys=READ, flags=READONLY, since="1.0.0")
def lindex(shard: Shard, args: Args) -> Reply:
    """Return the element at an index."""
    key = args.next()
    items = shard.find(key, List)
    if items is None:
        return None
    try:
        return items[args.int()]
    except IndexError:
        return None


@command("LSET", "key index element", arity=4, keys=UPDATE, flags=WRITE | DENYOOM, since="1.0.0")
def lset(shard: Shard, args: Args) -> Reply:
    """Replace the element at an index."""
    key = args.next()
    items = shard.edit(key, List)
    if items is None:
        raise CommandError(NO_SUCH_KEY)
    index, element = args.int(), args.next()
    try:
        items[index] = element
    except IndexError:
        shard.marked(key)
        raise CommandError(INDEX_OUT_OF_RANGE) from None
    shard.changed(key, items, Event.LIST, b"lset")
    return OK


def _bounds(start: int, stop: int, length: int) -> tuple[int, int]:
    """Redis' inclusive, possibly negative range as Python's half-open one; an empty range has start >= stop."""
    start = max(start + length, 0) if start < 0 else start
    stop = stop + length if stop < 0 else stop
    return start, min(stop + 1, length)


@command("LRANGE", "key start stop", arity=4, keys=READ, flags=READONLY, since="1.0.0")
def lrange(shard: Shard, args: Args) -> Reply:
    """Return a range of elements."""
    key, start, stop = args.next(), args.int(), args.int()
    items = shard.find(key, List)
    if items is None:
        return []
    return items.slice(*_bounds(start, stop, len(items)))


@command("LTRIM", "key start stop", arity=4, keys=DELETE, flags=WRITE, since="1.0.0")
def ltrim(shard: Shard, args: Args) -> Reply:
    """Keep a range of elements, and remove the others."""
    key, start, stop = args.next(), args.int(), args.int()
    items = shard.edit(key, List)
    if items is not None:
        low, high = _bounds(start, stop, len(items))
        items.trim(low, high) if low < high else items.trim(0, 0)
        shard.changed(key, items, Event.LIST, b"ltrim")
    return OK


@command("LINSERT", "key <BEFORE | AFTER> pivot element", arity=5, keys=INSERT, flags=WRITE | DENYOOM, since="2.2.0")
def linsert(shard: Shard, args: Args) -> Reply:
    """Insert an element before or after another one."""
    key, where, pivot, element = args.next(), args.option(), args.next(), args.next()
    if where not in (b"BEFORE", b"AFTER"):
        raise WrongSyntax

    items = shard.edit(key, List)
    if items is None:
        return 0
    items.expect((element,))
    index = next((i for i, candidate in enumerate(items) if candidate == pivot), None)
    if index is None:
        shard.marked(key)
        return -1
    items.insert(index + (where == b"AFTER"), element)
    shard.changed(key, items, Event.LIST, b"linsert")
    return len(items)


@command("LREM", "key count element", arity=4, keys=DELETE, flags=WRITE, since="1.0.0")
def lrem(shard: Shard, args: Args) -> Reply:
    """Remove the occurrences of an element: the first `count`, the last ones if negative, all if 0."""
    key, count, element = args.next(), args.int(), args.next()
    items = shard.edit(key, List)
    if items is None:
        return 0
    removed = items.remove(element, count)
    if removed:
        shard.changed(key, items, Event.LIST, b"lrem")
    return removed


@command(
    "LPOS",
    "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
    arity=-3,
    keys=READ,
    flags=READONLY,
    since="6.0.6",
)
def lpos(shard: Shard, args: Args) -> Reply:
    """Return the indexes at which an element stands."""
    key, element = args.next(), args.next()
    rank, count, max_length = 1, None, 0
    while len(args):
        option = args.option()
        if not len(args):
            raise WrongSyntax
        if option == b"RANK":
            rank = args.int(range_error=BEYOND_INT64, low=-((1 << 63) - 1))
            if rank == 0:
                raise CommandError(RANK_ZERO)
        elif option == b"COUNT":
            count = args.int(COUNT_NEGATIVE, low=0)
        elif option == b"MAXLEN":
            max_length = args.int(MAXLEN_NEGATIVE, low=0)
        else:
            raise WrongSyntax

    items = shard.find(key, List)
    found = _positions(items, element, rank, 1 if count is None else count, max_length) if items else []
    if count is None:
        return found[0] if found else None
    return found


def _positions(items: List, element: bytes, rank: int, count: int, max_length: int) -> list[int]:
    """Indexes of the matches from the `rank`-th on (from the end if negative); `count` and `max_length` 0 mean all."""
    skip = abs(rank) - 1
    found: list[int] = []
    for step, candidate in enumerate(reversed(items) if rank < 0 else items):
        if max_length and step >= max_length:
            break
        if candidate != element:
            continue
        if skip:
            skip -= 1
            continue
        found.append(len(items) - 1 - step if rank < 0 else step)
        if len(found) == count:
            break
    return found


def side(word: bytes) -> bool:
    """Whether LEFT or RIGHT means the head of the list."""
    if word not in (b"LEFT", b"RIGHT"):
        raise WrongSyntax
    return word == b"LEFT"


@command(
    "LMOVE",
    "source destination <LEFT | RIGHT> <LEFT | RIGHT>",
    arity=5,
    keys=(TAKE, INSERT.at(2)),
    flags=WRITE | DENYOOM,
    since="6.2.0",
)
def lmove(shard: Shard, args: Args) -> Reply:
    """Move an element from an end of one list to an end of another, and return it."""
    source, destination = args.next(), args.next()
    return move(shard, source, destination, side(args.option()), side(args.option()))


@command("RPOPLPUSH", "source destination", arity=3, keys=(TAKE, INSERT.at(2)), flags=WRITE | DENYOOM, since="1.2.0")
def rpoplpush(shard: Shard, args: Args) -> Reply:
    """Move the last element of one list to the head of another, and return it."""
    return move(shard, args.next(), args.next(), from_head=False, to_head=True)


def move(shard: Shard, source: bytes, destination: bytes, from_head: bool, to_head: bool) -> Reply:
    """Move an element; None if there is no list at `source`."""
    items = shard.edit(source, List)
    if items is None:
        return None
    target = items if source == destination else shard.obtain(destination, List)
    element = items.popleft() if from_head else items.pop()
    if to_head:
        target.extendleft((element,))
    else:
        target.extend((element,))
    items.shrink()
    # Redis pushes first and removes an empty source last, and so sends its events in that order.
    shard.changed(destination, target, Event.LIST, b"lpush" if to_head else b"rpush")
    shard.changed(source, items, Event.LIST, b"lpop" if from_head else b"rpop")
    return element


@command(
    "LMPOP",
    "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    arity=-4,
    keys=NumKeys(1, access="RW ACCESS DELETE"),
    by_key=True,
    flags=WRITE,
    since="7.0.0",
)
def lmpop(shard: Shard, args: Args) -> Reply:
    """Remove and return elements of the first list that is not empty."""
    keys, head, count = take_lmpop(args)
    return pop_from_first(shard, keys, head, count) or NULL_ARRAY


def take_lmpop(args: Args) -> tuple[list[bytes], bool, int]:
    """The words of LMPOP from `numkeys` on: keys, whether to take from the head, how many. Raises CommandError."""
    number = args.int(NUMKEYS_NOT_POSITIVE, low=1)
    if number >= len(args):
        raise WrongSyntax
    keys, head, count = [args.next() for _ in range(number)], side(args.option()), None
    while len(args):
        if args.option() != b"COUNT" or count is not None or not len(args):
            raise WrongSyntax
        count = args.int(COUNT_NOT_POSITIVE, low=1)
    return keys, head, count or 1


def pop_from_first(shard: Shard, keys: list[bytes], head: bool, count: int) -> Reply:
    """LMPOP's reply: the first key that has a list, and up to `count` elements of it; None if there is none."""
    for key in keys:
        items = shard.edit(key, List)
        if items is not None:
            return [key, list(take(shard, key, items, count, head))]
    return None
