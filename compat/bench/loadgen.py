"""A load generator in one Python process, for machines without redis-benchmark.

    python -m compat.bench.loadgen PORT CLIENTS PIPELINE REQUESTS KEYSPACE WORD ...

It does what redis-benchmark does: each client sends a batch of PIPELINE commands, waits for all replies, and sends the
next batch; ``__rand_int__`` in a command becomes a random number of 12 digits below KEYSPACE. It prints the requests
per second. It is slower than redis-benchmark, so a fast server looks slower than it is.
"""

from __future__ import annotations

import random
import selectors
import socket
import sys
import time

import hiredis

from compat.bench.wire import pack

PLACEHOLDER = "__rand_int__"
_VARIANTS = 1000  # batches made beforehand, so that making them is not measured


class _Client:
    """One connection with at most one unanswered batch."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = hiredis.Reader()
        self._missing = 0

    def send(self, batch: bytes, commands: int) -> None:
        self._missing = commands
        self.socket.sendall(batch)

    def receive(self) -> bool:
        """Read what has arrived. True if the batch is answered."""
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the server hung up")
        self._replies.feed(data)
        while (reply := self._replies.gets()) is not False:
            if isinstance(reply, hiredis.ReplyError):
                raise reply
            self._missing -= 1
        return self._missing == 0


def run(port: int, clients: int, pipeline: int, requests: int, keyspace: int, words: list[str]) -> float:
    """Requests per second."""
    batches = _batches(pipeline, keyspace, words)
    connections = [_Client(port) for _ in range(clients)]
    left = requests
    with selectors.DefaultSelector() as selector:
        started = time.perf_counter()
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(random.choice(batches), pipeline)
        while left > 0:
            for key, _ in selector.select():
                if key.data.receive():
                    left -= pipeline
                    key.data.send(random.choice(batches), pipeline)
        elapsed = time.perf_counter() - started
    for connection in connections:
        connection.socket.close()
    return (requests - left) / elapsed


def _batches(pipeline: int, keyspace: int, words: list[str]) -> list[bytes]:
    def fill(word: str) -> str:
        return word.replace(PLACEHOLDER, f"{random.randrange(keyspace):012}") if PLACEHOLDER in word else word

    def command() -> bytes:
        return pack(*map(fill, words))

    return [b"".join(command() for _ in range(pipeline)) for _ in range(_VARIANTS)]


def main(arguments: list[str]) -> None:
    port, clients, pipeline, requests, keyspace = map(int, arguments[:5])
    print(run(port, clients, pipeline, requests, keyspace, arguments[5:]))


if __name__ == "__main__":
    main(sys.argv[1:])
