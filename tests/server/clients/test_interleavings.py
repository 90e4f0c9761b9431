"""Anything in any order: chunks, rounds, answers, pauses, slow readers and ends, as hypothesis makes them up.

Whatever it makes up: every command of a client that stays is carried out once, and answered once, in order, with its
own answer; one that breaks off is forgotten; nobody waits for ever, and nothing is left behind.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from respcache.server.clients import conversation
from tests.support.house import House, Peer, house
from tests.support.resp import ReplyError, pack

CLIENTS = 3
# On both shards, most of them not on that of "other".
KEYS = [f"key:{number}" for number in range(6)]
UNKNOWN = ReplyError("ERR unknown command 'FOO', with args beginning with: ")

Command = tuple[list[tuple[Any, ...]], list[Any]]  # the words of one command or more, the replies


def with_keys(commands: Any, count: int) -> st.SearchStrategy[Command]:
    return st.lists(st.sampled_from(KEYS), min_size=count, max_size=count).map(commands)


def transaction(keys: list[str]) -> Command:
    first, second = keys
    words = [("MULTI",), ("GET", first), ("PING",), ("GET", second), ("EXEC",)]
    return words, ["OK", "QUEUED", "QUEUED", "QUEUED", [first.encode(), "PONG", second.encode()]]


# Commands whose replies are known beforehand: every key holds its own name, and `INCR` is of a key of the client's own.
COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.just(([("INCR",)], [])),  # see `Model.send`
    st.just(([("PING",)], ["PONG"])),
    st.just(([("FOO",)], [UNKNOWN])),
    st.just(([("CLIENT", "REPLY", "SKIP"), ("ECHO", "?")], [])),
    with_keys(lambda keys: ([("GET", *keys)], [keys[0].encode()]), 1),
    with_keys(lambda keys: ([("GET", *keys)] * 7, [keys[0].encode()] * 7), 1),
    with_keys(lambda keys: ([("EXISTS", *keys)], [3]), 3),
    with_keys(lambda keys: ([("COPY", keys[0], "other", "REPLACE"), ("ECHO", keys[0])], [1, keys[0].encode()]), 1),
    with_keys(lambda keys: ([("WATCH", *keys), *transaction(keys)[0]], ["OK", *transaction(keys)[1]]), 2),
    with_keys(transaction, 2),
)
WHO = st.integers(0, CLIENTS - 1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), WHO, st.lists(COMMANDS, min_size=1, max_size=4), st.lists(st.integers(0, 300))),
        st.tuples(st.just("turn")),
        st.tuples(st.just("tasks")),
        st.tuples(st.just("work"), st.integers(0, 1)),
        st.tuples(st.just("read"), WHO, st.sampled_from([0, 1, 50, None])),
        st.tuples(st.just("pause"), st.booleans()),
        st.tuples(st.just("unpause")),
        st.tuples(st.sampled_from(["half-close", "QUIT", "break", "kill"]), WHO),
    ),
    max_size=40,
)


class Model:
    """What each client should get in the end."""

    def __init__(self, main: House) -> None:
        self.main = main
        self.admin = main.connect()
        self.peers = [main.connect() for _ in range(CLIENTS)]
        self.expected: list[list[Any]] = [[] for _ in range(CLIENTS)]
        self.counts = [0] * CLIENTS
        self.ended: set[int] = set()
        self.gone: set[int] = set()

    def send(self, who: int, commands: list[Command], cuts: list[int]) -> None:
        if who in self.ended:
            return
        data = b""
        for words, replies in commands:
            if words == [("INCR",)]:
                self.counts[who] += 1
                data += pack(("INCR", f"count:{who}"))
                self.expected[who].append(self.counts[who])
            else:
                data += b"".join(map(pack, words))
                self.expected[who] += replies
        places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        self.peers[who].send_raw(*[data[start:end] for start, end in pairwise(places)])

    def end(self, who: int, how: str) -> None:
        peer = self.peers[who]
        match how:
            case "half-close":
                peer.end()
            case "QUIT" if who not in self.ended:
                peer.send_raw(pack(("COPY", KEYS[0], "other", "REPLACE")) + pack(("QUIT",)))
                peer.send_raw(pack(("INCR", f"count:{who}")) * 2)  # too late
                self.expected[who] += [1, "OK"]
            case "break":
                peer.break_()
                self.gone.add(who)
            case "kill":
                with self.main.poller.round():
                    peer.client.close()
                self.gone.add(who)
        self.ended.add(who)

    async def step(self, what: str, *arguments: Any) -> None:
        match what:
            case "send":
                self.send(*arguments)
            case "turn":
                self.main.turn()
            case "tasks":
                await self.main.tasks()
            case "work":
                self.main.shards[arguments[0]].work()
            case "read":
                self.peers[arguments[0]].read(arguments[1])
            case "pause":
                with self.main.poller.round():
                    end = self.main.parts.clock.now_ms() + 100_000
                    self.main.parts.namespaces.default.pause.begin(end, arguments[0])
            case "unpause":
                with self.main.poller.round():
                    self.main.parts.namespaces.default.pause.end()
            case _:
                self.end(arguments[0], what)

    async def finish(self) -> None:
        """No pause is left, everybody has written all that it wanted to, and then reads."""
        await self.main.settle()
        await self.main.advance(100_001)
        for who, peer in enumerate(self.peers):
            assert who in self.gone or not peer.socket.chunks
            peer.read()
        await self.main.settle()


def assert_quiet(main: House, left: list[Peer]) -> None:
    parts = main.parts
    assert parts.registry.all() == [peer.client for peer in left]
    assert not parts.namespaces.default.pause.held
    assert main.next_alarm() is None
    for shard in main.shards:
        assert (shard.link.queue.unanswered, shard.link.queue.size, shard.link.queue.corked) == (0, 0, False)
    for peer in left:
        client = peer.client
        assert (client.suspended, client.input.buffered, client.outbox.unanswered) == (0, 0, 0)
        assert not client.outbox.slots


async def run(steps: list[tuple[Any, ...]]) -> None:
    async with house(2, client_output_pause="300", client_max_unanswered="5") as main:
        seed = main.connect()
        seed.send("MSET", *[word for key in KEYS for word in (key, key)])
        await main.settle()
        seed.client.close()
        model = Model(main)
        for step in steps:
            await model.step(*step)
        await model.finish()
        for who, peer in enumerate(model.peers):
            if who not in model.gone:
                assert peer.replies() == model.expected[who]
            assert peer.closed == (who in model.ended)
        left = [model.admin, *(peer for who, peer in enumerate(model.peers) if who not in model.ended)]
        assert_quiet(main, left)
        model.admin.received()
        for who in range(CLIENTS):
            model.admin.send("GET", f"count:{who}")
        await main.settle()
        for who, value in enumerate(model.admin.replies()):
            done = int(value or 0)
            assert done <= model.counts[who]
            assert who in model.gone or done == model.counts[who]


@settings(max_examples=100, deadline=None)
@given(STEPS, st.booleans())
def test_every_command_is_answered_once_in_order_and_nothing_is_left(
    steps: list[tuple[Any, ...]], in_small_portions: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if in_small_portions:
            patch.setattr(conversation, "_PORTION", 100)
            patch.setattr(conversation, "_KEPT", 200)
        trio.run(run, steps)
