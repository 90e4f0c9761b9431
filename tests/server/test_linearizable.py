"""Commands over several keys are atomic, also across shards: one order explains what concurrent clients see.

Clients in threads call random commands on few keys, which live on different shards; the checker in
`tests.support.linearizability` looks for the order. That is so too for scripts, whose keys are declared or not, and for
commands that wait: they find something at some moment before their reply, or nothing if their time was up.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

import pytest

from respcache.server.order.router import Router
from tests.support.linearizability import NEVER, NotLinearizable, Operation, check
from tests.support.processes import StartedServer
from tests.support.resp import Connection, ReplyError, pack

CLIENTS = 6
STRINGS = ("s:a", "s:c", "s:d")
SETS = ("set:a", "set:b", "set:c")
LISTS = ("l:a", "l:b", "l:c")
NUMBERS = ("c:a", "c:b", "c:c")

Words = tuple[Any, ...]
# The state of the model: the keys that exist, each with a string, the members of a set, or the elements of a list.
State = frozenset[tuple[str, Any]]

NO_SUCH_KEY = ReplyError("ERR no such key")


def test_the_keys_are_spread() -> None:
    """The tests below depend on it."""
    router = Router(3)
    for keys in (STRINGS, SETS, LISTS, NUMBERS):
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


def push(keys: dict[str, Any], key: str, *elements: str) -> Any:
    keys[key] = (*keys.get(key, ()), *(element.encode() for element in elements))
    return len(keys[key])


def pop(keys: dict[str, Any], key: str, count: int = 1, last: bool = False) -> list[bytes]:
    """At most `count` elements from one end."""
    elements = list(keys.pop(key, ()))
    taken = [elements.pop(-1 if last else 0) for _ in range(min(count, len(elements)))]
    if elements:
        keys[key] = tuple(elements)
    return taken


def pop_from_first(keys: dict[str, Any], names: Iterable[str], count: int = 1, last: bool = False) -> Any:
    """From the first list that exists: its name and the elements."""
    name = next((name for name in names if name in keys), None)
    return None if name is None else [name.encode(), pop(keys, name, count, last)]


def blpop(keys: dict[str, Any], *args: Any, last: bool = False) -> Any:
    found = pop_from_first(keys, args[:-1], last=last)
    return None if found is None else [found[0], *found[1]]


def lmove(keys: dict[str, Any], source: str, destination: str, *_: Any) -> Any:
    """From the left to the right, with a timeout or without."""
    for element in pop(keys, source):
        push(keys, destination, element.decode())
        return element
    return None


def incrby(keys: dict[str, Any], key: str, number: int) -> Any:
    value = int(keys.get(key, b"0")) + number
    keys[key] = b"%d" % value
    return value


def transfer(keys: dict[str, Any], source: str, destination: str, number: int) -> Any:
    if int(keys.get(source, b"0")) < number:
        return None
    incrby(keys, source, -number)
    return incrby(keys, destination, number)


def push_to_all(keys: dict[str, Any], element: str, *names: str) -> Any:
    return [push(keys, name, element) for name in names]


def read_all(keys: dict[str, Any], *names: str) -> Any:
    return [list(keys.get(name, ())) for name in names]


# Scripts, and what they do. "ARGV" stands for words that are declared as keys or not.
SCRIPTS: dict[str, Callable[..., Any]] = {
    "local e = redis.call('lpop', ARGV[1]) if e then redis.call('rpush', ARGV[2], e) end return e": lmove,
    """
    for _, key in ipairs(ARGV) do
        local e = redis.call('lpop', key)
        if e then return {key, e} end
    end
    return false""": lambda keys, *names: blpop(keys, *names, 0),
    """
    local r = {}
    for i = 2, #ARGV do r[#r + 1] = redis.call('rpush', ARGV[i], ARGV[1]) end
    return r""": push_to_all,
    "local r = {} for i, key in ipairs(ARGV) do r[i] = redis.call('lrange', key, 0, -1) end return r": read_all,
    """
    local has = tonumber(redis.call('get', ARGV[1]) or 0)
    if has < tonumber(ARGV[3]) then return false end
    redis.call('set', ARGV[1], has - ARGV[3])
    return redis.call('incrby', ARGV[2], ARGV[3])""": transfer,
}  # fmt: skip
MOVE, POP_FIRST, PUSH_TO_ALL, READ_ALL, TRANSFER = SCRIPTS
# The same, on the shards of their keys if these can be told beforehand.
DECLARED_MOVE, DECLARED_TRANSFER = (
    text.replace("ARGV[1]", "KEYS[1]").replace("ARGV[2]", "KEYS[2]").replace("ARGV[3]", "ARGV[1]")
    for text in (MOVE, TRANSFER)
)
SCRIPTS |= {DECLARED_MOVE: lmove, DECLARED_TRANSFER: transfer}


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
    "RPUSH": push,
    "LPOP": lambda keys, key, count: pop(keys, key, count) or None,
    "LLEN": lambda keys, key: len(keys.get(key, ())),
    "LRANGE": lambda keys, key, *_: list(keys.get(key, ())),
    "LMOVE": lmove,
    "BLMOVE": lmove,
    "BLPOP": blpop,
    "BRPOP": lambda keys, *args: blpop(keys, *args, last=True),
    "BLMPOP": lambda keys, _timeout, _count, *args: pop_from_first(keys, args[:-3], args[-1]),
    "INCRBY": incrby,
    "EVAL": lambda keys, text, _, *args: SCRIPTS[text](keys, *args),
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


class WaitsAndScripts:
    """Random commands on lists that wait, take and push, and scripts on them and on numbers."""

    def __init__(self) -> None:
        self._pushed = 0

    def __call__(self, chance: random.Random) -> Words:
        a, b, c = chance.sample(LISTS, 3)
        n, m = chance.sample(NUMBERS, 2)
        waited = [a, b, c][: chance.randint(1, 3)]
        timeout, number = chance.choice((0.002, 0.01)), chance.randint(1, 3)
        self._pushed += 1
        element = str(self._pushed)
        waits = [
            ("BLPOP", *waited, timeout), ("BRPOP", *waited, timeout), ("BLMOVE", a, b, "LEFT", "RIGHT", timeout),
            ("BLMPOP", timeout, len(waited), *waited, "LEFT", "COUNT", number),
        ]  # fmt: skip
        pushes = [
            ("RPUSH", a, element), ("RPUSH", a, element, element + "'"), ("EVAL", PUSH_TO_ALL, 0, element, a, b),
        ]  # fmt: skip
        others = [
            ("LPOP", a, number), ("LLEN", a), ("LRANGE", a, 0, -1), ("LMOVE", a, b, "LEFT", "RIGHT"), ("EXISTS", a, b),
            ("EVAL", MOVE, 0, a, b), ("EVAL", DECLARED_MOVE, 2, a, b), ("EVAL", POP_FIRST, 0, a, b, c),
            ("EVAL", READ_ALL, 0, a, b, c),
        ]  # fmt: skip
        about_numbers = [
            ("INCRBY", n, number), ("MGET", n, m), ("EVAL", TRANSFER, 0, n, m, number),
            ("EVAL", DECLARED_TRANSFER, 2, n, m, number),
        ]  # fmt: skip
        return chance.choice(chance.choices((waits, pushes, others, about_numbers), (4, 3, 3, 3))[0])


def some_operation(chance: random.Random, command: Callable[[random.Random], Words] = some_command) -> Any:
    """A command, or a transaction of several."""
    if chance.random() < 0.25:
        return tuple(command(chance) for _ in range(chance.randint(2, 4)))
    return command(chance)


def on_the_wire(operation: Any) -> list[Words]:
    return [("MULTI",), *operation, ("EXEC",)] if isinstance(operation[0], tuple) else [operation]


# After an operation: its client hangs up without waiting for the reply.
CUT_OFF = "cut off"


def run_client(
    connection: Connection, operations: list[Any], at_once: int, start: threading.Barrier
) -> list[Operation]:
    """Call all operations, `at_once` per pipeline, and record times and results. CUT_OFF ends it."""
    noted = []
    start.wait()
    for at in range(0, len(operations), at_once):
        if operations[at + 1 :] == [CUT_OFF]:
            called = time.monotonic_ns()
            connection.send_raw(b"".join(map(pack, on_the_wire(operations[at]))))
            return [*noted, Operation(called, NEVER, operations[at], None)]
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
        with closing(connections[client]):
            histories[client] = run_client(connections[client], operations[client], at_once, start)

    threads = [threading.Thread(target=work, args=(client,)) for client in range(len(operations))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return histories


@pytest.mark.parametrize("at_once", [1, 3], ids=["one by one", "pipelined"])
@pytest.mark.parametrize("seed", range(6))
def test_any_commands(server: StartedServer, seed: int, at_once: int) -> None:
    chance = random.Random(f"{seed} {at_once}")
    operations = [[some_operation(chance) for _ in range(16)] for _ in range(CLIENTS)]
    history = run_all(server, operations, at_once)
    assert sum(map(len, history)) == 16 * CLIENTS
    check(history, model, frozenset())


@pytest.mark.since("7.2")  # before, those who wait are served from the key that is ready first, not their own first key
@pytest.mark.parametrize("at_once", [1, 3], ids=["one by one", "pipelined"])
@pytest.mark.parametrize("seed", range(4))
def test_waits_and_scripts(server: StartedServer, seed: int, at_once: int) -> None:
    """Some clients hang up at the end, while they may be waiting."""
    chance = random.Random(f"{seed} {at_once} waits")
    command = WaitsAndScripts()
    operations = [[some_operation(chance, command) for _ in range(12)] for _ in range(CLIENTS)]
    for client in range(2):
        operations[client] += [some_operation(chance, command), CUT_OFF]
    history = run_all(server, operations, at_once)
    history.append(run_all(server, [[("EVAL", READ_ALL, 0, *LISTS), ("MGET", *NUMBERS)]], 1)[0])
    assert sum(map(len, history)) == 12 * CLIENTS + 4
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

    def test_a_wait_takes_a_moment_between(self) -> None:
        """It has waited before the push and during it, and comes before what finds nothing."""
        wait, pushes = (0, 9, ("BLPOP", "k", 1), [b"k", b"1"]), (1, 3, ("RPUSH", "k", "1"), 1)
        check(history([wait], [pushes, (4, 5, ("LLEN", "k"), 0)]), model, frozenset())
        with pytest.raises(NotLinearizable):
            check(history([wait], [pushes, (4, 5, ("LPOP", "k", 1), [b"1"])]), model, frozenset())

    def test_what_two_waits_have_got(self) -> None:
        waits = [[(0, 9, ("BLPOP", "k", 1), [b"k", b"1"])] for _ in range(2)]
        with pytest.raises(NotLinearizable):
            check(history(*waits, [(1, 3, ("RPUSH", "k", "1"), 1)]), model, frozenset())

    def test_a_wait_in_vain(self) -> None:
        """There was nothing at some moment of it; or something all the time."""
        early, late = (0, 2, ("BLPOP", "k", 1), None), (2, 5, ("BLPOP", "k", 1), None)
        check(history([early], [(1, 2, ("RPUSH", "k", "1"), 1)]), model, frozenset())
        with pytest.raises(NotLinearizable):
            check(history([late], [(0, 1, ("RPUSH", "k", "1"), 1)]), model, frozenset())

    def test_the_first_key_of_a_wait_counts(self) -> None:
        pushes = (1, 2, ("EVAL", PUSH_TO_ALL, 0, "1", "b", "a"), [1, 1])
        with pytest.raises(NotLinearizable):
            check(history([(0, 9, ("BLPOP", "a", "b", 1), [b"b", b"1"])], [pushes]), model, frozenset())

    def test_one_that_was_cut_off_may_have_taken_something(self) -> None:
        cut, pushes = (0, NEVER, ("BLPOP", "k", 0), None), (1, 2, ("RPUSH", "k", "1", "2"), 2)
        for left in ([b"1", b"2"], [b"2"]):
            check(history([cut], [pushes, (3, 4, ("LRANGE", "k", 0, -1), left)]), model, frozenset())
        for wrong in ([b"1"], []):
            with pytest.raises(NotLinearizable):
                check(history([cut], [pushes, (3, 4, ("LRANGE", "k", 0, -1), wrong)]), model, frozenset())

    def test_half_of_a_script(self) -> None:
        moved = (2, 9, ("EVAL", MOVE, 0, "a", "b"), b"1")
        pushes, reads = (0, 1, ("RPUSH", "a", "1"), 1), (3, 4, ("EVAL", READ_ALL, 0, "a", "b"), [[], []])
        with pytest.raises(NotLinearizable):
            check(history([pushes, moved], [reads]), model, frozenset())
