"""What the journal counts as a round trip, step by step, and what it keeps: without sockets, processes or real time."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio.testing

from respcache.server.services.journal import _LONGEST_HOLD, DEFAULT, Journal, Record
from tests.support.house import House, Peer, house
from tests.support.resp import pack

pytestmark = pytest.mark.trio

GET = pack(("GET", "k"))
# A piece as redis-py sends it: some more than 6000 bytes of whole commands.
PIECE = GET * 300


@asynccontextmanager
async def journal(shards: int = 1) -> AsyncIterator[tuple[House, Journal]]:
    async with house(shards) as main:
        main.parts.journal.start()
        yield main, main.parts.journal


def trips(found: Journal) -> list[tuple[int, int]]:
    """Each round trip, and how many commands it has."""
    numbers = [record.round_trip for record in found._records.values()]
    return [(number, numbers.count(number)) for number in dict.fromkeys(numbers)]


@pytest.mark.parametrize("shards", [1, 3])
async def test_each_request_is_one(shards: int) -> None:
    async with journal(shards) as (main, found):
        client = main.connect()
        for _ in range(3):
            client.send("GET", "k")
            await main.settle()
        assert trips(found) == [(1, 1), (2, 1), (3, 1)]


@pytest.mark.parametrize("shards", [1, 3])
async def test_commands_that_are_received_together(shards: int) -> None:
    async with journal(shards) as (main, found):
        client = main.connect()
        client.send_raw(GET * 3 + pack(("MGET", "a", "b", "c")))
        await main.settle()
        client.send("GET", "k")
        await main.settle()
        assert trips(found) == [(1, 4), (2, 1)]


async def test_a_piece_that_is_received_before_the_replies_leave() -> None:
    async with journal() as (main, found):
        client = main.connect()
        client.send_raw(GET)
        main.turn()
        client.send_raw(GET)
        main.turn()
        await main.settle()
        assert trips(found) == [(1, 2)]


async def test_a_piece_that_is_in_the_kernel_when_the_replies_leave() -> None:
    async with journal() as (main, found):
        client = main.connect()
        client.send("PING")  # main answers within the round
        client.send("PING")  # the fake kernel keeps these apart
        main.turn()
        assert client.replies() == ["PONG"]
        await main.settle()
        assert trips(found) == [(1, 2)]


async def test_half_a_command() -> None:
    """The client has sent the beginning of the next command before it had the reply."""
    async with journal() as (main, found):
        client = main.connect()
        client.send_raw(GET + GET[:5])
        await main.settle()
        assert client.replies() == [None]
        client.send_raw(GET[5:])
        await main.settle()
        client.send_raw(GET)
        await main.settle()
        assert trips(found) == [(1, 2), (2, 1)]


async def test_a_long_pipeline_is_one(mock_clock: trio.testing.MockClock) -> None:
    """More than is received at once, and more than may be under way."""
    async with journal() as (main, found):
        client = main.connect()
        client.send_raw(GET * 9_000)
        await main.settle()
        mock_clock.jump(1)
        await main.settle()
        client.send_raw(GET)
        await main.settle()
        assert trips(found) == [(1, 9_000), (2, 1)]


async def answered(main: House, client: Peer) -> int:
    """How many replies the client has got since the last time."""
    await main.settle()
    return len(client.replies())


async def test_pieces_with_a_pause_between_them(mock_clock: trio.testing.MockClock) -> None:
    """The reply to the last command of a large piece is held back for a moment, in which the next piece may come."""
    async with journal() as (main, found):
        client = main.connect()
        client.send_raw(PIECE)
        first = await answered(main, client)
        assert first < 300
        client.send_raw(PIECE)
        second = first + await answered(main, client)
        assert 300 <= second < 600
        client.send_raw(GET)
        third = second + await answered(main, client)
        assert third < 601
        mock_clock.jump(_LONGEST_HOLD + 0.01)
        assert third + await answered(main, client) == 601
        client.send_raw(GET)
        assert await answered(main, client) == 1
        assert trips(found) == [(1, 601), (2, 1)]


async def test_a_piece_that_comes_before_the_task_that_waits_for_it(mock_clock: trio.testing.MockClock) -> None:
    """The poller may have its turn before a task that was spawned has begun."""
    async with journal() as (main, found):
        client = main.connect()
        client.send_raw(PIECE)
        for _ in range(10):
            main.turn()
            main.shards[0].work()
        assert len(found._held) == 1
        client.send_raw(GET)
        main.turn()
        assert found._held == {}
        assert await answered(main, client) == 300
        mock_clock.jump(_LONGEST_HOLD + 0.01)
        assert await answered(main, client) == 1
        assert trips(found) == [(1, 301)]


async def test_long_names_of_clients_are_shortened() -> None:
    async with journal() as (main, found):
        client = main.connect()
        client.send("CLIENT", "SETNAME", "n" * 100_000)
        client.send("PING")
        await main.settle()
        assert [len(record.name) for record in found._records.values()] == [0, 512]
        assert found._bytes == sum(record.bytes for record in found._records.values()) > 2 * 700 + 512


async def test_half_a_command_while_the_reply_is_held_back(mock_clock: trio.testing.MockClock) -> None:
    async with journal() as (main, found):
        client = main.connect()
        client.send_raw(PIECE)
        await main.settle()
        client.send_raw(GET[:5])
        await main.settle()
        mock_clock.jump(_LONGEST_HOLD + 0.01)
        assert await answered(main, client) == 300
        client.send_raw(GET[5:])
        await main.settle()
        assert trips(found) == [(1, 301)]


async def test_what_is_pushed_meanwhile_comes_after_the_reply(mock_clock: trio.testing.MockClock) -> None:
    async with journal() as (main, _):
        client, other = main.connect(), main.connect()
        client.send_raw(PIECE + pack(("SUBSCRIBE", "c")))
        await main.settle()
        other.send("PUBLISH", "c", "hello")
        await main.settle()
        before = client.replies()
        mock_clock.jump(_LONGEST_HOLD + 0.01)
        await main.settle()
        assert [*before, *client.replies()][300:] == [[b"subscribe", b"c", 1], [b"message", b"c", b"hello"]]


@pytest.mark.parametrize("how", ["hangs up", "half-closes", "quits"])
async def test_a_client_that_leaves_while_its_reply_is_held_back(how: str, mock_clock: trio.testing.MockClock) -> None:
    async with journal() as (main, found):
        client = main.connect()
        client.send_raw(PIECE)
        await main.settle()
        match how:
            case "hangs up":
                client.break_()
            case "half-closes":
                client.end()
            case "quits":
                client.send("QUIT")
        await main.settle()
        mock_clock.jump(_LONGEST_HOLD + 0.01)
        await main.settle()
        assert client.closed
        if how != "hangs up":
            assert len(client.replies()) == 300 + (how == "quits")
        assert found._held == {}


async def test_a_journal_that_is_stopped_while_a_reply_is_held_back(mock_clock: trio.testing.MockClock) -> None:
    async with journal() as (main, found):
        client = main.connect()
        client.send_raw(PIECE)
        await main.settle()
        found.stop()
        client.send_raw(GET)
        await main.settle()
        mock_clock.jump(_LONGEST_HOLD + 0.01)
        assert await answered(main, client) == 301


async def test_a_client_that_goes_at_once_is_not_kept_alive() -> None:
    async with journal() as (main, found):
        client = main.connect()
        client.send("BLPOP", "k", 0)
        client.send_raw(GET * 10)
        await main.settle()
        client.break_()
        await main.settle()
        del client
        gc.collect()
        assert not [thing for thing in gc.get_objects() if type(thing).__name__ == "Client"]
        assert len(found.read(0, 100)) == 1


async def test_it_is_bounded_by_bytes() -> None:
    async with journal() as (main, found):
        found.start(1_000_000)
        client = main.connect()
        command = pack(("DEL", *["x" * 400] * 15))
        for _ in range(80):
            client.send_raw(command * 100)
            await main.settle()
        kept = list(found._records.values())
        assert sum(record.bytes for record in kept) == found._bytes
        assert 30 << 20 < found._bytes <= 32 << 20
        assert found.dropped == 8000 - len(kept)
        assert [record.id for record in kept] == list(range(found.first, found.last + 1))


async def test_while_it_is_off_commands_take_the_fast_path() -> None:
    async with house() as main:
        client = main.connect()
        assert client.client.plain
        main.parts.journal.start()
        assert not client.client.plain
        main.parts.journal.stop()
        assert client.client.plain
        main.parts.journal.start(5)
        for undo in main.parts.on_reset:
            undo()
        assert client.client.plain
        assert main.parts.journal.most == DEFAULT


async def test_a_record_knows_no_client() -> None:
    assert not {"_client", "outbox", "batch"} & set(Record.__slots__)


class Dribble:
    """An interceptor before the journal that holds back a part of each reply, as faults do."""

    active = True

    def __init__(self) -> None:
        self.release: Callable[[], None]

    def command(self, client: Any, *_: object) -> Any:
        self.client = client
        return self

    def output(self, data: bytes, complete: bool) -> bytes:
        assert complete
        self.release = self.client.outbox.hold(data[2:])
        return data[:2]


async def test_replies_of_which_a_part_is_held_back() -> None:
    """The journal does not see that part. The next command begins a round trip if it comes after it."""
    async with journal() as (main, found):
        client = main.connect()
        dribble: Any = Dribble()
        main.parts.interception._all.insert(0, dribble)
        client.send("PING")
        main.turn()
        main.parts.interception._all.remove(dribble)
        client.send("PING")
        main.turn()
        with main.poller.round():
            dribble.release()
        main.parts.interception._all.insert(0, dribble)
        client.send("PING")
        main.turn()
        main.parts.interception._all.remove(dribble)
        with main.poller.round():
            dribble.release()
        client.send("PING")
        main.turn()
        assert client.replies() == ["PONG"] * 4
        assert trips(found) == [(1, 2), (2, 1), (3, 1)]
