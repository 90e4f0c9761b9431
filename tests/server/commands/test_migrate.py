"""MIGRATE: to respcache and to a genuine server, from both, and to servers that do not behave."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from threading import Event, Thread

import pytest

from tests.conftest import REFERENCE
from tests.support.processes import ReferenceServer, RespcacheServer, StartedServer
from tests.support.resp import Connection
from tests.support.transcript import Transcript

HOST = "127.0.0.1"
READING = "IOERR error or timeout reading to target instance"
WRITING = "IOERR error or timeout writing to target instance"
CONNECTING = "IOERR error or timeout connecting to the client"
SYNTAX = "ERR syntax error"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"


@pytest.fixture(scope="module", params=["respcache", "genuine"])
def target_server(request: pytest.FixtureRequest) -> Iterator[StartedServer]:
    if request.param == "genuine" and REFERENCE is None:
        pytest.skip(reason="no genuine redis-server found ($RESPCACHE_REFERENCE, or on the PATH)")
    server = RespcacheServer(shards=2) if request.param == "respcache" else ReferenceServer(REFERENCE)
    yield server
    server.stop()


@pytest.fixture
def target(target_server: StartedServer) -> Iterator[Connection]:
    """A client of the other server, which is empty."""
    connection = Connection(target_server.port)
    connection.call("FLUSHALL")
    connection.call("CONFIG", "SET", "requirepass", "")
    yield connection
    connection.call("CONFIG", "SET", "requirepass", "")
    connection.close()


@pytest.fixture
def port(target_server: StartedServer, target: Connection) -> int:
    return target_server.port


# -- another server


def test_one_key(do: Transcript, target: Connection, port: int) -> None:
    do("SET", "k", "v")
    assert do("MIGRATE", HOST, port, "k", 0, 5000) == "OK"
    assert do("EXISTS", "k") == 0
    assert target.call("GET", "k") == b"v"
    assert target.call("PTTL", "k") == -1
    assert do("MIGRATE", HOST, port, "k", 0, 5000) == "NOKEY"


def test_every_type(do: Transcript, target: Connection, port: int) -> None:
    do("SET", "string", "12")
    do("APPEND", "string", "x" * 100)
    do("RPUSH", "list", "1", "a", "x" * 100)
    do("SADD", "set", "1", "a")
    do("ZADD", "zset", 1.5, "m")
    do("HSET", "hash", "f", "v")
    do("XADD", "stream", "1-1", "f", "v")
    do("XGROUP", "CREATE", "stream", "g", "0")
    do("PFADD", "hll", "1", "2")
    keys = ("string", "list", "set", "zset", "hash", "stream", "hll")
    assert do("MIGRATE", HOST, port, "", 0, 5000, "KEYS", *keys, "none") == "OK"
    assert do("EXISTS", *keys) == 0
    assert target.call("GET", "string") == b"12" + b"x" * 100
    assert target.call("LRANGE", "list", 0, -1) == [b"1", b"a", b"x" * 100]
    assert sorted(target.call("SMEMBERS", "set")) == [b"1", b"a"]
    assert target.call("ZRANGE", "zset", 0, -1, "WITHSCORES") == [b"m", b"1.5"]
    assert target.call("HGETALL", "hash") == [b"f", b"v"]
    assert target.call("XREADGROUP", "GROUP", "g", "c", "STREAMS", "stream", ">") == [
        [b"stream", [[b"1-1", [b"f", b"v"]]]]
    ]
    assert target.call("PFCOUNT", "hll") == 2


def test_the_ttl_goes_along(do: Transcript, target: Connection, port: int) -> None:
    do("SET", "k", "v", "PX", 500_000)
    do("MIGRATE", HOST, port, "k", 0, 5000)
    assert 400_000 < target.call("PTTL", "k") <= 500_000


@pytest.mark.respcache_only(reason="lets time pass")
def test_what_has_expired_is_no_key(do: Transcript, target: Connection, port: int) -> None:
    do("SET", "k", "v", "PX", 100)
    do("SET", "other", "v")
    do.advance(101)
    assert do("MIGRATE", HOST, port, "", 0, 5000, "KEYS", "k") == "NOKEY"
    assert do("MIGRATE", HOST, port, "", 0, 5000, "KEYS", "k", "other") == "OK"
    assert target.call("KEYS", "*") == [b"other"]


def test_another_database(do: Transcript, target: Connection, port: int) -> None:
    do("SELECT", 1)
    do("SET", "k", "v")
    assert do("MIGRATE", HOST, port, "k", 3, 5000) == "OK"
    assert do("EXISTS", "k") == 0
    target.call("SELECT", 3)
    assert target.call("GET", "k") == b"v"
    target.call("SELECT", 0)


def test_copy_and_replace(do: Transcript, target: Connection, port: int) -> None:
    do("SET", "k", "v")
    assert do("MIGRATE", HOST, port, "k", 0, 5000, "COPY") == "OK"
    assert do("GET", "k") == b"v"
    busy = "ERR Target instance replied with error: BUSYKEY Target key name already exists."
    assert do.error("MIGRATE", HOST, port, "k", 0, 5000) == busy
    assert do("GET", "k") == b"v"
    do("SET", "k", "new")
    assert do("MIGRATE", HOST, port, "k", 0, 5000, "copy", "replace") == "OK"
    assert target.call("GET", "k") == b"new"
    do("SET", "k", "newer")
    assert do("MIGRATE", HOST, port, "k", 0, 5000, "REPLACE") == "OK"
    assert target.call("GET", "k") == b"newer"
    assert do("EXISTS", "k") == 0


def test_what_is_refused_stays_and_the_others_go(do: Transcript, target: Connection, port: int) -> None:
    do("MSET", "a", "1", "b", "2", "c", "3")
    target.call("SET", "b", "theirs")
    busy = "ERR Target instance replied with error: BUSYKEY Target key name already exists."
    assert do.error("MIGRATE", HOST, port, "", 0, 5000, "KEYS", "a", "b", "c") == busy
    assert do("MGET", "a", "b", "c") == [None, b"2", None]
    assert target.call("MGET", "a", "b", "c") == [b"1", b"theirs", b"3"]


def test_a_key_that_is_named_twice(do: Transcript, target: Connection, port: int) -> None:
    do("SET", "a", "1")
    assert do("MIGRATE", HOST, port, "", 0, 5000, "REPLACE", "KEYS", "a", "a") == "OK"
    assert do("EXISTS", "a") == 0
    assert target.call("GET", "a") == b"1"


def test_many_keys(do: Transcript, target: Connection, port: int) -> None:
    """More than are sent at once, by number and by size."""
    small = [f"small:{number}" for number in range(2500)]
    large = [f"large:{number}" for number in range(8)]
    for key in small:
        do.connection.send("SET", key, key)
    for key in large:
        do.connection.send("SET", key, key * 200_000)
    assert [do.connection.read() for _ in small + large] == ["OK"] * (len(small) + len(large))
    keys = small[:1000] + large[:4] + small[1000:] + large[4:]
    assert do("MIGRATE", HOST, port, "", 0, 5000, "KEYS", *keys) == "OK"
    assert do("DBSIZE") == 0
    assert target.call("DBSIZE") == len(keys)
    assert target.call("MGET", *small) == [key.encode() for key in small]
    assert target.call("MGET", *large) == [(key * 200_000).encode() for key in large]


def test_login(do: Transcript, target: Connection, port: int) -> None:
    do("SET", "k", "v")
    refused = "ERR Target instance replied with error: "
    assert do.error("MIGRATE", HOST, port, "k", 0, 5000, "AUTH", "x").startswith(refused + "ERR AUTH <password> called")
    target.call("DEL", "k")  # Redis has sent it all the same
    target.call("CONFIG", "SET", "requirepass", "secret")
    assert do.error("MIGRATE", HOST, port, "k", 0, 5000, "AUTH", "wrong").startswith(refused + "WRONGPASS ")
    assert do.error("MIGRATE", HOST, port, "k", 0, 5000, "AUTH2", "none", "secret").startswith(refused + "WRONGPASS ")
    assert do("GET", "k") == b"v"
    target.call("DEL", "k")  # as above
    assert do("MIGRATE", HOST, port, "k", 0, 5000, "COPY", "AUTH", "secret") == "OK"
    assert do("MIGRATE", HOST, port, "k", 0, 5000, "AUTH2", "default", "secret", "REPLACE") == "OK"
    assert target.call("GET", "k") == b"v"


@pytest.mark.respcache_only(reason="Redis goes on with a connection that is logged in already")
def test_no_login(do: Transcript, target: Connection, port: int) -> None:
    do("SET", "k", "v")
    target.call("CONFIG", "SET", "requirepass", "secret")
    refused = "ERR Target instance replied with error: NOAUTH "
    assert do.error("MIGRATE", HOST, port, "k", 0, 5000).startswith(refused)
    assert do("GET", "k") == b"v"


def test_a_database_that_is_not_there(do: Transcript, target: Connection, port: int) -> None:
    do("SET", "k", "v")
    error = do.error("MIGRATE", HOST, port, "k", 99, 5000)
    assert error == "ERR Target instance replied with error: ERR DB index is out of range"
    assert do("GET", "k") == b"v"


@pytest.mark.respcache_only(reason="Redis sends its keys before it knows whether they go where they should")
def test_after_a_refusal_nothing_is_sent(do: Transcript, target: Connection, port: int) -> None:
    do("SET", "k", "v")
    do.error("MIGRATE", HOST, port, "k", 99, 5000)
    do.error("MIGRATE", HOST, port, "k", 0, 5000, "AUTH", "x")
    assert target.call("EXISTS", "k") == 0


def test_events_and_watches(do: Transcript, connect: Callable[..., Connection], target: Connection, port: int) -> None:
    do("CONFIG", "SET", "notify-keyspace-events", "EA")
    listener = connect()
    listener.call("PSUBSCRIBE", "__keyevent@0__:*")
    do("MSET", "a", "1", "b", "2")
    do("WATCH", "a")
    assert connect().call("MIGRATE", HOST, port, "a", 0, 5000) == "OK"
    assert do.transaction(("PING",)) is None
    do("MIGRATE", HOST, port, "b", 0, 5000, "COPY")
    do("WATCH", "b")
    do.error("MIGRATE", HOST, port, "b", 0, 5000)
    assert do.transaction(("PING",)) == ["PONG"]
    do("DEL", "b")
    events = [listener.read() for _ in range(4)]
    assert sorted((event[2], event[3]) for event in events[:2]) == [
        (b"__keyevent@0__:set", b"a"),
        (b"__keyevent@0__:set", b"b"),
    ]
    assert [(event[2], event[3]) for event in events[2:]] == [
        (b"__keyevent@0__:del", b"a"),
        (b"__keyevent@0__:del", b"b"),
    ]


def test_within_a_transaction(do: Transcript, target: Connection, port: int) -> None:
    move = ("MIGRATE", HOST, port, "", 0, 5000, "KEYS", "a", "b")
    assert do.transaction(("MSET", "a", "1", "b", "2"), move, ("EXISTS", "a", "b"), move) == ["OK", "OK", 0, "NOKEY"]
    assert target.call("MGET", "a", "b") == [b"1", b"2"]
    do("SET", "c", "3")
    assert do.transaction(("MIGRATE", HOST, port, "c", 0, 5000), ("GET", "c")) == ["OK", None]


def test_within_a_script(do: Transcript, target: Connection, port: int) -> None:
    do("MSET", "a", "1", "b", "2")
    script = (
        "local reply = redis.call('MIGRATE', ARGV[1], ARGV[2], '', 0, 5000, 'KEYS', KEYS[1], KEYS[2]); "
        "return {reply, redis.call('EXISTS', KEYS[1])}"
    )
    assert do("EVAL", script, 2, "a", "b", HOST, port) == ["OK", 0]
    assert target.call("MGET", "a", "b") == [b"1", b"2"]


def test_from_the_other_server_back(do: Transcript, server: StartedServer, target: Connection) -> None:
    target.call("RPUSH", "l", "a", "b")
    target.call("SET", "k", "v", "PX", 100_000)
    assert target.call("MIGRATE", HOST, server.port, "", 0, 5000, "KEYS", "l", "k") == "OK"
    assert target.call("DBSIZE") == 0
    assert do("LRANGE", "l", 0, -1) == [b"a", b"b"]
    assert 0 < do("PTTL", "k") <= 100_000


def test_its_keys(do: Transcript) -> None:
    def keys_of(*words: object) -> object:
        return do("COMMAND", "GETKEYS", "MIGRATE", "host", "port", *words)

    assert keys_of("k", 0, 1, "COPY") == [b"k"]
    assert keys_of("", 0, 1, "COPY", "KEYS", "a", "b") == [b"a", b"b"]
    assert keys_of("", 0, 1, "AUTH2", "KEYS", "KEYS", "KEYS", "a") == [b"a"]
    assert keys_of("", 0, 1, "AUTH", "KEYS") == [b""]
    for words in (("k", 0, 1), ("", 0, 1, "KEYS", "k")):
        ((key, flags),) = do("COMMAND", "GETKEYSANDFLAGS", "MIGRATE", "host", "port", *words)
        assert (key, sorted(flags)) == (b"k", ["RW", "access", "delete"])


# -- errors before anything is sent


def test_no_key_is_found_before_anything_else(do: Transcript, free_port: int) -> None:
    assert do("MIGRATE", HOST, free_port, "none", 0, 10) == "NOKEY"
    assert do("MIGRATE", "no such host", "nonsense", "", -1, -1, "KEYS", "none", "neither") == "NOKEY"
    assert do("MIGRATE", HOST, free_port, "", 0, 10) == "NOKEY"
    assert do("MIGRATE", HOST, free_port, "", 0, 10, "KEYS") == "NOKEY"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("k", "x", "10"), NOT_AN_INTEGER),
        (("k", "0", "x"), NOT_AN_INTEGER),
        (("k", "0", "10", "NONSENSE"), SYNTAX),
        (("k", "x", "10", "NONSENSE"), SYNTAX),
        (("k", "0", "10", "AUTH"), SYNTAX),
        (("k", "0", "10", "AUTH2"), SYNTAX),
        (("k", "0", "10", "AUTH2", "user"), SYNTAX),
        (
            ("k", "0", "x", "COPY", "KEYS", "k"),
            "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
        ),
        (("k", "0"), "ERR wrong number of arguments for 'migrate' command"),
    ],
)
def test_errors(do: Transcript, free_port: int, words: tuple[str, ...], error: str) -> None:
    do("SET", "k", "v")
    assert do.error("MIGRATE", HOST, free_port, *words) == error
    assert do("GET", "k") == b"v"


@pytest.mark.parametrize(
    ("port", "error"),
    [
        ("0", WRITING),
        ("-1", CONNECTING),
        ("65536", WRITING),
        ("nonsense", WRITING),
        ("", WRITING),
        ("9" * 30, CONNECTING),
    ],
)
def test_no_port(do: Transcript, port: str, error: str) -> None:
    do("SET", "k", "v")
    assert do.error("MIGRATE", HOST, port, "k", 0, 100) == error
    assert do("GET", "k") == b"v"


def test_nobody_listens(do: Transcript, free_port: int) -> None:
    do("SET", "k", "v")
    assert do.error("MIGRATE", HOST, free_port, "k", 0, 1000) == WRITING
    assert do("GET", "k") == b"v"


@pytest.mark.respcache_only(reason="resolving names is left to the system there, too, but not before the timeout")
@pytest.mark.parametrize("host", ["", "\0", b"\xff", "a" * 300, ".."])
def test_no_host(do: Transcript, free_port: int, host: str | bytes) -> None:
    do("SET", "k", "v")
    assert do.error("MIGRATE", host, free_port, "k", 0, 1000) == CONNECTING
    assert do("GET", "k") == b"v"


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])


# -- servers that do not behave


class FakeTarget:
    """Answers the commands of each connection with `replies`, one by one; then it hangs, or hangs up.

    reads: False if it does not even read.
    """

    def __init__(self, *replies: bytes, hangs_up: bool = False, reads: bool = True) -> None:
        self.commands: list[bytes] = []  # their names
        self.asked = Event()  # it was sent more than it has replies for
        self._replies = replies
        self._hangs_up = hangs_up
        self._reads = reads
        self._open = ExitStack()
        self._server = self._open.enter_context(socket.create_server((HOST, 0)))
        self.port = int(self._server.getsockname()[1])
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self._open.enter_context(client)
                Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        if not self._reads:
            return
        with suppress(OSError, ValueError):
            stream = client.makefile("rb")
            for reply in self._replies:
                self.commands.append(_command(stream)[0])
                client.sendall(reply)
            self.commands.append(_command(stream)[0])
            self.asked.set()
            if self._hangs_up:
                client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        # Closing alone does not wake up who accepts.
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._open.close()
        self._thread.join(5)


def _command(stream: object) -> list[bytes]:
    """The next command. Raises ValueError at the end of the stream."""
    count = int(stream.readline()[1:])  # type: ignore[attr-defined]  # a file
    words = []
    for _ in range(count):
        size = int(stream.readline()[1:])  # type: ignore[attr-defined]  # as above
        words.append(stream.read(size + 2)[:-2])  # type: ignore[attr-defined]  # as above
    return words


@pytest.fixture
def fake() -> Iterator[Callable[..., FakeTarget]]:
    """Makes servers that do not behave."""
    with ExitStack() as stack:

        def make(*replies: bytes, hangs_up: bool = False, reads: bool = True) -> FakeTarget:
            target = FakeTarget(*replies, hangs_up=hangs_up, reads=reads)
            stack.callback(target.close)
            return target

        yield make


@pytest.mark.parametrize("hangs_up", [False, True])
@pytest.mark.parametrize("replies", [(), (b"+OK\r\n",), (b"+O",), (b"+OK\r\n", b"+O")])
def test_no_answer(do: Transcript, fake: Callable[..., FakeTarget], replies: tuple[bytes, ...], hangs_up: bool) -> None:
    target = fake(*replies, hangs_up=hangs_up)
    do("SET", "k", "v")
    assert do.error("MIGRATE", HOST, target.port, "k", 0, 100) == READING
    assert do("GET", "k") == b"v"


@pytest.mark.parametrize("hangs_up", [False, True])
def test_what_was_confirmed_is_gone_even_if_the_rest_fails(
    do: Transcript, fake: Callable[..., FakeTarget], hangs_up: bool
) -> None:
    target = fake(b"+OK\r\n", b"+OK\r\n", b"-ERR no\r\n", b"+OK\r\n", hangs_up=hangs_up)
    do("MSET", "a", "1", "b", "2", "c", "3", "d", "4")
    error = do.error("MIGRATE", HOST, target.port, "", 0, 100, "KEYS", "a", "b", "c", "d")
    assert error == "ERR Target instance replied with error: ERR no"
    assert do("MGET", "a", "b", "c", "d") == [None, b"2", None, b"4"]

    target = fake(b"+OK\r\n", b"+OK\r\n", hangs_up=hangs_up)
    do("MSET", "a", "1", "b", "2")
    assert do.error("MIGRATE", HOST, target.port, "", 0, 100, "KEYS", "a", "b") == READING
    assert do("MGET", "a", "b") == [None, b"2"]


@pytest.mark.respcache_only(reason="Redis takes any line that is no error for a success, and removes the key")
@pytest.mark.parametrize(
    "reply", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\r\n", b"\n\n", b":1\r\n", b"$-1\r\n", b"x" * 200_000, b"\0" * 100]
)
def test_rubbish(do: Transcript, fake: Callable[..., FakeTarget], reply: bytes) -> None:
    do("SET", "k", "v")
    for replies in ((reply,), (b"+OK\r\n", reply)):
        assert do.error("MIGRATE", HOST, fake(*replies).port, "k", 0, 200) == READING
        assert do("GET", "k") == b"v"


def test_an_error_with_strange_bytes(do: Transcript, fake: Callable[..., FakeTarget]) -> None:
    do("SET", "k", "v")
    target = fake(b"+OK\r\n", b"-ERR what\tis this\r\n")
    assert do.error("MIGRATE", HOST, target.port, "k", 0, 200) == (
        "ERR Target instance replied with error: ERR what\tis this"
    )


@pytest.mark.respcache_only(reason="Redis sends the command that selects the database along with the keys")
def test_one_that_does_not_read(do: Transcript, fake: Callable[..., FakeTarget]) -> None:
    do("SET", "k", "v")
    assert do.error("MIGRATE", HOST, fake(reads=False).port, "k", 0, 100) == READING
    do("SET", "k", "x" * 50_000_000)
    do("CONFIG", "SET", "rdbcompression", "no")
    assert do.error("MIGRATE", HOST, fake(b"+OK\r\n").port, "k", 0, 300) in (READING, WRITING)
    assert do("STRLEN", "k") == 50_000_000


@pytest.mark.respcache_only(reason="the whole of Redis stands still")
def test_others_go_on_meanwhile(
    do: Transcript, connect: Callable[..., Connection], fake: Callable[..., FakeTarget], server: StartedServer
) -> None:
    """Only keys on the same shards wait, and see the key again."""
    target = fake(b"+OK\r\n")
    do("MSET", "a", "1", "b", "2")  # on three shards, these are on different ones
    do.connection.send("MIGRATE", HOST, target.port, "a", 0, 1500)
    assert target.asked.wait(10)
    other, waiting = connect(), connect()
    waiting.send("GET", "a")
    assert other.call("PING") == "PONG"
    if getattr(server, "shards", 1) > 1:
        assert other.call("INCR", "b") == 3
    assert waiting.read() == b"1"
    error = do.connection.read()
    assert str(error) == READING


@pytest.mark.respcache_only(reason="the whole of Redis stands still, for as long as it waits for itself")
def test_to_oneself(do: Transcript, server: StartedServer) -> None:
    """The keys stand still, so they cannot arrive; they are stored afterwards, as everybody else's commands are."""
    do("SET", "k", "v")
    assert do.error("MIGRATE", HOST, server.port, "k", 1, 200) == READING
    assert do("GET", "k") == b"v"
    assert do("PING") == "PONG"


@pytest.mark.parametrize("shards", [1, 3])
def test_the_server_can_be_stopped_meanwhile(fake: Callable[..., FakeTarget], shards: int) -> None:
    server = RespcacheServer(shards=shards)
    target = fake(b"+OK\r\n")
    connection = Connection(server.port)
    connection.call("SET", "k", "v")
    connection.send("MIGRATE", HOST, target.port, "k", 0, 1_000_000)
    assert target.asked.wait(10)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 8
    assert server.process.returncode == 0
    connection.close()
