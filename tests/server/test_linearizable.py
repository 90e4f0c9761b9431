"""Commands over several keys are atomic, also across shards: one order explains what concurrent clients see.

Clients in threads call random commands on few keys, which live on different shards; the checker in
`tests.support.linearizability` looks for the order.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from respcache.server.order.router import Router
from tests.support.linearizability import NotLinearizable, Operation, check
from tests.support.processes import StartedServer
from tests.support.resp import Connection, ReplyError, pack

CLIENTS = 6
STRINGS = ("s:a", "s:c", "s:d")
SETS = ("set:a", "set:b", "set:c")

Words = tuple[Any, ...]
# The state of the model: the keys that exist, each with a string or the members of a set.
State = frozenset[tuple[str, Any]]

NO_SUCH_KEY = ReplyError("ERR no such key")


def test_the_keys_are_spread() -> None:
    """The tests below depend on it."""
    router = Router(3)
    for keys in (STRINGS, SETS):
        assert {router.shard_of(key.encode()) for key in keys} == {0, 1, 2}


# -- the model


def model(state: State, command: Any) -> tuple[State, Any]:
    """The part of Redis that these tests use. A transaction is a tuple of commands."""
    keys = dict(state)
    if isinstance(command[0], tuple):
        reply = [carry_out(keys, words) for words in command]
    else:
        reply = carry_out(keys, command)
    return frozenset(keys.items()), reply


def carry_out(keys: dict[str, Any], words: Words) -> Any:
    name, *args = words
    return CARRY_OUT[name](keys, *args)


def mset(keys: dict[str, Any], *args: str) -> Any:
    keys.update((key, value.encode()) for key, value in zip(args[::2], args[1::2], strict=True))
    return "OK"


def msetnx(keys: dict[str, Any], *args: str) -> Any:
    if any(key in keys for key in args[::2]):
        return 0
    mset(keys, *args)
    return 1


def delete(keys: dict[str, Any], *names: str) -> Any:
    return sum(keys.pop(name, None) is not None for name in names)


def rename(keys: dict[str, Any], source: str, destination: str) -> Any:
    if source not in keys:
        return NO_SUCH_KEY
    keys[destination] = keys.pop(source)
    return "OK"


def renamenx(keys: dict[str, Any], source: str, destination: str) -> Any:
    if source not in keys:
        return NO_SUCH_KEY
    if destination in keys:
        return 0
    keys[destination] = keys.pop(source)
    return 1


def copy(keys: dict[str, Any], source: str, destination: str) -> Any:
    if source not in keys or destination in keys:
        return 0
    keys[destination] = keys[source]
    return 1


def put_members(keys: dict[str, Any], key: str, members: frozenset[bytes]) -> None:
    if members:
        keys[key] = members
    else:
        keys.pop(key, None)


def sadd(keys: dict[str, Any], key: str, member: str) -> Any:
    before = keys.get(key, frozenset())
    keys[key] = before | {member.encode()}
    return len(keys[key]) - len(before)


def smove(keys: dict[str, Any], source: str, destination: str, member: str) -> Any:
    if member.encode() not in keys.get(source, frozenset()):
        return 0
    put_members(keys, source, keys[source] - {member.encode()})
    sadd(keys, destination, member)
    return 1


def sunionstore(keys: dict[str, Any], destination: str, *sources: str) -> Any:
    members: frozenset[bytes] = frozenset().union(*(keys.get(key, frozenset()) for key in sources))
    put_members(keys, destination, members)
    return len(members)


CARRY_OUT: dict[str, Callable[..., Any]] = {
    "MSET": mset,
    "MSETNX": msetnx,
    "SET": mset,
    "GET": lambda keys, key: keys.get(key),
    "MGET": lambda keys, *names: [keys.get(name) for name in names],
    "EXISTS": lambda keys, *names: sum(name in keys for name in names),
    "DEL": delete,
    "RENAME": rename,
    "RENAMENX": renamenx,
    "COPY": copy,
    "SADD": sadd,
    "SMOVE": smove,
    "SUNIONSTORE": sunionstore,
    "SINTERCARD": lambda keys, _, *names: len(frozenset.intersection(*(keys.get(n, frozenset()) for n in names))),
    "SCARD": lambda keys, key: len(keys.get(key, ())),
}


# -- the clients


def some_command(chance: random.Random) -> Words:
    """A command for strings or for sets, usually with several keys."""
    a, b, c = chance.sample(STRINGS, 3)
    s, t, u = chance.sample(SETS, 3)
    value = str(chance.randrange(100))
    member = chance.choice("xy")
    about_strings = [
        ("MSET", a, value, b, value, c, value), ("MSETNX", a, value, b, value), ("SET", a, value), ("GET", a),
        ("MGET", a, b, c), ("MGET", a, b, c), ("EXISTS", a, b, c), ("DEL", a, b), ("RENAME", a, b),
        ("RENAMENX", a, b), ("COPY", a, b),
    ]  # fmt: skip
    about_sets = [
        ("SADD", s, member), ("SMOVE", s, t, member), ("SMOVE", s, t, member), ("SUNIONSTORE", s, t, u),
        ("SINTERCARD", 2, s, t), ("SCARD", s), ("DEL", s), ("RENAME", s, t),
    ]  # fmt: skip
    return chance.choice(about_strings if chance.random() < 0.6 else about_sets)


def some_operation(chance: random.Random) -> Any:
    """A command, or a transaction of several."""
    if chance.random() < 0.25:
        return tuple(some_command(chance) for _ in range(chance.randint(2, 4)))
    return some_command(chance)


def on_the_wire(operation: Any) -> list[Words]:
    return [("MULTI",), *operation, ("EXEC",)] if isinstance(operation[0], tuple) else [operation]


def run_client(
    connection: Connection, operations: list[Any], at_once: int, start: threading.Barrier
) -> list[Operation]:
    """Call all operations, `at_once` per pipeline, and record times and results."""
    noted = []
    start.wait()
    for at in range(0, len(operations), at_once):
        pipeline = operations[at : at + at_once]
        commands = [on_the_wire(operation) for operation in pipeline]
        called = time.monotonic_ns()
        connection.send_raw(b"".join(pack(words) for sent in commands for words in sent))
        for operation, sent in zip(pipeline, commands, strict=True):
            reply = [connection.read() for _ in sent][-1]
            noted.append(Operation(called, time.monotonic_ns(), operation, reply))
    return noted


def run_all(server: StartedServer, operations: list[list[Any]], at_once: int) -> list[list[Operation]]:
    """The history of clients calling these operations concurrently."""
    connections = [Connection(server.port) for _ in operations]
    start = threading.Barrier(len(operations))
    histories: list[list[Operation]] = [[] for _ in operations]

    def work(client: int) -> None:
        histories[client] = run_client(connections[client], operations[client], at_once, start)

    threads = [threading.Thread(target=work, args=(client,)) for client in range(len(operations))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for connection in connections:
        connection.close()
    return histories


@pytest.mark.parametrize("at_once", [1, 3], ids=["one by one", "pipelined"])
@pytest.mark.parametrize("seed", range(6))
def test_any_commands(server: StartedServer, seed: int, at_once: int) -> None:
    chance = random.Random(f"{seed} {at_once}")
    operations = [[some_operation(chance) for _ in range(16)] for _ in range(CLIENTS)]
    history = run_all(server, operations, at_once)
    assert sum(map(len, history)) == 16 * CLIENTS
    check(history, model, frozenset())


def test_watch_loses_no_update(server: StartedServer) -> None:
    """Clients move money between accounts on different shards, each with WATCH on what it has read."""
    connection = Connection(server.port)
    connection.call("MSET", *(word for key in STRINGS for word in (key, 100)))
    failures = [0] * CLIENTS

    def work(client: int) -> None:
        chance = random.Random(client)
        own = Connection(server.port)
        done = 0
        while done < 15:
            source, destination = chance.sample(STRINGS, 2)
            amount = chance.randint(1, 10)
            _, (has, gets) = own.pipeline(("WATCH", source, destination), ("MGET", source, destination))
            moved = ("MSET", source, int(has) - amount, destination, int(gets) + amount)
            *_, result = own.pipeline(("MULTI",), moved, ("EXEC",))
            done += result is not None
            failures[client] += result is None
        own.close()

    threads = [threading.Thread(target=work, args=(client,)) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(map(int, connection.call("MGET", *STRINGS))) == 100 * len(STRINGS)
    connection.close()


# -- the checker detects errors


def history(*clients: list[tuple[int, int, Words, Any]]) -> list[list[Operation]]:
    return [[Operation(*operation) for operation in client] for client in clients]


class TestTheChecker:
    def test_concurrent_operations_may_come_in_any_order(self) -> None:
        seen = history([(0, 9, ("SET", "k", "1"), "OK")], [(1, 2, ("GET", "k"), None), (3, 4, ("GET", "k"), b"1")])
        assert [operation.command[0] for operation in check(seen, model, frozenset())] == ["GET", "SET", "GET"]

    def test_a_reply_from_the_past(self) -> None:
        seen = history([(0, 1, ("SET", "k", "1"), "OK")], [(2, 3, ("GET", "k"), None)])
        with pytest.raises(NotLinearizable, match="GET"):
            check(seen, model, frozenset())

    def test_a_value_that_comes_and_goes(self) -> None:
        seen = history([(0, 9, ("SET", "k", "1"), "OK")], [(1, 2, ("GET", "k"), b"1"), (3, 4, ("GET", "k"), None)])
        with pytest.raises(NotLinearizable):
            check(seen, model, frozenset())

    def test_half_of_a_command(self) -> None:
        """The error that commands over several shards would show if they were not atomic."""
        seen = history([(0, 9, ("MSET", "a", "1", "b", "1"), "OK")], [(1, 8, ("MGET", "a", "b"), [b"1", None])])
        with pytest.raises(NotLinearizable):
            check(seen, model, frozenset())

    def test_two_clients_that_see_different_orders(self) -> None:
        seen = history(
            [(0, 9, ("SET", "a", "1"), "OK")],
            [(0, 9, ("SET", "b", "1"), "OK")],
            [(0, 9, ("MGET", "a", "b"), [b"1", None])],
            [(0, 9, ("MGET", "a", "b"), [None, b"1"])],
        )
        with pytest.raises(NotLinearizable):
            check(seen, model, frozenset())

    def test_a_pipeline_out_of_order(self) -> None:
        seen = history([(0, 8, ("SET", "a", "1"), "OK"), (0, 9, ("GET", "a"), None)])
        with pytest.raises(NotLinearizable):
            check(seen, model, frozenset())
