"""The configuration of one server, as set by a file, the command line and CONFIG SET.

    config = load(["--port", "0", "--shards", "3"])     # respcache.config.files
    config.shards                                       # values are attributes, with underscores
    config.set([(b"maxclients", b"20")])                # CONFIG SET
    config.get([b"max*"])                               # CONFIG GET
    config.reset()                                      # undo all CONFIG SETs

Names, kinds of values and defaults are in `respcache.config.directives`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from respcache.config.directives import DIRECTIVES, NAMES, Directive
from respcache.config.kinds import BadValue
from respcache.errors import config_set_failed, unknown_directive
from respcache.glob import compile_glob
from respcache.logs import log

# The directives that CONFIG SET has changed, with their values.
Image = dict[Directive, Any]

_GLOB_CHARACTERS = frozenset(b"*?[")
_IMMUTABLE = "can't set immutable config"


class Config:
    """Values by name, checked when they are set. The values that other modules read are annotated here."""

    bind: list[str]
    client_max_unanswered: int
    client_output_buffer_limit: dict[str, tuple[int, int, int]]
    client_output_pause: int
    client_query_buffer_limit: int
    daemonize: bool
    databases: int
    enable_debug_command: str
    enable_protected_configs: str
    enable_test_commands: str
    max_namespaces: int
    http_allow_origin: list[str]
    http_blocking_limit: int
    http_dialect: str
    http_port: int
    http_request_timeout: int
    latency_monitor_threshold: int
    latency_tracking: bool
    latency_tracking_info_percentiles: list[float]
    lint: str
    lint_large_key: int
    lint_large_keyspace: int
    lint_max_elements: int
    lint_max_reply: int
    lint_max_value: int
    lint_profile: str
    lint_repeats: int
    lint_rules: list[str]
    lint_ttl_pattern: list[str]
    logfile: str
    loglevel: str
    maxclients: int
    metrics_port: int
    notify_keyspace_events: str
    pidfile: str
    port: int
    proto_max_bulk_len: int
    protected_mode: bool
    rdbcompression: bool
    requirepass: str
    respcache_http: bool
    respcache_parent_fd: int
    respcache_ready_fd: int
    respcache_temporary_dir: str
    shard_queue_limit: int
    shards: int
    slowlog_log_slower_than: int
    slowlog_max_len: int
    snapshot_limit: int
    supervised: str
    syslog_enabled: bool
    syslog_facility: str
    syslog_ident: str
    tcp_backlog: int
    tcp_keepalive: int
    timeout: int
    tls_port: int
    tracking_table_max_keys: int
    unixsocket: str
    unixsocketperm: int

    def __init__(self) -> None:
        self.path = ""  # the configuration file, absolute; empty if there is none
        self._checks: dict[str, list[Callable[[], None]]] = {}  # by the directive's name, see `add_check`
        self._listeners: list[tuple[set[str], Callable[[], None]]] = []  # with the names, see `on_change`
        self._appliers: list[tuple[set[str], Callable[[str], None]]] = []  # with the names, see `apply_by`
        self._chosen: dict[Directive, tuple[Any, str]] = {}  # see `settle`
        self._at_start: dict[Directive, str] = {}  # of what CONFIG SET has changed: the values at the start, as shown
        for row in DIRECTIVES.values():
            setattr(self, row.attribute, row.default)

    def value(self, name: str) -> Any:
        """The value of a directive, as a Python value."""
        return getattr(self, NAMES[name].attribute)

    def show(self, name: str) -> str:
        """The value of a directive, as CONFIG GET returns it."""
        return NAMES[name].kind.show(self.value(name))

    def put(self, name: str, words: Sequence[str]) -> None:
        """Set a directive when the server starts. Raises KeyError for an unknown name, and BadValue."""
        self._assign(NAMES[name], words)

    def settle(self, name: str, value: Any) -> None:
        """The system has chosen a value, where the configuration has left it open.

        CONFIG GET shows it, and CONFIG REWRITE does not write it.
        """
        row = NAMES[name]
        self._chosen[row] = value, self.show(name)
        setattr(self, row.attribute, value)

    def configured(self, name: str) -> Any:
        """The value of a directive; one that the system has chosen, as it was configured."""
        row = NAMES[name]
        value = self.value(name)
        if row in self._chosen and self._chosen[row][0] == value:
            return row.kind.parse(row.words(self._chosen[row][1]))
        return value

    def _assign(self, row: Directive, words: Sequence[str]) -> None:
        value = row.kind.parse(words)
        setattr(self, row.attribute, getattr(self, row.attribute) | value if row.kind.partial else value)

    def shard_values(self) -> dict[str, Any]:
        """The values that shards need, by attribute (`Directive.shard`)."""
        return {row.attribute: getattr(self, row.attribute) for row in DIRECTIVES.values() if row.shard}

    def get(self, patterns: Iterable[bytes]) -> dict[bytes, bytes]:
        """The values of all directives that match one of the patterns, by name."""
        found: dict[bytes, bytes] = {}
        for pattern in patterns:
            for name in _matching(pattern):
                found[name.encode()] = self.show(name.lower()).encode("utf-8", "surrogateescape")
        return found

    def set(self, pairs: Iterable[tuple[bytes, bytes]], *, allow_protected: bool = False) -> None:
        """Set directives while the server runs: all or none. Raises CommandError."""
        changes = _changes(pairs, allow_protected)
        before = {change.row: getattr(self, change.row.attribute) for change in changes}
        shown = {row: row.kind.show(value) for row, value in before.items()}
        try:
            for change in changes:
                self._change(change)
            self._check(before)
            self._apply(before)
        except Exception:  # a bug in a check leaves everything as it was, too
            for row, value in before.items():
                setattr(self, row.attribute, value)
            raise
        self._at_start = shown | self._at_start
        self._tell(before)

    def reset(self) -> None:
        """Give every directive the value back that it had before the first CONFIG SET."""
        changed, self._at_start = self._at_start, {}
        for row, value in changed.items():
            self._assign_as_at_start(row, value)
        self._tell(changed)

    def image(self) -> Image:
        """What CONFIG SET has changed so far."""
        return {row: getattr(self, row.attribute) for row in self._at_start}

    def put_back(self, image: Image) -> None:
        """Have the values of that moment again."""
        at_start = {row: value for row, value in self._at_start.items() if row not in image}
        before = {row: getattr(self, row.attribute) for row in [*at_start, *image]}
        for row, value in image.items():
            if row not in self._at_start:
                self._at_start[row] = row.kind.show(getattr(self, row.attribute))
            setattr(self, row.attribute, value)
        for row, shown in at_start.items():
            del self._at_start[row]
            self._assign_as_at_start(row, shown)
        self._tell(row for row, value in before.items() if getattr(self, row.attribute) != value)

    def _assign_as_at_start(self, row: Directive, shown: str) -> None:
        try:
            self._assign(row, row.words(shown))
        except BadValue as error:  # the `dir` of the start was removed
            log.warning(f"{row.name} could not be set back to {shown!r}: {error}")

    def _tell(self, rows: Iterable[Directive]) -> None:
        names = {row.name for row in rows}
        for of_interest, listener in self._listeners:
            if names & of_interest:
                listener()

    def _change(self, change: _Change) -> None:
        """Raises CommandError."""
        row, name, words = change
        before = getattr(self, row.attribute)
        try:
            self._assign(row, words)
        except BadValue as error:
            raise config_set_failed(name, str(error)) from None
        if row.starting and getattr(self, row.attribute) != before:
            raise config_set_failed(name, _IMMUTABLE)

    def _check(self, rows: Iterable[Directive]) -> None:
        """Raises CommandError."""
        for row in rows:
            for check in self._checks.get(row.name, ()):
                try:
                    check()
                except BadValue as error:
                    raise config_set_failed(row.name, str(error)) from None

    def _apply(self, before: dict[Directive, Any]) -> None:
        """Raises CommandError."""
        changed = [row.name for row, value in before.items() if getattr(self, row.attribute) != value]
        for names, apply in self._appliers:
            name = next(filter(names.__contains__, changed), None)
            if name is not None:
                try:
                    apply(name)
                except BadValue as error:
                    raise config_set_failed(name, str(error)) from None

    def apply_by(self, names: Iterable[str], apply: Callable[[str], None]) -> None:
        """Have `apply` called when CONFIG SET has changed one of these directives, once all values have been checked.

        It is given the first of them in the command. If it raises BadValue, having changed nothing, the command fails.
        For what can be known only by doing it; so there is one.
        """
        assert not self._appliers, "what one of them has done would have to be undone if another one fails"
        self._appliers.append(({NAMES[name].name for name in names}, apply))

    def add_check(self, name: str, check: Callable[[], None]) -> None:
        """Have `check` called when CONFIG SET has given this directive a new value, before that becomes final.

        If it raises BadValue, the command fails. For values whose validity depends on more than their form.
        """
        self._checks.setdefault(NAMES[name].name, []).append(check)

    def on_change(self, names: str | Iterable[str], listener: Callable[[], None]) -> None:
        """Have `listener` called after each CONFIG SET of one of these directives, once per command."""
        of_interest = {names} if isinstance(names, str) else set(names)
        self._listeners.append(({NAMES[name].name for name in of_interest}, listener))

    def on_shard_change(self, listener: Callable[[], None]) -> None:
        """Have `listener` called after each CONFIG SET that changes `shard_values`."""
        self.on_change((row.name for row in DIRECTIVES.values() if row.shard), listener)

    def changed(self) -> dict[str, str]:
        """The directives that differ from their defaults, with values as CONFIG GET shows them."""
        return {
            name: self.show(name) for name, row in DIRECTIVES.items() if getattr(self, row.attribute) != row.default
        }

    def without_effect(self) -> list[str]:
        """The directives that were changed but have no effect."""
        return [name for name in self.changed() if DIRECTIVES[name].unused]


class _Change(NamedTuple):
    """One pair of CONFIG SET: the directive, the name used for it in lower case, and the words of the value."""

    row: Directive
    name: str
    words: list[str]


def _matching(pattern: bytes) -> list[str]:
    """The names that an argument of CONFIG GET stands for. A plain name is returned as it was written."""
    if not _GLOB_CHARACTERS & set(pattern):
        name = pattern.decode("utf-8", "surrogateescape")
        return [name] if name.lower() in NAMES else []
    matches = compile_glob(pattern, ignore_case=True)
    return [name for name, row in NAMES.items() if not row.hidden and matches(name.encode())]


def _changes(pairs: Iterable[tuple[bytes, bytes]], allow_protected: bool) -> list[_Change]:
    """The directives to set, in order. All names are checked before any value is. Raises CommandError.

    A directive and its alias may both be given; the last one counts.
    """
    changes: list[_Change] = []
    for name, value in pairs:
        given = name.decode("utf-8", "surrogateescape")
        lowered = given.lower()
        row = NAMES.get(lowered)
        if row is None:
            raise unknown_directive(name)
        if row.fixed:
            raise config_set_failed(given, _IMMUTABLE)
        if row.protected and not allow_protected:
            raise config_set_failed(given, "can't set protected config")
        if any(change.name == lowered for change in changes):
            raise config_set_failed(given, "duplicate parameter")
        changes.append(_Change(row, lowered, row.words(value.decode("utf-8", "surrogateescape"))))
    return changes
