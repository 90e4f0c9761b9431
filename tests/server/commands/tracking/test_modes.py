"""NOLOOP, BCAST, OPTIN and OPTOUT with CLIENT CACHING, and REDIRECT."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.invocations import KEYS
from tests.support.resp import Connection
from tests.support.tracking import CHANNEL, Cache, push
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

Connect = Callable[..., Connection]
Block = Callable[..., Connection]

ONE, TWO, THREE = KEYS  # on three different shards


class TestNoloop:
    def test_own_changes_are_not_told(self, do: Transcript, connect: Connect) -> None:
        reader = Cache(connect, 3, "NOLOOP")
        reader("MGET", ONE, TWO, THREE)
        reader("SET", ONE, 1)
        reader("EVAL", "return redis.call('SET', KEYS[1], 1)", 1, TWO)
        assert reader.told() == []
        do("MSET", ONE, 1, TWO, 1, THREE, 1)
        assert reader.told() == [[THREE]]

    def test_in_bcast_mode(self, do: Transcript, connect: Connect) -> None:
        """There, what its scripts do counts as done by others."""
        listener = Cache(connect, 3, "BCAST", "NOLOOP")
        listener("SET", ONE, 1)
        listener("RENAME", ONE, TWO)
        assert listener.told() == []
        do("SET", ONE, 1)
        assert listener.told() == [[ONE]]
        listener("EVAL", "return redis.call('SET', KEYS[1], 1)", 1, ONE)
        assert listener.told() == [[ONE]]

    def test_the_last_one_who_has_changed_it(self, connect: Connect) -> None:
        listener = Cache(connect, 3, "BCAST", "NOLOOP")
        listener("MULTI")
        listener("SET", "k", 1)
        listener("SET", "k", 2)
        listener("EXEC")
        assert listener.told() == []


class TestBcast:
    def test_all_keys(self, do: Transcript, connect: Connect) -> None:
        listener = Cache(connect, do.protocol, "BCAST")
        do("SET", ONE, 1)
        assert listener.told() == [[ONE]]
        do("SET", ONE, 2)
        do("DEL", ONE)
        do("DEL", ONE)
        assert listener.told() == [[ONE], [ONE]]

    def test_reading_makes_no_difference(self, do: Transcript, connect: Connect) -> None:
        listener = Cache(connect, do.protocol, "BCAST", "PREFIX", "x")
        listener("GET", "k")
        do("SET", "k", 1)
        assert listener.told() == []

    def test_prefixes(self, do: Transcript, connect: Connect) -> None:
        listener = Cache(connect, do.protocol, "BCAST", "PREFIX", "user:", "PREFIX", "a")
        other = Cache(connect, do.protocol, "BCAST", "PREFIX", "user:1")
        for key in ("user:1", "user", "user:", "a", "b", "User:1", "user:2"):
            do("SET", key, 1)
        assert listener.keys() == ["a", "user:", "user:1", "user:2"]
        assert other.keys() == ["user:1"]

    def test_one_message_for_a_step(self, do: Transcript, connect: Connect) -> None:
        """By prefix, in alphabetical order."""
        listener = Cache(connect, do.protocol, "BCAST", "PREFIX", "b", "PREFIX", "a")
        do("MSET", "b2{t}", 1, "b1{t}", 1, "c{t}", 1, "a{t}", 1)
        do("MSET", "c{t}", 1)
        assert listener.told() == [["a{t}"], ["b1{t}", "b2{t}"]]
        do.transaction(("SET", "a2{t}", 1), ("SET", "a1{t}", 1), ("SET", "a2{t}", 1))
        assert listener.told() == [["a1{t}", "a2{t}"]]

    def test_prefixes_add_up(self, do: Transcript, connect: Connect) -> None:
        listener = Cache(connect, do.protocol, "BCAST", "PREFIX", "a")
        listener.track("BCAST", "PREFIX", "b")
        do("MSET", "a", 1, "b", 1, "c", 1)
        assert listener.keys() == ["a", "b"]
        listener.track("BCAST")  # the empty one, which is not compared to the others
        do("SET", "a", 1)
        assert listener.told() == [["a"], ["a"]]
        listener("CLIENT", "TRACKING", "OFF")
        do("MSET", "a", 1, "b", 1)
        assert listener.told() == []
        listener.track("BCAST", "PREFIX", "b")
        do("MSET", "a", 1, "b", 1)
        assert listener.told() == [["b"]]

    def test_what_was_read_before(self, do: Transcript, connect: Connect) -> None:
        """Nothing is told of it in the other mode."""
        cache = Cache(connect, do.protocol)
        cache("GET", "k")
        cache("CLIENT", "TRACKING", "OFF")
        cache.track("BCAST", "PREFIX", "x")
        do("SET", "k", 1)
        assert cache.told() == []


class TestCaching:
    def test_optin(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol, "OPTIN")
        cache("GET", ONE)
        assert cache("CLIENT", "CACHING", "YES") == "OK"
        cache("GET", TWO)
        cache("GET", THREE)
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        assert cache.told() == [[TWO]]

    def test_optout(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol, "OPTOUT")
        cache("GET", ONE)
        assert cache("CLIENT", "CACHING", "no") == "OK"
        cache("GET", TWO)
        cache("GET", THREE)
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        assert cache.keys() == sorted([ONE, THREE])

    @pytest.mark.parametrize(
        ("line", "reads"),
        [
            (f"MGET {TWO} {THREE}", [TWO, THREE]),
            (f"SINTER {TWO} {THREE}", [TWO, THREE]),
            (f"XREAD STREAMS {TWO} {THREE} 0 0", [TWO, THREE]),
            (f"EVAL return{{redis.call('GET','{TWO}'),redis.call('MGET','{ONE}','{THREE}')}} 0", [ONE, TWO, THREE]),
            ("NOSUCH", []),
            ("PING", []),
            ("SET other 1", []),
            ("GET", []),
        ],
    )
    @pytest.mark.parametrize("mode", ["OPTIN", "OPTOUT"])
    @pytest.mark.since("7.2")
    def test_it_is_for_one_command(
        self, do: Transcript, connect: Connect, line: str, reads: list[str], mode: str
    ) -> None:
        """Which may be refused."""
        cache = Cache(connect, do.protocol, mode)
        cache("CLIENT", "CACHING", "YES" if mode == "OPTIN" else "NO")
        cache.any(*line.split())
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        assert cache.keys() == (sorted(reads) if mode == "OPTIN" else [])
        cache.any(*line.split())
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        assert cache.keys() == (sorted(reads) if mode == "OPTOUT" else [])

    def test_commands_of_client_do_not_count(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol, "OPTIN")
        cache("CLIENT", "CACHING", "YES")
        cache("CLIENT", "ID")
        cache.any("CLIENT", "CACHING", "NO")
        cache("GET", ONE)
        do("SET", ONE, 1)
        assert cache.told() == [[ONE]]

    def test_a_transaction_counts_as_one(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol, "OPTIN")
        cache("CLIENT", "CACHING", "YES")
        cache("MULTI")
        cache("GET", ONE)
        cache("GET", TWO)
        cache("EXEC")
        cache("GET", THREE)
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        assert cache.keys() == sorted([ONE, TWO])
        cache("MULTI")
        cache("GET", ONE)
        cache("EXEC")
        do("SET", ONE, 1)
        assert cache.told() == []

    def test_within_a_transaction(self, do: Transcript, connect: Connect) -> None:
        """What follows in it counts."""
        cache = Cache(connect, do.protocol, "OPTIN")
        cache("MULTI")
        cache("GET", ONE)
        cache("CLIENT", "CACHING", "YES")
        cache("GET", TWO)
        cache("GET", THREE)
        assert cache("EXEC") == [None, "OK", None, None]
        cache("GET", ONE)
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        assert cache.keys() == sorted([TWO, THREE])

    @pytest.mark.since("7.2")
    @pytest.mark.parametrize("streams", [[ONE], [ONE, TWO]])
    def test_a_command_that_waits(self, do: Transcript, connect: Connect, block: Block, streams: list[str]) -> None:
        reader = Cache(connect, 3, "OPTIN")
        reader("CLIENT", "CACHING", "YES")
        block("XREAD", "BLOCK", 0, "STREAMS", *streams, *["$"] * len(streams), on=reader.connection)
        do("XADD", ONE, "1-1", "f", "v")
        reader.reply()
        assert reader.told() == [[ONE]]
        do("XADD", ONE, "2-1", "f", "v")
        assert reader.told() == [[ONE]]
        reader("XLEN", ONE)
        do("XADD", ONE, "3-1", "f", "v")
        assert reader.told() == []

    def test_switching_within_a_transaction(self, do: Transcript, connect: Connect) -> None:
        reader = connect(protocol=3)
        words = [("MULTI",), ("GET", ONE), ("CLIENT", "TRACKING", "ON"), ("GET", TWO), ("MGET", ONE, THREE), ("EXEC",)]
        assert reader.pipeline(*words)[-1] == [None, "OK", None, [None, None]]
        do("SET", TWO, 1)
        assert reader.read() == push(b"invalidate", [TWO.encode()])
        words = [("MULTI",), ("CLIENT", "TRACKING", "OFF"), ("GET", TWO), ("EXEC",)]
        assert reader.pipeline(*words)[-1] == ["OK", b"1"]
        do("MSET", ONE, 1, TWO, 1)
        assert reader.call("PING") == "PONG"


class TestRedirect:
    def test_to_resp3(self, do: Transcript, connect: Connect) -> None:
        """It gets pushes, subscribed or not."""
        target = connect(protocol=3)
        do("CLIENT", "TRACKING", "ON", "REDIRECT", target.call("CLIENT", "ID"))
        do("GET", "k")
        connect().call("SET", "k", 1)
        assert target.read() == push(b"invalidate", [b"k"])
        connect().call("FLUSHALL")
        assert target.read() == push(b"invalidate", None)

    def test_to_resp2(self, do: Transcript, connect: Connect) -> None:
        """It gets messages if it is subscribed to anything."""
        target, writer = connect(protocol=2), connect()
        do("CLIENT", "TRACKING", "ON", "REDIRECT", target.call("CLIENT", "ID"))
        do("GET", "k")
        writer.call("SET", "k", 1)
        assert target.call("PING") == "PONG"
        for subscribe, unsubscribe in (("SUBSCRIBE", "UNSUBSCRIBE"), ("PSUBSCRIBE", "PUNSUBSCRIBE")):
            assert target.call(subscribe, "other")[0] == subscribe.lower().encode()
            do("GET", "k")
            writer.call("SET", "k", 1)
            assert target.read() == [b"message", CHANNEL.encode(), [b"k"]]
            target.call(unsubscribe, "other")
        do("GET", "k")
        writer.call("SET", "k", 1)
        assert target.call("PING") == "PONG"

    def test_to_itself(self, connect: Connect) -> None:
        reader = connect(protocol=3)
        assert reader.call("CLIENT", "TRACKING", "ON", "REDIRECT", reader.call("CLIENT", "ID")) == "OK"
        reader.call("GET", "k")
        assert reader.call("SET", "k", 1) == "OK"
        assert reader.read() == push(b"invalidate", [b"k"])

    @pytest.mark.since("7.2")
    def test_to_the_one_who_changes_it(self, do: Transcript, connect: Connect) -> None:
        writer = connect(protocol=3)
        do("CLIENT", "TRACKING", "ON", "REDIRECT", writer.call("CLIENT", "ID"))
        do("GET", "k")
        assert writer.call("SET", "k", 1) == "OK"
        assert writer.read() == push(b"invalidate", [b"k"])

    def test_several_to_one(self, do: Transcript, connect: Connect) -> None:
        target = connect(protocol=3)
        for key in ("a", "b"):
            reader = connect(protocol=2)
            reader.call("CLIENT", "TRACKING", "ON", "REDIRECT", target.call("CLIENT", "ID"))
            reader.call("GET", key)
            reader.call("GET", "both")
        do("SET", "b", 1)
        do("SET", "both", 1)
        do("SET", "a", 1)
        assert [target.read()[1] for _ in range(4)] == [[b"b"], [b"both"], [b"both"], [b"a"]]

    @pytest.mark.parametrize("bcast", [True, False])
    def test_to_one_that_has_gone(self, do: Transcript, connect: Connect, bcast: bool) -> None:
        target = connect(protocol=2)
        number = target.call("CLIENT", "ID")
        reader = connect(protocol=3)
        reader.call("CLIENT", "TRACKING", "ON", "REDIRECT", number, *["BCAST"] * bcast)
        reader.call("GET", "k")
        target.call("QUIT")
        assert eventually(lambda: f"id={number} " not in str(do("CLIENT", "LIST")))
        info = reader.call("CLIENT", "TRACKINGINFO")
        assert b"broken_redirect" not in info[b"flags"]
        do("SET", "k", 1)
        assert reader.read() == push(b"tracking-redir-broken", number)
        info = reader.call("CLIENT", "TRACKINGINFO")
        assert info[b"flags"][-1] == b"broken_redirect"
        assert info[b"redirect"] == reader.call("CLIENT", "GETREDIR") == number
        assert ("flags=tRB " if bcast else "flags=tR ") in str(reader.call("CLIENT", "INFO"))
        do("FLUSHALL")
        assert reader.read() == push(b"tracking-redir-broken", number)
        reader.call("CLIENT", "TRACKING", "ON", *["BCAST"] * bcast)
        assert b"broken_redirect" not in reader.call("CLIENT", "TRACKINGINFO")[b"flags"]

    def test_resp2_without_redirection(self, do: Transcript, connect: Connect) -> None:
        """Nothing can be told, until it speaks RESP3."""
        reader = connect(protocol=2)
        reader.call("CLIENT", "TRACKING", "ON")
        reader.call("GET", "k")
        do("SET", "k", 1)
        reader.call("GET", "k")
        reader.call("HELLO", 3)
        do("SET", "k", 2)
        assert reader.read() == push(b"invalidate", [b"k"])
        reader.call("GET", "k")
        reader.call("HELLO", 2)
        do("SET", "k", 2)
        assert reader.call("PING") == "PONG"
