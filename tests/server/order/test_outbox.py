"""The outbox of one client: order, pieces, pushes, and the window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respcache.errors import SHARD_DIED, CommandError
from respcache.server.order.outbox import Batch, Outbox, Outboxes
from respcache.server.order.tickets import ExecTicket, PartialRun, SplitBatch, WholeRun
from respcache.server.services.stats import Stats

DIED = CommandError(SHARD_DIED)


class Receiver:
    """The other side of an outbox."""

    def __init__(self) -> None:
        self.outboxes = Outboxes(Stats(0, 0))
        self.outbox = Outbox(self, self.outboxes, limit=10_000)
        self.closed = False
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def waits(self) -> None:
        pass

    def flushed(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def flush(self) -> bytes:
        """The end of a round, and what was sent in it."""
        self.sent.clear()
        self.outboxes.flush()
        assert len(self.sent) <= 2  # all that is complete, and a piece
        return b"".join(self.sent)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


def test_replies_are_sent_in_the_order_of_the_commands_once_per_round(receiver: Receiver) -> None:
    first, second, third = [WholeRun(Batch(receiver.outbox, 1, 1)) for _ in range(3)]
    third.deliver(b"3")
    assert receiver.flush() == b""
    first.deliver(b"1")
    assert receiver.sent == []  # the round goes on
    second.deliver(b"2")
    assert receiver.flush() == b"123"
    assert receiver.outbox.unanswered == 0


def test_a_push_comes_after_what_is_under_way(receiver: Receiver) -> None:
    receiver.outbox.push(b"(at once)")
    assert receiver.sent == [b"(at once)"]
    run = WholeRun(Batch(receiver.outbox, 2, 1))
    receiver.outbox.push(b"(pushed)")
    Batch(receiver.outbox, 1, 0, b"3")
    assert receiver.outbox.unanswered == 3
    assert receiver.flush() == b""
    run.deliver(b"12")
    assert receiver.flush() == b"12(pushed)3"


def test_a_muted_batch_is_answered_but_not_sent(receiver: Receiver) -> None:
    quiet, loud = [Batch(receiver.outbox, 1, 1) for _ in range(2)]
    quiet.muted = True
    tickets = [WholeRun(quiet), WholeRun(loud)]
    tickets[0].deliver_piece(b"never")
    assert receiver.flush() == b""
    tickets[0].deliver(b"never")
    tickets[1].deliver(b"2")
    assert receiver.flush() == b"2"
    assert receiver.outboxes.sent.bytes_out == 1


class TestPieces:
    def test_they_are_sent_as_they_come_if_nothing_is_before_them(self, receiver: Receiver) -> None:
        first, second = [WholeRun(Batch(receiver.outbox, 2, 1)) for _ in range(2)]
        second.deliver_piece(b"3")
        assert receiver.flush() == b""
        first.deliver_piece(b"1")
        assert receiver.flush() == b"1"
        first.deliver(b"2")
        assert receiver.flush() == b"23"
        second.deliver(b"4")
        assert receiver.flush() == b"4"

    def test_an_answer_that_was_lost_fails_every_command(self, receiver: Receiver) -> None:
        WholeRun(Batch(receiver.outbox, 2, 1)).fail(DIED)
        assert receiver.flush() == DIED.line() * 2

    @pytest.mark.parametrize("sent", [True, False], ids=["sent", "not sent"])
    def test_an_answer_that_was_lost_half_way_ends_the_connection(self, receiver: Receiver, sent: bool) -> None:
        run = WholeRun(Batch(receiver.outbox, 2, 1))
        run.deliver_piece(b"1")
        if sent:
            receiver.flush()
        run.fail(DIED)
        assert receiver.closed
        assert receiver.flush() == b""

    def test_of_several_shards_they_are_put_together(self, receiver: Receiver) -> None:
        batch = SplitBatch(receiver.outbox, bytes([0, 1, 0, 1, 0]), 2)
        zero, one = PartialRun(batch, 0), PartialRun(batch, 1)
        zero.deliver_piece([b"a", b"c"])
        one.deliver([b"b", b"d"])
        assert receiver.flush() == b""
        zero.deliver([b"e"])
        assert receiver.flush() == b"abcde"

    def test_of_several_shards_what_is_there_is_kept_when_one_dies(self, receiver: Receiver) -> None:
        batch = SplitBatch(receiver.outbox, bytes([0, 1, 0, 1, 0]), 2)
        zero, one = PartialRun(batch, 0), PartialRun(batch, 1)
        zero.deliver_piece([b"a", b"c"])
        one.fail(DIED)
        zero.fail(DIED)
        died = DIED.line()
        assert receiver.flush() == b"a" + died + b"c" + died + died

    def test_a_transaction_is_sent_when_it_is_whole(self, receiver: Receiver) -> None:
        ticket = ExecTicket(Batch(receiver.outbox, 1, 1), 3, 2)
        ticket.deliver_piece([b"a"])
        ticket.deliver_piece([b"b"])
        assert receiver.flush() == b""
        ticket.deliver([b"c"])
        assert receiver.flush() == b"*3\r\nabc"

    @pytest.mark.parametrize("protocol", [2, 3])
    def test_a_transaction_that_was_not_run_or_lost(self, receiver: Receiver, protocol: int) -> None:
        ExecTicket(Batch(receiver.outbox, 1, 1), 3, protocol).deliver(None)
        assert receiver.flush() == {2: b"*-1\r\n", 3: b"_\r\n"}[protocol]
        lost = ExecTicket(Batch(receiver.outbox, 1, 1), 3, protocol)
        lost.deliver_piece([b"a"])
        lost.fail(DIED)
        assert receiver.flush() == DIED.line()


class TestAfterTheEnd:
    def test_answers_that_still_come_are_dropped(self, receiver: Receiver) -> None:
        run, other = [WholeRun(Batch(receiver.outbox, 1, 1)) for _ in range(2)]
        run.deliver_piece(b"1")
        receiver.outbox.close()
        receiver.closed = True
        run.deliver(b"2")
        other.fail(DIED)
        receiver.outbox.push(b"late")
        assert receiver.flush() == b""
        assert not receiver.outbox.slots

    def test_a_receiver_that_closes_while_it_is_given_replies_gets_no_more(self, receiver: Receiver) -> None:
        def close(_data: bytes) -> None:
            receiver.outbox.close()

        receiver.send = close  # type: ignore[method-assign]  # only of this one
        Batch(receiver.outbox, 1, 0, b"1")
        under_way = WholeRun(Batch(receiver.outbox, 1, 1))
        receiver.outbox.ready()
        receiver.flush()
        under_way.deliver(b"2")
        receiver.flush()
        assert receiver.outboxes.sent.bytes_out == 1


class TestWindow:
    def answered(self, receiver: Receiver, count: int, size: int) -> int:
        """The window after a batch of so many commands was answered with so many bytes."""
        WholeRun(Batch(receiver.outbox, count, 1)).deliver(b"x" * size)
        receiver.flush()
        return receiver.outbox.window

    def test_it_grows_up_to_its_limit_while_replies_are_small(self, receiver: Receiver) -> None:
        assert [self.answered(receiver, 1, 5) for _ in range(8)] == [256, 512, 1024, 2048, 4096, 8192, 10_000, 10_000]

    def test_it_shrinks_to_what_replies_of_that_size_fill_16_mb(self, receiver: Receiver) -> None:
        assert self.answered(receiver, 16, 16 << 20) == 16
        assert self.answered(receiver, 1, 1 << 17) == 128
        assert self.answered(receiver, 1, 64 << 20) == 1
        assert self.answered(receiver, 1, 5) == 2

    def test_bytes_that_were_sent_early_count(self, receiver: Receiver) -> None:
        run = WholeRun(Batch(receiver.outbox, 32, 1))
        for _ in range(15):
            run.deliver_piece(bytes(1 << 20))
            receiver.flush()
        run.deliver(bytes(1 << 20))
        receiver.flush()
        assert receiver.outbox.window == 32

    def test_it_begins_below_a_small_limit(self) -> None:
        receiver = Receiver()
        assert Outbox(receiver, receiver.outboxes, limit=3).window == 3


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=12), st.data())
def test_any_order_of_answers_and_pieces_gives_the_same_bytes(
    batches: list[tuple[int, bool]], data: st.DataObject
) -> None:
    """Batches in any number of pieces, answered in any order, with the ends of rounds anywhere."""
    receiver = Receiver()
    expected, sent = b"", b""
    left = []
    for number, (pieces, muted) in enumerate(batches):
        batch = Batch(receiver.outbox, 1, 1)
        batch.muted = muted
        answers = [b"<%d.%d>" % (number, piece) for piece in range(pieces + 1)]
        left.append((WholeRun(batch), answers))
        expected += b"" if muted else b"".join(answers)
    while left:
        ticket, answers = data.draw(st.sampled_from(left))
        answer = answers.pop(0)
        if answers:
            ticket.deliver_piece(answer)
        else:
            ticket.deliver(answer)
            left.remove((ticket, answers))
        if data.draw(st.booleans()):
            sent += receiver.flush()
    sent += receiver.flush()
    assert sent == expected
    assert receiver.outboxes.sent.bytes_out == len(expected)
    assert receiver.outbox.unanswered == 0
