"""MULTI, EXEC, DISCARD, WATCH and UNWATCH, as redis-cli sessions show them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.invocations import KEYS
from tests.support.resp import Connection, ReplyError
from tests.support.transcript import Transcript

Connect = Callable[..., Connection]

WRONG_TYPE = ReplyError("WRONGTYPE Operation against a key holding the wrong kind of value")
ABORTED = "EXECABORT Transaction discarded because of previous errors."
ONE, TWO, THREE = KEYS  # on three different shards


class TestExec:
    def test_nothing_runs_before_it(self, do: Transcript, connect: Connect) -> None:
        other = connect()
        do("MULTI")
        assert do("SET", "k", "v") == "QUEUED"
        assert do("INCR", "n") == "QUEUED"
        assert other.call("EXISTS", "k", "n") == 0
        assert do("EXEC") == ["OK", 1]
        assert other.call("GET", "k") == b"v"

    def test_empty(self, do: Transcript) -> None:
        assert do.transaction() == []

    def test_one_key(self, do: Transcript) -> None:
        assert do.transaction(("RPUSH", "l", "a"), ("RPUSH", "l", "b"), ("LRANGE", "l", 0, -1)) == [1, 2, [b"a", b"b"]]

    def test_keys_of_several_shards(self, do: Transcript) -> None:
        commands = [("RPUSH", key, number) for number in range(3) for key in KEYS]
        assert do.transaction(*commands) == [1, 1, 1, 2, 2, 2, 3, 3, 3]

    def test_commands_over_several_shards(self, do: Transcript) -> None:
        assert do.transaction(
            ("MSET", ONE, 1, TWO, 2, THREE, 3),
            ("MGET", *KEYS),
            ("RENAME", ONE, "moved"),
            ("EXISTS", ONE, TWO, "moved"),
            ("COPY", "moved", ONE),
            ("DEL", *KEYS),
            ("DBSIZE",),
        ) == ["OK", [b"1", b"2", b"3"], "OK", 2, 1, 3, 1]

    def test_commands_over_all_shards(self, do: Transcript) -> None:
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        sizes = do.transaction(("DBSIZE",), ("FLUSHDB",), ("DBSIZE",), ("SET", ONE, 1), ("KEYS", "*"), ("RANDOMKEY",))
        assert sizes == [3, "OK", 0, "OK", [ONE.encode()], ONE.encode()]

    def test_scan(self, do: Transcript) -> None:
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        assert do.transaction(("SCAN", 0, "COUNT", 1000, "MATCH", "*three")) == [[b"0", [THREE.encode()]]]

    def test_commands_without_keys(self, do: Transcript) -> None:
        assert do.transaction(("PING",), ("ECHO", "x"), ("SET", "k", "v"), ("PING", "y")) == ["PONG", b"x", "OK", b"y"]

    def test_replies_have_their_types(self, do: Transcript) -> None:
        do("HSET", "h", "f", "v")
        do("ZADD", "z", 1.5, "m")
        do("SADD", "s", "a")
        replies = do.transaction(("HGETALL", "h"), ("ZSCORE", "z", "m"), ("SMEMBERS", "s"), ("GET", "none"))
        assert replies is not None
        assert do.as_map(replies[0]) == {b"f": b"v"}
        assert replies[1:] == [do.double(1.5), [b"a"], None]

    def test_select_applies_to_later_commands(self, do: Transcript, connect: Connect) -> None:
        assert do.transaction(("SET", "k", 0), ("SELECT", 9), ("SET", "k", 9), ("GET", "k")) == ["OK", "OK", "OK", b"9"]
        assert do("GET", "k") == b"9"
        assert connect().call("GET", "k") == b"0"

    def test_a_pipeline(self, do: Transcript) -> None:
        """Everything is in one packet; the commands after EXEC see its effects."""
        replies = do.connection.pipeline(
            ("SET", ONE, 1),
            ("MULTI",), ("INCR", ONE), ("INCR", TWO), ("EXEC",),
            ("MGET", ONE, TWO),
            ("MULTI",), ("INCR", ONE), ("EXEC",),
            ("GET", ONE),
        )  # fmt: skip
        assert replies == ["OK", "OK", "QUEUED", "QUEUED", [2, 1], [b"2", b"1"], "OK", "QUEUED", [3], b"3"]

    def test_many_commands(self, do: Transcript) -> None:
        commands = [("INCR", f"counter:{number % 10}") for number in range(1000)]
        replies = do.connection.pipeline(("MULTI",), *commands, ("EXEC",))
        assert replies[-1] == [number // 10 + 1 for number in range(1000)]

    def test_is_atomic_for_others(self, connect: Connect) -> None:
        """Readers of keys on several shards never see half of a transaction."""
        writer, reader = connect(), connect()
        for _ in range(20):
            for _ in range(10):
                writer.send_raw(b"MULTI\r\nINCR %b\r\nINCR %b\r\nEXEC\r\n" % (ONE.encode(), TWO.encode()))
                reader.send("MGET", ONE, TWO)
            for _ in range(10):
                one, two = reader.read()
                assert one == two
            replies = [writer.read() for _ in range(40)][3::4]
        assert replies[-1] == [200, 200]

    def test_errors(self, do: Transcript) -> None:
        assert do.error("EXEC") == "ERR EXEC without MULTI"
        do("MULTI")
        do("EXEC")
        assert do.error("EXEC") == "ERR EXEC without MULTI"

    def test_wrong_arity_ends_the_transaction(self, do: Transcript) -> None:
        do("MULTI")
        do("SET", "k", "v")
        assert do.error("EXEC", "now") == (
            "EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command"
        )
        assert do.error("EXEC") == "ERR EXEC without MULTI"
        assert do("EXISTS", "k") == 0


class TestErrorsInside:
    def test_of_commands_that_run(self, do: Transcript) -> None:
        """The other commands run all the same."""
        do("RPUSH", "l", "a")
        replies = do.transaction(("SET", "k", 1), ("INCR", "l"), ("INCR", "k"))
        assert replies == ["OK", WRONG_TYPE, 2]

    def test_of_commands_that_run_on_several_shards(self, do: Transcript) -> None:
        do("RPUSH", ONE, "a")
        missing = ReplyError("ERR no such key")
        out_of_range = ReplyError("ERR DB index is out of range")
        assert do.transaction(
            ("SET", TWO, 1),
            ("INCR", ONE),
            ("RENAME", "none", TWO),
            ("SINTER", ONE, TWO),
            ("SELECT", 99),
            ("GET", TWO),
        ) == ["OK", WRONG_TYPE, missing, WRONG_TYPE, out_of_range, b"1"]

    @pytest.mark.parametrize("wrong", [("NOSUCH", "x"), ("GET",), ("CLIENT", "NOSUCH"), ("CONFIG", "GET")])
    def test_of_commands_that_are_refused(self, do: Transcript, wrong: tuple[str, ...]) -> None:
        do("MULTI")
        do("SET", "k", "v")
        do.error(*wrong)
        assert do("SET", "k2", "v") == "QUEUED"
        assert do.error("EXEC") == ABORTED
        assert do("EXISTS", "k", "k2") == 0
        assert do.error("EXEC") == "ERR EXEC without MULTI"

    def test_syntax_is_checked_only_when_they_run(self, do: Transcript) -> None:
        assert do.transaction(("SET", "k", "v", "NOSUCH"), ("GET", "k")) == [ReplyError("ERR syntax error"), None]

    def test_a_transaction_after_an_aborted_one(self, do: Transcript) -> None:
        do("MULTI")
        do.error("GET")
        do.error("EXEC")
        assert do.transaction(("PING",)) == ["PONG"]


class TestMulti:
    def test_nested(self, do: Transcript) -> None:
        """It is only an error: the transaction goes on."""
        do("MULTI")
        do("SET", "k", "v")
        assert do.error("MULTI") == "ERR MULTI calls can not be nested"
        assert do("EXEC") == ["OK"]

    def test_watch_inside(self, do: Transcript) -> None:
        do("MULTI")
        assert do.error("WATCH", "k") == "ERR WATCH inside MULTI is not allowed"
        do("SET", "k", "v")
        assert do("EXEC") == ["OK"]

    def test_unwatch_inside(self, do: Transcript, connect: Connect) -> None:
        """It is queued like any other command, so it has no effect on EXEC."""
        do("WATCH", "k")
        connect().call("SET", "k", "changed")
        assert do.transaction(("UNWATCH",), ("PING",)) is None

    @pytest.mark.parametrize("command", ["MULTI", "EXEC", "DISCARD", "UNWATCH"])
    def test_arity(self, do: Transcript, command: str) -> None:
        text = do.error(command, "x")
        assert text.endswith(f"wrong number of arguments for '{command.lower()}' command")

    def test_arity_of_watch(self, do: Transcript) -> None:
        assert do.error("WATCH") == "ERR wrong number of arguments for 'watch' command"

    def test_quit_inside(self, do: Transcript, connect: Connect) -> None:
        do.connection.send_raw(b"MULTI\r\nSET k v\r\nQUIT\r\n")
        assert do.connection.rest() == b"+OK\r\n+QUEUED\r\n+OK\r\n"
        assert connect().call("EXISTS", "k") == 0

    def test_reset_inside(self, do: Transcript) -> None:
        do("MULTI")
        do("SET", "k", "v")
        assert do("RESET") == "RESET"
        assert do.error("EXEC") == "ERR EXEC without MULTI"
        assert do("EXISTS", "k") == 0

    def test_hanging_up_discards_it(self, do: Transcript, connect: Connect) -> None:
        leaving = connect()
        leaving.call("MULTI")
        leaving.call("SET", "k", "v")
        leaving.close()
        assert do("EXISTS", "k") == 0


class TestDiscard:
    def test_forgets_queued_commands(self, do: Transcript) -> None:
        do("MULTI")
        do("SET", "k", "v")
        assert do("DISCARD") == "OK"
        assert do("EXISTS", "k") == 0
        assert do.error("EXEC") == "ERR EXEC without MULTI"

    def test_forgets_watched_keys(self, do: Transcript, connect: Connect) -> None:
        do("WATCH", "k")
        connect().call("SET", "k", "changed")
        do("MULTI")
        do("DISCARD")
        assert do.transaction(("PING",)) == ["PONG"]

    def test_ends_an_aborted_transaction(self, do: Transcript) -> None:
        do("MULTI")
        do.error("GET")
        assert do("DISCARD") == "OK"
        assert do.transaction(("PING",)) == ["PONG"]

    def test_errors(self, do: Transcript) -> None:
        assert do.error("DISCARD") == "ERR DISCARD without MULTI"


class TestSubscriptionsInside:
    def test_subscribe(self, do: Transcript, connect: Connect) -> None:
        assert do.transaction(("SET", "k", "v"), ("SUBSCRIBE", "c")) == ["OK", [b"subscribe", b"c", 1]]
        assert connect().call("PUBLISH", "c", "hello") == 1
        assert do.connection.read() == [b"message", b"c", b"hello"]

    def test_several_channels(self, do: Transcript) -> None:
        """Redis counts commands, not confirmations: the second confirmation follows the reply to EXEC."""
        assert do.transaction(("SUBSCRIBE", "c", "d")) == [[b"subscribe", b"c", 1]]
        assert do.connection.read() == [b"subscribe", b"d", 2]

    def test_not_to_shard_channels(self, do: Transcript) -> None:
        refused = ReplyError("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
        assert do.transaction(("SSUBSCRIBE", "c"), ("SUNSUBSCRIBE",)) == [refused, [b"sunsubscribe", None, 0]]
        assert do("PUBSUB", "SHARDCHANNELS") == []
        do.connection.send("SSUBSCRIBE", "c")  # allowed outside of a transaction
        assert do.connection.read() == [b"ssubscribe", b"c", 1]

    def test_publish(self, do: Transcript, connect: Connect) -> None:
        listener = connect()
        listener.call("SUBSCRIBE", "c")
        do("MULTI")
        assert do("PUBLISH", "c", "one") == "QUEUED"
        do("SET", ONE, "v")
        do("SET", TWO, "v")
        do("PUBLISH", "c", "two")
        assert connect().call("PUBLISH", "c", "zero") == 1
        assert do("EXEC") == [1, "OK", "OK", 1]
        assert [listener.read()[2] for _ in range(3)] == [b"zero", b"one", b"two"]


class TestWithAPassword:
    @pytest.fixture
    def stranger(self, connect: Connect) -> Iterator[Connection]:
        """A connection that has not logged in."""
        before = connect()
        before.call("CONFIG", "SET", "requirepass", "secret")
        yield connect()
        before.call("CONFIG", "SET", "requirepass", "")

    def test_before_logging_in(self, stranger: Connection) -> None:
        no_auth = ReplyError("NOAUTH Authentication required.")
        assert stranger.pipeline(("MULTI",), ("SET", "k", "v"), ("DISCARD",)) == [no_auth, no_auth, no_auth]
        assert stranger.call("EXEC") == ReplyError(
            "EXECABORT Transaction discarded because of: NOAUTH Authentication required."
        )
