"""Watches, settings, figures and ticks, as main asks for them."""

from __future__ import annotations

import pytest

from respcache.shard import wire
from tests.shard.conftest import Child


class TestWatches:
    def test_a_change_makes_dirty_once(self, child: Child) -> None:
        child.ask(wire.watch(1, [(0, b"k"), (0, b"l")]), wire.watch(2, [(0, b"l")]))
        child.run("SET k v")
        assert child.ask(wire.is_dirty(1), wire.is_dirty(2)) == [True, False]
        child.ask(wire.watch(1, [(0, b"k")]))
        assert child.ask(wire.is_dirty(1)) == [False]

    def test_other_databases_are_other_keys(self, child: Child) -> None:
        child.ask(wire.watch(1, [(0, b"k")]))
        child.run("SET k v", caller=child.caller._replace(db=1))
        assert child.ask(wire.is_dirty(1)) == [False]

    def test_unwatch_forgets(self, child: Child) -> None:
        child.ask(wire.watch(1, [(0, b"k")]))
        child.run("SET k v")
        child.ask(wire.unwatch(1), wire.watch(1, [(0, b"k")]))
        assert child.ask(wire.is_dirty(1)) == [False]

    def test_a_client_whose_watches_are_not_known(self, child: Child) -> None:
        """It watched keys in a shard that died, and its watches were lost."""
        assert child.ask(wire.is_dirty(1)) == [True]

    def test_a_key_that_expires_while_watched(self, child: Child) -> None:
        child.run("SET k v PX 100")
        child.ask(wire.watch(1, [(0, b"k")]))
        child.now += 101
        assert child.ask(wire.is_dirty(1)) == [True]

    def test_a_key_that_has_expired_before(self, child: Child) -> None:
        child.run("SET k v PX 100")
        child.now += 101
        child.ask(wire.watch(1, [(0, b"k")]))
        child.ask(wire.tick())
        assert child.ask(wire.is_dirty(1)) == [False]


class TestSettings:
    def test_limits(self, child: Child) -> None:
        """They also apply to existing values."""
        child.run("RPUSH l a")
        child.ask(wire.configure({"list_max_listpack_size": 2, "proto_max_bulk_len": 10}))
        child.run("RPUSH l b c")
        assert child.run("OBJECT ENCODING l") == [b"$9\r\nquicklist\r\n"]
        (reply,) = child.run("SETRANGE s 10 x")
        assert reply.startswith(b"-ERR string exceeds maximum allowed size")

    def test_a_pause_hides_expired_keys_but_keeps_them(self, child: Child) -> None:
        child.run("SET k v PX 100")
        child.ask(wire.configure({"expiry_paused": [0]}))
        child.now += 101
        (frame,) = child.send(wire.tick())
        assert frame.next_deadline == 0
        assert child.run("GET k", "DBSIZE") == [b"$-1\r\n", b":1\r\n"]
        (frame,) = child.send(wire.configure({"expiry_paused": []}))
        assert frame.next_deadline == child.now - 1
        child.ask(wire.tick())
        assert child.run("DBSIZE") == [b":0\r\n"]


def test_figures(child: Child) -> None:
    child.run(
        "SET a v", "SET b v", "PEXPIRE b 100", "SET c v", "PEXPIRE c 300", "GET a", "GET no", "GET no", "LPUSH a x"
    )
    (stats,) = child.ask(wire.stats())
    assert stats["changes"] == 5
    child.now += 101
    child.run("GET b")
    (stats,) = child.ask(wire.stats())
    assert (stats["keyspace_hits"], stats["keyspace_misses"], stats["expired_keys"]) == (1, 3, 1)
    assert stats["errors"] == {"WRONGTYPE": 1}
    assert stats["databases"] == {0: (2, 1, child.now + 199)}

    child.ask(wire.reset_stats())
    (stats,) = child.ask(wire.stats())
    assert (stats["keyspace_hits"], stats["keyspace_misses"], stats["expired_keys"], stats["errors"]) == (0, 0, 0, {})


def test_it_counts_on_from_its_predecessor(child: Child) -> None:
    """Only the counters: the others are about one process."""
    counted = {"keyspace_hits": 10, "keyspace_misses": 20, "expired_keys": 30, "expiring": 40, "busy": 10**15}
    child.ask(wire.configure({"counted": counted | {"errors": {"WRONGTYPE": 50}}}))
    child.run("GET no", "RPUSH l x", "GET l")
    (stats,) = child.ask(wire.stats())
    assert (stats["keyspace_hits"], stats["keyspace_misses"], stats["expired_keys"]) == (11, 21, 30)
    assert stats["errors"] == {"WRONGTYPE": 51}
    assert stats["expiring"] == 40
    assert stats["busy"] > 10**15
    child.ask(wire.configure({"counted": {}}))  # of one that nobody has looked at
    (again,) = child.ask(wire.stats())
    assert again["keyspace_hits"] == 11
    child.ask(wire.reset_stats())
    (stats,) = child.ask(wire.stats())
    assert (stats["keyspace_hits"], stats["errors"]) == (0, {})
    assert stats["busy"] < 10**15


@pytest.mark.parametrize("keys", [10, 4500])
def test_ticks_remove_a_bounded_number(child: Child, keys: int) -> None:
    """The rest is due immediately, so main sends the next tick immediately."""
    for number in range(keys):
        child.shard.put(b"%d" % number, b"v", "$", b"set")
        child.shard.set_deadline(b"%d" % number, child.now)
    child.now += 1
    for left in (max(0, keys - 2000), max(0, keys - 4000), 0):
        (frame,) = child.send(wire.tick())
        assert len(child.shard.db) == left
        assert frame.next_deadline == (child.now - 1 if left else 0)
