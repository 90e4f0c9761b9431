"""Invalid calls of every command in the table: the errors are those of Redis.

The expected errors come from a genuine server, so the test grows with the table.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

import pytest

from respcache.commands.table import BLOCKING, TABLE, Command
from tests.conftest import REFERENCE
from tests.support import invocations
from tests.support.invocations import FILLER, KEYS, KINDS, TYPES
from tests.support.processes import ReferenceServer, RespcacheServer, StartedServer
from tests.support.resp import Connection, ReplyError

Call = tuple[str, ...]

DIED = ReplyError(
    "ERR the shard of this command died while the command was under way; whether it took effect is unknown"
)
INTERNAL = ReplyError("ERR internal error: the server's log has the traceback")

MAY_BLOCK = {row.name for row in invocations.rows() if row.flags & BLOCKING}
ODD_NUMBERS = (
    "", "-1", "0", "+1", " 1", "01", "1.5", "x", "nan", "inf", "-inf", "1e400", "0x10", "1_0",
    "4294967296", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
    "1" + "0" * 400,
)  # fmt: skip
# Commands whose error for a number differs between versions, or whose reply is as large as the number.
NOT_WITH_ODD_NUMBERS = {"SETBIT", "SETRANGE", "BITFIELD", "RESTORE"} | MAY_BLOCK


@pytest.fixture
def ours(started: dict[str, StartedServer]) -> StartedServer:
    """An empty server with three shards."""
    if "3-shards" not in started or not started["3-shards"].alive():
        started["3-shards"] = RespcacheServer(shards=3)
    started["3-shards"].reset()
    return started["3-shards"]


@pytest.fixture
def genuine(started: dict[str, StartedServer]) -> StartedServer:
    if REFERENCE is None:
        pytest.skip(reason="no genuine redis-server found ($RESPCACHE_REFERENCE, or on the PATH)")
    if "genuine" not in started:
        started["genuine"] = ReferenceServer(REFERENCE)
    started["genuine"].reset()
    return started["genuine"]


def test_wrong_arity(ours: StartedServer) -> None:
    wrong = [call for row in all_rows() for call in calls_of_wrong_arity(row)]
    assert len(wrong) > len(TABLE)
    replies = answers(ours, wrong)
    start = {"EXEC": "EXECABORT Transaction discarded because of:"}
    expected = [
        ReplyError(f"{start.get(call[0], 'ERR')} wrong number of arguments for '{name_of(call)}' command")
        for call in wrong
    ]
    assert differences(wrong, replies, expected) == []


def test_wrong_arity_as_in_redis(ours: StartedServer, genuine: StartedServer) -> None:
    wrong = [call for row in known(all_rows(), genuine) for call in calls_of_wrong_arity(row)]
    assert differences(wrong, answers(ours, wrong), answers(genuine, wrong)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_type(ours: StartedServer, genuine: StartedServer, kind: str) -> None:
    """Keys of a type that the command does not accept: all keys, or one while the others are missing."""
    foreign = [row for row in known(invocations.rows(), genuine) if row.group not in TYPES[kind][1]]
    cases = [(set_up, call) for row in foreign for set_up, call in with_keys_of(kind, invocations.invocation(row))]
    assert mismatches(ours, genuine, cases) == []


@pytest.mark.parametrize("kind", KINDS)
def test_invalid_and_huge_numbers(ours: StartedServer, genuine: StartedServer, kind: str) -> None:
    """Each word of a call except keys is replaced by each odd number; all keys have the right type."""
    about_it = [row for row in known(invocations.rows(), genuine) if row.group in (*TYPES[kind][1], "generic")]
    calls = [call for row in about_it for call in with_odd_numbers(invocations.invocation(row))]
    set_up = [make(kind, key) for key in KEYS]
    assert mismatches(ours, genuine, [(set_up, call) for call in calls]) == []


def test_random_words(ours: StartedServer) -> None:
    """Random calls, with a fixed seed, get one reply each, and never an internal error."""
    generator = random.Random(7)
    callable_rows = [row for row in invocations.rows() if row.name not in MAY_BLOCK]
    calls = [made_up(generator, generator.choice(callable_rows)) for _ in range(4000)]
    replies = answers(ours, calls)
    assert [call for call, reply in zip(calls, replies, strict=True) if reply in (INTERNAL, DIED)] == []


def all_rows() -> Iterator[Command]:
    for container in TABLE.values():
        yield container
        yield from container.subcommands.values()


def calls_of_wrong_arity(row: Command) -> Iterator[Call]:
    """Calls with one word too few and one too many, if possible."""
    name = row.name.split()
    if row.min_words > len(name):
        yield (*name, *[FILLER] * (row.min_words - len(name) - 1))
    if row.arity > 0:
        yield (*name, *[FILLER] * (row.arity - len(name) + 1))


def name_of(call: Call) -> str:
    row = TABLE[call[0].encode()]
    return "|".join(call[:2]).lower() if row.subcommands and len(call) > 1 else call[0].lower()


def known(rows: Iterator[Command], server: StartedServer) -> list[Command]:
    """The commands of respcache that the server also has."""
    client = Connection(server.port)
    listed = list(rows)
    infos = client.call("COMMAND", "INFO", *(row.wire_name for row in listed))
    client.close()
    return [row for row, info in zip(listed, infos, strict=True) if info is not None]


def make(kind: str, key: str) -> Call:
    return tuple(TYPES[kind][0].format(key).split())


def with_keys_of(kind: str, call: list[str]) -> Iterator[tuple[list[Call], Call]]:
    """The call with all its keys present, and with each key as the only one present."""
    used = [key for key in KEYS if key in call]
    yield [make(kind, key) for key in used], tuple(call)
    if len(used) > 1:
        for key in used:
            yield [make(kind, key)], tuple(call)


def with_odd_numbers(call: list[str]) -> Iterator[Call]:
    if call[0] in NOT_WITH_ODD_NUMBERS:
        return
    for at in range(1, len(call)):
        if call[at].isdigit() or call[at] == FILLER:
            for number in ODD_NUMBERS:
                yield (*call[:at], number, *call[at + 1 :])


def made_up(generator: random.Random, row: Command) -> Call:
    keywords = re.findall(r"[A-Z]{2,}", row.syntax) or ["X"]
    count = min(row.max_words, row.min_words + generator.choice((0, 0, 0, 1, 2, 3, 5))) - len(row.name.split())
    pools = (KEYS, KEYS, (FILLER, "2", "-1", "0"), ODD_NUMBERS[:-1], keywords, keywords)
    words = [generator.choice(generator.choice(pools)) for _ in range(count)]
    return (*row.name.split(), *words)


def answers(server: StartedServer, calls: list[Call]) -> list[Any]:
    client = Connection(server.port)
    try:
        return [reply for at in range(0, len(calls), 500) for reply in client.pipeline(*calls[at : at + 500])]
    finally:
        client.close()


def differences(calls: list[Call], got: list[Any], expected: list[Any]) -> list[str]:
    """One line per reply that differs."""
    triples = zip(calls, got, expected, strict=True)
    return [f"{' '.join(call)}: {ours!r}, not {theirs!r}" for call, ours, theirs in triples if ours != theirs]


def mismatches(ours: StartedServer, genuine: StartedServer, cases: list[tuple[list[Call], Call]]) -> list[str]:
    """Calls for which only one server returns an error, or a different one. Keys are created again for each call."""
    calls: list[Call] = []
    places: list[int] = []
    for set_up, call in cases:
        calls += [("DEL", *KEYS), *set_up]
        places.append(len(calls))
        calls.append(call)
    got, expected = (errors_among(answers(server, calls), places) for server in (ours, genuine))
    return differences([call for _, call in cases], got, expected)


def errors_among(replies: list[Any], places: list[int]) -> list[ReplyError | None]:
    """The errors among the replies at these places. Other replies are covered by the commands' own tests."""
    return [reply if isinstance(reply := replies[at], ReplyError) else None for at in places]
