"""The tables of lint, and what needs no server."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

import respcache.commands.all
import respcache.server.commands  # noqa: F401 - fills the table with main's own commands
from respcache.commands.table import lookup
from respcache.config.directives import NAMES
from respcache.config.files import load
from respcache.config.kinds import Choice
from respcache.redis_commands import REDIS_COMMANDS
from respcache.server.services.lint import before, sizes
from respcache.server.services.lint.calls import Call, kept_words, pattern_of, shown
from respcache.server.services.lint.deprecated import DEPRECATED
from respcache.server.services.lint.findings import MOST_BYTES, Findings, Sight
from respcache.server.services.lint.profiles import PROFILES
from respcache.server.services.lint.rules import RULES, chosen
from tests.support.processes import ReferenceServer
from tests.support.resp import Connection, ReplyError
from tests.support.waiting import eventually

# -- patterns


@pytest.mark.parametrize(
    ("key", "pattern"),
    [
        (b"user:1", b"user:*"),
        (b"user:1:name", b"user:*:name"),
        (b"1", b"*"),
        (b"user", b"user"),
        (b"", b""),
        (b"job:3f2504e0-4f89-11d3-9a0c-0305e82c3301", b"job:*"),
        (b"blob:9f86d081884c7d659a2feaa0c55ad015", b"blob:*"),
        (b"blob:deadbeefcafe0", b"blob:*"),
        (b"facade:decade", b"facade:decade"),
        (b"{42}:a", b"{*}:a"),
    ],
)
def test_ids_are_no_part_of_a_pattern(key: bytes, pattern: bytes) -> None:
    assert pattern_of(key) == pattern


def test_a_long_key_has_a_short_pattern() -> None:
    assert len(pattern_of(b"x" * 10_000)) < 200


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([b"GET", b"k"], b"GET k"),
        ([b"SET", b"k", b""], b'SET k ""'),
        ([b"SET", b"a b", b'"\\\n\0\xff'], rb'SET "a b" "\"\\\n\x00\xff"'),
        ([b"SET", b"k", b"x" * 65], b"SET k " + b"x" * 64 + b"..."),
        ([b"MGET", *[b"k"] * 12], b"MGET" + b" k" * 11 + b" ..."),
        ([b"AUTH", b"secret"], b"AUTH ..."),
        ([b"CONFIG", b"SET", b"requirepass", b"secret"], b"CONFIG SET ..."),
    ],
    ids=["plain", "empty", "quoted", "long", "many", "auth", "config"],
)
def test_how_a_command_is_shown(words: list[bytes], line: bytes) -> None:
    assert shown(words) == line
    assert b"secret" not in b" ".join(kept_words(words))


# -- findings


def test_findings_are_bounded_in_bytes() -> None:
    findings = Findings()
    for number in range(2000):
        name = b"%c%c%c" % (97 + number % 26, 97 + number // 26 % 26, 97 + number // 676)
        words = [b"SET", *[b"v" * 64] * 11]
        findings.add("keys", name * 40, "SET", words, Sight("", name * 40), 0)
    assert 0 < len(findings) < 1000
    assert findings.dropped == 2000 - len(findings)
    assert sum(finding.bytes for finding in findings) <= MOST_BYTES


def test_what_is_found_again_needs_no_room() -> None:
    findings = Findings()
    for now in range(5000):
        findings.add("keys", b"", "GET", [b"GET", b"k:%d" % now], Sight("", b"k:%d" % now), now)
    [finding] = findings
    assert (finding.count, finding.first_time, finding.last_time) == (5000, 0, 4999)
    assert (finding.first_key, finding.last_key) == (b"k:0", b"k:4999")


# -- tables


def test_directives_name_the_rules_and_the_profiles() -> None:
    """The configuration is on a lower floor."""
    profile = NAMES["lint-profile"].kind
    assert isinstance(profile, Choice)
    assert profile.words == tuple(PROFILES)
    for word in ("all", *RULES, *(f"-{name}" for name in RULES)):
        assert NAMES["lint-rules"].kind.parse([word]) == [word]
    assert chosen(NAMES["lint-rules"].default) == set(RULES)
    assert {name for rule in RULES.values() for name in rule.directives} <= set(NAMES)


def test_every_rule_says_what_it_is() -> None:
    for rule in RULES.values():
        assert rule.why.endswith(".")
        assert rule.instead.endswith(".")
        assert not rule.refuses or rule.look is not None


def test_profiles_name_commands_of_redis_and_their_sources() -> None:
    for profile in PROFILES.values():
        for source in (profile.cluster, profile.one_database):
            assert source == "" or source.startswith("https://")
        for lack in profile.lacks:
            assert lack.source.startswith("https://")
            assert set(lack.commands) <= set(REDIS_COMMANDS)
            assert len(set(lack.commands)) == len(lack.commands)


@pytest.mark.parametrize("program", ["redis-server-8", "redis-server"])
def test_deprecated_commands_are_those_of_redis(program: str) -> None:
    path = shutil.which(program)
    if path is None:
        pytest.skip(reason=f"no {program} on the PATH")
    server = ReferenceServer(path)
    try:
        connection = Connection(server.port, protocol=3)
        docs = connection.call("COMMAND", "DOCS")
        connection.close()
    finally:
        server.stop()
    genuine = dict(_deprecated(docs))
    if server.version >= (8,):
        assert genuine == {name: since for name, (since, _) in DEPRECATED.items()}
    else:
        assert genuine.items() <= {name: since for name, (since, _) in DEPRECATED.items()}.items()


def _deprecated(docs: dict[bytes, dict[bytes, object]]) -> Iterator[tuple[str, str]]:
    for name, fields in docs.items():
        since = fields.get(b"deprecated_since")
        if isinstance(since, bytes):
            yield name.decode().upper().replace("|", " "), since.decode()
        subcommands = fields.get(b"subcommands")
        if isinstance(subcommands, dict):
            yield from _deprecated(subcommands)


# -- the cluster profile against a genuine node


@pytest.fixture(scope="module")
def node() -> Iterator[Connection]:
    """A cluster of one node, which has all slots."""
    path = shutil.which("redis-server-8")
    if path is None:
        pytest.skip(reason="no redis-server-8 on the PATH")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        bus = probe.getsockname()[1]
    server = ReferenceServer(path, "--cluster-enabled", "yes", "--cluster-port", str(bus))
    connection = Connection(server.port)
    connection.call("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    assert eventually(lambda: b"cluster_state:ok" in connection.call("CLUSTER", "INFO"))
    yield connection
    connection.close()
    server.stop()


@pytest.mark.parametrize(
    "line",
    [
        "MGET a b",
        "MGET {a}1 {a}2",
        "MSET a 1 b 2",
        "WATCH a b",
        "EVAL return(1) 2 a b",
        "EVAL return(1) 2 a a",
        "XREAD STREAMS a b 0 0",
        "SSUBSCRIBE a b",
        "ZUNION 2 a b",
        "SORT a STORE b",
        "SELECT 1",
        "SELECT 0",
        "MOVE k 1",
        "COPY k {k}1 DB 1",
        "COPY k {k}2 DB 0",
        "SWAPDB 0 1",
        "SORT a BY w_*",
        "SORT {a} BY w_{a}_*",
        "SORT a BY w_{a}_*",
        "SORT a BY w_{b}_*",
        "SORT a BY w_{*}_a",
        "SORT a GET # GET w_{a}_* GET w_*",
        "SORT a BY nosort GET #",
        "KEYS *",
    ],
)
def test_what_a_genuine_node_refuses(node: Connection, line: str) -> None:
    words = line.split()
    refused = isinstance(node.call(*words), ReplyError)
    argv = [word.encode() for word in words]
    config = load(["--lint", "report"])
    call = Call(SimpleNamespace(transaction=None), lookup(argv), argv, config, PROFILES["redis-cluster"])
    assert any(look(call) for look in (before.crossslot, before.database, before.missing)) == refused


# -- how much of a key a command goes through


@pytest.mark.parametrize(
    ("line", "reached"),
    [
        ("SMEMBERS k", 100),
        ("LRANGE k 0 -1", 100),
        ("LRANGE k 10 19", 10),
        ("LRANGE k -10 1000", 10),
        ("LRANGE k 50 10", 0),
        ("LRANGE k x y", 0),
        ("ZRANGE k 0 -1 REV WITHSCORES", 100),
        ("ZRANGE k (1 +inf BYSCORE", 0),
        ("ZRANGE k + - BYLEX REV", 100),
        ("ZRANGEBYSCORE k -inf inf WITHSCORES", 100),
        ("ZRANGEBYSCORE k -inf +inf LIMIT 0 5", 0),
        ("XRANGE k - +", 100),
        ("XRANGE k - + COUNT 5", 0),
        ("GET k", 0),
    ],
)
def test_how_many_elements_a_command_goes_through(line: str, reached: int) -> None:
    words = line.encode().split()
    assert sizes._reached(words[0].decode(), words, 100) == reached
