"""The twin detects wrong answers: respcache is compared with itself, with some replies changed on their way."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from compat.twin import generated, payloads, tables, transcripts
from compat.twin.looseness import Dialect
from tests.support.processes import RespcacheServer


class Liar:
    """A proxy for a server that replaces `truth` with `lie` in the replies."""

    def __init__(self, port: int, truth: bytes, lie: bytes) -> None:
        self._port = port
        self._words = truth, lie
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Call this after the clients have disconnected."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            for arguments in ((client, server, b"", b""), (server, client, *self._words)):
                self._threads.append(threading.Thread(target=self._pass_on, args=arguments, daemon=True))
                self._threads[-1].start()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket, truth: bytes, lie: bytes) -> None:
        """Forward until either side hangs up. Each reply of the transcripts fits into one packet."""
        try:
            while data := source.recv(1 << 16):
                target.sendall(data.replace(truth, lie) if truth else data)
            target.shutdown(socket.SHUT_WR)
        except OSError:  # a client that goes without having read all
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)
        finally:
            source.close()


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[int, int]]:
    ours, theirs = RespcacheServer(shards=3), RespcacheServer()
    yield ours.port, theirs.port
    ours.stop()
    theirs.stop()


LIES = [
    pytest.param(2, b"", b"", "", "", id="none"),
    pytest.param(2, b":2\r\n", b":3\r\n", "strings", "INCR", id="INCR off by one"),
    pytest.param(2, b"-WRONGTYPE Operation", b"-WRONGTYPE operation", "lists", "WRONGTYPE", id="the text of an error"),
    pytest.param(
        2, b"-ERR syntax error", b"-ERR value is not an integer or out of range", "zsets", "syntax", id="which error"
    ),
    pytest.param(3, b"%1\r\n", b"*2\r\n", "hashes", "HGETALL", id="RESP3 map as array"),
    pytest.param(3, b"_\r\n", b"$-1\r\n", "strings", "GET", id="RESP3 null as RESP2's"),
    pytest.param(3, b",1\r\n", b"$1\r\n1\r\n", "zsets", "Z", id="RESP3 double as string"),
    pytest.param(3, b",1\r\n", b",1.0\r\n", "zsets", "Z", id="RESP3 double with more digits"),
    pytest.param(2, b"+OK\r\n", b"$2\r\nOK\r\n", "strings", "SET", id="status as string"),
    pytest.param(2, b"*-1\r\n", b"$-1\r\n", "transactions", "EXEC", id="null array as null string"),
]


@pytest.mark.parametrize(("protocol", "truth", "lie", "family", "seen_in"), LIES)
def test_transcripts(
    servers: tuple[int, int], protocol: int, truth: bytes, lie: bytes, family: str, seen_in: str
) -> None:
    liar = Liar(servers[0], truth, lie)
    try:
        found = [
            difference
            for path in transcripts.files(family)
            for difference in transcripts.differences(path, liar.port, servers[1], protocol, Dialect())[1]
        ]
    finally:
        liar.close()
    assert bool(found) == bool(truth), found
    assert any(seen_in in difference for difference in found) or not truth


@pytest.mark.parametrize(
    ("truth", "lie", "seen_in"),
    [
        pytest.param(b"", b"", "", id="none"),
        pytest.param(b"\r\n:-3\r\n", b"\r\n:-4\r\n", "arity", id="arities"),
        pytest.param(b"+@keyspace\r\n", b"+@keys\r\n", "categories", id="a category"),
        pytest.param(b"%3\r\n", b"*6\r\n", "shape", id="RESP3 map as array"),
    ],
)
def test_tables(servers: tuple[int, int], truth: bytes, lie: bytes, seen_in: str) -> None:
    liar = Liar(servers[0], truth, lie)
    try:
        found = [
            difference
            for _, _, differences in tables.differences(liar.port, servers[0], (7, 2))
            for difference in differences
        ]
    finally:
        liar.close()
    assert bool(found) == bool(truth), found
    assert any(seen_in in difference for difference in found) or not truth


def test_generated(servers: tuple[int, int]) -> None:
    """A wrong answer is found by random sequences, and reported as the shortest session that shows it."""
    liar = Liar(servers[0], b":2\r\n", b":3\r\n")
    try:
        results = generated.differences(liar.port, servers[1], 2, Dialect(), only="STRLEN", examples=200, seeded=1)
        texts = [text for _, _, text in results if text]
    finally:
        liar.close()
    assert texts
    assert "STRLEN" in texts[0] or "strlen" in texts[0]


@pytest.mark.parametrize(
    ("truth", "lie", "seen_in"),
    [
        pytest.param(b"", b"", "", id="none"),
        pytest.param(b"hello", b"hullo", "string text", id="a payload, and the value in it"),
        pytest.param(b"-ERR Bad data format", b"-ERR bad data format", "broken payloads", id="the text of an error"),
        pytest.param(b" is not supported", b" is unknown", "newer, array", id="what there is no place for"),
    ],
)
def test_payloads(servers: tuple[int, int], truth: bytes, lie: bytes, seen_in: str) -> None:
    liar = Liar(servers[0], truth, lie)
    try:
        found = {name: text for name, _, text in payloads.differences(liar.port, servers[1], 2, Dialect()) if text}
    finally:
        liar.close()
    assert bool(found) == (truth != lie), found
    assert not seen_in or seen_in in found
