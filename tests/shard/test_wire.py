"""Frames: any chunking of the stream gives the same payloads, and payloads are checked to be plain data."""

from __future__ import annotations

import itertools
import marshal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respcache.shard import wire
from respcache.shard.wire import FrameReader, pack, size_of
from respcache.store.call import Caller

CALLER = Caller(db=1, protocol=3, client=5, touch=False)
ITEMS = [
    wire.run(CALLER, [[b"GET", b"k"]], whole=True),
    wire.part(CALLER, [b"DEL", b"k"]),
    wire.execute(CALLER, True, [[b"GET", b"k"]]),
    wire.is_dirty(5),
    wire.watch(5, [(0, b"k")]),
    wire.unwatch(5),
    wire.borrow([(0, b"k")]),
    wire.carry(CALLER, [b"RENAME", b"k", b"l"], [(0, b"l", None, None, None)]),
    wire.hand_back([(0, b"l", "string", b"v", 1000)], 7),
    wire.tick(),
    wire.configure({"expiry_paused": [0]}),
    wire.stats(),
    wire.reset_stats(),
]
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.binary(max_size=50),
    lambda inner: st.lists(inner, max_size=5) | st.tuples(inner) | st.dictionaries(st.binary(max_size=9), inner),
)


def test_items_travel() -> None:
    assert FrameReader().feed(pack((1, ITEMS))) == [(1, ITEMS)]
    assert len({item[0] for item in ITEMS}) == len(ITEMS)


@given(payloads=st.lists(PLAIN, max_size=5), cuts=st.lists(st.integers(0, 300), max_size=8))
def test_any_chunking_gives_the_same_payloads(payloads: list[Any], cuts: list[int]) -> None:
    stream = b"".join(map(pack, payloads))
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    reader = FrameReader()
    read = [payload for start, end in itertools.pairwise(edges) for payload in reader.feed(stream[start:end])]
    assert read == payloads


def test_byte_by_byte() -> None:
    reader = FrameReader()
    stream = pack(ITEMS) + pack((2, []))
    assert [payload for at in range(len(stream)) for payload in reader.feed(stream[at : at + 1])] == [ITEMS, (2, [])]


def test_large_frames_are_read_in_large_pieces() -> None:
    reader = FrameReader()
    small = reader.wanted
    frame = pack(b"x" * 1_000_000)
    assert reader.feed(frame[:100_000]) == []
    assert reader.wanted > small
    assert reader.feed(frame[100_000:]) == [b"x" * 1_000_000]
    assert reader.wanted == small


@given(plain=PLAIN)
def test_sizes(plain: Any) -> None:
    """About as large as what `marshal` makes of the data, and never much less."""
    real = len(marshal.dumps(plain, 2))
    assert real <= size_of(plain) <= 16 * real


@pytest.mark.parametrize("value", [object(), [object()], {b"k": object()}, [b"x", {1: [object()]}]])
def test_values_that_are_not_plain_data(value: Any) -> None:
    with pytest.raises(TypeError, match="object is no plain data"):
        size_of(value)
    with pytest.raises(ValueError, match="unmarshallable"):
        marshal.dumps(value, 2)
