"""Sets, in the three encodings of Redis 7.2.

| encoding  | holds                   | order                  | becomes                                            |
|-----------|-------------------------|------------------------|----------------------------------------------------|
| intset    | integers only           | by value               | listpack, or hashtable if that would be too big    |
| listpack  | few and short members   | order of insertion     | hashtable                                          |
| hashtable | anything                | undefined              |                                                    |

A set starts as an intset and changes member by member, as in `t_set.c` of Redis 7.2; it changes back only when SPOP
takes nearly everything. Whatever the encoding, `lookup` is a dict with the members as its keys, so that questions about
many members at once can be left to C (`filter(other.lookup.__contains__, members)`).

Intsets and hashtables are an `IndexedSet`, from which single members can be picked at random, and which a cursor can
walk. An intset is sorted when it is iterated.
"""

from __future__ import annotations

from itertools import chain, filterfalse, islice, takewhile
from typing import TYPE_CHECKING, Any

from respcache.datatypes.indexed import IndexedSet
from respcache.datatypes.listpack import is_integer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from random import Random

    from respcache.datatypes.limits import Limits

INTSET, LISTPACK, HASHTABLE = b"intset", b"listpack", b"hashtable"

# SPOP makes a new set of the remaining members if it takes at least this many times as many.
_POP_REMAINDER = 5


class Set:
    """Distinct byte strings."""

    __slots__ = ("_indexed", "_limits", "encoding", "lookup")

    lookup: dict[bytes, Any]
    """A dict with the members as its keys. Read-only for users of the class."""

    def __init__(self, limits: Limits, members: Iterable[bytes] = ()) -> None:
        """A set as SUNIONSTORE and SDIFFSTORE make it: an intset as long as the members allow it, in their order."""
        self._limits = limits
        distinct = dict.fromkeys(members)
        # The rules for single members, applied to all at once. The integers up to the first other member make an
        # intset; if there are too many of them, it is a hashtable, and stays one.
        integers = list(takewhile(is_integer, distinct))
        if len(integers) > limits.set_max_intset_entries:
            self._become(HASHTABLE, distinct)
        elif len(integers) == len(distinct):
            self._become(INTSET, distinct)
        elif _fit_listpack(limits, distinct):
            self._become(LISTPACK, chain(sorted(integers, key=int), islice(distinct, len(integers), None)))
        else:
            self._become(HASHTABLE, distinct)

    @classmethod
    def of_intersection(cls, limits: Limits, members: Iterable[bytes]) -> Set:
        """A set as SINTERSTORE makes it: an intset if possible, else a listpack if possible."""
        distinct = dict.fromkeys(members)
        made = cls(limits)
        if len(distinct) <= limits.set_max_intset_entries and all(map(is_integer, distinct)):
            made._become(INTSET, distinct)
        else:
            made._become(LISTPACK if _fit_listpack(limits, distinct) else HASHTABLE, distinct)
        return made

    def __len__(self) -> int:
        return len(self.lookup)

    def __iter__(self) -> Iterator[bytes]:
        return iter(sorted(self.lookup, key=int) if self.encoding == INTSET else self.lookup)

    def __contains__(self, member: bytes) -> bool:
        return member in self.lookup

    def update(self, members: Sequence[bytes]) -> int:
        """Add them one by one, as SADD does; return how many are new."""
        before = len(self)
        self._prepare(members[0] if members else b"", len(members))
        for at, member in enumerate(members):
            if self.encoding == HASHTABLE and self._indexed is not None:
                # A hashtable stays one: the rest needs no decisions.
                return len(self) - before + sum(map(self._indexed.add, members[at:]))
            if member not in self.lookup:
                self._add(member)
        return len(self) - before

    def discard(self, member: bytes) -> bool:
        """Remove a member; return whether it was there."""
        if self._indexed is not None:
            return self._indexed.discard(member)
        return self.lookup.pop(member, self) is not self  # its values are None

    def choices(self, random: Random, count: int) -> list[bytes]:
        """`count` members, each chosen uniformly from all, so the same one may repeat. The set is not empty."""
        return random.choices(self._sequence(), k=count)

    def sample(self, random: Random, count: int) -> list[bytes]:
        """`count` different members (all of them if there are fewer), chosen uniformly."""
        if count >= len(self):
            return list(self)  # in their order, as Redis does
        return random.sample(self._sequence(), count)

    def pop(self, random: Random, count: int) -> list[bytes]:
        """Remove and return `count` different members (all of them if there are fewer), chosen uniformly."""
        remaining = len(self) - count
        if remaining * _POP_REMAINDER <= count:
            return self._pop_most(self.sample(random, max(remaining, 0)))
        popped = self.sample(random, count)
        for member in popped:
            self.discard(member)
        return popped

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """About `count` members and the next cursor, 0 at the end. Compact encodings are returned whole."""
        if self.encoding == HASHTABLE and self._indexed is not None:
            return self._indexed.scan(cursor, count)
        return 0, list(self)

    def copy(self) -> Set:
        return Set.load(self._limits, self.dump())

    def dump(self) -> tuple[bytes, list[bytes]]:
        return self.encoding, list(self.lookup if self._indexed is None else self._indexed.members)

    @classmethod
    def load(cls, limits: Limits, data: tuple[bytes, list[bytes]]) -> Set:
        """A set with the encoding and order that were dumped; cursors into the old one remain valid."""
        loaded = cls(limits)
        loaded._become(*data)
        return loaded

    def _become(self, encoding: bytes, members: Iterable[bytes]) -> None:
        """Hold these members, which are distinct, in this encoding."""
        self.encoding = encoding
        if encoding == LISTPACK:
            self._indexed: IndexedSet | None = None
            self.lookup = dict.fromkeys(members)
        else:
            self._indexed = IndexedSet(members)
            self.lookup = self._indexed.slots

    def _sequence(self) -> list[bytes]:
        """The members by number, in no particular order; copied only if they are few."""
        return list(self.lookup) if self._indexed is None else self._indexed.members

    def _prepare(self, first: bytes, count: int) -> None:
        """What Redis decides by the number of arguments alone, before it checks which of them are new."""
        limits = self._limits
        few = count <= limits.set_max_listpack_entries
        if not self.lookup and not (is_integer(first) and count <= limits.set_max_intset_entries):
            self._become(LISTPACK if few else HASHTABLE, ())
        elif (self.encoding == LISTPACK and not few) or (
            self.encoding == INTSET and count > limits.set_max_intset_entries
        ):
            self._become(HASHTABLE, self.lookup)

    def _add(self, member: bytes) -> None:
        """Add a new member to a set that is not yet a hashtable."""
        if self.encoding == INTSET and is_integer(member):
            fits = len(self) < self._limits.set_max_intset_entries
            self._become_if_other(INTSET if fits else HASHTABLE)
        else:
            # The lengths of integers matter only now that there is another member.
            checked = chain(self.lookup, (member,)) if self.encoding == INTSET else (member,)
            fits = len(self) < self._limits.set_max_listpack_entries and _are_short(self._limits, checked)
            self._become_if_other(LISTPACK if fits else HASHTABLE)
        if self._indexed is not None:
            self._indexed.add(member)
        else:
            self.lookup[member] = None

    def _become_if_other(self, encoding: bytes) -> None:
        if encoding != self.encoding:
            self._become(encoding, list(self))

    def _pop_most(self, kept: list[bytes]) -> list[bytes]:
        """Keep only these members; return the others. Redis makes a new set of them, which may be more compact."""
        stays = frozenset(kept).__contains__
        popped = list(filterfalse(stays, self))
        encoding = self.encoding
        if encoding == HASHTABLE and _fit_listpack(self._limits, kept):
            encoding = LISTPACK
        # They keep their order, so that a cursor into the set remains valid.
        self._become(encoding, filter(stays, self._sequence()))
        return popped


def _fit_listpack(limits: Limits, members: Iterable[bytes]) -> bool:
    few = list(islice(members, limits.set_max_listpack_entries + 1))
    return len(few) <= limits.set_max_listpack_entries and _are_short(limits, few)


def _are_short(limits: Limits, members: Iterable[bytes]) -> bool:
    return max(map(len, members), default=0) <= limits.set_max_listpack_value
