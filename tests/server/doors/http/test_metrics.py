"""/metrics and /health: figures that move when they should, from outside; a shard that is silent, or dies."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio
import trio.testing
from prometheus_client.parser import text_string_to_metric_families

from respcache.server.doors.http.metrics import METRICS, health, metrics
from respcache.server.doors.http.metrics.exposition import (
    COUNTER,
    GAUGE,
    SUMMARY,
    Metric,
    Summary,
    exposition,
    readable,
)
from respcache.server.doors.http.metrics.scrape import Scrape
from respcache.server.services.registry import Registry
from tests.support.house import House, house
from tests.support.processes import RespcacheServer
from tests.support.resp import Connection
from tests.support.waiting import eventually

SHARDS = (1, 3)

Samples = dict[str, float]
SUMMARIES = {metric.name for metric in METRICS if metric.kind == SUMMARY}


def read(body: bytes) -> Samples:
    """All samples by name and labels, as they are printed; read by Prometheus' own parser, and checked."""
    kinds = {metric.name: metric.kind for metric in METRICS}
    samples: Samples = {}
    for family in text_string_to_metric_families(body.decode("utf-8")):
        for sample in family.samples:
            assert family.type == kinds[metric_of(sample.name)], sample.name
            assert family.documentation
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            name = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert name not in samples
            samples[name] = sample.value
    return samples


def metric_of(sample: str) -> str:
    """The metric that a sample is of; of a summary there are a sum and a count as well."""
    name = sample.partition("{")[0]
    whole = name.removesuffix("_sum").removesuffix("_count")
    return whole if whole in SUMMARIES else name


def total(samples: Samples, name: str) -> float:
    """The sum of a metric over its labels."""
    found = [value for key, value in samples.items() if key.partition("{")[0] == name]
    assert found, name
    return sum(found)


# -- the text


def test_labels_are_escaped() -> None:
    value = 'a"b\\c\nd\\n\N{LINE SEPARATOR}é'
    metric = Metric("redis_m_total", COUNTER, "Help.", lambda _: [((value, "v"), 1)], ("l", "other"))
    (family,) = text_string_to_metric_families(exposition([metric], Any).decode())  # type: ignore[arg-type]  # not read
    assert family.samples[0].labels == {"l": value, "other": "v"}


def test_numbers_and_states() -> None:
    values: tuple[int | float | str, ...] = (0, 10**15 + 1, 0.25, 1e-7, "1.50", "ok", "err")
    metric = Metric("m", GAUGE, "Help.", lambda _: [((str(n),), value) for n, value in enumerate(values)], ("n",))
    (family,) = text_string_to_metric_families(exposition([metric], Any).decode())  # type: ignore[arg-type]  # not read
    assert [sample.value for sample in family.samples] == [0, 10**15 + 1, 0.25, 1e-7, 1.5, 1, 0]


def test_summaries() -> None:
    metric = Metric("m", SUMMARY, "Help.", lambda _: [(("a",), Summary(3, 4.5, {50: 1.003, 99.9: 2}))], ("l",))
    assert exposition([metric], Any).decode().splitlines()[2:] == [  # type: ignore[arg-type]  # not read
        'm{l="a",quantile="50"} 1.003',
        'm{l="a",quantile="99.9"} 2',
        'm_sum{l="a"} 4.5',
        'm_count{l="a"} 3',
    ]


def test_each_metric_is_there_once() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.name.endswith("_total") is (metric.kind == COUNTER), metric.name
        assert metric.help.endswith(".")
        assert not set(metric.help) & set('\\\n"')


# -- the house


async def scrape(main: House) -> Samples:
    bodies: list[bytes] = []

    async def ask() -> None:
        bodies.append(await metrics(main.parts))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await main.settle()
    return read(bodies[0])


@pytest.mark.trio
@pytest.mark.parametrize("shards", SHARDS)
async def test_counters_move(shards: int) -> None:
    async with house(shards=shards) as main:
        client = main.connect()

        async def done(*commands: str) -> dict[str, float]:
            """What has changed by these commands. A command that takes its answer from a shard counts there."""
            before = await scrape(main)
            for words in commands:
                client.send(*words.split())
            await main.settle()
            client.received()
            after = await scrape(main)
            return {name: value - before.get(name, 0) for name, value in after.items()}

        changed = await done("SET a 1", "SET b 2", "SET c 3 PX 500", "GET a", "GET nosuch")
        assert changed["redis_commands_processed_total"] == 5
        assert (changed["redis_keyspace_hits_total"], changed["redis_keyspace_misses_total"]) == (1, 1)
        assert (changed['redis_db_keys{db="db0"}'], changed['redis_db_keys_expiring{db="db0"}']) == (3, 1)
        assert changed['redis_db_keys{db="db1"}'] == 0
        assert total(changed, "respcache_shard_keys") == 3
        assert changed["redis_net_input_bytes_total"] > 100
        assert changed["redis_net_output_bytes_total"] == len(b"+OK\r\n" * 3 + b"$1\r\n1\r\n" + b"$-1\r\n")
        assert changed["respcache_client_reads_total"] == 5
        assert changed["respcache_poller_rounds_total"] > 0

        await main.advance(1000)
        changed = await done("LPUSH a x", "NOSUCH", "SELECT 3", "SET k v")
        assert changed['redis_errors_total{err="WRONGTYPE"}'] == changed['redis_errors_total{err="ERR"}'] == 1
        assert changed['redis_db_keys{db="db3"}'] == 1
        now = await scrape(main)
        assert now["redis_expired_keys_total"] == 1
        assert 'redis_db_avg_ttl_seconds{db="db3"}' in now

        main.connect()
        changed = await done()
        assert changed["redis_connections_received_total"] == 0
        assert now["redis_connected_clients"] == 1
        assert (await scrape(main))["redis_connected_clients"] == 2

        client.send("CONFIG", "RESETSTAT")
        await main.settle()
        now = await scrape(main)
        assert now["redis_keyspace_hits_total"] == now["redis_expired_keys_total"] == 0
        assert not [name for name in now if name.startswith("redis_errors_total")]


@pytest.mark.trio
@pytest.mark.parametrize("shards", SHARDS)
async def test_commands(shards: int) -> None:
    async with house(shards=shards) as main:
        client = main.connect()
        client.send("CONFIG", "SET", "slowlog-log-slower-than", "0")
        await main.settle()
        for words in (("MSET", "a", "1", "b", "1", "c", "1"), ("GET", "a"), ("LPUSH", "a", "x"), ("GET",), ("PING",)):
            client.send(*words)
            await main.settle()
        samples = await scrape(main)
        assert samples['redis_commands_total{cmd="mset"}'] == 1
        assert samples['redis_commands_total{cmd="config|set"}'] == 1
        assert samples['redis_commands_duration_seconds_total{cmd="get"}'] >= 0
        assert samples['redis_commands_failed_calls_total{cmd="lpush"}'] == 1
        assert samples['redis_commands_rejected_calls_total{cmd="get"}'] == 1
        assert samples['redis_latency_percentiles_usec_count{cmd="get"}'] == 1
        assert samples['redis_latency_percentiles_usec{cmd="get",quantile="99.9"}'] > 0
        assert samples["redis_slowlog_length"] == 5
        assert samples["redis_slowlog_last_id"] == 4
        assert samples["redis_last_slow_execution_duration_seconds"] >= 0


@pytest.mark.trio
@pytest.mark.parametrize("shards", SHARDS)
async def test_clients_that_wait(shards: int) -> None:
    async with house(shards=shards) as main:
        for_ever, for_a_while, paused, admin = (main.connect() for _ in range(4))
        for_ever.send("BLPOP", "a", "b", "c", "0")
        for_a_while.send("BLPOP", "a", "5")
        await main.settle()
        now = await scrape(main)
        assert now["respcache_waiting_clients"] == now["redis_blocked_clients"] == 2
        assert now["redis_clients_in_timeout_table"] == 1
        assert now["redis_total_blocking_keys"] == 3
        assert total(now, "respcache_shard_waits") >= 2
        admin.send("CLIENT", "PAUSE", "100000", "WRITE")
        await main.settle()
        paused.send("SET", "k", "v")
        await main.settle()
        now = await scrape(main)
        assert (now["respcache_waiting_clients"], now["respcache_paused_clients"], now["redis_blocked_clients"]) == (
            2,
            1,
            3,
        )
        admin.send("CLIENT", "UNPAUSE")
        await main.settle()
        await main.advance(6000)
        now = await scrape(main)
        assert (now["respcache_waiting_clients"], now["redis_clients_in_timeout_table"]) == (1, 0)
        assert now["respcache_paused_clients"] == 0
        admin.send("RPUSH", "b", "x")
        await main.settle()
        now = await scrape(main)
        assert now["respcache_waiting_clients"] == now["redis_blocked_clients"] == now["redis_total_blocking_keys"] == 0


@pytest.mark.trio
async def test_codes_of_errors_are_made_up_by_clients() -> None:
    async with house() as main:
        client = main.connect()
        for code in ('"', "\\\\", "\\255", "\\254", "{}"):
            client.send("EVAL", f"return redis.error_reply('A{code} text')", "0")
        await main.settle()
        now = await scrape(main)
        errors = {name: value for name, value in now.items() if name.startswith("redis_errors_total")}
        assert errors == {
            'redis_errors_total{err="A""}': 1,
            'redis_errors_total{err="A\\"}': 1,
            'redis_errors_total{err="A{}"}': 1,
            'redis_errors_total{err="A\ufffd"}': 2,  # different bytes, but none of them is text
        }
    assert readable("a\udcff") == "a\ufffd"


@pytest.mark.trio
async def test_a_silent_shard(autojump_clock: trio.testing.MockClock) -> None:
    """Sums over all shards are left out, main's figures and those of other shards are there, and it is asked once."""
    async with house(shards=3) as main:
        client = main.connect()
        for key in "abcdefgh":
            client.send("SET", key, "v")
        await main.settle()
        whole = await scrape(main)
        bodies: list[bytes] = []

        async def ask() -> None:
            bodies.append(await metrics(main.parts))

        for _ in range(3):
            began = trio.current_time()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                await trio.testing.wait_all_tasks_blocked()
                main.shards[0].work()
                main.shards[2].work()
            assert trio.current_time() - began == 5
        partial = read(bodies[-1])
        assert partial["redis_up"] == 0
        assert [partial[f'respcache_shard_responding{{shard="{n}"}}'] for n in range(3)] == [1, 0, 1]
        assert partial['respcache_shard_queued_items{shard="1"}'] == 1
        assert 'respcache_shard_keys{shard="1"}' not in partial
        assert 'respcache_shard_keys{shard="2"}' in partial
        missing = {metric.name for metric in METRICS if metric.of_all_shards}
        assert set(map(metric_of, whole)) - set(map(metric_of, partial)) <= missing
        assert not missing & set(map(metric_of, partial))

        await main.settle()
        again = await scrape(main)
        assert again["redis_up"] == 1
        assert again.keys() == whole.keys()


@pytest.mark.trio
async def test_counters_are_reset_while_a_shard_is_silent(autojump_clock: trio.testing.MockClock) -> None:
    """What it then answers to the scrape before that is from before, and not taken for the answer to the next one."""
    async with house() as main:
        client = main.connect()
        client.send("GET", "nosuch")
        await main.settle()
        bodies: list[bytes] = []

        async def ask() -> None:
            bodies.append(await metrics(main.parts))

        await ask()
        assert read(bodies[-1])["redis_up"] == 0
        main.parts.reset_counters()  # CONFIG RESETSTAT
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await main.settle()
        assert read(bodies[-1])["redis_keyspace_misses_total"] == 0
        assert main.parts.figures.counted(0)["keyspace_misses"] == 0


@pytest.mark.trio
async def test_what_is_not_of_all_shards_is_known_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would be wrong while one is silent."""
    monkeypatch.setattr("respcache.server.commands.info.footprint.resident", lambda _pid: 1000)
    monkeypatch.setattr("respcache.server.commands.info.footprint.peak_resident", lambda _pid: 2000)
    async with house(shards=3) as main:
        client, waiting = main.connect(), main.connect()
        for words in (
            "HELLO 3",
            "CLIENT TRACKING ON",
            "SET a 1 EX 100",
            "GET a",
            "GET b",
            "LPUSH a x",
            "EVAL return{} 0",
            "RPUSH l x y",
        ):
            client.send(*words.split())
        waiting.send("BLPOP", "nosuch", "0")
        await main.settle()
        answers: list[Any] = []

        async def ask() -> None:
            answers.extend(await main.parts.figures.gather(memory=True))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await main.settle()
        for figures in answers:  # what this process really took is about the same for all of them
            figures |= {"processor": (1000.0, 1000.0), "busy": 10**15, "expiring": 10**15, "lua_memory": 10**9}
            figures["startup_memory"] = 10**9
        with_them, without = Scrape(main.parts, answers), Scrape(main.parts, [None] * 3)
        for metric in METRICS:
            if metric.name in ("redis_up", "respcache_shard_responding", "respcache_shard_keys"):
                continue
            if metric.name == "respcache_process_cpu_seconds_total" or metric.unused:
                continue
            known, unknown = ([*metric.read(each)] for each in (with_them, without))
            if metric.name in ("redis_eventloop_duration_sum_usec_total",) or "main_thread" in metric.name:
                assert float(known[0][1]) == pytest.approx(float(unknown[0][1]), abs=10**6)  # time passes
            elif metric.of_all_shards:
                assert known != unknown or metric.name in _ZERO, metric.name
            else:
                assert known == unknown, metric.name


# Of all shards, and zero in that test.
_ZERO = {"redis_expired_keys_total", "redis_total_blocking_keys_on_nokey", "redis_acl_access_denied_auth_total"}


@pytest.mark.trio
async def test_the_cost_does_not_depend_on_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    async with house() as main:
        for _ in range(20):
            main.connect()
        await main.settle()

        def all_of_them(_registry: Registry[Any]) -> list[Any]:
            raise AssertionError("looks at all clients")

        monkeypatch.setattr(Registry, "all", all_of_them)
        assert (await scrape(main))["redis_connected_clients"] == 20
        monkeypatch.undo()


@pytest.mark.trio
async def test_health() -> None:
    async with house(shards=2) as main:
        shards = [{"shard": n, "up": True, "restarts": 0} for n in range(2)]
        well, body = health(main.parts)
        assert (well, json.loads(body)) == (True, {"status": "ok", "shards": shards})
        main.parts.links[1].running = False
        shards[1]["up"] = False
        well, body = health(main.parts)
        assert (well, json.loads(body)) == (False, {"status": "shards down", "shards": shards})
        main.parts.links[1].running = True
        main.parts.stop()
        well, body = health(main.parts)
        assert (well, json.loads(body)["status"]) == (False, "stopping")


# -- over HTTP


class Watched(RespcacheServer):
    """A server with an HTTP door and a port for metrics."""

    def __init__(self, *arguments: str, shards: int = 1) -> None:
        self.http_port, self.metrics_port = free_port(), free_port()
        ports = ("--http-port", str(self.http_port), "--metrics-port", str(self.metrics_port))
        super().__init__(*ports, *arguments, shards=shards)

    def get(
        self, path: str, *, door: bool = False, method: str = "GET", token: str = ""
    ) -> tuple[int, str | None, bytes]:
        """Status, content type and body; from the port for metrics, or from the HTTP door."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port if door else self.metrics_port, timeout=20)
        try:
            connection.request(method, path, headers={"Authorization": f"Bearer {token}"} if token else {})
            response = connection.getresponse()
            return response.status, response.headers["content-type"], response.read()
        finally:
            connection.close()

    def samples(self) -> Samples:
        status, _, body = self.get("/metrics")
        assert status == 200
        return read(body)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(params=SHARDS)
def watched(request: pytest.FixtureRequest) -> Iterator[Watched]:
    server = Watched(shards=request.param)
    yield server
    server.stop()


@pytest.fixture
def call(watched: Watched) -> Iterator[Callable[..., Any]]:
    connection = Connection(watched.port)
    yield connection.call
    connection.close()


PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def test_ports_and_tokens() -> None:
    server = Watched("--requirepass", "secret")
    try:
        status, kind, body = server.get("/metrics")
        assert (status, kind) == (200, PROMETHEUS)
        assert read(body)["redis_up"] == 1
        status, kind, body = server.get("/health")
        assert (status, kind, json.loads(body)["status"]) == (200, "application/json", "ok")
        for path in ("/metrics", "/health"):
            assert server.get(path, door=True)[0] == 401
            assert server.get(path, door=True, token="wrong")[0] == 401
            assert server.get(path, door=True, token="secret")[:2] == server.get(path)[:2]
            assert server.get(path, method="POST")[0] == 405
            assert server.get(path, method="HEAD")[::2] == (200, b"")
        assert server.get("/get/k")[0] == 404
        assert server.get("/metrics/more")[0] == 404
    finally:
        server.stop()


def test_without_a_password(watched: Watched) -> None:
    assert watched.get("/metrics", door=True)[:2] == (200, PROMETHEUS)
    assert watched.get("/health", door=True)[:2] == (200, "application/json")


def test_frames(watched: Watched, call: Callable[..., Any]) -> None:
    """Every frame is answered once there is nothing to do; a scrape sends one to each shard."""
    shards = watched.shards
    before = watched.samples()
    between = watched.samples()
    for n in range(10):
        call("SET", f"k{n}", "v" * 1000)
    after = watched.samples()
    for n in range(shards):
        sent, received = (f'respcache_shard_frames_{which}_total{{shard="{n}"}}' for which in ("sent", "received"))
        assert between[sent] - before[sent] == between[received] - before[received] == 1
        assert after[f'respcache_shard_queued_items{{shard="{n}"}}'] == 0
        assert after[f'respcache_shard_queued_bytes{{shard="{n}"}}'] == 0
    for name in ("respcache_shard_frames_sent_total", "respcache_shard_frames_received_total"):
        assert total(after, name) - total(between, name) == 10 + shards
    assert (
        total(after, "respcache_shard_sent_bytes_total") - total(between, "respcache_shard_sent_bytes_total") > 10_000
    )
    assert total(after, "respcache_shard_received_bytes_total") > total(between, "respcache_shard_received_bytes_total")
    assert after["redis_memory_used_bytes"] > 10**7
    assert after['respcache_process_resident_memory_bytes{process="shard0"}'] > 10**6
    assert after['respcache_process_cpu_seconds_total{process="main",mode="user"}'] > 0


def test_a_shard_is_killed(watched: Watched, call: Callable[..., Any]) -> None:
    """No counter of all shards decreases, and the new process counts on."""
    for n in range(20):
        call("SET", f"k{n}", n)
        call("GET", f"k{n}")
        call("GET", f"nosuch{n}")
        call("EVAL", "return redis.error_reply('MINE text')", 1, f"k{n}")
    before = watched.samples()
    assert before["redis_keyspace_hits_total"] == before['redis_errors_total{err="MINE"}'] == 20
    victim = call("DEBUG", "SHARDS")[-1]
    os.kill(victim[1], signal.SIGKILL)
    restarts = f'respcache_shard_restarts_total{{shard="{victim[0]}"}}'
    assert eventually(lambda: watched.samples()[restarts] == 1)
    assert eventually(lambda: watched.samples()["redis_up"] == 1)
    after = watched.samples()
    kinds = {metric.name: metric.kind for metric in METRICS}
    for name, value in before.items():
        if kinds[metric_of(name)] == COUNTER and not name.startswith("respcache_process_cpu"):
            assert after[name] >= value, name
    assert after["redis_keyspace_hits_total"] == after['redis_errors_total{err="MINE"}'] == 20
    assert after[f'respcache_shard_up{{shard="{victim[0]}"}}'] == 1
    assert after[f'respcache_shard_keys{{shard="{victim[0]}"}}'] == 0
    assert after["redis_cpu_user_seconds_total"] >= before["redis_cpu_user_seconds_total"]
    body = json.loads(watched.get("/health")[2])
    assert body["shards"][victim[0]] == {"shard": victim[0], "up": True, "restarts": 1}

    for n in range(20):
        call("GET", f"nosuch{n}")
    again = watched.samples()
    assert again["redis_keyspace_misses_total"] == 40
    assert f"keyspace_misses:{40}\r" in call("INFO", "stats").decode()
    call("CONFIG", "RESETSTAT")
    assert watched.samples()["redis_keyspace_misses_total"] == 0


def test_a_connection_that_was_turned_away(watched: Watched, call: Callable[..., Any]) -> None:
    before = watched.samples()
    call("CONFIG", "SET", "maxclients", 1)
    with socket.create_connection(("127.0.0.1", watched.port)) as refused:
        assert refused.makefile("rb").read() == b"-ERR max number of clients reached\r\n"
    call("CONFIG", "SET", "maxclients", 100)
    after = watched.samples()
    assert after["redis_rejected_connections_total"] - before["redis_rejected_connections_total"] == 1
    # That one, and those of the two scrapes.
    assert after["redis_connections_received_total"] - before["redis_connections_received_total"] == 2


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_agrees(watched: Watched, call: Callable[..., Any]) -> None:
    call("SET", "k", "v", "EX", 100)
    done = subprocess.run(["promtool", "check", "metrics"], input=watched.get("/metrics")[2], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
