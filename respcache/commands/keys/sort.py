"""SORT and SORT_RO: the elements of a list, set or sorted set, ordered by themselves or by values of other keys.

Patterns name those other keys: the first ``*`` stands for the element, and what follows ``->`` is a field of a hash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.args import parse_float
from respcache.commands.copies import Copies
from respcache.commands.table import DENYOOM, READ, READONLY, WRITE, KeyFinder, family
from respcache.datatypes.hash import Hash
from respcache.datatypes.list import List
from respcache.datatypes.set import Set
from respcache.datatypes.zset import ZSet
from respcache.errors import SCORES_NOT_FLOATS, CommandError, WrongSyntax, WrongType
from respcache.resp.types import Reply
from respcache.store.shard import Event, Shard

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.resp.types import Argv

command = family("generic")

CATEGORIES = ("set", "sortedset", "list", "dangerous")

# How many words follow each option that is not STORE.
_OPERANDS = {b"LIMIT": 2, b"BY": 1, b"GET": 1}
_SYNTAX = "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]"


def _store_position(argv: Argv) -> list[int]:
    """Where the destination is: after the last STORE that is not an operand of another option."""
    found: list[int] = []
    at = 2
    while at < len(argv):
        option = argv[at].upper()
        if option == b"STORE" and at + 1 < len(argv):
            at += 1
            found = [at]
        at += 1 + _OPERANDS.get(option, 0)
    return found


def _unknown_positions(argv: Argv) -> list[int]:
    """BY and GET read keys that no word of the command names; COMMAND INFO has a specification for them."""
    return []


KEYS = (READ, KeyFinder(_unknown_positions, access="RO ACCESS"))


def _has_patterns(argv: Argv) -> bool:
    """Whether BY or GET name keys by a pattern: only the elements tell which keys."""
    return any(b"*" in word for word in argv[3:])


class _Request:
    """The options of one SORT."""

    __slots__ = ("alpha", "by", "count", "descending", "gets", "start", "store")

    def __init__(self, args: Args, *, may_store: bool) -> None:
        """Raises CommandError."""
        self.by: bytes | None = None
        self.gets: list[bytes] = []
        self.start, self.count = 0, -1  # count < 0: all
        self.descending = self.alpha = False
        self.store: bytes | None = None
        while len(args):
            self._take_option(args, may_store)

    def _take_option(self, args: Args, may_store: bool) -> None:
        match args.option():
            case b"ASC":
                self.descending = False
            case b"DESC":
                self.descending = True
            case b"ALPHA":
                self.alpha = True
            case b"LIMIT" if len(args) >= 2:
                self.start, self.count = args.int(), args.int()
            case b"STORE" if may_store:
                self.store = args.next()
            case b"BY":
                self.by = args.next()
            case b"GET":
                self.gets.append(args.next())
            case _:
                raise WrongSyntax

    def bounds(self, size: int) -> tuple[int, int]:
        """Which of `size` elements LIMIT chooses, half-open."""
        start = min(max(self.start, 0), size)
        return start, size if self.count < 0 else min(start + self.count, size)

    @property
    def sorts(self) -> bool:
        """A pattern without an asterisk is the same for all elements: a request not to sort."""
        return self.by is None or b"*" in self.by


@command(
    "SORT",
    f"{_SYNTAX} [STORE destination]",
    arity=-2,
    keys=(*KEYS, KeyFinder(_store_position, access="OW UPDATE")),
    roams=_has_patterns,
    flags=WRITE | DENYOOM,
    since="1.0.0",
    categories=CATEGORIES,
)
def sort(shard: Shard, args: Args) -> Reply:
    """Sort the elements of a list, a set or a sorted set; return or store them."""
    key, request = args.next(), _Request(args, may_store=True)
    rows = _sorted(shard, key, request)
    if request.store is None:
        return rows

    if rows:
        stored = List.sorted_result(shard.limits, [b"" if row is None else row for row in rows])
        shard.put(request.store, stored, Event.LIST, b"sortstore")
    else:
        shard.delete(request.store)
    return len(rows)


@command(
    "SORT_RO", _SYNTAX, arity=-2, keys=KEYS, roams=_has_patterns, flags=READONLY, since="7.0.0", categories=CATEGORIES
)
def sort_ro(shard: Shard, args: Args) -> Reply:
    """Return the elements of a list, a set or a sorted set in order."""
    return _sorted(shard, args.next(), _Request(args, may_store=False))


def _sorted(shard: Shard, key: bytes, request: _Request) -> list[bytes | None]:
    """What SORT returns: one item for each element, or one for each GET of each element."""
    value = shard.look(key)
    if value is not None and type(value) not in (List, Set, ZSet):
        raise WrongType
    if isinstance(value, ZSet):
        value.end_listpack()  # a quirk of Redis, even for SORT_RO: SORT z, OBJECT ENCODING z
        shard.marked(key)
    start, stop = request.bounds(0 if value is None else len(value))
    if request.sorts or type(value) is Set:
        elements: list[bytes] = [] if value is None else list(value)
        if request.sorts:
            _order(shard, elements, request)
        elif request.store is not None:
            # A set has no order to keep. A result that is stored is sorted, so that it is always the same.
            elements.sort(reverse=request.descending)
        chosen = elements[start:stop]
    else:
        chosen = _slice(value, start, stop, descending=request.descending)
    if not request.gets:
        return list(chosen)
    shard.require(key for key, _ in (_source(p, e) for p in request.gets for e in chosen) if key)
    copies = Copies() if request.store is None else None
    return [_look_up(shard, pattern, element, copies) for element in chosen for pattern in request.gets]


def _slice(value: List | ZSet | None, start: int, stop: int, *, descending: bool) -> list[bytes]:
    """Elements start..stop-1 in the order that they have, or backwards, without touching the others."""
    if value is None or start >= stop:
        return []
    if descending:
        start, stop = len(value) - stop, len(value) - start
    if isinstance(value, ZSet):
        return [member for member, _ in value.slice(start, stop, reverse=descending)]
    found = value.slice(start, stop)
    return found[::-1] if descending else found


def _order(shard: Shard, elements: list[bytes], request: _Request) -> None:
    """Sort in place, by the values that BY names, or by the elements themselves.

    Text is compared byte by byte: Redis collates by the locale of its process, which by default does the same.
    """
    by = request.by
    if by is None:
        if request.alpha:
            elements.sort(reverse=request.descending)
        else:
            elements.sort(key=lambda element: (_number(element), element), reverse=request.descending)
        return

    shard.require(key for key, _ in (_source(by, e) for e in elements) if key)
    weights = {element: _look_up(shard, by, element) for element in elements}
    if request.alpha:
        # Elements without a weight come first, in their order.
        elements.sort(key=lambda e: (weights[e] is not None, weights[e] or b""), reverse=request.descending)
    else:
        numbers = {e: 0.0 if weight is None else _number(weight) for e, weight in weights.items()}
        elements.sort(key=lambda e: (numbers[e], e), reverse=request.descending)


def _number(text: bytes) -> float:
    """A weight as C's strtod reads it: leading blanks are skipped, and an empty text is zero. Raises CommandError."""
    value = parse_float(text.lstrip()) if text else 0.0
    # A number beyond all doubles is an error for strtod, and infinity for Python.
    if value is None or (value in (float("inf"), float("-inf")) and b"n" not in text.lower()):
        raise CommandError(SCORES_NOT_FLOATS)
    return value


def _source(pattern: bytes, element: bytes) -> tuple[bytes, bytes]:
    """The key, and the field of its hash if any, that a pattern names for an element; no key if it names none."""
    before, asterisk, after = pattern.partition(b"*")
    if not asterisk:
        return b"", b""
    name, _, field = after.partition(b"->")
    if not field:  # "key_*->" is a key whose name ends in an arrow
        name = after
    return before + element + name, field


def _look_up(shard: Shard, pattern: bytes, element: bytes, copies: Copies | None = None) -> bytes | None:
    """What a pattern stands for with this element: a string, a field of a hash, the element itself, or None.

    `copies`: those of the reply that it is for.
    """
    if pattern == b"#":
        return element
    key, field = _source(pattern, element)
    if b"*" not in pattern:
        return None
    value = shard.look(key)
    if field:
        return value.get(field) if type(value) is Hash else None
    if type(value) is bytearray:
        return bytes(value) if copies is None else copies.of(value)
    return value if type(value) is bytes else None
