"""GET over HTTP beside GET over RESP: 50 connections that are kept, each with one request at a time.

`python -m compat.bench.http` runs all loads several times by turns, prints the medians, and writes HTTP.md beside this
file. The loads over HTTP come from a generator of our own, which is the same for all servers; redis-py is a client
that people would use instead. webdis, an HTTP server in C in front of redis-server, is measured where it is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import selectors
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis.asyncio

from compat.bench.servers import GenuineRedis
from respcache.testing import Server

CONNECTIONS = 50
_KEY, _VALUE = "key", "x" * 16
_HEADERS = "Host: 127.0.0.1\r\nAuthorization: Bearer secret\r\nAccept: */*\r\nUser-Agent: bench\r\n"
_READY_WITHIN = 10.0

Load = Callable[[float], float]


def rate_over_http(port: int, request: bytes, seconds: float) -> float:
    """Requests per second: each connection sends the next request when the last one is answered."""
    with selectors.DefaultSelector() as selector, ExitStack() as connections:
        for _ in range(CONNECTIONS):
            connection = connections.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ, connection)
            connection.sendall(request)
        answered, began = 0, time.perf_counter()
        while (taken := time.perf_counter() - began) < seconds:
            for key, _ in selector.select(1.0):
                response = key.data.recv(1 << 16)
                if not response.startswith(b"HTTP/1.1 200"):
                    raise RuntimeError(f"the answer was {response[:200]!r}")
                answered += 1
                key.data.sendall(request)
    return answered / taken


def rate_of_redis_py(port: int, seconds: float) -> float:
    """GETs per second of redis-py's asyncio client, a task and a connection each."""

    async def run() -> float:
        async with redis.asyncio.Redis(port=port, max_connections=CONNECTIONS) as client:
            await client.set(_KEY, _VALUE)
            until = time.perf_counter() + seconds
            answered = 0

            async def one() -> None:
                nonlocal answered
                while time.perf_counter() < until:
                    await client.get(_KEY)
                    answered += 1

            began = time.perf_counter()
            await asyncio.gather(*[one() for _ in range(CONNECTIONS)])
            return answered / (time.perf_counter() - began)

    return asyncio.run(run())


def _post(path: str, body: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\n{_HEADERS}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\n{_HEADERS}\r\n".encode()


@contextmanager
def _webdis(redis_port: int) -> Iterator[int]:
    """webdis in front of a redis-server; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    settings = {"redis_host": "127.0.0.1", "redis_port": redis_port, "http_host": "127.0.0.1", "http_port": port}
    settings |= {"threads": 2, "pool_size": 20, "daemonize": False, "verbosity": 0, "logfile": os.devnull}
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "webdis.json")
        file.write_text(json.dumps(settings))
        process = subprocess.Popen(
            ["webdis", str(file)], cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _wait_for(port)
            yield port
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(port: int) -> None:
    until = time.monotonic() + _READY_WITHIN
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


@contextmanager
def _loads() -> Iterator[dict[str, Load]]:
    """What is measured, by name, while the servers run."""
    with ExitStack() as running:
        ours = running.enter_context(Server(http=True, args=["--requirepass", ""]))
        seed = running.enter_context(Server(http=True, args=["--http-dialect", "seed"]))
        door, plain = (int(server.rest_url.rpartition(":")[2]) for server in (ours, seed))
        for server in (ours, seed):
            with server.client() as client:
                client.set(_KEY, _VALUE)
        loads: dict[str, Load] = {
            'respcache, `POST /` with `["GET","key"]`': lambda s: rate_over_http(
                door, _post("/", f'["GET","{_KEY}"]'), s
            ),
            "respcache, `GET /get/key`": lambda s: rate_over_http(door, _get(f"/get/{_KEY}"), s),
            "respcache, `GET /get/key` in the seed dialect": lambda s: rate_over_http(plain, _get(f"/get/{_KEY}"), s),
            "respcache, redis-py over RESP": lambda s: rate_of_redis_py(ours.port, s),
        }
        if program := shutil.which("redis-server"):
            genuine = running.enter_context(GenuineRedis(program))
            loads[f"redis-server {genuine.version}, redis-py over RESP"] = lambda s: rate_of_redis_py(genuine.port, s)
            if shutil.which("webdis"):
                port = running.enter_context(_webdis(genuine.port))
                loads["webdis, `GET /GET/key`"] = lambda s: rate_over_http(port, _get(f"/GET/{_KEY}"), s)
        yield loads


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m compat.bench.http", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each load and round")
    parser.add_argument("--no-report", action="store_true", help="leave HTTP.md alone")
    options = parser.parse_args()
    with _loads() as loads:
        rates: dict[str, list[float]] = {name: [] for name in loads}
        for _ in range(options.rounds):
            for name, load in loads.items():
                rates[name].append(load(options.seconds))
    reference = statistics.median(rates["respcache, redis-py over RESP"])
    lines = ["| load | requests per second | of redis-py over RESP |", "|---|---|---|"]
    for name, values in rates.items():
        median = statistics.median(values)
        lines.append(f"| {name} | {median:,.0f} | {median / reference:.2f} |")
    table = "\n".join(lines)
    print(table)
    if not options.no_report:
        Path(__file__).with_name("HTTP.md").write_text(_PAGE.format(table=table, rounds=options.rounds))


_PAGE = """\
# GET over HTTP

Written by `python -m compat.bench.http`: 50 connections that are kept, one request at a time on each, medians of
{rounds} rounds. Absolute figures are those of the machine it ran on; what compares is within this table.

{table}

A request costs main about 110 microseconds, of which h11 takes half: reading the head, and writing that of the answer.
"""


if __name__ == "__main__":
    main()
