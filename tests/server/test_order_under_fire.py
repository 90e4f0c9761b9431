"""Nothing is lost, nothing comes twice, and who came first is served first, whatever clients do at the same time.

A dozen clients push, take, wait, move, run scripts and transactions over keys of all shards, and are cut off at random
(`tests.support.fire`). Meanwhile others come to wait for further keys one after the other, and are fed in every way
there is: who of them must get what is known exactly (`tests.support.lines`).

A seed gives what clients do; what happens at the same time differs from run to run. For more than the usual few:

    RESPCACHE_FIRE_SEEDS=100 pytest tests/server/test_order_under_fire.py
"""

from __future__ import annotations

import os
import random
import time
from contextlib import closing
from itertools import permutations
from typing import Any

import pytest

from respcache.server.order.router import Router
from tests.support.fire import (
    COUNTERS,
    LISTS,
    PUT,
    READ_ELEMENTS,
    SUM,
    TOKEN_LISTS,
    TOKENS,
    ZSETS,
    Client,
    Noted,
    Step,
    account,
    elements_in,
)
from tests.support.lines import Lines, Outcome, Wanted
from tests.support.processes import RespcacheServer, StartedServer
from tests.support.resp import Connection
from tests.support.waiting import eventually

CLIENTS = 12
STEPS = 30
SEEDS = range(int(os.environ.get("RESPCACHE_FIRE_SEEDS", "2")))
SHORT = 0.02  # seconds of a wait that is to end by itself
PATIENCE = 5.0  # seconds until something has happened
ROUNDS = 3  # of those who wait in a known order
WAITERS = 6  # in each

# They wait for these.
LINE_LISTS = ("w:a", "w:b", "w:c", "w:d")
LINE_ZSETS = ("wz:a", "wz:c", "wz:d")
# Feeds from here are moved to where somebody waits.
SOURCES = ("x:a", "x:c", "x:d")

PUT_TO_ALL = """
for i = 1, #ARGV, 2 do
    if string.sub(ARGV[i], 1, 2) == 'wz' then
        redis.call('zadd', ARGV[i], tonumber(string.match(ARGV[i + 1], '%d+$')), ARGV[i + 1])
    else
        redis.call('rpush', ARGV[i], ARGV[i + 1])
    end
end
return 1"""


def test_the_keys_are_spread() -> None:
    """The tests below depend on it."""
    router = Router(3)
    for keys in (LISTS, ZSETS, TOKEN_LISTS, COUNTERS, LINE_LISTS, LINE_ZSETS, SOURCES):
        assert {router.shard_of(key.encode()) for key in keys} == {0, 1, 2}


@pytest.fixture
def controller(connect: type[Connection]) -> Connection:
    return connect()


@pytest.mark.parametrize("seed", SEEDS)
def test_everything_at_once(server: StartedServer, controller: Connection, seed: int) -> None:
    controller.call("RPUSH", TOKEN_LISTS[0], *TOKENS)
    controller.call("MSET", *(word for key in COUNTERS for word in (key, SUM // len(COUNTERS))))
    numbers: dict[int, int] = {}
    # Where nobody is cut off nothing may be missing at all.
    cut_off = seed % 2 == 0
    clients = [Client(server.port, name, seed, STEPS, numbers, cut_off=cut_off) for name in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        run_lines(server, controller, random.Random(f"{seed} lines"))
    finally:
        for client in clients:
            client.join()
    for client in clients:
        if client.failure is not None:
            raise client.failure
    check_the_end(controller, [one for client in clients for one in client.noted])


def check_the_end(controller: Connection, noted: list[Noted]) -> None:
    """All clients have gone: what is left."""
    assert eventually(lambda: len(clients_of(controller)) == 1)
    kept = list(elements_in(controller.pipeline(*READ_ELEMENTS)))
    names = [step.receipt for _, _, step, _, _ in noted if step.receipt]
    receipts = dict(zip(names, controller.call("MGET", "", *names)[1:], strict=True))
    pictures = [
        Noted(0, 0, Step((), shows="counters"), controller.call("MGET", *COUNTERS)),
        Noted(0, 0, Step((), shows="tokens"), controller.pipeline(*(("LRANGE", key, 0, -1) for key in TOKEN_LISTS))),
    ]
    account([*noted, *pictures], kept, {name: element for name, element in receipts.items() if element is not None})
    # Nobody waits any more: what is put stays.
    controller.call("DEL", *LISTS, *ZSETS)
    controller.pipeline(*(("RPUSH", key, "e:last") for key in LISTS), *(("ZADD", key, 1, "e:last") for key in ZSETS))
    assert len(list(elements_in(controller.pipeline(*READ_ELEMENTS)))) == len(LISTS) + len(ZSETS)


def clients_of(controller: Connection, *words: Any) -> dict[int, str]:
    """CLIENT LIST: the flags of clients by their numbers."""
    lines = controller.call("CLIENT", "LIST", *words).decode().splitlines()
    fields = [dict(field.partition("=")[::2] for field in line.split()) for line in lines]
    return {int(own["id"]): own["flags"] for own in fields}


# -- those who wait in a known order


class Waiter:
    """A client that waits, and that nobody but the test itself cuts off."""

    def __init__(self, server: StartedServer, controller: Connection) -> None:
        self._server = server
        self._controller = controller
        self.connect()

    def connect(self) -> None:
        self.connection = Connection(self._server.port)
        self.number = self.connection.call("CLIENT", "ID")

    def flags(self) -> str | None:
        """None: there is no such client any more."""
        return clients_of(self._controller, "ID", self.number).get(self.number)

    def wait(self, wanted: Wanted) -> None:
        self.connection.send(*wanted.words)
        assert eventually(lambda: self.flags() == "b"), wanted

    def hang_up(self) -> None:
        self.connection.close()

    def has_gone(self) -> bool:
        return self.flags() is None


def wanted_by(chance: random.Random) -> Wanted:
    """A blocking command, over lists or over sorted sets."""
    count = chance.randint(1, 2)
    lists = tuple(chance.sample(LINE_LISTS, chance.choice((1, 1, 2, 3))))
    zsets = tuple(chance.sample(LINE_ZSETS, chance.randint(1, 2)))
    source, destination = chance.sample(LINE_LISTS, 2)

    def several(key: str, taken: list[bytes]) -> Any:
        return [key.encode(), taken]

    def scored(key: str, taken: list[bytes]) -> Any:
        return [key.encode(), taken[0], score_of(taken[0])]

    def several_scored(key: str, taken: list[bytes]) -> Any:
        return [key.encode(), [[element, score_of(element)] for element in taken]]

    def alone(key: str, taken: list[bytes]) -> Any:
        return taken[0]

    ends = "LEFT", "RIGHT"
    return chance.choice((
        Wanted(("BLPOP", *lists, 0), lists),
        Wanted(("BLPOP", *lists, 0), lists),
        Wanted(("BRPOP", *lists, 0), lists, last=True),
        Wanted(("BLMPOP", 0, len(lists), *lists, "LEFT", "COUNT", count), lists, count=count, reply=several),
        Wanted(("BLMOVE", source, destination, *ends, 0), (source,), destination=destination, reply=alone),
        Wanted(("BZPOPMIN", *zsets, 0), zsets, reply=scored),
        Wanted(("BZPOPMAX", *zsets, 0), zsets, last=True, reply=scored),
        Wanted(("BZMPOP", 0, len(zsets), *zsets, "MIN", "COUNT", count), zsets, count=count, reply=several_scored),
    ))  # fmt: skip


def score_of(element: bytes) -> bytes:
    """Each element has a score above those of all elements before it, so sorted sets are lists, too."""
    return element.rpartition(b":")[2]


def put(key: str, element: bytes) -> tuple[Any, ...]:
    return ("ZADD", key, score_of(element), element) if key in LINE_ZSETS else ("RPUSH", key, element)


class Controller:
    """Lets clients wait one after the other, feeds them, and compares with the model who gets what."""

    def __init__(self, server: StartedServer, connection: Connection, chance: random.Random) -> None:
        self._connection = connection
        self._chance = chance
        router = Router(3 if isinstance(server, RespcacheServer) and server.shards == 3 else 1)
        self._lines = Lines(server.version >= (7, 2), lambda key: router.shard_of(key.encode()))
        self._waiters = [Waiter(server, connection) for _ in range(WAITERS)]
        self._feeders = [Connection(server.port) for _ in range(3)]
        self._fed = 0
        self._told: list[str] = []

    def round(self) -> None:
        """Everybody comes to wait; in the end nobody does."""
        chance = self._chance
        self._told = []
        for number in chance.sample(range(WAITERS), WAITERS):
            wanted = wanted_by(chance)
            if not any(key in self._lines.data for key in wanted.keys):
                self._told.append(f"{number} waits: {wanted.words}")
                self._waiters[number].wait(wanted)
                self._lines.wait(number, wanted)
        while self._lines.waiting:
            kinds = {
                self._put_one: 4, self._put_several: 5, self._move_one: 3, self._put_at_once: 5, self._unblock: 1,
                self._unblock_and_put: 2, self._time_out_and_put: 2, self._cut: 1, self._cut_and_put: 3,
            }  # fmt: skip
            chance.choices(list(kinds), list(kinds.values()))[0]()
        # No client has had more than its replies.
        for waiter in self._waiters:
            assert waiter.connection.call("PING") == "PONG", self._report()
        self._connection.call("DEL", *LINE_LISTS, *LINE_ZSETS)
        self._lines.data.clear()

    def close(self) -> None:
        for waiter in self._waiters:
            waiter.hang_up()
        for feeder in self._feeders:
            feeder.close()

    # -- feeding

    def _some_key(self) -> str:
        """Mostly one that somebody waits for."""
        waited = [key for wanted in self._lines.waiting.values() for key in wanted.keys]
        return self._chance.choice(waited if self._chance.random() < 0.8 else (*LINE_LISTS, *LINE_ZSETS))

    def _element(self) -> bytes:
        self._fed += 1
        return b"w:%d" % self._fed

    def _put_one(self) -> None:
        key = self._some_key()
        elements = [self._element() for _ in range(self._chance.choice((1, 1, 2)))]
        if key in LINE_ZSETS:
            elements = elements[:1]
            words = put(key, elements[0])
        else:
            words = self._chance.choice((("RPUSH", key, *elements), ("EVAL", PUT, 0, key, *elements)))
        self._feed([(key, elements)], words)

    def _put_several(self) -> None:
        """A transaction, or a script, over several keys."""
        keys = dict.fromkeys(self._some_key() for _ in range(self._chance.randint(2, 4)))
        pushed = [(key, [self._element()]) for key in keys]
        if self._chance.random() < 0.5:
            self._feed(pushed, ("MULTI",), *(put(key, elements[0]) for key, elements in pushed), ("EXEC",))
        else:
            words = [word for key, elements in pushed for word in (key, elements[0])]
            self._feed(pushed, ("EVAL", PUT_TO_ALL, 0, *words))

    def _move_one(self) -> None:
        """An element comes from another list, or the list comes as a whole."""
        key, source, element = self._some_key(), self._chance.choice(SOURCES), self._element()
        if key in LINE_ZSETS:
            self._feed([(key, [element])], put(key, element))
            return
        move = ("LMOVE", source, key, "LEFT", "RIGHT")
        if key not in self._lines.data:
            move = self._chance.choice((move, ("RENAME", source, key)))
        self._feed([(key, [element])], ("RPUSH", source, element), move)

    def _put_at_once(self) -> None:
        """Several connections put to keys, in any order."""
        keys = dict.fromkeys(self._some_key() for _ in range(len(self._feeders)))
        pushed = [(key, [self._element()]) for key in keys]
        self._told.append(f"fed in any order: {pushed}")
        used = self._feeders[: len(pushed)]
        for feeder, (key, elements) in zip(used, pushed, strict=True):
            feeder.send(*put(key, *elements))
        for feeder in used:
            feeder.read()
        outcomes = []
        for order in permutations(pushed):
            so_far = [Outcome(self._lines, {})]
            for unit in order:
                so_far = [
                    Outcome(after.lines, {**before.served, **after.served})
                    for before in so_far
                    for after in before.lines.feed(unit)
                ]
            outcomes += so_far
        self._compare(outcomes)

    def _feed(self, pushed: list[tuple[str, list[bytes]]], *commands: tuple[Any, ...]) -> None:
        self._told.append(f"fed: {commands}")
        self._connection.pipeline(*commands)
        self._compare(self._lines.feed(*pushed))

    # -- clients that leave

    def _unblock(self) -> None:
        number = self._chance.choice(list(self._lines.waiting))
        self._told.append(f"{number} is unblocked")
        assert self._connection.call("CLIENT", "UNBLOCK", self._waiters[number].number) == 1, self._report()
        self._lines.leave(number)
        assert self._waiters[number].connection.read() is None, self._report()

    def _unblock_and_put(self) -> None:
        """The same while it is fed: one comes first."""
        number, wanted = self._chance.choice(list(self._lines.waiting.items()))
        key, element = self._chance.choice(wanted.keys), self._element()
        self._told.append(f"{number} is unblocked while {key} is fed {element!r}")
        feeder = self._feeders[0]
        feeder.send(*put(key, element))
        self._connection.call("CLIENT", "UNBLOCK", self._waiters[number].number)
        feeder.read()
        self._compare_to_leaving(number, (key, [element]))

    def _time_out_and_put(self) -> None:
        """A client comes to wait for a short time, and is fed at its end."""
        free = [number for number in range(WAITERS) if number not in self._lines.waiting]
        keys = [key for key in LINE_LISTS if key not in self._lines.data]
        if not free or not keys:
            return
        number, element = self._chance.choice(free), self._element()
        keys = self._chance.sample(keys, self._chance.randint(1, len(keys)))
        wanted = Wanted(("BLPOP", *keys, SHORT), tuple(keys))
        self._told.append(f"{number} waits a short time: {wanted.words}, and {keys[0]} is fed {element!r}")
        self._waiters[number].connection.send(*wanted.words)
        self._lines.wait(number, wanted)
        time.sleep(SHORT * self._chance.uniform(0.7, 1.3))
        self._connection.call(*put(keys[0], element))
        self._compare_to_leaving(number, (keys[0], [element]))

    def _compare_to_leaving(self, number: int, pushed: tuple[str, list[bytes]]) -> None:
        """A client leaves the line before or after this, and gets null if there was nothing for it until then."""
        first = self._lines.copy()
        first.leave(number)
        outcomes = [Outcome(lines, {**served, number: None}) for lines, served in first.feed(pushed)]
        for lines, served in self._lines.feed(pushed):
            if number not in served:
                lines.leave(number)
            outcomes.append(Outcome(lines, {number: None, **served}))
        self._compare(outcomes)

    def _cut(self) -> None:
        """A client hangs up, and is known to have done so."""
        number = self._chance.choice(list(self._lines.waiting))
        self._told.append(f"{number} hangs up")
        self._waiters[number].hang_up()
        assert eventually(self._waiters[number].has_gone)
        self._lines.leave(number)
        self._waiters[number].connect()

    def _cut_and_put(self) -> None:
        """A client hangs up while it is fed: it has had the element, or the next one gets it."""
        number, wanted = self._chance.choice(list(self._lines.waiting.items()))
        if wanted.destination is not None:
            return
        key, element = self._chance.choice(wanted.keys), self._element()
        self._told.append(f"{number} hangs up while {key} is fed {element!r}")
        without = self._lines.copy()
        without.leave(number)
        outcomes = without.feed((key, [element]))
        for lines, served in self._lines.feed((key, [element])):
            if number in served:
                del served[number]
                outcomes.append(Outcome(lines, served))
        waiter = self._waiters[number]
        waiter.hang_up()
        self._connection.call(*put(key, element))
        assert eventually(waiter.has_gone)
        waiter.connect()
        self._compare(outcomes)

    # -- the comparison

    def _compare(self, outcomes: list[Outcome]) -> None:
        """What there is must be one of these, soon."""

        def fits() -> list[Outcome]:
            seen = self._state()
            return [outcome for outcome in outcomes if state_of(outcome.lines) == seen]

        if not eventually(lambda: bool(fits()), within=PATIENCE):
            expected = "\n".join(str(state_of(outcome.lines)) for outcome in outcomes)
            raise AssertionError(f"{self._state()}, but should be\n{expected}\n{self._report()}")
        fitting = fits()
        served = {number: self._waiters[number].connection.read() for number in fitting[0].served}
        self._lines = next((lines for lines, replies in fitting if replies == served), None)
        expected = "\n".join(str(outcome.served) for outcome in fitting)
        assert self._lines is not None, f"{served}, but should be\n{expected}\n{self._report()}"

    def _state(self) -> State:
        """What is in the keys, and who waits, at one moment."""
        keys = (*LINE_LISTS, *LINE_ZSETS)
        reading = [("LRANGE", key, 0, -1) for key in LINE_LISTS] + [("ZRANGE", key, 0, -1) for key in LINE_ZSETS]
        while True:
            before = self._waiting()
            *_, replies = self._connection.pipeline(("MULTI",), *reading, ("EXEC",))
            if self._waiting() == before:
                return {key: elements for key, elements in zip(keys, replies, strict=True) if elements}, before

    def _waiting(self) -> set[int]:
        flags = clients_of(self._connection, "ID", *(waiter.number for waiter in self._waiters))
        return {number for number, waiter in enumerate(self._waiters) if flags.get(waiter.number) == "b"}

    def _report(self) -> str:
        return "\n".join(self._told)


State = tuple[dict[str, list[bytes]], set[int]]


def state_of(lines: Lines) -> State:
    return lines.data, set(lines.waiting)


def run_lines(server: StartedServer, connection: Connection, chance: random.Random) -> None:
    with closing(Controller(server, connection, chance)) as controller:
        for _ in range(ROUNDS):
            controller.round()
