"""LZF, which Redis compresses strings with: what liblzf gives with Redis' settings (HLOG 16, VERY_FAST), byte for byte.

Compressed data is a sequence of runs of literals (``000nnnnn``, n + 1 bytes follow) and of references to what came
before (``lllooooo oooooooo``, or ``111ooooo llllllll oooooooo`` for longer ones: so far back, so many bytes and two).

Pure Python: about 2 MB/s to compress and 10 MB/s to decompress. The two functions here are all that others use.
"""

from __future__ import annotations

from array import array
from struct import unpack
from sys import byteorder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# The longest run of literals, the longest reference, and how far one reaches back.
_LITERALS, _REFERENCE, _REACH = 32, 264, 8192

# The most bytes that one byte of compressed data can stand for.
_EXPANSION = _REFERENCE // 3
# No string is longer: the same limit as that of a reply.
_MOST = 512 << 20


def decompress(data: bytes, size: int) -> bytes:
    """The `size` bytes that `data` stands for. Raises ValueError for anything else.

    `size` is not trusted: no more is made than `data` can stand for.
    """
    if size > min(len(data) * _EXPANSION, _MOST):
        raise ValueError("more than it can stand for")
    out = bytearray()
    at, end = 0, len(data)
    try:
        while at < end:
            control = data[at]
            at += 1
            if control < _LITERALS:
                out += data[at : at + control + 1]
                at += control + 1
                continue
            length = control >> 5
            if length == 7:
                length += data[at]
                at += 1
            start = len(out) - ((control & 31) << 8) - data[at] - 1
            at += 1
            length += 2
            if start < 0 or len(out) + length > size:
                raise ValueError("a reference out of range")
            if start + length <= len(out):
                out += out[start : start + length]
            else:  # it repeats what it is about to make
                pattern = bytes(out[start:])
                out += (pattern * (length // len(pattern) + 1))[:length]
    except IndexError:
        raise ValueError("cut off") from None
    if len(out) != size or at != end:
        raise ValueError("another size")
    return bytes(out)


def compress(data: bytes, most: int) -> bytes | None:
    """The data in at most `most` bytes, or None. It has at least 3 bytes.

    None comes also where liblzf gives up because it may run out of room soon, though it would not.
    """
    size = len(data)
    last = size - 2  # no reference begins here
    hashes = _hashes(data)
    seen: dict[int, int] = {}  # hash -> the latest position with it
    find = seen.get
    out = bytearray()
    at = literals = 0  # the run of literals that is open begins at `literals`
    while at < last:
        value = hashes[at]
        before = find(value, 0)
        seen[value] = at
        # The first position is never referred to, as in liblzf.
        if not before or at - before > _REACH or data[before : before + 3] != data[at : at + 3]:
            at += 1
            continue
        count = at - literals
        end = len(out) + count + count // _LITERALS + 1  # with the head of the open run
        if end - (count % _LITERALS == 0) + 4 >= most or not _have_room(len(out), count, most):
            return None
        _write_literals(out, data, literals, at)
        length = _common(data, before, at, size)
        _write_reference(out, at - before - 1, length)
        literals = at = at + length
        if at >= last:
            break
        seen[hashes[at - 2]] = at - 2
        seen[hashes[at - 1]] = at - 1
    count = at - literals
    if len(out) + count + count // _LITERALS + 4 > most or not _have_room(len(out), count, most):
        return None
    _write_literals(out, data, literals, size)
    return bytes(out)


def _hashes(data: bytes) -> Sequence[int]:
    """liblzf's hash of the three bytes at each position, but the last two.

    It is the difference of the first two bytes, as a number, and five times the last two, in 16 bits. All of them are
    computed at once, side by side in one large number: a tenth of the time that a loop takes.
    """
    size = len(data)
    pairs = array("I", bytes(4 * (size - 1)))
    pairs[::2] = array("I", unpack(f">{size // 2}H", data[: size & ~1]))
    pairs[1::2] = array("I", unpack(f">{(size - 1) // 2}H", data[1 : 1 + ((size - 1) & ~1)]))
    first, second = (int.from_bytes(numbers.tobytes(), byteorder) for numbers in (pairs[:-1], pairs[1:]))
    lanes = size - 2
    # Each lane is kept positive by a multiple of 2**16.
    differences = first + _repeated(1 << 20, lanes) - 5 * second & _repeated(0xFFFF, lanes)
    hashes = array("I")
    hashes.frombytes(differences.to_bytes(4 * lanes, byteorder))
    return hashes


def _repeated(number: int, lanes: int) -> int:
    """A number in each of so many lanes of 32 bits."""
    return int.from_bytes(number.to_bytes(4, byteorder) * lanes, byteorder)


def _have_room(size: int, count: int, most: int) -> bool:
    """Whether each of `count` literals had room when it was its turn, behind `size` bytes and the heads of runs."""
    return not count or size + count + (count - 1) // _LITERALS < most


def _common(data: bytes, before: int, at: int, size: int) -> int:
    """How many bytes at two positions are equal, as far as one reference goes. It leaves the last two bytes alone."""
    most = min(size - at - 2, _REFERENCE)
    # liblzf looks at up to 19 bytes without asking how many are left, and at three in any case.
    most = max(most, 19) if most > 16 else max(most, 3)
    one, other = data[before : before + most], data[at : at + most]
    if one == other:
        return most
    difference = int.from_bytes(one, "little") ^ int.from_bytes(other, "little")
    return ((difference & -difference).bit_length() - 1) >> 3


def _write_literals(out: bytearray, data: bytes, start: int, stop: int) -> None:
    for at in range(start, stop, _LITERALS):
        run = data[at : min(at + _LITERALS, stop)]
        out.append(len(run) - 1)
        out += run


def _write_reference(out: bytearray, offset: int, length: int) -> None:
    length -= 2
    if length < 7:
        out += bytes((offset >> 8 | length << 5, offset & 0xFF))
    else:
        out += bytes((offset >> 8 | 7 << 5, length - 7, offset & 0xFF))
