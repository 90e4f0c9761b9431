"""Keys on their way to another server: the items for MIGRATE, in a shard without a process."""

from __future__ import annotations

from respcache.shard import wire
from tests.shard.conftest import Child


def test_keys_are_read_with_their_ttl_and_removed() -> None:
    child = Child()
    child.run("SET a 1 PX 100", "SET b 2", "SET c 3 PX 50")
    child.now += 60
    keys = [b"a", b"b", b"c", b"none"]
    ((a, b, c, none),) = child.ask(wire.dump(child.caller, keys, 1000))
    assert (a[1], b[1], c, none) == (40, 0, None, None)
    child.run("SET a 1 PX 100")
    child.now += 100  # the last moment
    (((_, ttl),),) = child.ask(wire.dump(child.caller, [b"a"], 1000))
    assert ttl == 1

    assert child.ask(wire.remove(child.caller, keys)) == [None]
    assert child.run("EXISTS a b") == [b":0\r\n"]
    restored = child.shard.figures.changes
    assert child.ask(wire.remove(child.caller, keys)) == [None]
    assert child.shard.figures.changes == restored


def test_no_more_bytes_are_read_at_once_than_asked_for_but_one_key_is() -> None:
    child = Child()
    child.shard.limits.rdbcompression = False
    for key in "abcd":
        child.run(f"SET {key} {'x' * 1000}")
    keys = [b"none", b"a", b"b", b"c", b"d"]
    (dumped,) = child.ask(wire.dump(child.caller, keys, 0))
    assert [entry is None for entry in dumped] == [True, False]
    (dumped,) = child.ask(wire.dump(child.caller, keys, 2500))
    assert len(dumped) == 4
    (dumped,) = child.ask(wire.dump(child.caller, keys, 100_000))
    assert len(dumped) == 5
