"""The genuine redis_exporter asks respcache over RESP: it is content, and docs/reference/metrics.md says what it lacks.

It is on the PATH as `redis_exporter`, or as `prometheus-redis-exporter` (Debian's name). What is listed is about
version 1.45; others are only asked whether they find a fault.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from compat import targets
from compat.metrics_page import NOT_IN_INFO, ONLY_OVER_RESP
from tests.support.resp import Connection

pytest.importorskip("prometheus_client")

EXPORTER = shutil.which("redis_exporter") or shutil.which("prometheus-redis-exporter")
pytestmark = pytest.mark.skipif(EXPORTER is None, reason="redis_exporter is not installed")

GENUINE = targets.genuine()
OURS = targets.respcache((1, 3))
# Figures of the moment, which differ from one look to the next; the exporter also uses commands that there are not.
MOVING = (
    "redis_cpu_*",
    "redis_memory_*",
    "redis_allocator_*_bytes",
    "redis_net_*",
    "redis_uptime_in_seconds",
    "redis_start_time_seconds",
    "redis_db_avg_ttl_seconds",
    "redis_connected_clients",
    "redis_commands_processed_total",
    "redis_connections_received_total",
    "redis_errors_total",
)

Families = dict[str, Any]  # by name


def families(text: str) -> Families:
    from prometheus_client.parser import text_string_to_metric_families

    found = {}
    for family in text_string_to_metric_families(text):
        # The parser calls counters by their names without the ending.
        suffix = "_total" if family.type == "counter" and f"{family.name}_total" in text else ""
        if family.name.startswith("redis_"):
            found[family.name + suffix] = family
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def get(port: int) -> str:
    """/metrics of a port, which is perhaps not open yet."""
    deadline = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
                text: str = response.read().decode()
                return text
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def export(port: int, *arguments: str) -> Families:
    """What redis_exporter says about a server."""
    own = free_port()
    command = [str(EXPORTER), f"--redis.addr=redis://127.0.0.1:{port}", f"--web.listen-address=127.0.0.1:{own}"]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return families(get(own))
    finally:
        process.kill()
        process.wait()


def use(port: int, *login: object) -> None:
    """Give the server something to count: keys, hits, misses, errors."""
    connection = Connection(port)
    if login:
        connection.call("AUTH", *login)
    connection.call("SET", "a", "1")
    connection.call("SET", "b", "1", "EX", 1000)
    connection.call("GET", "a")
    connection.call("GET", "nosuch")
    connection.call("LPUSH", "a", "x")
    connection.call("SELECT", 3)
    connection.call("RPUSH", "l", "x")
    connection.close()


@pytest.fixture
def as_listed() -> None:
    """What the lists are about."""
    said = subprocess.run([str(EXPORTER), "--version"], capture_output=True, text=True, check=False)
    if "Exporter 1.45." not in said.stdout + said.stderr:
        pytest.skip("the lists are about redis_exporter 1.45")


def matches(name: str, rows: Any) -> bool:
    return any(fnmatchcase(name, pattern) for patterns, _ in rows for pattern in patterns)


@pytest.fixture(params=OURS, ids=lambda target: target.label)
def ours(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """respcache's ports, for RESP and for metrics."""
    metrics_port = free_port()
    with request.param.running("--metrics-port", str(metrics_port)) as server:
        use(server.port)
        yield server.port, metrics_port


def test_it_finds_no_fault(ours: tuple[int, int]) -> None:
    found = export(ours[0], "--check-keys=db3=l", "--count-keys=db0=*", "--export-client-list")
    assert value(found, "redis_up") == 1
    assert value(found, "redis_exporter_last_scrape_error") == 0
    assert value(found, "redis_keyspace_hits_total") >= 1
    sizes = {sample.labels["key"]: sample.value for sample in found["redis_key_size"].samples}
    assert sizes == {"l": 1}
    assert [sample.value for sample in found["redis_keys_count"].samples] == [2]
    names = [sample.labels["name"] for sample in found["redis_connected_clients_details"].samples]
    assert names == ["redis_exporter"]


def value(found: Families, name: str) -> float:
    (sample,) = found[name].samples
    figure: float = sample.value
    return figure


def test_its_password() -> None:
    with OURS[0].running("--requirepass", "secret") as server:
        assert value(export(server.port, "--redis.password=secret"), "redis_up") == 1
        assert value(export(server.port), "redis_up") == 0


@pytest.mark.usefixtures("as_listed")
@pytest.mark.parametrize("target", GENUINE, ids=lambda target: target.label)
def test_what_it_lacks_beside_a_genuine_server(ours: tuple[int, int], target: targets.Target) -> None:
    """Everything that is missing is listed, and what is listed is missing, with Redis 7."""
    with target.running() as server:
        use(server.port)
        genuine = export(server.port)
    found = export(ours[0])
    missing = sorted(genuine.keys() - found.keys())
    assert [name for name in missing if not matches(name, NOT_IN_INFO)] == []
    assert [name for name in found if matches(name, NOT_IN_INFO)] == []
    if target.label.startswith("Redis 7"):
        listed = {pattern for patterns, _ in NOT_IN_INFO for pattern in patterns}
        of_redis_8 = {pattern for pattern in listed if pattern.startswith("redis_db")}
        assert listed - of_redis_8 == set(missing)
    for name in genuine.keys() & found.keys():
        assert found[name].type == genuine[name].type, name


@pytest.mark.usefixtures("as_listed")
def test_our_own_metrics_are_the_same(ours: tuple[int, int]) -> None:
    """/metrics has the names, types, labels and figures of redis_exporter, but for those that the page lists."""
    exported = export(ours[0])
    own = families(get(ours[1]))
    only_over_resp = sorted(exported.keys() - own.keys())
    assert [name for name in only_over_resp if not matches(name, ONLY_OVER_RESP)] == []
    assert [name for name in own if matches(name, ONLY_OVER_RESP)] == []
    for patterns, _ in ONLY_OVER_RESP:
        for pattern in patterns:
            assert any(fnmatchcase(name, pattern) for name in only_over_resp), pattern
    for name in exported.keys() & own.keys():
        assert own[name].type == exported[name].type, name
        if any(fnmatchcase(name, pattern) for pattern in MOVING):
            continue
        assert samples(own[name]) == samples(exported[name]), name
    wrong_type = frozenset([("err", "WRONGTYPE")])
    for found in (own, exported):
        assert samples(found["redis_errors_total"])[wrong_type] == 1


def samples(family: Any) -> dict[frozenset[tuple[str, str]], float]:
    return {frozenset(sample.labels.items()): sample.value for sample in family.samples}
