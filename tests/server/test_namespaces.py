"""Namespaces and the server that they are in: random commands side by side, crashes, and memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from respcache.server.order.router import Router
from respcache.system import resident
from tests.support.processes import RespcacheServer
from tests.support.resp import Connection
from tests.support.waiting import eventually
from tests.support.worlds import START, Place, World, set_up

NAMES = ("", "a", "b")
STEPS = 300
SEEDS = range(int(os.environ.get("RESPCACHE_FIRE_SEEDS", "2")))


@pytest.fixture(scope="module")
def models() -> Iterator[list[RespcacheServer]]:
    """A server of its own for each world."""
    servers = [RespcacheServer() for _ in NAMES]
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture(scope="module", params=[1, 3], ids=["1-shard", "3-shards"])
def shared(request: pytest.FixtureRequest) -> Iterator[RespcacheServer]:
    server = RespcacheServer(shards=request.param)
    yield server
    server.stop()


@pytest.fixture
def worlds(
    request: pytest.FixtureRequest, shared: RespcacheServer, models: list[RespcacheServer]
) -> Iterator[list[World]]:
    """One in the default namespace and one in each of two others, all empty."""
    for server in (shared, *models):
        server.reset()
        set_up(server)
    seed = request.node.callspec.params["seed"]
    found = [
        World(Place(shared, name), Place(model, ""), Random(f"{seed} {name}"))
        for name, model in zip(NAMES, models, strict=True)
    ]
    yield found
    for world in found:
        world.close()
    drop(shared, "a")
    drop(shared, "b")


def drop(server: RespcacheServer, name: str) -> None:
    connection = Connection(server.port)
    assert connection.call("RESPCACHE", "NAMESPACE", "DROP", name) == "OK"
    connection.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_one_after_the_other(
    worlds: list[World], shared: RespcacheServer, models: list[RespcacheServer], seed: int
) -> None:
    """Commands of all worlds take turns, and so do RESET, DROP and time."""
    random = Random(seed)
    now = START
    for step in range(STEPS):
        world = random.choice(worlds)
        world.step()
        if step % 20 == 0:
            for each in worlds:
                each.hear()
            now += 10  # time is the same for all
            for server in (shared, *models):
                connection = Connection(server.port)
                assert connection.call("RESPCACHE", "CLOCK", "SET", now) == now
                connection.close()
        if step % 100 == 99:
            named = random.choice(worlds[1:])
            model = named.places[1].server
            if random.random() < 0.5:
                named.start_over(lambda place: drop(shared, place.name) if place.name else place.server.reset())
            else:
                named.both(lambda place: place.clients[0].call("RESPCACHE", "RESET"))
            set_up(model)
            connection = Connection(model.port)
            connection.call("RESPCACHE", "CLOCK", "SET", now)
            connection.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_at_the_same_time(worlds: list[World], seed: int) -> None:
    def live(world: World) -> None:
        for step in range(STEPS):
            world.step()
            if step % 50 == 49:
                world.hear()

    with ThreadPoolExecutor(len(worlds)) as threads:
        for life in [threads.submit(live, world) for world in worlds]:
            life.result()


def test_a_shard_that_dies(shared: RespcacheServer) -> None:
    """It knows the functions of all namespaces again, and its databases, which are empty."""
    shared.reset()
    connections = {name: Connection(shared.port) for name in ("", "a", "b")}
    router = Router(shared.shards)
    key = next(f"k{number}" for number in range(1000) if router.shard_of(b"k%d" % number) == shared.shards - 1)
    for name, connection in connections.items():
        assert connection.call("RESPCACHE", "NAMESPACE", name) == "OK"
        code = f"#!lua name=lib\nredis.register_function('f', function() return '{name}' end)"
        assert connection.pipeline(("SELECT", 15), ("SET", key, name), ("FUNCTION", "LOAD", code))[:2] == ["OK", "OK"]
    admin = connections[""]
    victim = admin.call("DEBUG", "SHARDS")[-1]
    os.kill(victim[1], 9)
    assert eventually(lambda: admin.call("DEBUG", "SHARDS")[-1][2] == victim[2] + 1)
    for name, connection in connections.items():
        assert connection.call("FCALL", "f", 1, key) == name.encode()
        assert connection.call("GET", key) is None
        assert connection.pipeline(("SET", key, name), ("GET", key), ("DBSIZE",)) == ["OK", name.encode(), 1]
    connections["b"].call("RESPCACHE", "NAMESPACE", "")
    drop(shared, "a")
    drop(shared, "b")
    admin.call("RESPCACHE", "RESET")
    for connection in connections.values():
        connection.close()


def test_a_shard_that_dies_while_one_is_dropped(shared: RespcacheServer) -> None:
    """It has forgotten the namespace by that; nobody waits for ever."""
    admin, a = Connection(shared.port), Connection(shared.port)
    a.call("RESPCACHE", "NAMESPACE", "a")
    a.call("SET", "k", "v")
    victim = admin.call("DEBUG", "SHARDS")[0]
    os.kill(victim[1], 19)  # stopped: it does not answer
    admin.send("RESPCACHE", "NAMESPACE", "DROP", "a")
    other = Connection(shared.port)
    assert other.call("RESPCACHE", "NAMESPACE", "a") == "OK"  # a new one
    os.kill(victim[1], 9)
    assert admin.read() == "OK"
    assert other.call("DBSIZE") == 0
    drop(shared, "a")
    for connection in (admin, a, other):
        connection.close()


def test_many_take_no_memory(shared: RespcacheServer) -> None:
    """A thousand at a time, again and again."""
    admin = Connection(shared.port)
    processes = [shared.process.pid, *(row[1] for row in admin.call("DEBUG", "SHARDS"))]

    def make_and_drop() -> None:
        names = [f"n{number}" for number in range(1000)]
        assert admin.pipeline(*(("RESPCACHE", "NAMESPACE", name) for name in names)) == ["OK"] * 1000
        used = names[::10]
        for name in used:
            commands = [("SELECT", 3), *(("SET", f"k{number}", "v") for number in range(10)), ("EVAL", "return 1", 0)]
            assert admin.pipeline(("RESPCACHE", "NAMESPACE", name), *commands, ("DBSIZE",))[-1] == 10
        admin.call("RESPCACHE", "NAMESPACE", "")
        assert len(admin.call("RESPCACHE", "NAMESPACES")) == 1001
        assert admin.pipeline(*(("RESPCACHE", "NAMESPACE", "DROP", name) for name in names)) == ["OK"] * 1000
        assert len(admin.call("RESPCACHE", "NAMESPACES")) == 1

    make_and_drop()
    before = [resident(process) for process in processes]
    for _ in range(3):
        make_and_drop()
    after = [resident(process) for process in processes]
    admin.close()
    # Less than half a kilobyte each, which is what the system gives and takes anyway. One that stays takes several.
    assert all(now - then < 1_500_000 for now, then in zip(after, before, strict=True)), (before, after)
