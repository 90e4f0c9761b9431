"""Rounds: they nest, contain what goes wrong in them, and come when they are asked for. With a real pipe."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from respcache.server.io.poller import READ, WRITE, Poller

pytestmark = pytest.mark.trio


@pytest.fixture
async def poller(nursery: trio.Nursery) -> AsyncIterator[Poller]:
    """A poller that runs."""
    poller = Poller()
    nursery.start_soon(poller.run)
    yield poller
    nursery.cancel_scope.cancel()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


class Once:
    """A callback, and an event that says that it was called."""

    def __init__(self, poller: Poller) -> None:
        self.poller = poller
        self.events: list[int] = []
        self.called = trio.Event()

    def __call__(self, events: int = 0) -> None:
        self.events.append(events)
        self.called.set()
        self.poller.yield_soon()

    async def wait(self) -> None:
        with trio.fail_after(5):
            await self.called.wait()


async def test_a_descriptor_is_reported_while_it_is_ready_and_watched(poller: Poller, pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    readable = Once(poller)
    poller.watch(reader, READ, readable)
    await wait_all_tasks_blocked()
    assert not readable.events
    os.write(writer, b"x")
    await readable.wait()
    assert set(readable.events) == {READ}
    poller.watch(reader, 0, readable)
    readable.events.clear()
    writable = Once(poller)
    poller.watch(writer, WRITE, writable)
    await writable.wait()
    poller.forget(writer)
    poller.forget(writer)  # watched or not
    assert not readable.events
    assert set(writable.events) == {WRITE}


async def test_a_hang_up_is_reported_as_readable(poller: Poller) -> None:
    reader, writer = os.pipe()
    readable = Once(poller)
    poller.watch(reader, READ, readable)
    os.close(writer)
    await readable.wait()
    assert readable.events[0] & READ
    poller.forget(reader)
    os.close(reader)


async def test_next_round_wakes_a_poller_that_sleeps(poller: Poller) -> None:
    for _ in range(3):
        await wait_all_tasks_blocked()  # it sleeps
        first, second = Once(poller), Once(poller)
        poller.next_round(first)
        poller.next_round(second)
        await first.wait()
        await second.wait()
        assert first.events == second.events == [0]


async def test_an_exception_in_a_callback_costs_its_descriptor_only(
    poller: Poller, pipe: tuple[int, int], capfd: pytest.CaptureFixture[str]
) -> None:
    reader, writer = pipe
    other_reader, other_writer = os.pipe()
    calls = []

    def fail(_events: int) -> None:
        calls.append(1)
        raise RuntimeError("in a callback")

    readable = Once(poller)
    poller.watch(reader, READ, fail)
    poller.watch(other_reader, READ, readable)
    os.write(writer, b"x")
    os.write(other_writer, b"x")
    await readable.wait()
    poller.forget(other_reader)
    await wait_all_tasks_blocked()
    assert len(calls) == 1
    assert "in a callback" in capfd.readouterr().out
    os.close(other_reader)
    os.close(other_writer)


class TestOneRound:
    """`turn` and `round` need no task. What is ready comes from a real pipe."""

    @pytest.fixture
    def still(self) -> Iterator[Poller]:
        poller = Poller()
        yield poller
        poller.close()

    async def test_without_anything_to_do_there_is_none(self, still: Poller) -> None:
        ends: list[str] = []
        still.after_round.append(lambda: ends.append("end"))
        assert not still.turn()
        assert not still.turn(linger=True)
        assert ends == []

    async def test_what_it_consists_of(self, still: Poller, pipe: tuple[int, int]) -> None:
        log: list[str] = []
        still.before_round.append(lambda: log.append("begin"))
        still.after_round.append(lambda: log.append("end"))
        still.next_round(lambda: log.append("next"))
        still.watch(pipe[0], READ, lambda _: log.append(f"ready {still.in_round}"))
        os.write(pipe[1], b"x")
        assert still.turn()
        assert log == ["begin", "next", "ready True", "end"]
        assert not still.in_round

    async def test_rounds_nest(self, still: Poller) -> None:
        log: list[str] = []
        still.after_round.append(lambda: log.append("end"))
        with still.round():
            with still.round():
                log.append("inner")
            log.append("outer")
            assert still.in_round
        assert log == ["inner", "outer", "end"]
        assert not still.in_round

    async def test_what_the_end_of_a_round_does_is_part_of_it(self, still: Poller) -> None:
        log: list[str] = []

        def finish() -> None:
            with still.round():
                log.append("end")

        still.after_round.append(finish)
        with still.round():
            pass
        assert log == ["end"]

    async def test_what_was_begun_is_sent_even_if_it_fails(self, still: Poller) -> None:
        log: list[str] = []
        still.after_round.append(lambda: log.append("end"))
        with pytest.raises(ZeroDivisionError), still.round():
            raise ZeroDivisionError
        assert log == ["end"]
        assert not still.in_round

    async def test_exceptions_at_the_end_and_in_the_next_round_are_contained(
        self, still: Poller, capfd: pytest.CaptureFixture[str]
    ) -> None:
        log: list[str] = []

        def fail() -> None:
            raise RuntimeError(f"failure {len(log)}")

        still.after_round += [fail, lambda: log.append("end")]
        still.next_round(fail)
        still.next_round(lambda: log.append("next"))
        assert still.turn()
        assert log == ["next", "end"]
        assert not still.in_round
        output = capfd.readouterr().out
        assert "failure 0" in output
        assert "failure 1" in output

    async def test_what_the_next_round_asks_for_comes_in_the_one_after_it(self, still: Poller) -> None:
        log: list[int] = []

        def again() -> None:
            log.append(len(log))
            if len(log) < 3:
                still.next_round(again)

        still.next_round(again)
        assert still.turn()
        assert log == [0]
        assert still.turn()
        assert still.turn()
        assert log == [0, 1, 2]
        assert not still.turn()
