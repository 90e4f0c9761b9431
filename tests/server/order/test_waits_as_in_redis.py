"""Random commands of several clients, one after the other, here and on a genuine server: each gets the same bytes.

Who is served, with what, and in which order follows from the commands alone, as long as nobody sends anything while it
waits. On several shards a transaction is left out: see "waiting-for-several-shards" in compat/differences.toml.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import REFERENCE
from tests.support.house import house
from tests.support.processes import ReferenceServer
from tests.support.resp import Connection, pack

pytestmark = pytest.mark.trio

WAITERS = 6
KEYS = "abcde"
SEEDS = 60


@pytest.fixture(scope="module")
def genuine() -> Iterator[ReferenceServer]:
    if REFERENCE is None:
        pytest.skip(reason="no genuine redis-server found ($RESPCACHE_REFERENCE, or on the PATH)")
    server = ReferenceServer(REFERENCE)
    if server.version >= (7, 2):
        yield server
    server.stop()
    if server.version < (7, 2):
        pytest.skip(reason="the genuine server is older than 7.2, which runs the words of waiters again")


class Choices:
    """Commands, made up from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._values = 0

    def key(self) -> str:
        return self.random.choice(KEYS)

    def keys(self) -> list[str]:
        return [self.key() for _ in range(self.random.randint(1, 3))]

    def side(self) -> str:
        return self.random.choice(["LEFT", "RIGHT"])

    def value(self) -> str:
        self._values += 1
        return f"v{self._values}"

    def one_of(self, *commands: Callable[[], tuple[Any, ...]]) -> tuple[Any, ...]:
        return self.random.choice(commands)()

    def blocking(self) -> tuple[Any, ...]:
        keys, count = self.keys(), self.random.randint(1, 3)
        return self.one_of(
            lambda: ("BLPOP", *keys, 0),
            lambda: ("BRPOP", *keys, 0),
            lambda: ("BLMPOP", 0, len(keys), *keys, self.side(), "COUNT", count),
            lambda: ("BLMOVE", self.key(), self.key(), self.side(), self.side(), 0),
            lambda: ("BRPOPLPUSH", self.key(), self.key(), 0),
            lambda: ("BZPOPMIN", *keys, 0),
            lambda: ("BZPOPMAX", *keys, 0),
            lambda: ("BZMPOP", 0, len(keys), *keys, self.random.choice(["MIN", "MAX"]), "COUNT", count),
        )

    def writing(self) -> tuple[Any, ...]:
        key, other, value = self.key(), self.key(), self.value()
        number = int(value[1:])
        if self.random.random() < 0.5:
            return self.one_of(lambda: ("RPUSH", key, value), lambda: ("ZADD", key, number, value))
        return self.one_of(
            lambda: ("RPUSH", key, value, self.value()),
            lambda: ("ZADD", key, number, value, number + 0.5, self.value()),
            lambda: ("SET", key, value),
            lambda: ("DEL", *self.keys()),
            lambda: ("RENAME", key, other),
            lambda: ("COPY", key, other, "REPLACE"),
            lambda: ("COPY", key, other),
            lambda: ("SORT", key, "BY", "nosort", "STORE", other),
            lambda: ("ZUNIONSTORE", key, 2, other, self.key()),
            lambda: ("ZRANGESTORE", key, other, 0, -1),
            lambda: ("LMOVE", key, other, self.side(), self.side()),
            lambda: ("LPOP", key),
            lambda: ("LMPOP", 2, key, other, self.side()),
            lambda: ("ZPOPMIN", key),
            lambda: ("EXPIRE", key, -1),
            lambda: ("MOVE", key, 1),
            lambda: ("SWAPDB", 0, 1),
        )

    def unit(self, shards: int) -> list[tuple[Any, ...]]:
        """What the one who does not wait sends at once."""
        kind = self.random.random() if shards == 1 else 1
        several = [self.writing() for _ in range(self.random.randint(2, 4))]
        if kind < 0.2:
            return [("MULTI",), *several, ("EXEC",)]
        return several if kind < 0.3 else several[:1]


class Genuine:
    """The same clients of a genuine server."""

    def __init__(self, port: int) -> None:
        self._control, self.pusher = Connection(port), Connection(port)
        self.waiters = [Connection(port) for _ in range(WAITERS)]
        self._control.call("FLUSHALL")

    def received(self) -> list[bytes]:
        """What each client has got. Whatever is served is sent before the next round of the server's begins."""
        for _ in range(2):
            self._control.call("PING")
        return [_what_is_there(connection) for connection in (self.pusher, *self.waiters)]

    def close(self) -> None:
        for connection in (self._control, self.pusher, *self.waiters):
            connection.close()


def _what_is_there(connection: Connection) -> bytes:
    connection.socket.setblocking(False)
    data = b""
    try:
        while more := connection.socket.recv(1 << 16):
            data += more
    except BlockingIOError:
        pass
    connection.socket.setblocking(True)
    return data


@pytest.mark.parametrize("shards", [1, 3])
async def test_everybody_gets_the_same(genuine: ReferenceServer, shards: int) -> None:
    for seed in range(SEEDS):
        choices, there = Choices(seed), Genuine(genuine.port)
        async with house(shards=shards) as main:
            pusher, waiters = main.connect(), [main.connect() for _ in range(WAITERS)]
            for step in range(choices.random.randint(10, 50)):
                number, waits = choices.random.randrange(WAITERS), choices.random.random() < 0.5
                if waits and waiters[number].client.blocked:
                    continue
                words = [choices.blocking()] if waits else choices.unit(shards)
                data = b"".join(map(pack, words))
                (waiters[number] if waits else pusher).send_raw(data)
                (there.waiters[number] if waits else there.pusher).send_raw(data)
                await main.settle()
                received = [client.received() for client in (pusher, *waiters)]
                assert received == there.received(), (seed, step, words)
        there.close()
