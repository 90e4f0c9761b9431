"""Snapshots in a shard: whatever happens in between, restoring gives what there was; and costs what has changed."""

from __future__ import annotations

import random
from typing import Any

import pytest

from respcache.datatypes.types import dump_value, load_value
from respcache.errors.texts import SNAPSHOT_GONE, SNAPSHOT_LIMIT
from respcache.shard import wire
from respcache.store import images, snapshots
from respcache.store.keyspace import Keyspace
from respcache.store.reports import EVENT, FAILED
from tests.shard.conftest import Child
from tests.support.changes import Changes

ROOM = 1 << 30
# Database -> key -> (name of the type, data, TTL).
Picture = list[dict[bytes, tuple[Any, ...]]]


def databases(child: Child) -> list[Keyspace]:
    """Those of the default namespace, which snapshots are about."""
    return [child.shard.databases[index] for index in range(child.shard.databases.each)]


def picture(child: Child) -> Picture:
    """All that there is, as far as it has not expired."""
    return [
        {
            key: (*_settled(child, value), None if (deadline := db.deadline(key)) is None else deadline - child.now)
            for key, value in db.items()
            if not db.has_expired(key, child.now)
        }
        for db in databases(child)
    ]


def _settled(child: Child, value: object) -> tuple[str, object]:
    """The same after a journey: a stream may have packed some nodes by then, and not others."""
    return dump_value(load_value(child.shard.limits, *dump_value(value)))


def check(child: Child) -> None:
    """What a database keeps twice agrees."""
    for db in child.shard.databases.values():
        assert [db.slots[key] for key in db.members] == list(range(len(db.members)))
        assert len(db.members) == len(db.values) == len(db.accessed)
        assert set(db.deadlines) <= set(db.slots)
        assert db.next_deadline() == min(map(db.deadline, db.deadlines), default=None)  # type: ignore[type-var]  # none is None


class Story:
    """Random commands, snapshots, restores and drops in any order, and time that passes."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.child = Child()
        self.changes = Changes(self.chance)
        self.kept: dict[int, tuple[int, Picture]] = {}  # when it was taken, and of what
        self.db = 0
        self.number = 0

    def act(self) -> None:
        child = self.child
        match self.chance.choices(("run", "wait", "take", "restore", "drop", "again"), (80, 8, 3, 5, 1, 1))[0]:
            case "run":
                for _ in range(self.chance.randrange(1, 8)):
                    self._run(self.changes.next())
            case "wait":
                child.now += self.chance.choice((1, 10, 100, 1000))
                if self.chance.random() < 0.5:
                    child.send(wire.tick())
            case "take":
                self.number += 1
                ((keys, size, held),) = child.ask(wire.take_snapshot(self.number, ROOM))
                alone = [images.Image.of(db) for db in databases(child)]
                assert (keys, size) == (sum(map(len, databases(child))), sum(image.size for image in alone))
                assert held == child.shard.snapshots.held
                self.kept[self.number] = child.now, picture(child)
            case "restore" if self.kept:
                number = self.chance.choice(list(self.kept))
                taken, before = self.kept[number]
                child.ask(wire.restore_snapshot(number, child.now - taken))
                assert picture(child) == before
                check(child)
            case "drop" if self.kept:
                number = self.chance.choice(list(self.kept))
                child.ask(wire.drop_snapshot(number))
                del self.kept[number]

    def _run(self, words: list[str]) -> None:
        if words[0] == "SELECT":
            self.db = int(words[1])
            return
        caller = self.child.caller._replace(db=self.db)
        self.child.send(wire.run(caller, [[word.encode() for word in words]], False))


@pytest.mark.parametrize("seed", range(30))
def test_restoring_gives_what_there_was(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With bounds that are reached and with bounds that are not."""
    monkeypatch.setattr(snapshots, "_FEW", 1 if seed % 2 else 1024)
    monkeypatch.setattr(images, "_MUCH", 0 if seed % 3 else 2)  # 0: images are layered without end
    story = Story(seed)
    for _ in range(400):
        story.act()
    for number in [*story.kept]:
        story.child.ask(wire.drop_snapshot(number))
    assert story.child.shard.snapshots.held == 0
    assert not story.child.shard.observers


def test_a_value_that_was_restored_is_not_the_one_that_is_kept(child: Child) -> None:
    child.run("RPUSH l a", "HSET h f v", "SADD s m", "ZADD z 1 m", "XADD x 1-1 f v", "SETBIT b 0 1")
    child.ask(wire.take_snapshot(1, ROOM))
    before = picture(child)
    for _ in range(3):
        child.run("RPUSH l b", "HSET h g v", "SADD s n", "ZADD z 2 n", "XADD x 2-1 f v", "SETBIT b 7 1")
        assert picture(child) != before
        child.ask(wire.restore_snapshot(1, 0))
        assert picture(child) == before


QUIET = {
    "SORT zset": "OBJECT ENCODING zset",
    "ZADD zset 1 m 1 m": "OBJECT ENCODING zset",
    "LSET list 9 xxxxxxxxxx": "OBJECT ENCODING list",
    "LINSERT list BEFORE nothing xxxxxxxxxx": "OBJECT ENCODING list",
    "SADD set m m": "OBJECT ENCODING set",
    "BITFIELD string INCRBY u1 9 0": "OBJECT ENCODING string",
    "XREADGROUP GROUP g c STREAMS stream >": "XINFO STREAM stream FULL",
}


@pytest.mark.parametrize("command", QUIET)
def test_what_changes_no_content(child: Child, command: str) -> None:
    """The form of a value, or when a consumer was seen last: no modification, but part of the state."""
    child.run("ZADD zset 1 m", "RPUSH list a", "SADD set m", "SET string 123", "XGROUP CREATE stream g 0 MKSTREAM")
    child.run("XGROUP CREATECONSUMER stream g c")
    child.ask(wire.configure({"zset_max_listpack_entries": 1, "set_max_listpack_entries": 1}))
    child.ask(wire.configure({"list_max_listpack_size": 1}))
    child.ask(wire.take_snapshot(1, ROOM))
    before = child.run(QUIET[command])
    child.now += 1
    child.run(command)
    assert child.run(QUIET[command]) != before
    child.ask(wire.restore_snapshot(1, 0))
    assert child.run(QUIET[command]) == before


def test_only_what_has_changed_is_touched(child: Child) -> None:
    child.run(*[f"SET k:{number} v" for number in range(100)], "RPUSH l a")
    child.ask(wire.take_snapshot(1, ROOM))
    child.run("FLUSHALL", "SET k:200 x")
    child.ask(wire.restore_snapshot(1, 0))
    untouched = child.shard.databases[0][b"l"]
    before = child.shard.figures.changes
    child.run("SET k:7 w")
    child.ask(wire.restore_snapshot(1, 0))
    assert child.shard.figures.changes == before + 2
    assert child.shard.databases[0][b"l"] is untouched
    assert child.run("GET k:7", "DBSIZE") == [b"$1\r\nv\r\n", b":101\r\n"]


def test_what_is_flushed_is_put_aside(child: Child) -> None:
    """So that a test that cleans up by FLUSHALL makes the next restore no dearer."""
    child.run("RPUSH l a", *[f"SET k:{number} v" for number in range(10)])
    child.ask(wire.take_snapshot(1, ROOM))
    value = child.shard.databases[0][b"l"]
    child.run("SET k:1 w", "FLUSHALL", "SET x y", "FLUSHALL", "SET k:2 w")
    child.ask(wire.restore_snapshot(1, 0))
    assert child.shard.databases[0][b"l"] is value
    assert child.run("MGET k:1 k:2 x") == [b"*3\r\n$1\r\nv\r\n$1\r\nv\r\n$-1\r\n"]


def test_what_is_flushed_is_not_put_aside_for_a_small_snapshot(child: Child) -> None:
    child.ask(wire.take_snapshot(1, ROOM))
    child.run(*[f"SET k:{number} v" for number in range(10)], "FLUSHALL")
    assert child.shard.snapshots.held == 0
    child.run("SET x y")
    child.ask(wire.restore_snapshot(1, 0))
    assert child.run("DBSIZE") == [b":0\r\n"]


def test_notes_are_bounded(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "_FEW", 10)
    child.run("SET k v")
    child.ask(wire.take_snapshot(1, ROOM))
    child.run(*[f"SET k:{number} v" for number in range(1000)], *[f"DEL k:{number}" for number in range(1000)])
    assert len(child.shard.snapshots._changed.places) <= 12
    child.ask(wire.restore_snapshot(1, 0))
    assert child.run("DBSIZE") == [b":1\r\n"]


def test_deadlines_move_together(child: Child) -> None:
    child.run("SET k v PX 1000", "SET l v PX 3000", "SET m v")
    child.ask(wire.take_snapshot(1, ROOM))
    child.now += 700
    child.run("SET n v PX 10")
    (frame,) = child.send(wire.restore_snapshot(1, 700))
    assert frame.next_deadline == child.now + 1000
    assert child.run("PTTL k", "PTTL l", "PTTL m", "PTTL n", "KEYS k") == [
        b":1000\r\n",
        b":3000\r\n",
        b":-1\r\n",
        b":-2\r\n",
        b"*1\r\n$1\r\nk\r\n",
    ]
    child.run("PEXPIRE m 500")
    assert child.run("PTTL m") == [b":500\r\n"]
    (frame,) = child.send(wire.tick())
    assert frame.next_deadline == child.now + 500
    child.now += 1001
    child.ask(wire.tick())
    assert child.run("KEYS *") == [b"*1\r\n$1\r\nl\r\n"]


def test_the_latest_deadline_stays_a_64_bit_integer(child: Child) -> None:
    latest = (1 << 63) - 1
    child.run("SET k v", f"PEXPIREAT k {latest}")
    child.ask(wire.take_snapshot(1, ROOM), wire.restore_snapshot(1, 5000))
    assert child.run("PEXPIRETIME k") == [b":%d\r\n" % latest]


def test_a_key_that_had_expired_does_not_come_back(child: Child) -> None:
    child.run("SET k v PX 10")
    child.now += 11
    keys, *_ = child.ask(wire.take_snapshot(1, ROOM))[0]
    assert keys == 0
    child.ask(wire.restore_snapshot(1, 0))
    assert child.run("DBSIZE") == [b":0\r\n"]


def test_no_events_are_reported(child: Child) -> None:
    child.run("SET k v", "SET l v")
    child.ask(wire.configure({"notify_keyspace_events": "KEAnm"}), wire.take_snapshot(1, ROOM))
    child.run("SET k w", "DEL l", "SET m w")
    (frame,) = child.send(wire.restore_snapshot(1, 0))
    assert not [report for report in frame.reports if report[0] == EVENT]


class TestWatchers:
    @pytest.fixture
    def watched(self, child: Child) -> Child:
        child.run("SET same v", "SET changed v", "SET gone v")
        child.ask(wire.take_snapshot(1, ROOM))
        return child

    @staticmethod
    def dirty(child: Child) -> list[str]:
        names = ["same", "changed", "gone", "new", "never"]
        for number, name in enumerate(names, 1):
            child.ask(wire.watch(number, [(0, name.encode())]))
        child.ask(wire.restore_snapshot(1, 0))
        return [name for number, name in enumerate(names, 1) if child.ask(wire.is_dirty(number))[0]]

    def test_those_of_keys_that_change(self, watched: Child) -> None:
        watched.run("SET changed w", "DEL gone", "SET new v", "SET never v", "DEL never")
        assert self.dirty(watched) == ["changed", "gone", "new"]

    def test_those_of_a_database_that_comes_back(self, watched: Child) -> None:
        watched.run("FLUSHALL", "SET new v")
        assert self.dirty(watched) == ["same", "changed", "gone", "new"]

    def test_those_of_databases_that_were_exchanged(self, watched: Child) -> None:
        watched.run("SWAPDB 0 1", "SET new v")
        assert self.dirty(watched) == ["same", "changed", "gone", "new"]


class TestBounds:
    def test_no_more_room(self, child: Child) -> None:
        child.run("SET k " + "v" * 1000)
        assert self.failure(child, wire.take_snapshot(1, 1000)) == SNAPSHOT_LIMIT
        assert child.shard.snapshots.held == 0
        ((keys, size, held),) = child.ask(wire.take_snapshot(2, 2000))
        assert (keys, size) == (1, held)
        assert 1000 < size < 2000

    def test_what_is_shared_counts_once(self, child: Child) -> None:
        child.run(*[f"SET k:{number} {'v' * 1000}" for number in range(100)])
        ((_, size, first),) = child.ask(wire.take_snapshot(1, ROOM))
        assert first == size
        for number in range(2, 12):
            child.run(f"SET k:{number} {'w' * 1000}")
            ((_, size, held),) = child.ask(wire.take_snapshot(number, ROOM))
            assert first < held < first + 5000 * number  # layers share some of it
        for number in range(1, 12):
            child.ask(wire.drop_snapshot(number))
        assert child.shard.snapshots.held == 0

    def test_what_no_snapshot_shows_is_not_held_for_long(self, child: Child) -> None:
        child.run(*[f"SET k:{number} v" for number in range(100)])
        for number in range(1, 200):
            child.run(f"SET large {'x' * 100_000}{number}")
            child.ask(wire.take_snapshot(number, ROOM))
            child.run("SET large x", f"SET k:{number % 100} {number}")
            ((_, size, _),) = child.ask(wire.take_snapshot(1000 + number, ROOM))
            child.ask(wire.drop_snapshot(number), wire.drop_snapshot(999 + number))
            assert child.shard.snapshots.held < 4 * size

    def test_a_snapshot_costs_what_has_changed(self, child: Child) -> None:
        child.run(*[f"SET k:{number} v" for number in range(1000)])
        child.ask(wire.take_snapshot(1, ROOM))
        for number in range(2, 500):
            child.run(f"SET k:{number} w", f"DEL k:{number + 400}")
            child.ask(wire.take_snapshot(number, ROOM))
        layers, image = [], child.shard.snapshots._by_number[499].images[0]
        while image is not None:
            layers.append(len(image._values))
            image = image.base  # type: ignore[assignment]  # the last one has none
        assert len(layers) < 10
        assert sum(layers) < 3000

    def test_there_is_none(self, child: Child) -> None:
        assert self.failure(child, wire.restore_snapshot(1, 0)) == SNAPSHOT_GONE
        assert child.ask(wire.has_snapshot(1), wire.drop_snapshot(1)) == [False, 0]

    @staticmethod
    def failure(child: Child, item: wire.Item) -> str:
        (frame,) = child.send(item)
        ((kind, _, text),) = frame.reports
        assert kind == FAILED
        return str(text)
