"""SUBSCRIBE and its relatives, PUBLISH and PUBSUB, as redis-cli sessions show them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.resp import Closed, Connection, PushData, ReplyError
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

Connect = Callable[..., Connection]

NOT_NOW = (
    "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
)


def read(do: Transcript, count: int = 1) -> list[list[object]]:
    """The next messages and confirmations: pushes in RESP3, arrays in RESP2."""
    found = [do.connection.read() for _ in range(count)]
    assert {type(message) for message in found} == {PushData if do.protocol == 3 else list}
    return found


def subscribe(do: Transcript, *words: str) -> list[list[object]]:
    """Send a command that is answered by one confirmation per name."""
    do.connection.send(*words)
    return read(do, max(1, len(words) - 1))


def quiet(do: Transcript) -> bool:
    """True if there is nothing to read: the next thing to arrive is the reply to PING."""
    pong = do("PING", "still there")
    return pong == (b"still there" if do.protocol == 3 or not isinstance(pong, list) else [b"pong", b"still there"])


class TestSubscribe:
    def test_confirmations_count(self, do: Transcript) -> None:
        assert subscribe(do, "SUBSCRIBE", "a", "b") == [[b"subscribe", b"a", 1], [b"subscribe", b"b", 2]]
        assert subscribe(do, "SUBSCRIBE", "a") == [[b"subscribe", b"a", 2]]
        assert subscribe(do, "PSUBSCRIBE", "a*", "b*") == [[b"psubscribe", b"a*", 3], [b"psubscribe", b"b*", 4]]
        assert subscribe(do, "UNSUBSCRIBE", "a", "none") == [[b"unsubscribe", b"a", 3], [b"unsubscribe", b"none", 3]]
        assert subscribe(do, "PUNSUBSCRIBE", "b*") == [[b"punsubscribe", b"b*", 2]]

    def test_unsubscribe_from_all(self, do: Transcript) -> None:
        subscribe(do, "SUBSCRIBE", "a", "b")
        subscribe(do, "PSUBSCRIBE", "p*")
        do.connection.send("UNSUBSCRIBE")
        assert sorted(name for _, name, _ in read(do, 2)) == [b"a", b"b"]
        assert subscribe(do, "PUNSUBSCRIBE") == [[b"punsubscribe", b"p*", 0]]
        assert subscribe(do, "UNSUBSCRIBE") == [[b"unsubscribe", None, 0]]
        assert subscribe(do, "PUNSUBSCRIBE") == [[b"punsubscribe", None, 0]]

    def test_unsubscribe_from_none_keeps_the_rest(self, do: Transcript) -> None:
        subscribe(do, "PSUBSCRIBE", "p*")
        assert subscribe(do, "UNSUBSCRIBE") == [[b"unsubscribe", None, 1]]

    def test_shard_channels_are_counted_separately(self, do: Transcript) -> None:
        subscribe(do, "SUBSCRIBE", "a")
        assert subscribe(do, "SSUBSCRIBE", "s", "t") == [[b"ssubscribe", b"s", 1], [b"ssubscribe", b"t", 2]]
        assert subscribe(do, "SUNSUBSCRIBE", "s") == [[b"sunsubscribe", b"s", 1]]
        assert subscribe(do, "SUNSUBSCRIBE") == [[b"sunsubscribe", b"t", 0]]
        assert subscribe(do, "SUNSUBSCRIBE") == [[b"sunsubscribe", None, 0]]
        assert subscribe(do, "UNSUBSCRIBE") == [[b"unsubscribe", b"a", 0]]

    def test_names_are_any_bytes(self, do: Transcript, connect: Connect) -> None:
        name = b"\0\r\n \xff"
        do.connection.send("SUBSCRIBE", name)
        assert read(do) == [[b"subscribe", name, 1]]
        assert connect().call("PUBLISH", name, name) == 1
        assert read(do) == [[b"message", name, name]]

    @pytest.mark.parametrize("command", ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"])
    def test_arity(self, do: Transcript, command: str) -> None:
        assert do.error(command) == f"ERR wrong number of arguments for '{command.lower()}' command"


class TestPublish:
    def test_to_nobody(self, do: Transcript) -> None:
        assert do("PUBLISH", "nobody", "x") == 0
        assert do("SPUBLISH", "nobody", "x") == 0

    def test_to_a_channel(self, do: Transcript, connect: Connect) -> None:
        subscribe(do, "SUBSCRIBE", "c")
        publisher = connect()
        assert publisher.call("PUBLISH", "c", "hello") == 1
        assert publisher.call("PUBLISH", "C", "other") == 0
        assert publisher.call("PUBLISH", "c", "") == 1
        assert read(do, 2) == [[b"message", b"c", b"hello"], [b"message", b"c", b""]]

    def test_to_patterns(self, do: Transcript, connect: Connect) -> None:
        """A client with several matching subscriptions gets the message, and is counted, several times."""
        subscribe(do, "PSUBSCRIBE", "n*", "n[a-e]ws")
        subscribe(do, "SUBSCRIBE", "news")
        assert connect().call("PUBLISH", "news", "x") == 3
        messages = read(do, 3)
        assert messages[0] == [b"message", b"news", b"x"]
        assert sorted(messages[1:]) == [
            [b"pmessage", b"n*", b"news", b"x"],
            [b"pmessage", b"n[a-e]ws", b"news", b"x"],
        ]

    def test_to_shard_channels(self, do: Transcript, connect: Connect) -> None:
        """They are separate: neither patterns nor PUBLISH reach them."""
        subscribe(do, "SSUBSCRIBE", "c")
        subscribe(do, "PSUBSCRIBE", "*")
        publisher = connect()
        assert publisher.call("SPUBLISH", "c", "one") == 1
        assert publisher.call("PUBLISH", "c", "two") == 1
        assert read(do, 2) == [[b"smessage", b"c", b"one"], [b"pmessage", b"*", b"c", b"two"]]

    def test_to_many(self, do: Transcript, connect: Connect) -> None:
        """In both protocols at once."""
        others = [connect(protocol=2 + number % 2) for number in range(10)]
        for other in others:
            other.call("SUBSCRIBE", "c")
        assert do("PUBLISH", "c", "x") == 10
        assert all(other.read() == [b"message", b"c", b"x"] for other in others)

    def test_channels_are_independent_of_databases(self, do: Transcript, connect: Connect) -> None:
        do("SELECT", 5)
        subscribe(do, "SUBSCRIBE", "c")
        assert connect().call("PUBLISH", "c", "x") == 1

    def test_messages_keep_their_order(self, do: Transcript, connect: Connect) -> None:
        subscribe(do, "SUBSCRIBE", "c")
        publisher = connect()
        assert publisher.pipeline(*[("PUBLISH", "c", number) for number in range(2000)]) == [1] * 2000
        assert [int(payload) for _, _, payload in read(do, 2000)] == list(range(2000))

    def test_a_message_comes_after_earlier_commands_of_the_publisher(self, do: Transcript, connect: Connect) -> None:
        """A listener that gets the message and reads the key finds it."""
        subscribe(do, "SUBSCRIBE", "c")
        publisher, reader = connect(), connect()
        for number in range(100):
            publisher.send_raw(b"SET key:%d v\r\nPUBLISH c key:%d\r\n" % (number, number))
            ((_, _, key),) = read(do)
            assert reader.call("GET", key) == b"v"

    def test_a_large_message(self, do: Transcript, connect: Connect) -> None:
        subscribe(do, "SUBSCRIBE", "c")
        message = b"x" * 3_000_000
        assert connect().call("PUBLISH", "c", message) == 1
        assert read(do) == [[b"message", b"c", message]]

    def test_not_after_unsubscribing(self, do: Transcript, connect: Connect) -> None:
        subscribe(do, "SUBSCRIBE", "c")
        subscribe(do, "PSUBSCRIBE", "c*")
        subscribe(do, "UNSUBSCRIBE", "c")
        subscribe(do, "PUNSUBSCRIBE", "c*")
        assert connect().call("PUBLISH", "c", "x") == 0
        assert quiet(do)

    def test_not_to_a_closed_client(self, do: Transcript, connect: Connect) -> None:
        leaving = connect()
        leaving.call("SUBSCRIBE", "c")
        leaving.close()
        assert eventually(lambda: do("PUBLISH", "c", "x") == 0)
        assert do("PUBSUB", "CHANNELS") == []

    @pytest.mark.parametrize("command", ["PUBLISH", "SPUBLISH"])
    def test_arity(self, do: Transcript, command: str) -> None:
        text = f"ERR wrong number of arguments for '{command.lower()}' command"
        assert do.error(command, "c") == text
        assert do.error(command, "c", "x", "y") == text


class TestWhileSubscribed:
    @pytest.mark.parametrize("kind", ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"])
    @pytest.mark.parametrize("words", [("GET", "k"), ("PUBLISH", "c", "x"), ("MULTI",), ("CLIENT", "ID")])
    def test_resp2_refuses_other_commands(self, connect: Connect, kind: str, words: tuple[str, ...]) -> None:
        client = connect(protocol=2)
        client.call(kind, "c")
        name = "|".join(words[:2]).lower() if words[0] == "CLIENT" else words[0].lower()
        assert client.call(*words) == ReplyError(NOT_NOW.format(name))
        client.call(kind.replace("SUB", "UNSUB"), "c")
        assert not isinstance(client.call(*words), ReplyError)

    def test_resp2_looks_commands_up_first(self, connect: Connect) -> None:
        client = connect(protocol=2)
        client.call("SUBSCRIBE", "c")
        assert str(client.call("NOSUCH")).startswith("ERR unknown command 'NOSUCH'")
        assert client.call("GET") == ReplyError("ERR wrong number of arguments for 'get' command")

    def test_resp3_accepts_all_commands(self, connect: Connect) -> None:
        client = connect(protocol=3)
        client.call("SUBSCRIBE", "c")
        assert client.call("SET", "k", "v") == "OK"
        assert client.pipeline(("MULTI",), ("GET", "k"), ("EXEC",)) == ["OK", "QUEUED", [b"v"]]
        assert connect().call("PUBLISH", "c", "x") == 1
        assert client.read() == PushData([b"message", b"c", b"x"])
        assert client.call("GET", "k") == b"v"

    def test_ping(self, do: Transcript) -> None:
        subscribe(do, "SUBSCRIBE", "c")
        if do.protocol == 2:
            assert do("PING") == [b"pong", b""]
            assert do("PING", "x") == [b"pong", b"x"]
        else:
            assert do("PING") == "PONG"
            assert do("PING", "x") == b"x"

    def test_quit(self, do: Transcript) -> None:
        subscribe(do, "SUBSCRIBE", "c")
        assert do("QUIT") == "OK"
        with pytest.raises(Closed):
            do("PING")

    def test_reset(self, do: Transcript, connect: Connect) -> None:
        """It ends all subscriptions without confirmations, and returns to RESP2."""
        subscribe(do, "SUBSCRIBE", "c")
        subscribe(do, "PSUBSCRIBE", "c*")
        subscribe(do, "SSUBSCRIBE", "c")
        assert do("RESET") == "RESET"
        other = connect()
        assert other.call("PUBLISH", "c", "x") == 0
        assert other.call("SPUBLISH", "c", "x") == 0
        assert do("PING") == "PONG"
        assert do("EXISTS", "k") == 0

    def test_subscribers_are_of_type_pubsub(self, do: Transcript, connect: Connect) -> None:
        listener = connect()
        number = listener.call("CLIENT", "ID")
        listener.call("SUBSCRIBE", "c")
        assert f"id={number} ".encode() in bytes_of(do("CLIENT", "LIST", "TYPE", "pubsub"))
        listener.call("UNSUBSCRIBE")
        assert f"id={number} ".encode() not in bytes_of(do("CLIENT", "LIST", "TYPE", "pubsub"))

    def test_messages_stand_between_replies(self, connect: Connect) -> None:
        """Never inside a reply, however pipelines and messages overlap."""
        listener, publisher = connect(protocol=3), connect()
        listener.call("SUBSCRIBE", "c")
        listener.call("RPUSH", "l", *range(100))
        for _ in range(20):
            publisher.send_raw(b"PUBLISH c x\r\n" * 50)
            listener.send_raw(b"LRANGE l 0 -1\r\n" * 20)
        found = [listener.read() for _ in range(20 * 70)]
        assert found.count(PushData([b"message", b"c", b"x"])) == 20 * 50
        assert found.count([b"%d" % number for number in range(100)]) == 20 * 20

    @pytest.mark.since("7.2")
    def test_an_own_message_follows_the_reply(self, connect: Connect) -> None:
        client = connect(protocol=3)
        client.call("SUBSCRIBE", "c")
        assert client.call("PUBLISH", "c", "x") == 1
        assert client.read() == PushData([b"message", b"c", b"x"])
        assert client.pipeline(("SET", "k", "v"), ("PUBLISH", "c", "y")) == ["OK", 1]
        assert client.read() == PushData([b"message", b"c", b"y"])

    @pytest.mark.since("7.2")
    def test_an_own_message_in_a_transaction(self, connect: Connect) -> None:
        client = connect(protocol=3)
        client.call("SUBSCRIBE", "c")
        replies = client.pipeline(("MULTI",), ("PUBLISH", "c", "x"), ("PING",), ("EXEC",))
        assert replies == ["OK", "QUEUED", "QUEUED", [1, "PONG"]]
        assert client.read() == PushData([b"message", b"c", b"x"])

    def test_client_reply_off_does_not_suppress_messages(self, connect: Connect) -> None:
        """Messages and confirmations are not replies."""
        client = connect(protocol=3)
        client.send("CLIENT", "REPLY", "OFF")
        client.send("SUBSCRIBE", "c")
        assert client.read() == PushData([b"subscribe", b"c", 1])
        client.send("SET", "k", "v")
        assert connect().call("PUBLISH", "c", "x") == 1
        assert client.read() == PushData([b"message", b"c", b"x"])
        assert client.call("CLIENT", "REPLY", "ON") == "OK"


class TestPubsub:
    def test_channels(self, do: Transcript, connect: Connect) -> None:
        assert do("PUBSUB", "CHANNELS") == []
        one, two = connect(), connect()
        one.pipeline(("SUBSCRIBE", "news"), ("SUBSCRIBE", "sports"), ("PSUBSCRIBE", "n*"), ("SSUBSCRIBE", "shard"))
        two.call("SUBSCRIBE", "news")
        assert sorted(do("PUBSUB", "CHANNELS")) == [b"news", b"sports"]
        assert do("PUBSUB", "CHANNELS", "n*") == [b"news"]
        assert do("PUBSUB", "CHANNELS", "x*") == []
        assert do("PUBSUB", "SHARDCHANNELS") == [b"shard"]
        assert do("PUBSUB", "SHARDCHANNELS", "n*") == []

    def test_numsub(self, do: Transcript, connect: Connect) -> None:
        one, two = connect(), connect()
        one.pipeline(("SUBSCRIBE", "news"), ("PSUBSCRIBE", "news"), ("SSUBSCRIBE", "news"))
        two.pipeline(("SUBSCRIBE", "news"), ("SUBSCRIBE", "sports"))
        assert do("PUBSUB", "NUMSUB") == []
        counted = [b"news", 2, b"none", 0, b"sports", 1, b"news", 2]
        assert do("PUBSUB", "NUMSUB", "news", "none", "sports", "news") == counted
        assert do("PUBSUB", "SHARDNUMSUB") == []
        assert do("PUBSUB", "SHARDNUMSUB", "news", "sports") == [b"news", 1, b"sports", 0]

    def test_numpat(self, do: Transcript, connect: Connect) -> None:
        """Patterns count, not subscriptions to them."""
        assert do("PUBSUB", "NUMPAT") == 0
        one, two = connect(), connect()
        one.pipeline(("PSUBSCRIBE", "a*"), ("PSUBSCRIBE", "b*"))
        two.call("PSUBSCRIBE", "a*")
        assert do("PUBSUB", "NUMPAT") == 2
        one.pipeline(("PUNSUBSCRIBE", "a*"), ("PUNSUBSCRIBE", "b*"))
        assert do("PUBSUB", "NUMPAT") == 1

    def test_help(self, do: Transcript) -> None:
        lines = do("PUBSUB", "HELP")
        assert lines[0] == "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
        assert any(line.startswith("NUMPAT") for line in lines)
        assert lines[-2] == "HELP"

    def test_errors(self, do: Transcript) -> None:
        assert do.error("PUBSUB") == "ERR wrong number of arguments for 'pubsub' command"
        assert do.error("PUBSUB", "NOSUCH") == "ERR unknown subcommand 'NOSUCH'. Try PUBSUB HELP."
        assert do.error("PUBSUB", "NUMPAT", "x") == "ERR wrong number of arguments for 'pubsub|numpat' command"
        for name in ("CHANNELS", "SHARDCHANNELS"):
            text = f"ERR unknown subcommand or wrong number of arguments for '{name}'. Try PUBSUB HELP."
            assert do.error("PUBSUB", name, "a", "b") == text


def bytes_of(reply: object) -> bytes:
    return reply if isinstance(reply, bytes) else str(reply).encode()
