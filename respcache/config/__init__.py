"""The configuration of one server: what a file, the command line and CONFIG SET say.

    config = load(["--port", "0", "--shards", "3"])     # respcache.config.files
    config.shards                                       # values are attributes, with underscores
    config.set([(b"maxclients", b"20")])                # CONFIG SET
    config.get([b"max*"])                               # CONFIG GET

The names, their kinds of values and defaults are in `respcache.config.directives`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from respcache.config.directives import DIRECTIVES, NAMES, Directive
from respcache.config.kinds import BadValue
from respcache.errors import CommandError, config_set_failed, unknown_directive
from respcache.glob import compile_glob

_GLOB_CHARACTERS = frozenset(b"*?[")


class Config:
    """Values by name, checked as they are set. Annotated here are those that other modules read."""

    bind: list[str]
    client_max_unanswered: int
    client_output_buffer_limit: dict[str, tuple[int, int, int]]
    client_output_pause: int
    client_query_buffer_limit: int
    databases: int
    enable_debug_command: str
    enable_protected_configs: str
    logfile: str
    loglevel: str
    maxclients: int
    notify_keyspace_events: str
    pidfile: str
    port: int
    proto_max_bulk_len: int
    protected_mode: bool
    requirepass: str
    respcache_parent_fd: int
    respcache_ready_fd: int
    shard_queue_limit: int
    shards: int
    tcp_backlog: int
    tcp_keepalive: int
    timeout: int
    unixsocket: str
    unixsocketperm: int

    def __init__(self) -> None:
        self.path = ""  # the configuration file, absolute; empty if there is none
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        for row in DIRECTIVES.values():
            setattr(self, row.attribute, row.default)

    def value(self, name: str) -> Any:
        """The value of the directive `name`, as a Python value."""
        return getattr(self, NAMES[name].attribute)

    def show(self, name: str) -> str:
        """The value of the directive `name`, as CONFIG GET returns it."""
        return NAMES[name].kind.show(self.value(name))

    def put(self, name: str, words: Sequence[str]) -> None:
        """Set a directive when the server starts. Raises KeyError for an unknown name, and BadValue."""
        self._assign(NAMES[name], words)

    def _assign(self, row: Directive, words: Sequence[str]) -> None:
        value = row.kind.parse(words)
        setattr(self, row.attribute, getattr(self, row.attribute) | value if row.kind.partial else value)

    def get(self, patterns: Iterable[bytes]) -> dict[bytes, bytes]:
        """The directives that match one of the patterns, by name."""
        found: dict[bytes, bytes] = {}
        for pattern in patterns:
            for name in _matching(pattern):
                found[name.encode()] = self.show(name.lower()).encode("utf-8", "surrogateescape")
        return found

    def set(self, pairs: Iterable[tuple[bytes, bytes]], *, allow_protected: bool = False) -> None:
        """Set directives while the server runs, all of them or none. Raises CommandError."""
        changes = _changes(pairs, allow_protected)
        before = {row: getattr(self, row.attribute) for row in changes}
        try:
            for row, (given, words) in changes.items():
                try:
                    self._assign(row, words)
                except BadValue as error:
                    raise config_set_failed(given, str(error)) from None
        except CommandError:
            for row, value in before.items():
                setattr(self, row.attribute, value)
            raise
        for row in changes:
            for listener in self._listeners.get(row.name, ()):
                listener()

    def on_change(self, name: str, listener: Callable[[], None]) -> None:
        """Have `listener` called after each CONFIG SET of this directive."""
        self._listeners.setdefault(name, []).append(listener)

    _SHARD = (
        "hash-max-listpack-entries",
        "hash-max-listpack-value",
        "list-max-listpack-size",
        "proto-max-bulk-len",
        "set-max-intset-entries",
        "set-max-listpack-entries",
        "set-max-listpack-value",
        "zset-max-listpack-entries",
        "zset-max-listpack-value",
        "notify-keyspace-events",
    )

    def shard_values(self) -> dict[str, Any]:
        return {name.replace("-", "_"): self.value(name) for name in self._SHARD}

    def on_shard_change(self, listener: Callable[[], None]) -> None:
        for name in self._SHARD:
            self.on_change(name, listener)

    def changed(self) -> dict[str, str]:
        """The directives that differ from their defaults, as CONFIG GET shows them."""
        return {
            name: self.show(name) for name, row in DIRECTIVES.items() if getattr(self, row.attribute) != row.default
        }


def _matching(pattern: bytes) -> list[str]:
    """The names that a word of CONFIG GET means. A plain name comes back as it was written."""
    if not _GLOB_CHARACTERS & set(pattern):
        name = pattern.decode("utf-8", "surrogateescape")
        return [name] if name.lower() in NAMES else []
    matches = compile_glob(pattern, ignore_case=True)
    return [name for name in NAMES if matches(name.encode())]


def _changes(pairs: Iterable[tuple[bytes, bytes]], allow_protected: bool) -> dict[Directive, tuple[str, list[str]]]:
    """The directives to set, each with the name it was given by and the words of its value. All names are checked
    before any value is.
    """
    changes: dict[Directive, tuple[str, list[str]]] = {}
    for name, value in pairs:
        given = name.decode("utf-8", "surrogateescape")
        row = NAMES.get(given.lower())
        if row is None:
            raise unknown_directive(name)
        if row.fixed:
            raise config_set_failed(given, "can't set immutable config")
        if row.protected and not allow_protected:
            raise config_set_failed(given, "can't set protected config")
        if row in changes:
            raise config_set_failed(given, "duplicate parameter")
        changes[row] = (given, row.words(value.decode("utf-8", "surrogateescape")))
    return changes
