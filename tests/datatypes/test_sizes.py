"""Estimates of memory, compared with what Python reports as allocated."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from respcache.datatypes.hash import Hash
from respcache.datatypes.limits import Limits
from respcache.datatypes.list import List
from respcache.datatypes.set import Set
from respcache.datatypes.sizes import memory_of
from respcache.datatypes.stream import Stream
from respcache.datatypes.zset import ZSet

COUNT = 3000
LIMITS = Limits()


def distinct() -> list[bytes]:
    return [b"element number %d" % i for i in range(COUNT)]


def stream() -> Stream:
    value = Stream(LIMITS)
    for number, element in enumerate(distinct()):
        value.append(number + 1, [b"field", element])
    return value


MAKERS: dict[str, Callable[[], Any]] = {
    "bytes": lambda: b"%0*d" % (100_000, 1),
    "bytearray": lambda: bytearray(100_000),
    "List": lambda: List(LIMITS, distinct()),
    "Set": lambda: Set(LIMITS, distinct()),
    "ZSet": lambda: ZSet(LIMITS, ((element, float(i)) for i, element in enumerate(distinct()))),
    "Hash": lambda: Hash(LIMITS, [(element, element + b"!") for element in distinct()]),
    "Stream": stream,
}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("samples", [0, 5])
def test_within_a_third_of_the_truth(name: str, samples: int) -> None:
    MAKERS[name]()  # creates what is shared later: caches, interned strings
    tracemalloc.start()
    try:
        value = MAKERS[name]()
        truth, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert truth * 2 / 3 < memory_of(value, samples) < truth * 4 / 3


def test_samples_stand_for_the_rest() -> None:
    value = [b"x" * 100] + [b"y" * (1000 + i) for i in range(99)]
    assert memory_of(value, 1) < 20_000 < 100_000 < memory_of(value, 0)


def test_each_object_counts_once() -> None:
    element = b"x" * 1000
    assert memory_of([element] * 10, 0) < 2000
