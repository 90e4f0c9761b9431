"""COMMAND and its subcommands, row by row against the genuine server's own.

What a genuine server says of a command that both have must be what respcache says. Where Redis itself changed its mind
between versions, `CHANGED` says what and why; respcache is like 7.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from compat.command_docs import difference, flat, text
from respcache.commands._spec import TABLE
from respcache.server import commands
from tests.conftest import REFERENCE
from tests.support.processes import ReferenceServer, RespcacheServer, StartedServer
from tests.support.resp import Connection, ReplyError

Rows = dict[str, dict[str, Any]]

assert commands.__all__  # imported for what it does: with it, the table is full

FIELDS = ("arity", "flags", "first", "last", "step", "categories", "tips", "keys")

BLOCKING = "blocking commands may be called from scripts since then: they do not wait there"
TO_ALL = "tells cluster clients since then to send it to all nodes"
ARITY = "takes more or fewer words since then"

# Version in which a field changed -> (field, commands, what it was about).
CHANGED = {
    (7, 2): (
        ("arity", "zrank zrevrank command|getkeys command|getkeysandflags", ARITY),
        ("flags", "blmove blpop brpop brpoplpush bzpopmax bzpopmin wait", BLOCKING),
        ("tips", "acl|deluser acl|save acl|setuser client|setname config|resetstat config|rewrite", TO_ALL),
        ("tips", "latency|reset msetnx randomkey scan", "how cluster clients merge its replies was corrected"),
    ),
    (7, 4): (
        ("keys", "sinterstore", "the destination is no longer said to be read"),
        ("flags", "wait waitaof", "counted as blocking"),
    ),
}
HERE = (7, 2)


@pytest.fixture(scope="module")
def ours(started: dict[str, StartedServer]) -> Iterator[Connection]:
    if "3-shards" not in started:
        started["3-shards"] = RespcacheServer(shards=3)
    connection = Connection(started["3-shards"].port, protocol=3)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def reference(started: dict[str, StartedServer]) -> StartedServer:
    if REFERENCE is None:
        pytest.skip(reason="no genuine redis-server found ($RESPCACHE_REFERENCE, or on the PATH)")
    if "genuine" not in started:
        started["genuine"] = ReferenceServer(REFERENCE)
    return started["genuine"]


@pytest.fixture(scope="module")
def genuine(reference: StartedServer) -> Iterator[Connection]:
    connection = Connection(reference.port, protocol=3)
    yield connection
    connection.close()


def rows_of(reply: list[Any]) -> Rows:
    """COMMAND's reply by command name, containers and subcommands side by side."""
    rows: Rows = {}
    for name, arity, flags, first, last, step, categories, tips, keys, subcommands in reply:
        rows[name.decode()] = {
            "arity": arity,
            "flags": sorted(flags),
            "first": first,
            "last": last,
            "step": step,
            "categories": sorted(categories),
            "tips": sorted(tip.decode() for tip in tips),
            "keys": [plain(specification) for specification in keys],
        }
        rows |= rows_of(subcommands)
    return rows


def plain(reply: Any) -> Any:
    """A key specification without its notes, which are prose; its flags in alphabetical order."""
    if isinstance(reply, dict):
        return {key.decode(): plain(value) for key, value in reply.items() if key != b"notes"}
    return sorted(reply) if isinstance(reply, list) else reply


def changed(field: str, version: tuple[int, ...]) -> set[str]:
    """The commands of which this version of Redis says something else in `field` than 7.2."""
    return {
        name
        for since, entries in CHANGED.items()
        if (version < since) != (since > HERE)
        for entry, names, _ in entries
        if entry == field
        for name in names.split()
    }


@pytest.mark.parametrize("field", FIELDS)
def test_rows(field: str, ours: Connection, genuine: Connection, reference: StartedServer) -> None:
    mine, theirs = rows_of(ours.call("COMMAND")), rows_of(genuine.call("COMMAND"))
    shared = mine.keys() & theirs.keys()
    different = {name for name in shared if mine[name][field] != theirs[name][field]}
    expected = changed(field, reference.version) & shared
    assert {name: mine[name][field] for name in different - expected} == {
        name: theirs[name][field] for name in different - expected
    }
    assert expected <= different, "listed in CHANGED, but the same in this version"


def test_the_types_of_replies(ours: Connection, genuine: Connection) -> None:
    """Arrays, sets, maps, bulk and simple strings are told apart by `Connection`."""
    for name in ("lmpop", "subscribe", "zadd", "object|freq"):
        assert types(ours.call("COMMAND", "INFO", name)) == types(genuine.call("COMMAND", "INFO", name))
    for line in ("LIST", "COUNT", "GETKEYS DEL a b", "GETKEYSANDFLAGS DEL a b", "LIST FILTERBY PATTERN h*"):
        words = ("COMMAND", *line.split())
        assert types(ours.call(*words)) == types(genuine.call(*words))


def types(reply: Any) -> Any:
    match reply:
        case dict():
            return {key: types(value) for key, value in reply.items()}
        case list():
            return type(reply), sorted({repr(types(item)) for item in reply})
        case _:
            return type(reply)


def test_count_and_list(ours: Connection) -> None:
    rows = ours.call("COMMAND")
    assert ours.call("COMMAND", "COUNT") == len(rows)
    names = ours.call("COMMAND", "LIST")
    assert sorted(name.decode() for name in names) == sorted(rows_of(rows))
    assert len(ours.call("COMMAND", "INFO")) == len(rows)


@pytest.mark.parametrize(
    "filter_",
    ["ACLCAT hash", "ACLCAT FAST", "ACLCAT dangerous", "ACLCAT keyspace", "ACLCAT connection", "ACLCAT nonsense",
     "ACLCAT @hash", "PATTERN h*", "PATTERN CONFIG|*", "pattern *e[xy]*", "MODULE json"],
)  # fmt: skip
def test_list_filterby(filter_: str, ours: Connection, genuine: Connection) -> None:
    both = set(ours.call("COMMAND", "LIST")) & set(genuine.call("COMMAND", "LIST"))
    words = ("COMMAND", "LIST", "FILTERBY", *filter_.split())
    assert set(ours.call(*words)) & both == set(genuine.call(*words)) & both


@pytest.mark.parametrize(
    "words", ["LIST x", "LIST FILTERBY", "LIST FILTERBY ACLCAT", "LIST FILTERBY KIND x", "LIST FILTERBY ACLCAT hash x",
              "NONSENSE", "COUNT x", "GETKEYS"]
)  # fmt: skip
def test_errors(words: str, ours: Connection, genuine: Connection) -> None:
    error = ours.call("COMMAND", *words.split())
    assert isinstance(error, ReplyError)
    assert error == genuine.call("COMMAND", *words.split())


@pytest.mark.parametrize("name", ["nonsense", "config|nonsense", "config|get|more", "get|x", "ConFig|gEt", "LLEN"])
def test_info_by_name(name: str, ours: Connection, genuine: Connection) -> None:
    (mine,), (theirs,) = ours.call("COMMAND", "INFO", name), genuine.call("COMMAND", "INFO", name)
    assert (mine is None) == (theirs is None)
    assert mine is None or mine[0] == theirs[0]


LINES = [
    "LLEN k", "LPUSH k a b", "DEL a b c", "TOUCH", "PING", "CONFIG GET k", "OBJECT FREQ k", "OBJECT NONSENSE k",
    "NONSENSE k", "RENAME a b", "LMOVE a b LEFT RIGHT", "LMPOP 2 a b LEFT", "LMPOP 5 a b LEFT", "LMPOP x a b LEFT",
    "ZUNIONSTORE d 2 a b WEIGHTS 1 2", "ZINTER 2 a b", "ZRANGESTORE d s 0 1", "SUNIONSTORE d a b", "SINTERCARD 1 a",
    "SORT k", "SORT k BY p* LIMIT 0 1 STORE d", "SORT_RO k GET #", "COPY a b DB 1", "WATCH a b", "SUBSCRIBE c",
    "SSUBSCRIBE c", "MEMORY USAGE k", "mset a 1 b 2", "BITOP AND d a b", "EVAL script 1 k a",
    "EVAL script 0 a", "XREAD COUNT 1 STREAMS a b 0 0", "XGROUP CREATE k g 0", "GEORADIUS k 1 1 1 m STORE d",
    "GEOSEARCHSTORE d s", "PFMERGE d a b", "SET k v EX 1", "SET k v XX get", "BITFIELD k GET u8 0", "BITFIELD k",
    "BITFIELD k OVERFLOW SAT SET u8 0 1", "BITFIELD k GET u8", "GET", "BLPOP a b 0", "ACL GETUSER k", "LCS a b",
    "WAIT 1 1",
]  # fmt: skip
KNOWN = [line for line in LINES if line.startswith("NONSENSE") or line.upper().split()[0].encode() in TABLE]


@pytest.mark.parametrize("line", KNOWN)
def test_getkeys(line: str, ours: Connection, genuine: Connection, reference: StartedServer) -> None:
    if reference.version < (7, 2) and len(line.split()) < 2:
        pytest.skip(reason="takes a command of one word since 7.2")
    for subcommand in ("GETKEYS", "GETKEYSANDFLAGS"):
        mine, theirs = (server.call("COMMAND", subcommand, *line.split()) for server in (ours, genuine))
        if not isinstance(theirs, ReplyError) and subcommand == "GETKEYSANDFLAGS":
            mine, theirs = ([(key, sorted(flags)) for key, flags in reply] for reply in (mine, theirs))
        assert mine == theirs


# What the syntax of a command cannot say, so that its arguments are described otherwise than by Redis.
DOCUMENTED_OTHERWISE = {
    "client|kill": "the lone address has a name of its own; 7.4 brought MAXAGE",
    "lmove": "the two choices of an end have names of their own",
    "blmove": "the two choices of an end have names of their own",
    "sort": "the two patterns have names of their own",
    "sort_ro": "the two patterns have names of their own",
    "debug": "Redis does not document its arguments",
}


def test_docs(ours: Connection, genuine: Connection, reference: StartedServer) -> None:
    if reference.version < HERE:
        pytest.skip(reason="names of arguments were put in order with 7.2")
    mine, theirs = (dict(flat(text(server.call("COMMAND", "DOCS")))) for server in (ours, genuine))
    newer = {"hscan"} if reference.version > (7, 4) else set()  # 7.4: NOVALUES
    for name in mine.keys() & theirs.keys() - DOCUMENTED_OTHERWISE.keys() - newer:
        assert difference(mine[name], theirs[name]) == "", name


@pytest.mark.parametrize("name", ["client", "command", "config", "memory", "object", "pubsub"])
def test_help_has_the_form_that_redis_gives_it(name: str, ours: Connection, genuine: Connection) -> None:
    mine, theirs = ours.call(name, "HELP"), genuine.call(name, "HELP")
    assert mine[0] == theirs[0]
    assert mine[-2] == theirs[-2] == "HELP"
    assert {type(line) for line in mine} == {type(line) for line in theirs}
    assert all(line.startswith("    ") or line.split()[0] in listed(theirs) for line in mine[1:])


def listed(reply: list[str]) -> set[str]:
    """The subcommands that a genuine server's help explains, and those it came to know later."""
    return {line.split()[0] for line in reply if not line.startswith(" ")} | {"SETINFO", "NO-TOUCH"}
