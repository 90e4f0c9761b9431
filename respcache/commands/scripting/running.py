"""Scripts in a shard: what they see of it, and the compiled ones that are kept.

A command that a script calls runs right here if its keys are. One whose keys live elsewhere, or that main answers, is
asked of main (`FOREIGN`). That is possible only under a barrier over all that the script may touch, since main carries
it out in the middle of the script. Main knows from the script's text whether it needs a barrier
(`respcache.commands.scripting.closed`). Should that have been wrong, the script gets an error.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING, Protocol

from respcache import errors
from respcache.commands.args import Args
from respcache.commands.reading import reads
from respcache.commands.scripting.admission import admit, row_of
from respcache.commands.scripting.calls import ANSWERED_IN_SCRIPTS
from respcache.commands.scripting.replies import decode
from respcache.commands.scripting.reported import ReportedCalls
from respcache.commands.scripting.sorting import unordered
from respcache.commands.table import TABLE, Flag, Reach
from respcache.errors import CommandError
from respcache.logs import log, log_exception
from respcache.quoting import quote_bytes
from respcache.redis_commands import REDIS_COMMANDS
from respcache.resp.types import OK, PONG, Status
from respcache.store.waiting import Blocked

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from respcache.commands.table import Command
    from respcache.resp.types import Argv, Reply
    from respcache.scripting.interpreter import Function, Interpreter, Library, Script
    from respcache.store.shard import Shard

# All commands, also those that main answers, of which a shard has no rows.
_NAMES = frozenset(REDIS_COMMANDS)
_CONTAINERS = frozenset(name.partition(" ")[0] for name in REDIS_COMMANDS if " " in name)
# Compiled scripts are kept: so many, and with texts that take this part of the memory together. Compiled, a text takes
# up to 12 times its size; and if they fill half of the memory, nothing more can be handed to Lua.
_MOST_SCRIPTS = 1000
_SHARE_OF_TEXTS = 1 / 64
_SORTS = frozenset(("SORT", "SORT_RO"))
# A script that mostly calls commands is looked at after so many of them: instructions alone would be too few.
_CALLS_BETWEEN_LOOKS = 256
# Bytes of what monitors are to see that are sent at once.
_MOST_MONITORED = 1 << 20
# Bytes that scripts of one shard may use.
_MEMORY = 256 << 20


class Patience(Protocol):
    """With scripts that run for too long: `respcache.shard.patience`."""

    wrote: bool
    threshold: float

    def begin(self, function: bytes | None, argv: Argv) -> None:
        """A script runs from now on."""

    def look(self) -> None:
        """It still runs. Raises Killed."""

    def end(self) -> None:
        """It has ended."""


class Timing(Protocol):
    """Counts commands: `respcache.shard.timing`."""

    def ran(self, argv: Argv, nanoseconds: int, calls: int = 1, in_script: bool = False) -> None:
        """A command ran."""

    def failed(self, argv: Argv) -> None:
        """It ends with an error."""

    def rejected(self, argv: Argv) -> None:
        """A script must not call it, or not like this."""


class _Counted(CommandError):
    """An error that was counted where the command was carried out."""

    __slots__ = ()


class Scripting:
    """Runs the scripts of one shard; the `Host` of its interpreter.

    ask_main: the answer of main to a command, encoded. In a frame that is no part of a larger unit, it is None.
    count_error: told each error of a command that a script has called.
    timing: told each command that runs here.
    memory: bytes that scripts may use, with everything that they have made and not thrown away.
    """

    def __init__(
        self,
        shard: Shard,
        patience: Patience,
        ask_main: Callable[[Argv, bool], bytes | None],
        count_error: Callable[[CommandError], None],
        timing: Timing,
        memory: int = _MEMORY,
    ) -> None:
        self._shard = shard
        self.patience = patience
        self._ask_main = ask_main
        self._count_error = count_error
        self._timing = timing
        self._memory = memory
        self._interpreter: Interpreter | None = None  # from the first script on
        self._idle_memory = 0  # bytes that Lua took then
        # Compiled scripts by their texts, the latest last, and how many bytes those have.
        self._scripts: OrderedDict[bytes, Script] = OrderedDict()
        self._bytes = 0
        # Of each namespace that has any: its libraries by name, and all their functions, by name in lower case.
        self._libraries: dict[int, dict[bytes, Library]] = {}
        self._functions: dict[int, dict[bytes, Function]] = {}
        # The running script.
        self._read_only = False
        # Clients whose scripts are refused writes, see `wire.deny`; and the texts of the errors.
        self._denied: dict[int, str] = {}
        # Whether what it reads is remembered for its client (CLIENT TRACKING).
        self._remembers = False
        # Commands that scripts have called.
        self._calls = 0
        # Whether main wants to hear of what scripts call (lint), and who tells it of the running script.
        self.reports_calls = False
        self._reported: ReportedCalls | None = None
        # Whether there are monitors; and the bytes of what they are to see that were not sent yet.
        self.monitored = False
        self._monitored_bytes = 0
        # TIME within scripts: the last moment that one has run at, in milliseconds, and how many did so before.
        self._moment = 0
        self._earlier = 0

    def memory(self, *, exact: bool) -> int:
        """Bytes that Lua uses for scripts and functions, besides what it takes itself; `exact`: without garbage."""
        if self._interpreter is None:
            return 0
        if exact:
            self._interpreter.collect()
        return max(0, self._interpreter.memory_used - self._idle_memory)

    def _started(self) -> Interpreter:
        """The interpreter, which is started for the first script."""
        if self._interpreter is None:
            # Not before the first script: the import takes 15 ms, a quarter of the time in which a shard starts.
            from respcache.scripting.interpreter import Interpreter

            self._interpreter = Interpreter(self, self._memory)
            self._interpreter.collect()
            self._idle_memory = self._interpreter.memory_used
        return self._interpreter

    # -- scripts

    def compile(self, text: bytes) -> Script:
        """A script, ready to run. Raises CommandError; main is told, too."""
        script = self._scripts.get(text)
        if script is not None:
            self._scripts.move_to_end(text)
            return script
        try:
            script = self._started().compile(text)
        except CommandError:
            from respcache.scripting.natives import sha1hex  # as above

            self._shard.reports.invalid_script(sha1hex(text))
            raise
        self._scripts[text] = script
        self._bytes += len(text)
        most_bytes = self._memory * _SHARE_OF_TEXTS
        while len(self._scripts) > _MOST_SCRIPTS or (self._bytes > most_bytes and len(self._scripts) > 1):
            oldest, _ = self._scripts.popitem(last=False)
            self._bytes -= len(oldest)
        return script

    def forget(self) -> None:
        """Throw all compiled scripts away; if there are no libraries, the interpreter as well, as Redis does.

        A script that waits for main at this moment still has what it needs.
        """
        self._scripts.clear()
        self._bytes = 0
        if not self._libraries:
            self._interpreter = None

    def run(self, script: Script, keys: list[bytes], arguments: list[bytes], *, read_only: bool) -> Reply:
        """What a script returns. Raises CommandError: what it raised."""
        assert self._interpreter is not None
        run = partial(self._interpreter.run, script, keys, arguments)
        return self._run(run, script.sha, keys, script.flags, read_only=read_only)

    def _run(
        self,
        run: Callable[[int], Reply],
        name: bytes,
        keys: list[bytes],
        flags: Collection[bytes] | None,
        *,
        read_only: bool,
        argv: Argv | None = None,
    ) -> Reply:
        """Run a script, which is named by its SHA, or a function, for the running command's client.

        Without `flags`: as before Redis 7.0. `argv`: the command that calls a function.
        """
        if flags is not None:
            if read_only and b"no-writes" not in flags:
                raise CommandError(errors.WRITING_SCRIPT_IN_READ_ONLY)
            read_only = b"no-writes" in flags
        shard = self._shard
        db, protocol = shard.db_index, shard.protocol
        self._read_only = read_only
        tracking = shard.tracking
        self._remembers = shard.client in tracking.readers
        tracking.in_script = True
        self._begin()
        self._reported = ReportedCalls(shard.reports, shard.client, name, keys) if self.reports_calls else None
        self.patience.begin(None if argv is None else name, argv or [])
        try:
            reply = run(protocol)
        finally:
            self.patience.end()
            tracking.in_script = False
            shard.protocol = protocol
            shard.select(db)
        return reply

    def _begin(self) -> None:
        """Each script has a time of its own, if there are less than a thousand in a millisecond."""
        now = self._shard.now
        if now == self._moment:
            self._earlier = min(self._earlier + 1, 999)
        else:
            self._moment, self._earlier = now, 0

    def deny(self, client: int, what: int) -> None:
        """A fault: refuse all writes of a client's scripts (1), or those that may take memory (2), or nothing (0)."""
        if what:
            self._denied[client] = errors.READ_ONLY_REPLICA if what == 1 else errors.OUT_OF_MEMORY
        else:
            self._denied.pop(client, None)

    def _check_denial(self, row: Command) -> None:
        """Raises CommandError. As in Redis, a script that has written already may take more memory."""
        text = self._denied.get(self._shard.client)
        if text is None:
            return
        if text is errors.READ_ONLY_REPLICA:
            refused = bool(row.flags & Flag.WRITE)
        else:
            refused = bool(row.flags & Flag.DENYOOM) and not self.patience.wrote
        if refused:
            raise CommandError(text)

    # -- monitors

    def called(self) -> None:
        """A command that runs a script begins, and may fail before it does so."""
        if self.monitored:
            self._shard.reports.monitored(self._shard.index, self._shard.db_index, None)

    def _monitor(self, argv: Argv) -> None:
        """The running script calls a command, which was not refused."""
        words = b" ".join(map(quote_bytes, argv))
        self._shard.reports.monitored(self._shard.index, self._shard.db_index, words)
        self._monitored_bytes += len(words)
        if self._monitored_bytes > _MOST_MONITORED:
            self._monitored_bytes = 0
            self.patience.look()  # sends what was reported

    # -- functions

    def inspect_library(self, code: bytes) -> list[tuple[bytes, bytes | None, list[bytes]]]:
        """The functions of a library: name, description, flags. Raises CommandError if it cannot be loaded."""
        library = self._load(code)
        return [(name, each.description, list(each.flags)) for name, each in library.functions.items()]

    def change_libraries(self, namespace: int, codes: dict[bytes, bytes | None], *, flush: bool) -> None:
        """Load libraries by name, perhaps in the place of others, or remove them (None). Main has checked them."""
        libraries = self._libraries.pop(namespace, {})
        functions = self._functions.pop(namespace, {})
        for name in [*libraries] if flush else codes:
            library = libraries.pop(name, None)
            for function in library.functions if library is not None else ():
                functions.pop(function.lower(), None)  # perhaps two of them differ only in case
        for name, code in codes.items():
            if code is None:
                continue
            try:
                library = libraries[name] = self._load(code)
            except CommandError as error:  # main has loaded it elsewhere: perhaps there is no memory left for it here
                log.warning(f"library {errors.printable(name)} could not be loaded: {error.text}")
                continue
            functions.update((function.lower(), each) for function, each in library.functions.items())
        if libraries:
            self._libraries[namespace] = libraries
            self._functions[namespace] = functions

    def _load(self, code: bytes) -> Library:
        return self._started().load_library(code)

    def function(self, name: bytes) -> Function | None:
        """The function of this name, in any case, in the namespace of the caller."""
        functions = self._functions.get(self._shard.namespace)
        return None if functions is None else functions.get(name.lower())

    def run_function(
        self, function: Function, keys: list[bytes], arguments: list[bytes], argv: Argv, *, read_only: bool
    ) -> Reply:
        """What a function returns. Raises CommandError. `argv` is the command that calls it."""
        assert self._interpreter is not None
        run = partial(self._interpreter.run_function, function, keys, arguments)
        return self._run(run, function.name, keys, function.flags, read_only=read_only, argv=argv)

    # -- what a script sees

    @property
    def protocol(self) -> int:
        """Of replies within the script."""
        return self._shard.protocol

    @protocol.setter
    def protocol(self, protocol: int) -> None:
        self._shard.protocol = protocol

    def call(self, argv: Argv) -> Reply:
        """The reply to a command. Raises CommandError, and Killed."""
        self._calls += 1
        if not self._calls % _CALLS_BETWEEN_LOOKS:
            self.patience.look()
        try:
            return self._call(argv)
        except CommandError as error:
            if not isinstance(error, _Counted):
                self._count_error(error)
            raise

    def _call(self, argv: Argv) -> Reply:
        if self._reported is not None:
            self._reported.look(self._shard.db_index, argv)
        if argv[0].upper() in ANSWERED_IN_SCRIPTS:
            answer = self._answer(argv)
            if self.monitored:
                self._monitor(argv)  # as in Redis, with the database after SELECT
            return answer
        row = row_of(argv)
        if row is None or row.in_main:
            return self._asked(argv)
        try:
            writes = admit(row, argv, read_only=self._read_only)
            if self._denied:
                self._check_denial(row)
        except CommandError:
            self._timing.rejected(argv)
            raise
        if writes:
            self.patience.wrote = True
        if row.name in _SORTS:
            argv = self._sort_that_repeats(argv)
        if self._shard.shards > 1 and not self._is_local(row, argv):
            return self._asked(argv)
        if self.monitored:
            self._monitor(argv)
        started = perf_counter_ns()
        try:
            reply: Reply = row.handler(self._shard, Args(argv, row.words_of_name))
        except CommandError:
            self._timing.failed(argv)
            raise
        except Blocked as blocked:  # nothing waits here
            reply = blocked.otherwise
        except Exception:
            log_exception(f"{errors.printable(argv[0])} failed")
            self._timing.failed(argv)
            raise CommandError(errors.INTERNAL) from None
        finally:
            self._timing.ran(argv, perf_counter_ns() - started, in_script=True)
            if self._remembers and reads(row):
                keys = [argv[at] for at in row.key_positions(argv)]
                self._shard.tracking.remember(self._shard.namespace, self._shard.client, keys)
        return reply

    def _sort_that_repeats(self, argv: Argv) -> Argv:
        """A SORT of a set without an order (BY something constant): Redis orders it within scripts."""
        words = unordered(argv)
        if words is None:
            return argv
        look = [b"TYPE", argv[1]]  # the script has not called this: it is neither counted nor shown to monitors
        if self._shard.owns(argv[1]):
            kind = TABLE[b"TYPE"].handler(self._shard, Args(look))
        else:
            kind = self._asked(look)
        return words if isinstance(kind, Status) and kind.text == b"set" else argv

    def _is_local(self, row: Command, argv: Argv) -> bool:
        """True if all keys of a command are on this shard."""
        owns = self._shard.owns
        if row.first_key:
            return owns(argv[row.first_key])
        if row.reach is not Reach.KEYS or (row.roams is not None and row.roams(argv)):
            return False
        if (len(argv) - row.min_words) % row.step:
            return True  # a group is not complete: the handler refuses it
        return all(owns(argv[at]) for at in row.key_positions(argv))

    def _asked(self, argv: Argv) -> Reply:
        """The reply to a command that main carries out."""
        answer = self._ask_main(argv, self._read_only)
        self.patience.look()
        if answer is None:
            raise CommandError(errors.UNKNOWN_IN_SCRIPT if row_of(argv) is None else errors.FOREIGN_IN_SCRIPT)
        reply = decode(answer)
        if isinstance(reply, CommandError):
            raise _Counted(reply.text)
        return reply

    def _answer(self, argv: Argv) -> Reply:
        """What main answers to clients, and the shard to scripts."""
        started = perf_counter_ns()
        try:
            reply = self._answered(argv)
        except CommandError as error:
            if error.text == errors.WRONG_ARITY_IN_SCRIPT:
                self._timing.rejected(argv)
            else:
                self._timing.failed(argv)
                self._timing.ran(argv, perf_counter_ns() - started, in_script=True)
            raise
        self._timing.ran(argv, perf_counter_ns() - started, in_script=True)
        return reply

    def _answered(self, argv: Argv) -> Reply:
        count = len(argv)
        match argv[0].upper():
            case b"PING":
                if count > 2:
                    raise errors.wrong_arity("ping")
                return PONG if count == 1 else argv[1]
            case b"TIME" if count == 1:
                seconds, milliseconds = divmod(self._moment, 1000)
                return [b"%d" % seconds, b"%d" % (milliseconds * 1000 + self._earlier)]
            case b"ECHO" if count == 2:
                return argv[1]
            case b"SELECT" if count == 2:
                index = Args(argv).int(low=-(1 << 31), high=(1 << 31) - 1, range_error=errors.NOT_AN_INT32)
                self._shard.select(self._shard.database(index))
                return OK
            case _:
                raise CommandError(errors.WRONG_ARITY_IN_SCRIPT)

    def interrupted(self) -> None:
        """Called from time to time while a script runs. Raises Killed."""
        self.patience.look()

    def log(self, level: int, text: bytes) -> None:
        """redis.log."""
        line = errors.printable(text)
        (log.debug, log.verbose, log.notice, log.warning)[level](line)

    def allowed(self, argv: Argv) -> bool | None:
        """redis.acl_check_cmd: the default user may do everything. None if there is no such command."""
        names = [word.decode("latin-1").upper() for word in argv[:2]]
        if names[0] in _CONTAINERS:
            return True if " ".join(names) in _NAMES or len(names) == 1 else None
        return True if names[0] in _NAMES else None
