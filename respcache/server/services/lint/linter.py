"""The interceptor that applies the rules."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from respcache.commands.scripting.admission import row_of
from respcache.errors import CommandError
from respcache.glob import compile_glob
from respcache.logs import log_exception
from respcache.server.services.lint import sizes
from respcache.server.services.lint.before import CONCERNED
from respcache.server.services.lint.calls import Call
from respcache.server.services.lint.findings import LONGEST_NAME, Findings, Sight
from respcache.server.services.lint.profiles import PROFILES
from respcache.server.services.lint.rounds import RepeatedScripts, RoundTrips
from respcache.server.services.lint.rules import RULES, chosen

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from respcache.clock import Clock
    from respcache.commands.table import Command
    from respcache.config import Config
    from respcache.resp.types import Argv
    from respcache.server.services.lint.rules import Rule
    from respcache.server.services.lint.sizes import Measure, Size

DIRECTIVES = ("lint", "lint-profile", "lint-rules", "lint-ttl-pattern")
# Keys under `lint-ttl-pattern` that are remembered up to the next report, and their bytes with those of the commands.
_MOST_WRITTEN = 10_000
_MOST_WRITTEN_BYTES = 4 << 20
# Commands of a transaction whose keys are asked for.
_MOST_QUEUED = 100


class Lint:
    """An `Interceptor`: to be added after those that hold commands back, since these come a second time.

    on_change: called when `active` may have changed.
    measure: asks shards for sizes.
    """

    def __init__(self, config: Config, clock: Clock, measure: Measure, on_change: Callable[[], object]) -> None:
        self.active = False
        self.findings = Findings()
        self._config = config
        self._clock = clock
        self._measure = measure
        self._on_change = on_change
        self._refuses = False
        self._profile = PROFILES[config.lint_profile]
        # What is looked for.
        self._rules: frozenset[str] = frozenset()
        self._before: list[Rule] = []
        # Of those, what may have to do with each command that was seen.
        self._of_row: dict[Command, list[Rule]] = {}
        # The patterns of keys that must expire.
        self._must_expire: list[Callable[[bytes], bool]] = []
        # Written keys that match: (database, key) -> client's name, command, words. Whether they expire is asked for
        # when somebody wants a report.
        self._written: dict[tuple[int, bytes], tuple[bytes, str, Argv]] = {}
        self._written_bytes = 0
        self._round_trips = RoundTrips()
        self._scripts = RepeatedScripts()
        # Counts resets: what was asked of shards before one is not for the findings after it.
        self._resets = 0
        config.on_change(DIRECTIVES, self._configure)
        self._configure()

    def _configure(self) -> None:
        config = self._config
        self.active = config.lint != "off"
        self._refuses = config.lint == "refuse"
        self._profile = PROFILES[config.lint_profile]
        self._rules = chosen(config.lint_rules)
        self._before = [rule for rule in RULES.values() if rule.look is not None and rule.name in self._rules]
        self._of_row = {}
        patterns = config.lint_ttl_pattern if "no-ttl" in self._rules else []
        self._must_expire = [compile_glob(pattern.encode("utf-8", "surrogateescape")) for pattern in patterns]
        self._on_change()

    def reset(self) -> None:
        """Forget what was found, and what may lead to a finding."""
        self._resets += 1
        self.findings.clear()
        self._written = {}
        self._written_bytes = 0
        self._round_trips.clear()
        self._scripts.clear()

    # -- the interceptor

    def command(self, client: Any, row: Command | None, argv: Argv, refusal: CommandError | None) -> _Reply | None:
        """See `Interceptor`. Raises CommandError to refuse the command."""
        if refusal is not None or row is None:
            return None
        try:
            call = Call(client, row, argv, self._config, self._profile)
            error = self._look_before(call)
            if error is None:
                self._look_at_rounds(call)
                return self._look_at_sizes(call)
        except Exception:  # a bug here is no reason to refuse a command
            log_exception("lint failed")
            return None
        if call.name == "EXEC":
            client.discard()  # as a cluster does that refuses it
        raise error

    def message(self, client: Any, data: bytes) -> None:
        """See `Interceptor`. Messages are not looked at."""

    def _look_before(self, call: Call) -> CommandError | None:
        """The error with which a command is refused, if it is."""
        refusal = None
        for rule in self._concerned(call.row):
            assert rule.look is not None
            sight = rule.look(call)
            if sight is not None:
                self._found(rule.name, call, sight)
                if refusal is None and self._refuses and rule.refuses:
                    refusal = CommandError(f"LINT {rule.name}: {sight.detail}. {rule.instead}")
        return refusal

    def _concerned(self, row: Command) -> list[Rule]:
        """The rules about words that a command may break."""
        rules = self._of_row.get(row)
        if rules is None:
            rules = self._of_row[row] = []
            for rule in self._before:
                concerned = CONCERNED.get(rule.name)
                if concerned is None or concerned(row, self._profile):
                    rules.append(rule)
        return rules

    def _look_at_rounds(self, call: Call) -> None:
        if "n-plus-one" in self._rules:
            found = self._round_trips.look(call, self._clock.last_ms)
            if found is not None:
                self._found("n-plus-one", call, *found)
        if "eval" in self._rules:
            found = self._scripts.look(call)
            if found is not None:
                self._found("eval", call, *found)

    def _found(self, rule: str, call: Call, sight: Sight, count: int = 1) -> None:
        if not sight.key and not sight.pattern and call.keys:
            sight = sight._replace(key=call.keys[0])
        self.findings.add(
            rule, call.client.name, call.name, call.argv, sight, self._clock.now_ms(), count, script=call.script
        )

    # -- sizes

    def _look_at_sizes(self, call: Call) -> _Reply:
        """Ask for the sizes of what a command is about to go through; who looks at its reply."""
        if call.name == "EXEC" and call.client.transaction is not None:
            queued = call.client.transaction.commands[:_MOST_QUEUED]
            calls = [Call(call.client, each.row, each.argv, self._config, self._profile) for each in queued]
        elif call.in_multi:
            self._note_written(call)
            calls = []
        else:
            self._note_written(call)
            calls = [call]
        for each in calls:
            self._ask_before(each)
        return _Reply(self, call, calls)

    def _ask_before(self, call: Call) -> None:
        keys = sizes.read_keys(call) if "whole-key" in self._rules else []
        rule = sizes.looks_at_all_keys(call)
        all_keys = rule in self._rules
        if keys or all_keys:
            self._measure(
                call.client.caller.db, keys, all_keys, partial(self._measured_before, self._resets, call, keys, rule)
            )

    def _measured_before(
        self, resets: int, call: Call, keys: list[bytes], rule: str, found: Sequence[Size | None], count: int
    ) -> None:
        if resets != self._resets:
            return
        for sight in sizes.whole_key(call, keys, found):
            self._found("whole-key", call, sight)
        if rule in self._rules and (whole := sizes.whole_keyspace(call, count)) is not None:
            self._found(rule, call, whole)

    def look_after(self, call: Call, calls: Sequence[Call], size: int, failed: bool) -> None:
        """The reply to a command, of `size` bytes, is about to be sent."""
        if size > self._config.lint_max_reply and "large-reply" in self._rules:
            self._found("large-reply", call, Sight(f"a reply of {size} bytes"))
        if failed or not self._rules & {"large-collection", "large-value"}:
            return
        for each in calls:
            keys = sizes.grown_keys(each)
            if keys:
                then = partial(self._measured_after, self._resets, each, keys)
                self._measure(each.client.caller.db, keys, False, then)

    def _measured_after(
        self, resets: int, call: Call, keys: list[bytes], found: Sequence[Size | None], _count: int
    ) -> None:
        if resets != self._resets:
            return
        for key, size in zip(keys, found, strict=True):
            if size is None:
                continue
            for rule, look in (("large-collection", sizes.large_collection), ("large-value", sizes.large_value)):
                if rule in self._rules and (sight := look(call, key, size)) is not None:
                    self._found(rule, call, sight)

    # -- keys that must expire

    def _note_written(self, call: Call) -> None:
        if self._must_expire and call.writes:
            self._note_keys(call.client.caller.db, call.keys, call)

    def _note_keys(self, db: int, keys: Collection[bytes], call: Call) -> None:
        for key in keys:
            if (db, key) not in self._written and any(matches(key) for matches in self._must_expire):
                words = [word[:100] for word in call.argv[:20]]
                name = call.client.name[:LONGEST_NAME]
                size = len(key) + len(name) + sum(map(len, words))
                if len(self._written) >= _MOST_WRITTEN or self._written_bytes + size > _MOST_WRITTEN_BYTES:
                    self.findings.dropped += 1
                    return
                self._written_bytes += size
                self._written[db, key] = (name, call.name, words)

    def look_at_written(self) -> None:
        """Ask for the keys that must expire: the findings are there when the shards have answered."""
        written, self._written = self._written, {}
        self._written_bytes = 0
        by_database: dict[int, list[bytes]] = {}
        for db, key in written:
            by_database.setdefault(db, []).append(key)
        for db, keys in by_database.items():
            self._measure(db, keys, False, partial(self._measured_written, self._resets, written, db, keys))

    def _measured_written(
        self,
        resets: int,
        written: dict[tuple[int, bytes], tuple[bytes, str, Argv]],
        db: int,
        keys: list[bytes],
        found: Sequence[Size | None],
        _count: int,
    ) -> None:
        if resets != self._resets:
            return
        now = self._clock.now_ms()
        for key, size in zip(keys, found, strict=True):
            if size is not None and not size.expires:
                client, command, words = written[db, key]
                self.findings.add("no-ttl", client, command, words, Sight("a key that never expires", key), now)

    # -- scripts

    def script_called(self, client: Any, db: int, script: bytes, argv: Argv, undeclared: bytes | None) -> None:
        """A script of a client has called a command; see `respcache.commands.scripting.reported`."""
        if not self.active:
            return
        try:
            row = row_of(argv)
            if row is None:
                return
            call = Call(client, row, argv, self._config, self._profile, script)
            if undeclared is not None and "undeclared-key" in self._rules:
                self._found("undeclared-key", call, Sight("used by a script, and not in its KEYS", undeclared))
            for rule in self._concerned(row):
                assert rule.look is not None
                if rule.in_scripts and (sight := rule.look(call)) is not None:
                    self._found(rule.name, call, sight)
            if self._must_expire and call.writes:
                self._note_keys(db, call.keys, call)
        except Exception:
            log_exception("lint failed")


class _Reply:
    """The `Tap` of one command."""

    __slots__ = ("_call", "_calls", "_failed", "_lint", "_size")

    def __init__(self, lint: Lint, call: Call, calls: Sequence[Call]) -> None:
        self._lint = lint
        self._call = call
        self._calls = calls  # those that it runs: itself, or what was queued
        self._size = 0
        self._failed = False

    def output(self, data: bytes, complete: bool) -> bytes:
        """See `Tap`. The reply is left as it is."""
        if not self._size:
            self._failed = data.startswith(b"-")
        self._size += len(data)
        if complete:
            try:
                self._lint.look_after(self._call, self._calls, self._size, self._failed)
            except Exception:
                log_exception("lint failed")
        return data
