"""Makes faults happen: what `respcache.server.services.faults` says is done to commands, replies and messages here.

A command is looked at by all armed faults, in the order in which they were added, up to the first one that decides what
becomes of it. One that delays it lets the others look at it afterwards. What happens to replies and messages is done on
their way out, by the taps of `respcache.server.clients.mangling`, so that it happens at their place among the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import hiredis

from respcache import errors
from respcache.commands.table import Flag, Reach
from respcache.errors import CommandError
from respcache.server.clients.client import IN_FAULT
from respcache.server.clients.mangling import Cut, Dribble, Late, Replaced, Silence, Silenced
from respcache.server.order.outbox import Batch
from respcache.server.services.faults import STATES, Kind, Subject
from respcache.server.services.interception import Held
from respcache.server.shards.queue import NOBODY
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from respcache.alarms import Alarm
    from respcache.commands.table import Command
    from respcache.resp.types import Argv
    from respcache.server.clients.client import Client
    from respcache.server.order.exec import Queued
    from respcache.server.parts import Parts
    from respcache.server.services.faults import Fault
    from respcache.server.services.interception import Tap

# The only user there is so far.
_USER = b"default"
# Out-of-band data that faults hit; confirmations of SUBSCRIBE are the reply to that.
_MESSAGES = frozenset((b"message", b"pmessage", b"smessage"))
# What a server that is full does not refuse within MULTI, where each other command would take memory.
_UNCOUNTED = frozenset(("EXEC", "DISCARD", "QUIT", "RESET"))
# More bytes than any reply has.
_ALL = 1 << 62
# State -> why scripts may not write, for the shards.
_DENIALS = {Kind.READONLY: wire.DENY_WRITES, Kind.OOM: wire.DENY_GROWTH}


class FaultInjector:
    """An `Interceptor`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._faults = parts.faults
        # Client -> the faults that have delayed its next command already.
        self._passed: dict[Client, set[Fault]] = {}
        # Clients whose scripts shards keep from writing.
        self._denied: set[Client] = set()
        parts.faults.on_change = self._changed
        parts.interception.add(self)
        parts.interception.on_served.append(self.served)

    @property
    def active(self) -> bool:
        """True while commands are to be looked at."""
        return bool(self._faults.armed or self._denied)

    def _changed(self) -> None:
        if not self._faults.armed:
            self._passed.clear()
        self._parts.interception.changed()

    def _fires(self, fault: Fault) -> bool:
        fires = fault.fires()
        if fault.over:
            self._faults.update()
        return fires

    # -- commands

    def command(self, client: Client, row: Command | None, argv: Argv, refusal: CommandError | None) -> Tap | None:
        """See `Interceptor`."""
        if self._denied:
            self._allow()
        subject = _subject(client, row, argv)
        passed = self._passed.pop(client, None) or set()
        for fault in self._faults.armed:  # a list of this moment: firing may replace it
            if fault in passed:
                continue
            kind = fault.action.kind
            if kind in STATES:
                if row is not None and refusal is None:
                    self._refuse_in_state(client, fault, row, argv)
            elif fault.hits(subject) and self._fires(fault):
                if kind is Kind.DROP_SHARD:
                    self.drop_shard(fault.action.number, with_command=True)
                elif kind is Kind.DELAY:
                    self._delay(client, fault, passed)
                elif kind is Kind.ERROR:
                    raise _refused(client, argv, errors.printable(fault.action.text))
                else:
                    return self._do(client, fault)
        return None

    def _delay(self, client: Client, fault: Fault, passed: set[Fault]) -> None:
        """Hold the command up; the others look at it then. Raises Held."""
        self._passed[client] = {*passed, fault}
        client.suspend(IN_FAULT)
        holder = _Delayed(self, client, fault)
        holder.alarm = self._parts.alarms.after(fault.action.milliseconds, holder.release)
        self._faults.hold(client, holder)
        raise Held

    def end_of_delay(self, client: Client, holder: _Delayed) -> None:
        """The command may run."""
        self._faults.let_go(client, holder)
        if not self._parts.interception.active:
            self._passed.pop(client, None)
        client.resume(IN_FAULT)

    def forget(self, client: Client) -> None:
        """A client has left while its command was delayed."""
        self._passed.pop(client, None)

    def _do(self, client: Client, fault: Fault) -> Tap | None:
        """What is about the connection, or about the reply."""
        action = fault.action
        match action.kind:
            case Kind.CLOSE_BEFORE:
                client.finish()
                client.outbox.ready()
            case Kind.BLACKHOLE:
                Batch(client.outbox, 0, 1)  # for ever: what was asked before is answered, and nothing else
                self._silence(client, fault)
            case Kind.CLOSE_AFTER:
                return Cut(client, fault, 0, suspend=True)
            case Kind.CUT:
                return Cut(client, fault, action.number, suspend=True)
            case Kind.DRIBBLE:
                return Dribble(client, fault)
        return None

    def _silence(self, client: Client, fault: Fault) -> None:
        client.silence()
        self._faults.hold(client, Silenced(client, fault))

    # -- states of the server

    def _refuse_in_state(self, client: Client, fault: Fault, row: Command, argv: Argv) -> None:
        """Raises CommandError for what a server in this state refuses; lets scripts of this client not write."""
        kind = fault.action.kind
        refused = scripts = False
        hit = fault.hits(_subject(client, row, argv))
        for each, words in _commands(client, row, argv):
            if not (hit or fault.hits(_subject(client, each, words))):
                continue
            if kind is Kind.LOADING:
                refused |= not each.flags & Flag.LOADING
                continue
            flags = client.namespace.scripts.flags(each, words)
            denied = Flag.WRITE if kind is Kind.READONLY else Flag.DENYOOM
            refused |= bool(each.flags & denied) or (flags is not None and _may_write(flags, kind))
            scripts |= each.reach is Reach.SCRIPT and flags is None
        if kind is Kind.OOM and client.transaction is not None and row.name not in _UNCOUNTED:
            refused |= hit
        if refused and self._fires(fault):
            raise _refused(client, argv, _TEXTS[kind])
        if scripts and not refused and (client.transaction is None or row.name == "EXEC") and self._fires(fault):
            self._deny(client, kind)

    def _deny(self, client: Client, kind: Kind) -> None:
        """The script that is about to take its place may not write, or not write what takes memory."""
        for link in self._parts.links:
            link.submit(wire.deny(client.id, _DENIALS[kind]), NOBODY)
        if not self._denied:
            self._parts.poller.next_round(self._allow)
        self._denied.add(client)
        self._changed()

    def _allow(self) -> None:
        """Those scripts have their places."""
        for client in self._denied:
            for link in self._parts.links:
                link.submit(wire.deny(client.id, wire.DENY_NOTHING), NOBODY)
        self._denied.clear()
        self._changed()

    # -- shards

    def drop_shard(self, index: int, *, with_command: bool) -> None:
        """Kill a shard's process; `with_command`, as soon as it has been sent the command that is about to run."""
        link = self._parts.links[index]
        if with_command:
            self._parts.poller.next_round(link.drop)
        else:
            link.drop()

    # -- messages, and replies to those who have waited

    def message(self, client: Client, data: bytes) -> Tap | None:
        """See `Interceptor`."""
        words = _words_of_message(data)
        if words is None:
            return None
        keys = words[1:-1]  # the pattern, too, of a message that came by one
        return self._on_the_way_out(client, Subject(words[0], keys, _names(client), _USER))

    def served(self, client: Client, row: Command, argv: Argv, number: int) -> Tap | None:
        """A blocking command that has waited has its reply; faults that are older have looked at it before."""
        return self._on_the_way_out(client, _subject(client, row, argv), number)

    def _on_the_way_out(self, client: Client, subject: Subject, wait: int = 0) -> Tap | None:
        """What happens to a message, or to the reply that ends a wait."""
        for fault in self._faults.armed:
            if fault.action.kind in STATES or wait > fault.last_wait:
                continue
            if not fault.hits(subject) or not self._fires(fault):
                continue
            if fault.action.kind is Kind.DROP_SHARD:
                self.drop_shard(fault.action.number, with_command=False)
                continue
            return self._tap(client, fault, reply=bool(wait))
        return None

    def _tap(self, client: Client, fault: Fault, *, reply: bool) -> Tap:
        action = fault.action
        match action.kind:
            case Kind.ERROR:
                return Replaced(CommandError(errors.printable(action.text)).line())
            case Kind.DELAY:
                return Late(client, fault)
            case Kind.CLOSE_BEFORE:
                return Cut(client, fault, 0)
            case Kind.CLOSE_AFTER:
                return Cut(client, fault, 0 if reply else _ALL)
            case Kind.CUT:
                return Cut(client, fault, action.number)
            case Kind.DRIBBLE:
                return Dribble(client, fault)
            case _:
                self._silence(client, fault)
                return Silence(client)


class _Delayed:
    """A command that waits; a `Holder`."""

    def __init__(self, injector: FaultInjector, client: Client, fault: Fault) -> None:
        self._injector = injector
        self._client = client
        self.fault = fault
        self.alarm: Alarm | None = None

    def release(self) -> None:
        """See `Holder`."""
        self._cancel_alarm()
        self._injector.end_of_delay(self._client, self)

    def cancel(self) -> None:
        """See `Holder`."""
        self._cancel_alarm()
        self._injector.forget(self._client)

    def _cancel_alarm(self) -> None:
        if self.alarm is not None:
            self.alarm.cancel()


_TEXTS = {
    Kind.LOADING: errors.LOADING_DATA,
    Kind.READONLY: errors.READ_ONLY_REPLICA,
    Kind.OOM: errors.OUT_OF_MEMORY,
}


def _refused(client: Client, argv: Argv, text: str) -> CommandError:
    """The error of a refused command. As in Redis, EXEC ends the transaction then, too."""
    error = CommandError(text)
    if client.transaction is not None and argv[0].upper() == b"EXEC":
        client.discard()
        return errors.exec_aborted_by(error)
    return error


def _may_write(flags: Collection[bytes], kind: Kind) -> bool:
    """Whether a script that says so of itself is refused as a whole."""
    return b"no-writes" not in flags and not (kind is Kind.OOM and b"allow-oom" in flags)


def _commands(client: Client, row: Command, argv: Argv) -> Iterator[tuple[Command, Argv]]:
    """A command; what was queued, if it is EXEC."""
    if row.name == "EXEC" and client.transaction is not None:
        queued: Queued
        for queued in client.transaction.commands:
            yield queued.row, queued.argv
    else:
        yield row, argv


def _subject(client: Client, row: Command | None, argv: Argv) -> Subject:
    if row is None:
        return Subject(argv[0].lower(), (), _names(client), _USER)
    keys = [words[at] for each, words in _commands(client, row, argv) for at in each.key_positions(words)]
    return Subject(row.wire_name.encode(), keys, _names(client), _USER)


def _names(client: Client) -> Sequence[bytes]:
    return client.transport.peer.encode("utf-8", "surrogateescape"), client.name, client.library_name


def _words_of_message(data: bytes) -> list[bytes] | None:
    """The words of a message to a subscriber; None if this is something else."""
    reader = hiredis.Reader()
    reader.feed(data)
    words = reader.gets()
    return words if isinstance(words, list) and len(words) >= 3 and words[0] in _MESSAGES else None
