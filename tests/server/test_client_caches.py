"""Caches in clients are never stale: random clients that cache, random writers, and random steps of main and shards.

Everything but sockets, processes and time is real (`tests.support.house`). After each step every client takes what it
has been sent. If it is owed no reply, then whatever it has in its cache is what the shard of the key holds at that
moment: also while others' commands are under way, shards lag behind, or have just died.

    RESPCACHE_FIRE_SEEDS=100 pytest tests/server/test_client_caches.py     # a hundred seeds
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from respcache.store.keyspace import Keyspace
from tests.support.house import House, Peer, house
from tests.support.resp import PushData, ReplyError

pytestmark = pytest.mark.trio

SEEDS = int(os.environ.get("RESPCACHE_FIRE_SEEDS", "4"))
STEPS = 600
KEYS = [b"a", b"b", b"c", b"d", b"{a}1", b"{b}1", b"user:1", b"user:2"]

# A key, or two keys for what they have in common (LCS).
Cached = bytes | tuple[bytes, bytes]
# What a reply tells: keys with their values.
Told = Callable[[Any], list[tuple[Cached, Any]]]


_READ_ALL = b"local r = {} for i, k in ipairs(KEYS) do r[i] = redis.call('GET', k) or '' end return r"


class Caching:
    """A client that caches what it reads, as a library does: in RESP3, on one connection."""

    def __init__(self, peer: Peer, *options: bytes) -> None:
        self.peer = peer
        self.options = options
        self.cache: dict[Cached, Any] = {}
        # For each reply that is to come, what it tells.
        self.owed: deque[Told | None] = deque()
        self.invalidated = 0
        self.send(None, b"HELLO", b"3")
        self.send(None, b"CLIENT", b"TRACKING", b"ON", *options)

    def send(self, told: Told | None, *words: bytes) -> None:
        self.peer.send(*words)
        self.owed.append(told)

    def is_cached(self, key: bytes) -> bool:
        """Whether it would cache this key: in BCAST mode it is not told of others than those below its prefix."""
        return b"PREFIX" not in self.options or key.startswith(self.options[-1])

    def read(self, random: Random) -> None:
        """Read something that is not in the cache."""
        keys = [key for key in KEYS if key not in self.cache and self.is_cached(key)]
        if not keys:
            return
        keys = random.sample(keys, min(len(keys), random.randint(1, 3)))
        if b"OPTIN" in self.options:
            self.send(None, b"CLIENT", b"CACHING", b"YES")
        one = keys[0]
        match random.randrange(6):
            case 0:
                self.send(lambda reply: [(one, reply)], b"GET", one)
            case 1:
                self.send(lambda reply: list(zip(keys, reply, strict=True)), b"MGET", *keys)
            case 2:
                words = b"EVAL", _READ_ALL, b"%d" % len(keys), *keys
                self.send(lambda reply: [(key, value or None) for key, value in zip(keys, reply, strict=True)], *words)
            case 3:
                self.send(None, b"MULTI")
                for key in keys:
                    self.send(None, b"GET", key)
                self.send(lambda reply: list(zip(keys, reply, strict=True)), b"EXEC")
            case 4 if len(keys) > 1:  # carried if they are on different shards
                two = keys[1]
                self.send(lambda reply: [((one, two), reply)], b"LCS", one, two, b"LEN")
            case _:
                script = b"return redis.call('GET', '" + one + b"') or ''"  # undeclared
                self.send(lambda reply: [(one, reply or None)], b"EVAL", script, b"0")

    def drop(self, key: bytes) -> None:
        """The key has changed."""
        for cached in [*self.cache]:
            if key == cached or (isinstance(cached, tuple) and key in cached):
                del self.cache[cached]

    def take(self) -> None:
        """What has come."""
        for reply in self.peer.replies():
            if isinstance(reply, PushData):
                assert reply[0] == b"invalidate"
                self.invalidated += 1
                if reply[1] is None:
                    self.cache.clear()
                for key in reply[1] or ():
                    self.drop(key)
                continue
            told = self.owed.popleft()
            if told is not None and not isinstance(reply, ReplyError):
                for key, value in told(reply):
                    if not isinstance(value, ReplyError):
                        self.cache[key] = value


def common(one: bytes, other: bytes) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for byte in one:
        before = 0
        for at, second in enumerate(other, 1):
            before, row[at] = row[at], before + 1 if byte == second else max(row[at], row[at - 1])
    return row[-1]


class World:
    """Clients and shards that take random steps."""

    def __init__(self, main: House, seed: int) -> None:
        self.main = main
        self.random = Random(seed)
        self.caches = [
            Caching(main.connect()),
            Caching(main.connect(), b"NOLOOP"),
            Caching(main.connect(), b"OPTIN"),
            Caching(main.connect(), b"OPTOUT"),
            Caching(main.connect(), b"BCAST"),
            Caching(main.connect(), b"BCAST", b"PREFIX", b"user:"),
        ]
        self.writers = [main.connect() for _ in range(3)]
        self.value = 0
        self.compared = 0

    def new_value(self) -> bytes:
        self.value += 1
        return b"v%d" % self.value

    def change(self) -> list[bytes]:
        """Some command that writes."""
        random = self.random
        one, other = random.sample(KEYS, 2)
        value = self.new_value()
        commands = [
            [b"SET", one, value],
            [b"SET", one, value, b"PX", b"%d" % random.randint(1, 300)],
            [b"APPEND", one, value],
            [b"DEL", one, other],
            [b"MSET", one, value, other, value],
            [b"RENAME", one, other],
            [b"COPY", one, other, b"REPLACE"],
            [b"PEXPIRE", one, b"%d" % random.randint(1, 300)],
            [b"GETDEL", one],
            [b"EVAL", b"redis.call('SET', KEYS[1], ARGV[1])", b"1", one, value],
            [b"EVAL", b"redis.call('SET', '%b', ARGV[1]) redis.call('DEL', '%b')" % (one, other), b"0", value],
            [b"EVAL", b"redis.call('RENAME', '%b', '%b')" % (one, other), b"0"],
        ]
        if random.random() < 0.02:
            return [b"FLUSHALL"]
        return random.choice(commands)

    def write(self) -> None:
        """A writer, or a client that caches (not the one that ignores its own changes), writes."""
        changes = [self.change() for _ in range(self.random.choice((1, 1, 2)))]
        transaction = [[b"MULTI"], *changes, [b"EXEC"]] if len(changes) > 1 else changes
        if self.random.random() < 0.2:
            client = self.random.choice([cache for cache in self.caches if b"NOLOOP" not in cache.options])
            for words in transaction:
                client.send(None, *words)
        else:
            writer = self.random.choice(self.writers)
            for words in transaction:
                writer.send(*words)

    async def step(self) -> None:
        main, random = self.main, self.random
        match random.choice("wwrrrrttttssssssssaaaapq" + "d" * (random.random() < 0.2)):
            case "w":
                self.write()
            case "r":
                cache = random.choice(self.caches)
                if not cache.owed or random.random() < 0.2:
                    cache.read(random)
            case "t":
                main.turn()
            case "s":
                for shard in random.sample(main.shards, random.randint(1, len(main.shards))):
                    shard.work()
            case "a":
                await main.tasks()
            case "p":
                main.time.pass_(random.choice((0.001, 0.05, 0.2)))
                with main.poller.round():
                    main.parts.alarms.fire()
            case "q":
                await main.settle()
            case "d":
                random.choice(main.shards).die()

    def expected(self, key: Cached) -> Any:
        """What a cache should have."""
        if isinstance(key, bytes):
            return self.held(key)
        one, other = key
        return common(self.held(one) or b"", self.held(other) or b"")

    def held(self, key: bytes) -> Any:
        """What its shard holds under a key, expired or not: that nobody has seen."""
        number = self.main.parts.router.shard_of(key)
        shard = self.main.shards[number].worker.shard
        db: Keyspace = shard.databases[0]
        value = None if (0, key) in shard.guests.places else db.get(key)
        return None if value is None else bytes(value)

    def check(self) -> None:
        for cache in self.caches:
            cache.take()
            if cache.owed:
                continue
            for key, value in cache.cache.items():
                assert self.expected(key) == value, (cache.options, key)
                self.compared += 1
        for writer in self.writers:
            writer.received()


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("seed", range(SEEDS))
async def test_no_cache_is_ever_stale(seed: int, shards: int) -> None:
    async with house(shards) as main:
        world = World(main, seed)
        await main.settle()
        for _ in range(STEPS):
            await world.step()
            world.check()
        await main.settle()
        world.check()
        assert all(not cache.owed for cache in world.caches)
        assert all(cache.invalidated for cache in world.caches)
        assert world.compared > STEPS
        # What is left in the caches is what everybody else sees.
        admin = main.connect()
        admin.send(b"MGET", *KEYS)
        await main.settle()
        (values,) = admin.replies()
        world.check()
        for cache in world.caches:
            single = {key: value for key, value in cache.cache.items() if isinstance(key, bytes)}
            assert single.items() <= dict(zip(KEYS, values, strict=True)).items()
