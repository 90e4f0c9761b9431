"""COMMAND and its subcommands, compared row by row with a genuine server.

Both must say the same about a command that both have; see `compat.twin.tables`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from compat.twin.tables import differences
from respcache.commands.table import TABLE
from respcache.server import commands
from tests.conftest import REFERENCE
from tests.support.processes import ReferenceServer, RespcacheServer, StartedServer
from tests.support.resp import Connection, ReplyError

Servers = dict[str, StartedServer]

assert commands.__all__  # importing it fills the table


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


def test_the_tables_are_those_of_redis(ours: Connection, reference: StartedServer, started: Servers) -> None:
    for table, compared, found in differences(started["3-shards"].port, reference.port, reference.version):
        assert compared > 100, table
        assert found == []


def test_the_types_of_replies(ours: Connection, genuine: Connection) -> None:
    """`Connection` distinguishes arrays, sets, maps, bulk strings and simple strings."""
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


def names_of(rows: list[Any]) -> Iterator[str]:
    """The names of commands and of their subcommands."""
    for name, *_, subcommands in rows:
        yield name.decode()
        yield from names_of(subcommands)


def test_count_and_list(ours: Connection) -> None:
    rows = ours.call("COMMAND")
    assert ours.call("COMMAND", "COUNT") == len(rows)
    names = ours.call("COMMAND", "LIST")
    assert sorted(name.decode() for name in names) == sorted(names_of(rows))
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
    "WAIT 1 1", "ZUNIONSTORE d set 777", "ZUNIONSTORE d 5 a", "ZUNIONSTORE d 0 a", "ZINTERSTORE d -1 a", "PUBSUB x",
    "PUBSUB", "AUTH", "AUTH a b c", "EXEC x", "DBSIZE x", "CLIENT KILL", "COMMAND COUNT x", "OBJECT", "MEMORY", "ECHO",
    "ZINTERCARD 3 a b", "LCS a", "MIGRATE h 1 k 0 1", "MIGRATE h 1 k 0 1 COPY KEYS a", "MIGRATE h 1 k 0 1 AUTH KEYS",
    "MIGRATE h 1 k 0", "PFCOUNT a b", "PFADD k",
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


@pytest.mark.parametrize("name", ["client", "command", "config", "memory", "object", "pubsub"])
def test_help_has_the_form_of_redis(name: str, ours: Connection, genuine: Connection) -> None:
    mine, theirs = ours.call(name, "HELP"), genuine.call(name, "HELP")
    assert mine[0] == theirs[0]
    assert mine[-2] == theirs[-2] == "HELP"
    assert {type(line) for line in mine} == {type(line) for line in theirs}
    assert all(line.startswith("    ") or line.split()[0] in listed(theirs) for line in mine[1:])


def listed(reply: list[str]) -> set[str]:
    """The subcommands in a genuine server's help, and those that were added later."""
    return {line.split()[0] for line in reply if not line.startswith(" ")} | {"SETINFO", "NO-TOUCH"}
