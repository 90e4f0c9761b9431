"""WATCH and UNWATCH, and what they do to EXEC, as redis-cli sessions show them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.invocations import KEYS
from tests.support.resp import Connection
from tests.support.transcript import Transcript

Connect = Callable[..., Connection]

ONE, TWO, THREE = KEYS  # on three different shards

CHANGES = {
    "SET": ((), ("SET", "k", "new")),
    "to the same value": (("SET", "k", "v"), ("SET", "k", "v")),
    "DEL": (("SET", "k", "v"), ("DEL", "k")),
    "EXPIRE": (("SET", "k", "v"), ("EXPIRE", "k", "100")),
    "PERSIST": (("SET", "k", "v", "EX", "100"), ("PERSIST", "k")),
    "APPEND": (("SET", "k", "v"), ("APPEND", "k", "w")),
    "RPUSH": (("RPUSH", "k", "v"), ("RPUSH", "k", "w")),
    "LPOP of the last element": (("RPUSH", "k", "v"), ("LPOP", "k")),
    "LSET": (("RPUSH", "k", "v"), ("LSET", "k", "0", "w")),
    "HSET": (("HSET", "k", "f", "v"), ("HSET", "k", "f", "w")),
    "HDEL": (("HSET", "k", "f", "v", "g", "v"), ("HDEL", "k", "f")),
    "SADD": (("SADD", "k", "m"), ("SADD", "k", "n")),
    "ZINCRBY": (("ZADD", "k", "1", "m"), ("ZINCRBY", "k", "1", "m")),
    "RENAME away": (("SET", "k", "v"), ("RENAME", "k", "k2")),
    "RENAME upon it": (("SET", "k2", "v"), ("RENAME", "k2", "k")),
    "COPY": (("SET", "k2", "v"), ("COPY", "k2", "k")),
    "MOVE": (("SET", "k", "v"), ("MOVE", "k", "5")),
    "LMOVE": (("RPUSH", "k2", "v"), ("LMOVE", "k2", "k", "LEFT", "LEFT")),
    "SUNIONSTORE": (("SADD", "k2", "v"), ("SUNIONSTORE", "k", "k2")),
    "MSET": ((), ("MSET", "k", "1", "k2", "1")),
    "FLUSHDB": (("SET", "k", "v"), ("FLUSHDB",)),
    "FLUSHALL": (("SET", "k", "v"), ("FLUSHALL",)),
    "SWAPDB": (("SET", "k", "v"), ("SWAPDB", "0", "1")),
}
# Commands that do not change the key.
NO_CHANGES = {
    "GET": (("SET", "k", "v"), ("GET", "k")),
    "TOUCH": (("SET", "k", "v"), ("TOUCH", "k")),
    "another key": (("SET", "k", "v"), ("SET", "k2", "w")),
    "SETNX": (("SET", "k", "v"), ("SETNX", "k", "w")),
    "SADD": (("SADD", "k", "m"), ("SADD", "k", "m")),
    "DEL": ((), ("DEL", "k")),
    "HDEL": (("HSET", "k", "f", "v"), ("HDEL", "k", "none")),
    "PERSIST": (("SET", "k", "v"), ("PERSIST", "k")),
    "FLUSHDB": ((), ("FLUSHDB",)),
    "SWAPDB": ((), ("SWAPDB", "0", "1")),
    "an error": (("SET", "k", "v"), ("RPUSH", "k", "w")),
}


class TestWatch:
    @pytest.mark.parametrize(("before", "change"), CHANGES.values(), ids=CHANGES)
    def test_changed(self, do: Transcript, connect: Connect, before: tuple[str, ...], change: tuple[str, ...]) -> None:
        if before:
            do(*before)
        assert do("WATCH", "k") == "OK"
        connect().call(*change)
        assert do.transaction(("SET", "done", 1), ("PING",)) is None
        assert do("EXISTS", "done") == 0

    @pytest.mark.parametrize(("before", "change"), NO_CHANGES.values(), ids=NO_CHANGES)
    def test_unchanged(
        self, do: Transcript, connect: Connect, before: tuple[str, ...], change: tuple[str, ...]
    ) -> None:
        if before:
            do(*before)
        do("WATCH", "k")
        connect().call(*change)
        assert do.transaction(("PING",)) == ["PONG"]

    @pytest.mark.parametrize("changed", KEYS)
    def test_several_keys_on_several_shards(self, do: Transcript, connect: Connect, changed: str) -> None:
        do("WATCH", *KEYS)
        connect().call("INCR", changed)
        assert do.transaction(("SET", ONE, "done")) is None
        assert do.transaction(("SET", ONE, "done")) == ["OK"]

    @pytest.mark.parametrize(
        "commands", [(), (("INCR", ONE),), (("INCR", TWO),), (("MSET", ONE, 1, TWO, 2), ("PING",))]
    )
    def test_independent_of_the_commands_queued(
        self, do: Transcript, connect: Connect, commands: tuple[tuple[object, ...], ...]
    ) -> None:
        do("WATCH", ONE, THREE)
        connect().call("INCR", THREE)
        assert do.transaction(*commands) is None
        do("WATCH", ONE, THREE)
        replies = do.transaction(*commands)
        assert replies is not None
        assert len(replies) == len(commands)

    def test_the_clients_own_changes_count(self, do: Transcript) -> None:
        do("WATCH", "k")
        do("SET", "k", "v")
        assert do.transaction(("PING",)) is None

    def test_changes_before_it_do_not_count(self, do: Transcript, connect: Connect) -> None:
        connect().call("SET", "k", "v")
        do("WATCH", "k")
        assert do.transaction(("GET", "k")) == [b"v"]

    def test_changed_and_back_is_changed(self, do: Transcript, connect: Connect) -> None:
        other = connect()
        do("WATCH", "k")
        other.call("SET", "k", "v")
        other.call("DEL", "k")
        assert do.transaction(("PING",)) is None

    def test_adds_to_the_watched_keys(self, do: Transcript, connect: Connect) -> None:
        do("WATCH", ONE)
        do("WATCH", TWO)
        connect().call("SET", ONE, "v")
        assert do.transaction(("PING",)) is None

    def test_ends_with_exec(self, do: Transcript, connect: Connect) -> None:
        do("WATCH", "k")
        assert do.transaction(("PING",)) == ["PONG"]
        connect().call("SET", "k", "v")
        assert do.transaction(("PING",)) == ["PONG"]

    def test_ends_with_an_aborted_exec(self, do: Transcript, connect: Connect) -> None:
        do("WATCH", "k")
        do("MULTI")
        do.error("GET")
        do.error("EXEC")
        connect().call("SET", "k", "v")
        assert do.transaction(("PING",)) == ["PONG"]

    def test_an_error_of_a_queued_command_comes_before_a_change(self, do: Transcript, connect: Connect) -> None:
        do("WATCH", "k")
        connect().call("SET", "k", "v")
        do("MULTI")
        do.error("GET")
        assert do.error("EXEC") == "EXECABORT Transaction discarded because of previous errors."

    def test_unwatch(self, do: Transcript, connect: Connect) -> None:
        do("WATCH", ONE, TWO)
        connect().call("MSET", ONE, 1, TWO, 2)
        assert do("UNWATCH") == "OK"
        assert do.transaction(("PING",)) == ["PONG"]
        assert do("UNWATCH") == "OK"

    def test_reset_ends_it(self, do: Transcript, connect: Connect) -> None:
        do("WATCH", "k")
        connect().call("SET", "k", "v")
        do("RESET")
        assert do.transaction(("PING",)) == ["PONG"]

    def test_other_databases_do_not_count(self, do: Transcript, connect: Connect) -> None:
        other = connect()
        other.call("SELECT", 9)
        do("WATCH", "k")
        other.call("SET", "k", "v")
        assert do.transaction(("PING",)) == ["PONG"]

    def test_applies_to_the_database_selected_at_the_time(self, do: Transcript, connect: Connect) -> None:
        do("WATCH", "k")
        do("SELECT", 9)
        connect().call("SET", "k", "v")
        assert do.transaction(("PING",)) is None

    def test_two_clients_watch(self, do: Transcript, connect: Connect) -> None:
        """The first to execute wins."""
        other = connect()
        for client in (do.connection, other):
            client.call("WATCH", "k")
            client.call("MULTI")
            client.call("INCR", "k")
        assert other.call("EXEC") == [1]
        assert do("EXEC") is None
        assert do("GET", "k") == b"1"

    def test_another_transaction_over_several_shards(self, do: Transcript, connect: Connect) -> None:
        other = connect()
        do("WATCH", TWO)
        other.pipeline(("MULTI",), ("SET", ONE, 1), ("SET", TWO, 2), ("EXEC",))
        assert do.transaction(("GET", TWO)) is None

    def test_the_retry_loop_loses_no_update(self, do: Transcript, connect: Connect) -> None:
        """Clients that interleave read-modify-write with WATCH lose no step, although many attempts fail."""
        clients = [connect() for _ in range(4)]
        do("MSET", ONE, 0, TWO, 0)
        steps = failures = 0
        while steps < 40:
            values = []
            for client in clients:
                client.call("WATCH", ONE, TWO)
                values.append(int(client.call("GET", ONE)))
            for client, value in zip(clients, values, strict=True):
                client.pipeline(("MULTI",), ("SET", ONE, value + 1), ("INCR", TWO))
                if client.call("EXEC") is None:
                    failures += 1
                else:
                    steps += 1
        assert failures == 3 * steps
        assert do("MGET", ONE, TWO) == [b"40", b"40"]


@pytest.mark.respcache_only("shifts the server's clock")
class TestWatchAndTime:
    def test_a_key_that_expires(self, do: Transcript) -> None:
        do("SET", "k", "v", "PX", 1000)
        do("WATCH", "k")
        do.advance(2000)
        assert do.transaction(("PING",)) is None

    def test_a_key_that_has_expired_but_is_not_removed(self, do: Transcript) -> None:
        do("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        try:
            do("SET", "k", "v", "PX", 1000)
            do("WATCH", "k")
            do.advance(2000)
            assert do.transaction(("SET", "done", 1)) is None
        finally:
            do("DEBUG", "SET-ACTIVE-EXPIRE", 1)

    def test_a_key_that_had_expired_before(self, do: Transcript) -> None:
        do("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        try:
            do("SET", "k", "v", "PX", 1000)
            do.advance(2000)
            do("WATCH", "k")
            assert do.transaction(("EXISTS", "k")) == [0]
        finally:
            do("DEBUG", "SET-ACTIVE-EXPIRE", 1)

    @pytest.mark.parametrize(
        ("here", "there", "changed"),
        [
            pytest.param((), ("PX", 1000), False, id="nothing, then an expired key"),
            pytest.param(("PX", 1000), ("PX", 1000), False, id="an expired key, then another"),
            pytest.param((), ("PX", 9000), True, id="nothing, then a key"),
            pytest.param(("PX", 9000), ("PX", 1000), True, id="a key, then an expired one"),
        ],
    )
    def test_swapdb(self, do: Transcript, here: tuple[object, ...], there: tuple[object, ...], changed: bool) -> None:
        do("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        try:
            if here:
                do("SET", "k", "v", *here)
            do("SELECT", 1)
            do("SET", "k", "v", *there)
            do("SELECT", 0)
            do.advance(2000)
            do("WATCH", "k")
            do("SWAPDB", 0, 1)
            assert do.transaction(("PING",)) == (None if changed else ["PONG"])
        finally:
            do("DEBUG", "SET-ACTIVE-EXPIRE", 1)

    def test_a_key_with_time_left(self, do: Transcript) -> None:
        do("SET", "k", "v", "PX", 10_000)
        do("WATCH", "k")
        do.advance(2000)
        assert do.transaction(("PTTL", "k")) != [-2]

    def test_time_stands_still_during_a_transaction(self, do: Transcript) -> None:
        """All shards use the same time, and no key expires between two commands."""
        commands = [("SET", KEYS[number % 3], 1, "PX", 1000) for number in range(300)]
        replies = do.transaction(*commands, *[("PEXPIRETIME", key) for key in KEYS])
        assert replies is not None
        assert len(set(map(str, replies[-3:]))) == 1

    def test_time_is_shifted_after_the_transaction(self, do: Transcript) -> None:
        """Even if a command of the transaction shifts it."""
        do("SET", ONE, 1, "PX", 1000)
        assert do.transaction(("INCR", TWO), ("DEBUG", "ADVANCE-CLOCK", 2000), ("EXISTS", ONE)) == [1, "OK", 1]
        assert do("EXISTS", ONE) == 0
