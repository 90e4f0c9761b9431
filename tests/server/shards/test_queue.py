"""The queue of one shard: frames, barriers, answers with their reports, and what happens to it all when the shard dies.

Orders over several shards are in tests/server/test_sequencer.py.
"""

from __future__ import annotations

from typing import Any

import pytest
import trio

from respcache.errors import REQUEST_TOO_LARGE, SHARD_DIED, CommandError
from respcache.server.shards.queue import FRAME_BYTES, NOBODY, Barrier, Order, ShardQueue
from respcache.shard import wire
from tests.support.house import FakeTime

DIED = CommandError(SHARD_DIED).text


def item(number: int) -> wire.Item:
    return wire.borrow([(number, b"")])


def event(index: int, name: bytes) -> tuple[Any, ...]:
    return (wire.EVENT, index, 0, name, b"key")


class Noting:
    """A ticket that writes down what it gets."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log

    def deliver(self, result: Any) -> None:
        self.log.append(f"{self.name} = {result}")

    def deliver_piece(self, result: Any) -> None:
        self.log.append(f"{self.name} = {result}...")

    def fail(self, error: CommandError) -> None:
        self.log.append(f"{self.name} failed: {error.text}")


class Setup:
    def __init__(self) -> None:
        self.time = FakeTime()
        self.clock = self.time.clock()
        self.log: list[str] = []
        self.woken = 0
        self.queue = ShardQueue(self.clock, self.report, self.wake, Order())

    def report(self, report: tuple[Any, ...]) -> None:
        self.log.append(f"event {report[3].decode()}")

    def wake(self) -> None:
        self.woken += 1

    def submit(self, *numbers: int, size: int = 0) -> None:
        for number in numbers:
            self.queue.submit(item(number), Noting(str(number), self.log), size)

    def barrier(self, *others: ShardQueue) -> Barrier:
        return Barrier([self.queue, *others], self.wake)

    def take(self) -> list[int]:
        """The numbers of the items in the next frame."""
        frame = self.queue.take()
        return [] if frame is None else [taken[1][0][0] for taken in frame[1]]

    def take_all(self) -> list[list[int]]:
        frames = []
        while frame := self.take():
            frames.append(frame)
        return frames


@pytest.fixture
def it() -> Setup:
    return Setup()


class TestFrames:
    def test_what_was_submitted_leaves_together_in_order(self, it: Setup) -> None:
        it.submit(1, 2, 3)
        assert it.take() == [1, 2, 3]
        assert it.take() == []
        it.queue.answer(["one", "two"], [])
        it.queue.answer(["three"], [])
        assert it.log == ["1 = one", "2 = two", "3 = three"]
        assert it.queue.unanswered == 0

    def test_a_frame_has_the_time_at_which_it_is_taken(self, it: Setup) -> None:
        it.submit(1)
        it.time.pass_(1)
        frame = it.queue.take()
        assert frame is not None
        assert frame[0] == it.clock.now_ms()

    def test_it_is_closed_when_it_is_large(self, it: Setup) -> None:
        """F3: whatever is queued, no frame comes near the limits of the wire format."""
        for number in range(7):
            it.submit(number, size=FRAME_BYTES // 3 + 1)
        assert it.queue.size == 7 * (FRAME_BYTES // 3 + 1)
        assert it.take_all() == [[0, 1, 2], [3, 4, 5], [6]]
        assert it.queue.size == 0

    def test_one_large_item_leaves_alone(self, it: Setup) -> None:
        it.submit(1, size=5 * FRAME_BYTES)
        it.submit(2)
        assert it.take_all() == [[1], [2]]

    def test_the_settings_of_a_new_shard_come_first(self, it: Setup) -> None:
        it.submit(1, size=FRAME_BYTES + 1)
        it.submit(2)
        it.queue.begin_with(item(0))
        assert it.take_all() == [[0], [1], [2]]
        it.queue.answer(["configured", "one", "two"], [])
        assert it.log == ["1 = one", "2 = two"]


class TestBarriers:
    def test_what_comes_after_one_waits_until_it_is_lifted(self, it: Setup) -> None:
        it.submit(1)
        barrier = it.barrier()
        it.submit(2, size=10)
        assert it.queue.corked
        assert it.queue.size == 10
        assert it.queue.unanswered == 2
        it.queue.call(item(3))
        assert it.take_all() == [[1], [3]]
        barrier.lift()
        assert not it.queue.corked
        assert it.take_all() == [[2]]
        assert it.queue.size == 0

    def test_everything_behind_it_has_one_time(self, it: Setup) -> None:
        barrier = it.barrier()
        moment = it.clock.now_ms()
        for _ in range(2):
            it.time.pass_(5)
            it.queue.call(item(1))
            frame = it.queue.take()
            assert frame is not None
            assert frame[0] == -moment
            assert barrier.moment == moment
        barrier.lift()
        it.submit(2)
        frame = it.queue.take()
        assert frame is not None
        assert frame[0] == moment + 10_000

    def test_one_that_waits_for_another_queue_has_not_been_reached(self, it: Setup) -> None:
        other = Setup()
        first = Barrier([other.queue], it.wake)
        second = it.barrier(other.queue)
        assert it.queue.corked
        assert second.moment == 0
        first.lift()
        assert second.moment == other.clock.now_ms()
        second.lift()
        assert not other.queue.corked

    def test_several_are_lifted_one_after_the_other(self, it: Setup) -> None:
        barriers = []
        for number in range(3):
            barriers.append(it.barrier())
            it.submit(number)
        assert it.take_all() == []
        for number in range(3):
            barriers[number].lift()
            assert it.take_all() == [[number]]

    def test_one_can_be_given_up_before_it_is_reached(self, it: Setup) -> None:
        first, second, third = [it.barrier() for _ in range(3)]
        it.submit(1)
        second.lift()
        second.lift()
        first.lift()
        assert it.take_all() == []
        third.lift()
        assert it.take_all() == [[1]]

    def test_over_no_queue_at_all_it_is_reached_at_once(self, it: Setup) -> None:
        async def wait() -> None:
            with trio.fail_after(1):
                await Barrier([], it.wake).reached()

        trio.run(wait)


class TestReports:
    def test_they_are_handed_on_before_the_answer_that_they_belong_to(self, it: Setup) -> None:
        it.submit(1, 2, 3)
        it.take()
        it.queue.answer(["one", "two", "three"], [event(0, b"a"), event(2, b"b"), event(2, b"c")])
        assert it.log == ["event a", "1 = one", "2 = two", "event b", "event c", "3 = three"]

    def test_an_item_that_failed(self, it: Setup) -> None:
        it.submit(1, 2)
        it.take()
        it.queue.answer([None, "two"], [event(0, b"a"), (wire.FAILED, 0, "ERR no")])
        assert it.log == ["event a", "1 failed: ERR no", "2 = two"]

    def test_an_answer_in_pieces(self, it: Setup) -> None:
        it.submit(1, 2)
        it.take()
        it.queue.answer(["a"], [event(0, b"x"), (wire.UNFINISHED, 0)])
        it.queue.answer(["b"], [(wire.UNFINISHED, 0), event(0, b"y")])
        assert it.queue.unanswered == 2
        it.queue.answer(["c", "two"], [])
        assert it.log == ["event x", "1 = a...", "event y", "1 = b...", "1 = c", "2 = two"]

    def test_an_answer_that_fails_after_a_piece(self, it: Setup) -> None:
        it.submit(1, 2)
        it.take()
        it.queue.answer(["a"], [(wire.UNFINISHED, 0)])
        it.queue.answer([None, "two"], [(wire.FAILED, 0, "ERR no")])
        assert it.log == ["1 = a...", "1 failed: ERR no", "2 = two"]

    def test_the_owner_of_a_barrier_may_keep_them(self, it: Setup) -> None:
        it.submit(1)
        kept = it.queue.call(item(2), keep_reports=True)
        plain = it.queue.call(item(3))
        it.take()
        it.queue.answer(["one", "two", "three"], [event(0, b"a"), event(1, b"b"), event(2, b"c")])
        assert it.log == ["event a", "1 = one", "event c"]
        assert kept.reports == [event(1, b"b")]
        assert plain.reports is None


class TestCalls:
    @pytest.mark.parametrize(
        ("pieces", "whole"), [([b"a", b"b", b"c"], b"abc"), ([[b"a"], [b"b", b"c"]], [b"a", b"b", b"c"]), ([7], 7)]
    )
    def test_pieces_are_put_together(self, it: Setup, pieces: list[Any], whole: Any) -> None:
        call = it.queue.call(item(1))
        it.take()
        for piece in pieces[:-1]:
            it.queue.answer([piece], [(wire.UNFINISHED, 0)])
        assert it.woken == 0
        it.queue.answer(pieces[-1:], [])
        assert it.woken == 1
        assert trio.run(call.result) == whole

    def test_one_that_failed_raises(self, it: Setup) -> None:
        call = it.queue.submit_call(item(1))
        it.take()
        it.queue.answer([None], [(wire.FAILED, 0, "ERR no")])
        with pytest.raises(CommandError, match="ERR no"):
            trio.run(call.result)


class TestTheShardDies:
    def test_what_it_was_given_fails_and_the_rest_is_for_its_successor(self, it: Setup) -> None:
        it.submit(1, 2)
        it.take()
        it.queue.answer(["one"], [])
        it.submit(3, size=FRAME_BYTES + 1)
        it.submit(4)
        barrier = it.barrier()
        it.submit(5)
        assert it.queue.fail_taken() == 1
        assert it.log == ["1 = one", f"2 failed: {DIED}"]
        it.queue.begin_with(item(0))
        assert it.take_all() == [[0], [3], [4]]
        barrier.lift()
        assert it.take_all() == [[5]]
        it.queue.answer([None, "three", "four", "five"], [])
        assert it.log[2:] == ["3 = three", "4 = four", "5 = five"]

    def test_before_its_settings_were_sent(self, it: Setup) -> None:
        it.submit(1)
        it.queue.begin_with(item(0))
        assert it.queue.fail_taken() == 0
        assert it.take_all() == [[0], [1]]

    def test_a_ticket_that_cannot_take_its_answer_still_fails(self, it: Setup) -> None:
        """The link kills the shard then, and every client that waits has to hear of it."""

        class Broken(Noting):
            def deliver(self, result: Any) -> None:
                raise RuntimeError(f"a bug with {result}")

        it.submit(1)
        it.queue.submit(item(2), Broken("2", it.log))
        it.submit(3)
        it.take()
        for reports in ([], [event(0, b"a")]):
            with pytest.raises(RuntimeError):
                it.queue.answer(["one", "two", "three"] if not reports else ["two", "three"], reports)
        assert it.queue.fail_taken() == 2
        assert [line for line in it.log if "failed" in line] == [f"2 failed: {DIED}", f"3 failed: {DIED}"]

    def test_a_ticket_that_cannot_even_fail_is_left_behind(self, it: Setup, capfd: pytest.CaptureFixture[str]) -> None:
        class Broken(Noting):
            def fail(self, error: CommandError) -> None:
                raise RuntimeError("a bug") from error

        it.queue.submit(item(1), Broken("1", it.log))
        it.submit(2)
        it.take()
        assert it.queue.fail_taken() == 2
        assert it.log == [f"2 failed: {DIED}"]
        assert "a bug" in capfd.readouterr().out


class TestRefusing:
    def test_the_items_of_the_last_frame_fail_and_no_others(self, it: Setup) -> None:
        it.submit(1)
        it.take()
        it.submit(2, size=FRAME_BYTES)
        it.submit(3, size=1)
        it.submit(4)
        assert it.take() == [2, 3]
        it.queue.refuse(2, CommandError(REQUEST_TOO_LARGE))
        refused = CommandError(REQUEST_TOO_LARGE).text
        assert it.log == [f"2 failed: {refused}", f"3 failed: {refused}"]
        assert it.take() == [4]
        it.queue.answer(["one", "four"], [])
        assert it.log[2:] == ["1 = one", "4 = four"]

    def test_nobody_minds(self, it: Setup) -> None:
        it.queue.submit(item(1), NOBODY)
        it.take()
        it.queue.refuse(1, CommandError(REQUEST_TOO_LARGE))
        assert it.queue.unanswered == 0


class TestAsking:
    """A shard asks in the middle of an item; `reply` passes everything else."""

    def test_the_answer_leaves_first(self, it: Setup) -> None:
        it.submit(1)
        it.take()
        it.submit(2)
        it.queue.reply(True)
        assert it.queue.take() == (None, True)
        assert it.take() == [2]
        it.queue.answer(["one", "two"], [])
        assert it.log == ["1 = one", "2 = two"]

    def test_an_item_that_lets_others_in(self, it: Setup) -> None:
        """What the shard is sent before it has its answer is answered before the item that asks."""
        barrier = it.barrier()
        it.queue.submit(item(9), Noting("later", it.log))
        it.queue.call(item(1))
        it.queue._tickets[-1] = Noting("1", it.log)
        it.take()
        it.queue.answer([], [])
        it.queue.asked()
        assert it.queue.unanswered == 2
        nested = it.queue.call(item(2))
        assert it.take() == [2]
        it.queue.answer(["nested"], [])
        assert nested._result == "nested"
        it.queue.reply(b"answer")
        passing = it.queue.call(item(3))
        assert it.queue.take() == (None, b"answer")
        assert it.take() == [3]
        it.queue.answer(["one", "passing"], [(wire.RESUMED, 0)])
        assert passing._result == "passing"
        barrier.lift()
        assert it.take() == [9]
        it.queue.answer(["nine"], [])
        assert it.log == ["1 = one", "later = nine"]

    def test_nothing_follows_an_item_that_may_ask_in_its_frame(self, it: Setup) -> None:
        """What passes the queue, such as INFO, might come so close behind a script that both leave together."""
        barrier = it.barrier()
        script = it.queue.call(item(1), asks=True)
        passing = it.queue.call(item(2))
        assert it.take() == [1]
        it.queue.answer([], [])
        it.queue.asked()
        assert it.take() == [2]
        nested = it.queue.call(item(3))
        assert it.take() == [3]
        it.queue.answer(["passing"], [])
        it.queue.answer(["nested"], [])
        it.queue.reply(b"answer")
        it.queue.answer(["script"], [(wire.RESUMED, 0)])
        assert [call._result for call in (passing, nested, script)] == ["passing", "nested", "script"]
        barrier.lift()

    def test_what_is_taken_before_the_answer_and_answered_after_it(self, it: Setup) -> None:
        """Something that passes the queue, such as SCRIPT KILL, may meet the answer on its way."""
        it.submit(1)
        it.take()
        it.queue.asked()
        passing = it.queue.call(item(2))
        assert it.take() == [2]
        it.queue.reply(b"answer")
        it.queue.answer(["two"], [])
        assert passing._result == "two"
        it.queue.answer(["one"], [(wire.RESUMED, 0)])
        assert it.log == ["1 = one"]

    def test_a_shard_that_dies_while_it_asks(self, it: Setup) -> None:
        it.submit(1, 2)
        it.take()
        it.queue.asked()
        it.queue.reply(None)
        it.submit(3)
        assert it.queue.fail_taken() == 2
        assert it.log == [f"1 failed: {SHARD_DIED}", f"2 failed: {SHARD_DIED}"]
        assert it.take_all() == [[3]]

    def test_reports_after_the_last_result(self, it: Setup) -> None:
        it.submit(1)
        it.take()
        it.queue.answer(["one"], [(wire.EVENT, 0, 0, b"first", b"k"), (wire.EVENT, 1, 0, b"last", b"k")])
        assert it.log == ["event first", "1 = one", "event last"]


class TestPlaces:
    """Places in the global order, which are kept while clients wait on several shards."""

    def two(self) -> tuple[Setup, Setup]:
        one, other = Setup(), Setup()
        other.queue.order = one.queue.order
        for each in (one, other):
            each.submit(0)
            each.queue.keep_places(True)
        return one, other

    def test_what_is_older_comes_first(self) -> None:
        one, other = self.two()
        other.submit(1)
        one.submit(2)
        other.submit(3)
        one.take()
        one.queue.answer(["zero"], [])
        place = one.queue.running
        assert not other.queue.is_past(place)
        other.take()
        other.queue.answer(["zero"], [])
        assert not other.queue.is_past(place)
        other.queue.answer(["one"], [])
        assert other.queue.is_past(place)
        assert not one.queue.is_past(other.queue.running)

    def test_barriers_and_what_waits_behind_them(self) -> None:
        one, other = self.two()
        barrier = other.barrier()
        one.submit(1)
        one.take()
        one.queue.answer(["zero"], [])
        place = one.queue.running
        other.submit(2)
        call = other.queue.call(item(3))
        other.take_all()
        other.queue.answer(["zero", "called"], [])
        assert call._result == "called"
        assert not other.queue.is_past(place)
        barrier.lift()
        assert other.queue.is_past(place)

    def test_what_was_held_back_keeps_its_place(self) -> None:
        one, other = self.two()
        barrier = other.barrier()
        other.submit(1)
        one.submit(2)
        one.take()
        one.queue.answer(["zero"], [])
        barrier.lift()
        other.take_all()
        other.queue.answer(["zero"], [])
        assert not other.queue.is_past(one.queue.running)
        other.queue.answer(["one"], [])
        assert other.queue.is_past(one.queue.running)

    def test_a_shard_that_dies_takes_its_places_with_it(self) -> None:
        one, other = self.two()
        other.submit(1)
        one.submit(2)
        one.take()
        one.queue.answer(["zero"], [])
        other.take()
        other.queue.fail_taken()
        assert other.queue.is_past(one.queue.running)
        other.submit(3)
        assert other.queue.is_past(one.queue.running)

    def test_nothing_is_kept_when_nobody_asks(self) -> None:
        one, other = self.two()
        other.submit(1)
        one.submit(2)
        for each in (one, other):
            each.queue.keep_places(False)
        assert one.queue.running == 0
        assert other.queue.is_past(one.queue.running)
