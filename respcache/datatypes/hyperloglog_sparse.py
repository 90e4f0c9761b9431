"""The sparse form of a HyperLogLog: its registers as runs of equal ranks, each run one opcode.

    00nnnnnn           ZERO:  n + 1 registers are 0
    01nnnnnn nnnnnnnn  XZERO: n + 1 registers are 0
    1vvvvvnn           VAL:   n + 1 registers are v + 1

Redis changes the opcodes in place, and joins a few of them that are next to each other, but not all that could be
joined. So the bytes depend on the order of the changes, and here the same steps are taken (redis 7.2 `hllSparseSet`).

Bytes that a client has made up may be anything. Whatever they say, no more than `REGISTERS` opcodes are looked at.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from itertools import accumulate, compress
from typing import TYPE_CHECKING, NamedTuple

from respcache.datatypes.hyperloglog_registers import HIGHEST, NO_REGISTERS, REGISTERS, raised

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER = 16
# Ranks above this do not fit into an opcode.
HIGHEST_SPARSE = 32

_VAL = 0x80
_XZERO = 0x40
_LONGEST_VAL = 4
_LONGEST_ZERO = 64
# Redis looks at so many opcodes for some that can be joined, beginning with the one before the change.
_JOINED_AT_ONCE = 5
# More bytes cannot be opcodes of `REGISTERS` registers.
_MOST_BYTES = 2 * REGISTERS

EMPTY = b"\x7f\xff"  # an XZERO of all registers

# Found from the beginning of an opcode on, this is an XZERO: those before it have one byte each. Where the second byte
# is missing, Redis finds the zero that ends each of its strings.
_XZEROS = re.compile(rb"[\x40-\x7f].?", re.DOTALL)


class Corrupted(Exception):
    """These are not the opcodes of `REGISTERS` registers."""


def _length(opcode: int) -> int:
    """How many registers an opcode of one byte stands for; 0 for the first byte of an XZERO."""
    if opcode & _VAL:
        return (opcode & 3) + 1
    return 0 if opcode & _XZERO else opcode + 1


def _rank(opcode: int) -> int:
    return (opcode >> 2 & 31) + 1 if opcode & _VAL else 0


_LENGTHS = bytes(map(_length, range(256)))
_RUNS = [bytes([_rank(opcode)]) * _length(opcode) for opcode in range(256)]


def _xzero_length(first: int, second: int = 0) -> int:
    return ((first & 63) << 8 | second) + 1


def _val(rank: int, length: int) -> int:
    return _VAL | (rank - 1) << 2 | length - 1


def _zeros(length: int) -> bytes:
    """The opcode of a run of zeros, of which there may be none."""
    if length > _LONGEST_ZERO:
        return bytes((_XZERO | length - 1 >> 8, length - 1 & 0xFF))
    return bytes((length - 1,)) if length else b""


# -- reading


def registers_of(data: bytes | bytearray) -> bytes:
    """One byte per register. Raises Corrupted."""
    opcodes = _opcodes_of(data)
    parts: list[bytes] = []
    start = total = 0
    for match in _XZEROS.finditer(opcodes):
        at = match.start()
        parts += map(_RUNS.__getitem__, opcodes[start:at])
        length = _xzero_length(*match[0])
        total += length
        if total > REGISTERS:  # checked at once: what has been joined here is in memory
            raise Corrupted
        parts.append(NO_REGISTERS[:length])
        start = match.end()
    parts += map(_RUNS.__getitem__, opcodes[start:])
    registers = b"".join(parts)
    if len(registers) != REGISTERS:
        raise Corrupted
    return registers


def histogram(data: bytes | bytearray) -> list[int]:
    """How many registers there are of each rank. Raises Corrupted."""
    opcodes = _opcodes_of(data)
    counts = [0] * (HIGHEST + 1)
    counts[0] = sum(_xzero_length(*xzero) for xzero in _XZEROS.findall(opcodes))
    for opcode, times in Counter(_XZEROS.sub(b"", opcodes)).items():
        counts[_rank(opcode)] += times * _length(opcode)
    if sum(counts) != REGISTERS:
        raise Corrupted
    return counts


def _opcodes_of(data: bytes | bytearray) -> bytes:
    """Raises Corrupted if there are too many."""
    if len(data) > HEADER + _MOST_BYTES:
        raise Corrupted
    return bytes(data[HEADER:])


def describe(data: bytes | bytearray) -> bytes:
    """The opcodes as PFDEBUG DECODE prints them, whatever they stand for. Raises Corrupted if there are too many."""
    words: list[bytes] = []
    opcodes = iter(_opcodes_of(data))
    for opcode in opcodes:
        if opcode & _VAL:
            words.append(b"v:%d,%d" % (_rank(opcode), _length(opcode)))
        elif opcode & _XZERO:
            words.append(b"Z:%d" % _xzero_length(opcode, next(opcodes, 0)))
        else:
            words.append(b"z:%d" % _length(opcode))
    return b" ".join(words)


# -- changing


class _Opcode(NamedTuple):
    """An opcode within the opcodes of a HyperLogLog."""

    at: int  # its index
    first: int  # the first register that it stands for
    length: int  # how many there are
    before: int  # the index of the opcode before it, or its own


def raise_register(data: bytearray, register: int, rank: int, most_bytes: int) -> bool | None:
    """Raise a register to `rank`. False if it was not lower; None if only the dense form can hold this.

    `most_bytes`: the size above which the sparse form does not grow. Raises Corrupted.
    """
    if rank > HIGHEST_SPARSE:
        return None
    return _raise(data, _find(bytes(data[HEADER : HEADER + _MOST_BYTES]), register), register, rank, most_bytes)


def _raise(data: bytearray, found: _Opcode, register: int, rank: int, most_bytes: int) -> bool | None:
    """The same, with the opcode of the register already found."""
    at = HEADER + found.at
    opcode = data[at]
    if opcode & _VAL and _rank(opcode) >= rank:
        return False

    head, tail = register - found.first, found.first + found.length - 1 - register
    if opcode & _VAL:
        around = [bytes((_val(_rank(opcode), length),)) if length else b"" for length in (head, tail)]
    else:
        around = [_zeros(head), _zeros(tail)]
    changed = bytes((_val(rank, 1),)).join(around)
    # The second byte of the last opcode may be missing. It is made up for; Redis writes past the end of the string.
    size = 2 if not opcode & _VAL and opcode & _XZERO else 1
    if len(changed) > size and len(data) + len(changed) - size > most_bytes:
        return None
    data[at : at + size] = changed
    _join(data, HEADER + found.before)
    return True


def _find(opcodes: bytes, register: int) -> _Opcode:
    """The opcode of a register. Raises Corrupted if there is none."""
    first = start = before = 0
    for match in _XZEROS.finditer(opcodes):
        at = match.start()
        lengths = opcodes[start:at].translate(_LENGTHS)
        following = first + sum(lengths)
        if register < following:
            return _find_within(lengths, register, start, first, before)
        if at > start:
            before = at - 1
        first = following
        length = _xzero_length(*match[0])
        if register < first + length:
            return _Opcode(at, first, length, before)
        first += length
        before, start = at, at + 2
    return _find_within(opcodes[start:].translate(_LENGTHS), register, start, first, before)


def _find_within(lengths: bytes, register: int, start: int, first: int, before: int) -> _Opcode:
    """The same among opcodes of one byte, which begin at `start` with the register `first`."""
    ends = list(accumulate(lengths))
    number = bisect_right(ends, register - first)
    if number == len(ends):
        raise Corrupted
    at, length = start + number, lengths[number]
    return _Opcode(at, first + ends[number] - length, length, at - 1 if number else before if start else at)


def _join(data: bytearray, at: int) -> None:
    """Join opcodes that are next to each other and have the same rank, from index `at` on, as far as Redis does."""
    for _ in range(_JOINED_AT_ONCE):
        if at >= len(data):
            break
        opcode = data[at]
        if not opcode & _VAL:
            at += 2 if opcode & _XZERO else 1
            continue
        following = data[at + 1] if at + 1 < len(data) else 0
        length = _length(opcode) + _length(following)
        if following & _VAL and _rank(following) == _rank(opcode) and length <= _LONGEST_VAL:
            data[at : at + 2] = bytes((_val(_rank(opcode), length),))
        else:
            at += 1


class _Marks:
    """Where some opcodes begin, for finding many in turn while they are changed."""

    __slots__ = ("_changes", "_data", "_positions", "_registers")

    # Opcodes from one mark to the next, and changes after which they are made anew.
    _APART = 24
    _AT_MOST = 64
    # A change reaches no further than so many bytes from the opcode before it: it joins a few opcodes of two at most.
    _REACH = 16

    def __init__(self, data: bytearray) -> None:
        self._data = data
        self._make()

    def _make(self) -> None:
        """The bytes at which opcodes begin, and their first registers, both in ascending order."""
        self._changes = 0
        self._positions, self._registers = [HEADER], [0]
        data, at, first, end = self._data, HEADER, 0, len(self._data)
        count = 0
        while at < end:
            opcode = data[at]
            first += _LENGTHS[opcode] or _xzero_length(*data[at : at + 2])
            at += 2 if opcode & 0xC0 == _XZERO else 1
            count += 1
            if not count % self._APART:
                self._positions.append(at)
                self._registers.append(first)

    def find(self, register: int) -> _Opcode:
        """The opcode of a register, which is there."""
        mark = bisect_right(self._registers, register) - 1
        return _find_from(self._data, register, self._positions[mark] - HEADER, self._registers[mark])

    def changed(self, found: _Opcode, growth: int) -> None:
        """An opcode that was found has been changed, and all those after it have moved."""
        self._changes += 1
        if self._changes == self._AT_MOST:
            self._make()
            return
        before = HEADER + found.before
        kept = bisect_right(self._positions, before)
        moved = bisect_right(self._positions, before + self._REACH)
        self._positions[kept:] = [at + growth for at in self._positions[moved:]]
        del self._registers[kept:moved]


def raise_many(data: bytearray, places: Sequence[tuple[int, int]], most_bytes: int) -> tuple[int, int]:
    """Raise registers one after the other: how many have changed, and how many places were done.

    Only the dense form can hold the next place, if there is one. Raises Corrupted; then nothing is changed.
    """
    ranks = bytearray(registers_of(data))
    marks = _Marks(data)
    changes = 0
    for done, (register, rank) in enumerate(places):
        if rank <= ranks[register]:
            continue
        if rank > HIGHEST_SPARSE:
            return changes, done
        found = marks.find(register)
        size = len(data)
        if _raise(data, found, register, rank, most_bytes) is None:
            return changes, done
        marks.changed(found, len(data) - size)
        ranks[register] = rank
        changes += 1
    return changes, len(places)


def raise_all(data: bytearray, registers: bytes, most_bytes: int) -> bool:
    """Raise registers one after the other to the ranks that they have in `registers`, none of which is lower.

    False if only the dense form can hold them all; then some are raised. Raises Corrupted.
    """
    if data[HEADER:] == EMPTY:
        opcodes = _opcodes_for(registers, most_bytes)
        if opcodes is None:
            return False
        data[HEADER:] = opcodes
        return True
    # They come in ascending order, so each is looked for from shortly before the last one on: from the opcode before
    # it, which begins where it did, though it may have been joined with others.
    start = first = 0
    for register, rank in raised(registers_of(data), registers):
        if rank > HIGHEST_SPARSE:
            return False
        found = _find_from(data, register, start, first)
        start = found.before
        first = found.first - (_length_at(data, HEADER + start) if start < found.at else 0)
        if _raise(data, found, register, rank, most_bytes) is None:
            return False
    return True


def _find_from(data: bytearray, register: int, start: int, first: int) -> _Opcode:
    """The opcode of a register, which is there, from the opcode on that begins at `start` with the register `first`."""
    before = at = HEADER + start
    while True:
        length = _LENGTHS[data[at]]
        size = 1
        if not length:
            length, size = _xzero_length(*data[at : at + 2]), 2
        if register < first + length:
            break
        first += length
        before = at
        at += size
    if at == before and start:  # what comes before it is not known
        return _find(bytes(data[HEADER:]), register)
    return _Opcode(at - HEADER, first, length, before - HEADER)


def _length_at(data: bytearray, at: int) -> int:
    return _LENGTHS[data[at]] or _xzero_length(*data[at : at + 2])


def _opcodes_for(registers: bytes, most_bytes: int) -> bytes | None:
    """What raising each register of an empty HyperLogLog in turn results in, without looking for it each time."""
    opcodes = bytearray()
    first = 0  # of the last run, which is all zeros
    last = EMPTY
    for register, rank in compress(enumerate(registers), registers):
        if rank > HIGHEST_SPARSE:
            return None
        head, tail = _zeros(register - first), _zeros(REGISTERS - 1 - register)
        growth = len(head) + 1 + len(tail) - len(last)
        if growth > 0 and HEADER + len(opcodes) + len(last) + growth > most_bytes:
            return None
        before = opcodes[-1] if opcodes and not head else 0
        if before & _VAL and _rank(before) == rank and _length(before) < _LONGEST_VAL:
            opcodes[-1] = before + 1
        else:
            opcodes += head
            opcodes.append(_val(rank, 1))
        first, last = register + 1, tail
    return bytes(opcodes + last)
