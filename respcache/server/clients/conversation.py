"""One client's conversation, without I/O: bytes in through `feed`, bytes out through the transport, nothing awaited.
The HTTP door has commands already, and brings them in through `carry_out`.

Bytes become commands in the decoder. Consecutive commands with one key each, the vast majority, take the fast path:
each name is found in one dictionary, the keys are hashed, and all of them go to the sequencer as one run per shard.
With one shard any command about keys does so, unless it may wait.
Every other command, and every command of a client that is not `plain` (in MULTI, subscribed, not logged in ...), goes
through `dispatch`, one by one.

While the client is suspended nothing is carried out. What it sends is kept as it was received. A client that writes
its whole pipeline before it reads the first reply must not hang: as long as it leaves replies unread, it is read
from, up to ``client-query-buffer-limit``. Otherwise the reason will go away without its help, so it is read from only
a little further, and TCP makes it wait. What was kept is carried out in portions, one per round, so that the others
have their turns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.table import TABLE, Command, Flag, Reach, Waits
from respcache.logs import log, log_exception
from respcache.resp.decode import Decoder
from respcache.server.clients.client import IN_PAUSE, IN_WAIT, OUTPUT_WAITS, Client
from respcache.server.clients.dispatch import dispatch
from respcache.server.clients.limits import OutputLimit
from respcache.server.order.outbox import Batch, Outbox
from respcache.server.order.sequencer import size_of_words

if TYPE_CHECKING:
    from respcache.resp.types import Argv, Columns
    from respcache.server.io.transport import Transport
    from respcache.server.parts import Parts

# How much of what was kept is decoded at once: as much as is received at once.
_PORTION = 1 << 16
# How many bytes of replies main makes for one client in a round: large ones, such as CLIENT LIST's, take time to make.
_PRODUCED = 1 << 18
# How much is kept of a client that need not be read from.
_KEPT = 1 << 20
# The wire format ends at 4 GiB per frame and 2 GiB per word; no limit may be set beyond.
_LONGEST_COMMAND = 3 << 30
_LONGEST_WORD = (1 << 31) - 1024


# Fewest and most words, index of the key, a function that tells whether a call may wait, if any does, and whether calls
# are so brief that their times need not be told apart: all that the fast path needs to know of a command.
FastRow = tuple[int, int, int, Waits | None, bool]
# It sets one value, although it has not the flag `fast`: it may free a large one.
_BRIEF = frozenset(("SET",))


def fast_rows(shards: int) -> dict[bytes, FastRow]:
    """The commands of the fast path, by the ways in which names are usually spelt."""
    return {
        spelling: (
            row.min_words,
            row.max_words,
            key,
            row.waits if row.blocking else None,
            bool(row.flags & Flag.FAST) or row.name in _BRIEF,
        )
        for name, row in TABLE.items()
        if (key := _fast_key(row, shards))
        for spelling in (name, name.lower())
    }


def _fast_key(row: Command, shards: int) -> int:
    """The index of the key that says where a command runs; 0 if it takes the long way.

    With one shard it does not matter where keys are: any command about keys may be fast.
    """
    if row.reach is not Reach.KEYS or row.subcommands or row.flags & Flag.NO_MULTI:
        return 0
    if shards == 1:
        return 1
    return 0 if row.blocking else row.first_key


class Conversation:
    """The `Receiver` of a client's transport, the `Sink` of its outbox, and the `Input` of its `Client`."""

    def __init__(self, parts: Parts, transport: Transport, client_id: int, fast: dict[bytes, FastRow]) -> None:
        self._parts = parts
        self._transport = transport
        self._fast = fast  # the commands of the fast path
        self._router = parts.router
        self._sequencer = parts.sequencer
        self._outbox = Outbox(self, parts.outboxes, parts.config.client_max_unanswered)
        self.client = Client(parts, transport, client_id, self._outbox)
        self.client.input = self
        self._output_limit = OutputLimit(self.client)
        self._decoder = Decoder(min(parts.config.proto_max_bulk_len, _LONGEST_WORD))
        self._decoder.authenticated = self.client.authenticated
        # Decoded commands that came before the client was suspended, and have not been carried out.
        self._waiting: list[Argv] = []
        self._waiting_size = 0
        # Bytes that came since.
        self._unread = bytearray()
        # The decoder holds bytes back that may be whole commands.
        self._undecoded = False
        self._input_ended = False  # the client will send nothing more
        self._proceeding = False  # `proceed` is called by the next round
        self._stalled = False  # some shard has too much queued
        self._reading = True  # the transport reads

    # -- input

    def feed(self, data: bytes) -> None:
        """Take what the client sent. Replies follow through the transport, now or later."""
        client = self.client
        if client.closing:
            return
        stats = self._parts.stats
        stats.bytes_in += len(data)
        stats.reads += 1
        client.last_active = self._parts.clock.last_ms
        if client.suspended or self._proceeding or self._unread or self._waiting:
            self._unread += data
            self._check_size()
            self._choose_to_read()
        else:
            self._take(data)
        if self._parts.congestion.active:
            self._parts.congestion.stall(self)

    def carry_out(self, commands: list[Argv], size: int) -> None:
        """Take commands that came in another way than as RESP; `size` is about how many bytes they had.

        To be called again only when these are answered. Replies follow through the transport.
        """
        client = self.client
        if client.closing:
            return
        if client.suspended or self._proceeding or self._stalled:
            self._waiting = commands
            self._waiting_size = size
        else:
            self._process(commands, size)
            self._suspend_if_output_waits()
        if self._parts.congestion.active:
            self._parts.congestion.stall(self)

    def stall(self, stalled: bool) -> None:
        """Some shard has too much queued: take nothing more for now. Or go on."""
        self._stalled = stalled
        self._choose_to_read()
        if not stalled:
            self._proceed_in_next_round()

    def _take(self, data: bytes) -> None:
        """Decode bytes, and carry out the commands in them as far as nothing suspends the client."""
        client, decoder = self.client, self._decoder
        commands = decoder.feed(data)
        if client.authenticated:
            if commands:
                columns, decoder.columns = decoder.columns, []  # an idle client keeps none of its words
                if not (client.plain and columns and self._submit_columns(commands, columns, len(data))):
                    self._process(commands, len(data))
        else:
            self._take_one_by_one(commands)
        if decoder.error is not None:
            self._hang_up_on_bad_input()
        elif decoder.buffered > _PORTION:
            self._check_size()
        outbox = self._outbox
        if outbox.unanswered > outbox.window or self._transport.unsent:
            self._suspend_if_output_waits()

    def _take_one_by_one(self, commands: list[Argv]) -> None:
        """Any command may be the one that logs in and so ends the small limits: the next is decoded after it ran."""
        while commands:
            self._process(commands, size_of_words(commands[0]))
            self._undecoded = bool(self.client.suspended)
            commands = [] if self._undecoded or self.client.closing else self._decoder.feed(b"")

    def proceed(self) -> None:
        """Go on with what was kept: a portion of it now, and the rest in the rounds that follow.

        An exception is a bug. It ends here, with this client: the caller may have other clients to resume.
        """
        if self._proceeding:
            return  # this round has had its portion
        try:
            self._go_on()
        except Exception:
            log_exception("a conversation failed")
            self.client.close()

    def _proceed_in_next_round(self) -> None:
        if not self._proceeding:
            self._proceeding = True
            self._parts.poller.next_round(self._on_next_round)

    def _on_next_round(self) -> None:
        self._proceeding = False
        self.proceed()

    def _go_on(self) -> None:
        client = self.client
        if client.closed or client.suspended:
            return
        if self._parts.congestion.active:
            self._parts.congestion.stall(self)
            return
        if self._waiting:
            commands, self._waiting = self._waiting, []
            size, self._waiting_size = self._waiting_size, 0
            self._process(commands, size)
            self._suspend_if_output_waits()
        if client.closing:
            self._drop_input()
        elif self._undecoded and not client.suspended:
            self._undecoded = False
            self._take(b"")
        elif self._unread and not client.suspended:
            portion = bytes(self._unread[:_PORTION])
            del self._unread[:_PORTION]
            self._take(portion)
        if self._decoder.error is not None:
            self._hang_up_on_bad_input()
        if self._unread or self._undecoded:
            # Even if the client is suspended now: it may be resumed within this round, again and again.
            self._proceed_in_next_round()
        self._choose_to_read()
        self._close_when_done()

    def end_of_input(self) -> None:
        """The client will send nothing more: answer what it has sent, then close."""
        self._input_ended = True
        if self.client.blocked or self.client.silenced:
            self.client.close()
        self._close_when_done()

    def _process(self, commands: list[Argv], size: int) -> None:
        """Commands, one after the other; when one of them suspends the client, the rest waits."""
        client, outbox = self.client, self._outbox
        at, count = 0, len(commands)
        produced = 0  # bytes that main has answered with
        while at < count and not client.closing:
            if client.suspended:
                self._waiting = commands[at:]
                self._waiting_size = sum(map(size_of_words, self._waiting))
                self._check_size()
                return
            if client.plain:
                at = self._run_fast(commands, at, size)
                if client.suspended:
                    continue
            if at < count:
                argv = commands[at]
                if argv and not dispatch(client, argv):
                    continue  # held back by a pause
                at += 1
                if outbox.slots:
                    produced += len(outbox.slots[-1].data)
                if produced > _PRODUCED or outbox.unanswered >= outbox.window:
                    client.suspend(OUTPUT_WAITS)
                    self._proceed_in_next_round()  # not within this one, where it may be resumed as soon as it is sent
        self._decoder.authenticated = client.authenticated  # RESET may have been among them

    def _run_fast(self, commands: list[Argv], start: int, size: int) -> int:
        """Submit the commands from `start` up to the first one that is none of the fast path; its index."""
        rows = self._fast
        keys: list[bytes] = []
        try:
            # Not islice, which would walk over everything before `start` each time.
            for argv in map(commands.__getitem__, range(start, len(commands))) if start else commands:
                fewest, most, at, waits, _ = rows[argv[0]]
                if not fewest <= len(argv) <= most or (waits is not None and waits(argv)):
                    break
                keys.append(argv[at])
        except (KeyError, IndexError):
            pass  # another kind of command, or an empty one
        count = len(keys)
        if not count:
            return start
        room = self._outbox.window - self._outbox.unanswered
        if count > room:
            # At least one, so that every client makes progress.
            count = max(room, 1)
            del keys[count:]
            self.client.suspend(OUTPUT_WAITS)
        run = commands if count == len(commands) else commands[start : start + count]
        self._submit(run, keys, size * count // len(commands), count == 1)
        return start + count

    def _submit_columns(self, commands: list[Argv], columns: Columns, size: int) -> bool:
        """Submit commands that differ only in their arguments, if they are of the fast path; False if not."""
        names = columns[0]
        row = self._fast.get(names[0])
        if (
            row is None
            or not row[0] <= len(columns) <= row[1]
            or row[3] is not None
            or names.count(names[0]) != len(names)
            or self._outbox.unanswered + len(names) > self._outbox.window
        ):
            return False
        self._submit(commands, columns[row[2]], size, row[4])
        return True

    def _submit(self, run: list[Argv], keys: list[bytes], size: int, alike: bool = False) -> None:
        client = self.client
        client.last_command = run[-1][0]
        self._parts.stats.commands += len(run)
        self._sequencer.run(client.caller, self._outbox, run, self._router.shards_of(keys), size, alike)

    def _hang_up_on_bad_input(self) -> None:
        """After the commands that came before it are carried out, and only once."""
        error = self._decoder.error
        assert error is not None
        if not self.client.suspended and not self._waiting and not self.client.closing:
            self.client.finish()
            Batch(self._outbox, 1, 0, error.line()).muted = self.client.reply_mode != b"ON"
            self._outbox.ready()

    # -- bounds

    @property
    def buffered(self) -> int:
        """Bytes that were received and not carried out."""
        return self._decoder.buffered + len(self._unread) + self._waiting_size

    @property
    def waiting(self) -> bool:
        """True if there may be whole commands among them."""
        return bool(self._waiting or self._unread or self._undecoded)

    @property
    def ended(self) -> bool:
        """True if nothing more will come."""
        return self._input_ended

    def has_more(self) -> bool:
        """True if the client has sent more than what was carried out, whether or not it was received. A system call."""
        return bool(self.buffered) or self.waiting or self._transport.peek()

    def _check_size(self) -> None:
        if self.buffered > min(self._parts.config.client_query_buffer_limit, _LONGEST_COMMAND):
            message = f"Client id={self.client.id} addr={self._transport.peer} closed: it has sent too much at once"
            log.warning(message, kind="query buffer limit")
            self.client.close()

    def _choose_to_read(self) -> None:
        """Read on, or leave what the client sends to TCP."""
        suspended = self.client.suspended
        enough = bool(suspended) and len(self._unread) > _KEPT
        needed = self._transport.unsent or suspended & (IN_PAUSE | IN_WAIT)  # Redis reads on, up to the limit
        reading = not self._stalled and (not enough or bool(needed))
        if reading is not self._reading:
            self._reading = reading
            self._transport.pause_reading(not reading)

    def _suspend_if_output_waits(self) -> None:
        """Carry out nothing for a client while it has too many commands under way, or does not take its replies."""
        outbox = self._outbox
        if outbox.unanswered >= outbox.window or self._transport.unsent > self._parts.config.client_output_pause:
            self.client.suspend(OUTPUT_WAITS)

    def _resume_if_output_flows(self) -> None:
        outbox = self._outbox
        if (
            self.client.suspended & OUTPUT_WAITS
            and outbox.unanswered <= outbox.window // 2
            and self._transport.unsent <= self._parts.config.client_output_pause // 2
        ):
            self.client.resume(OUTPUT_WAITS)

    # -- output

    @property
    def closed(self) -> bool:
        return self.client.closed

    def send(self, data: bytes) -> None:
        """Replies, in order."""
        transport = self._transport
        if self.client.closing and not self._outbox.slots:
            transport.write_last(data)
        else:
            transport.write(data)
        if transport.unsent:
            self._output_limit.look(transport.unsent + self._outbox.pushed)
            if not self._reading:
                self._choose_to_read()

    def waits(self) -> None:
        """Out-of-band data waits for replies before it."""
        self._output_limit.look(self._transport.unsent + self._outbox.pushed)

    def flushed(self) -> None:
        """Replies were sent: that may have been the last one, or there may be room for more commands."""
        if self.client.suspended & OUTPUT_WAITS:
            self._resume_if_output_flows()
        if self.client.closing or self._input_ended:
            self._close_when_done()

    def room(self) -> None:
        """The client has taken some of what was unsent."""
        self._output_limit.look(self._transport.unsent + self._outbox.pushed)
        self.flushed()

    # -- the end

    def _close_when_done(self) -> None:
        client = self.client
        if client.closed or self._outbox.slots:
            return
        all_processed = not client.suspended and not self.waiting and self._decoder.error is None
        if client.closing or (self._input_ended and all_processed):
            client.finish()
            self._transport.close(after_writing=True)

    def close(self) -> None:
        """Hang up at once."""
        self.client.close()

    def disconnected(self) -> None:
        """The socket is closed. Nothing that the client has sent or was owed is kept, and no reference cycle."""
        self._output_limit.forget()
        self._parts.congestion.forget(self)
        self._drop_input()
        self.client.leave()

    def _drop_input(self) -> None:
        self._decoder.clear()
        self._waiting = []
        self._waiting_size = 0
        self._unread = bytearray()
        self._undecoded = False
