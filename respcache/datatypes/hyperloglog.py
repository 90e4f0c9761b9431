"""A HyperLogLog: a string of Redis' own format that tells about how many different elements were added to it.

    HYLL  one byte: 0 dense, 1 sparse  three bytes: unused  eight bytes: the cardinality, little endian  the registers

The hash of an element chooses one of 16384 registers, and has a rank: the number of trailing zeros in the rest of it,
and one. A register keeps the highest rank of its elements. The cardinality in the header is the one that was counted
last; its highest bit says that a register has changed since.

Values are plain strings, so a client may read them, and set any others. The functions below take such a string, which
`check` has let pass; those that change it take a bytearray. All is as in redis 7.2 `hyperloglog.c`, to the last bit.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from respcache.datatypes import hyperloglog_sparse as sparse
from respcache.datatypes.hyperloglog_registers import (
    HASH_BITS,
    HIGHEST,
    NO_REGISTERS,
    PACKED_SIZE,
    REGISTER_BITS,
    REGISTERS,
    estimate,
    highest,
    histogram,
    pack,
    unpack,
)
from respcache.datatypes.hyperloglog_sparse import HEADER, Corrupted

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NO_REGISTERS", "Corrupted", "highest"]

_MAGIC = b"HYLL"
_DENSE, _SPARSE = 0, 1
_ENCODING_AT = 4
_CACHE_AT = 8
_STALE_AT, _STALE = 15, 0x80

_EMPTY = _MAGIC + bytes((_SPARSE,)) + bytes(HEADER - 5) + sparse.EMPTY


def new() -> bytearray:
    """One without elements; whoever puts it into a key marks it as stale."""
    return bytearray(_EMPTY)


def is_valid(data: bytes | bytearray) -> bool:
    """True if a string is a HyperLogLog by its header and size. The opcodes of a sparse one may still be corrupted."""
    if len(data) < HEADER or not data.startswith(_MAGIC) or data[_ENCODING_AT] > _SPARSE:
        return False
    return is_sparse(data) or len(data) == HEADER + PACKED_SIZE


def is_sparse(data: bytes | bytearray) -> bool:
    """Redis changes a small HyperLogLog into a large, dense one once it has about 1500 elements."""
    return data[_ENCODING_AT] == _SPARSE


# -- the cached cardinality


def cached_count(data: bytes | bytearray) -> int | None:
    """The cardinality in the header; None if it is stale."""
    if data[_STALE_AT] & _STALE:
        return None
    return int.from_bytes(data[_CACHE_AT:HEADER], "little")


def cache_count(data: bytearray, count: int) -> None:
    """Keep a cardinality in the header."""
    data[_CACHE_AT:HEADER] = (count & (1 << 64) - 1).to_bytes(8, "little")


def mark_stale(data: bytearray) -> None:
    """Something has changed."""
    data[_STALE_AT] |= _STALE


# -- elements

_SEED = 0xADC83B19
_M = 0xC6A4A7935BD1E995
_MASK = (1 << 64) - 1
# Words of 64 bits that are read from an element at once.
_WORDS_AT_ONCE = 8192
# From so many elements on it pays to take the opcodes of the sparse form apart first.
_MANY = 20


def murmur(element: bytes) -> int:
    """MurmurHash64A with the seed that Redis gives it for this."""
    size = len(element)
    value = (_SEED ^ size * _M) & _MASK
    whole = size & ~7
    for start in range(0, whole, 8 * _WORDS_AT_ONCE):
        count = min((whole - start) // 8, _WORDS_AT_ONCE)
        for word in struct.unpack_from(f"<{count}Q", element, start):
            word = word * _M & _MASK
            value = (value ^ (word ^ word >> 47) * _M) * _M & _MASK
    if size > whole:
        value = (value ^ int.from_bytes(element[whole:], "little")) * _M & _MASK
    value = (value ^ value >> 47) * _M & _MASK
    return value ^ value >> 47


def place_of(element: bytes) -> tuple[int, int]:
    """The register of an element, and its rank there."""
    value = murmur(element)
    rest = value >> 14 | 1 << HASH_BITS
    return value & REGISTERS - 1, (rest & -rest).bit_length()


def add(data: bytearray, element: bytes, most_bytes: int) -> bool:
    """True if a register has changed. `most_bytes`: ``hll-sparse-max-bytes``. Raises Corrupted."""
    register, rank = place_of(element)
    if is_sparse(data):
        changed = sparse.raise_register(data, register, rank, most_bytes)
        if changed is None:
            make_dense(data)
            changed = _raise_packed(data, register, rank)
    else:
        changed = _raise_packed(data, register, rank)
    if changed:
        mark_stale(data)
    return changed


def add_all(data: bytearray, elements: Sequence[bytes], most_bytes: int) -> int:
    """Add elements one after the other: how many have changed a register. Raises Corrupted, maybe after some."""
    if not is_sparse(data) or len(elements) < _MANY:
        return sum(add(data, element, most_bytes) for element in elements)
    try:
        changes, done = sparse.raise_many(data, list(map(place_of, elements)), most_bytes)
    except Corrupted:  # Redis adds those whose registers are there
        return sum(add(data, element, most_bytes) for element in elements)
    if changes:
        mark_stale(data)
    return changes + sum(add(data, element, most_bytes) for element in elements[done:])


def _raise_packed(data: bytearray, register: int, rank: int) -> bool:
    """The same in the dense form: six bits of two bytes (at the very end, of one)."""
    at, shift = divmod(register * REGISTER_BITS, 8)
    at += HEADER
    both = data[at] | data[at + 1] << 8 if shift > 2 else data[at]
    if both >> shift & HIGHEST >= rank:
        return False
    both = both & ~(HIGHEST << shift) | rank << shift
    data[at] = both & 0xFF
    if shift > 2:
        data[at + 1] = both >> 8
    return True


# -- the whole


def registers_of(data: bytes | bytearray) -> bytes:
    """One byte per register. Raises Corrupted."""
    return sparse.registers_of(data) if is_sparse(data) else unpack(bytes(data[HEADER:]))


def make_dense(data: bytearray) -> bool:
    """False if it was dense already. Raises Corrupted."""
    if not is_sparse(data):
        return False
    _put_dense(data, sparse.registers_of(data))
    return True


def _put_dense(data: bytearray, registers: bytes) -> None:
    data[HEADER:] = pack(registers)
    data[_ENCODING_AT] = _DENSE


def count(data: bytes | bytearray) -> int:
    """The cardinality, counted. Raises Corrupted."""
    return estimate(sparse.histogram(data) if is_sparse(data) else histogram(bytes(data[HEADER:])))


def count_registers(registers: bytes) -> int:
    """The cardinality that unpacked registers stand for."""
    return estimate(histogram(pack(registers)))


def raise_all(data: bytearray, registers: bytes, most_bytes: int, *, dense: bool) -> None:
    """Raise registers to the ranks that they have in `registers`, none of which is lower, and mark it as stale.

    The result is `dense` if told so, or if the other form cannot hold it.
    """
    if dense or not is_sparse(data) or not sparse.raise_all(data, registers, most_bytes):
        _put_dense(data, registers)
    mark_stale(data)
