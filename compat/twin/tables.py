"""What servers say about themselves, compared as tables: COMMAND INFO, DOCS, GETKEYS, the fields of INFO, and what
CONFIG SET accepts.

Only rows that both servers have are compared. Missing commands are listed in differences.toml, and respcache does not
follow additions to Redis after 7.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from compat.twin.looseness import same
from compat.twin.strict import StrictConnection
from tests.support.invocations import invocation, rows

Table = dict[str, Any]

# The version of Redis whose tables respcache follows.
HERE = (7, 2)

# The values to try with CONFIG SET on every directive.
VALUES = (
    *("", "0", "1", "-1", "7", "777"),
    *("abc", "yes", "NO", "1mb", "50%", "1.5", "a b", "NOW force", "KEA", "everysec", "noeviction"),
    *("99999999999", "9223372036854775808", "-9223372036854775808"),
)
# Directives that are not tried, besides those of TLS: they would cut off this connection, or depend on how and where
# the server was built.
_LEFT_ALONE = frozenset(
    (
        "port",
        "bind",
        "dir",
        "logfile",
        "timeout",
        "requirepass",
        "maxclients",
        "maxmemory-clients",
        "oom-score-adj",
        "activedefrag",
        "appendonly",
        "locale-collate",
        "cluster-announce-hostname",
        "cluster-announce-human-nodename",  # respcache is not a cluster
    )
)

_BLOCKING = "scripts may call blocking commands since then; they do not wait there"
_TO_ALL = "since then cluster clients are told to send it to all nodes"
_MERGED = "how cluster clients merge its replies was corrected"
_ARITY = "takes more or fewer words since then"
_ARGUMENTS = "its arguments are described differently since then"

_FOR_ALL_NODES = (
    *("acl|deluser", "acl|save", "acl|setuser"),
    *("client|setname", "config|resetstat", "config|rewrite"),
)
_DESCRIBED_DIFFERENTLY = (
    *("bitfield", "bitop", "client|kill", "client|list", "command|getkeys", "command|getkeysandflags"),
    *("geohash", "geopos", "georadius", "georadiusbymember"),
    *("config|get", "pfmerge", "psubscribe", "xinfo|stream", "zrank", "zrevrank"),
)

# The version in which Redis changed something -> the rows, and what changed.
CHANGED: Mapping[tuple[int, int], Mapping[str, str]] = {
    (7, 2): {
        **{
            f"COMMAND INFO, {name}, arity": _ARITY
            for name in ("zrank", "zrevrank", "command|getkeys", "command|getkeysandflags")
        },
        **{
            f"COMMAND INFO, {name}, flags": _BLOCKING
            for name in ("blmove", "blpop", "brpop", "brpoplpush", "bzpopmax", "bzpopmin", "wait")
        },
        **{f"COMMAND INFO, {name}, tips": _TO_ALL for name in _FOR_ALL_NODES},
        **{f"COMMAND INFO, {name}, tips": _MERGED for name in ("latency|reset", "msetnx", "randomkey", "scan")},
        **{f"COMMAND DOCS, {name}, arguments": _ARGUMENTS for name in _DESCRIBED_DIFFERENTLY},
        "COMMAND DOCS, client|pause, since": "named a test version before",
        **{f"CONFIG SET, loglevel {value!r}": "may be `nothing` since then" for value in VALUES},
        "CONFIG SET, aof-disable-auto-gc": "CONFIG GET hides it since then",
        **{f"CONFIG SET, aof-disable-auto-gc {value!r}": "as above" for value in VALUES},
    },
    (7, 4): {
        "COMMAND INFO, sinterstore, key specifications": "no longer says that the destination is read",
        "COMMAND GETKEYS, GETKEYSANDFLAGS SINTERSTORE key:one key:two key:three": "as above",
        **{
            f"COMMAND INFO, {name}, {field}": "counted as blocking"
            for name in ("wait", "waitaof")
            for field in ("flags", "categories")
        },
        "COMMAND DOCS, hscan, arguments": "NOVALUES",
        "COMMAND DOCS, client|kill, arguments": "MAXAGE",
        **{f"CONFIG SET, maxmemory-samples {value!r}": "at most 64 since 8.0" for value in VALUES},
    },
}
# Tables in which respcache has every row that a Redis up to `HERE` has. In the others, commands may be missing.
_COMPLETE = ("CONFIG SET", "INFO")
# What respcache describes differently, and why.
OUR_OWN: Mapping[str, str] = {
    "COMMAND DOCS, debug, arguments": "Redis does not describe its arguments",
    "COMMAND DOCS, migrate, arguments": "a token that is two quotation marks is lost there, by a slip of its generator",
}


def _expected(version: tuple[int, ...]) -> set[str]:
    """The rows that are different in a server like Redis `version`."""
    changed = (rows for since, rows in CHANGED.items() if (version < since) != (since > HERE))
    return set(OUR_OWN).union(*changed)


# The elements of an entry of COMMAND INFO, after the name.
_FIELDS = ("arity", "flags", "first key", "last key", "step", "categories", "tips", "key specifications")


def differences(ours: int, theirs: int, version: tuple[int, ...]) -> Iterator[tuple[str, int, list[str]]]:
    """For each table: its name, the number of rows compared, and one text per row that differs.

    `theirs` is the port of a server like Redis `version`.
    """
    one, other = StrictConnection(ours, 3), StrictConnection(theirs, 3)
    try:
        for name, table in TABLES.items():
            try:
                rows = table(one), table(other)
            except (AttributeError, LookupError, TypeError, ValueError) as error:
                yield name, 0, [f"{name}: a reply does not have the shape of a table: {error!r}"]
            else:
                yield name, *_compare(name, *rows, _expected(version), version)
    finally:
        one.close()
        other.close()


def _compare(
    table: str, ours: Table, theirs: Table, expected: set[str], version: tuple[int, ...]
) -> tuple[int, list[str]]:
    common = sorted(ours.keys() & theirs.keys())
    found = [
        f"{table}, {name}:\n  ours:   {ours[name]!r}\n  theirs: {theirs[name]!r}"
        for name in common
        if not same(ours[name], theirs[name]) and f"{table}, {name}" not in expected
    ]
    if table in _COMPLETE and version <= HERE:
        missing = {name for name in theirs.keys() - ours.keys() if f"{table}, {name}" not in expected}
        found += [f"{table}, {name}: ours has no such row" for name in sorted(missing)]
    return len(common), found


def _info(connection: StrictConnection) -> Table:
    """(command, field) -> what COMMAND INFO says, subcommands included, without the notes on key specifications."""
    table: Table = {}

    def add(entries: list[Any]) -> None:
        for entry in entries:
            name = entry[0].decode()
            for at, field in enumerate(_FIELDS, 1):
                table[f"{name}, {field}"] = entry[at]
            for specification in entry[8]:
                specification.pop(b"notes", None)
            add(entry[9])

    add(connection.call("COMMAND"))
    return table


def documents(connection: StrictConnection) -> Table:
    """(command, part) -> what COMMAND DOCS says about it, without prose: since, group, and the tree of arguments."""
    table: Table = {}
    for name, entry in _with_subcommands(_text(connection.call("COMMAND", "DOCS"))):
        table[f"{name}, since"] = entry.get("since")
        table[f"{name}, group"] = entry.get("group")
        table[f"{name}, arguments"] = _shapes(entry.get("arguments", []))
    return table


def _with_subcommands(documents: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, entry in documents.items():
        yield name, entry
        yield from _with_subcommands(entry.get("subcommands", {}))


def _shapes(arguments: list[dict[str, Any]]) -> list[Any]:
    """Arguments by type, token, flags, key specification and parts. Their names differ between versions of Redis."""
    return [
        [
            entry["type"],
            entry.get("token", "").upper(),
            sorted(entry.get("flags", ())),
            entry.get("key_spec_index", -1),
            _shapes(entry.get("arguments", [])),
        ]
        for entry in arguments
    ]


def _keys(connection: StrictConnection) -> Table:
    """A call of each command -> what COMMAND GETKEYS and GETKEYSANDFLAGS answer for it."""
    table: Table = {}
    for row in rows():
        words = invocation(row)
        for question in ("GETKEYS", "GETKEYSANDFLAGS"):
            table[f"{question} {' '.join(words)}"] = connection.call("COMMAND", question, *words)
    return table


def _settings(connection: StrictConnection) -> Table:
    """(directive, value) -> the answer of CONFIG SET, and of CONFIG GET after it. The old values are restored."""
    table: Table = {}
    for name, before in _text(connection.call("CONFIG", "GET", "*")).items():
        if name not in _LEFT_ALONE and not name.startswith("tls-"):
            table[name] = before
            for value in VALUES:
                answer = connection.call("CONFIG", "SET", name, value)
                table[f"{name} {value!r}"] = answer, connection.call("CONFIG", "GET", name)
            connection.call("CONFIG", "SET", name, before)
    return table


# The sections of INFO whose fields do not depend on what the server has done, and the forms that values have.
_STEADY = ("server", "clients", "memory", "persistence", "stats", "replication", "cpu", "cluster")
_FORMS = {
    "integer": r"-?\d+",
    "decimals": r"\d+\.\d+",
    "percentage": r"\d+\.\d+%",
    "size": r"\d+B|\d+\.\d\d[KMGTP]",
    "text": r".*",
}
# Hexadecimal digits, which may happen to be decimal ones.
_HEXADECIMAL = ("redis_build_id", "run_id", "master_replid")


def _fields(connection: StrictConnection) -> Table:
    """Field of INFO -> its section, and the form of its value."""
    table: Table = {}
    for section in _STEADY:
        for line in str(connection.call("INFO", section)).removeprefix("txt:").split("\r\n"):
            name, colon, value = line.partition(":")
            if colon:
                form = next(form for form, pattern in _FORMS.items() if re.fullmatch(pattern, value))
                table[name] = section, "text" if name in _HEXADECIMAL else form
    return table


def _text(reply: Any) -> Any:
    match reply:
        case dict():
            return {_text(key): _text(value) for key, value in reply.items()}
        case list():
            return [_text(item) for item in reply]
        case bytes():
            return reply.decode()
        case _:
            return reply


TABLES: Mapping[str, Callable[[StrictConnection], Table]] = {
    "COMMAND INFO": _info,
    "COMMAND DOCS": documents,
    "COMMAND GETKEYS": _keys,
    "INFO": _fields,
    "CONFIG SET": _settings,
}
