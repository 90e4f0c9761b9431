"""The state of one client, in one place: what it is, and the transitions between its states.

Handlers of main's own commands get this object. They read its fields and call its methods; only the methods change
what other fields follow from (`plain`, above all).

| state       | begins with                      | ends with                               |
|-------------|----------------------------------|-----------------------------------------|
| logged in   | `log_in(True)`                   | `log_in(False)`, RESET                  |
| in MULTI    | `begin_multi`                    | `end_multi`, `discard`, RESET           |
| in EXEC     | `executing` is set               | `executing` is None                     |
| subscribed  | `subscriptions` has entries      | it is empty; RESET                      |
| monitoring  | `Monitoring.begin`               | `Monitoring.end`; RESET                 |
| muted       | `mute`                           | `unmute`, RESET; after one command      |
| waiting     | `begin_wait`                     | `end_wait`                              |
| suspended   | `suspend(reason)`                | `resume(reason)` for each reason        |
| silenced    | `silence`                        | the socket is closed                    |
| closing     | `finish`: no further command     | the socket is closed                    |
| closed      | the socket is closed: `leave`    |                                         |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from respcache.commands.args import Args
from respcache.server.io.listener import is_unix_socket
from respcache.server.order.exec import Transaction
from respcache.server.order.outbox import Batch
from respcache.server.services.pubsub import Subscriptions
from respcache.store.call import Caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.commands.table import Command
    from respcache.resp.types import Argv
    from respcache.server.io.transport import Transport
    from respcache.server.order.namespaces import Namespace
    from respcache.server.order.outbox import Outbox
    from respcache.server.order.waits import Wait
    from respcache.server.parts import Parts
    from respcache.server.services.interception import Tap
    from respcache.server.services.tracking import Mode

# Why a client's commands are not carried out for now. What it sends is kept.
IN_COMMAND = 1  # a command waits in main
IN_PAUSE = 2  # CLIENT PAUSE holds its next command back
OUTPUT_WAITS = 4  # too many of its replies are under way, or not taken
IN_SCRIPT = 16  # a script that it has sent runs for too long
IN_WAIT = 8  # it has sent a blocking command, which is not answered
IN_FAULT = 32  # a fault delays its next command

_LOCAL_PREFIXES = ("127.", "[::1]", "[::ffff:127.")


class Input(Protocol):
    """Where a client's commands come from."""

    @property
    def buffered(self) -> int:
        """Bytes that were received and not carried out."""

    @property
    def waiting(self) -> bool:
        """True if there may be whole commands among them."""

    @property
    def ended(self) -> bool:
        """True if nothing more will come."""

    def proceed(self) -> None:
        """Go on with what was kept while the client was suspended."""

    def has_more(self) -> bool:
        """True if the client has sent more than what was carried out, whether or not it was received. A system call."""


class _NoInput:
    buffered = 0
    waiting = False
    ended = False

    def proceed(self) -> None:
        pass

    def has_more(self) -> bool:
        return False


class Client:
    """One client. Times are milliseconds since the epoch."""

    def __init__(self, parts: Parts, transport: Transport, client_id: int, outbox: Outbox) -> None:
        self.parts = parts
        self.transport = transport
        self.outbox = outbox
        self.input: Input = _NoInput()
        # The server within the server that it uses (RESPCACHE NAMESPACE).
        self.namespace = parts.namespaces.default
        # Who its commands run for: database, protocol, id, and whether they count as access (CLIENT NO-TOUCH).
        self.caller = Caller(self.namespace.first, 2, client_id, True)
        self.name = b""  # CLIENT SETNAME
        self.library_name = b""  # CLIENT SETINFO
        self.library_version = b""
        self.created = self.last_active = parts.clock.now_ms()
        self._really_created = parts.clock.real_ms()
        # The latest command: as the client spelt it, or the wire name. Not its arguments: they may be large.
        self.last_command: bytes | str = "NULL"
        self.no_evict = False  # CLIENT NO-EVICT
        self.reply_mode = b"ON"  # CLIENT REPLY: ON, OFF, or SKIP for the next command only
        self.monitoring = False  # MONITOR
        self.wants_debugger = False  # SCRIPT DEBUG was refused: so is its next EVAL
        self.heard = False  # the running command turned replies back on, so its own reply must be sent
        self.authenticated = not parts.config.requirepass
        self.transaction: Transaction | None = None  # since MULTI
        self.executing: Transaction | None = None  # within EXEC, where nothing may wait
        self.watching: set[int] = set()  # shards that hold keys which the client watches
        self.watch_lost = False  # one of those shards died, so the next EXEC fails
        self.subscriptions = Subscriptions()
        self.tracking: Mode | None = None  # since CLIENT TRACKING ON; see `respcache.server.services.tracking`
        self.wait: Wait | None = None  # its blocking command that is not answered
        self.suspended = 0  # why its commands are not carried out, reasons or-ed; 0: they are
        self.running = False  # one of its own commands is being dispatched
        self.closing = False  # take no further command; close after the last reply
        self.silenced = False  # by a fault: it gets nothing more, but is not closed either
        self.closed = False
        self._pushed: list[tuple[bytes, tuple[Tap, ...]]] = []  # by the running command, to its own client
        self._after_wait: list[bytes] = []  # messages that come after the reply to its blocking command
        # Of the journal: the latest round trip that it has counted, and what has come of that.
        self.round_trip = self.round_trip_bytes = 0
        self.round_trip_state = 0  # one of `respcache.server.services.journal`
        self.plain = False  # its commands may take the fast path
        self.update_plain()

    # -- what it is

    @property
    def id(self) -> int:
        return self.caller.client

    @property
    def db(self) -> int:
        """The selected database, as the client knows it."""
        return self.caller.db - self.namespace.first

    @property
    def protocol(self) -> int:
        """2 or 3."""
        return self.caller.protocol

    @property
    def is_local(self) -> bool:
        """True if the client is on this machine."""
        return is_local(self.transport.peer)

    def is_among(self, whom: str) -> bool:
        """True if a directive (``yes``, ``no``, or ``local`` for this machine) allows something to this client."""
        return whom == "yes" or (whom == "local" and self.is_local)

    @property
    def blocked(self) -> bool:
        """True while the client waits for what its blocking command has not found."""
        return self.wait is not None and self.wait.waiting

    @property
    def within_exec(self) -> bool:
        """True while it carries out a transaction that holds a barrier."""
        return self.executing is not None

    @property
    def busy(self) -> bool:
        """True if the client has asked for something that it does not have yet. One that waits may never have it."""
        if self.blocked:
            return bool(self.outbox.slots or self.transport.unsent)
        return bool(self.outbox.slots or self.input.waiting or self.transport.unsent)

    def update_plain(self) -> None:
        """To be called when something has changed that `plain` depends on."""
        self.plain = (
            self.authenticated
            and self.transaction is None
            and self.reply_mode == b"ON"
            and not (self.caller.protocol == 2 and len(self.subscriptions))
            and not self.namespace.pause.active
            and not self.parts.busy.scripts
            and not self.parts.interception.active
            # What its command changes is told right after the reply to this command, so each has a place of its own.
            and (self.tracking is None or self.tracking.bcast)
        )

    # -- transitions

    def select(self, db: int) -> None:
        """Use another database of its namespace from now on."""
        self.caller = self.caller._replace(db=self.namespace.first + db)

    def enter(self, namespace: Namespace) -> None:
        """Use another namespace from now on: its database 0, nothing watched, queued or subscribed."""
        if namespace is not self.namespace:
            self._let_go()
            self.namespace = namespace
            self.select(0)
            self.update_plain()

    def speak(self, protocol: int) -> None:
        """Use RESP2 or RESP3 from now on."""
        self.caller = self.caller._replace(protocol=protocol)
        self.update_plain()

    def count_access(self, touch: bool) -> None:
        """Let this client's commands count as access to keys, or not."""
        self.caller = self.caller._replace(touch=touch)

    def log_in(self, authenticated: bool) -> None:
        self.authenticated = authenticated
        self.update_plain()

    def mute(self, mode: bytes) -> None:
        """CLIENT REPLY OFF or SKIP. While replies are off, SKIP changes nothing."""
        if mode == b"OFF" or self.reply_mode == b"ON":
            self.reply_mode = mode
        self.update_plain()

    def unmute(self) -> None:
        """CLIENT REPLY ON, which is answered itself."""
        self.reply_mode = b"ON"
        self.heard = True
        self.update_plain()

    def begin_multi(self) -> None:
        self.transaction = Transaction()
        self.update_plain()

    def end_multi(self) -> Transaction | None:
        """What was queued since MULTI, for EXEC."""
        transaction, self.transaction = self.transaction, None
        self.update_plain()
        return transaction

    def discard(self) -> None:
        """Forget what was queued since MULTI, and what is watched."""
        self.end_multi()
        self.unwatch()

    def watch(self, keys: list[bytes]) -> None:
        """From now on, changes of these keys fail the next EXEC."""
        self.watching |= self.parts.sequencer.watch(self.caller, keys)

    def take_watches(self) -> tuple[set[int], bool]:
        """The shards that hold watched keys, and whether one of them died; EXEC ends the watches."""
        watching, lost = self.watching, self.watch_lost
        self.watching, self.watch_lost = set(), False
        return watching, lost

    def lose_watches(self, shard: int) -> None:
        """A shard died, and its watches with it: EXEC must not succeed on the strength of them."""
        if shard in self.watching:
            self.watch_lost = True

    def unwatch(self) -> None:
        watching, _ = self.take_watches()
        self.parts.sequencer.unwatch(self.id, watching)

    def unsubscribe(self) -> None:
        """End all subscriptions, without telling the client."""
        self.namespace.pubsub.forget(self)
        self.update_plain()

    def reset(self) -> None:
        """RESET: be as a new connection to the same namespace."""
        self.start_over()
        if self.reply_mode == b"OFF":
            self.unmute()
        self.speak(2)
        self.log_in(not self.parts.config.requirepass)

    def start_over(self) -> None:
        """RESPCACHE RESET: be as a new connection that has agreed on a protocol, and logged in to its namespace."""
        self._let_go()
        self.caller = Caller(self.namespace.first, self.protocol, self.id, True)
        self.name = b""
        self.no_evict = False
        self.wants_debugger = False

    def _let_go(self) -> None:
        """What RESET and leaving have in common: everything that others keep for this client."""
        self.discard()
        self.parts.tracking.disable(self)
        self.unsubscribe()
        self.parts.monitoring.end(self)

    def suspend(self, reason: int) -> None:
        """Carry out no further command until `resume` was called for each reason."""
        self.suspended |= reason

    def resume(self, reason: int) -> None:
        """This reason is gone. Goes on with what came in the meantime if it was the last one."""
        if self.suspended & reason:
            self.suspended &= ~reason
            if not self.suspended:
                self.input.proceed()

    def begin_wait(self, wait: Wait) -> None:
        """It has sent a blocking command."""
        self.wait = wait
        self.suspend(IN_WAIT)

    def nothing_found(self) -> None:
        """The blocking command waits. As in Redis, that is of no use to a client that has half-closed its connection:
        mostly it is gone altogether, and would take what it does not want any more.
        """
        if self.input.ended:
            self.close()

    def served(self, batch: Batch, row: Command, argv: Argv, number: int) -> None:
        """The blocking command that has waited is about to have its reply, in `batch`."""
        if self.parts.interception.active:
            batch.taps += self.parts.interception.served(self, row, argv, number)

    def end_wait(self) -> None:
        """The blocking command has its reply."""
        self.wait = None
        self.parts.tracking.end_command(self)
        if self._after_wait:
            messages, self._after_wait = self._after_wait, []
            self.invalidate(messages, True, None)
        self.resume(IN_WAIT)

    def end_of_pause(self) -> None:
        """CLIENT PAUSE is over."""
        self.resume(IN_PAUSE)

    def clock_went_back(self, shift: int) -> None:
        """A test has set the clock back: the client is as old as before, and silent for as long."""
        self.created += shift
        self.last_active += shift

    def clock_was_reset(self, shift: int, now: int, real: int) -> None:
        """A test has taken back what was done to time: the client is as old as it is, and silent for no longer."""
        self.created = now - (real - self._really_created)
        self.last_active = max(self.created, min(self.last_active + max(0, shift), now))

    # -- its commands

    def run_local(self, row: Command, argv: Argv) -> Any:
        """Carry out a command of main: its reply, an awaitable of it, or IN_A_SLOT. Raises CommandError."""
        return row.handler(self, Args(argv, row.words_of_name))

    def begin_command(self) -> bool:
        """One of its commands is dispatched now. True if CLIENT REPLY OFF or SKIP mutes it; that uses up a SKIP."""
        self.running = True
        self.heard = False
        muted = self.reply_mode != b"ON"
        if self.reply_mode == b"SKIP":
            self.reply_mode = b"ON"
            self.update_plain()
        return muted

    def end_command(self) -> None:
        """The command has its slot; what it has pushed to its own client goes after it."""
        self.running = False
        if self._pushed:
            pushed, self._pushed = self._pushed, []
            for data, taps in pushed:
                self.outbox.push(data, taps)

    def relay(self, send: Callable[[], None], size: int) -> None:
        """Call `send` once all replies that are under way were sent. It keeps so many bytes until then."""
        self.outbox.relay(send, size)

    def invalidate(self, messages: list[bytes], own: bool, after: object) -> None:
        """Send messages about keys that the client may have cached: as `push` does, or right after a batch of its own
        (`after`), whose command has changed them. What a command has changed that has waited (`own`) comes after its
        reply, too, which is on its way then.
        """
        if self.silenced:
            return
        if own and self.blocked:
            self._after_wait += messages
            return
        if not self.parts.interception.active:
            messages = [b"".join(messages)]
        for data in messages:
            if isinstance(after, Batch) and after.outbox is self.outbox:
                taps = self.parts.interception.message(self, data) if self.parts.interception.active else ()
                self.outbox.push_after(after, data, taps)
            else:
                self.push(data)

    def push(self, data: bytes) -> None:
        """Send out-of-band data: after the replies that are under way, as things happened in that order."""
        if self.silenced:
            return
        taps = self.parts.interception.message(self, data) if self.parts.interception.active else ()
        if self.running:
            self._pushed.append((data, taps))  # the command's own reply comes first
        else:
            self.outbox.push(data, taps)

    def show(self, lines: bytes) -> None:
        """Send what monitors see: as in Redis these are replies, which CLIENT REPLY OFF switches off."""
        if self.reply_mode != b"OFF" and not self.closing:
            self.push(lines)

    # -- its end

    def finish(self) -> None:
        """Take no further command, and close when everything before is answered and sent."""
        self.closing = True

    def silence(self) -> None:
        """Take no further command, send nothing more, and leave the connection open until its other end closes it.

        Who calls this leaves a slot in the outbox that is never filled.
        """
        self.silenced = True
        self.finish()

    def close(self) -> None:
        """Hang up at once."""
        self.closing = True
        self.transport.close()

    def leave(self) -> None:
        """The socket is closed: give back everything that is held for this client."""
        if self.closed:
            return
        self.closed = self.closing = True
        self.input = _NoInput()
        parts = self.parts
        parts.registry.remove(self)
        parts.faults.forget(self)
        self.namespace.pause.forget(self)
        if self.wait is not None:
            if not self.wait.over:
                self.wait.leave()
            self.wait = None
        self._let_go()
        parts.tracking.forget(self)
        self.outbox.close()


def is_local(peer: str) -> bool:
    """True for an address on this machine: loopback, or a unix socket (whose port is 0)."""
    return peer.startswith(_LOCAL_PREFIXES) or is_unix_socket(peer)
