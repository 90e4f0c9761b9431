"""Compression, with what liblzf gives in a genuine server as the measure."""

from __future__ import annotations

import tracemalloc
from base64 import b64decode
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from respcache.rdb.lzf import compress, decompress
from respcache.rdb.strings import Reader, write_string

_RANDOM = Random(3)
_WORDS = [bytes(_RANDOM.choices(b"abcdefgh", k=_RANDOM.randint(2, 6))) for _ in range(12)]

# Strings as Redis 7.0 writes them.
GENUINE = {
    b" ".join(_RANDOM.choices(_WORDS, k=60)): (
        "w0CfQTgfY2ZnIGJmZSBkZ2VlIGZoZGdkIGRmYmZnZSBlYmggZWgIZmhnIGZiZ2hoIB0DYWFnY6AoAGEgAmANgCtgPYAsQDYCaGFiYAcAYyBc"
        "oCGAHMBJYGegDMAgIG7AN0CQIGJADoBmQByAQaAtoDuAEyAqBWFnZ2NlaKBYQDdAA4BmYAmgwWB3oCtAnEBo4AVRgCKABUB1IFvgAQxASkADIBg="
    ),
    b"abcd" * 100: "ww9BkARhYmNkYeD/A+F4BwFjZA==",
    b"\0" * 30: "wwkeAQAA4BEAAQAA",
    bytes(_RANDOM.choices(b"ab", k=200)): (
        "w0B1QMgGYmFiYWJiYYADAGEgACAEoBGADCAHIAlAIiAHQAYAYkAEIAtAACAFQA4gESAGIAwgDkABYAAgCCAJQAIgCUAEIAUgACAEYCZAEiAAIA0g"
        "C0AGIAAgDCAAIAUgAiAHIAGgCSAKIAsgBGAAYBdADiARgBMBYmE="
    ),
    bytes(range(100)) + bytes(range(90)): (
        "w0BvQL4fAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8fICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8fQEFCQ0RFRkdISUpL"
        "TE1OT1BRUlNUVVZXWFlaW1xdXl8EYGFiYwDgTmMBWFk="
    ),
}


@pytest.mark.parametrize(("data", "written"), GENUINE.items(), ids=range(len(GENUINE)))
def test_as_liblzf_compresses(data: bytes, written: str) -> None:
    assert write_string(data, compressed=True) == b64decode(written)
    assert Reader(b64decode(written)).string() == data


def _naive(data: bytes, most: int) -> bytes | None:
    """liblzf's algorithm step by step, with a list for each run of literals."""
    out, literals = bytearray(), bytearray()
    seen: dict[int, int] = {}
    at, end = 0, len(data)

    def flush() -> None:
        if literals:
            out.append(len(literals) - 1)
            out.extend(literals)
            literals.clear()

    def position() -> int:
        """Where liblzf would write next: it keeps a place for the head of the open run."""
        return len(out) + 1 + len(literals)

    def place(at: int) -> int:
        value = data[at] << 16 | data[at + 1] << 8 | data[at + 2]
        return ((value >> 8) - value * 5) & 0xFFFF

    while at < end - 2:
        before = seen.get(place(at))
        seen[place(at)] = at
        if before and at - before - 1 < 8192 and data[before : before + 3] == data[at : at + 3]:
            if position() + 4 >= most and position() - (not literals) + 4 >= most:
                return None
            flush()
            length, longest = 2, min(end - at - 2, 264)
            if longest > 16:
                while length < 18:
                    length += 1
                    if data[before + length] != data[at + length]:
                        break
                else:
                    length += 1
                    while length < longest and data[before + length] == data[at + length]:
                        length += 1
            else:
                length += 1
                while length < longest and data[before + length] == data[at + length]:
                    length += 1
            offset, coded = at - before - 1, length - 2
            out.extend((offset >> 8 | min(coded, 7) << 5, *((coded - 7,) if coded >= 7 else ()), offset & 255))
            at += length
            if at >= end - 2:
                break
            seen[place(at - 2)], seen[place(at - 1)] = at - 2, at - 1
        else:
            if position() >= most:
                return None
            literals.append(data[at])
            at += 1
            if len(literals) == 32:
                flush()
    if position() + 3 > most:
        return None
    for byte in data[at:]:
        literals.append(byte)
        if len(literals) == 32:
            flush()
    flush()
    return bytes(out)


COMPRESSIBLE = st.one_of(
    st.lists(st.sampled_from([b"a", b"b", b"ab", b"abc", b"xyz", b"\0", b"a" * 20]), max_size=200).map(b"".join),
    st.binary(max_size=300),
    st.tuples(st.binary(min_size=1, max_size=40), st.integers(1, 40)).map(lambda pair: pair[0] * pair[1]),
)


@given(COMPRESSIBLE.filter(lambda data: len(data) > 4), st.integers(0, 30))
@example(b"abcabc" + b"x" * 17, 4)
@example(b"a" * 300, 4)
def test_step_by_step(data: bytes, saved: int) -> None:
    most = len(data) - saved
    packed = compress(data, most)
    assert packed == (_naive(data, most) if most > 0 else None)
    if packed is not None:
        assert len(packed) <= most
        assert decompress(packed, len(data)) == data


def test_far_references() -> None:
    for gap in (8190, 8191, 8192, 8193):
        noise = Random(gap).randbytes(gap - 24)
        data = b"." + b"the same once more here." + noise + b"the same once more here."
        packed = compress(data, 2 * len(data))
        assert packed == _naive(data, 2 * len(data))
        assert packed is not None
        assert decompress(packed, len(data)) == data


@given(st.binary(max_size=40), st.integers(0, 60))
def test_junk_is_no_compressed_data(data: bytes, size: int) -> None:
    try:
        assert len(decompress(data, size)) == size
    except ValueError:
        pass


def test_repetitions() -> None:
    assert decompress(b"\x00a\xe0\x02\x00", 12) == b"a" * 12
    assert decompress(b"\x01ab\x80\x01", 8) == b"abababab"


@pytest.mark.parametrize("size", [1 << 30, 1 << 40, (1 << 64) - 1])
def test_a_claim_allocates_nothing(size: int) -> None:
    tracemalloc.start()
    with pytest.raises(ValueError, match="more than it can stand for"):
        decompress(b"\x00a" * 1000, size)
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()
