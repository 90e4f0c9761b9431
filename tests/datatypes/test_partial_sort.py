"""The first few items in order, and what becomes of equal ones."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from respcache.datatypes.partial_sort import partial_sort

Item = tuple[float, int]


def number(item: Item) -> float:
    return item[0]


# Few numbers, so that many items are equal.
ITEMS = st.lists(st.sampled_from([0.0, -0.0, 1.0, 1.5, 2.0, 3.0, 7.0]), max_size=200).map(
    lambda numbers: [(value, at) for at, value in enumerate(numbers)]
)


@given(ITEMS, st.integers(1, 210), st.booleans())
def test_the_lowest_come_first(items: list[Item], count: int, descending: bool) -> None:
    found = partial_sort(items, number, count, descending=descending)
    assert [item[0] for item in found] == sorted(map(number, items), reverse=descending)[:count]
    assert len(set(found)) == len(found)
    assert set(found) <= set(items)


@given(ITEMS, st.booleans())
def test_all_of_them_keep_the_order_of_equal_ones(items: list[Item], descending: bool) -> None:
    found = partial_sort(items, number, len(items), descending=descending)
    assert found == sorted(items, key=number, reverse=descending)


def test_some_of_them_do_not() -> None:
    """The pivot, in the middle, goes to the front, and all equal ones to both ends and back. `tests/commands/geo`
    compares larger cases with a genuine server."""
    equal = [(0.0, at) for at in range(10)]
    assert [at for _, at in partial_sort(equal, number, 5)] == [9, 1, 2, 3, 4]
