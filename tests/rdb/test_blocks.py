"""Listpacks, and the blocks of earlier versions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compat import values
from respcache.datatypes.listpack import EMPTY, entry_size
from respcache.rdb import older
from respcache.rdb.listpack import as_strings, elements, integer_entry, listpack, string_entry
from respcache.rdb.strings import Malformed

INTEGERS = st.one_of(
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.sampled_from([0, 127, 128, -1, 4095, 4096, -4096, -4097, 32767, 32768, 8388607, 8388608, -(1 << 31)]),
)
STRINGS = st.one_of(
    st.binary(max_size=130),
    st.sampled_from([b"", b"-", b"-0", b"007", b"x" * 63, b"x" * 64, b"x" * 4095, b"x" * 4096, b"y" * 17000]),
    INTEGERS.map(lambda number: b"%d" % number),
)


@given(st.lists(STRINGS, max_size=30))
def test_there_and_back(strings: list[bytes]) -> None:
    block = listpack(list(map(string_entry, strings)))
    assert as_strings(elements(block)) == strings
    assert len(block) == EMPTY + sum(map(entry_size, strings))


@given(INTEGERS)
def test_integers(number: int) -> None:
    assert integer_entry(number) == string_entry(b"%d" % number)
    assert elements(listpack([integer_entry(number)])) == [number]


@given(st.integers(0, 300_000))
def test_lengths_behind_entries(size: int) -> None:
    entry = string_entry(b"x" * size)
    assert len(entry) == entry_size(b"x" * size)
    assert elements(listpack([entry])) == [b"x" * size]


def test_more_elements_than_the_header_can_say() -> None:
    block = listpack([integer_entry(1)] * 70_000)
    assert block[4:6] == b"\xff\xff"
    assert len(elements(block)) == 70_000


BROKEN = {
    "too short": b"\x06\x00\x00\x00\x00\x00",
    "another size": b"\x08\x00\x00\x00\x00\x00\xff",
    "no end": b"\x07\x00\x00\x00\x00\x00\x00",
    "an end in the middle": b"\x09\x00\x00\x00\x00\x00\xff\x01\xff",
    "another number of elements": b"\x09\x00\x00\x00\x02\x00\x01\x01\xff",
    "another length behind": b"\x09\x00\x00\x00\x01\x00\x01\x02\xff",
    "a string that is cut off": b"\x0a\x00\x00\x00\x01\x00\x8fab\xff",
    "a long string that is cut off": b"\x0d\x00\x00\x00\x01\x00\xf0\xff\xff\xff\xff\x01\xff",
    "an integer that is cut off": b"\x0a\x00\x00\x00\x01\x00\xf4\x01\x01\xff",
    "an unknown encoding": b"\x09\x00\x00\x00\x01\x00\xf5\x01\xff",
}


@pytest.mark.parametrize("block", BROKEN.values(), ids=BROKEN)
def test_broken_listpacks(block: bytes) -> None:
    with pytest.raises(Malformed):
        elements(block)


@given(st.lists(st.one_of(INTEGERS, st.binary(max_size=300)), max_size=20))
def test_ziplists(items: list[bytes | int]) -> None:
    assert older.ziplist(values.ziplist(items)) == items


@given(st.lists(st.tuples(st.binary(max_size=300), st.binary(max_size=300)), min_size=1, max_size=9), st.integers(0, 9))
def test_zipmaps(pairs: list[tuple[bytes, bytes]], free: int) -> None:
    assert older.zipmap(values.zipmap(pairs, free)) == pairs


@given(st.sets(INTEGERS, min_size=1, max_size=20))
def test_intsets(numbers: set[int]) -> None:
    ordered = sorted(numbers)
    assert list(older.intset(older.write_intset(ordered))) == ordered
    assert list(older.intset(values.intset(8, *ordered))) == ordered


def test_an_intset_is_in_order() -> None:
    for numbers in ((1, 1), (2, 1)):
        with pytest.raises(Malformed):
            older.intset(values.intset(4, *numbers))


READERS: tuple[Callable[[bytes], object], ...] = (elements, older.ziplist, older.zipmap, older.intset)


@given(st.sampled_from(READERS), st.binary(max_size=60))
def test_junk(read: Callable[[bytes], object], data: bytes) -> None:
    try:
        read(data)
    except Malformed:
        pass


@given(st.lists(st.binary(max_size=80), min_size=1, max_size=6), st.data())
def test_damage(items: list[bytes], data: st.DataObject) -> None:
    """One byte changed: it is found, or other elements come of it, but nothing else happens."""
    for write, read in ((_listpack, elements), (values.ziplist, older.ziplist)):
        block = bytearray(write(items))
        at = data.draw(st.integers(0, len(block) - 1))
        block[at] = data.draw(st.integers(0, 255))
        try:
            read(bytes(block))
        except Malformed:
            pass


def _listpack(items: list[bytes]) -> bytes:
    return listpack(list(map(string_entry, items)))
