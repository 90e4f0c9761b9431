"""A world is a server for itself, or a namespace of one: random commands must not show which of the two it is.

Each step does the same to a namespace of a shared server and to a server of its own, and compares what is seen.
"""

from __future__ import annotations

import re
import select
from collections.abc import Callable
from random import Random
from typing import Any

from tests.support.processes import RespcacheServer
from tests.support.resp import Connection

KEYS = [f"k{number}" for number in range(8)]
CHANNELS = ["c1", "c2", "d1"]
SWAPS = "redis.call('swapdb', 0, 1); return redis.call('publish', 'c1', KEYS[1])"
SCRIPTS = [
    "return redis.call('incr', KEYS[1])",
    "redis.call('select', 1); redis.call('set', KEYS[1], 'by a script'); return redis.call('dbsize')",
    "return redis.call('keys', '*')",
    SWAPS,
]
LIBRARY = "#!lua name=lib\nredis.register_function('f', function(keys) return redis.call('append', keys[1], '{}') end)"
# Milliseconds since the epoch, where all clocks stand still at the start.
START = 2_000_000_000_000

Words = tuple[Any, ...]


def _unordered(reply: Any) -> Any:
    return sorted(reply) if isinstance(reply, list) and all(isinstance(item, bytes) for item in reply) else reply


class Place:
    """Where a world is: on `server`, in its namespace `name` if there is one. Everything that is seen of it."""

    def __init__(self, server: RespcacheServer, name: str) -> None:
        self.server = server
        self.name = name
        self.open()

    def open(self) -> None:
        """Connect all clients."""
        self.clients = [self.connect() for _ in range(2)]
        self.waiter, self.subscriber = self.connect(), self.connect()
        self.subscriber.call("PSUBSCRIBE", "*")
        self.waiter_id = self.waiter.call("CLIENT", "ID")

    def connect(self) -> Connection:
        connection = Connection(self.server.port)
        assert connection.call("RESPCACHE", "NAMESPACE", self.name) == "OK"
        return connection

    def close(self) -> None:
        for connection in (*self.clients, self.waiter, self.subscriber):
            connection.close()

    def heard(self) -> list[Any]:
        """All messages since the last time: in any order, as that of commands on several shards may differ."""
        self.clients[0].call("PUBLISH", "fence", "")
        found = []
        while (message := self.subscriber.read())[2] != b"fence":
            found.append(message)
        return sorted(found)

    def is_served(self) -> bool:
        """True if the waiter has its reply."""
        self.clients[1].call("DBSIZE")  # shards have done what was under way
        self.clients[1].call("PING")  # what they have told is sent
        return bool(select.select([self.waiter.socket], [], [], 0)[0])

    def names(self) -> list[str]:
        """Names, databases and subscriptions of all clients."""
        lines = self.clients[0].call("CLIENT", "LIST").decode()
        return re.findall(r"(name=\S*) .*?(db=\d+ sub=\d+ psub=\d+)", lines)

    def keyspace(self) -> list[str]:
        return re.findall(r"db\d+:keys=\d+,expires=\d+", self.clients[0].call("INFO", "keyspace").decode())


class World:
    """The same world in both places. `step` does something random; AssertionError if it makes a difference."""

    def __init__(self, place: Place, model: Place, random: Random) -> None:
        self.places = (place, model)
        self.random = random
        self.waiting = 0  # for how many keys a client waits
        self.log: list[Any] = []  # for whoever looks at a failure

    def both(self, ask: Callable[[Place], Any]) -> Any:
        """What both places must agree upon."""
        here, there = map(ask, self.places)
        assert here == there, (self.places[0].name, here, there, self.log[-20:])
        return here

    def call(self, client: int, words: Words) -> Any:
        self.log.append((client, words))
        return self.both(lambda place: _unordered(place.clients[client].call(*words)))

    def step(self) -> None:
        """One command, or a few that belong together."""
        random = self.random
        client = random.randrange(2)
        match random.randrange(12):
            case 0:
                self.transaction(client)
            case 1:
                self.wait()
            case 2:
                self.scan(client)
            case 3:
                self.both(Place.names)
                self.both(Place.keyspace)
            case _:
                self.call(client, self.command())
        self.look_at_waiter()

    def command(self) -> Words:
        """Random words. Where SWAPDB makes several keys ready for one client, it takes from any of them."""
        while True:
            words = self.any_command()
            if not (self.waiting > 1 and any("swapdb" in str(word).lower() or word == _sha(SWAPS) for word in words)):
                return words

    def any_command(self) -> Words:
        random = self.random
        key, other, third = (random.choice(KEYS) for _ in range(3))
        db, number = random.choice([0, 0, 0, 1, 15, 16]), random.randrange(100)
        script = random.choice(SCRIPTS)
        choices: list[Words] = [
            *[("SET", key, number), ("RPUSH", f"l{key}", number, "x"), ("SADD", f"s{key}", number)] * 3,
            ("GET", key),
            ("MSET", key, 1, other, 2, third, 3),
            ("DEL", key, other, f"l{third}"),
            ("EXISTS", *KEYS),
            ("RENAME", key, other),
            ("SUNIONSTORE", f"s{other}", f"s{key}", f"s{third}"),
            ("LMOVE", f"l{key}", f"l{other}", "LEFT", "RIGHT"),
            ("PEXPIRE", key, random.choice([5, 50])),
            ("PTTL", key),
            ("MOVE", key, db),
            ("COPY", key, other, "DB", db, "REPLACE"),
            ("SWAPDB", db, random.choice([0, 1])),
            *[("SELECT", db)] * 2,
            ("FLUSHDB",),
            ("FLUSHALL",),
            ("DBSIZE",),
            ("KEYS", "*"),
            ("WATCH", key, other),
            ("EVAL", script, 1, key),
            ("EVALSHA", "b6e2d8d1b6f0d2a8d6f0e1a5f7f9e2a1c3d4e5f6", 1, key),
            ("SCRIPT", "LOAD", script),
            ("SCRIPT", "EXISTS", *(_sha(each) for each in SCRIPTS)),
            ("EVALSHA", _sha(script), 1, key),
            ("SCRIPT", "FLUSH"),
            ("FUNCTION", "LOAD", "REPLACE", LIBRARY.format(number)),
            ("FCALL", "f", 1, key),
            ("FUNCTION", "LIST"),
            ("FUNCTION", "FLUSH"),
            ("PUBLISH", random.choice(CHANNELS), number),
            ("PUBSUB", "CHANNELS"),
            ("PUBSUB", "NUMPAT"),
            ("PUBSUB", "NUMSUB", *CHANNELS),
            ("CLIENT", "SETNAME", f"n{number}"),
            ("CLIENT", "KILL", "TYPE", "replica"),
        ]
        return random.choice(choices)

    def transaction(self, client: int) -> None:
        """Also the end of what was watched."""
        self.call(client, ("MULTI",))
        for _ in range(self.random.randrange(4)):
            while (words := self.command())[0] in ("WATCH", "KEYS"):
                pass
            self.call(client, words)
        self.log.append((client, ("EXEC",)))
        replies = [place.clients[client].call("EXEC") for place in self.places]
        here, there = ([_unordered(each) for each in reply] if isinstance(reply, list) else reply for reply in replies)
        assert here == there, (self.places[0].name, here, there, self.log[-20:])

    def scan(self, client: int) -> None:
        def all_keys(place: Place) -> list[bytes]:
            cursor, found = b"0", set()
            while True:
                cursor, keys = place.clients[client].call("SCAN", cursor, "COUNT", 3)
                found |= set(keys)
                if cursor == b"0":
                    return sorted(found)

        self.both(all_keys)

    def wait(self) -> None:
        """One more client waits for lists, in database 0."""
        if not self.waiting:
            keys = self.random.sample(KEYS, self.random.choice([1, 3]))
            self.log.append(("waiter", keys))
            for place in self.places:
                place.waiter.send("BLPOP", *(f"l{key}" for key in keys), 0)
                while not place.is_served() and b" flags=b " not in place.clients[0].call(
                    "CLIENT", "LIST", "ID", place.waiter_id
                ):
                    pass
            self.waiting = len(keys)

    def look_at_waiter(self) -> None:
        """Both are served, or neither; the world for itself knows."""
        if self.waiting and self.places[1].is_served():
            self.waiting = 0
            self.both(lambda place: place.waiter.read())
        else:
            assert not self.waiting or not self.places[0].is_served(), self.log[-20:]

    def hear(self) -> None:
        """What subscribers have heard."""
        self.both(Place.heard)

    def start_over(self, end: Callable[[Place], None]) -> None:
        """`end` makes both places as new. All clients connect again."""
        for place in self.places:
            place.close()
            end(place)
            place.open()
        self.waiting = 0

    def close(self) -> None:
        for place in self.places:
            place.close()


def _sha(text: str) -> str:
    from hashlib import sha1

    return sha1(text.encode(), usedforsecurity=False).hexdigest()


def set_up(server: RespcacheServer) -> None:
    """Time stands still, and all keyspace events are published."""
    connection = Connection(server.port)
    commands = [("RESPCACHE", "CLOCK", "FREEZE"), ("RESPCACHE", "CLOCK", "SET", START)]
    connection.pipeline(*commands, ("CONFIG", "SET", "notify-keyspace-events", "KEA"))
    connection.close()
