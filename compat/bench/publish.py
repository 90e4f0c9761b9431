"""PUBLISH to many subscribers: how many messages per second arrive, all subscribers taken together."""

from __future__ import annotations

import selectors
import socket
import time

from compat.bench.plan import Measurement, Plan
from compat.bench.servers import ServerUnderTest
from compat.bench.wire import pack

_MESSAGE = "x" * 100
# Messages that are published before anybody is waited for: so many arrive in all.
_UNDER_WAY = 1000


def published(subscribers: int) -> Measurement:
    """Messages per second. One client publishes some, and the next ones when all subscribers have those."""

    def measure(server: ServerUnderTest, plan: Plan) -> float:
        at_once = max(1, _UNDER_WAY // subscribers)
        listening = [_subscribe(server.port) for _ in range(subscribers)]
        try:
            with selectors.DefaultSelector() as selector, server.wire() as publisher:
                for sock in listening:
                    selector.register(sock, selectors.EVENT_READ)
                size = at_once * len(pack("message", "channel", _MESSAGE))
                publication = pack("PUBLISH", "channel", _MESSAGE)
                rounds = 0
                started = time.perf_counter()
                while (elapsed := time.perf_counter() - started) < plan.seconds:
                    publisher.exchange([publication] * at_once)
                    _take(selector, dict.fromkeys(listening, size))
                    rounds += 1
            return rounds * at_once * subscribers / elapsed
        finally:
            for sock in listening:
                sock.close()

    several = "s" * (subscribers > 1)
    return Measurement(
        f"publish-{subscribers}",
        f"PUBLISH to {subscribers:,} subscriber{several}",
        "messages/s",
        measure,
        f"`PUBLISH` of 100 bytes by one client, {max(1, _UNDER_WAY // subscribers):,} at a time; "
        "what arrives at all subscribers is counted, in one process",
        more_is_better=True,
    )


def _subscribe(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    sock.sendall(pack("SUBSCRIBE", "channel"))
    sock.recv(1 << 12)
    return sock


def _take(selector: selectors.BaseSelector, missing: dict[socket.socket, int]) -> None:
    """Read until each subscriber has so many bytes."""
    while missing:
        for key, _ in selector.select():
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            data = sock.recv(1 << 16)
            if not data:
                raise ConnectionError("the server has hung up on a subscriber")
            missing[sock] -= len(data)
            if not missing[sock]:
                del missing[sock]
