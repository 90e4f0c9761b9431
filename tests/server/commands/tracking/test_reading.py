"""What counts as reading a key of a client that tracks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.invocations import KEYS
from tests.support.resp import Connection
from tests.support.tracking import Cache, push
from tests.support.transcript import Transcript

Connect = Callable[..., Connection]
Block = Callable[..., Connection]

ONE, TWO, THREE = KEYS  # on three different shards


class TestReading:
    """What counts as reading a key."""

    def test_a_key_that_was_read(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol)
        assert cache("GET", "k") is None
        do("SET", "k", 1)
        assert cache.told() == [["k"]]

    def test_once_until_it_is_read_again(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol)
        cache("GET", "k")
        do("SET", "k", 1)
        do("SET", "k", 2)
        assert cache.told() == [["k"]]
        cache("GET", "k")
        cache("GET", "k")
        do("SET", "k", 3)
        assert cache.told() == [["k"]]

    def test_not_before_it_was_read(self, do: Transcript, connect: Connect) -> None:
        reader = Cache(connect, do.protocol)
        reader("GET", "other")
        do("SET", "k", 1)
        do("GET", "k")
        do("SET", "k", 2)
        assert reader.told() == []

    def test_all_who_have_read_it(self, do: Transcript, connect: Connect) -> None:
        caches = [Cache(connect, 2 + number % 2) for number in range(4)]
        for cache in caches:
            cache("GET", "k")
        do("SET", "k", 1)
        assert [cache.told() for cache in caches] == [[["k"]]] * 4
        caches[2]("GET", "k")
        do("SET", "k", 1)
        assert [cache.told() for cache in caches] == [[], [], [["k"]], []]

    @pytest.mark.parametrize(
        "line",
        [
            f"MGET {ONE} {TWO}",
            f"EXISTS {ONE} {TWO} {ONE}",
            f"TOUCH {ONE} {TWO}",
            f"SINTERCARD 2 {ONE} {TWO}",
            f"LCS {ONE} {TWO}",
            f"ZUNION 2 {ONE} {TWO}",
            f"XREAD STREAMS {ONE} {TWO} 0 0",
            f"SUNION {ONE} {TWO} other",
        ],
    )
    def test_several_keys_on_several_shards(self, do: Transcript, connect: Connect, line: str) -> None:
        cache = Cache(connect, do.protocol)
        cache.any(*line.split())
        do("MSET", ONE, 1, TWO, 1, THREE, 1)
        assert cache.keys() == sorted([ONE, TWO])

    @pytest.mark.parametrize(
        "line",
        [
            "get k",
            "STRLEN k",
            "TYPE k",
            "TTL k",
            "OBJECT ENCODING k",
            "object refcount k",
            "MEMORY USAGE k",
            "SORT_RO k BY nosort",
            "BITFIELD_RO k GET u8 0",
            "XINFO STREAM k",
            "HGETALL k",
            "GETRANGE k 0 -1",
            "HSCAN k 0",
        ],
    )
    def test_commands_that_read(self, do: Transcript, connect: Connect, line: str) -> None:
        """Whether the key exists, or has the right type, makes no difference."""
        cache = Cache(connect, do.protocol)
        cache.any(*line.split())
        do("SADD", "k", "x")
        assert cache.told() == [["k"]]
        cache.any(*line.split())
        do("DEL", "k")
        assert cache.told() == [["k"]]

    @pytest.mark.parametrize(
        "line",
        [
            "GETEX k",
            "SORT k BY nosort",
            "BITFIELD k GET u8 0",
            "COPY k other",
            "XREADGROUP GROUP g c STREAMS k >",
            "WATCH k",
            "SCAN 0",
            "KEYS *",
            "DBSIZE",
            "STRLEN",
            "STRLEN k k",
            "NOSUCH k",
            "PUBLISH k m",
        ],
    )
    def test_what_does_not_count(self, do: Transcript, connect: Connect, line: str) -> None:
        """Commands that may write, those that name no key, and those that are refused before they run."""
        cache = Cache(connect, do.protocol)
        cache.any(*line.split())
        do("SET", "k", 1)
        assert cache.told() == []

    def test_databases_make_no_difference(self, do: Transcript, connect: Connect) -> None:
        """As in Redis, where the table knows names only."""
        cache = Cache(connect, do.protocol)
        cache("GET", "k")
        do("SELECT", 3)
        do("SET", "k", 1)
        assert cache.told() == [["k"]]

    def test_keys_of_any_bytes(self, do: Transcript, connect: Connect) -> None:
        reader = Cache(connect, 3)
        key = b"\0\r\n*\xff"
        reader("GET", key)
        do("SET", key, 1)
        assert reader.connection.read() == push(b"invalidate", [key])

    def test_within_a_transaction(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol)
        cache("MULTI")
        for words in (("GET", ONE), ("SET", "other", 1), ("MGET", TWO, THREE), ("GET",)):
            cache.any(*words)
        cache.any("EXEC")
        cache("MULTI")
        cache("GET", ONE)
        cache("MGET", TWO, THREE)
        cache("EXEC")
        do("MSET", ONE, 1, TWO, 2, THREE, 3, "other", 4)
        assert cache.keys() == sorted(KEYS)

    def test_what_was_queued_is_not_read(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol)
        cache("MULTI")
        cache("GET", "k")
        do("SET", "k", 1)
        cache("DISCARD")
        do("SET", "k", 2)
        assert cache.told() == []

    @pytest.mark.since("7.2")
    @pytest.mark.parametrize("declared", [True, False])
    def test_within_a_script(self, do: Transcript, connect: Connect, declared: bool) -> None:
        """What the script reads counts, and nothing else."""
        cache = Cache(connect, do.protocol)
        if declared:
            script = "redis.call('GET', KEYS[1]) redis.call('SET', KEYS[2], 1) return redis.call('EXISTS', KEYS[1])"
            cache("EVAL", script, 3, ONE, TWO, THREE)
        else:
            cache("EVAL", f"redis.call('GET', '{ONE}') redis.call('SET', '{TWO}', 1)", 0)
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        assert cache.told() == [[ONE]]
        cache("EVAL_RO", "return redis.call('MGET', KEYS[1], KEYS[2])", 2, ONE, TWO)
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        assert cache.keys() == sorted([ONE, TWO])

    def test_a_function(self, do: Transcript, connect: Connect) -> None:
        code = "#!lua name=lib\nredis.register_function('f', function(keys) return redis.call('GET', keys[1]) end)"
        do("FUNCTION", "LOAD", "REPLACE", code)
        cache = Cache(connect, do.protocol)
        cache("FCALL", "f", 1, ONE)
        do("SET", ONE, 1)
        assert cache.told() == [[ONE]]
        do("FUNCTION", "FLUSH")

    def test_a_client_that_waits(self, do: Transcript, connect: Connect, block: Block) -> None:
        """It is told, and then served."""
        reader = Cache(connect, 3)
        for streams in ([ONE], [ONE, TWO]):
            block("XREAD", "BLOCK", 0, "STREAMS", *streams, *["$"] * len(streams), on=reader.connection)
            do("XADD", ONE, "1-1", "f", "v")
            assert reader.connection.read() == push(b"invalidate", [ONE.encode()])
            assert reader.connection.read() == {ONE.encode(): [[b"1-1", [b"f", b"v"]]]}
            do("DEL", ONE)
            reader.told()

    @pytest.mark.since("7.2")
    @pytest.mark.parametrize("streams", [[ONE], [ONE, TWO]])
    def test_what_it_is_served_counts(self, do: Transcript, connect: Connect, block: Block, streams: list[str]) -> None:
        reader = Cache(connect, 3)
        block("XREAD", "BLOCK", 0, "STREAMS", *streams, *["$"] * len(streams), on=reader.connection)
        do("XADD", ONE, "1-1", "f", "v")
        reader.reply()
        assert reader.told() == [[ONE]]
        do("XADD", ONE, "2-1", "f", "v")
        assert reader.told() == [[ONE]]

    def test_a_client_that_does_not_track_any_more(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol)
        cache("GET", "k")
        cache("CLIENT", "TRACKING", "OFF")
        do("SET", "k", 1)
        cache("GET", "k")
        do("SET", "k", 1)
        assert cache.told() == []
