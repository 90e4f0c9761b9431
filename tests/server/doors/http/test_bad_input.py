"""Hostile and odd HTTP, each class by its name: what it is answered with, what it writes, and whether the connection
goes on. `python -m compat fuzz-http` sends a million variations of all this.
"""

from __future__ import annotations

import re
import select
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.support.processes import RespcacheServer
from tests.support.resp import Connection
from tests.support.waiting import eventually

HOST = b"Host: 127.0.0.1\r\n"
PASSWORD = "secret"
# Follows each request. Where the connection goes on it is carried out, elsewhere it must not be.
BEHIND = b"GET /set/behind/1?_token=secret HTTP/1.1\r\n" + HOST + b"\r\n"
# A request that is part of a body.
INSIDE = b"GET /set/inside/1 HTTP/1.1\r\n" + HOST + b"\r\n"
INSIDE_CHUNK = b"%x\r\n%b\r\n" % (len(INSIDE), INSIDE)

Keys = Mapping[bytes, bytes]


class Row(NamedTuple):
    """A request, and what comes of it."""

    name: str
    request: bytes
    status: int
    goes_on: bool = True
    keys: Keys = MappingProxyType({})  # what is there afterwards


def get(
    target: bytes, *headers: bytes, method: bytes = b"GET", version: bytes = b"HTTP/1.1", host: bytes = HOST
) -> bytes:
    return b"%b %b %b\r\n%b%b\r\n" % (method, target, version, host, b"".join(line + b"\r\n" for line in headers))


def post(target: bytes, body: bytes, *headers: bytes, method: bytes = b"POST") -> bytes:
    return get(target, b"Content-Length: %d" % len(body), *headers, method=method) + body


def chunked(body: bytes, *headers: bytes, target: bytes = b"/set/k", method: bytes = b"POST") -> bytes:
    """With this as its body, sizes included."""
    return get(target, b"Transfer-Encoding: chunked", *headers, method=method) + body


NO_ANSWER = 0
NOTHING = b"0\r\n\r\n"
K5 = {b"k": b"hello"}

ROWS = [
    # -- where a request ends
    Row("a length and chunks", chunked(NOTHING, b"Content-Length: 5"), 400, False),
    Row("a length and chunks, the other way round", get(b"/set/k", b"Content-Length: 5",
        b"Transfer-Encoding: chunked") + NOTHING, 400, False),
    Row("a length and chunks, in a request refused for its target", chunked(NOTHING,
        b"Content-Length: 5", target=b"/%G1"), 400, False),
    Row("a length and chunks, in a method that is refused", chunked(NOTHING,
        b"Content-Length: 5", method=b"BREW"), 400, False),
    Row("two lengths", post(b"/set/k", INSIDE, b"Content-Length: 0"), 400, False),
    Row("two lengths in one line", get(b"/set/k", b"Content-Length: 0, 5", method=b"POST"), 400, False),
    Row("the same length twice", post(b"/set/k", b"hello", b"Content-Length: 5"), 200, keys=K5),
    *(
        Row(f"a length of {length.decode('latin-1')!r}", get(b"/set/k",
        b"Content-Length: " + length, method=b"POST") + b"hello", 400, False)
        for length in (b"+5", b"-5", b"5_0", b"0x5", b"5.0", b"5 5", b"", b"\xb2", b"\xd9\xa5", b"5;", b"1" * 30,
        b"1" * 5000)
    ),
    *(
        Row(f"a coding of {coding.decode('latin-1')!r}", get(b"/set/k",
        b"Transfer-Encoding: " + coding, method=b"POST") + NOTHING, 501, False)
        for coding in (b"xchunked", b"identity", b"gzip, chunked", b"chunked, chunked", b'"chunked"', b"chunked;q=1",
        b"")
    ),
    Row("a coding twice", chunked(NOTHING, b"Transfer-Encoding: identity"), 501, False),
    Row("a space before the colon", get(b"/set/k",
        b"Transfer-Encoding : chunked", method=b"POST") + NOTHING, 400, False),
    Row("a header after a bare CR", get(b"/set/k",
        b"X: a\rTransfer-Encoding: chunked", method=b"POST") + NOTHING, 400, False),
    Row("NUL in a header", get(b"/echo/a", b"X: a\x00b"), 400, False),
    Row("NUL in the name of a header", get(b"/echo/a", b"Content\x00-Length: 5"), 400, False),
    Row("a line that is no header", get(b"/echo/a", b"no colon"), 400, False),
    *(
        Row(f"a chunk of size {size.decode('latin-1')!r}", chunked(size + b"\r\nhello\r\n" + NOTHING), 400, False)
        for size in (b"+5", b"-5", b"0x5", b"5_0", b" 5", b"", b"g", b"5\x00", b"f" * 21, b"5,5")
    ),
    Row("a chunk of size 2^63", chunked(b"8000000000000000\r\nhello\r\n" + NOTHING), NO_ANSWER, False),  # it never ends
    Row("a chunk that is longer", chunked(b"3\r\nhello\r\n" + NOTHING), 400, False),
    Row("a chunk that is shorter", chunked(b"5\r\nhel\r\n" + NOTHING), 400, False),
    Row("a chunk that ends in LF", chunked(b"5\r\nhello\n\n" + NOTHING), 400, False),
    Row("a bare LF in an extension", chunked(b"2;\nxx\r\n" + INSIDE_CHUNK + NOTHING), 400, False),
    Row("a broken chunk behind a refused head", chunked(b"zz\r\n", method=b"BREW"), 405, False),
    Row("an extension", chunked(b'5;a="b"\r\nhello\r\n' + NOTHING), 200, keys=K5),
    Row("trailers", chunked(b"5\r\nhello\r\n0\r\nContent-Length: 3\r\nX: y\r\n\r\n"), 200, keys=K5),
    Row("a trailer that is no header", chunked(b"5\r\nhello\r\n0\r\nno colon\r\n\r\n"), 400, False),
    Row("chunks in HTTP/1.0", get(b"/set/k", b"Transfer-Encoding: chunked",
        b"Connection: keep-alive", version=b"HTTP/1.0") + NOTHING, 400, False),
    Row("a folded header", get(b"/set/k", b"X: y", b" z",
        b"Content-Length: 5", method=b"PUT") + b"hello", 200, keys=K5),
    Row("LF as line ends", post(b"/set/k", b"hello").replace(b"\r\n", b"\n"), 200, keys=K5),
    Row("Transfer_Encoding is another header", post(b"/set/k", b"hello", b"Transfer_Encoding: chunked"), 200, keys=K5),
    # -- bodies that nobody asked for
    Row("a request in the body of GET", post(b"/echo/a", INSIDE, method=b"GET"), 200),
    Row("a request in the body of an unknown command", post(b"/nosuch", INSIDE), 400),
    Row("a request in a body that is no JSON", post(b"/pipeline", INSIDE), 400),
    Row("a request in the body of DELETE", post(b"/echo/a", INSIDE, method=b"DELETE"), 405, False),
    Row("a request in a chunk for a bad target", chunked(INSIDE_CHUNK + NOTHING, target=b"/%"), 400, False),
    Row("a request as the value", post(b"/set/k", INSIDE), 200, keys={b"k": INSIDE}),
    Row("a body over the limit, by its length", get(b"/set/k",
        b"Content-Length: 99999999", method=b"POST"), 413, False),
    Row("a body over the limit, in chunks", chunked(b"100001\r\n" + b"x" * 0x100001 + b"\r\n" + NOTHING), 413, False),
    # -- the first line
    *(
        Row(f"a first line of {line.decode('latin-1')[:40]!r}", line + b"\r\n" + HOST + b"\r\n", 400, False)
        for line in (
            b"GET /set/k/v", b"GET", b"GET  /echo/a HTTP/1.1", b"GET /echo/a HTTP/1", b"GET /echo/a http/1.1",
            b"GET /a b HTTP/1.1",
            b"GET /a\x00b HTTP/1.1", b"GET /\xff HTTP/1.1", b"G\xc3\xa9T / HTTP/1.1", b"\x00", b"SET k v", b"*1",
            b"HTTP/1.1 200 OK",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"{}", b"SSH-2.0-x",
        )
    ),
    Row("HTTP/2.0", get(b"/set/k/v", version=b"HTTP/2.0"), 505, False),
    Row("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, False),
    Row("HTTP/0.9, in words of 1.x", get(b"/set/k/v", version=b"HTTP/0.9"), 505, False),
    Row("HTTP/1.0", get(b"/set/k/hello", version=b"HTTP/1.0", host=b""), 200, False, K5),
    Row("RESP", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n", 400, False),
    # -- methods and targets
    *(Row(f"the method {method.decode()}", get(b"/set/k/v", method=method), 405) for method in (b"DELETE", b"PATCH",
    b"TRACE", b"BREW", b"get")),
    Row("OPTIONS", get(b"/set/k/v", method=b"OPTIONS"), 405),
    Row("CONNECT", get(b"127.0.0.1:80", method=b"CONNECT"), 400),
    Row("the absolute form", get(b"http://127.0.0.1/set/k/hello"), 200, keys=K5),
    *(Row(f"the target {target.decode()}", get(target), 400) for target in (b"*", b"127.0.0.1:80", b"echo/a", b"?a",
    b"/", b"//")),
    *(
        Row(f"the escape {escape.decode()}", get(b"/set/k/" + escape), 400)
        for escape in (b"%", b"%1", b"%G1", b"%1G", b"%%", b"%u0041", b"%-1", b"%+1", b"%0x")
    ),
    Row("NUL as an escape", get(b"/set/k/a%00b"), 200, keys={b"k": b"a\x00b"}),
    Row("line ends as escapes", get(b"/set/k/a%0D%0ASET%20inside%201"), 200, keys={b"k": b"a\r\nSET inside 1"}),
    Row("no UTF-8 as escapes", get(b"/set/k/%FF%FE"), 200, keys={b"k": b"\xff\xfe"}),
    Row("an escape escaped", get(b"/set/k/%2541"), 200, keys={b"k": b"%41"}),
    Row("a slash as an escape", get(b"/set/k/a%2Fb"), 200, keys={b"k": b"a/b"}),
    Row("a bad escape in the query", get(b"/echo/a?%G1=1"), 400),
    # -- other headers
    Row("no Host", get(b"/set/k/v", host=b""), 400, False),
    Row("two Hosts", get(b"/set/k/v", b"Host: localhost"), 400, False),
    Row("a page of another site", get(b"/set/k/v", b"Origin: http://evil.example"), 403),
    Row("a page of nowhere", get(b"/set/k/v", b"Origin: null"), 403),
    Row("a form of another site", post(b"/set/k", b"v", b"Sec-Fetch-Site: cross-site"), 403, False),
    Row("a page of a neighbour", get(b"/set/k/v", b"Sec-Fetch-Site: same-site"), 403),
    *(
        Row(f"the host {host.decode()}", get(b"/set/k/v", host=b"Host: " + host + b"\r\n"), 403)
        for host in (b"evil.example", b"127.0.0.1.evil.example", b"127.0.0.1@evil.example", b"a b", b"[::1",
        b"localhost:x")
    ),
    Row("Upgrade", get(b"/echo/a", b"Upgrade: h2c", b"Connection: Upgrade"), 200),
    Row("headers of 200 kB", get(b"/echo/a", b"X: " + b"x" * 200_000), 431, False),
    Row("a target of 200 kB", get(b"/echo/" + b"a" * 200_000), 431, False),
    Row("Connection: close", get(b"/set/k/hello", b"Connection: close"), 200, False, K5),
    # -- JSON
    *(
        Row(f"a body of {body.decode('latin-1')[:30]!r}", post(b"/", body), 400)
        for body in (
            b"[", b"[]", b"{}", b"null", b'"a"', b'["ECHO"', b'["ECHO","a"]x', b'["ECHO","a",]', b"['ECHO','a']",
            b'["ECHO",NaN]',
            b'["ECHO",-Infinity]', b'["ECHO",null]', b'["ECHO",{"a":1,"a":2}]', b'["ECHO",["a"]]', b'["ECHO","\xff"]',
            b'["ECHO","a\x00"]',
            b'["ECHO",01]', b'["ECHO",+1]', b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 50_000,
            b"\xff\xfe[\x00]\x00",
            b'\xef\xbb\xbf["ECHO","a"]', b"[1]", b"   ",
        )
    ),
    Row("a number of 5000 digits", post(b"/", b'["SET","k",%b]' % (b"1" * 5000)), 200, keys={b"k": b"1" * 5000}),
    Row("a number beyond all floats", post(b"/", b'["SET","k",1e999]'), 200, keys={b"k": b"1e999"}),
    Row("half of a surrogate pair", post(b"/", b'["SET","k","\\ud800"]'), 200, keys={b"k": "\ufffd".encode()}),
    Row("NUL in a string", post(b"/", b'["SET","k","\\u0000"]'), 200, keys={b"k": b"\x00"}),
    Row("a pipeline with a row that is none", post(b"/pipeline", b'[["SET","k","v"],1]'), 400),
    Row("a pipeline that is cut off", post(b"/pipeline", b'[["SET","k","v"],["SET"'), 400),
    Row("a transaction with a row that is empty", post(b"/multi-exec", b'[["SET","k","v"],[]]'), 400),
    Row("a transaction with EXEC in it", post(b"/multi-exec", b'[["SET","k","v"],["EXEC"]]'), 400),
]  # fmt: skip


class Door:
    """One server, with its two doors."""

    def __init__(self, server: RespcacheServer) -> None:
        self.server = server
        self.port = urlsplit(server.rest_url).port
        self.resp = Connection(server.port)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def clients(self) -> int:
        return int(re.findall(rb"connected_clients:(\d+)", self.resp.call("INFO", "clients"))[0])

    def keys(self) -> dict[bytes, bytes]:
        """All there are; they are removed."""
        keys = self.resp.call("KEYS", "*")
        found = {key: self.resp.call("GET", key) for key in keys}
        self.resp.call("FLUSHALL")
        return found


@pytest.fixture(scope="module", params=[1, 3], ids=["1-shard", "3-shards"])
def door(request: pytest.FixtureRequest) -> Iterator[Door]:
    limits = ("--proto-max-bulk-len", "1mb", "--client-output-buffer-limit", "pubsub 1mb 0 0")
    server = RespcacheServer(*limits, shards=request.param, http=True)
    try:
        door = Door(server)
        yield door
        door.resp.close()
        assert "Traceback" not in server.output()
    finally:
        server.stop()


@pytest.fixture
def connect(door: Door) -> Iterator[Callable[[], socket.socket]]:
    """Connections that are closed after the test; then nobody may be left."""
    before, opened = door.clients(), []

    def connect() -> socket.socket:
        opened.append(door.connect())
        return opened[-1]

    yield connect
    for sock in opened:
        sock.close()
    assert eventually(lambda: door.clients() == before)


def answers(sock: socket.socket) -> list[tuple[int, bytes]]:
    """Status and body of every answer until the server closes."""
    with sock.makefile("rb") as file:
        found = []
        while line := file.readline():
            status = re.fullmatch(rb"HTTP/1\.1 (\d{3}) [\w ]+\r\n", line)
            assert status is not None, line
            headers = dict(header.rstrip(b"\r\n").lower().split(b": ", 1) for header in iter(file.readline, b"\r\n"))
            if status[1] != b"100":
                found.append((int(status[1]), file.read(int(headers[b"content-length"]))))
        return found


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_request(door: Door, connect: Callable[[], socket.socket], row: Row) -> None:
    sock = connect()
    sock.sendall(row.request + BEHIND)
    sock.shutdown(socket.SHUT_WR)
    found = answers(sock)
    wanted = [*([row.status] if row.status else []), *([200] if row.goes_on else [])]
    assert [status for status, _ in found] == wanted, found
    if row.status not in (200, NO_ANSWER):
        assert re.match(rb'{"error": ?"\w+', found[0][1])
    assert door.keys() == {**row.keys, **({b"behind": b"1"} if row.goes_on else {})}


@pytest.mark.parametrize(
    ("target", "status"), [(b"/%G1", 400), (b"*", 400), (b"/nosuch", 400), (b"/pipeline", 405), (b"/get/nothing", 200)]
)
def test_head(door: Door, connect: Callable[[], socket.socket], target: bytes, status: int) -> None:
    """Refused or not, the answer has no body: what follows is the next answer."""
    sock = connect()
    sock.sendall(get(target, method=b"HEAD") + get(b"/echo/a"))
    sock.shutdown(socket.SHUT_WR)
    first, second = re.split(rb"(?<=\r\n\r\n)(?=HTTP)", sock.makefile("rb").read())
    assert first.startswith(b"HTTP/1.1 %d " % status)
    assert second.endswith(b'\r\n\r\n{"result":"a"}')


def test_requests_cut_off_anywhere(door: Door, connect: Callable[[], socket.socket]) -> None:
    """The whole one is answered; the one that is cut off is not carried out."""
    request = post(b"/set/k", b"hello")
    for cut in range(1, len(request)):
        sock = connect()
        sock.sendall(get(b"/echo/a") + request[:cut])
        sock.shutdown(socket.SHUT_WR)
        assert [status for status, _ in answers(sock)][:1] == [200]
    assert door.keys() == {}


def test_byte_by_byte(door: Door, connect: Callable[[], socket.socket]) -> None:
    sock = connect()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in post(b"/set/k", b"hello") + chunked(b"3\r\nabc\r\n" + NOTHING, target=b"/append/k"):
        sock.sendall(bytes([byte]))
    sock.shutdown(socket.SHUT_WR)
    assert answers(sock) == [(200, b'{"result":"OK"}'), (200, b'{"result":8}')]
    assert door.keys() == {b"k": b"helloabc"}


def test_pipelined(door: Door, connect: Callable[[], socket.socket]) -> None:
    """Each is answered, in order, whether main or a shard answers it, also those refused."""
    requests = [
        get(b"/incr/k"),
        get(b"/echo/a"),
        get(b"/%G1"),
        post(b"/pipeline", b"["),
        get(b"/incr/k", method=b"BREW"),
    ]
    sock = connect()
    sock.sendall(b"".join(requests * 200))
    sock.shutdown(socket.SHUT_WR)
    assert [status for status, _ in answers(sock)] == [200, 200, 400, 400, 405] * 200
    assert door.keys() == {b"k": b"200"}


@pytest.mark.parametrize(
    "start",
    [
        b"G",
        get(b"/echo/a")[:-2],
        get(b"/set/k", b"Content-Length: 9", method=b"POST") + b"hello",
        chunked(b"5\r\nhel"),
        chunked(b""),
    ],
    ids=["a method", "a head", "a body", "a chunk", "no chunk"],
)
def test_incomplete_requests_have_a_time(door: Door, connect: Callable[[], socket.socket], start: bytes) -> None:
    sock = connect()
    sock.sendall(get(b"/echo/a") + start)
    assert sock.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
    assert eventually(lambda: door.resp.call("DEBUG", "ADVANCE-CLOCK", 61_000) == "OK")
    assert [status for status, _ in answers(sock)] == [408]
    assert door.keys() == {}


def test_a_refused_request_is_in_time(door: Door, connect: Callable[[], socket.socket]) -> None:
    """A head that came in two pieces and was refused: nobody waits for it any longer."""
    sock = connect()
    head = get(b"/echo/a", method=b"BREW")
    sock.sendall(head[:5])
    door.resp.call("PING")
    sock.sendall(head[5:])
    assert sock.recv(1 << 16).startswith(b"HTTP/1.1 405 ")
    door.resp.call("DEBUG", "ADVANCE-CLOCK", 61_000)
    sock.sendall(get(b"/echo/a"))
    sock.shutdown(socket.SHUT_WR)
    assert [status for status, _ in answers(sock)] == [200]


def test_a_body_that_waits_to_be_asked_for(door: Door, connect: Callable[[], socket.socket]) -> None:
    sock = connect()
    request = post(b"/set/k", b"hello", b"Expect: 100-continue")
    sock.sendall(request[:-5])
    assert sock.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n"
    sock.sendall(request[-5:])
    sock.shutdown(socket.SHUT_WR)
    assert answers(sock) == [(200, b'{"result":"OK"}')]
    assert door.keys() == K5


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize(
    "request_",
    [
        get(b"/blpop/l/0"),
        get(b"/subscribe/ch"),
        get(b"/psubscribe/*"),
        post(b"/pipeline", b'[["BLPOP","l",0],["SET","k","v"]]'),
    ],
)
def test_clients_that_vanish_while_they_wait(
    door: Door, connect: Callable[[], socket.socket], request_: bytes, reset: bool
) -> None:
    """They are gone at once, whatever they have sent behind their request, and nothing of it is carried out."""
    before = door.clients()
    socks = [connect() for _ in range(3)]
    for sock in socks:
        sock.sendall(request_)
    assert eventually(lambda: _waiting(door) == 3)
    for number, sock in enumerate(socks):
        sock.sendall(BEHIND * number * (1000 if b"scribe" in request_ else 1))
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    assert eventually(lambda: door.clients() == before)
    assert door.keys() == {}


def _waiting(door: Door) -> int:
    listed = door.resp.call("CLIENT", "LIST").decode()
    blocked = int(re.findall(rb"blocked_clients:(\d+)", door.resp.call("INFO", "clients"))[0])
    return blocked + len(re.findall(r" sub=1 | psub=1 ", listed))


def test_a_subscriber_that_never_reads_is_cut_off(door: Door, connect: Callable[[], socket.socket]) -> None:
    before = door.clients()
    sock = connect()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.sendall(get(b"/subscribe/ch", b"Accept: text/event-stream"))
    assert eventually(lambda: _waiting(door) == 1)
    message = b"m" * 100_000
    published = 0
    while door.resp.call("PUBLISH", "ch", message):
        published += len(message)
        assert published < 50 << 20
    assert eventually(lambda: door.clients() == before)


def test_requests_that_nobody_reads_the_answers_of(door: Door, connect: Callable[[], socket.socket]) -> None:
    """No more of them is read than can be answered; the client waits, and the others are served."""
    sock = connect()
    sock.setblocking(False)
    requests = post(b"/", b'["ECHO","%b"]' % (b"v" * 20_000)) * 50
    sent = 0
    while True:
        try:
            sent += sock.send(requests[sent % len(requests) :])
        except BlockingIOError:
            if not _goes_on(door, sock):
                break
        assert sent < 50 << 20
    assert door.resp.call("ECHO", "a") == b"a"
    assert int(re.findall(r" qbuf=(\d+) .* cmd=echo", door.resp.call("CLIENT", "LIST").decode())[0]) < (1 << 20)


def _goes_on(door: Door, sock: socket.socket) -> bool:
    """True if there is room to send before the server has done a hundred other commands."""
    for _ in range(100):
        door.resp.call("PING")
        if select.select([], [sock], [], 0.005)[1]:
            return True
    return False


def test_http_on_the_resp_port(door: Door) -> None:
    """What a page may make a browser send there: it is no RESP, and closed before a body is looked at."""
    for request in (post(b"/", b"SET k v\r\n"), get(b"/set/k/v"), chunked(b"9\r\nSET k v\r\n\r\n" + NOTHING)):
        with socket.create_connection(("127.0.0.1", door.server.port), timeout=10) as sock:
            sock.sendall(request)
            try:
                while sock.recv(1 << 16):
                    pass
            except ConnectionResetError:
                pass
    assert door.keys() == {}
