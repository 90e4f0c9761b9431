"""How conversations end: every ending in every state, as a table. No socket, no process: see `tests.support.house`.

Whatever a client has sent before the end is carried out and answered once, in order; nothing after it is; then the
connection is closed, and nobody remembers it.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from respcache.resp.types import Argv
from tests.support.house import House, Peer, house
from tests.support.resp import ReplyError, pack

pytestmark = pytest.mark.trio


def commands(*lines: str) -> bytes:
    return b"".join(pack(tuple(line.split())) for line in lines)


class State(NamedTuple):
    """What a client has sent so far, and what it will get for that in the end. Keys `a` and `b` are on two shards."""

    sent: bytes
    replies: list[Any]
    paused: bool = False  # by CLIENT PAUSE, which ends later
    deaf: bool = False  # it does not read, but does so later


BIG = "v" * 100
MANY = 500  # of these replies are more than `client-output-pause`, see below

STATES = {
    "idle": State(b"", []),
    "a command under way": State(commands("GET a"), [b"1"]),
    "a run on two shards under way": State(commands("GET a", "GET b", "INCR a"), [b"1", b"2", 2]),
    "a split command under way": State(commands("EXISTS a b", "PING"), [2, "PONG"]),
    "a carried command under way": State(
        commands("RENAME a b", "PING", "SET x 5", "INCR x", "PING"), ["OK", "PONG", "OK", 6, "PONG"]
    ),
    "two carried commands": State(commands("RENAME a b", "RENAME b a", "GET a"), ["OK", "OK", b"1"]),
    "SCAN under way": State(commands("SCAN 0 MATCH a", "PING"), [[b"0", [b"a"]], "PONG"]),
    "in MULTI": State(commands("MULTI", "SET a 2"), ["OK", "QUEUED"]),
    "EXEC on one shard": State(commands("MULTI", "INCR a", "EXEC", "PING"), ["OK", "QUEUED", [2], "PONG"]),
    "EXEC with a command of main": State(commands("MULTI", "PING", "EXEC", "PING"), ["OK", "QUEUED", ["PONG"], "PONG"]),
    "EXEC on two shards": State(
        commands("MULTI", "GET a", "GET b", "EXEC", "GET a"), ["OK", "QUEUED", "QUEUED", [b"1", b"2"], b"1"]
    ),
    "EXEC with SUBSCRIBE": State(
        commands("MULTI", "SUBSCRIBE c", "GET b", "EXEC"),
        ["OK", "QUEUED", "QUEUED", [[b"subscribe", b"c", 1], b"2"]],
    ),
    "watching": State(commands("WATCH a b", "GET a"), ["OK", b"1"]),
    "subscribed": State(commands("SUBSCRIBE c"), [[b"subscribe", b"c", 1]]),
    "paused": State(commands("SET a 3", "PING", "GET a"), ["OK", "PONG", b"3"], paused=True),
    "paused in MULTI": State(commands("MULTI", "INCR a", "EXEC"), ["OK", "QUEUED", [2]], paused=True),
    "output waits": State(commands(f"SET big {BIG}", *["GET big"] * MANY), ["OK", *[BIG.encode()] * MANY], deaf=True),
    "output waits before a carried command": State(
        commands(f"SET big {BIG}", *["GET big"] * MANY, "RENAME a b", "GET b"),
        ["OK", *[BIG.encode()] * MANY, "OK", b"1"],
        deaf=True,
    ),
}


class Ending(NamedTuple):
    """What the client sends at the end, what it gets for that, and what it still sends, to no avail.

    Without any of them it just stops sending.
    """

    sent: bytes
    replies: list[Any]
    too_late: bytes


ENDINGS = {
    "half-close": Ending(b"", [], b""),
    "QUIT": Ending(commands("QUIT"), ["OK"], commands("SET after 1", "SET after 2")),
    "bad input": Ending(
        b"*x\r\n", [ReplyError("ERR Protocol error: invalid multibulk length")], commands("SET after 1")
    ),
}


async def prepared(main: House, state: State) -> tuple[Peer, Peer]:
    """A client, and another one that does things to it."""
    client, other = main.connect(), main.connect()
    other.send("MSET", "a", 1, "b", 2)
    await main.settle()
    if state.paused:
        other.send("CLIENT", "PAUSE", 1000)
        await main.settle()
    if state.deaf:
        client.stop_reading()
    other.received()
    return client, other


async def released(main: House, client: Peer) -> None:
    """What held the client back is over."""
    await main.settle()
    client.read()
    await main.settle()
    await main.advance(1001)


# The state, the ending and what comes too late, by the chunks that they come in.
@pytest.mark.parametrize("chunks", ["all in one", "the end apart", "too late apart", "each apart"])
@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
async def test_everything_before_the_end_is_answered_and_nothing_after_it(
    state: State, ending: Ending, shards: int, chunks: str
) -> None:
    async with house(shards, client_output_pause="10000") as main:
        client, other = await prepared(main, state)
        match chunks:
            case "all in one":
                client.send_raw(state.sent + ending.sent + ending.too_late)
            case "the end apart":
                client.send_raw(state.sent, ending.sent + ending.too_late)
            case "too late apart":
                client.send_raw(state.sent + ending.sent, ending.too_late)
            case "each apart":
                client.send_raw(state.sent, ending.sent, ending.too_late)
        while main.turn():
            await main.tasks()
        client.end()
        await released(main, client)
        assert client.replies() == state.replies + ending.replies
        assert client.closed
        other.send("EXISTS", "after")
        await main.settle()
        assert other.replies() == [0]
        assert_forgotten(main, other)


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("steps", range(8))
@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
async def test_a_connection_that_breaks_leaves_nothing_behind(state: State, shards: int, steps: int) -> None:
    """After any number of steps: its commands are decoded, queued, carried out, answered, or half-way."""
    async with house(shards, client_output_pause="10000") as main:
        client, other = await prepared(main, state)
        client.send_raw(state.sent)
        main.turn()
        for step in range(steps):
            if step % 2:
                main.shards[step // 2 % shards].work()
            else:
                await main.tasks()
        client.break_()
        await main.settle()
        await main.advance(1001)
        assert client.closed
        other.send("PUBLISH", "c", "hello")
        other.send("PUBSUB", "CHANNELS")
        await main.settle()
        assert other.replies() == [0, []]
        assert_forgotten(main, other)


def assert_forgotten(main: House, other: Peer) -> None:
    """Only the other client is left, and nothing waits for anything."""
    parts = main.parts
    assert parts.registry.all() == [other.client]
    assert not parts.namespaces.default.pause.held
    assert not parts.namespaces.default.pubsub.channels
    for shard in main.shards:
        assert shard.link.queue.unanswered == 0
        assert shard.link.queue.size == 0
        assert not shard.link.queue.corked


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("ending", ["half-close", "QUIT", "bad input", "broken"])
@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
@pytest.mark.usefixtures("without_collector")
async def test_nothing_that_a_connection_held_waits_for_the_collector(state: State, ending: str) -> None:
    """Neither the client, nor its conversation with what it has sent, nor the outbox with what it was owed."""
    async with house(2, client_output_pause="10000") as main:
        client, _ = await prepared(main, state)
        remains = [
            weakref.ref(client.client),
            weakref.ref(client.client.input),
            weakref.ref(client.client.transport),
        ]
        client.send_raw(state.sent + b"*2\r\n$4\r\nECHO\r\n$3000\r\nbegun")
        main.turn()
        if ending == "broken":
            client.break_()
        elif ending != "half-close":
            client.send_raw(ENDINGS[ending].sent)
        client.end()
        await released(main, client)
        del client
        assert [kept() for kept in remains] == [None, None, None]


class KeptArguments(bytes):
    """Bytes that can be watched."""


@pytest.mark.usefixtures("without_collector")
async def test_an_idle_client_keeps_nothing_of_its_last_command() -> None:
    """F6: not its arguments, which may be large."""
    async with house() as main:
        client = main.connect()
        for shape in ("fast", "slow"):
            words: Argv = [b"SET", b"k", b"x" * 100_000] if shape == "fast" else [b"ECHO", b"x" * 100_000]
            client.send(*words)
            await main.settle()
            client.received()
            client.socket.writes.clear()
            held = sum(len(found) for found in gc.get_objects() if type(found) is bytes and len(found) > 50_000)
            assert held == 0
            assert client.client.last_command in ("echo", b"SET")


async def test_a_client_is_a_client_until_its_socket_is_closed() -> None:
    """F7: a half-closed one, or one after QUIT, with unread output is listed, counted, limited and killed."""
    async with house(1, client_output_buffer_limit="normal 20000 0 0") as main:
        admin = main.connect()
        for last in ("half-close", "QUIT"):
            client = main.connect()
            client.stop_reading()
            client.send("SET", "big", "v" * 10_000)
            client.send("GET", "big")
            if last == "QUIT":
                client.send("QUIT")
            else:
                client.end()
            await main.settle()
            assert not client.closed
            assert len(main.parts.registry) == 2
            admin.send("CLIENT", "LIST", "ID", client.client.id)
            await main.settle()
            line = admin.replies()[0]
            assert f"omem={client.client.transport.unsent}".encode() in line
            admin.send("CLIENT", "KILL", "ID", client.client.id)
            await main.settle()
            assert admin.replies() == [1]
            assert client.closed
            assert len(main.parts.registry) == 1


async def test_a_subscriber_that_has_quit_gets_nothing_more() -> None:
    """Otherwise a slow reader of a busy channel would never be rid of."""
    async with house() as main:
        client, other = main.connect(), main.connect()
        client.send("SUBSCRIBE", "c")
        await main.settle()
        client.stop_reading()
        client.send("QUIT")
        await main.settle()
        other.send("PUBLISH", "c", "late")
        await main.settle()
        client.read()
        await main.settle()
        assert client.replies() == [[b"subscribe", b"c", 1], "OK"]
        assert client.closed


async def test_a_half_closed_client_that_has_not_logged_in_is_answered_in_full() -> None:
    """Its commands are decoded one by one, and those that are not decoded yet count as well."""
    async with house(1, requirepass="secret") as main:
        client = main.connect()
        client.send_raw(b"GET a\r\n" * 500 + b"AUTH secret\r\n" + b"PING\r\n" * 500 + b"*x\r\n")
        client.end()
        await main.settle()
        lines = client.received().splitlines()
        assert lines[:500] == [b"-NOAUTH Authentication required."] * 500
        assert lines[500:1001] == [b"+OK"] + [b"+PONG"] * 500
        assert lines[1001:] == [b"-ERR Protocol error: invalid multibulk length"]
        assert client.closed
