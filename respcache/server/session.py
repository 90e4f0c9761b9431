"""One client's conversation, without I/O: bytes in through `feed`, bytes out through the transport, nothing awaited.

The hot path is `_run_of_simple`: consecutive commands with one key each, found in one dictionary, hashed, and handed to
the sequencer as one run for each shard. Everything that is not plain (MULTI, subscriptions, local commands, commands
over several shards, a client that has still to log in) goes one by one through `_dispatch`.

Replies are sent in the order of the commands, by the `Outbox`. Commands that need to wait in main (a coroutine) suspend
the session: what the client sends meanwhile stays queued here, and nothing more is read from it.
"""

from __future__ import annotations

from collections import deque
from inspect import iscoroutine
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from respcache import errors
from respcache.commands._args import Args
from respcache.commands._spec import TABLE, Command, Flag, Reach, lookup
from respcache.errors import CommandError
from respcache.logs import log, log_exception
from respcache.resp.decode import Decoder
from respcache.resp.encode import encode
from respcache.resp.types import QUEUED, Reply
from respcache.server.outbox import Outbox
from respcache.server.replies import IN_A_SLOT, Batch
from respcache.server.scan import Scan, ScanTicket
from respcache.server.transactions import Transaction, carry

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from respcache.resp.decode import Columns
    from respcache.server.server import Server

Argv = list[bytes]

# Allowed in RESP2 while a connection is subscribed, where every reply would look like a message.
_WHILE_SUBSCRIBED = frozenset(
    (b"SUBSCRIBE", b"PSUBSCRIBE", b"SSUBSCRIBE", b"UNSUBSCRIBE", b"PUNSUBSCRIBE", b"SUNSUBSCRIBE")
) | {b"PING", b"QUIT", b"RESET"}
# Answered by out-of-band data, which CLIENT REPLY does not switch off.
_CONFIRMED = frozenset(word for word in _WHILE_SUBSCRIBED if word.endswith(b"SUBSCRIBE"))
# What an HTTP request has for commands. A web page can make a browser send one here; its body might follow as commands.
_OF_BROWSERS = (b"POST", b"HOST:")
# So few unanswered commands that backpressure need not be thought about; the limits are configured, and looked up then.
_SURELY_FEW = 64
# Carried out at once in a MULTI, all others are queued.
_WHILE_QUEUING = frozenset(("EXEC", "DISCARD", "MULTI", "WATCH", "QUIT", "RESET"))


class Transport(Protocol):
    """What a session needs of its connection."""

    peer: str
    local: str

    def write(self, data: bytes) -> None:
        """Send, or keep until the peer takes it."""

    def pause_reading(self, paused: bool) -> None:
        """Stop or go on reading what the client sends."""

    def close(self, *, after_writing: bool = False) -> None:
        """Hang up; what was written before may still be sent first."""

    @property
    def unsent(self) -> int:
        """Bytes that the peer has not taken yet."""


# Fewest and most words, index of the key: all that the hot path wants to know of a command.
SimpleRow = tuple[int, int, int]


def simple_rows() -> dict[bytes, SimpleRow]:
    """The commands of the hot path, by the ways in which names are usually spelt."""
    return {
        spelling: (row.min_words, row.max_words, row.first_key)
        for name, row in TABLE.items()
        if row.first_key and not row.subcommands and not row.flags & (Flag.BLOCKING | Flag.NO_MULTI)
        for spelling in (name, name.lower())
    }


class Session:
    """State of one client. Times are milliseconds since the epoch."""

    def __init__(self, server: Server, transport: Transport, client_id: int) -> None:
        self.server = server
        self.transport = transport
        self.id = client_id
        self.db = 0
        self.protocol = 2
        self.name = b""
        self.library_name = b""
        self.library_version = b""
        self.created = self.last_active = server.clock.now_ms()
        self._last_argv: Argv = [b"NULL"]
        self.bytes_in = 0
        self.touch = True
        self.no_evict = False
        self.reply_mode = b"ON"  # ON, OFF, SKIP (for the next command only)
        self.heard = False  # whether the command that runs is answered although replies were off: it has turned them on
        self.transaction: Transaction | None = None
        self.executing: Transaction | None = None  # within EXEC, where nothing may wait
        self.watching: set[int] = set()  # shards that hold keys this session watches
        self.watch_lost = False  # one of those shards died: what it watched cannot be vouched for
        self.channels: dict[bytes, None] = {}
        self.patterns: dict[bytes, None] = {}
        self.shard_channels: dict[bytes, None] = {}
        self.outbox = Outbox(self)
        self.closing = False  # take no further command, close after the last answer
        self.closed = False
        self._input_ended = False
        self._decoder = Decoder(server.config.proto_max_bulk_len)
        self._waiting: deque[Argv] = deque()  # commands that came while the session is suspended
        self._suspended = False
        self._running = False  # within `_dispatch`
        self._pushed: list[bytes] = []  # by the command that is running, to its own client
        self._reading_paused = False
        self.authenticated = not server.config.requirepass
        self._decoder.authenticated = self.authenticated
        self.update_plain()

    # -- state

    def update_plain(self) -> None:
        """Whether commands may take the hot path; to be called when anything it depends on has changed."""
        self._plain = (
            self.authenticated
            and self.transaction is None
            and self.reply_mode == b"ON"
            and not (self.protocol == 2 and self.subscriptions)
            and not self.server.clients.paused
        )

    @property
    def buffered(self) -> int:
        """Bytes received that are no command yet."""
        return self._decoder.buffered

    @property
    def subscriptions(self) -> int:
        return len(self.channels) + len(self.patterns) + len(self.shard_channels)

    @property
    def busy(self) -> bool:
        """Whether the client has asked for something that it does not have yet."""
        return bool(self.outbox.slots or self._waiting or self.transport.unsent)

    @property
    def is_local(self) -> bool:
        """Whether the client is on this machine."""
        peer = self.transport.peer
        return peer.startswith(("127.", "[::1]", "[::ffff:127.")) or peer.endswith(":0")

    def is_among(self, whom: str) -> bool:
        """Whether the client is one of those whom a directive allows something: ``yes``, ``no``, or ``local`` ones."""
        return whom == "yes" or (whom == "local" and self.is_local)

    @property
    def last_command(self) -> str:
        """The wire name of the command that came last."""
        try:
            return lookup(self._last_argv).wire_name
        except CommandError:
            return "NULL"

    def log_in(self, authenticated: bool) -> None:
        self.authenticated = self._decoder.authenticated = authenticated
        self.update_plain()

    # -- input

    def feed(self, data: bytes) -> None:
        """Take what the client sent. Replies follow through the transport, now or later."""
        if self.closing:
            return
        self.bytes_in += len(data)
        self.last_active = self.server.clock.last_ms
        one_by_one = not self.authenticated  # any command may be the one that logs in, and ends the small limits
        commands = self._decoder.feed(data)
        while commands:
            if self._suspended:
                self._waiting.extend(commands)
            elif not (self._plain and self._decoder.columns and self._submit_alike(commands, self._decoder.columns)):
                self._execute(commands)
            commands = self._decoder.feed(b"") if one_by_one else []
        if self._decoder.error is not None:
            self._hang_up_on_bad_input()
        elif self._decoder.buffered > self.server.config.client_query_buffer_limit:
            self.close()
        if self.outbox.unanswered > _SURELY_FEW or self._waiting or self.transport.unsent or self.server.congested:
            self.apply_backpressure()

    def end_of_input(self) -> None:
        """The client will send nothing more: answer what it has sent, then close."""
        self._input_ended = True
        self._close_when_done()

    def _close_when_done(self) -> None:
        if (self.closing or self._input_ended) and not self.outbox.slots and not self._suspended:
            self.close(after_writing=True)

    def _hang_up_on_bad_input(self) -> None:
        if self._suspended or self.closing:
            return  # once the commands before it are done; and only once
        error = self._decoder.error
        assert error is not None
        self.closing = True
        self._answer(error.line())

    def _execute(self, commands: list[Argv]) -> None:
        at, count = 0, len(commands)
        while at < count and not self.closing:
            if self._suspended:
                self._waiting.extend(commands[at:])
                return
            if self._plain:
                at = self._run_of_simple(commands, at)
            if at < count:
                if self._plain and self._is_simple(commands[at]):
                    continue
                if commands[at]:
                    self._dispatch(commands[at])
                at += 1

    def _is_simple(self, argv: Argv) -> bool:
        row = self.server.simple.get(argv[0]) if argv else None
        return row is not None and row[0] <= len(argv) <= row[1]

    def _run_of_simple(self, commands: list[Argv], start: int) -> int:
        """Submit the commands from `start` on up to the first that is not simple; its index."""
        rows = self.server.simple
        keys: list[bytes] = []
        try:
            for argv in islice(commands, start, None) if start else commands:
                fewest, most, at = rows[argv[0]]
                if not fewest <= len(argv) <= most:
                    break
                keys.append(argv[at])
        except (KeyError, IndexError):
            pass  # another sort of command, or an empty one
        count = len(keys)
        if count:
            self._submit(commands if count == len(commands) else commands[start : start + count], keys)
        return start + count

    def _submit_alike(self, commands: list[Argv], columns: Columns) -> bool:
        """Submit commands that differ in their arguments only, if they are simple; whether they were submitted."""
        names = columns[0]
        row = self.server.simple.get(names[0])
        if row is None or not row[0] <= len(columns) <= row[1] or names.count(names[0]) != len(names):
            return False
        self._submit(commands, columns[row[2]])
        return True

    def _submit(self, run: list[Argv], keys: list[bytes]) -> None:
        server = self.server
        self._last_argv = run[-1]
        server.stats.commands += len(run)
        server.sequencer.run(self, run, server.router.shards_of(keys))

    # -- one command

    def _dispatch(self, argv: Argv) -> None:
        """Everything that Redis checks before a command runs, in its order; then the command."""
        self.server.stats.commands += 1
        muted = self.reply_mode != b"ON"
        if self.reply_mode == b"SKIP":  # used up now; the command may be another one
            self.reply_mode = b"ON"
        self.heard = False
        before = len(self.outbox.slots)
        self._running = True
        try:
            self._check_and_route(argv)
        except CommandError as error:
            if argv[0].upper() in _OF_BROWSERS:
                message = f"Closed {self.transport.peer}: it speaks HTTP; that may be an attack through a browser."
                log.warning(message, kind="http")
                self.close()
                return
            self.server.stats.errors.count(error)
            self._answer(error.line())
        except Exception:
            log_exception(f"{errors.printable(argv[0])} failed")
            self._answer(CommandError(errors.INTERNAL).line())
        finally:
            self._running = False
        if muted:
            self._mute(before)
        if self._pushed:
            pushed, self._pushed = self._pushed, []
            self.push(b"".join(pushed))

    def _mute(self, before: int) -> None:
        """CLIENT REPLY: nobody hears what the last command answered, unless it has turned replies on."""
        self.update_plain()
        if self.heard or self._last_argv[0].upper() in _CONFIRMED:
            return
        slots = self.outbox.slots
        for index in range(before, len(slots)):
            slots[index].muted = True

    def _check_and_route(self, argv: Argv) -> None:
        try:
            row = lookup(argv)
            self._last_argv = argv
            self._check(row)
        except CommandError as error:
            if argv[0].upper() == b"EXEC":  # such as EXEC with arguments: even so, it ends the transaction
                self.discard()
                raise CommandError(f"{errors.EXEC_ABORTED_BY} {error.text.removeprefix('ERR ')}") from None
            if self.transaction is not None:
                self.transaction.aborted = True
            raise
        transaction = self.transaction if row.name not in _WHILE_QUEUING else None
        if transaction is not None and row.flags & Flag.NO_MULTI:
            transaction.aborted = True
            raise CommandError(errors.NOT_IN_MULTI)
        if self.server.clients.holds_back(self, row):
            self.suspend()
            self._waiting.append(argv)
            self.server.clients.wait_for_unpause(self)
        elif transaction is not None:
            transaction.commands.append((row, argv))
            self._answer(encode(QUEUED, self.protocol))
        else:
            self.route(row, argv)

    def discard(self) -> None:
        """Forget what was queued since MULTI, and what was watched."""
        self.transaction = None
        self.server.sequencer.unwatch(self)
        self.update_plain()

    def _check(self, row: Command) -> None:
        if row.flags & Flag.PROTECTED and not self.is_among(self.server.config.enable_debug_command):
            raise CommandError(errors.DEBUG_NOT_ALLOWED)
        if not self.authenticated and not row.flags & Flag.NO_AUTH:
            raise CommandError(errors.NO_AUTH)
        if self.protocol == 2 and self.subscriptions and row.name.encode() not in _WHILE_SUBSCRIBED:
            raise CommandError(
                f"ERR Can't execute '{row.wire_name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
                "are allowed in this context"
            )

    def route(self, row: Command, argv: Argv) -> None:
        """Give the command its place in the global order; answer it if main can."""
        sequencer = self.server.sequencer
        match row.reach:
            case Reach.LOCAL:
                reply = row.handler(self, Args(argv, row.name.count(" ") + 1))
                if iscoroutine(reply):
                    self._await_reply(reply)
                elif reply is not IN_A_SLOT:
                    self._answer(encode(reply, self.protocol))
            case Reach.ALL:
                sequencer.gather(self, row, sequencer.parts(row, argv, {}))
            case Reach.CURSOR:
                self._scan(argv)
            case Reach.KEYS:
                places = sequencer.router.places(row, argv)
                if len(places) == 1:
                    sequencer.run(self, [argv], bytes(places))
                elif row.gather is not None:
                    sequencer.gather(self, row, sequencer.parts(row, argv, places))
                else:
                    barrier = sequencer.barrier(set(places))
                    self._await_reply(carry(self.server, barrier, self, row, argv, places))

    def _scan(self, argv: Argv) -> None:
        scan = Scan(self, argv)
        batch = Batch(self, 1, 1)
        self.outbox.expect(batch)
        ScanTicket(batch, scan).submit()

    def _await_reply(self, reply: Coroutine[Any, Any, Reply]) -> None:
        """Suspend the session until a coroutine has its reply."""
        batch = Batch(self, 1, 1)
        self.outbox.expect(batch)
        self.suspend()
        self.server.spawn(self._finish, reply, batch)

    async def _finish(self, reply: Coroutine[Any, Any, Reply], batch: Batch) -> None:
        try:
            batch.data = encode(await reply, self.protocol)
        except CommandError as error:
            self.server.stats.errors.count(error)
            batch.data = error.line()
        except Exception:
            log_exception(f"{self.last_command} failed")
            batch.data = CommandError(errors.INTERNAL).line()
        batch.arrived()
        self.resume()

    def suspend(self) -> None:
        """Take no further command until `resume`."""
        self._suspended = True

    def resume(self) -> None:
        """Go on with the commands that came in the meantime."""
        self._suspended = False
        waiting = list(self._waiting)
        self._waiting.clear()
        if not self.closed:
            self._execute(waiting)
            if self._decoder.error is not None:
                self._hang_up_on_bad_input()
            self.apply_backpressure()
            self._close_when_done()
        # This may be a task, outside of the poller's rounds: nobody else would send what has been queued here.
        self.server.sequencer.flush()

    # -- output

    def _answer(self, data: bytes) -> None:
        """The reply to the current command, known already."""
        self.outbox.expect(Batch(self, 1, 0, data))
        self.outbox.answered()

    def push(self, data: bytes) -> None:
        """Send out-of-band data: after the replies that are under way, as the order of things was."""
        if self._running:
            self._pushed.append(data)  # the command's own reply comes first
        else:
            self.outbox.push(data)

    def flushed(self) -> None:
        """Replies went out: that may have been the last one, or there may be room for more commands."""
        self._close_when_done()
        if self._reading_paused and not self.closed:
            self.apply_backpressure()

    def apply_backpressure(self) -> None:
        """Read nothing more from a client that has too much unanswered, or does not take its replies."""
        config = self.server.config
        paused = (
            self.outbox.unanswered > config.client_max_unanswered
            or self.transport.unsent > config.client_output_pause
            or len(self._waiting) > config.client_max_unanswered
        )
        if self.server.congested:
            paused = True
            self.server.stalled.append(self)
        if paused != self._reading_paused:
            self._reading_paused = paused
            self.transport.pause_reading(paused)

    # -- the end

    def close(self, *, after_writing: bool = False) -> None:
        """End the conversation and give back all it holds."""
        if self.closed:
            return
        self.closed = self.closing = True
        self.server.stats.bytes_in += self.bytes_in
        self.server.stats.bytes_out += self.outbox.bytes_out
        self.server.sequencer.unwatch(self)
        self.server.pubsub.forget(self)
        self.server.clients.remove(self)
        self.transaction = None
        self._waiting.clear()
        self.transport.close(after_writing=after_writing)
