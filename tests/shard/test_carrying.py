"""Keys of other shards: lent, used as guests, and returned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from respcache import errors
from respcache.shard import carrying, wire
from respcache.slots import slot_of
from tests.shard.conftest import Child, words

# Keys whose slots lie in the first and in the second half.
HERE, THERE = b"b", b"a"


@pytest.fixture
def both(children: Callable[[int], list[Child]]) -> list[Child]:
    """Two shards: the first owns HERE, the second THERE."""
    assert slot_of(HERE) < 8192 <= slot_of(THERE)
    return children(2)


def carried(home: Child, owner: Child, command: str, key: bytes = THERE) -> tuple[bytes, list[Any]]:
    """Run a command on `home` with a key of `owner`, as main does. Returns its reply and the guests it changed."""
    ((lent,),) = owner.ask(wire.borrow([(0, key)]))
    ((reply, changed, required),) = home.ask(
        wire.carry(home.caller, words(command), [(0, key, *(lent or (None, None, None)))])
    )
    assert required == []
    assert owner.ask(wire.hand_back(changed, 0)) == [None]
    return reply, changed


@pytest.mark.parametrize(
    ("make", "look"),
    [
        ("SET {} v", "GET {}"),
        ("APPEND {} v", "GET {}"),
        ("RPUSH {} x y", "LRANGE {} 0 -1"),
        ("SADD {} x y z", "SMEMBERS {}"),
        ("ZADD {} 1 x 2 y", "ZRANGE {} 0 -1 WITHSCORES"),
        ("HSET {} f v", "HGETALL {}"),
        ("XADD {} 1-0 f v", "XRANGE {} - +"),
        ("XGROUP CREATE {} g 5-0 MKSTREAM", "XINFO GROUPS {}"),
    ],
)
def test_every_type_travels(both: list[Child], make: str, look: str) -> None:
    home, owner = both
    here, there = HERE.decode(), THERE.decode()
    owner.run(make.format(there), f"PEXPIRE {there} 1000")
    before = owner.run(look.format(there))
    reply, changed = carried(home, owner, f"RENAME {there} {here}")
    assert reply == b"+OK\r\n"
    assert changed == [(0, THERE, None, None, None, False)]
    assert home.run(look.format(here), f"PTTL {here}") == [*before, b":1000\r\n"]
    assert home.run(f"EXISTS {there}") == owner.run(f"EXISTS {there}") == [b":0\r\n"]


def test_a_guest_that_is_only_read_stays_as_it_is(both: list[Child]) -> None:
    home, owner = both
    owner.run("SADD a x y")
    home.run("SADD b y z")
    assert carried(home, owner, "SINTER b a") == (b"*1\r\n$1\r\ny\r\n", [])
    assert owner.run("SCARD a") == [b":2\r\n"]
    assert home.run("EXISTS a", "DBSIZE") == [b":0\r\n", b":1\r\n"]


def test_a_guest_that_does_not_exist_can_be_created(both: list[Child]) -> None:
    home, owner = both
    home.run("SET b v PX 700")
    reply, changed = carried(home, owner, "COPY b a")
    assert reply == b":1\r\n"
    assert changed == [(0, b"a", "string", b"v", home.now + 700, True)]
    assert owner.run("GET a", "PTTL a") == [b"$1\r\nv\r\n", b":700\r\n"]


def test_events_are_reported_where_the_command_runs(both: list[Child]) -> None:
    home, owner = both
    for child in both:
        child.run("SET b v" if child is home else "SET a w")
        child.ask(wire.configure({"notify_keyspace_events": "Eg"}))
    ((lent,),) = owner.ask(wire.borrow([(0, b"a")]))
    (frame,) = home.send(wire.carry(home.caller, words("RENAME b a"), [(0, b"a", *lent)]))
    assert frame.reports == [(wire.EVENT, 0, 0, b"rename_from", b"b"), (wire.EVENT, 0, 0, b"rename_to", b"a")]
    (frame,) = owner.send(wire.hand_back(frame.results[0][1], 0))
    assert frame.reports == []


def test_a_returned_guest_makes_watchers_dirty(both: list[Child]) -> None:
    home, owner = both
    owner.run("SET a v")
    owner.ask(wire.watch(9, [(0, b"a")]))
    carried(home, owner, "RENAME a b")
    assert owner.ask(wire.is_dirty(9)) == [True]


def test_an_expired_guest_is_returned_as_missing(both: list[Child]) -> None:
    home, owner = both
    owner.run("SET a v PX 100")
    ((lent,),) = owner.ask(wire.borrow([(0, b"a")]))
    home.now += 200
    ((_, changed, _),) = home.ask(wire.carry(home.caller, words("MGET b a"), [(0, b"a", *lent)]))
    assert changed == [(0, b"a", None, None, None, False)]


def test_an_expired_key_is_not_lent(both: list[Child]) -> None:
    _, owner = both
    owner.run("SET a v PX 100")
    owner.now += 101
    assert owner.ask(wire.borrow([(0, b"a"), (1, b"a")])) == [[None, None]]


def test_an_error_changes_nothing(both: list[Child]) -> None:
    home, owner = both
    owner.run("SET a v")
    home.run("RPUSH b x")
    reply, changed = carried(home, owner, "LMOVE b a LEFT LEFT")
    assert reply.startswith(b"-WRONGTYPE")
    assert changed == []
    assert home.run("LLEN b", "EXISTS a") == [b":1\r\n", b":0\r\n"]


def test_keys_that_a_command_did_not_name(both: list[Child]) -> None:
    """SORT ... BY reports the keys that it lacks before it changes anything, and is run again with them."""
    home, _ = both
    home.run("RPUSH b 1 2")
    sort = words("SORT b BY a*")
    foreign = [(0, key) for key in (b"a1", b"a2") if slot_of(key) >= 8192]
    assert foreign
    ((reply, changed, required),) = home.ask(wire.carry(home.caller, sort, []))
    assert (reply, changed, required) == (b"", [], foreign)
    guests = [(db, key, "string", b"%d" % -int(key[1:]), None) for db, key in foreign]
    home.run(*(f"SET {key.decode()} -{key[1:].decode()}" for key in (b"a1", b"a2") if slot_of(key) < 8192))
    ((reply, changed, required),) = home.ask(wire.carry(home.caller, sort, guests))
    assert (reply, changed, required) == (b"*2\r\n$1\r\n2\r\n$1\r\n1\r\n", [], [])
    assert home.run("EXISTS a1 a2") == [b":%d\r\n" % (2 - len(foreign))]


def test_guests_always_leave(child: Child, capfd: pytest.CaptureFixture[str]) -> None:
    guests = [(0, b"x", "string", b"v", None), (0, b"y", "no such type", b"v", None)]
    (frame,) = child.send(wire.carry(child.caller, words("GET x"), guests))
    assert frame.reports == [(wire.FAILED, 0, errors.INTERNAL)]
    assert child.run("EXISTS x", "DBSIZE") == [b":0\r\n", b":0\r\n"]
    assert "KeyError" in capfd.readouterr().out


def test_changed_guests_that_are_too_large_to_travel(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "MAX_CARRIED", 1000)
    child.run("SET k " + "v" * 2000)
    (frame,) = child.send(wire.carry(child.caller, words("COPY k x"), [(0, b"x", None, None, None)]))
    assert frame.results == [None]
    assert frame.reports == [(wire.FAILED, 0, errors.REPLY_TOO_LARGE)]
    assert child.run("EXISTS k x") == [b":1\r\n"]
