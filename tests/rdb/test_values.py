"""Values of every type to bytes and back, and bytes that are wrong."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compat.fuzz_rdb.judge import content
from compat.fuzz_rdb.mutations import case
from compat.fuzz_rdb.seeds import seed
from compat.values import NEWER, OLDER, lp, sealed
from respcache.datatypes.hash import Hash
from respcache.datatypes.limits import Limits
from respcache.datatypes.list import List
from respcache.datatypes.set import Set
from respcache.datatypes.stream import Stream
from respcache.datatypes.stream_groups import Group
from respcache.datatypes.zset import ZSet
from respcache.rdb.modules import Unsupported
from respcache.rdb.payload import BadFrame, dump, read, restore
from respcache.rdb.plain import PlainArray, PlainHash, PlainStream
from respcache.rdb.strings import Malformed
from respcache.rdb.writing import OF_7_0, OF_7_2, Writer
from tests.support.cost import calls_in

LIMITS = Limits()
WRITERS = [
    partial(Writer, compressed=compressed, version=version)
    for compressed in (True, False)
    for version in (OF_7_0, OF_7_2)
]

STRINGS = st.one_of(
    st.binary(max_size=70),
    st.integers(-(1 << 63), (1 << 63) - 1).map(lambda number: b"%d" % number),
    st.sampled_from([b"", b"-0", b"a" * 64, b"a" * 65, b"ab" * 200]),
)
SCORES = st.floats(allow_nan=False)
IDS = st.integers(0, (1 << 128) - 1)


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    """A stream with deleted entries and groups that have read from it."""
    limits = Limits()
    limits.stream_node_max_entries = draw(st.sampled_from([1, 3, 100]))
    stream = Stream(limits)
    for id in sorted(draw(st.sets(IDS.filter(bool), max_size=12))):
        names = draw(st.sampled_from([[b"a"], [b"a", b"b"], [b"c"]]))
        fields = [part for name in names for part in (name, draw(STRINGS))]
        stream.append(id, fields)
    ids = [id for id, _ in stream]
    for name in draw(st.sets(st.binary(max_size=3), max_size=3)):
        group = stream.groups[name] = Group(draw(IDS), draw(st.none() | st.integers(0, 9)))
        for consumer_name in draw(st.sets(st.binary(max_size=3), max_size=3)):
            group.create_consumer(consumer_name, draw(st.integers(0, 1 << 41)))
        for id in ids if group.consumers else ():
            if draw(st.booleans()):
                consumer = group.consumers[draw(st.sampled_from(sorted(group.consumers)))]
                group.add(id, consumer, draw(st.integers(0, 1 << 41))).count = draw(st.integers(1, 1 << 40))
    for id in ids:
        if draw(st.booleans()):
            stream.delete(id)
    return stream


VALUES: st.SearchStrategy[Any] = st.one_of(
    STRINGS,
    STRINGS.map(bytearray),
    st.lists(STRINGS, min_size=1).map(lambda items: List(LIMITS, items)),
    st.lists(st.sampled_from([b"x" * 5000, b"y" * 9000, b"z"]), min_size=1, max_size=9).map(
        lambda items: List(LIMITS, items)
    ),
    st.sets(STRINGS, min_size=1).map(lambda members: Set(LIMITS, members)),
    st.sets(st.integers(-70_000, 70_000), min_size=1, max_size=600).map(
        lambda numbers: Set(LIMITS, [b"%d" % number for number in numbers])
    ),
    st.dictionaries(STRINGS, SCORES, min_size=1).map(lambda scores: ZSet(LIMITS, scores.items())),
    st.dictionaries(STRINGS, STRINGS, min_size=1).map(lambda pairs: Hash(LIMITS, pairs.items())),
    streams(),
)


def test_only_so_much_is_compressed() -> None:
    """It would hold up the shard."""
    value = bytes(200_000)
    assert len(dump(value, WRITERS[0]())) < 5000
    assert len(dump(Hash(LIMITS, [(b"a", value), (b"b", value)]), WRITERS[0]())) > 200_000
    assert len(dump(bytes(300_000), WRITERS[0]())) > 300_000


@given(VALUES, st.sampled_from(WRITERS))
def test_there_and_back(value: Any, writer: Callable[[], Writer]) -> None:
    payload = dump(value, writer())
    restored = restore(LIMITS, payload)
    assert content(restored) == content(value)
    if not isinstance(value, (bytes, bytearray)):
        assert restored.encoding == value.encoding
    assert content(restore(LIMITS, dump(restored, writer()))) == content(value)


@given(streams())
def test_a_restored_stream_goes_on(stream: Stream) -> None:
    """Its nodes can be opened, trimmed and appended to as before."""
    restored = restore(LIMITS, dump(stream, WRITERS[0]()))
    for one in (stream, restored):
        if one.last_id < (1 << 128) - 1:
            one.append(one.last_id + 1, [b"a", b"new"])
        one.trim_to_length(len(one) // 2, whole_nodes=False)
    assert restored.range() == stream.range()
    assert restored.reverse_range() == stream.reverse_range()
    assert restored.first_id == stream.first_id
    assert restored.last_entry_id == stream.last_entry_id


def test_active_times_need_version_11() -> None:
    stream = Stream(LIMITS)
    stream.append(1, [b"a", b"b"])
    group = stream.groups[b"g"] = Group(0)
    consumer = group.create_consumer(b"c", 100)
    consumer.active_time = 50
    for version, expected in ((OF_7_2, 50), (OF_7_0, 100)):
        restored = restore(LIMITS, dump(stream, Writer(compressed=True, version=version)))
        assert restored.groups[b"g"].consumers[b"c"].seen_time == 100
        assert restored.groups[b"g"].consumers[b"c"].active_time == expected


@pytest.mark.parametrize(("name", "expected"), [
    ("zset in digits", {b"a": 1.5, b"b": float("inf"), b"c": float("-inf"), b"d": -17.123456789012344}),
    ("ziplist of a zset", {b"17": -3.0, b"a": 1.0, b"b": 2.5, b"c": float("inf")}),
])  # fmt: skip
def test_scores_of_older_versions(name: str, expected: dict[bytes, float]) -> None:
    version, body = OLDER[name]
    assert dict(restore(LIMITS, sealed(body, version)).items()) == expected


def test_the_encodings_of_what_is_restored() -> None:
    """As Redis 7.2 loads it: blocks stay what they are whatever their elements, unless they have too many of them."""
    long = b"x" * 300
    for body, encoding in (
        (b"\x10" + lp(b"f", long), b"listpack"),
        (b"\x11" + lp(long, 1), b"listpack"),
        (b"\x14" + lp(long), b"listpack"),
        (b"\x14" + lp(*range(129)), b"hashtable"),
        (b"\x11" + lp(*range(258)), b"skiplist"),
        (b"\x04\x01\x01f" + b"\x41\x2c" + long, b"hashtable"),
        (b"\x12\x02\x02" + lp(1) + b"\x02" + lp(2), b"quicklist"),
        (b"\x12\x01\x02" + lp(1, 2), b"listpack"),
        (b"\x12\x02\x02" + lp(1, 2) + b"\x02" + lp(), b"listpack"),
        (b"\x12\x01\x01\x01a", b"quicklist"),
    ):
        assert restore(LIMITS, sealed(body, 11)).encoding == encoding, body[:20]


def test_what_there_is_no_place_for_is_read() -> None:
    def plain(name: str) -> Any:
        version, body, _ = NEWER[name]
        return read(sealed(body, version))

    for name in ("hash with deadlines", "hash listpack-ex"):
        found = plain(name)
        assert isinstance(found, PlainHash)
        assert found.pairs == [(b"a", b"1"), (b"b", b"2")]
        assert found.deadlines == {b"a": 4_102_444_800_000}
    assert plain("hash of Valkey with a deadline").deadlines == {b"a": 4_102_444_800_000}
    assert plain("array") == PlainArray({0: b"hello", 3: b"-7", 5: b"1.0"}, 5)
    with pytest.raises(Unsupported, match="module type HG5fjJorP"):
        plain("module")
    for name in ("hash with deadlines", "hash listpack-ex", "hash of Valkey with a deadline", "array"):
        version, body, _ = NEWER[name]
        with pytest.raises(Unsupported):
            restore(LIMITS, sealed(body, version))


def test_what_new_streams_remember() -> None:
    """Messages of producers, and entries that no consumer has: they are read, but not held."""
    version, body, _ = NEWER["stream of Redis 8.6"]
    assert body.endswith(b"\x40\x64\x40\x64\x00\x00\x00")
    with_producer = body[:-3] + b"\x01\x03pid\x01\x03iid\x01\x01" + b"\x01\x00"
    plain = read(sealed(with_producer, version))
    assert isinstance(plain, PlainStream)
    assert plain.producers == {b"pid": {b"iid": 1 << 64 | 1}}
    with pytest.raises(Unsupported):
        restore(LIMITS, sealed(with_producer, version))


# Counts and lengths that nothing stands behind.
CLAIMS = {
    "list": b"\x01\x81\x00\x00\x01\x00\x00\x00\x00\x00",
    "set": b"\x02\x81\x00\x00\x01\x00\x00\x00\x00\x00\x01a",
    "hash": b"\x04\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a\x01b",
    "zset": b"\x05\x80\xff\xff\xff\xff",
    "string": b"\x00\x81\x00\x00\x01\x00\x00\x00\x00\x00",
    "compressed": b"\x00\xc3\x02\x81\x00\x00\x01\x00\x00\x00\x00\x00\x00a",
    "quicklist": b"\x12\x81\x00\x00\x01\x00\x00\x00\x00\x00",
    "listpack": b"\x10\x0d\x0d\x00\x00\x00\x01\x00\xf0\xff\xff\xff\xff\x01\xff",
    "intset": b"\x0b\x08\x08\x00\x00\x00\xff\xff\xff\xff",
    "stream": b"\x13\x81\x00\x00\x01\x00\x00\x00\x00\x00",
    "groups": b"\x13\x00\x00\x00\x00\x00\x00\x00\x00\x00\x81\x00\x00\x01\x00\x00\x00\x00\x00",
    "entries": b"\x13\x01\x10" + bytes(15) + b"\x01" + lp(1 << 40, 0, 1, b"a", 0),
    "fields": b"\x13\x01\x10" + bytes(15) + b"\x01" + lp(1, 0, 1 << 40, b"a", 0),
    "array": b"\x1c\x81\x00\x00\x01\x00\x00\x00\x00\x00\x00",
}


@pytest.mark.parametrize("body", CLAIMS.values(), ids=CLAIMS)
def test_claims_are_not_believed(body: bytes) -> None:
    payload = sealed(body, 14)
    tracemalloc.start()
    with pytest.raises(Malformed):
        restore(LIMITS, payload)
    assert tracemalloc.get_traced_memory()[1] < 200_000
    tracemalloc.stop()
    assert calls_in(lambda: _refused(payload)) < 1000


def _refused(payload: bytes) -> None:
    with pytest.raises(Malformed):
        restore(LIMITS, payload)


@given(st.binary(max_size=100), st.sampled_from([0, 9, 10, 11, 12, 14, 15, 80]))
def test_junk(body: bytes, version: int) -> None:
    try:
        restore(LIMITS, sealed(body, version))
    except (Malformed, Unsupported):
        pass


@given(st.binary(max_size=100))
def test_junk_without_a_checksum(payload: bytes) -> None:
    with pytest.raises(BadFrame):
        read(payload)


SEEDS = [seed(name, body, version) for name, (version, body) in OLDER.items()]
SEEDS += [seed(name, body, version) for name, (version, body, _) in NEWER.items()]


def test_damaged_payloads() -> None:
    """Some of what `python -m compat fuzz-rdb` does a million times."""
    for number in range(1500):
        payload = case(SEEDS, 1, number).payload
        try:
            value = restore(LIMITS, payload)
        except (BadFrame, Malformed, Unsupported):
            continue
        assert content(restore(LIMITS, dump(value, WRITERS[0]()))) == content(value), payload.hex()
