"""A link with a real child process: what main cannot handle, and what the pipe does not take."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

from respcache.clock import Clock
from respcache.errors import REQUEST_TOO_LARGE, SHARD_DIED, CommandError
from respcache.server.io.poller import Poller
from respcache.server.shards import link as module
from respcache.server.shards.link import ShardLink
from respcache.server.shards.queue import Call, Order
from respcache.shard import wire
from respcache.store.call import Caller

pytestmark = pytest.mark.trio

CALLER = Caller(0, 2, 1, True)


def part(*words: bytes) -> wire.Item:
    return wire.part(CALLER, list(words))


class Setup:
    def __init__(self) -> None:
        self.poller = Poller()
        self.deaths: list[int] = []
        self.on_report: Callable[[Any], None] = lambda _report: None
        self.link = ShardLink(
            0,
            1,
            16,
            self.poller,
            Clock(),
            Order(),
            settings=lambda: {"notify_keyspace_events": "$K"},
            on_report=lambda report: self.on_report(report),
            on_death=self.deaths.append,
        )
        self.poller.after_round.append(self.link.flush)

    def submit(self, *words: bytes) -> Call:
        with self.poller.round():
            return self.link.queue.submit_call(part(*words))


async def answer(call: Call) -> Any:
    """The reply to a `part`."""
    with trio.fail_after(10):
        reply, _ = await call.result()
    return reply


@asynccontextmanager
async def running() -> AsyncIterator[Setup]:
    it = Setup()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(it.poller.run)
        await nursery.start(it.link.supervise)
        try:
            yield it
        finally:
            await it.link.stop()
            nursery.cancel_scope.cancel()


class BrokenTicket:
    """A ticket with a bug."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def deliver(self, result: Any) -> None:
        raise RuntimeError(f"a bug with {result}")

    deliver_piece = deliver

    def fail(self, error: CommandError) -> None:
        self.failed.append(error.text)


@pytest.mark.parametrize("what", ["a report", "a ticket", "the deadline"])
async def test_an_exception_on_the_way_of_an_answer_costs_the_shard_but_does_not_deafen_it(
    what: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """F1: the shard is killed and started again; what was under way fails, and what comes later is served."""
    async with running() as it:
        assert await answer(it.submit(b"SET", b"before", b"1")) is None

        def fail(*_args: object) -> None:
            raise RuntimeError("a bug")

        ticket = BrokenTicket()
        if what == "a report":
            it.on_report = fail
        elif what == "the deadline":
            it.link.on_deadline = fail
        with it.poller.round():
            if what == "a ticket":
                it.link.submit(part(b"DBSIZE"), ticket)
            under_way = [it.submit(b"SET", b"k", b"1", b"EX", b"100"), it.submit(b"GET", b"k")]
        results = []
        for call in under_way:
            try:
                results.append(await answer(call))
            except CommandError as error:
                results.append(error.text)
        it.on_report = it.link.on_deadline = lambda *_args: None
        # The answers are in already when the deadline that came with them is looked at.
        assert results == ([None, b"1"] if what == "the deadline" else [CommandError(SHARD_DIED).text] * 2)
        assert ticket.failed == ([CommandError(SHARD_DIED).text] if what == "a ticket" else [])
        while not it.deaths:
            await trio.testing.wait_all_tasks_blocked()
        assert await answer(it.submit(b"DBSIZE")) == 0
        assert await answer(it.submit(b"SET", b"after", b"1")) is None
        assert it.deaths == [0]
        assert it.link.restarts == 1
        assert it.link.queue.unanswered == 0
        assert "a bug" in capfd.readouterr().out


async def test_a_shard_that_is_killed_gets_its_settings_again_and_what_was_not_sent() -> None:
    async with running() as it:
        await answer(it.submit(b"DBSIZE"))
        reports: list[Any] = []
        it.on_report = reports.append
        os.kill(it.link.pid, signal.SIGSTOP)
        lost = it.submit(b"SET", b"a", b"1")
        os.kill(it.link.pid, signal.SIGKILL)
        with pytest.raises(CommandError, match="died"):
            await answer(lost)
        assert await answer(it.submit(b"SET", b"b", b"1")) is None
        assert [report[3] for report in reports] == [b"set"]
        assert await answer(it.submit(b"DBSIZE")) == 1


async def test_frames_larger_than_the_pipe_arrive_whole_and_in_order() -> None:
    async with running() as it:
        value = os.urandom(5 << 20)
        with it.poller.round():
            calls = [it.submit(b"APPEND", b"k", value) for _ in range(3)] + [it.submit(b"GET", b"k")]
        results = [await answer(call) for call in calls]
        assert results[:3] == [5 << 20, 10 << 20, 15 << 20]
        assert results[3] == value * 3
        assert it.link.size == 0


async def test_a_frame_that_cannot_be_made_fails_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """F3: an EXEC whose commands have more than 4 GiB together, for instance."""
    async with running() as it:
        monkeypatch.setattr(wire, "LONGEST_FRAME", 1000)
        with it.poller.round():
            first = it.submit(b"SET", b"a", b"1")
        with it.poller.round():
            too_large = it.submit(b"SET", b"b", b"v" * 1000)
        last = it.submit(b"DBSIZE")
        assert await answer(first) is None
        with pytest.raises(CommandError) as caught:
            await answer(too_large)
        assert caught.value.text == CommandError(REQUEST_TOO_LARGE).text
        assert await answer(last) == 1
        assert it.deaths == []


async def test_a_pipe_that_cannot_be_written_to_costs_the_shard_and_not_the_rounds(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What the system has taken of the frame is not known, so the shard is out of step."""
    async with running() as it:
        await answer(it.submit(b"DBSIZE"))
        ends: list[str] = []
        it.poller.after_round.append(lambda: ends.append("end"))
        write = os.write
        failures = iter([True])

        def fail_once(fd: int, data: memoryview) -> int:
            if len(data) > 10 and next(failures, False):
                raise OSError(12, "Cannot allocate memory")
            return write(fd, data)

        monkeypatch.setattr(os, "write", fail_once)
        lost = it.submit(b"SET", b"a", b"1")
        assert ends == ["end"]
        for_the_next = it.submit(b"SET", b"b", b"1")
        with pytest.raises(CommandError, match="died"):
            await answer(lost)
        assert await answer(for_the_next) is None
        assert await answer(it.submit(b"DBSIZE")) == 1
        assert it.deaths == [0]
        assert "Cannot allocate memory" in capfd.readouterr().out


async def test_out_of_memory_for_a_frame_fails_it_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as it:
        await answer(it.submit(b"DBSIZE"))
        pack = wire.pack

        def pack_little(payload: Any) -> bytes:
            if any(b"large" in str(item).encode() for item in payload[1]):
                raise MemoryError
            return pack(payload)

        monkeypatch.setattr(module.wire, "pack", pack_little)
        with pytest.raises(CommandError):
            await answer(it.submit(b"SET", b"large", b"1"))
        assert await answer(it.submit(b"DBSIZE")) == 0


async def test_a_shard_that_cannot_be_started_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """F10: out of descriptors when it has to be started again."""
    async with running() as it:
        await answer(it.submit(b"DBSIZE"))
        start = module.ShardProcess.start
        attempts = []

        async def fail_twice(*args: int) -> module.ShardProcess:
            attempts.append(args)
            if len(attempts) < 3:
                raise OSError(24, "Too many open files")
            return await start(*args)

        monkeypatch.setattr(module.ShardProcess, "start", fail_twice)
        monkeypatch.setattr(module, "_LONGEST_DELAY", 0.001)
        os.kill(it.link.pid, signal.SIGKILL)
        while not it.deaths:
            await trio.sleep(0)
        assert await answer(it.submit(b"DBSIZE")) == 0
        assert len(attempts) == 3
        assert capfd.readouterr().out.count("could not be started") == 2
