"""LZF, which Redis compresses strings with. Only the way back: we write them as they are."""

from __future__ import annotations


def decompress(data: bytes, size: int) -> bytes:
    """The `size` bytes that `data` stands for. Raises ValueError for anything else."""
    out = bytearray()
    at, end = 0, len(data)
    try:
        while at < end:
            control = data[at]
            at += 1
            if control < 32:  # so many bytes and one as they are
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
