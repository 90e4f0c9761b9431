"""EXEC: what it needs, what it sends, and in which order things are told."""

from __future__ import annotations

import pytest

from respcache.commands.table import TABLE
from respcache.errors import INTERNAL, SHARD_DIED, CommandError
from respcache.server.order.plan import Kind, Plan
from respcache.shard import wire
from tests.support.house import House, Peer, house
from tests.support.resp import PushData, ReplyError, pack

pytestmark = pytest.mark.trio

DIED = ReplyError(CommandError(SHARD_DIED).text)


def transaction(*lines: str) -> bytes:
    return b"".join(pack(tuple(line.split())) for line in ["MULTI", *lines, "EXEC"])


async def begun(main: House, client: Peer, *lines: str) -> None:
    """EXEC is under way, and no shard has worked."""
    client.send_raw(transaction(*lines))
    main.turn()
    await main.tasks()


async def test_on_one_shard_it_is_one_item_and_does_not_hold_up_its_client() -> None:
    async with house(2) as main:
        client = main.connect()
        client.send_raw(transaction("SET b 1", "INCR b") + pack(("GET", "b")))
        main.turn()
        assert [item[0] for item in main.shards[0].take()] == [wire.EXECUTE, wire.RUN]
        main.shards[0].answer([b"+OK\r\n", b":2\r\n"], b"$1\r\n2\r\n")
        main.turn()
        assert client.replies() == ["OK", "QUEUED", "QUEUED", ["OK", 2], b"2"]


async def test_what_can_go_together_goes_together() -> None:
    """F13: a hundred commands that alternate between two shards are one item for each."""
    async with house(2) as main:
        client = main.connect()
        await begun(main, client, *["INCR a", "INCR b"] * 50)
        for shard in main.shards:
            (item,) = shard.take()
            assert item[0] == wire.EXECUTE
            assert len(item[-1]) == 50
            shard.answer([b":1\r\n"] * 50)
        await main.settle()
        assert client.replies()[-1] == [1] * 100


async def test_commands_that_are_cut_up_do_not_wait_for_each_other() -> None:
    """One round trip per DBSIZE held all shards for 13 s where Redis takes 40 ms."""
    async with house(2) as main:
        client = main.connect()
        await begun(main, client, *["MSET a 1 b 2", "INCR a", "DBSIZE"] * 10)
        kinds = [[item[0] for item in shard.take()] for shard in main.shards]
        assert [of_shard.count(wire.PART) for of_shard in kinds] == [20, 20]
        assert sum(of_shard.count(wire.EXECUTE) for of_shard in kinds) == 10


async def test_what_is_cut_up_comes_in_order_however_much_it_is() -> None:
    async with house(2) as main:
        client = main.connect()
        client.send_raw(transaction(*["MSET a 1 b 2", "INCR a", "DBSIZE", "EXISTS a b"] * 1000, "MGET a b"))
        await main.settle()
        assert client.replies()[-1] == ["OK", 2, 2, 2] * 1000 + [[b"2", b"2"]]


async def test_events_of_commands_that_are_cut_up_keep_their_place() -> None:
    async with house(2, notify_keyspace_events="Eg$") as main:
        listener, client = main.connect(), main.connect()
        listener.send("HELLO", 3)
        listener.send("PSUBSCRIBE", "*")
        await main.settle()
        listener.received()
        await begun(main, client, "SET a 1", "SET b 1", "DEL a b", "SET b 2", "SET a 2")
        for shard in reversed(main.shards):
            while shard.work():
                pass
        await main.settle()
        heard = [message[2].split(b":")[1] + b" " + message[3] for message in listener.replies()]
        assert heard[:2] == [b"set a", b"set b"]
        assert sorted(heard[2:4]) == [b"del a", b"del b"]
        assert heard[4:] == [b"set b", b"set a"]


async def test_a_shard_that_dies_under_commands_that_are_cut_up_fails_each_of_them() -> None:
    async with house(2) as main:
        client = main.connect()
        await begun(main, client, "SET a 1", "DBSIZE", "MSET a 1 b 2", "SET a 3")
        main.shards[0].take()
        main.shards[0].die()
        await main.settle()
        assert client.replies()[-1] == ["OK", DIED, DIED, "OK"]
        assert not any(shard.link.queue.corked for shard in main.shards)


async def test_a_command_that_fails_is_an_error_among_the_replies() -> None:
    async with house(2) as main:
        client = main.connect()
        client.send_raw(transaction("SET a x", "INCR a", "SELECT 99", "SINTER a b", "GET b"))
        await main.settle()
        ok, not_a_number, no_database, wrong_type, nothing = client.replies()[-1]
        assert (ok, nothing) == ("OK", None)
        assert str(not_a_number).startswith("ERR value is not an integer")
        assert str(no_database).startswith("ERR DB index")
        assert str(wrong_type).startswith("WRONGTYPE")


async def test_events_come_in_the_order_of_the_commands_whichever_shard_answers_first() -> None:
    async with house(2, notify_keyspace_events="E$") as main:
        listener, client = main.connect(), main.connect()
        listener.send("HELLO", 3)
        listener.send("PSUBSCRIBE", "*")
        await main.settle()
        listener.received()
        await begun(main, client, "SET a 1", "SET b 1", "APPEND b 2", "APPEND a 2")
        while main.shards[0].work() or main.shards[1].work():
            await main.tasks()
        await main.settle()
        heard = [(message[2].split(b":")[1], message[3]) for message in listener.replies()]
        assert heard == [(b"set", b"a"), (b"set", b"b"), (b"append", b"b"), (b"append", b"a")]
        assert client.replies()[-1] == ["OK", "OK", 2, 2]


async def test_the_others_wait_until_it_is_done() -> None:
    async with house(2) as main:
        client, other = main.connect(), main.connect()
        await begun(main, client, "SET a 1", "PING", "RENAME a b", "DBSIZE", "SCAN 0")
        other.send("GET", "b")
        await main.settle()
        assert client.replies()[-1] == ["OK", "PONG", "OK", 1, [b"0", [b"b"]]]
        assert other.replies() == [b"1"]


async def test_a_watched_key_on_a_third_shard_makes_it_fail() -> None:
    async with house(2) as main:
        client, other = main.connect(), main.connect()
        client.send("WATCH", "a")
        await main.settle()
        other.send("SET", "a", 1)
        await main.settle()
        await begun(main, client, "SET b 1")
        await main.settle()
        assert client.replies()[-1] is None
        client.send_raw(transaction("SET b 1"))  # the watch has ended
        await main.settle()
        assert client.replies()[-1] == ["OK"]


@pytest.mark.parametrize("victim", [0, 1])
async def test_a_shard_that_dies_under_it_fails_its_commands(victim: int) -> None:
    async with house(2) as main:
        client, other = main.connect(), main.connect()
        await begun(main, client, "SET a 1", "SET b 1")
        main.shards[victim].take()
        main.shards[victim].die()
        other.send("SET", "a", 2)
        other.send("SET", "b", 2)
        await main.settle()
        lost = "ba"[victim]
        assert client.replies()[-1] == [DIED if key == lost else "OK" for key in "ab"]
        assert other.replies() == ["OK", "OK"]
        assert not any(shard.link.queue.corked for shard in main.shards)


async def test_a_shard_that_dies_before_its_watches_are_asked_for_fails_it_whole() -> None:
    async with house(2) as main:
        client = main.connect()
        client.send("WATCH", "a", "b")
        await main.settle()
        await begun(main, client, "SET a 1", "SET b 1")
        main.shards[0].take()
        main.shards[0].die()
        await main.settle()
        assert client.replies()[-1] == DIED
        client.send("EXISTS", "a", "b")
        await main.settle()
        assert client.replies() == [0]


@pytest.mark.parametrize("when", ["before", "during"])
async def test_a_client_that_is_cut_off_leaves_no_subscription(when: str) -> None:
    """F15: what is queued behind its barrier runs all the same, SUBSCRIBE included."""
    async with house(2) as main:
        client, other = main.connect(), main.connect()
        await begun(main, client, "GET a", "SUBSCRIBE c", "PSUBSCRIBE p*", "GET b", "SSUBSCRIBE s", "SET b 1")
        if when == "during":
            main.shards[1].work()
            await main.tasks()
        client.client.close()
        await main.settle()
        for words in [("PUBLISH", "c", "m"), ("PUBSUB", "CHANNELS"), ("PUBSUB", "NUMPAT"), ("EXISTS", "b")]:
            other.send(*words)
        await main.settle()
        assert other.replies() == [0, [], 0, 1]


async def test_a_bug_in_merging_fails_the_command_not_the_shard(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Alone and within EXEC."""

    def fail(_parts: object) -> None:
        raise RuntimeError("a bug")

    async with house(2) as main:
        monkeypatch.setattr(TABLE[b"EXISTS"], "gather", fail)
        client = main.connect()
        client.send("EXISTS", "a", "b")
        client.send_raw(transaction("PING", "EXISTS a b", "PING"))
        client.send("PING")
        await main.settle()
        internal = ReplyError(CommandError(INTERNAL).text)
        assert client.replies() == [internal, "OK", *["QUEUED"] * 3, ["PONG", internal, "PONG"], "PONG"]
        assert "a bug" in capfd.readouterr().out


async def test_messages_to_its_own_client_come_after_its_replies() -> None:
    """As redis 8.0 does; 7.0 puts them between the elements of the reply."""
    async with house() as main:
        client = main.connect()
        client.send("HELLO", 3)
        client.send("SUBSCRIBE", "c")
        await main.settle()
        client.received()
        client.send_raw(transaction("PUBLISH c x", "PING", "PUBLISH c y") + pack(("PING",)))
        await main.settle()
        messages = [PushData([b"message", b"c", text]) for text in (b"x", b"y")]
        assert client.replies() == ["OK", *["QUEUED"] * 3, [1, "PONG", 1], *messages, "PONG"]


async def test_a_script_that_was_wrongly_proven_to_need_one_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets an error. Nobody knew for whom main was to run its command, and the shard was killed for the question."""
    async with house(2) as main:
        monkeypatch.setattr(main.parts.namespaces.default.scripts, "plan", lambda *_, **__: Plan(Kind.ONE, {1: [3]}))
        client = main.connect()
        client.send("MULTI")
        client.send("SET", "b", 1)
        client.send("EVAL", "return redis.pcall('GET', 'b')", 1, "a")
        client.send("INCR", "a")
        client.send("EXEC")
        await main.settle()
        ok, refusal, one = client.replies()[-1]
        assert (ok, str(refusal), one) == ("OK", "ERR the script uses a key that it has not declared", 1)


async def test_a_function_behind_a_transaction_that_replaces_it() -> None:
    """It is planned before the other library is there, and runs afterwards."""
    async with house(2) as main:
        admin, client = main.connect(), main.connect()
        library = "#!lua name=lib\nredis.register_function('f', function() %s end)"
        admin.send("MSET", "a", 1, "b", 2)
        admin.send("FUNCTION", "LOAD", library % "return 0")
        await main.settle()
        admin.send("MULTI")
        admin.send("FUNCTION", "LOAD", "REPLACE", library % "return redis.call('mget', 'a', 'b')")
        admin.send("EXEC")
        while not main.server.links[0].queue.corked:
            main.turn()
        client.send("FCALL", "f", 1, "a")
        main.turn()
        await main.settle()
        assert client.replies() == [[b"1", b"2"]]
        assert admin.replies()[-1] == [b"lib"]
        assert not main.parts.namespaces.default.scripts.unsettled


async def test_main_and_shards_have_the_same_libraries_whoever_changes_them() -> None:
    """A removal that came while a transaction loaded a new version reached main before it, and shards after it."""
    async with house(2) as main:
        admin, other = main.connect(), main.connect()
        library = "#!lua name=lib\nredis.register_function('f', function() return '%s' end)"
        admin.send("FUNCTION", "LOAD", library % "first")
        await main.settle()
        admin.send("MULTI")
        admin.send("FUNCTION", "LOAD", "REPLACE", library % "second")
        admin.send("EXEC")
        while not main.server.links[0].queue.corked:
            main.turn()
        other.send("FUNCTION", "DELETE", "lib")
        main.turn()
        await main.settle()
        assert (admin.replies()[-1], other.replies()) == ([b"lib"], ["OK"])
        other.send("FUNCTION", "LIST")
        other.send("FCALL", "f", 1, "a")
        other.send("FCALL", "f", 1, "b")
        await main.settle()
        listed, *called = other.replies()
        assert listed == []
        assert [str(reply) for reply in called] == ["ERR Function not found"] * 2
