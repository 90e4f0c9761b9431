"""MULTI/EXEC.

The commands of a transaction were checked, planned and queued in main. If all of them run whole on one shard, EXEC is
one item of one frame, and the client's next commands need not wait for it. Otherwise EXEC holds a barrier over its
shards. Consecutive commands are then sent together, except those that main has to do something for before the next one
can run (LOCAL, CURSOR, CARRY). Those between two that are cut up are one item per shard: their keys are on different
shards, so their order among shards makes no difference to their replies. It does to keyspace events. Where those are
asked for, what the shards report is brought back into the order of the commands.
"""

from __future__ import annotations

from collections import deque
from inspect import isawaitable, iscoroutine
from itertools import groupby
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from respcache import errors
from respcache.commands.args import Args
from respcache.commands.scripting.admission import admit, row_of
from respcache.commands.table import TABLE, Command, Part, Reach
from respcache.errors import CommandError
from respcache.logs import log_exception
from respcache.resp.encode import encode
from respcache.resp.types import NULL_ARRAY, OK, Encoded, Reply
from respcache.server.order.gather import merged
from respcache.server.order.outbox import IN_A_SLOT, Batch
from respcache.server.order.plan import Kind, Plan, cut_up, empties, plan
from respcache.server.order.scan import Scan
from respcache.server.order.sequencer import size_of_words
from respcache.server.order.tickets import ExecTicket
from respcache.server.services.times import at_work
from respcache.shard import wire
from respcache.store.call import Caller

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from respcache.resp.types import Argv
    from respcache.server.order.carry import Carrier
    from respcache.server.order.counting import Counting
    from respcache.server.order.namespaces import Namespace
    from respcache.server.order.outbox import Outbox
    from respcache.server.order.scripts import Scripts
    from respcache.server.order.sequencer import Sequencer
    from respcache.server.shards.link import ShardLink
    from respcache.server.shards.queue import Barrier, Call
    from respcache.store.reports import Report


_EXEC = [b"EXEC"]
_CUT_UP = (Kind.SPLIT, Kind.ALL)
# How many bytes of commands that are cut up are sent at once. Each counts for some more, as it costs main some time.
_AT_ONCE = 1 << 20
_OVERHEAD = 1 << 10


class Queued(NamedTuple):
    """A command of a transaction, with the plan that was made when it was queued."""

    row: Command
    argv: Argv
    plan: Plan


class _Sent(NamedTuple):
    """Commands that shards have been sent: those of one shard in one call, or one that is cut up into several."""

    indexes: list[int]  # of the commands
    calls: list[tuple[Call, list[int]]]  # each with the positions of a part's keys


class Transaction:
    """What a client has queued since MULTI."""

    __slots__ = ("aborted", "commands", "may_fail", "on_end", "placed", "size")

    def __init__(self) -> None:
        self.commands: list[Queued] = []
        self.size = 0  # bytes of their words
        self.aborted = False  # a command was refused, so EXEC must fail
        self.placed = False  # EXEC has its place in the order
        self.may_fail = False  # if a watched key has changed
        self.on_end: Callable[[bool], object] | None = None  # to be called when EXEC is over: True if it has run

    def add(self, queued: Queued) -> None:
        """Queue one more."""
        self.commands.append(queued)
        self.size += sum(map(len, queued.argv))

    def end(self, ran: bool) -> None:
        """EXEC is over."""
        if self.on_end is not None:
            self.on_end(ran)


class Sender(Protocol):
    """The client that has sent EXEC."""

    executing: Transaction | None
    outbox: Outbox
    namespace: Namespace  # while it is `executing` it stays there

    @property
    def caller(self) -> Caller:
        """A SELECT within the transaction changes it."""

    def run_local(self, row: Command, argv: Argv) -> Any:
        """Carry out a LOCAL command: its reply, an awaitable of it, or IN_A_SLOT. Raises CommandError."""


class _WithinScript:
    """A client, as main's commands find it when a script of that client calls them."""

    def __init__(self, client: Sender, caller: Caller) -> None:
        self._client = client
        self.caller = caller  # with the database and the protocol of the script
        self.protocol = caller.protocol
        self.outbox = client.outbox
        self.namespace = client.namespace
        self.executing: Transaction | None = Transaction()  # nothing may wait

    def run_local(self, row: Command, argv: Argv) -> Any:
        return row.handler(self, Args(argv, row.words_of_name))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class Executor:
    """Carries out transactions, and scripts that need a barrier.

    settle: serves those who wait for what a transaction has brought to shards under its barrier (`Claims.settle`).
    counting: told each command, and each error, that main itself answers with.
    on_report: gets what shards report while a transaction runs, in the order of its commands.
    reports_wanted: True if shards report anything at present.
    on_foreign: told what main has carried out for a script: the shard of the script, database, row and words.
    spawn: runs an async function in a task that ends with the server.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        carrier: Carrier,
        *,
        settle: Callable[[Collection[int]], Awaitable[None]],
        counting: Counting,
        on_report: Callable[[Report], None],
        reports_wanted: Callable[[], bool],
        on_foreign: Callable[[int, int, Command, Argv], None],
        spawn: Callable[..., None],
    ) -> None:
        self._sequencer = sequencer
        self._links = sequencer.links  # by shard
        self._router = sequencer.router
        self._carrier = carrier
        self._settle = settle
        self._counting = counting
        self._on_report = on_report
        self._reports_wanted = reports_wanted
        self._on_foreign = on_foreign
        self._spawn = spawn
        # False: scripts may call any command (DEBUG SET-DISABLE-DENY-SCRIPTS).
        self.deny_in_scripts = True
        # Shard -> for whom it runs a script under a barrier.
        self._running: dict[int, Sender] = {}
        # Clients, by their ids, for whose scripts commands are carried out now; they themselves have sent none of them.
        self._foreign: set[int] = set()

    def in_script(self, client: int) -> bool:
        """True if a script of this client has called what runs for it now, outside of the shard of the script."""
        return client in self._foreign

    def reset(self) -> None:
        """RESPCACHE RESET: scripts may call what is for scripts."""
        self.deny_in_scripts = True

    def execute(self, sender: Sender, transaction: Transaction, watching: set[int]) -> Any:
        """EXEC: its reply, a coroutine of it, or IN_A_SLOT. Takes its place in the order before it returns.

        `watching`: the shards that hold keys which the client watches; the watches end with this.
        """
        commands = transaction.commands
        transaction.placed, transaction.may_fail = True, bool(watching)
        needed = watching.union(*(queued.plan.shards(self._router) for queued in commands))
        if _manages_scripts(transaction):
            needed.update(range(self._router.shards))  # no shard may be in the middle of a script
            sender.namespace.scripts.unsettled += 1
        # What comes with EVAL becomes known, but not if a watched key has changed; the shard alone would know that.
        ahead = not (watching and any(queued.row.reach is Reach.SCRIPT for queued in commands))
        if ahead and len(needed) == 1 and all(queued.plan.kind is Kind.ONE for queued in commands):
            words = [_current(sender, queued).argv for queued in commands]
            caller = sender.caller
            ticket = ExecTicket(Batch(sender.outbox, 1, 1), len(commands), caller.protocol, transaction.end)
            item = wire.execute(caller, bool(watching), words)
            self._links[needed.pop()].submit(item, ticket, sum(map(size_of_words, words)))
            return IN_A_SLOT
        return self._under_barrier(sender, transaction, watching, needed, self._sequencer.barrier(needed))

    async def _under_barrier(
        self, sender: Sender, transaction: Transaction, watching: set[int], shards: set[int], barrier: Barrier
    ) -> Reply:
        """EXEC of a transaction that needs several `shards`, or main. Errors of its commands are in the reply.

        Raises CommandError if a shard dies while its watches are checked. The barrier is lifted whatever happens;
        cancellation, at the end of the server, may leave the transaction half done.
        """
        sender.executing = transaction
        started = 0
        failed = True
        ran = False
        try:
            await barrier.reached()
            started = perf_counter_ns()
            client = sender.caller.client
            checks = [self._links[shard].call(wire.is_dirty(client)) for shard in watching]
            if any([await check.result() for check in checks]):
                failed = False
                return NULL_ARRAY
            ran = True
            replies = await self._run(sender, transaction.commands)
            await self._settle(shards)
            failed = False
            return Encoded(b"*%d\r\n%b" % (len(replies), b"".join(replies)))
        finally:
            if started:
                elapsed = perf_counter_ns() - started
                self._counting.ran(TABLE[_EXEC[0]], _EXEC, sender.caller, elapsed, failed=failed)
            sender.executing = None
            if _manages_scripts(transaction):
                sender.namespace.scripts.unsettled -= 1
            barrier.lift()
            transaction.end(ran)

    async def _run(self, sender: Sender, commands: list[Queued]) -> list[bytes]:
        """All commands, one reply each."""
        replies: list[bytes] = []
        together: list[Queued] = []
        room = _AT_ONCE
        one = Kind.ONE
        for queued in commands:
            kind = queued.plan.kind
            if kind is one:
                together.append(_current(sender, queued))
                continue
            if kind in _CUT_UP:
                together.append(queued)
                room -= _OVERHEAD + size_of_words(queued.argv)
                if room >= 0:
                    continue
            replies += await self._run_together(sender.caller, together)
            together, room = [], _AT_ONCE
            if kind not in _CUT_UP:
                replies.append(await self._run_one(sender, queued))
        return replies + await self._run_together(sender.caller, together)

    async def _run_together(self, caller: Caller, commands: list[Queued]) -> list[bytes]:
        """Consecutive commands of which the shards can be sent everything at once."""
        ordered = self._reports_wanted()
        sent: deque[_Sent] = deque()
        one = Kind.ONE
        for whole, group in groupby(enumerate(commands), key=lambda entry: entry[1].plan.kind is one):
            if whole:
                entries = list(group)
                for shard, indexes in _by_neighbours(entries) if ordered else _by_shard(entries):
                    item = wire.execute(caller, False, [commands[index].argv for index in indexes])
                    sent.append(_Sent(indexes, [(self._links[shard].queue.call(item, keep_reports=ordered), [])]))
            else:
                sent += [_Sent([index], self._call_parts(caller, queued, ordered)) for index, queued in group]
        self._sequencer.flush()
        replies = [b""] * len(commands)
        while sent:  # what has been answered is not kept
            indexes, calls = sent.popleft()
            queued = commands[indexes[0]]
            if queued.plan.kind is Kind.ONE:
                answers = await self._answers(calls[0][0], len(indexes))
            else:
                answers = [await self._merged(caller, queued, calls)]
            for index, answer in zip(indexes, answers, strict=True):
                replies[index] = answer
        return replies

    def _call_parts(self, caller: Caller, queued: Queued, keep_reports: bool) -> list[tuple[Call, list[int]]]:
        """The parts of a SPLIT or ALL, with the positions of their keys."""
        row, argv, plan = queued
        if empties(row, argv):
            self._sequencer.on_flush(caller)
        return [
            (self._links[shard].queue.call(wire.part(caller, words), keep_reports), positions)
            for shard, words, positions in cut_up(row, argv, plan, self._router)
        ]

    async def _answers(self, call: Call, count: int) -> list[bytes]:
        """The replies to some commands that one shard runs."""
        try:
            answers: list[bytes] = await call.result()
        except CommandError as error:
            answers = [error.line()] * count
        self._hand_on_reports(call)
        return answers

    async def _merged(self, caller: Caller, queued: Queued, calls: list[tuple[Call, list[int]]]) -> bytes:
        """The reply to a SPLIT or ALL."""
        error = None
        parts = []
        elapsed = 0
        for call, positions in calls:
            try:
                reply, nanoseconds = await call.result()
                parts.append(Part(reply, positions))
                elapsed += nanoseconds
            except CommandError as failure:
                error = error or failure
            self._hand_on_reports(call)
        return merged(queued.row, queued.argv, caller, error or parts, elapsed, self._counting)

    def _hand_on_reports(self, call: Call) -> None:
        for report in call.reports or ():
            self._on_report(report)

    async def _run_one(self, sender: Sender, queued: Queued) -> bytes:
        """One command that cannot be sent ahead; its reply, or its error, encoded."""
        row, argv, plan = queued
        caller = sender.caller
        try:
            match plan.kind:
                case Kind.LOCAL:
                    reply = await self._run_local(sender, row, argv)
                    # By the caller of now: HELLO changes the protocol of its own reply.
                    return b"" if reply is IN_A_SLOT else encode(reply, sender.caller.protocol)
                case Kind.CURSOR:
                    return await self._scan(caller, row, argv)
                case Kind.SCRIPT:
                    return await self._run_script(sender, _current(sender, queued))
                case _:
                    return await self._carrier.carry(caller, row, argv, plan.positions)
        except CommandError as error:
            self._counting.count_error(error)
            return error.line()

    async def _run_local(self, sender: Sender, row: Command, argv: Argv) -> Any:
        caller = sender.caller
        times: list[int] = []
        failed = True
        started = perf_counter_ns()
        try:
            reply = sender.run_local(row, argv)
            times.append(perf_counter_ns() - started)
            if iscoroutine(reply):
                reply = await at_work(reply, times.append)
            failed = False
        finally:
            self._counting.ran(row, argv, caller, sum(times) or perf_counter_ns() - started, failed=failed)
        return reply

    # -- libraries of functions

    def change_libraries(self, sender: Sender, change: Callable[[], Any]) -> Any:
        """Call `change` under a barrier over all shards; EXEC has placed it already. The reply, or a coroutine of it.

        It is OK if `change` returns None, or an awaitable of it.
        """
        if sender.executing is not None:
            return self._changed(change)
        scripts = sender.namespace.scripts
        scripts.unsettled += 1
        return self._change_libraries(scripts, change, self._sequencer.barrier(range(self._router.shards)))

    async def _change_libraries(self, scripts: Scripts, change: Callable[[], Any], barrier: Barrier) -> Reply:
        try:
            await barrier.reached()
            return await self._changed(change)
        finally:
            scripts.unsettled -= 1
            barrier.lift()

    async def _changed(self, change: Callable[[], Any]) -> Reply:
        reply = change()
        if isawaitable(reply):
            reply = await reply
        return OK if reply is None else reply

    # -- scripts that need a barrier

    async def run_script(self, sender: Sender, queued: Queued, barrier: Barrier) -> Reply:
        """A script that is no part of a transaction. The barrier is lifted whatever happens."""
        try:
            await barrier.reached()
            reply = Encoded(await self._run_script(sender, queued))
            await self._settle(queued.plan.positions)
            return reply
        finally:
            barrier.lift()

    async def _run_script(self, sender: Sender, queued: Queued) -> bytes:
        """The reply of a script, encoded; errors are encoded, too. The caller holds the barrier, which was reached."""
        item = wire.execute(sender.caller, False, [queued.argv])
        link = self._links[queued.plan.shard]
        self._running[link.index] = sender
        try:
            (reply,) = await self._answers(link.call(item, asks=True), 1)
        finally:
            del self._running[link.index]
        return reply

    def run_foreign(self, shard: int, caller: tuple[int, int, int, bool], argv: Argv, read_only: bool) -> None:
        """A script on `shard` calls a command that is not for this shard alone. The shard waits for the reply."""
        link = self._links[shard]
        link.queue.asked()
        client = self._running.get(shard)
        if client is None:  # it was wrongly proven to need no barrier of its own: the script gets an error
            link.queue.reply(None)
        else:
            sender = _WithinScript(client, Caller(*caller))
            self._spawn(self._answer_foreign, link, link.restarts, sender, argv, read_only)

    async def _answer_foreign(
        self, link: ShardLink, lives: int, sender: _WithinScript, argv: Argv, read_only: bool
    ) -> None:
        """A task. `lives`: how often the shard had been restarted when it asked: its successor has asked nothing."""
        try:
            row = row_of(argv)
            try:
                admit(row, argv, read_only=read_only, deny=self.deny_in_scripts)
            except CommandError:
                self._counting.rejected(argv)
                raise
            assert row is not None
            self._foreign.add(sender.caller.client)
            try:
                (reply,) = await self._run(sender, [Queued(row, argv, plan(row, argv, self._router))])
            finally:
                self._foreign.discard(sender.caller.client)
            self._on_foreign(link.index, sender.caller.db, row, argv)
        except CommandError as error:
            self._counting.count_error(error)
            reply = error.line()
        except Exception:
            log_exception(f"{errors.printable(argv[0])} failed in a script")
            reply = CommandError(errors.INTERNAL).line()
        if link.restarts == lives:
            link.queue.reply(reply)
            link.flush()

    async def _scan(self, caller: Caller, row: Command, argv: Argv) -> bytes:
        scan = Scan(caller, row, argv, self._router.shards, self._counting)
        try:
            while not scan.take(await self._links[scan.shard].call(scan.item()).result()):
                pass
        except CommandError:
            scan.failed()
            raise
        return scan.reply


def _current(sender: Sender, queued: Queued) -> Queued:
    """A command of which it is the turn now: a script is called by its text then."""
    if queued.row.reach is not Reach.SCRIPT:
        return queued
    return queued._replace(argv=sender.namespace.scripts.words(queued.row, queued.argv))


def _manages_scripts(transaction: Transaction) -> bool:
    """True if SCRIPT or FUNCTION is among its commands."""
    return any(queued.row.group == "scripting" and queued.plan.kind is Kind.LOCAL for queued in transaction.commands)


def _by_shard(entries: list[tuple[int, Queued]]) -> list[tuple[int, list[int]]]:
    """(shard, indexes of its commands): one entry per shard."""
    indexes: dict[int, list[int]] = {}
    for index, queued in entries:
        indexes.setdefault(queued.plan.shard, []).append(index)
    return list(indexes.items())


def _by_neighbours(entries: list[tuple[int, Queued]]) -> list[tuple[int, list[int]]]:
    """(shard, indexes of commands that follow each other): in the order of the commands."""
    return [
        (shard, [index for index, _ in neighbours])
        for shard, neighbours in groupby(entries, key=lambda entry: entry[1].plan.shard)
    ]
