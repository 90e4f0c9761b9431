"""Lists against Python's. Blocks are so small here that a few elements fill several."""

from __future__ import annotations

import marshal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from respcache.datatypes import list as list_module
from respcache.datatypes.limits import Limits
from respcache.datatypes.list import LISTPACK, QUICKLIST, List
from tests.support.cost import calls_in

ELEMENTS = st.sampled_from([b"", b"a", b"b", b"c", b"d" * 30])
MANY = st.lists(ELEMENTS, max_size=12)
PLACES = st.integers(0, 30)
LIMIT = 8
LIMITS = Limits()


class ListMachine(RuleBasedStateMachine):
    """Every rule does the same to a `List` and to a Python list."""

    def __init__(self) -> None:
        super().__init__()
        self.block, list_module.BLOCK = list_module.BLOCK, 4
        self.limits = Limits()
        self.limits.list_max_listpack_size = LIMIT
        self.list = List(self.limits)
        self.model: list[bytes] = []
        self.listpack = True

    def teardown(self) -> None:
        list_module.BLOCK = self.block

    def grows(self, count: int) -> None:
        """`count` elements are about to be added: above the limit, it becomes a quicklist."""
        self.listpack = self.listpack and len(self.model) + count <= LIMIT

    def shrunk(self) -> None:
        """Elements were removed or replaced: at half of the limit, it becomes a listpack again."""
        self.listpack = self.listpack or len(self.model) <= LIMIT // 2

    @initialize(elements=MANY, stored=st.booleans())
    def build(self, elements: list[bytes], stored: bool) -> None:
        self.list = List.sorted_result(self.limits, elements) if stored else List(self.limits, elements)
        self.grows(len(elements))
        self.model = list(elements)

    @rule(elements=MANY)
    def extend(self, elements: list[bytes]) -> None:
        self.list.extend(elements)
        self.grows(len(elements))
        self.model.extend(elements)

    @rule(elements=MANY)
    def extendleft(self, elements: list[bytes]) -> None:
        self.list.extendleft(elements)
        self.grows(len(elements))
        self.model[:0] = elements[::-1]

    @precondition(lambda self: self.model)
    @rule(last=st.booleans())
    def pop(self, last: bool) -> None:
        assert (self.list.pop() if last else self.list.popleft()) == self.model.pop(-1 if last else 0)
        self.agrees()  # it is a listpack again only after the next step
        self.list.shrink()
        self.shrunk()

    @rule(count=st.integers(1, 12), last=st.booleans())
    def take(self, count: int, last: bool) -> None:
        if not self.model:
            return
        taken = self.model[::-1][:count] if last else self.model[:count]
        assert self.list.take(count, last=last) == taken
        self.model = self.model[: -len(taken)] if last else self.model[len(taken) :]
        self.shrunk()

    @rule(place=PLACES, element=ELEMENTS)
    def insert(self, place: int, element: bytes) -> None:
        place %= len(self.model) + 1
        self.list.expect((element,))
        self.grows(1)
        self.list.insert(place, element)
        self.model.insert(place, element)

    @precondition(lambda self: self.model)
    @rule(place=PLACES, element=ELEMENTS)
    def replace(self, place: int, element: bytes) -> None:
        place = place % (2 * len(self.model)) - len(self.model)
        self.grows(1)
        self.list[place] = element
        self.model[place] = element
        self.shrunk()

    @rule(element=ELEMENTS, count=st.integers(-3, 3))
    def remove(self, element: bytes, count: int) -> None:
        places = [at for at, candidate in enumerate(self.model) if candidate == element]
        gone = places if count == 0 else places[:count] if count > 0 else places[count:]
        assert self.list.remove(element, count) == len(gone)
        self.model = [candidate for at, candidate in enumerate(self.model) if at not in gone]
        if gone:
            self.shrunk()

    @rule(start=PLACES, stop=PLACES)
    def trim(self, start: int, stop: int) -> None:
        stop = min(stop, len(self.model))
        start = min(start, stop)
        self.list.trim(start, stop)
        self.model = self.model[start:stop]
        self.shrunk()

    @rule(start=PLACES, stop=PLACES)
    def slice(self, start: int, stop: int) -> None:
        stop = min(stop, len(self.model))
        assert self.list.slice(start, stop) == self.model[start:stop]

    @rule()
    def travel(self) -> None:
        self.list = List.load(self.limits, marshal.loads(marshal.dumps(self.list.dump())))

    @rule()
    def copy(self) -> None:
        original = self.list
        self.list = original.copy()
        original.extend([b"not in the copy"])

    @invariant()
    def agrees(self) -> None:
        assert list(self.list) == self.model
        assert list(reversed(self.list)) == self.model[::-1]
        assert len(self.list) == len(self.model)
        assert [self.list[at] for at in range(-len(self.model), len(self.model))] == self.model * 2
        assert self.list.encoding == (b"listpack" if self.listpack else b"quicklist")


TestList = pytest.mark.timeout(60)(ListMachine.TestCase)
TestList.settings = settings(max_examples=60, stateful_step_count=25, deadline=None, derandomize=True)


def test_indexes_outside() -> None:
    for elements in ([], [b"a", b"b"]):
        items = List(LIMITS, elements)
        for index in (len(elements), -len(elements) - 1):
            with pytest.raises(IndexError):
                items[index]
            with pytest.raises(IndexError):
                items[index] = b"x"


def test_elements_far_from_an_edit_cost_nothing() -> None:
    """Of 100,000 elements, whole blocks are dropped, kept, copied or searched at once."""
    elements = [b"element %d" % number for number in range(100_000)]
    whole = List(LIMITS, elements)
    for start, stop in ((100, 99_900), (40_000, 60_000), (0, 2_000), (98_000, 100_000)):
        items = whole.copy()
        assert calls_in(lambda: items.trim(start, stop)) < 10_000  # noqa: B023 - called at once
        assert list(items) == elements[start:stop]
        assert items.slice(7, 12) == elements[start + 7 : start + 12]
    items = whole.copy()
    for last in (False, True):
        assert calls_in(lambda: items.take(40_000, last=last)) < 4_000  # noqa: B023 - called at once
    assert list(items) == elements[40_000:60_000]
    assert calls_in(lambda: items.remove(elements[50_000], 0)) < 4_000
    assert calls_in(lambda: items.extend(elements)) < 4_000
    assert calls_in(lambda: items.extendleft(elements)) < 4_000
    assert calls_in(items.copy) < 4_000
    assert list(items) == [*elements[::-1], *elements[40_000:50_000], *elements[50_001:60_000], *elements]


def test_a_long_list_that_becomes_short_is_measured() -> None:
    items = List(LIMITS, [b"x"] * 100_000)
    assert items.encoding == QUICKLIST
    for left in (2_000, 1_400):  # three bytes each
        items.take(len(items) - left, last=True)
        assert items.encoding == QUICKLIST
    items.take(100, last=False)
    assert items.encoding == LISTPACK
    items.extend([b"x"] * 1_300)
    assert items.encoding == LISTPACK
    items.extend([b"x"] * 400)
    assert items.encoding == QUICKLIST
    items.pop()
    items.shrink()
    assert items.encoding == QUICKLIST
