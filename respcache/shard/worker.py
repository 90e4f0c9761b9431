"""What a shard does with the items of a frame. `respcache.shard.wire` lists the items, and what each answers.

An answer is cut into several frames when its replies grow large. Whatever goes wrong in one item becomes an error of
that item: nothing that a client sends may end a shard, which takes its data with it.
"""

from __future__ import annotations

import sys
from functools import partial
from operator import length_hint
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from respcache import errors
from respcache.commands.args import Args
from respcache.commands.scripting.running import Scripting
from respcache.commands.table import TABLE, lookup
from respcache.errors import CommandError
from respcache.logs import log_exception
from respcache.resp.encode import NULL, OK_LINE, encode
from respcache.resp.types import OK
from respcache.scripting import ScriptError
from respcache.shard import carrying, debugging, in_parts, migrating, wire
from respcache.shard.control import Control
from respcache.shard.patience import Patience
from respcache.shard.reading import Reading
from respcache.shard.serving import Serving
from respcache.shard.timing import Timing
from respcache.shard.wire import ANSWER_BYTES, MAX_RESULT, size_of
from respcache.store.call import Caller
from respcache.store.guests import ForeignKeys
from respcache.store.waiting import Blocked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from respcache.commands.table import Handler
    from respcache.resp.types import Argv, Reply
    from respcache.shard.channel import Channel, Frame
    from respcache.shard.serving import Details
    from respcache.shard.wire import Item
    from respcache.store.guests import ChangedGuest, Guest
    from respcache.store.keyspace import Place
    from respcache.store.reports import Report
    from respcache.store.shard import Shard

# The payload of one answer frame: next deadline, results, reports.
Answer = tuple[int, list[Any], list["Report"]]

# Replies up to this size are not counted. The frame that their commands came in is bounded, which bounds them too.
_SMALL = 64
# Main's command, which a shard counts if it carries out all of a transaction.
_EXEC = [b"EXEC"]
# How bulk strings of these sizes begin.
_HEADS = [b"$%d\r\n" % size for size in range(_SMALL + 1)]


class _Handlers(dict[bytes, "Handler"]):
    """Names as clients write them -> handlers, as `lookup` finds them.

    It holds commands without subcommands in the usual spellings ("GET", "get"). For any other name it gives `others`.
    """

    def __init__(self, others: Handler) -> None:
        super().__init__(
            (spelling, row.handler)
            for name, row in TABLE.items()
            if not row.subcommands
            for spelling in (name, name.lower())
        )
        self._others = others

    def __missing__(self, name: bytes) -> Handler:
        return self._others


class Worker:
    """Carries out items on one `Shard`."""

    def __init__(self, shard: Shard, channel: Channel) -> None:
        # The data that commands run on.
        self.shard = shard
        # Main. Answers go there by way of whoever called `answers`; only `ask` uses it.
        self._channel = channel
        # The running frame is part of a larger unit, such as a transaction over several shards, which is not over yet.
        self.within_unit = False
        # The running frame's items, and an iterator over those that were not begun.
        self._items: list[Item] = []
        self._left = iter(self._items)
        # The cursor that handlers read their arguments from, made once.
        self._args = Args([])
        # The error replies so far, for INFO.
        self._errors = errors.ErrorCounts()
        # Bytes that may still be added to the answer frame before it is sent.
        self._room = ANSWER_BYTES
        # What is left of the running item when its result is a piece.
        self._rest: Callable[[], Any] | None = None
        # The handlers of commands, by the names that clients write.
        self._handlers = _Handlers(self._look_up)
        # How long commands take.
        self._timing = timing = Timing(shard)
        # Carries out what is no command.
        self._control = control = Control(shard, self._errors, timing)
        # Runs scripts.
        self._patience = patience = Patience(shard, channel, following=self._following, send=self._send)
        shard.scripting = Scripting(shard, patience, self._ask_main, self._errors.count, timing)
        # Remembers what clients that cache have read.
        self._reading = reading = Reading(shard)
        self._readers = reading.readers
        shard.tracking.send = self._send
        # Runs commands that wait.
        self._serving = serving = Serving(shard, self._run_to_wait, self.ask, self._send)
        # Kinds of items -> what carries them out.
        self._perform: dict[int, Callable[..., Any]] = {
            wire.RUN: self._run,
            wire.PART: partial(self._part, self._call_without_waiting),
            wire.EXECUTE: self._execute,
            wire.IS_DIRTY: control.is_dirty,
            wire.DIGEST: partial(debugging.digest, shard),
            wire.DIGEST_VALUES: partial(debugging.digest_values, shard),
            wire.DIRTY: shard.watching.dirty,
            wire.WATCH: control.watch,
            wire.UNWATCH: control.unwatch,
            wire.BORROW: self._borrow,
            wire.CARRY: self._carry,
            wire.HAND_BACK: partial(carrying.hand_back, shard),
            wire.TICK: control.tick,
            wire.MEASURE: control.measure,
            wire.CONFIGURE: control.configure,
            wire.STATS: control.stats,
            wire.RESET_STATS: control.reset_stats,
            wire.POPULATE: partial(debugging.populate, shard),
            wire.INSPECT: partial(debugging.inspect, shard),
            wire.COMPILE: self._compile_script,
            wire.FORGET_SCRIPTS: lambda: shard.scripting.forget(),
            wire.INSPECT_LIBRARY: lambda code: shard.scripting.inspect_library(code),
            wire.LIBRARIES: control.change_libraries,
            wire.DROP: control.drop,
            wire.KILL: self._patience.kill,
            wire.DENY: lambda client, what: shard.scripting.deny(client, what),
            wire.SKIP: lambda: None,
            wire.WAIT: self._wait,
            wire.FORGET: shard.waiting.forget,
            wire.SERVE: serving.serve,
            wire.EXIST: serving.exist,
            wire.ATTEMPT: self._attempt,
            wire.ENLIST: serving.enlist,
            wire.RELEASE: shard.waiting.release,
            wire.SETTLE: serving.settle,
            wire.CHECK: partial(self._part, partial(in_parts.check, shard)),
            wire.FIND: partial(self._part, partial(in_parts.find, shard, serving.details)),
            wire.TAKE_SNAPSHOT: control.take_snapshot,
            wire.HAS_SNAPSHOT: shard.snapshots.__contains__,
            wire.RESTORE_SNAPSHOT: control.restore_snapshot,
            wire.DROP_SNAPSHOT: control.drop_snapshot,
            wire.READER: shard.tracking.read_by,
            wire.LISTEN: shard.tracking.listen,
            wire.REMEMBER: control.remember,
            wire.EVICT: shard.tracking.evict,
            wire.ALLOW: shard.tracking.allow,
            wire.FORGET_READS: shard.tracking.forget_all,
            wire.DUMP: self._dump,
            wire.REMOVE: partial(migrating.remove, shard),
        }

    def answers(self, now: int, items: list[Item]) -> Iterator[Answer]:
        """Carry out all items of a frame at the time `now`, and yield the payloads of the answer frames.

        Send each payload before you ask for the next: what is answered in pieces runs in pieces, too.
        """
        self.within_unit = now < 0
        self._items, self._left = items, iter(items)
        self.shard.set_time(abs(now))
        reports = self.shard.reports
        ready = self.shard.waiting.ready
        for item in self._left:
            perform, arguments = self._perform[item[0]], item[1:]
            while True:
                try:
                    result = perform(*arguments)
                except CommandError as error:
                    result = None
                    reports.failed(error.text)
                except Exception:
                    log_exception(f"item {item[0]} failed")
                    result = None
                    reports.failed(errors.INTERNAL)
                if ready and self._rest is None and not self.within_unit:
                    self._serving.serve()
                    self._room -= self._serving.take_reported()
                if self._room >= 0:
                    reports.results.append(result)  # a new list after each frame that `ask` has sent
                    break
                rest, self._rest = self._rest, None
                if rest is not None:
                    reports.unfinished()
                reports.results.append(result)
                yield self._answer()
                if rest is None:
                    break
                perform, arguments = rest, ()
        if reports.results or reports.waiting or not items:
            yield self._answer()

    def ask(self, kind: int, *details: Any, nested: bool) -> Any:
        """Ask main something in the middle of an item, and wait for the answer. See `respcache.shard.wire`.

        With `nested`, frames that come before the answer are carried out at once: what main needs of this very shard
        to find the answer. Without it they keep their places behind the running item.
        """
        shard, channel = self.shard, self._channel
        shard.reports.ask(shard.index, kind, *details)
        channel.send(self._answer())
        later: list[Frame] = []
        while True:
            frame = channel.receive()
            if frame is None:
                sys.exit(0)  # main is gone
            now, items = frame
            if now is None:
                channel.put_back(later)
                if nested:
                    shard.reports.resumed()
                return items
            if nested:
                self._carry_out_nested(now, items)
            else:
                later.append(frame)

    def _carry_out_nested(self, now: int, items: list[Item]) -> None:
        """Carry out a frame in the middle of another one's item, which goes on as if nothing had happened."""
        shard = self.shard
        caller = shard.db_index, shard.protocol, shard.client, shard.touch
        unit, moment, rest = self.within_unit, shard.now, self._rest
        frame = self._items, self._left
        argv, at = self._args.argv, self._args.at
        for payload in self.answers(now, items):
            self._channel.send(payload)
        self.within_unit, self._rest = unit, rest
        self._items, self._left = frame
        self._args.argv, self._args.at = argv, at
        shard.set_time(moment)
        shard.enter(*caller)

    def _answer(self) -> Answer:
        """The payload of one frame. The next frame begins."""
        self._room = ANSWER_BYTES
        return self.shard.expiry.next_deadline(), *self.shard.reports.take()

    # -- runs and transactions

    def _run(
        self,
        db: int,
        protocol: int,
        client: int,
        touch: bool,
        whole: bool,
        alike: bool,
        commands: Iterable[Argv],
        as_one: bool = False,
    ) -> bytes | list[bytes]:
        """Run commands until all are done, or the frame is full; `_rest` runs the others then.

        Clients that wait are served between two commands, except for those that run `as_one`.
        """
        shard, args, handlers, timing = self.shard, self._args, self._handlers, self._timing
        shard.enter(db, protocol, client, touch)
        replies: list[bytes] = []
        room = self._room
        source = commands = iter(commands)  # so that the rest can go on where this stops
        each = None
        # Mostly nobody waits or caches, and there is nothing to do between two commands.
        if not alike or shard.waiting.places or timing.each_one or (self._readers and client in self._readers):
            serving = bool(shard.waiting.places) and not (as_one or self.within_unit)
            if serving:
                commands = self._serving.between(source, Caller(db, protocol, client, touch))
            remember = self._reading.remember if client in self._readers else None
            commands = each = timing.each(commands, remember, shared=serving or remember is not None)
        started = perf_counter_ns()
        for argv in commands:
            args.argv = argv
            args.at = 1
            try:
                reply = handlers[argv[0]](shard, args)
                # The most frequent replies are encoded here, which saves a call.
                if type(reply) is bytes:
                    size = len(reply)
                    if size <= _SMALL:
                        replies.append(_HEADS[size] + reply + b"\r\n")
                        continue
                    replies.append(b"$%d\r\n%b\r\n" % (size, reply))
                elif reply is OK:
                    replies.append(OK_LINE)
                    continue
                elif reply is None:
                    replies.append(NULL[protocol])
                    continue
                elif type(reply) is int:
                    replies.append(b":%d\r\n" % reply)
                    continue
                else:
                    line = encode(reply, protocol)
                    size = len(line)
                    replies.append(line)
            except CommandError as error:
                line = self._refusal(error, argv)
                size = len(line)
                replies.append(line)
            except Blocked as blocked:
                line = encode(blocked.otherwise, protocol)
                size = len(line)
                replies.append(line)
            except Exception:
                line = self._bug(argv)
                size = len(line)
                replies.append(line)
            if size > _SMALL:
                room -= size
                if room < 0:
                    if size > MAX_RESULT:
                        replies[-1] = self._refusal(CommandError(errors.REPLY_TOO_LARGE), argv)
                    break
        if each is None:
            timing.ran(argv, perf_counter_ns() - started, len(replies))
        else:
            each.close()  # the last one is done, if this has stopped early
            room -= self._serving.take_reported()
        if room < 0 and length_hint(source):
            self._rest = partial(self._run, db, protocol, client, touch, whole, alike, source, as_one)
        self._room = room
        return b"".join(replies) if whole else replies

    def _execute(
        self, db: int, protocol: int, client: int, touch: bool, check: bool, commands: list[Argv]
    ) -> bytes | list[bytes] | None:
        started = perf_counter_ns()
        result = None
        if not (check and self._control.is_dirty(client)):
            result = self._run(db, protocol, client, touch, False, False, commands, as_one=True)
        if not self.within_unit:  # otherwise they are a part of it, and main counts EXEC
            self._timing.ran(_EXEC, perf_counter_ns() - started)
        return result

    # -- single commands

    def _part(
        self, run: Callable[[Argv], Any], db: int, protocol: int, client: int, touch: bool, argv: Argv
    ) -> tuple[Any, int]:
        """Main counts the command, and its error: parts of other shards may have the same one."""
        self.shard.enter(db, protocol, client, touch)
        started = perf_counter_ns()
        try:
            reply = run(argv)
        except CommandError:
            raise
        except Exception:
            log_exception(f"{errors.printable(argv[0])} failed")
            raise CommandError(errors.INTERNAL) from None
        finally:
            if client in self._readers:
                self._reading.remember(argv)
        elapsed = perf_counter_ns() - started
        result = None if reply is OK else reply
        size = size_of(result)
        if size > MAX_RESULT:
            raise CommandError(errors.REPLY_TOO_LARGE)
        self._room -= size
        return result, elapsed

    def _carry(
        self, db: int, protocol: int, client: int, touch: bool, argv: Argv, guests: list[Guest]
    ) -> tuple[bytes, list[ChangedGuest], list[Place]]:
        self.shard.enter(db, protocol, client, touch)
        run = partial(self._measured, argv, self._call_without_waiting)
        result, size = carrying.carry(self.shard, guests, run)
        self._room -= size
        return result

    def _attempt(
        self, db: int, protocol: int, client: int, touch: bool, argv: Argv, guests: list[Guest]
    ) -> tuple[bytes, list[ChangedGuest], list[Place], Details | None]:
        self.shard.enter(db, protocol, client, touch)
        lacking: list[Details] = []

        def run() -> bytes:
            try:
                return self._run_to_wait(argv)
            except Blocked as blocked:
                lacking.append(self._serving.details(argv, blocked))
                return b""

        result, size = carrying.carry(self.shard, guests, run)
        self._room -= size + size_of(lacking)
        return (*result, lacking[0] if lacking else None)

    def _wait(self, db: int, protocol: int, client: int, touch: bool, number: int, argv: Argv) -> bytes | wire.Until:
        result = self._serving.wait(db, protocol, client, touch, number, argv)
        if type(result) is bytes:
            self._room -= len(result)
        return result

    def _run_to_wait(self, argv: Argv) -> bytes:
        """The reply of one command, or its error, in bytes. Raises Blocked."""
        line = self._measured(argv, self._call)
        return line if len(line) <= MAX_RESULT else self._refusal(CommandError(errors.REPLY_TOO_LARGE), argv)

    def _borrow(self, places: list[Place]) -> list[carrying.Loan | None]:
        loans, size = carrying.borrow(self.shard, places)
        self._room -= size
        return loans

    def _dump(
        self, db: int, protocol: int, client: int, touch: bool, keys: list[bytes], most: int
    ) -> list[migrating.Dumped | None]:
        self.shard.enter(db, protocol, client, touch)
        dumped, size = migrating.dump(self.shard, keys, most)
        self._room -= size
        return dumped

    # -- scripts

    def _compile_script(self, text: bytes) -> None:
        self.shard.scripting.compile(text)

    def _following(self) -> tuple[int, list[Item], int]:
        """The running frame's time as it came, its items, and the index of the first one that was not begun."""
        now = -self.shard.now if self.within_unit else self.shard.now
        return now, self._items, len(self._items) - length_hint(self._left)

    def _send(self) -> None:
        """Send what there is, in the middle of an item."""
        self._channel.send(self._answer())

    def _ask_main(self, argv: Argv, read_only: bool) -> bytes | None:
        """The reply to a command that a script has called, and that main has to carry out. None: it cannot."""
        if not self.within_unit:
            return None
        shard = self.shard
        caller = shard.db_index, shard.protocol, shard.client, shard.touch
        answer: bytes = self.ask(wire.FOREIGN, caller, argv, read_only, nested=True)
        return answer

    def _look_up(self, _shard: Shard, args: Args) -> Reply:
        """The handler of every command that `_Handlers` does not hold."""
        return self._call(args.argv)

    def _call(self, argv: Argv) -> Reply:
        """The reply of one command, by way of the table. Raises CommandError."""
        row = lookup(argv)
        args = self._args
        args.argv = argv
        args.at = row.words_of_name
        reply: Reply = row.handler(self.shard, args)
        return reply

    def _call_without_waiting(self, argv: Argv) -> Reply:
        """The same where nothing may wait."""
        try:
            return self._call(argv)
        except Blocked as blocked:
            return blocked.otherwise

    def _measured(self, argv: Argv, call: Callable[[Argv], Reply]) -> bytes:
        """Like `_encoded`. What ends with an exception is no call: it waits, or will run again."""
        started = perf_counter_ns()
        line = self._encoded(argv, call)
        self._timing.ran(argv, perf_counter_ns() - started)
        return line

    def _encoded(self, argv: Argv, call: Callable[[Argv], Reply]) -> bytes:
        """The reply of one command, or its error, in bytes. Raises ForeignKeys, and Blocked if `call` does."""
        try:
            return encode(call(argv), self.shard.protocol)
        except CommandError as error:
            return self._refusal(error, argv)
        except (ForeignKeys, Blocked):
            raise
        except Exception:
            return self._bug(argv)
        finally:
            if self.shard.client in self._readers:
                self._reading.remember(argv)

    def _refusal(self, error: CommandError, argv: Argv) -> bytes:
        """The bytes of an error reply, which is counted."""
        self._timing.failed(argv)
        if type(error) is not ScriptError or not error.counted:
            self._errors.count(error)
        return error.line()

    def _bug(self, argv: Argv) -> bytes:
        """A handler raised something other than CommandError, which is a bug: log it. The bytes of an error reply."""
        log_exception(f"{errors.printable(argv[0])} failed")
        self._timing.failed(argv)
        return CommandError(errors.INTERNAL).line()
