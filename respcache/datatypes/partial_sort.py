"""The first few of many items in order, with items that compare equal in the order that Redis gives them.

Redis sorts all results of a search by the C library, which keeps the order of equal items, but the first few of many
by a quicksort that does not. Which of several equal items come out is then a matter of how it works: that of Bentley
and McIlroy ("Engineering a sort function", 1993), as in the BSDs, cut short where nothing is wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# Fewer entries than this are sorted by insertion; for more than `_MANY`, the pivot is chosen out of nine.
_FEW, _MANY = 7, 40

Entry = tuple[float, T]


def partial_sort(items: list[T], key: Callable[[T], float], count: int, *, descending: bool = False) -> list[T]:
    """The first `count` of the items by `key`, lowest first, or, if `descending`, highest first."""
    if count >= len(items) or len(set(map(key, items))) == len(items):
        return sorted(items, key=key, reverse=descending)[:count]
    entries = [(-key(item) if descending else key(item), item) for item in items]
    _sort_first(entries, count)
    return [item for _, item in entries[:count]]


def _sort_first(entries: list[Entry[T]], count: int) -> None:
    """Bring the first `count` entries in order."""
    parts = [(0, len(entries))]
    while parts:
        low, size = parts.pop()
        if size < _FEW:
            entries[low : low + size] = sorted(entries[low : low + size], key=_first)
            continue
        less, more = _partition(entries, low, size)
        if more > 1 and low + size - more < count:
            parts.append((low + size - more, more))
        if less > 1 and low < count:
            parts.append((low, less))


def _partition(entries: list[Entry[T]], low: int, size: int) -> tuple[int, int]:
    """Put what is less than a pivot to the front, and what is more to the end; how many entries both are."""
    end = low + size
    _swap(entries, low, _pivot(entries, low, size))
    pivot = entries[low][0]
    # Equal entries are gathered at both ends first: up to `left`, and after `right`.
    left = up = low + 1
    right = down = end - 1
    while True:
        while up <= down and entries[up][0] <= pivot:
            if entries[up][0] == pivot:
                _swap(entries, left, up)
                left += 1
            up += 1
        while up <= down and entries[down][0] >= pivot:
            if entries[down][0] == pivot:
                _swap(entries, down, right)
                right -= 1
            down -= 1
        if up > down:
            break
        _swap(entries, up, down)
        up += 1
        down -= 1
    _swap_runs(entries, low, up, min(left - low, up - left))
    _swap_runs(entries, up, end, min(right - down, end - right - 1))
    return up - left, right - down


def _pivot(entries: list[Entry[T]], low: int, size: int) -> int:
    """Where the pivot is: in the middle, or the median of some."""
    middle = low + size // 2
    if size == _FEW:
        return middle
    first, last = low, low + size - 1
    if size > _MANY:
        step = size // 8
        first = _median(entries, first, first + step, first + 2 * step)
        middle = _median(entries, middle - step, middle, middle + step)
        last = _median(entries, last - 2 * step, last - step, last)
    return _median(entries, first, middle, last)


def _median(entries: list[Entry[T]], one: int, two: int, three: int) -> int:
    a, b, c = entries[one][0], entries[two][0], entries[three][0]
    if a < b:
        return two if b < c else three if a < c else one
    return two if b > c else one if a < c else three


def _swap(entries: list[Entry[T]], one: int, other: int) -> None:
    entries[one], entries[other] = entries[other], entries[one]


def _swap_runs(entries: list[Entry[T]], start: int, end: int, size: int) -> None:
    """Exchange the `size` entries from `start` on with those before `end`, one by one."""
    for at in range(size):
        _swap(entries, start + at, end - size + at)


def _first(entry: Entry[T]) -> float:
    return entry[0]
