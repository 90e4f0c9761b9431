"""What holds a client back: its window, output that it does not take, congestion of a shard, a command under way.

Meanwhile what it sends is kept, counted and bounded, and later carried out in order, a portion per round.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.support.house import house
from tests.support.resp import pack

pytestmark = pytest.mark.trio

PORTION = 1 << 16


async def test_what_arrives_while_output_waits_is_kept_and_carried_out_in_order() -> None:
    """F34: a client that writes its whole pipeline before it reads is read from all the while."""
    async with house(1, client_output_pause="10000") as main:
        client = main.connect()
        client.stop_reading()
        client.send("SET", "n", 0)
        client.send("SET", "big", "v" * 1000)
        chunk = b"".join(pack((name, key)) for name, key in [("INCR", "n"), ("GET", "big")] * 100)
        client.send_raw(*[chunk] * 50)
        await main.settle()
        assert not client.socket.chunks  # all of it was read
        kept = client.client.input.buffered
        assert kept > 40 * len(chunk)
        assert client.client.transport.unsent < 10_000 + 300 * 1020  # what was under way when it had too much
        client.read()
        await main.settle()
        assert client.client.input.buffered == 0
        replies = client.replies()
        assert replies[:2] == ["OK", "OK"]
        assert replies[2::2] == list(range(1, 5001))
        assert set(replies[3::2]) == {b"v" * 1000}


@pytest.mark.parametrize("held", ["by output", "by a pause", "by a carried command", "by an incomplete command"])
async def test_what_is_kept_of_a_client_is_bounded(held: str) -> None:
    async with house(2, client_output_pause="10000", client_query_buffer_limit="1mb") as main:
        client, other = main.connect(), main.connect()
        other.send("MSET", "a", "v" * 20_000, "b", 2)
        await main.settle()
        match held:
            case "by output":
                client.stop_reading()
                client.send("GET", "a")
                await main.settle()
                client.send("PING")
                await main.settle()  # it finds that output waits
            case "by a pause":
                other.send("CLIENT", "PAUSE", 1000)
                await main.settle()
            case "by a carried command":
                client.send("RENAME", "a", "b")
                main.turn()  # and no shard works
            case "by an incomplete command":
                client.send_raw(b"*2\r\n$4\r\nECHO\r\n$2000000\r\n")
                main.turn()
        chunk = b"x" * 60_000 if held == "by an incomplete command" else pack(("ECHO", "x" * 60_000))
        for number in range(1, 18):
            client.send_raw(chunk)
            main.turn()
            assert not client.closed, number
        client.send_raw(chunk)
        main.turn()
        assert client.closed
        await main.settle()
        await main.advance(1001)
        assert main.parts.registry.all() == [other.client]


async def test_a_client_whose_command_waits_is_left_to_tcp_after_a_while() -> None:
    """The reason will go away without its help, so it need not be read from; then it is read from again."""
    async with house(2) as main:
        client, other = main.connect(), main.connect()
        other.send("MSET", "a", 1, "b", 2)
        await main.settle()
        client.send("RENAME", "a", "b")
        main.turn()  # and no shard works
        client.send_raw(*[pack(("ECHO", "x" * 60_000))] * 100)
        while main.turn():
            pass
        assert 1 << 20 < client.client.input.buffered < (1 << 20) + 2 * PORTION
        await main.settle()
        assert client.replies() == ["OK", *[b"x" * 60_000] * 100]


async def test_kept_commands_are_carried_out_a_portion_per_round() -> None:
    """So that a client that has sent a gigabyte of PINGs does not keep the others from theirs."""
    async with house(2) as main:
        client, other = main.connect(), main.connect()
        other.send("MSET", "a", 1, "b", 2)
        await main.settle()
        other.received()
        client.send("RENAME", "a", "b")
        main.turn()  # under way
        ping = pack(("PING", "x" * 500))
        pings = 10 * PORTION // len(ping)
        client.send_raw(ping * pings)
        while main.turn():
            pass
        assert client.client.input.buffered > 9 * PORTION
        left = [client.client.input.buffered]
        while not client.socket.sent:
            for shard in main.shards:
                shard.work()
            await main.tasks()
        left.append(client.client.input.buffered)  # RENAME is done, and the first portion with it
        while left[-1]:
            other.send("PING")
            main.turn()
            assert other.replies() == ["PONG"]
            left.append(client.client.input.buffered)
        # The last command of a portion may have waited for its end.
        assert all(0 <= before - after < PORTION + len(ping) for before, after in pairwise(left))
        await main.settle()
        assert client.received() == b"+OK\r\n" + ping.partition(b"PING\r\n")[2] * pings


async def test_the_window_bounds_what_is_under_way_and_grows_with_small_replies() -> None:
    async with house(1, client_max_unanswered="1000") as main:
        client = main.connect()
        client.send_raw(b"GET k\r\n" * 5000)
        most = []
        for _ in range(1000):
            if not main.turn() and not main.shards[0].work():
                break
            most.append(client.client.outbox.unanswered)
        assert most[0] == 128
        assert max(most) == 1000
        assert client.received() == b"$-1\r\n" * 5000


async def test_the_window_bounds_commands_that_are_dispatched_one_by_one_too() -> None:
    async with house(2) as main:
        client = main.connect()
        client.send_raw(b"EXISTS a b\r\n" * 2000)
        most = 0
        for _ in range(3):
            main.turn()
            most = max(most, client.client.outbox.unanswered)
        assert most == 128
        await main.settle()
        assert client.received() == b":0\r\n" * 2000


async def test_large_replies_of_main_are_made_a_few_per_round() -> None:
    """One chunk of COMMANDs held main for more than a minute (Redis: 5 s) and took 800 MB."""
    async with house() as main:
        client, other = main.connect(), main.connect()
        client.send("COMMAND")
        await main.settle()
        reply = client.received()
        client.send_raw(b"COMMAND\r\n" * 100)
        received = []
        while main.turn() or sum(received) < 100 * len(reply):
            received.append(len(client.received()))
            other.send("PING")
            main.turn()
            received.append(len(client.received()))
            assert other.replies() == ["PONG"]
        assert sum(received) == 100 * len(reply)
        assert max(received) <= (1 << 18) + len(reply)


async def test_congestion_stalls_clients_and_lets_them_go_on() -> None:
    """F3: while too much is queued for one shard nobody is read from; later all go on with what they have sent."""
    async with house(2, shard_queue_limit="100000") as main:
        writer, reader, idle = main.connect(), main.connect(), main.connect()
        writer.send("RENAME", "a", "b")  # a barrier, so that queues fill
        main.turn()
        flood = main.connect()
        flood.send_raw(*[pack(("SET", "a", "v" * 50_000))] * 5)
        reader.send_raw(*[pack(("GET", "a"))] * 5)
        for _ in range(20):
            main.turn()
        assert main.parts.congestion.active
        # One chunk of each was taken after the limit was passed.
        assert len(flood.socket.chunks) == 2
        assert len(reader.socket.chunks) == 2
        await main.settle()
        assert not main.parts.congestion.active
        assert flood.replies() == ["OK"] * 5
        assert len(reader.replies()) == 5
        idle.send("PING")
        await main.settle()
        assert idle.replies() == ["PONG"]


async def test_a_client_that_breaks_off_during_congestion_is_not_waited_for() -> None:
    async with house(2, shard_queue_limit="1000") as main:
        client = main.connect()
        client.send_raw(pack(("RENAME", "a", "b")), pack(("PING",)), pack(("PING",)))
        other = main.connect()
        main.turn()
        other.send_raw(pack(("SET", "a", "v" * 5000)), pack(("SET", "a", "w")))
        main.turn()
        main.turn()
        assert main.parts.congestion.active
        main.parts.registry.all()[0].close()
        await main.settle()
        assert client.closed
        assert other.replies() == ["OK", "OK"]


async def test_a_failure_while_a_client_goes_on_costs_that_client_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of ours on the way of commands that waited: the client is cut off, the server and the others go on."""
    async with house(2) as main:
        unlucky, other = main.connect(), main.connect()
        other.send("SET", "a", 1)
        await main.settle()
        run = main.parts.sequencer.run
        broken = []

        def fail(*args: object) -> None:
            if args[1] is unlucky.client.outbox:
                broken.append(args)
                raise RuntimeError("a bug")
            run(*args)  # type: ignore[arg-type]  # what it was given

        monkeypatch.setattr(main.parts.sequencer, "run", fail)
        unlucky.send_raw(pack(("RENAME", "a", "b")) + pack(("GET", "b")))
        other.send_raw(pack(("RENAME", "c", "d")) + pack(("GET", "b")))
        await main.settle()
        assert broken
        assert unlucky.closed
        other.send("PING")
        await main.settle()
        assert other.replies()[-2:] == [b"1", "PONG"]


async def test_one_round_does_not_lose_the_replies_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug while the replies of one client are sent must not leave those of the next ones unsent for ever."""
    async with house() as main:
        unlucky, other = main.connect(), main.connect()

        def fail(_data: bytes) -> None:
            raise RuntimeError("a bug")

        monkeypatch.setattr(unlucky.client.transport, "write", fail)
        unlucky.send("PING")
        other.send("PING")
        await main.settle()
        assert unlucky.closed
        other.send("PING")
        await main.settle()
        assert other.replies() == ["PONG", "PONG"]
