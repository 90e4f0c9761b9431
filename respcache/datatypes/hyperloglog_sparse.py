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
from typing import NamedTuple

from respcache.datatypes.hyperloglog_registers import HIGHEST, NO_REGISTERS, REGISTERS, raised

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
    found = _find(bytes(data[HEADER : HEADER + _MOST_BYTES]), register)
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
            # Where its second byte is missing, Redis writes past the end of the string.
            if match.end() == at + 1:
                raise Corrupted
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
    return all(
        raise_register(data, register, rank, most_bytes) is not None
        for register, rank in raised(registers_of(data), registers)
    )


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
