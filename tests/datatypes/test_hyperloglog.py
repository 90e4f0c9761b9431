"""HyperLogLogs against a naive model that takes Redis' steps one register at a time, byte by byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from respcache.datatypes import hyperloglog, hyperloglog_registers, hyperloglog_sparse
from respcache.datatypes.hyperloglog import Corrupted
from tests.support.cost import calls_in
from tests.support.naive_hyperloglog import NaiveHyperLogLog, place_of

ELEMENTS = st.lists(st.integers(0, 3000).map(b"%d".__mod__) | st.binary(max_size=20), max_size=12)
REGISTERS = hyperloglog_registers.REGISTERS
HEADER = b"HYLL\x01" + bytes(10) + b"\x80"


class HyperLogLogMachine(RuleBasedStateMachine):
    """Two of them and two models. The limit is so low that they become dense."""

    MOST_BYTES = 120

    def __init__(self) -> None:
        super().__init__()
        self.models = [NaiveHyperLogLog(self.MOST_BYTES), NaiveHyperLogLog(self.MOST_BYTES)]
        self.values = [hyperloglog.new(), hyperloglog.new()]
        for value in self.values:
            hyperloglog.mark_stale(value)

    @rule(which=st.integers(0, 1), elements=ELEMENTS)
    def add(self, which: int, elements: list[bytes]) -> None:
        changed = [hyperloglog.add(self.values[which], element, self.MOST_BYTES) for element in elements]
        assert any(changed) == self.models[which].add(*elements)

    @rule(which=st.integers(0, 1), first=st.integers(0, 5000), ranks=st.lists(st.integers(1, 3), max_size=20))
    def raise_neighbours(self, which: int, first: int, ranks: list[int]) -> None:
        """Elements hardly ever meet in registers next to each other, whose opcodes are joined."""
        value, model = self.values[which], self.models[which]
        for register, rank in enumerate(ranks, first):
            if hyperloglog.is_sparse(value) and rank > model.registers[register]:
                changed = hyperloglog_sparse.raise_register(value, register, rank, self.MOST_BYTES)
                model.raise_register(register, rank)
                assert (changed is None) == (model.opcodes is None)
                if changed is None:
                    hyperloglog.raise_all(value, bytes(model.registers), self.MOST_BYTES, dense=True)
                hyperloglog.mark_stale(value)
                model.stale = True

    @rule(which=st.integers(0, 1))
    def merge(self, which: int) -> None:
        value, other = self.values[which], self.values[1 - which]
        registers = hyperloglog.highest(hyperloglog.registers_of(value), hyperloglog.registers_of(other))
        dense = not hyperloglog.is_sparse(other)
        hyperloglog.raise_all(value, registers, self.MOST_BYTES, dense=dense)
        self.models[which].merge(self.models[1 - which])

    @rule(which=st.integers(0, 1))
    def count(self, which: int) -> None:
        count = hyperloglog.count(self.values[which])
        assert count == self.models[which].count()
        hyperloglog.cache_count(self.values[which], count)
        assert hyperloglog.cached_count(self.values[which]) == count

    @rule(which=st.integers(0, 1))
    def start_anew(self, which: int) -> None:
        self.models[which], self.values[which] = NaiveHyperLogLog(self.MOST_BYTES), hyperloglog.new()
        hyperloglog.mark_stale(self.values[which])

    @invariant()
    def agrees(self) -> None:
        for value, model in zip(self.values, self.models, strict=True):
            assert value == model.encoded()
            assert hyperloglog.is_valid(value)
            assert list(hyperloglog.registers_of(value)) == model.registers


TestHyperLogLog = pytest.mark.timeout(60)(HyperLogLogMachine.TestCase)
TestHyperLogLog.settings = settings(max_examples=40, stateful_step_count=20, deadline=None, derandomize=True)


@given(st.binary(max_size=40))
def test_places_of_elements(element: bytes) -> None:
    assert hyperloglog.place_of(element) == place_of(element)


def test_the_hash_of_a_long_element_is_made_piece_by_piece() -> None:
    element = Random(1).randbytes(200_003)
    assert hyperloglog.place_of(element) == place_of(element)


@pytest.mark.parametrize("ranks", [range(1), range(64), range(63, 64), range(30, 33)])
def test_packing_merging_and_counting_registers(ranks: range) -> None:
    chance = Random(2)
    one, other = (bytes(chance.choices(ranks, k=REGISTERS)) for _ in range(2))
    packed = hyperloglog_registers.pack(one)
    assert int.from_bytes(packed, "little") == sum(rank << 6 * at for at, rank in enumerate(one))
    assert hyperloglog_registers.unpack(packed) == one
    assert hyperloglog_registers.highest(one, other) == bytes(map(max, one, other))
    assert dict(enumerate(hyperloglog_registers.histogram(packed))) == {rank: one.count(rank) for rank in range(64)}
    raised = list(hyperloglog_registers.raised(one, other))
    assert raised == [(at, other[at]) for at in range(REGISTERS) if one[at] != other[at]]


@pytest.mark.parametrize("seed", range(12))
def test_adding_many_at_once(seed: int) -> None:
    chance = Random(seed)
    most_bytes = chance.choice((100, 1000, 3000, 20_000))
    model, value = NaiveHyperLogLog(most_bytes), hyperloglog.new()
    hyperloglog.mark_stale(value)
    for _ in range(4):
        elements = [b"%d" % chance.randrange(1 << 20) for _ in range(chance.choice((10, 30, 300, 900)))]
        before = model.registers.copy()
        changes = hyperloglog.add_all(value, elements, most_bytes)
        assert model.add(*elements) == bool(changes)
        assert changes >= sum(map(int.__gt__, model.registers, before))
        assert value == model.encoded()


def test_marks_survive_changes_next_to_each_other() -> None:
    """Elements hardly ever meet in neighbouring registers, whose opcodes are split and joined."""
    chance = Random(3)
    model, value = NaiveHyperLogLog(20_000), hyperloglog.new()
    hyperloglog.mark_stale(value)
    places = [(chance.randrange(600), chance.randint(1, 4)) for _ in range(3000)]
    for register, rank in places:
        if rank > model.registers[register]:
            model.raise_register(register, rank)
    assert hyperloglog_sparse.raise_many(value, places, 20_000)[1] == len(places)
    assert value == model.encoded()


@pytest.mark.parametrize("seed", range(8))
def test_merging_large_ones(seed: int) -> None:
    """Registers are raised one after the other, each from shortly before the last one on."""
    chance = Random(seed)
    models = [NaiveHyperLogLog(), NaiveHyperLogLog()]
    values = [hyperloglog.new(), hyperloglog.new()]
    for value, model in zip(values, models, strict=True):
        start = chance.randrange(REGISTERS - 400)
        changes = [(chance.randrange(REGISTERS), chance.randint(1, 4)) for _ in range(chance.choice((0, 30, 500)))]
        changes += [(at, chance.randint(1, 2)) for at in range(start, start + 400) if chance.random() < 0.7]
        for register, rank in changes:
            if rank > model.registers[register]:
                model.raise_register(register, rank)
                assert hyperloglog_sparse.raise_register(value, register, rank, 3000)
        hyperloglog.mark_stale(value)
    union = hyperloglog.highest(*map(hyperloglog.registers_of, values))
    hyperloglog.raise_all(values[0], union, 3000, dense=False)
    models[0].merge(models[1])
    assert values[0] == models[0].encoded()


@given(st.binary(max_size=60), st.integers(0, REGISTERS - 1), st.integers(1, 33))
def test_any_bytes_are_opcodes_or_corrupted(opcodes: bytes, register: int, rank: int) -> None:
    """All readers agree; a change of what is corrupted either fails, or sets that register."""
    value = bytearray(HEADER + opcodes)
    try:
        registers = hyperloglog.registers_of(value)
    except Corrupted:
        registers = b""
        with pytest.raises(Corrupted):
            hyperloglog.count(value)
        with pytest.raises(Corrupted):
            hyperloglog.make_dense(value)
    else:
        expected = Counter(registers)
        assert hyperloglog_sparse.histogram(value) == [expected[rank] for rank in range(64)]
    assert value == HEADER + opcodes
    try:
        changed = hyperloglog_sparse.raise_register(value, register, rank, 3000)
    except Corrupted:
        assert value == HEADER + opcodes
        assert not registers
    else:
        if not changed:
            assert value == HEADER + opcodes
        elif registers:
            assert hyperloglog.registers_of(value)[register] == rank


@pytest.mark.parametrize(
    "opcodes",
    [b"", b"\x7f", b"\x7f\xfe", b"\x7f\xff\x00", b"\x7f\xff\x80", b"\x7f\xff" * 1000, b"\x7f\xff" * (1 << 20),
     b"\x00" * 16383, b"\x00" * 16385, b"\xff" * 4097, b"\xff" * (1 << 20)],
)  # fmt: skip
def test_too_few_and_too_many_registers(opcodes: bytes) -> None:
    value = bytearray(HEADER + opcodes)
    for look in (hyperloglog.registers_of, hyperloglog.count, hyperloglog.make_dense):
        assert calls_in(partial(_fails, look, value)) < 50_000
    assert value == HEADER + opcodes


def _fails(look: Callable[[bytearray], object], value: bytearray) -> None:
    with pytest.raises(Corrupted):
        look(value)


@pytest.mark.parametrize("opcodes", [b"\x00" * 16384, b"\xff" * 4096, b"\x40\x00" * 16384, b"\x7f\xfe\x40"])
def test_opcodes_that_nobody_would_write(opcodes: bytes) -> None:
    value = bytearray(HEADER + opcodes)
    registers = hyperloglog.registers_of(value)
    assert hyperloglog.count(value) == hyperloglog.count_registers(registers)
    everywhere = bytes([32]) * REGISTERS
    raised = value.copy()
    assert hyperloglog_sparse.raise_all(raised, everywhere, 1 << 20)
    assert hyperloglog.registers_of(raised) == everywhere
    added = value.copy()
    places = [(at, 32) for at in reversed(range(REGISTERS))][:300]
    assert hyperloglog_sparse.raise_many(added, places, 1 << 20)[1] == len(places)
    assert hyperloglog.registers_of(added)[-300:] == everywhere[:300]
    assert hyperloglog.make_dense(value)
    assert hyperloglog.registers_of(value) == registers


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        (HEADER, True),
        (HEADER + b"\x7f\xff", True),
        (HEADER[:-1], False),
        (b"HYLX" + HEADER[4:], False),
        (b"HYLL\x02" + HEADER[5:], False),
        (b"HYLL\x00" + HEADER[5:], False),
        (b"HYLL\x00" + HEADER[5:] + bytes(12288), True),
        (b"HYLL\x00" + HEADER[5:] + bytes(12289), False),
        (b"HYLL\x00" + HEADER[5:] + bytes(12287), False),
        (b"", False),
    ],
)
def test_what_looks_like_one(value: bytes, valid: bool) -> None:
    assert hyperloglog.is_valid(value) == valid


def test_adding_and_counting_take_no_step_per_register() -> None:
    value = hyperloglog.new()
    for number in range(1000):
        hyperloglog.add(value, b"%d" % number, 3000)
    assert hyperloglog.is_sparse(value)
    assert calls_in(lambda: hyperloglog.add(value, b"another", 3000)) < 700  # sparse: a few per XZERO
    hyperloglog.make_dense(value)
    assert calls_in(lambda: hyperloglog.add(value, b"one more", 3000)) < 30
    assert calls_in(lambda: hyperloglog.count(value)) < 500
    assert calls_in(lambda: hyperloglog.highest(*2 * [hyperloglog.registers_of(value)])) < 50
