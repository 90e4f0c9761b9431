"""Blocking commands in main: who waits, until when, and how a wait ends.

A blocking command takes its place in the order like any other. Its shard runs it, and if there is nothing to take the
client waits there, beside the data (`respcache.store.waiting`). The shard is the judge of what happens first: it
reports who was served, and says whether a client that is to wait no more (its time is up, CLIENT UNBLOCK, it has hung
up) still waited. So nothing is lost, and nothing is served twice. Where the keys are on several shards, main is the
judge: `respcache.server.order.claims`.

| a wait is  | from                                  | until                                                        |
|------------|---------------------------------------|--------------------------------------------------------------|
| asked      | the command takes its place           | shards have answered: with the reply, or that there is none  |
| waiting    | they have found nothing               | it has a reply, from a shard or from main                    |
| over       | the client has its reply, or has left |                                                              |
"""

from __future__ import annotations

from abc import ABC, abstractmethod
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
    from collections.abc import Awaitable, Coroutine, Sequence

    from respcache.alarms import Alarm, Alarms
    from respcache.commands.table import Command
    from respcache.resp.types import Argv
    from respcache.server.order.counting import Counting
    from respcache.server.order.outbox import Outbox
    from respcache.server.shards.link import ShardLink
    from respcache.shard.wire import Until
    from respcache.store.call import Caller
    from respcache.store.reports import Report


class Member(Protocol):
    """A client that runs a blocking command. It carries out no other one until `end_wait`."""

    outbox: Outbox

    @property
    def caller(self) -> Caller:
        """Who the command runs for."""

    def begin_wait(self, wait: Wait) -> None:
        """The command has its place in the order."""

    def served(self, batch: Batch, row: Command, argv: Argv, number: int) -> None:
        """The client has waited, and `batch` is about to have the reply."""

    def nothing_found(self) -> None:
        """From now on the client waits."""

    def end_wait(self) -> None:
        """The command has its reply."""


class Wait(ABC):
    """One blocking command of a client."""

    __slots__ = (
        "_batch",
        "_shifts",
        "_waits",
        "alarm",
        "argv",
        "member",
        "number",
        "over",
        "row",
        "shards",
        "since",
        "waiting",
    )

    def __init__(self, waits: Waits, member: Member, row: Command, argv: Argv, shards: Sequence[int]) -> None:
        self._waits = waits
        self.row = row
        self.argv = argv
        self.number = waits.next_number()  # by which shards know it
        self.since = waits.now_ms()  # when the command took its place
        self._shifts = waits.shifts()
        self.member = member
        self.shards = shards  # where the client waits
        self.alarm: Alarm | None = None  # the end of its time
        self.waiting = False  # shards have found nothing
        self.over = False  # the client has its reply, or has left
        self._batch = Batch(member.outbox, 1, 1)
        waits.add(self)
        member.begin_wait(self)

    def found_nothing(self, until: Until) -> None:
        """The client waits from now on. If the clock was set back meanwhile, the deadline may be one of before."""
        self.waiting = True
        self._waits.blocked += 1
        # A client that waits is owed nothing: what is pushed to it meanwhile does not wait for the reply.
        self.member.outbox.withdraw(self._batch)
        deadline, timeout = until
        if deadline:
            if self._shifts != self._waits.shifts():
                deadline = self._waits.now_ms() + timeout
            self.alarm = self._waits.alarm(deadline, self)
        self.member.nothing_found()

    def end(self, reply: bytes) -> None:
        """The client gets its reply, encoded, and goes on."""
        self._finish()
        if self.waiting:
            self.member.outbox.expect(self._batch)
            self.member.served(self._batch, self.row, self.argv, self.number)
        self._batch.data = reply
        self._batch.arrived()
        self.member.end_wait()

    def give_up(self, reply: bytes, *, failed: bool = False) -> None:
        """The same with a reply of main, which counts the command then: no shard has found anything for it."""
        self._waits.counting.ran(self.row, self.argv, self.member.caller, 0, failed=failed)
        self.end(reply)

    def _finish(self) -> None:
        self.over = True
        self._waits.blocked -= self.waiting
        if self.alarm is not None:
            self.alarm.cancel()
            self.alarm = None
            self._waits.with_timeout -= 1
        self._waits.remove(self)

    @property
    def given_up(self) -> bytes:
        """The reply to a client whose time is up."""
        return timed_out(self.member)

    # -- ends that main brings about

    @abstractmethod
    def time_out(self) -> None:
        """Its time is up."""

    @abstractmethod
    def leave(self) -> None:
        """The client has gone."""

    @abstractmethod
    def dismiss(self, *, at_once: bool) -> Awaitable[bool]:
        """Let the client wait no more: True if it still waited, and is to be given a reply (`end`).

        `at_once`: within EXEC, which may hold up the queue of a shard where it waits. Otherwise this takes its place in
        the order when it is called, not when it is awaited. Raises CommandError if a shard dies.
        """

    @abstractmethod
    def shard_died(self, shard: int) -> None:
        """One of its `shards` has died, and what waited there is lost."""


class LocalWait(Wait):
    """One whose keys are on one shard; it is the ticket of its item."""

    __slots__ = ("_link",)

    def __init__(self, waits: Waits, member: Member, row: Command, argv: Argv, link: ShardLink) -> None:
        super().__init__(waits, member, row, argv, (link.index,))
        self._link = link

    # -- the ticket

    def deliver(self, result: bytes | Until) -> None:
        if self.over:
            return
        if isinstance(result, bytes):
            self.end(result)
        else:
            self.found_nothing(result)

    def deliver_piece(self, result: Any) -> None:  # noqa: ARG002 - a Ticket has it, and gets no pieces here
        raise AssertionError("a command that may wait is answered whole")

    def fail(self, error: CommandError) -> None:
        if not self.over:
            self.end(error.line())

    # -- its end

    def time_out(self) -> None:
        """The shard has to say whether the client still waits."""
        self._link.submit(wire.forget(self.number), _Dismissal(self, timed_out(self.member)))

    def leave(self) -> None:
        """See `Wait`."""
        self._finish()
        self._link.submit(wire.forget(self.number), NOBODY)

    def dismiss(self, *, at_once: bool) -> Awaitable[bool]:
        """See `Wait`."""
        item = wire.forget(self.number)
        call = self._link.call(item) if at_once else self._link.queue.submit_call(item)
        return call.result()

    def shard_died(self, shard: int) -> None:  # noqa: ARG002 - it has only one
        """What was only asked fails by itself, or is asked of the successor."""
        if self.waiting:
            self.end(CommandError(errors.SHARD_DIED).line())


class TimedWait(Wait):
    """One that only its time ends, with a reply that is known: WAIT for replicas that there are not.

    It is the ticket of an item that does nothing. So it begins when everything before it is done, like any other.
    """

    __slots__ = ("_given_up", "_until")

    def __init__(self, waits: Waits, member: Member, row: Command, argv: Argv, until: Until, given_up: bytes) -> None:
        super().__init__(waits, member, row, argv, ())
        self._until = until
        self._given_up = given_up

    @property
    def given_up(self) -> bytes:
        return self._given_up

    # -- the ticket

    def deliver(self, result: Any) -> None:  # noqa: ARG002 - the item does nothing
        if not self.over:
            self.found_nothing(self._until)

    def deliver_piece(self, result: Any) -> None:
        """There are no pieces."""

    def fail(self, error: CommandError) -> None:
        """The shard has died, which does not concern this."""
        self.deliver(error)

    # -- its end

    def time_out(self) -> None:
        """See `Wait`."""
        self.end(self._given_up)

    def give_up(self, reply: bytes, *, failed: bool = False) -> None:  # noqa: ARG002 - as below
        """See `Wait`. Main has counted the command when it began."""
        self.end(reply)

    def leave(self) -> None:
        """See `Wait`."""
        self._finish()

    async def dismiss(self, *, at_once: bool) -> bool:  # noqa: ARG002 - nothing is asked of a shard
        """See `Wait`."""
        return not self.over

    def shard_died(self, shard: int) -> None:
        """It waits on none."""


class _Dismissal:
    """Ticket of a `forget`: if the client still waited, it gets `reply`."""

    __slots__ = ("_reply", "_wait")

    def __init__(self, wait: Wait, reply: bytes) -> None:
        self._wait = wait
        self._reply = reply

    def deliver(self, result: bool) -> None:
        if result and not self._wait.over:
            self._wait.give_up(self._reply)

    def deliver_piece(self, result: Any) -> None:  # noqa: ARG002 - a Ticket has it, and gets no pieces here
        raise AssertionError("it is answered whole")

    def fail(self, error: CommandError) -> None:
        """The shard has died: `shard_died` tells the client."""


class Waits:
    """All blocking commands that are under way.

    counting: told each command, and each error, that main itself answers with.
    """

    def __init__(self, links: Sequence[ShardLink], alarms: Alarms, counting: Counting) -> None:
        self.links = links  # by shard
        self._alarms = alarms
        self.counting = counting
        self.last_number = 0  # that was given to a wait
        self._by_number: dict[int, Wait] = {}  # all that are not over
        self.blocked = 0  # how many clients wait
        self.with_timeout = 0  # how many of them wait up to some time

    def start(self, member: Member, row: Command, argv: Argv, shard: int) -> None:
        """Run a blocking command whose keys are on one shard."""
        link = self.links[shard]
        wait = LocalWait(self, member, row, argv, link)
        link.submit(wire.wait(member.caller, wait.number, argv), wait, size_of_words(argv))

    def for_time(self, member: Member, row: Command, argv: Argv, timeout: int, reply: bytes) -> None:
        """Let a client wait for so many milliseconds, 0 for ever, and give it `reply` then."""
        until = (self.now_ms() + timeout, timeout) if timeout else (0, 0)
        self.links[0].submit(wire.skip(), TimedWait(self, member, row, argv, until, reply))

    def served(self, report: Report) -> None:
        """A SERVED report, see `respcache.shard.wire`."""
        _, _, number, reply = report
        wait = self._by_number.get(number)
        if wait is not None:  # else the client has left, too late for the shard to know
            wait.end(reply)

    def unblock(self, wait: Wait, *, with_error: bool, at_once: bool) -> Coroutine[Any, Any, bool]:
        """CLIENT UNBLOCK: end a wait as if its time was up, or with an error. False if it was over already.

        `at_once`: within EXEC. Raises CommandError if a shard dies. Cancellation is safe.
        """
        return self._unblock(wait, wait.dismiss(at_once=at_once), with_error)

    async def _unblock(self, wait: Wait, dismissed: Awaitable[bool], with_error: bool) -> bool:
        if not await dismissed or wait.over:
            return False
        if with_error:
            error = CommandError(errors.UNBLOCKED)
            self.counting.count_error(error)
            wait.give_up(error.line(), failed=True)
        else:
            wait.give_up(wait.given_up)
        return True

    def shard_died(self, shard: int) -> None:
        """All who waited there get an error."""
        for wait in self.all():
            # A client that goes on may have ended the wait of another one: by CLIENT KILL, say.
            if shard in wait.shards and not wait.over:
                wait.shard_died(shard)

    # -- for the waits

    def now_ms(self) -> int:
        """The time of the server's clock."""
        return self._alarms.now_ms()

    def shifts(self) -> int:
        """How often the clock was set back; see `Alarms.shift`."""
        return self._alarms.shifts

    def next_number(self) -> int:
        """A number that no wait has had."""
        self.last_number += 1
        return self.last_number

    def add(self, wait: Wait) -> None:
        """One begins."""
        self._by_number[wait.number] = wait
        for shard in wait.shards:
            self.links[shard].queue.waits.add(wait.number)

    def remove(self, wait: Wait) -> None:
        """One is over."""
        del self._by_number[wait.number]
        for shard in wait.shards:
            self.links[shard].queue.waits.discard(wait.number)

    def move(self, wait: Wait, shards: Sequence[int]) -> None:
        """Only on these shards the client waits."""
        for shard in set(wait.shards).difference(shards):
            self.links[shard].queue.waits.discard(wait.number)
        wait.shards = shards

    def alarm(self, deadline: int, wait: Wait) -> Alarm:
        """Tell a wait when its time is up: as in Redis, once the millisecond of the deadline is over."""

        def ring() -> None:
            wait.alarm = None
            self.with_timeout -= 1
            wait.time_out()

        self.with_timeout += 1
        return self._alarms.at(deadline + 1, ring)

    # -- figures

    def get(self, number: int) -> Wait | None:
        """The wait with this number, if it is not over."""
        return self._by_number.get(number)

    def all(self) -> list[Wait]:
        """All that are not over, the oldest first."""
        return list(self._by_number.values())


def timed_out(member: Member) -> bytes:
    """The reply to a client whose time is up."""
    return encode(TIMED_OUT, member.caller.protocol)
