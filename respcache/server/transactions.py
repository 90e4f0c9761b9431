"""Commands that need several shards at one moment: carried commands, and MULTI/EXEC.

They hold a barrier in the queues of their shards. When it has come to the front of all of them, nobody else's command
runs there, and the transaction talks to the shards directly. Barriers are placed in one step by one sequencer, so no
two transactions can wait for each other.
"""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from respcache import errors
from respcache.commands.args import Args
from respcache.commands.table import Command, Part, Reach
from respcache.errors import CommandError
from respcache.resp.encode import encode
from respcache.resp.types import NULL_ARRAY, Encoded, Reply
from respcache.server.replies import IN_A_SLOT, Batch, merge
from respcache.server.scan import Scan
from respcache.shard import wire

if TYPE_CHECKING:
    from respcache.server.server import Server
    from respcache.server.session import Session
    from respcache.server.shard_link import Barrier

Argv = list[bytes]
Places = dict[int, list[int]]
Place = tuple[int, bytes]  # database, key
Guest = tuple[Any, ...]  # see respcache.shard.wire

# How often a command may find out that it needs further keys: SORT does so for BY, and once more for GET.
_MAX_CARRIES = 4


class Transaction:
    """What a client has queued since MULTI. `aborted`: a command was refused, so EXEC must fail."""

    __slots__ = ("aborted", "commands")

    def __init__(self) -> None:
        self.commands: list[tuple[Command, Argv]] = []
        self.aborted = False


async def carry(server: Server, barrier: Barrier, session: Session, row: Command, argv: Argv, places: Places) -> Reply:
    """Run one command whose keys sit on several shards, on the shard of its first key."""
    try:
        await barrier.reached()
        return Encoded(await _carry(server, session, row, argv, places))
    finally:
        barrier.lift()


async def _carry(server: Server, session: Session, row: Command, argv: Argv, places: Places) -> bytes:
    """With the barrier held: borrow the foreign keys, run the command at home, hand back what it changed.

    A command that turns out to need further keys has changed nothing: it says which, and runs again with them.
    """
    home = server.links[server.router.shard_of(argv[row.key_positions(argv)[0]])]
    databases = row.key_databases(argv, session.db)
    # Keys in a database that there is not stay where they are: the handler says what is wrong.
    foreign = {
        (databases[at], argv[at]): shard
        for shard, at_all in places.items()
        for at in at_all
        if databases[at] < server.config.databases
    }
    context = (session.db, session.protocol, session.id, session.touch)
    for _ in range(_MAX_CARRIES):
        foreign = {place: shard for place, shard in foreign.items() if shard != home.index}
        guests = await _borrow(server, foreign)
        reply, changed, required = await home.call((wire.CARRY, *context, argv, guests))
        if not required:
            await _hand_back(server, foreign, changed)
            encoded: bytes = reply
            return encoded
        foreign |= {(db, key): server.router.shard_of(key) for db, key in required}
    raise CommandError(errors.INTERNAL)


async def _borrow(server: Server, foreign: dict[Place, int]) -> list[Guest]:
    """The values of keys that live on other shards than the one they are for."""
    wanted: dict[int, list[Place]] = {}
    for place, shard in foreign.items():
        wanted.setdefault(shard, []).append(place)
    calls = [(places, server.links[shard].call_soon((wire.BORROW, places))) for shard, places in wanted.items()]
    guests: list[Guest] = []
    for places, call in calls:
        for place, lent in zip(places, await call.result(), strict=True):
            guests.append((*place, *(lent or (None, None, None))))
    return guests


async def _hand_back(server: Server, owners: dict[Place, int], changed: list[Guest]) -> None:
    returns: dict[int, list[Guest]] = {}
    for guest in changed:
        returns.setdefault(owners[guest[0], guest[1]], []).append(guest)
    for call in [server.links[shard].call_soon((wire.HAND_BACK, guests)) for shard, guests in returns.items()]:
        await call.result()


# -- MULTI/EXEC


def execute(session: Session, transaction: Transaction) -> Any:
    """EXEC: its reply, a coroutine of it, or IN_A_SLOT. Takes its place in the order before it returns."""
    server = session.server
    commands = transaction.commands
    watching = set(session.watching)
    lost, session.watch_lost = session.watch_lost, False
    session.watching.clear()
    if lost:
        for shard in watching:
            server.links[shard].call_soon((wire.UNWATCH, session.id))
        return NULL_ARRAY
    needed, all_plain = _needs(server, commands)
    needed |= watching
    if all_plain and len(needed) == 1:
        # One shard, one frame: no barrier, and the client's next commands need not wait for it.
        ticket = ExecTicket(session, len(commands))
        words = [argv for _, argv in commands]
        server.links[needed.pop()].submit(_exec_item(session, bool(watching), words), ticket)
        return IN_A_SLOT
    return _execute_under_barrier(session, server.sequencer.barrier(needed), watching, transaction)


def _needs(server: Server, commands: list[tuple[Command, Argv]]) -> tuple[set[int], bool]:
    """The shards of the commands, and whether each of them runs whole on one shard."""
    needed: set[int] = set()
    all_plain = True
    for row, argv in commands:
        if row.reach is Reach.KEYS:
            places = server.router.places(row, argv)
            needed.update(places)
            all_plain = all_plain and len(places) == 1
        else:
            all_plain = False
            if row.reach is not Reach.LOCAL:
                needed.update(range(server.router.shards))
    return needed, all_plain


class ExecTicket:
    """Ticket of a transaction that runs in one frame of one shard."""

    __slots__ = ("_batch", "_count")

    def __init__(self, session: Session, count: int) -> None:
        self._batch = Batch(session, 1, 1)
        self._count = count
        session.outbox.expect(self._batch)

    def deliver(self, result: list[bytes] | None) -> None:
        if result is None:
            self._batch.data = encode(NULL_ARRAY, self._batch.session.protocol)
        else:
            self._batch.data = b"*%d\r\n%b" % (self._count, b"".join(result))
        self._batch.arrived()

    def fail(self, error: CommandError) -> None:
        self._batch.data = error.line()
        self._batch.arrived()


def _exec_item(session: Session, check: bool, commands: list[Argv]) -> wire.Item:
    return (wire.EXEC, session.id, session.protocol, session.touch, check, [(session.db, argv) for argv in commands])


async def _execute_under_barrier(
    session: Session, barrier: Barrier, watching: set[int], transaction: Transaction
) -> Reply:
    server = session.server
    commands = transaction.commands
    session.executing = transaction
    try:
        await barrier.reached()
        checks = [server.links[shard].call_soon((wire.IS_DIRTY, session.id)) for shard in watching]
        if any([await check.result() for check in checks]):
            return NULL_ARRAY
        replies: list[bytes] = []
        at = 0
        while at < len(commands):
            run = _consecutive(server, commands, at)
            if run is None:
                replies.append(await _run_one(session, *commands[at]))
                at += 1
            else:
                shard, count = run
                part = [argv for _, argv in commands[at : at + count]]
                replies += await server.links[shard].call(_exec_item(session, False, part))
                at += count
        return Encoded(b"*%d\r\n%b" % (len(commands), b"".join(replies)))
    finally:
        session.executing = None
        barrier.lift()


def _consecutive(server: Server, commands: list[tuple[Command, Argv]], start: int) -> tuple[int, int] | None:
    """The shard of the command at `start` and how many in a row are its; None if that command needs more."""
    home = None
    count = 0
    for row, argv in commands[start:]:
        places = server.router.places(row, argv) if row.reach is Reach.KEYS else {}
        if len(places) != 1 or (home is not None and home not in places):
            break
        home = next(iter(places))
        count += 1
    return None if home is None else (home, count)


async def _run_one(session: Session, row: Command, argv: Argv) -> bytes:
    """With the barrier held: one command of any reach; its reply, or its error, in bytes."""
    server = session.server
    try:
        match row.reach:
            case Reach.LOCAL:
                reply = row.handler(session, Args(argv, row.name.count(" ") + 1))
                if isawaitable(reply):
                    reply = await reply
                return b"" if reply is IN_A_SLOT else encode(reply, session.protocol)
            case Reach.CURSOR:
                return await _scan(session, argv)
            case Reach.KEYS if row.gather is None:
                return await _carry(server, session, row, argv, server.router.places(row, argv))
            case _:
                return await _gather(session, row, argv)
    except CommandError as error:
        server.stats.errors.count(error)
        return error.line()


async def _gather(session: Session, row: Command, argv: Argv) -> bytes:
    server = session.server
    places = server.router.places(row, argv) if row.reach is Reach.KEYS else {}
    context = (session.db, session.protocol, session.id, session.touch)
    parts = [
        (server.links[shard].call_soon((wire.PART, *context, words)), positions)
        for shard, words, positions in server.sequencer.parts(row, argv, places)
    ]
    error = None
    merged = []
    for call, positions in parts:
        succeeded, reply = await call.result()
        if not succeeded:
            error = error or CommandError(reply)
        merged.append(Part(reply, positions))
    return merge(row, merged, session.protocol, error)


async def _scan(session: Session, argv: Argv) -> bytes:
    scan = Scan(session, argv)
    while not scan.take(await session.server.links[scan.shard].call(scan.item())):
        pass
    return scan.reply
