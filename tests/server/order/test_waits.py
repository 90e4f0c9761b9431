"""Who is served first, by what, and with what: several clients, as redis-cli sessions show them.

The keys of one letter are on three different shards where there are three: "a" and "b", "b" and "c" are apart.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from respcache.server.order.router import Router
from tests.support.resp import Connection, pack
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

Block = Callable[..., Connection]
Connect = Callable[..., Connection]

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


def test_where_keys_are() -> None:
    shards = Router(3).shards_of([b"a", b"b", b"c"])
    assert shards[0] != shards[1] != shards[2]


class TestFirstComeFirstServed:
    def test_on_one_key(self, do: Transcript, block: Block) -> None:
        waiters = [block("BLPOP", "k", 0) for _ in range(4)]
        do("RPUSH", "k", "1", "2")
        do("RPUSH", "k", "3", "4", "5")
        assert [waiter.read() for waiter in waiters] == [[b"k", b"%d" % n] for n in (1, 2, 3, 4)]

    def test_on_keys_here_and_there(self, do: Transcript, block: Block) -> None:
        """Who waits for more keys than one stands in line for each of them."""
        first = block("BLPOP", "a", "b", 0)
        second = block("BLPOP", "b", 0)
        third = block("BLPOP", "c", "b", 0)
        do("RPUSH", "b", "1")
        assert first.read() == [b"b", b"1"]
        do("RPUSH", "b", "2")
        assert second.read() == [b"b", b"2"]
        do("RPUSH", "a", "x")
        do("RPUSH", "b", "3")
        assert third.read() == [b"b", b"3"]
        assert do("LLEN", "a") == 1

    def test_one_that_comes_again_is_the_last(self, do: Transcript, block: Block) -> None:
        first, second = block("BLPOP", "k", "a", "b", 0), block("BLPOP", "k", "b", "a", 0)
        do("RPUSH", "a", "1")
        assert first.read() == [b"a", b"1"]
        block("BLPOP", "k", "a", "b", 0, on=first)
        do("RPUSH", "b", "2")
        assert second.read() == [b"b", b"2"]
        do("RPUSH", "b", "3")
        assert first.read() == [b"b", b"3"]

    def test_one_that_has_given_up(self, do: Transcript, connect: Connect, block: Block) -> None:
        first, second = connect(), connect()
        number = first.call("CLIENT", "ID")
        block("BLPOP", "a", "b", 0, on=first)
        block("BLPOP", "b", "a", 0, on=second)
        assert do("CLIENT", "UNBLOCK", number) == 1
        assert first.read() is None
        do("RPUSH", "a", "1")
        do("RPUSH", "b", "2")
        assert second.read() == [b"a", b"1"]
        assert do("LLEN", "b") == 1

    def test_some_of_its_keys_are_elsewhere(self, do: Transcript, block: Block) -> None:
        """A transaction is for two of three shards, and who is first waits for a key of the third."""
        first = block("BLMPOP", 0, 2, "c", "a", "LEFT")
        second = block("BLPOP", "a", "b", 0)
        do.connection.pipeline(("MULTI",), ("RPUSH", "a", "1"), ("RPUSH", "b", "2"), ("EXEC",))
        assert first.read() == [b"a", [b"1"]]
        assert second.read() == [b"b", b"2"]

    def test_one_that_moves_is_the_first(self, do: Transcript, block: Block) -> None:
        first = block("BLMOVE", "a", "c", "LEFT", "RIGHT", 0)
        second = block("BLPOP", "a", "b", 0)
        do.connection.pipeline(("MULTI",), ("RPUSH", "a", "1"), ("RPUSH", "b", "2"), ("EXEC",))
        assert first.read() == b"1"
        assert second.read() == [b"b", b"2"]
        assert do("LRANGE", "c", 0, -1) == [b"1"]

    @pytest.mark.since("7.2")
    def test_what_was_moved_is_there_for_the_next(self, do: Transcript, block: Block) -> None:
        """It looks at its keys in its own order once the first has moved."""
        first = block("BLMOVE", "a", "b", "LEFT", "RIGHT", 0)
        second = block("BLPOP", "b", "a", 0)
        do("RPUSH", "a", "1", "2")
        assert first.read() == b"1"
        assert second.read() == [b"b", b"1"]
        assert do("LRANGE", "a", 0, -1) == [b"2"]


class TestBetweenTwoCommands:
    """Clients that wait come before everybody's next command, also that of the one who has pushed."""

    def test_in_a_pipeline(self, do: Transcript, block: Block) -> None:
        waiter = block("BLPOP", "k", 0)
        replies = do.connection.pipeline(("RPUSH", "k", "1"), ("LPOP", "k"), ("RPUSH", "k", "2"), ("LPOP", "k"))
        assert replies == [1, None, 1, b"2"]
        assert waiter.read() == [b"k", b"1"]

    def test_in_a_pipeline_with_keys_elsewhere(self, do: Transcript, block: Block) -> None:
        first, second = block("BLPOP", "a", "b", "c", 0), block("BLMPOP", 0, 2, "c", "b", "LEFT")
        replies = do.connection.pipeline(
            ("RPUSH", "b", "1"), ("LPOP", "b"), ("RPUSH", "b", "2"), ("LPOP", "b"), ("RPUSH", "b", "3"), ("LPOP", "b")
        )
        assert replies == [1, None, 1, None, 1, b"3"]
        assert first.read() == [b"b", b"1"]
        assert second.read() == [b"b", [b"2"]]

    def test_what_serves_one_serves_others(self, do: Transcript, block: Block) -> None:
        mover = block("BLMOVE", "{k}1", "{k}2", "LEFT", "LEFT", 0)
        waiter = block("BLPOP", "{k}2", 0)
        replies = do.connection.pipeline(("RPUSH", "{k}1", "1"), ("LPOP", "{k}2"), ("LPOP", "{k}1"))
        assert replies == [1, None, None]
        assert mover.read() == b"1"
        assert waiter.read() == [b"{k}2", b"1"]

    def test_many_large_values(self, do: Transcript, block: Block) -> None:
        """More than fits into one frame of a shard's answers."""
        value, count = "x" * 1_000_000, 40
        waiters = [block("BLPOP", "k", 0) for _ in range(count)]
        do.connection.send_raw(pack(("RPUSH", "k", value)) * count + pack(("LLEN", "k")))
        for waiter in waiters:
            assert len(waiter.read()[1]) == len(value)
        assert [do.connection.read() for _ in range(count + 1)] == [1] * count + [0]


@pytest.mark.parametrize(("count", "keys"), [(1000, ["k"]), (200, ["a", "b", "c"])])
def test_a_thousand_clients(do: Transcript, connect: Connect, count: int, keys: list[str]) -> None:
    """All wait for one key, which is pushed to as often: each gets its own, in the order in which they came."""
    waiters = [connect() for _ in range(count)]
    for waiter in waiters:
        waiter.send("CLIENT", "ID")
        waiter.read()  # they come one after the other
        waiter.send("BLPOP", *keys, 0)
    assert eventually(lambda: f"blocked_clients:{count}" in str(do("INFO", "clients")))
    do.connection.send_raw(b"".join(pack(("RPUSH", keys[-1], number)) for number in range(count)))
    assert [do.connection.read() for _ in range(count)] == [1] * count
    assert [waiter.read()[1] for waiter in waiters] == [b"%d" % number for number in range(count)]
    assert do("EXISTS", keys[-1]) == 0


class TestTransactions:
    @pytest.mark.since("7.2")
    def test_the_first_key_counts(self, do: Transcript, block: Block) -> None:
        """Not the one that was pushed to first: at the end of the transaction both are there."""
        waiter = block("BLPOP", "a", "b", 0)
        do.transaction(("RPUSH", "b", "1"), ("RPUSH", "a", "2"))
        assert waiter.read() == [b"a", b"2"]
        assert do("LRANGE", "b", 0, -1) == [b"1"]

    @pytest.mark.since("7.2")
    def test_several_clients(self, do: Transcript, block: Block) -> None:
        waiters = [block("BLPOP", "a", "b", 0), block("BLPOP", "b", "c", 0), block("BLPOP", "c", "a", 0)]
        do.transaction(("RPUSH", "c", "1"), ("RPUSH", "b", "2"), ("RPUSH", "a", "3"))
        assert [waiter.read() for waiter in waiters] == [[b"a", b"3"], [b"b", b"2"], [b"c", b"1"]]

    def test_moves_within(self, do: Transcript, block: Block) -> None:
        mover = block("BLMOVE", "a", "b", "LEFT", "RIGHT", 0)
        waiter = block("BLPOP", "c", "b", 0)
        do.transaction(("RPUSH", "a", "1"), ("SET", "{b}x", "2"))
        assert mover.read() == b"1"
        assert waiter.read() == [b"b", b"1"]

    def test_what_is_taken_back(self, do: Transcript, block: Block) -> None:
        waiter = block("BLPOP", "a", "b", 0)
        do.transaction(("RPUSH", "a", "1"), ("RPUSH", "b", "2"), ("LPOP", "a"), ("DEL", "b"))
        do("RPUSH", "b", "3")
        assert waiter.read() == [b"b", b"3"]

    @pytest.mark.since("7.2")
    def test_wrong_types(self, do: Transcript, block: Block) -> None:
        waiter, other = block("BLPOP", "a", "b", 0), block("BLPOP", "b", 0)
        do.transaction(("RPUSH", "b", "1"), ("SET", "a", "x"))
        assert str(waiter.read()) == WRONG_TYPE
        assert other.read() == [b"b", b"1"]

    def test_order_of_keys(self, do: Transcript, connect: Connect, block: Block) -> None:
        """Keys in the order in which they came into being, whatever happened to them later."""
        if do.protocol == 2:
            pytest.skip(reason="events are read from the same connection")
        do("CONFIG", "SET", "notify-keyspace-events", "El")
        waiters = [block("BLPOP", "{k}1", 0), block("BLPOP", "{k}2", 0), block("BLPOP", "{k}3", 0)]
        listener = connect(3)
        listener.call("SUBSCRIBE", "__keyevent@0__:lpop")
        do.transaction(*[("RPUSH", f"{{k}}{n}", "x") for n in (2, 3, 1, 2)])
        assert [listener.read()[2] for _ in range(3)] == [b"{k}2", b"{k}3", b"{k}1"]
        for waiter in waiters:
            waiter.read()


class TestScripts:
    """A script is one unit, too."""

    def test_what_is_taken_back(self, do: Transcript, block: Block) -> None:
        waiter = block("BLPOP", "k", 0)
        script = "redis.call('RPUSH', KEYS[1], '1', '2') return redis.call('LPOP', KEYS[1])"
        assert do("EVAL", script, 1, "k") == b"1"
        assert waiter.read() == [b"k", b"2"]
        waiter = block("BLPOP", "k", 0)
        assert do("EVAL", "redis.call('RPUSH', 'k', '1') return redis.call('DEL', 'k')", 0) == 1
        do("RPUSH", "k", "3")
        assert waiter.read() == [b"k", b"3"]

    def test_in_a_pipeline(self, do: Transcript, block: Block) -> None:
        waiter = block("BLPOP", "k", 0)
        push = ("EVAL", "return redis.call('RPUSH', KEYS[1], 'x')", 1, "k")
        assert do.connection.pipeline(push, ("LPOP", "k")) == [1, None]
        assert waiter.read() == [b"k", b"x"]

    @pytest.mark.since("7.2")
    def test_keys_on_several_shards(self, do: Transcript, block: Block) -> None:
        waiters = [block("BLPOP", "a", "b", 0), block("BLMOVE", "b", "c", "LEFT", "LEFT", 0)]
        script = "redis.call('RPUSH', 'b', '1') redis.call('RPUSH', 'a', '2') return redis.call('LLEN', 'b')"
        assert do("EVAL", script, 0) == 1
        assert [waiter.read() for waiter in waiters] == [[b"a", b"2"], b"1"]
        assert do("LRANGE", "c", 0, -1) == [b"1"]

    @pytest.mark.since("7.2")
    def test_nobody_waits_in_them(self, do: Transcript) -> None:
        assert do("EVAL", "return redis.call('BLPOP', KEYS[1], 0)", 1, "k") is None
        assert do("EVAL", "return redis.call('BLMOVE', KEYS[1], KEYS[2], 'LEFT', 'LEFT', 0)", 2, "a", "b") is None
        assert do("EVAL", "return redis.call('BLPOP', 'a', 'b', 'c', 0)", 0) is None
        assert do("EVAL", "return {redis.call('RPUSH', 'b', 'x'), redis.call('BLPOP', 'a', 'b', 'c', 0)}", 0) == [
            1,
            [b"b", b"x"],
        ]


class TestStreams:
    @pytest.mark.since("7.2")
    def test_on_several_shards(self, do: Transcript, block: Block) -> None:
        reader = block("XREAD", "BLOCK", 0, "STREAMS", "a", "b", "c", "$", "$", "$")
        do("XADD", "b", "1-1", "f", "v")
        entry = [b"1-1", [b"f", b"v"]]
        assert dict(reader.read()) == {b"b": [entry]}
        block("XREAD", "BLOCK", 0, "STREAMS", "b", "a", "$", "$", on=reader)
        do.transaction(("XADD", "a", "1-1", "f", "v"), ("XADD", "b", "2-1", "f", "v"))
        assert dict(reader.read()) == {b"b": [[b"2-1", [b"f", b"v"]]], b"a": [entry]}

    def test_groups_on_several_shards(self, do: Transcript, block: Block) -> None:
        for key in "ab":
            do("XGROUP", "CREATE", key, "g", "$", "MKSTREAM")
        words = ("STREAMS", "a", "b", ">", ">")
        first = block("XREADGROUP", "GROUP", "g", "one", "BLOCK", 0, *words)
        second = block("XREADGROUP", "GROUP", "g", "two", "BLOCK", 0, *words)
        do("XADD", "b", "1-1", "f", "v")
        do("XADD", "a", "1-1", "f", "v")
        assert dict(first.read()) == {b"b": [[b"1-1", [b"f", b"v"]]]}
        assert dict(second.read()) == {b"a": [[b"1-1", [b"f", b"v"]]]}
        block("XREADGROUP", "GROUP", "g", "one", "BLOCK", 0, *words, on=first)
        do("XGROUP", "DESTROY", "b", "g")
        assert str(first.read()).startswith("NOGROUP ")


class TestEvents:
    def test_in_order(self, do: Transcript, connect: Connect, block: Block) -> None:
        """What serves a client follows what made the key ready, and comes before the next command's."""
        do("CONFIG", "SET", "notify-keyspace-events", "EA")
        listener = connect(2)
        listener.send("PSUBSCRIBE", "*")
        listener.read()

        def events(count: int) -> list[str]:
            messages = [listener.read() for _ in range(count)]
            return [f"{channel.decode().partition(':')[2]} {key.decode()}" for *_, channel, key in messages]

        mover, popper = block("BLMOVE", "{k}1", "{k}2", "LEFT", "LEFT", 0), block("BRPOP", "{k}2", 0)
        do.connection.pipeline(("RPUSH", "{k}1", "x"), ("SET", "{k}3", "y"))
        assert (mover.read(), popper.read()) == (b"x", [b"{k}2", b"x"])
        moved = ["rpush {k}1", "lpush {k}2", "lpop {k}1", "del {k}1", "rpop {k}2", "del {k}2", "set {k}3"]
        assert events(7) == moved

        popper = block("BZPOPMAX", "a", "b", 0)
        do("ZADD", "b", 1, "m")
        popper.read()
        assert events(3) == ["zadd b", "zpopmax b", "del b"]


class TestOtherWaysIn:
    def test_moves_between_shards(self, do: Transcript, block: Block) -> None:
        for command in (
            ("LMOVE", "c", "a", "LEFT", "LEFT"),
            ("RENAME", "c", "a"),
            ("COPY", "c", "a"),
            ("SORT", "c", "BY", "nosort", "STORE", "a"),
        ):
            waiter = block("BLPOP", "b", "a", 0)
            do("RPUSH", "c", "1")
            do(*command)
            assert waiter.read() == [b"a", b"1"], command
            do("DEL", "c")

    def test_blmove_from_shard_to_shard(self, do: Transcript, block: Block) -> None:
        waiters = [block("BLMOVE", "a", "b", "LEFT", "RIGHT", 0), block("BRPOPLPUSH", "a", "c", 0)]
        last = block("BLPOP", "a", 0)
        do("RPUSH", "a", "1", "2", "3", "4")
        assert [waiter.read() for waiter in waiters] == [b"1", b"4"]
        assert last.read() == [b"a", b"2"]
        assert [do("LRANGE", key, 0, -1) for key in "abc"] == [[b"3"], [b"1"], [b"4"]]

    def test_a_ring_over_shards(self, do: Transcript, block: Block) -> None:
        waiters = [
            block("BLMOVE", "a", "b", "LEFT", "RIGHT", 0),
            block("BLMOVE", "b", "c", "LEFT", "RIGHT", 0),
            block("BLMOVE", "c", "a", "LEFT", "RIGHT", 0),
        ]
        do("RPUSH", "b", "x")
        assert [waiter.read() for waiter in waiters] == [b"x"] * 3
        assert do("LRANGE", "b", 0, -1) == [b"x"]

    def test_blmove_to_what_is_no_list(self, do: Transcript, block: Block) -> None:
        do("SET", "b", "x")
        mover, waiter = block("BLMOVE", "a", "b", "LEFT", "LEFT", 0), block("BLPOP", "a", "c", 0)
        do("RPUSH", "a", "1")
        assert str(mover.read()) == WRONG_TYPE
        assert waiter.read() == [b"a", b"1"]

    def test_both_types(self, do: Transcript, block: Block) -> None:
        for_zset, for_list = block("BZPOPMIN", "a", "b", 0), block("BLPOP", "a", "b", 0)
        do("ZADD", "b", 1, "m")
        assert for_zset.read() == [b"b", b"m", do.double(1)]
        do("RPUSH", "b", "x")
        assert for_list.read() == [b"b", b"x"]


@pytest.mark.respcache_only(reason="lets time pass")
class TestTime:
    def test_it_runs_out_for_keys_on_several_shards(self, do: Transcript, block: Block) -> None:
        waiter, other = block("BLPOP", "a", "b", "c", 1), block("BLMOVE", "b", "c", "LEFT", "LEFT", 2)
        do.advance(1000)
        do("RPUSH", "b", "1")
        assert waiter.read() is None
        assert other.read() == b"1"
        assert do("LRANGE", "c", 0, -1) == [b"1"]
