"""Lists against Python's. Blocks are so small here that a few elements fill several."""

from __future__ import annotations

import marshal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from respcache.datatypes import list as list_module
from respcache.datatypes.limits import Limits
from respcache.datatypes.list import List

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

    def resized(self) -> None:
        """Update the expected encoding: quicklist above the limit, listpack below half of it, unchanged in between."""
        if len(self.model) > LIMIT:
            self.listpack = False
        elif len(self.model) <= LIMIT // 2:
            self.listpack = True

    @initialize(elements=MANY)
    def build(self, elements: list[bytes]) -> None:
        self.list, self.model = List(self.limits, elements), list(elements)
        self.resized()

    @rule(elements=MANY)
    def extend(self, elements: list[bytes]) -> None:
        self.list.extend(elements)
        self.model.extend(elements)
        self.listpack = self.listpack and len(self.model) <= LIMIT

    @rule(elements=MANY)
    def extendleft(self, elements: list[bytes]) -> None:
        self.list.extendleft(elements)
        self.model[:0] = elements[::-1]
        self.listpack = self.listpack and len(self.model) <= LIMIT

    @precondition(lambda self: self.model)
    @rule(last=st.booleans())
    def pop(self, last: bool) -> None:
        assert (self.list.pop() if last else self.list.popleft()) == self.model.pop(-1 if last else 0)
        self.resized()

    @precondition(lambda self: self.model)
    @rule(place=PLACES, element=ELEMENTS)
    def insert(self, place: int, element: bytes) -> None:
        place %= len(self.model)
        self.list.insert(place, element)
        self.model.insert(place, element)
        self.listpack = self.listpack and len(self.model) <= LIMIT

    @precondition(lambda self: self.model)
    @rule(place=PLACES, element=ELEMENTS)
    def replace(self, place: int, element: bytes) -> None:
        place = place % (2 * len(self.model)) - len(self.model)
        self.list[place] = element
        self.model[place] = element

    @rule(element=ELEMENTS, count=st.integers(-3, 3))
    def remove(self, element: bytes, count: int) -> None:
        places = [at for at, candidate in enumerate(self.model) if candidate == element]
        gone = places if count == 0 else places[:count] if count > 0 else places[count:]
        assert self.list.remove(element, count) == len(gone)
        self.model = [candidate for at, candidate in enumerate(self.model) if at not in gone]
        if gone:
            self.resized()

    @rule(start=PLACES, stop=PLACES)
    def trim(self, start: int, stop: int) -> None:
        stop = min(stop, len(self.model))
        start = min(start, stop)
        self.list.trim(start, stop)
        if (start, stop) != (0, len(self.model)):
            self.model = self.model[start:stop]
            self.resized()

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
        original.append(b"not in the copy")

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


def test_the_default_limit_is_in_bytes() -> None:
    items = List(LIMITS, [b"x" * 2000] * 4)
    assert items.encoding == b"listpack"
    items.append(b"x" * 2000)
    assert items.encoding == b"quicklist"
    items.pop()
    assert items.encoding == b"quicklist"
    items.pop()
    items.pop()
    assert items.encoding == b"listpack"
    items[0] = b"x" * 9000
    assert items.encoding == b"quicklist"
