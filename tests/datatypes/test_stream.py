"""Streams against lists of nodes. Nodes have three entries at most here, so a few entries fill several."""

from __future__ import annotations

import marshal
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from respcache.datatypes.limits import Limits
from respcache.datatypes.listpack import EMPTY
from respcache.datatypes.radix import radix_nodes
from respcache.datatypes.stream import Entry, Stream
from respcache.datatypes.stream_ids import MAX_ID, MAX_PART
from tests.support.cost import calls_in

NODE = 3
# Few enough for collisions: at most five entries in each of some milliseconds.
IDS = st.builds(lambda ms, sequence: ms << 64 | sequence, st.integers(0, 12), st.integers(0, 4))
STEPS = st.sampled_from((1, 1, 1, 2, 1 << 64, (1 << 64) - 1))
FIELDS = st.lists(st.sampled_from((b"a", b"b", b"1", b"")), min_size=2, max_size=2) | st.just([b"x", b"y" * 70] * 2)
COUNTS = st.none() | st.integers(0, 7)
LIMITS = st.sampled_from((0, 0, 1, 2, 3, 4, 7))


class StreamMachine(RuleBasedStateMachine):
    """Every rule does the same to a `Stream` and to the model: nodes of [id, fields or None for a deleted entry]."""

    @initialize()
    def begin(self) -> None:
        self.limits = Limits()
        self.limits.stream_node_max_entries = NODE
        self.stream = Stream(self.limits)
        self.nodes: list[list[Entry]] = []
        self.deleted: set[int] = set()
        self.last_id = self.added = self.max_deleted = 0

    def alive(self) -> list[Entry]:
        return [entry for node in self.nodes for entry in self.in_node(node)]

    def in_node(self, node: list[Entry]) -> list[Entry]:
        return [entry for entry in node if entry[0] not in self.deleted]

    @rule(step=STEPS, fields=FIELDS)
    def append(self, step: int, fields: list[bytes]) -> None:
        self.last_id += step
        self.stream.append(self.last_id, fields)
        if not self.nodes or len(self.nodes[-1]) == NODE:
            self.nodes.append([])
        self.nodes[-1].append((self.last_id, tuple(fields)))
        self.added += 1

    @rule(id=IDS)
    def delete(self, id: int) -> None:
        there = id in dict(self.alive())
        assert self.stream.delete(id) == there
        if there:
            self.deleted.add(id)
            self.max_deleted = max(self.max_deleted, id)
            self.nodes = [node for node in self.nodes if self.in_node(node) or id not in dict(node)]

    @rule(length=st.integers(0, 12), whole_nodes=st.booleans(), limit=LIMITS)
    def trim_to_length(self, length: int, whole_nodes: bool, limit: int) -> None:
        before = len(self.alive())
        room = limit or before
        while self.nodes and len(self.alive()) > length:
            entries = self.in_node(self.nodes[0])
            if len(entries) > room:
                break
            excess = len(self.alive()) - length
            if len(entries) > excess:
                if not whole_nodes:
                    self.deleted.update(id for id, _ in entries[:excess])
                break
            del self.nodes[0]
            room -= len(entries)
        expected = before - len(self.alive())
        assert self.stream.trim_to_length(length, whole_nodes=whole_nodes, limit=limit) == expected

    @rule(id=IDS, whole_nodes=st.booleans(), limit=LIMITS)
    def trim_below(self, id: int, whole_nodes: bool, limit: int) -> None:
        before = len(self.alive())
        room = limit or before
        while self.nodes:
            entries = self.in_node(self.nodes[0])
            if len(entries) > room:
                break
            if self.nodes[0][-1][0] >= id:
                if not whole_nodes:
                    self.deleted.update(other for other, _ in entries if other < id)
                break
            del self.nodes[0]
            room -= len(entries)
        expected = before - len(self.alive())
        assert self.stream.trim_below(id, whole_nodes=whole_nodes, limit=limit) == expected

    @rule(start=IDS, end=IDS, count=COUNTS)
    def ranges(self, start: int, end: int, count: int | None) -> None:
        expected = [entry for entry in self.alive() if start <= entry[0] <= end]
        assert self.stream.range(start, end, count) == expected[:count]
        assert self.stream.reverse_range(start, end, count) == expected[::-1][:count]

    @rule(id=IDS)
    def get(self, id: int) -> None:
        assert self.stream.get(id) == dict(self.alive()).get(id)
        assert (id in self.stream) == (id in dict(self.alive()))

    @rule()
    def travel(self) -> None:
        self.stream = Stream.load(self.limits, marshal.loads(marshal.dumps(self.stream.dump())))

    @rule()
    def copy(self) -> None:
        original = self.stream
        self.stream = original.copy()
        original.append(MAX_ID, [b"not in", b"the copy"])
        original.trim_to_length(0, whole_nodes=False)

    @invariant()
    def agrees(self) -> None:
        alive = self.alive()
        assert list(self.stream) == alive
        assert len(self.stream) == len(alive)
        assert self.stream.first_id == (alive[0][0] if alive else 0)
        assert self.stream.last_entry_id == (alive[-1][0] if alive else 0)
        assert self.stream.last_id == self.last_id
        assert self.stream.entries_added == self.added
        assert self.stream.max_deleted_id == self.max_deleted
        assert self.stream.tree()[0] == len(self.nodes)


TestStream = pytest.mark.timeout(60)(StreamMachine.TestCase)
TestStream.settings = settings(max_examples=60, stateful_step_count=30, deadline=None, derandomize=True)


def filled(count: int, limits: Limits | None = None) -> Stream:
    stream = Stream(limits or Limits())
    for number in range(1, count + 1):
        stream.append(number << 64, [b"name", b"value %d" % number])
    return stream


def test_next_id() -> None:
    stream = Stream(Limits())
    assert stream.next_id(5) == 5 << 64
    stream.append(5 << 64 | 7, [b"a", b"b"])
    assert stream.next_id(5) == 5 << 64 | 8
    assert stream.next_id(4) == 5 << 64 | 8
    assert stream.next_id(6) == 6 << 64
    stream.append(5 << 64 | MAX_PART, [b"a", b"b"])
    assert stream.next_id(5) == 6 << 64


def test_bytes_end_a_node() -> None:
    """The boundary is that of Redis 7.2: the listpack so far, and the bytes of the fields without their headers."""
    limits = Limits()
    limits.stream_node_max_bytes = 200
    # The two counters, the number of names, the name, and a zero; then flags, both parts of the id, value and count.
    size = EMPTY + 2 * 2 + 2 + 6 + 2 + (2 + 2 + 2 + 52 + 2)
    for length, nodes in ((200 - size - 4 - 1, 1), (200 - size - 4, 2)):
        stream = Stream(limits)
        stream.append(1 << 64, [b"name", b"x" * 50])
        stream.append(2 << 64, [b"name", b"x" * length])
        assert stream.tree()[0] == nodes


@pytest.mark.parametrize(("entries", "size", "nodes"), [(0, 0, 1), (7, 0, 29), (7, 1, 200)])
def test_limits_of_nodes(entries: int, size: int, nodes: int) -> None:
    """0 means no limit."""
    limits = Limits()
    limits.stream_node_max_entries, limits.stream_node_max_bytes = entries, size
    stream = filled(200, limits)
    assert stream.tree()[0] == nodes
    assert len(list(stream)) == 200


def test_trimming_may_leave_a_node_without_entries() -> None:
    """MINID removes a node when its last entry is lower, even if that one was deleted."""
    stream = filled(2)
    stream.delete(2 << 64)
    assert stream.trim_below(2 << 64, whole_nodes=False) == 1
    assert (len(stream), stream.first_id, stream.last_entry_id, stream.tree()[0]) == (0, 0, 0, 1)
    stream.append(3 << 64, [b"a", b"b"])
    assert stream.tree()[0] == 1
    assert stream.first_id == 3 << 64
    assert stream.trim_below(4 << 64, whole_nodes=True) == 1


def test_a_node_that_becomes_the_last_one_again() -> None:
    stream = filled(250)
    for number in range(201, 251):
        stream.delete(number << 64)
    assert stream.tree()[0] == 2
    stream.append(300 << 64, [b"a", b"b"])
    assert stream.tree()[0] == 3
    assert stream.reverse_range(count=2) == [(300 << 64, (b"a", b"b")), (200 << 64, (b"name", b"value 200"))]


def test_costs() -> None:
    """Of 100,000 entries, only those that are asked for are touched, and those in the same node."""
    stream = filled(100_000)
    middle = 50_000 << 64
    assert calls_in(lambda: stream.range(middle, count=10)) < 150
    assert calls_in(lambda: stream.reverse_range(end=middle, count=10)) < 150
    assert calls_in(lambda: stream.range(middle, middle + (1000 << 64))) < 2_000
    assert calls_in(lambda: stream.get(70_000 << 64)) < 100
    assert calls_in(lambda: stream.delete(30_000 << 64)) < 1_000
    assert calls_in(lambda: stream.append(200_000 << 64, [b"a", b"b"])) < 100
    assert calls_in(lambda: stream.trim_to_length(60_000, whole_nodes=False)) < 3_000
    assert calls_in(lambda: stream.trim_below(80_000 << 64, whole_nodes=True)) < 3_000
    assert calls_in(stream.copy) < 5_000
    assert stream.first_id == 79_901 << 64


def test_reading_in_turns_packs_no_node_for_nothing() -> None:
    """A reader in the middle and an exact MAXLEN, entry by entry: both nodes stay open."""
    stream = filled(10_000)
    ids = iter(range(5_000, 6_000))

    def step() -> None:
        stream.append(stream.last_id + 1, [b"a", b"b"])
        stream.trim_to_length(10_000, whole_nodes=False)
        stream.range(next(ids) << 64, count=1)

    step()
    assert sum(calls_in(step) for _ in range(500)) < 60_000


def tree(keys: Sequence[int]) -> int:
    """Nodes of a radix tree, made step by step."""

    def below(words: list[bytes]) -> int:
        if words == [b""]:
            return 1
        heads = {word[:1] for word in words}
        if len(heads) == 1:
            common = next(
                (at for at in range(1, len(words[0])) if len({word[: at + 1] for word in words}) > 1), len(words[0])
            )
            return 1 + below([word[common:] for word in words])
        return 1 + sum(below([word[1:] for word in words if word[:1] == head]) for head in heads)

    return below([key.to_bytes(16, "big") for key in keys]) if keys else 1


@given(st.sets(IDS | st.integers(0, MAX_ID), max_size=30))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_nodes_of_the_radix_tree(keys: set[int]) -> None:
    assert radix_nodes(sorted(keys)) == tree(sorted(keys))
