"""Who gets which message, and how often; what happens when a subscriber is cut off by a message."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respcache.glob import compile_glob
from respcache.server.services.pubsub import PubSub, Subscriptions
from tests.support.house import house
from tests.support.resp import PushData


class Listener:
    """A subscriber that notes what it gets. `cut_off_by`: a message that ends it."""

    protocol = 2

    def __init__(self, pubsub: PubSub, name: int = 0, log: list[tuple[int, bytes]] | None = None) -> None:
        self.pubsub = pubsub
        self.name = name
        self.log = [] if log is None else log
        self.closed = False
        self.subscriptions = Subscriptions()
        self.cut_off_by = b"?"

    def push(self, data: bytes) -> None:
        self.log.append((self.name, data))
        if self.cut_off_by in data:
            self.closed = True
            self.pubsub.forget(self)


def remembered(pubsub: PubSub) -> list[bytes]:
    return [*pubsub.channels, *pubsub.patterns, *pubsub.shard_channels]


class TestCutOffWhileAMessageIsSent:
    """F1: tables change while they are in use."""

    @pytest.mark.parametrize("by", ["channel", "pattern", "shard channel", "all"])
    def test_the_others_get_it(self, by: str) -> None:
        pubsub = PubSub()
        log: list[tuple[int, bytes]] = []
        listeners = [Listener(pubsub, name, log) for name in range(4)]
        for listener in listeners:
            if by in ("channel", "all"):
                pubsub.subscribe(listener, b"c")
            if by in ("pattern", "all"):
                pubsub.subscribe_pattern(listener, b"[c]")
                pubsub.subscribe_pattern(listener, b"c*")
                pubsub.subscribe_pattern(listener, b"%d*" % listener.name)
            if by in ("shard channel", "all"):
                pubsub.subscribe_shard(listener, b"c")
        for victim in (listeners[0], listeners[2], listeners[3]):
            victim.cut_off_by = b"fatal"
        publish = pubsub.publish_shard if by == "shard channel" else pubsub.publish
        publish(b"c", b"fatal")
        assert {name for name, _ in log} == {0, 1, 2, 3}
        log.clear()
        publish(b"c", b"next")
        assert {name for name, _ in log} == {1}
        pubsub.forget(listeners[1])
        assert remembered(pubsub) == []
        assert publish(b"c", b"nobody") == 0

    def test_the_last_subscriber_of_a_pattern_is_cut_off_by_a_message_to_another_one(self) -> None:
        pubsub = PubSub()
        listener = Listener(pubsub)
        listener.cut_off_by = b"m"
        pubsub.subscribe_pattern(listener, b"*")
        pubsub.subscribe_pattern(listener, b"c")
        assert pubsub.publish(b"c", b"m") == 1
        assert not pubsub.patterns

    def test_one_that_was_cut_off_does_not_come_back(self) -> None:
        """F15: within its EXEC it may still subscribe."""
        pubsub = PubSub()
        listener = Listener(pubsub)
        listener.closed = True
        pubsub.subscribe(listener, b"c")
        pubsub.subscribe_pattern(listener, b"c")
        pubsub.subscribe_shard(listener, b"c")
        assert remembered(pubsub) == []
        assert len(listener.subscriptions) == 0


NAMES = st.sampled_from([b"a", b"b", b"aa"])
PATTERNS = st.sampled_from([b"a", b"a*", b"*", b"[ab]"])
LISTENERS = st.integers(0, 2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["subscribe", "unsubscribe"]), LISTENERS, NAMES),
        st.tuples(st.sampled_from(["subscribe_pattern", "unsubscribe_pattern"]), LISTENERS, PATTERNS),
        st.tuples(st.just("forget"), LISTENERS, st.just(b"")),
        st.tuples(st.just("publish"), st.just(0), NAMES),
    ),
    max_size=30,
)


@given(STEPS)
def test_messages_go_where_a_model_says_in_the_order_of_subscription(steps: list[tuple[str, int, bytes]]) -> None:
    pubsub, log = PubSub(), []  # type: ignore[var-annotated]
    listeners = [Listener(pubsub, name, log) for name in range(3)]
    channels: dict[bytes, list[int]] = defaultdict(list)
    patterns: dict[bytes, list[int]] = {}
    for what, who, name in steps:
        if what == "publish":
            log.clear()
            expected = list(channels[name])
            for pattern, subscribers in patterns.items():
                if compile_glob(pattern)(name):
                    expected += subscribers
            assert pubsub.publish(name, b"m") == len(expected)
            assert [receiver for receiver, _ in log] == expected
            continue
        table: Any = patterns if what.endswith("pattern") else channels
        if what == "forget":
            pubsub.forget(listeners[who])
            for subscribers in (*channels.values(), *patterns.values()):
                if who in subscribers:
                    subscribers.remove(who)
        else:
            getattr(pubsub, what)(listeners[who], name)
            if what.startswith("sub"):
                if who not in table.setdefault(name, []):
                    table[name].append(who)
            elif who in table.get(name, []):
                table[name].remove(who)
        for empty in [pattern for pattern, subscribers in patterns.items() if not subscribers]:
            del patterns[empty]


@pytest.mark.trio
class TestInTheHouse:
    @pytest.mark.parametrize("how", ["its connection breaks", "the output limit"])
    @pytest.mark.parametrize("what", ["PUBLISH", "keyspace events"])
    async def test_a_subscriber_that_is_cut_off_takes_nobody_along(self, how: str, what: str) -> None:
        settings = {"notify_keyspace_events": "KEA", "client_output_buffer_limit": "pubsub 1000 0 0"}
        async with house(2, **settings) as main:
            first, victim, last, other = [main.connect() for _ in range(4)]
            for client in (first, victim, last):
                client.send("PSUBSCRIBE", "*")
                client.send("SUBSCRIBE", "c")
            await main.settle()
            if how == "its connection breaks":
                victim.socket.send = _broken  # type: ignore[method-assign]  # found out by the next write only
            else:
                victim.stop_reading()
            for client in (first, last):
                client.received()
            for number in range(40):
                if what == "PUBLISH":
                    other.send("PUBLISH", "c", f"message {number}")
                else:
                    other.send("SET", f"key:{number}", "v")
            await main.settle()
            assert victim.closed
            assert len(other.replies()) == 40
            messages = first.replies()
            assert len(messages) == 80  # two for each command: by channel and by pattern, or two events
            assert last.replies() == messages
            assert not any(shard.link.queue.unanswered for shard in main.shards)

    async def test_a_message_comes_after_the_replies_that_are_under_way(self) -> None:
        async with house() as main:
            client, other = main.connect(), main.connect()
            client.send("HELLO", 3)
            client.send("SUBSCRIBE", "c")
            await main.settle()
            client.received()
            client.send("SET", "k", 1)
            client.send("GET", "k")
            main.turn()
            other.send("PUBLISH", "c", "m")
            main.turn()
            assert client.received() == b""
            client.send("GET", "k")
            await main.settle()
            assert client.replies() == ["OK", b"1", PushData([b"message", b"c", b"m"]), b"1"]

    async def test_an_event_is_published_before_the_reply_to_its_command(self) -> None:
        async with house(2, notify_keyspace_events="K$") as main:
            client = main.connect()
            client.send("HELLO", 3)
            client.send("PSUBSCRIBE", "*")
            await main.settle()
            client.received()
            other = main.connect()
            other.send("SET", "a", 1)
            await main.settle()
            assert client.replies() == [PushData([b"pmessage", b"*", b"__keyspace@0__:a", b"set"])]
            assert other.replies() == ["OK"]


def _broken(_data: bytes, _flags: int = 0) -> int:
    raise BrokenPipeError
