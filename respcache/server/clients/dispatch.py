"""One command of one client: checked, planned, and given its place in the global order.

This is the general way. Consecutive commands with one key each take the fast path of
`respcache.server.clients.conversation`, which leads to the same place.
"""

from __future__ import annotations

from inspect import iscoroutine
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from respcache import errors
from respcache.commands.table import Command, Reach, lookup
from respcache.errors import CommandError
from respcache.logs import log, log_exception
from respcache.resp.encode import encode
from respcache.resp.types import QUEUED, Encoded, Reply
from respcache.server.clients.checks import CHECKS, WHILE_QUEUING, WHILE_SUBSCRIBED, held_by_pause
from respcache.server.clients.client import IN_COMMAND, IN_PAUSE, IN_WAIT, Client
from respcache.server.order.exec import Queued
from respcache.server.order.outbox import IN_A_SLOT, Batch
from respcache.server.order.plan import Kind, plan
from respcache.server.services.interception import Held
from respcache.server.services.times import at_work

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from respcache.resp.types import Argv
    from respcache.server.order.plan import Plan
    from respcache.server.parts import Parts
    from respcache.server.services.interception import Tap
    from respcache.server.shards.queue import Barrier
    from respcache.store.call import Caller

# What an HTTP request has for commands. A web page can make a browser send one here; its body might follow as commands.
_OF_BROWSERS = (b"POST", b"HOST:")
# How the wire names of CLIENT's subcommands begin.
_OF_CLIENT = "client|"
# Answered by out-of-band data, which CLIENT REPLY does not switch off.
_CONFIRMED = frozenset(name for name in WHILE_SUBSCRIBED if name.endswith("SUBSCRIBE"))


def dispatch(client: Client, argv: Argv) -> bool:
    """Carry out, queue or refuse a command. False if it is held back: it is to be dispatched again then."""
    row, refusal = None, None
    try:
        row = _admit(client, argv)
        if held_by_pause(client, row, argv):
            client.suspend(IN_PAUSE)
            client.namespace.pause.hold(client)
            return False
    except CommandError as error:
        refusal = error
    taps: tuple[Tap, ...] = ()
    if client.parts.interception.active:
        try:
            taps, refusal = client.parts.interception.command(client, row, argv, refusal)
        except Held:
            return False
        if client.closing:
            return True  # a fault has hung up
    client.parts.stats.commands += 1
    before = len(client.outbox.slots)
    muted = client.begin_command()
    try:
        if refusal is not None:
            if client.transaction is not None and argv[0].upper() != b"EXEC":
                client.transaction.aborted = True
            client.parts.times.rejected(argv)
            raise refusal
        assert row is not None
        _run_or_queue(client, row, argv)
    except CommandError as error:
        _refuse(client, argv, error)
    except Exception:
        log_exception(f"{errors.printable(argv[0])} failed")
        _answer(client, CommandError(errors.INTERNAL).line())
    finally:
        if taps:
            _tap(client, before, taps)
        if muted:
            _mute(client, row, before)
        client.end_command()
        if client.tracking is not None:
            _end_caching(client, row)
    return True


def _admit(client: Client, argv: Argv) -> Command:
    """The row of the command, if it may run or be queued. Raises CommandError; within MULTI that aborts EXEC."""
    row = None
    try:
        row = lookup(argv)
        client.last_command = row.wire_name
        if row.guarded or not client.plain:  # a plain client passes all other checks
            for check in CHECKS:
                check(client, row)
    except CommandError as error:
        if row is None:
            client.parts.missing.called(argv)
        if argv[0].upper() == b"EXEC":  # such as EXEC with arguments: even so, it ends the transaction
            client.discard()
            raise errors.exec_aborted_by(error) from None
        if client.transaction is not None:
            client.transaction.aborted = True
        raise
    return row


def _run_or_queue(client: Client, row: Command, argv: Argv) -> None:
    queued = client.transaction is not None and row.name not in WHILE_QUEUING
    words = argv
    if row.reach is Reach.SCRIPT:
        if client.wants_debugger and row.name.startswith("EVAL"):
            # redis-cli --ldb does not look at the reply to SCRIPT DEBUG, and takes what EVAL did in a session back.
            client.wants_debugger = False
            raise CommandError(errors.NO_DEBUGGER)
        how = client.namespace.scripts.plan(row, argv, queued=queued)
        if not queued:
            words = client.namespace.scripts.words(row, argv)
    else:
        how = plan(row, argv, client.parts.router, may_wait=client.transaction is None)
    if not queued and client.tracking is not None and client.tracking.caching:
        client.parts.tracking.begin_command(client, _shards_read(client, row, how))
    if queued:
        assert client.transaction is not None
        if not client.transaction.aborted:  # else they will not run
            client.transaction.add(Queued(row, argv, how))
        _answer(client, encode(QUEUED, client.protocol))
    elif client.parts.monitoring.active:
        _route_and_show(client, row, argv, words, how)
    else:
        route(client, row, words, how)


def _route_and_show(client: Client, row: Command, argv: Argv, words: Argv, how: Plan) -> None:
    """The same while there are monitors. As in Redis they see also what fails, and the database after the command.

    `words`: for shards; `argv`: as the client has sent it.
    """
    transaction = client.transaction if row.name == "EXEC" else None
    try:
        route(client, row, words, how)
    finally:
        client.parts.monitoring.show(client, row, argv, how, transaction)


def _shards_read(client: Client, row: Command, how: Plan) -> Sequence[int]:
    """Where a command may read keys."""
    return range(client.parts.router.shards) if row.name == "EXEC" else [*how.positions]


def _end_caching(client: Client, row: Command | None) -> None:
    """After a command of a client that tracks: CLIENT CACHING was about this one, unless it is of CLIENT as well.

    As in Redis it may have been refused; and MULTI and what it queues do not count, but EXEC does. A command that waits
    is not done yet.
    """
    waits = client.suspended & (IN_COMMAND | IN_WAIT)
    if client.transaction is None and not waits and not (row is not None and row.wire_name.startswith(_OF_CLIENT)):
        client.parts.tracking.end_command(client)


def _refuse(client: Client, argv: Argv, error: CommandError) -> None:
    """Answer with the error; hang up on what a browser sends."""
    if argv[0].upper() in _OF_BROWSERS:
        message = f"Closed {client.transport.peer}: it speaks HTTP; that may be an attack through a browser."
        log.warning(message, kind="http")
        client.close()
        return
    client.parts.stats.count_error(error)
    _answer(client, error.line())


def route(client: Client, row: Command, argv: Argv, how: Plan) -> None:
    """Give the command its place in the global order; answer it if main can."""
    parts = client.parts
    match how.kind:
        case Kind.LOCAL:
            _run_local(client, row, argv)
        case Kind.WAIT:
            if len(how.positions) == 1:
                parts.waits.start(client, row, argv, how.shard)
            else:
                parts.claims.start(client, row, argv, how)
        case Kind.ONE:
            parts.sequencer.one(client.caller, client.outbox, argv, how.shard)
        case Kind.SPLIT | Kind.ALL:
            parts.sequencer.gather(client.caller, client.outbox, row, argv, how)
        case Kind.CURSOR:
            parts.sequencer.scan(client.caller, client.outbox, row, argv)
        case Kind.CARRY:
            barrier = parts.sequencer.barrier(how.positions)
            _await_reply(client, _run_carried(parts, barrier, client.caller, row, argv, how))
        case Kind.SCRIPT:
            barrier = parts.sequencer.barrier(how.positions)
            _await_reply(client, parts.executor.run_script(client, Queued(row, argv, how), barrier))


def _run_local(client: Client, row: Command, argv: Argv) -> None:
    """Carry out a command of main, and count it."""
    times, caller = client.parts.times, client.caller
    started = perf_counter_ns()
    try:
        reply = client.run_local(row, argv)
    except CommandError:
        times.ran(row, argv, caller, perf_counter_ns() - started, failed=True)
        raise
    elapsed = perf_counter_ns() - started
    if iscoroutine(reply):
        _await_reply(client, reply if row.name == "EXEC" else _counted(client, row, argv, elapsed, reply))
        return
    in_a_slot = reply is IN_A_SLOT
    if not (in_a_slot and row.name == "EXEC"):  # which is counted by whoever carries it out
        times.ran(row, argv, caller, elapsed)
    if not in_a_slot:
        _answer(client, encode(reply, client.protocol))


async def _counted(client: Client, row: Command, argv: Argv, took: int, reply: Coroutine[Any, Any, Reply]) -> Reply:
    """The reply of a command of main that awaits something, such as shards that have other things to do.

    What main does for it is its time, and no more: others would seem to be slow along with a slow one.
    """
    caller, failed = client.caller, True
    times = [took]
    try:
        result: Reply = await at_work(reply, times.append)
        failed = False
        return result
    finally:
        client.parts.times.ran(row, argv, caller, sum(times), failed=failed)


async def _run_carried(parts: Parts, barrier: Barrier, caller: Caller, row: Command, argv: Argv, how: Plan) -> Reply:
    """Run a CARRY. The barrier is lifted whatever happens, cancellation included."""
    try:
        await barrier.reached()
        reply = Encoded(await parts.carrier.carry(caller, row, argv, how.positions))
        await parts.claims.settle(how.positions)
        return reply
    finally:
        barrier.lift()


def _await_reply(client: Client, reply: Coroutine[Any, Any, Reply]) -> None:
    """Suspend the client until a coroutine has its reply."""
    batch = Batch(client.outbox, 1, 1)
    client.suspend(IN_COMMAND)
    client.parts.spawn(_finish, client, reply, batch)


async def _finish(client: Client, reply: Coroutine[Any, Any, Reply], batch: Batch) -> None:
    """A task: put the reply into its slot, and let the client go on. Cancelled only when the server ends."""
    try:
        data = encode(await reply, client.protocol)
    except CommandError as error:
        client.parts.stats.count_error(error)
        data = error.line()
    except Exception:
        log_exception(f"{client.last_command!r} failed")
        data = CommandError(errors.INTERNAL).line()
    # One round: what the coroutine has queued last (a barrier was lifted) is sent with what the client goes on with.
    with client.parts.poller.round():
        batch.data = data
        batch.arrived()
        if client.tracking is not None and not str(client.last_command).startswith(_OF_CLIENT):
            client.parts.tracking.end_command(client)
        client.resume(IN_COMMAND)


def _answer(client: Client, data: bytes) -> None:
    """The reply to the current command, known already."""
    Batch(client.outbox, 1, 0, data)
    client.outbox.ready()


def _tap(client: Client, before: int, taps: tuple[Tap, ...]) -> None:
    """Let taps see the reply, which is in the slot `before`, or was not to be."""
    slots = client.outbox.slots
    if len(slots) == before:
        Batch(client.outbox, 0, 0)
        client.outbox.ready()
    slots[before].taps = taps


def _mute(client: Client, row: Command | None, before: int) -> None:
    """CLIENT REPLY OFF or SKIP: the last command is not answered, unless it turned replies back on.

    Its replies, present or to come, are in the slots from `before` on.
    """
    confirmed = row is not None and row.name in _CONFIRMED and client.transaction is None  # within MULTI: QUEUED
    if client.heard or confirmed:
        return
    slots = client.outbox.slots
    for index in range(before, len(slots)):
        slots[index].muted = True
