"""Blocking commands in main: who waits, until when, and how a wait ends.

A blocking command takes its place in the order like any other. Its shard runs it, and if there is nothing to take the
client waits there, beside the data (`respcache.store.waiting`). The shard is the judge of what happens first: it
reports who was served, and says whether a client that is to wait no more (its time is up, CLIENT UNBLOCK, it has hung
up) still waited. So nothing is lost, and nothing is served twice.

| a wait is  | from                                  | until                                                        |
|------------|---------------------------------------|--------------------------------------------------------------|
| asked      | the command is queued for its shard   | the shard answers: with the reply, or that the client waits  |
| waiting    | the shard has said that               | it has a reply, from the shard or from main                  |
| over       | the client has its reply, or has left |                                                              |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from respcache import errors
from respcache.errors import CommandError
from respcache.resp.encode import encode
from respcache.server.order.outbox import Batch
from respcache.server.order.sequencer import size_of_words
from respcache.server.shards.queue import NOBODY
from respcache.shard import wire
from respcache.store.waiting import TIMED_OUT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from respcache.alarms import Alarm, Alarms
    from respcache.resp.types import Argv
    from respcache.server.order.outbox import Outbox
    from respcache.server.shards.link import ShardLink
    from respcache.server.shards.queue import Call
    from respcache.store.call import Caller
    from respcache.store.reports import Report


class Member(Protocol):
    """A client that runs a blocking command. It carries out no other one until `end_wait`."""

    outbox: Outbox

    @property
    def caller(self) -> Caller:
        """Who the command runs for."""

    def begin_wait(self, wait: Wait) -> None:
        """The command was sent to its shard."""

    def nothing_found(self) -> None:
        """From now on the client waits."""

    def end_wait(self) -> None:
        """The command has its reply."""


class Wait:
    """One blocking command of a client, and the ticket of its item."""

    __slots__ = ("_batch", "_waits", "alarm", "member", "number", "over", "shard", "waiting")

    def __init__(self, waits: Waits, number: int, member: Member, shard: int) -> None:
        self._waits = waits
        self.number = number  # by which the shard knows it
        self.member = member
        self.shard = shard
        self.alarm: Alarm | None = None  # the end of its time
        self.waiting = False  # the shard has found nothing
        self.over = False  # the client has its reply, or has left
        self._batch = Batch(member.outbox, 1, 1)

    # -- the ticket

    def deliver(self, result: bytes | int) -> None:
        if self.over:
            return
        if isinstance(result, bytes):
            self.end(result)
            return
        self.waiting = True
        # A client that waits is owed nothing: what is pushed to it meanwhile does not wait for the reply.
        self.member.outbox.withdraw(self._batch)
        self._waits.begun(self, result)
        self.member.nothing_found()

    def deliver_piece(self, result: Any) -> None:  # noqa: ARG002 - a Ticket has it, and gets no pieces here
        raise AssertionError("a command that may wait is answered whole")

    def fail(self, error: CommandError) -> None:
        if not self.over:
            self.end(error.line())

    # -- its end

    def end(self, reply: bytes) -> None:
        """The client gets its reply, encoded, and goes on."""
        self.abandon()
        if self.waiting:
            self.member.outbox.expect(self._batch)
        self._batch.data = reply
        self._batch.arrived()
        self.member.end_wait()

    def abandon(self) -> None:
        """Nothing more is to come of it: the client gets its reply now, or has left."""
        self.over = True
        if self.alarm is not None:
            self.alarm.cancel()
            self.alarm = None
        self._waits.ended(self)


class _Dismissal:
    """Ticket of a `forget`: if the client still waited, it gets `reply`."""

    __slots__ = ("_reply", "_wait")

    def __init__(self, wait: Wait, reply: bytes) -> None:
        self._wait = wait
        self._reply = reply

    def deliver(self, result: bool) -> None:
        if result and not self._wait.over:
            self._wait.end(self._reply)

    def deliver_piece(self, result: Any) -> None:  # noqa: ARG002 - a Ticket has it, and gets no pieces here
        raise AssertionError("it is answered whole")

    def fail(self, error: CommandError) -> None:
        """The shard has died: `Waits.shard_died` tells the client."""


class Waits:
    """All blocking commands that are under way."""

    def __init__(self, links: Sequence[ShardLink], alarms: Alarms, count_error: Callable[[CommandError], None]) -> None:
        self._links = links  # by shard
        self._alarms = alarms
        self._count_error = count_error
        self._last_number = 0  # that was given to a wait
        self._by_number: dict[int, Wait] = {}  # all that are not over

    # -- how they begin

    def start(self, member: Member, argv: Argv, shard: int) -> None:
        """Queue a blocking command. Its keys are on one shard."""
        self._last_number += 1
        wait = Wait(self, self._last_number, member, shard)
        self._by_number[wait.number] = wait
        link = self._links[shard]
        link.queue.waits.add(wait.number)
        link.submit(wire.wait(member.caller, wait.number, argv), wait, size_of_words(argv))
        member.begin_wait(wait)

    def begun(self, wait: Wait, deadline: int) -> None:
        """The client waits, up to a time in milliseconds; 0 for ever."""
        if deadline:
            # As in Redis the time is over once the millisecond of the deadline is.
            wait.alarm = self._alarms.at(deadline + 1, lambda: self._time_out(wait))

    # -- how they end

    def served(self, report: Report) -> None:
        """A SERVED report, see `respcache.shard.wire`."""
        _, _, number, reply = report
        wait = self._by_number.get(number)
        if wait is not None:  # else the client has left, too late for the shard to know
            wait.end(reply)

    def ended(self, wait: Wait) -> None:
        """This one is over."""
        del self._by_number[wait.number]
        self._links[wait.shard].queue.waits.discard(wait.number)

    def _time_out(self, wait: Wait) -> None:
        wait.alarm = None
        reply = encode(TIMED_OUT, wait.member.caller.protocol)
        self._links[wait.shard].submit(wire.forget(wait.number), _Dismissal(wait, reply))

    def dismiss(self, wait: Wait, *, at_once: bool) -> Call:
        """Let a client wait no more; the answer is True if it still waited, and `unblock` is to be called then.

        `at_once`: within EXEC, whose barrier may hold up the queue of that very shard. Otherwise this takes its place
        in the order now.
        """
        link = self._links[wait.shard]
        item = wire.forget(wait.number)
        return link.call(item) if at_once else link.queue.submit_call(item)

    def unblock(self, wait: Wait, *, with_error: bool) -> bool:
        """CLIENT UNBLOCK: end a wait as if its time was up, or with an error. False if it is over."""
        if wait.over:
            return False
        if with_error:
            error = CommandError(errors.UNBLOCKED)
            self._count_error(error)
            wait.end(error.line())
        else:
            wait.end(encode(TIMED_OUT, wait.member.caller.protocol))
        return True

    def leave(self, wait: Wait) -> None:
        """The client has gone."""
        if not wait.over:
            wait.abandon()
            self._links[wait.shard].submit(wire.forget(wait.number), NOBODY)

    def shard_died(self, shard: int) -> None:
        """All who waited there get an error. What was only asked fails by itself, or is asked of the successor."""
        error = CommandError(errors.SHARD_DIED)
        for wait in list(self._by_number.values()):
            if wait.waiting and wait.shard == shard:
                wait.end(error.line())

    # -- figures

    @property
    def blocked(self) -> int:
        """How many clients wait."""
        return sum(wait.waiting for wait in self._by_number.values())

    @property
    def with_timeout(self) -> int:
        """How many of them wait up to some time."""
        return sum(wait.alarm is not None for wait in self._by_number.values())
