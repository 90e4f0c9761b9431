"""The dialect that this project began with, and the port for metrics alone."""

from __future__ import annotations

import pytest

from respcache.server.doors.http.door import MetricsDoor
from tests.support.house import HttpPeer, house
from tests.support.http import http_request

pytestmark = pytest.mark.trio


@pytest.mark.parametrize("shards", [1, 3])
async def test_seed(shards: int) -> None:
    async with house(shards, http_dialect="seed") as main:
        client = main.connect_http()
        client.send_raw(http_request("GET", "/set/k%2F1/v") + http_request("GET", "/get/k%2F1"))
        client.send_raw(http_request("GET", "/get/none") + http_request("GET", "/flushall"))
        client.send_raw(http_request("GET", "/") + http_request("GET", "/set/k") + http_request("GET", "/health"))
        await main.settle()
        stored, got, nothing, unknown, root, too_short, health = client.responses()
        assert (stored.status, stored.body) == (200, b"OK")
        assert stored.headers["content-type"] == "text/plain; charset=utf-8"
        assert got.json == {"value": "v"}
        assert nothing.json == {"value": None}
        assert (unknown.status, root.status, too_short.status) == (404, 404, 404)
        assert health.status == 200


async def test_errors_of_seed() -> None:
    async with house(1, http_dialect="seed") as main:
        other = main.connect()
        other.send("RPUSH", "l", 1)
        await main.settle()
        client = main.connect_http()
        client.send_raw(http_request("GET", "/get/l") + http_request("POST", "/set/k/v", b""))
        await main.settle()
        wrong, not_allowed = client.responses()
        assert wrong.error.startswith("WRONGTYPE")
        assert wrong.status == 400
        assert not_allowed.status == 405
        assert not_allowed.headers["allow"] == "GET, HEAD"


async def test_the_metrics_port() -> None:
    async with house(1, requirepass="secret") as main:
        sock = main.socket()
        MetricsDoor(main.parts).accept(sock, "127.0.0.1:1", "127.0.0.1:2")  # type: ignore[arg-type]  # a fake
        client = HttpPeer(sock, main.parts.registry.all()[-1])
        for target in ("/metrics", "/health", "/get/k", "/", "/pipeline"):
            client.ask("GET", target)
        client.ask("POST", "/health")
        client.ask("OPTIONS", "/health")
        await main.settle()
        metrics, health, command, root, pipeline, post, options = client.responses()
        assert (metrics.status, health.status) == (200, 200)
        assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert (command.status, root.status, pipeline.status) == (404, 404, 404)
        assert (post.status, options.status) == (405, 405)
        assert post.headers["allow"] == "GET, HEAD"
