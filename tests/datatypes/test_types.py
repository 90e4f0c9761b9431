"""Values that travel between shards."""

from __future__ import annotations

import marshal
from typing import Any

import pytest

from respcache.datatypes.hash import Hash
from respcache.datatypes.limits import Limits
from respcache.datatypes.list import List
from respcache.datatypes.set import Set
from respcache.datatypes.stream import Stream
from respcache.datatypes.types import TYPE_NAMES, copy_value, dump_value, load_value, type_name
from respcache.datatypes.zset import ZSet

LIMITS = Limits()


def stream(entries: int) -> Stream:
    value = Stream(LIMITS)
    for number in range(entries):
        value.append(number + 1, [b"field", b"value %d" % number])
    return value


VALUES: list[tuple[bytes, Any]] = [
    (b"string", b"x"),
    (b"string", b"12"),
    (b"string", b""),
    (b"string", bytearray(b"xy")),
    (b"list", List(LIMITS, [b"a", b"b", b"a"])),
    (b"list", List(LIMITS, [b"x" * 5000] * 5)),
    (b"set", Set(LIMITS, [b"1", b"2"])),
    (b"set", Set(LIMITS, [b"a", b"b"])),
    (b"set", Set(LIMITS, [b"x" * 1000])),
    (b"zset", ZSet(LIMITS, [(b"a", 1.5), (b"b", float("-inf"))])),
    (b"zset", ZSet(LIMITS, [(b"x" * 1000, 1.0)])),
    (b"hash", Hash(LIMITS, [(b"f", b"v")])),
    (b"hash", Hash(LIMITS, [(b"f", b"v" * 1000)])),
    (b"stream", stream(1)),
    (b"stream", stream(300)),
]


def content(value: Any) -> object:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    return (list(value.items() if hasattr(value, "items") else value), value.encoding)


@pytest.mark.parametrize(("name", "value"), VALUES, ids=lambda value: type(value).__name__)
def test_values_travel(name: bytes, value: Any) -> None:
    assert type_name(value) == name
    travelled = load_value(LIMITS, *marshal.loads(marshal.dumps(dump_value(value))))
    assert type(travelled) is type(value)
    assert content(travelled) == content(value)


@pytest.mark.parametrize(("name", "value"), VALUES, ids=lambda value: type(value).__name__)
def test_copies_are_equal(name: bytes, value: Any) -> None:
    copied = copy_value(value)
    assert type(copied) is type(value)
    assert content(copied) == content(value)
    assert copied is not value or type(value) is bytes


def test_a_copied_buffer_is_independent() -> None:
    original = bytearray(b"x")
    copied = copy_value(original)
    dumped = dump_value(original)
    original += b"y"
    assert copied == b"x"
    assert load_value(LIMITS, *dumped) == b"x"


def test_every_type_is_tested() -> None:
    assert {type(value) for _, value in VALUES} == set(TYPE_NAMES)
