"""Raw bytes in and out, over real sockets: for clients that break the protocol, or use all of it.

The same tests are run against a genuine server.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from random import Random

import pytest

from tests.conftest import REFERENCE
from tests.support.processes import ReferenceServer, StartedServer
from tests.support.resp import Closed, Connection, ReplyError, pack

END = b"--end of this test--"
END_REPLY = b"$%d\r\n%b\r\n" % (len(END), END)

Connect = Callable[..., Connection]

# Request -> reply. The connection still works afterwards.
ANSWERED = {
    "array": (b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
    "lower case": (b"*1\r\n$4\r\nping\r\n", b"+PONG\r\n"),
    "inline": (b"PING\r\n", b"+PONG\r\n"),
    "inline, bare newline": (b"PING\n", b"+PONG\r\n"),
    "inline, carriage returns": (b"PING\r\r\n", b"+PONG\r\n"),
    "inline with blanks": (b"  PING  \r\n", b"+PONG\r\n"),
    "empty lines": (b"\r\n\n   \r\nPING\r\n", b"+PONG\r\n"),
    "no words": (b"*0\r\n*-1\r\n*-7\r\nPING\r\n", b"+PONG\r\n"),
    "double quotes": (b'ECHO "a \\"b\\x41\\n"\r\n', b'$6\r\na "bA\n\r\n'),
    "single quotes": (b"ECHO 'a\\'\\n'\r\n", b"$4\r\na'\\n\r\n"),
    "quotes inside a word": (b'ECHO a"b"\r\n', b"$2\r\nab\r\n"),
    "empty quotes": (b'ECHO ""\r\n', b"$0\r\n\r\n"),
    "odd blanks": (b"ECHO \v\fa\vb\r\n", b"$3\r\na\vb\r\n"),
    "bytes above 127": (b"ECHO \xff\r\n", b"$1\r\n\xff\r\n"),
    "sloppy ends of words": (b"*1\r\n$4\r\nPINGXY*1\r\n$4\r\nPING\r\n", b"+PONG\r\n+PONG\r\n"),
    "sloppy headers": (b"*1\rX$4\rYPING\r\n", b"+PONG\r\n"),
    "binary": (b"*2\r\n$4\r\nECHO\r\n$6\r\n\0\r\n$\xff*\r\n", b"$6\r\n\0\r\n$\xff*\r\n"),
    "pipeline of all forms": (
        b"PING\r\n*2\r\n$4\r\nECHO\r\n$1\r\na\r\n\r\nECHO b\n*2\r\n$4\r\nPING\r\n$1\r\nc\r\n",
        b"+PONG\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n",
    ),
    "no such command": (b"NONE a b\r\n", b"-ERR unknown command 'NONE', with args beginning with: 'a' 'b' \r\n"),
    "no name": (b'"" a\r\n', b"-ERR unknown command '', with args beginning with: 'a' \r\n"),
    "type of RESP3": (b"%1\r\n", b"-ERR unknown command '%1', with args beginning with: \r\n"),
    "map between arrays": (
        b"*0\r\n%1\r\n$4\r\nPING\r\n*-1\r\n",
        b"-ERR unknown command '%1', with args beginning with: \r\n"
        b"-ERR unknown command '$4', with args beginning with: \r\n+PONG\r\n",
    ),
    "name with a zero byte": (pack((b"PI\0G",)), b"-ERR unknown command 'PI', with args beginning with: \r\n"),
    "name with a line break": (pack((b"A\r\nB",)), b"-ERR unknown command 'A  B', with args beginning with: \r\n"),
    "long name": (b"N" * 200 + b"\r\n", b"-ERR unknown command '%b', with args beginning with: \r\n" % (b"N" * 128)),
    "long arguments": (
        b"NONE %b b c\r\n" % (b"a" * 126),
        b"-ERR unknown command 'NONE', with args beginning with: '%b' \r\n" % (b"a" * 126),
    ),
    "wrong arity": (b"ECHO\r\n", b"-ERR wrong number of arguments for 'echo' command\r\n"),
    "wrong arity of a subcommand": (
        b"client getname x\r\n",
        b"-ERR wrong number of arguments for 'client|getname' command\r\n",
    ),
    "no such subcommand": (b"CLIENT none\r\n", b"-ERR unknown subcommand 'none'. Try CLIENT HELP.\r\n"),
}

# Request -> the error before the server hangs up.
HUNG_UP_ON = {
    "count is not a number": (b"*a\r\n", b"invalid multibulk length"),
    "count is missing": (b"*\r\n", b"invalid multibulk length"),
    "count has a sign": (b"*+1\r\n", b"invalid multibulk length"),
    "count too large": (b"*2147483648\r\n", b"invalid multibulk length"),
    "count below 64 bits": (b"*-9223372036854775809\r\n", b"invalid multibulk length"),
    "count of 20 digits": (b"*99999999999999999999\r\n", b"invalid multibulk length"),
    "length is not a number": (b"*1\r\n$a\r\n", b"invalid bulk length"),
    "length is negative": (b"*1\r\n$-1\r\n", b"invalid bulk length"),
    "length too large": (b"*1\r\n$536870913\r\n", b"invalid bulk length"),
    "number instead of a word": (b"*1\r\n:4\r\n", b"expected '$', got ':'"),
    "status instead of a word": (b"*1\r\n+PING\r\n", b"expected '$', got '+'"),
    "large push instead of a word": (b"*1\r\n>9999999\r\n", b"expected '$', got '>'"),
    "large arrays in arrays": (b"*1\r\n" + b"*99999\r\n" * 500, b"expected '$', got '*'"),
    "byte above 127 instead of a word": (b"*1\r\n\xff\r\n", b"expected '$', got '\xff'"),
    "line break instead of a word": (b"*1\r\n\r\n", b"expected '$', got ' '"),
    "unclosed double quotes": (b'ECHO "a\r\n', b"unbalanced quotes in request"),
    "unclosed single quotes": (b"ECHO 'a\r\n", b"unbalanced quotes in request"),
    "text after quotes": (b'ECHO "a"b\r\n', b"unbalanced quotes in request"),
    "line too long": (b"x" * (64 * 1024 + 1), b"too big inline request"),
    "count line too long": (b"*" + b"1" * (64 * 1024 + 1), b"too big mbulk count string"),
    "length line too long": (b"*1\r\n$" + b"1" * (64 * 1024 + 1), b"too big bulk count string"),
}


@pytest.mark.parametrize("split", [False, True], ids=["whole", "bytes"])
@pytest.mark.parametrize(("data", "reply"), ANSWERED.values(), ids=ANSWERED)
def test_answered(connect: Connect, data: bytes, reply: bytes, split: bool) -> None:
    client = connect()
    for at in range(len(data)) if split else ():
        client.send_raw(data[at : at + 1])
    client.send_raw(pack(("ECHO", END)) if split else data + pack(("ECHO", END)))
    assert client.read_raw(len(reply) + len(END_REPLY)) == reply + END_REPLY


@pytest.mark.parametrize(("data", "text"), HUNG_UP_ON.values(), ids=HUNG_UP_ON)
def test_hung_up_on(connect: Connect, data: bytes, text: bytes) -> None:
    """Earlier commands are answered, then the error is sent, then nothing more."""
    other = connect()
    client = connect()
    client.send_raw(b"PING\r\n*2\r\n$4\r\nECHO\r\n$1\r\na\r\n" + data)
    assert client.rest() == b"+PONG\r\n$1\r\na\r\n-ERR Protocol error: " + text + b"\r\n"
    assert other.call("PING") == "PONG"


def test_nothing_is_run_after_a_protocol_error(connect: Connect) -> None:
    client = connect()
    client.send_raw(b"*1\r\n:1\r\n*3\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n$1\r\na\r\nPING\r\n")
    assert client.rest() == b"-ERR Protocol error: expected '$', got ':'\r\n"
    assert connect().call("EXISTS", "l") == 0


def test_an_inline_command_of_64_kilobytes(connect: Connect) -> None:
    word = b"w" * (64 * 1024 - len("ECHO \r\n"))
    client = connect()
    client.send_raw(b"ECHO " + word + b"\r\n")
    assert client.read() == word


@pytest.mark.parametrize("data", [b"POST / HTTP/1.1\r\n", b"GET /\r\nHost: example.org\r\n"], ids=["POST", "Host:"])
def test_web_browsers_are_hung_up_on(connect: Connect, data: bytes) -> None:
    """A web page can make a browser send such a request: no line of its body may be run."""
    client = connect()
    client.send_raw(data + b"\r\nRPUSH l a\r\n")
    assert b"POST" not in client.rest()
    assert connect().call("EXISTS", "l") == 0


class TestHalfCommands:
    @pytest.mark.parametrize("data", [pack(("RPUSH", "l", "abc")), b"RPUSH l 'a\\'b'\r\n"], ids=["array", "inline"])
    def test_hang_up_at_every_byte(self, server: StartedServer, connect: Connect, data: bytes) -> None:
        """Only a complete command has an effect."""
        watcher = connect()
        for length in range(len(data)):
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.sendall(data[:length])
        assert watcher.call("EXISTS", "l") == 0
        client = connect()
        client.send_raw(data)
        assert client.read() == 1

    def test_a_header_of_half_a_gigabyte_takes_no_memory(self, connect: Connect) -> None:
        client = connect()
        client.send_raw(b"*2\r\n$4\r\nECHO\r\n$536870912\r\nabc")
        other = connect()
        assert other.call("PING") == "PONG"
        client.close()
        assert other.call("PING") == "PONG"

    def test_a_count_of_two_billion_takes_no_memory(self, connect: Connect) -> None:
        clients = [connect() for _ in range(10)]
        for client in clients:
            client.send_raw(b"*2147483647\r\n$4\r\nPING\r\n")
        assert connect().call("PING") == "PONG"


class TestPipelines:
    def test_replies_come_in_the_order_of_the_commands(self, connect: Connect) -> None:
        """No matter who answers: one shard, several shards, or main itself."""
        commands: list[tuple[object, ...]] = []
        expected: list[object] = []
        for number in range(300):
            key = f"l{number}"
            commands += [("RPUSH", key, number), ("LRANGE", key, 0, -1), ("ECHO", number), ("EXISTS", key, "no", "l0")]
            expected += [1, [b"%d" % number], b"%d" % number, 2]
            commands += [("RENAME", key, f"{key}:new"), ("EXISTS", key), ("LLEN", f"{key}:new"), ("LLEN",)]
            arity = ReplyError("ERR wrong number of arguments for 'llen' command")
            expected += ["OK", 0, 1, arity]
            if number == 0:
                commands.append(("RPUSH", "l0", "again"))
                expected.append(1)
        assert connect().pipeline(*commands) == expected

    def test_quit_ends_it(self, connect: Connect) -> None:
        client = connect()
        client.send_raw(b"PING\r\nQUIT\r\nPING\r\n")
        assert client.rest() == b"+PONG\r\n+OK\r\n"

    def test_commands_before_a_half_close_are_answered(self, connect: Connect) -> None:
        """As in ``printf '...' | nc``."""
        client = connect()
        client.send_raw(b"RPUSH a x\r\nRENAME a b\r\nRENAME b c\r\nLRANGE c 0 -1\r\nPING\r\n")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.rest() == b":1\r\n+OK\r\n+OK\r\n*1\r\n$1\r\nx\r\n+PONG\r\n"

    @pytest.mark.respcache_only("Redis sends no more than fits into the socket's buffer")
    def test_a_half_close_does_not_cut_off_a_long_reply(self, connect: Connect) -> None:
        client = connect()
        value = b"v" * 20_000_000
        assert client.call("RPUSH", "l", value) == 1
        client.send_raw(b"LINDEX l 0\r\n")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.read() == value
        assert client.rest() == b""

    @pytest.mark.parametrize("size", [1 << 16, (1 << 16) + 1, 1 << 20, 5_000_000])
    def test_large_values(self, connect: Connect, size: int) -> None:
        client = connect()
        value = bytes(range(256)) * (size // 256) + b"\r\n"
        assert client.pipeline(("RPUSH", "l", value), ("LINDEX", "l", 0), ("PING",)) == [1, value, "PONG"]

    def test_a_command_of_many_words(self, connect: Connect) -> None:
        client = connect()
        items = [b"%d" % number for number in range(50_000)]
        assert client.call("RPUSH", "l", *items) == len(items)
        assert client.call("LRANGE", "l", 0, -1) == items


class TestBeforeAuthentication:
    """A client that has not logged in cannot make the server hold much data."""

    @pytest.fixture(autouse=True)
    def password(self, connect: Connect) -> Iterator[None]:
        before = connect()
        assert before.call("CONFIG", "SET", "requirepass", "secret") == "OK"
        yield
        assert before.call("CONFIG", "SET", "requirepass", "") == "OK"

    def test_ten_words_at_most(self, connect: Connect) -> None:
        client = connect()
        assert client.call("DEL", *range(9)) == ReplyError("NOAUTH Authentication required.")
        client.send("DEL", *range(10))
        assert client.rest() == b"-ERR Protocol error: unauthenticated multibulk length\r\n"

    def test_16_kilobytes_per_word_at_most(self, connect: Connect) -> None:
        client = connect()
        assert client.call("ECHO", "x" * 16384) == ReplyError("NOAUTH Authentication required.")
        client.send_raw(b"*2\r\n$4\r\nECHO\r\n$16385\r\n")
        assert client.rest() == b"-ERR Protocol error: unauthenticated bulk length\r\n"

    def test_no_limits_after_it(self, connect: Connect) -> None:
        client = connect()
        assert client.call("AUTH", "secret") == "OK"
        assert client.call("EXISTS", *range(20)) == 0
        assert client.call("ECHO", "x" * 20000) == b"x" * 20000

    def test_the_limit_ends_within_a_pipeline(self, connect: Connect) -> None:
        client = connect()
        assert client.pipeline(("AUTH", "secret"), ("EXISTS", *range(20))) == ["OK", 0]

    def test_unknown_commands_are_reported(self, connect: Connect) -> None:
        """Redis looks up the command and checks its arity before it asks for a password."""
        client = connect()
        assert str(client.call("NONE")).startswith("ERR unknown command")
        assert str(client.call("ECHO")).startswith("ERR wrong number of arguments")

    def test_quit(self, connect: Connect) -> None:
        client = connect()
        client.send_raw(b"QUIT\r\n")
        assert client.rest() == b"+OK\r\n"
        with pytest.raises(Closed):
            client.read()


# The parts of valid and broken commands: junk made of these gets much further than random bytes.
PIECES = [
    *(b"\r\n", b"\r", b"\n", b"XY", b"\xff", b" ", b'"', b"'", b"\\", b"*", b"$", b"9", b"\t", b"\v", b"-", b"+", b"0"),
    *(
        b"*0\r\n",
        b"*1\r\n",
        b"*2\r\n",
        b"*-1\r\n",
        b"*01\r\n",
        b"*+1\r\n",
        b"* 1\r\n",
        b"*-0\r\n",
        b"*1\rX",
        b"*2147483648\r\n",
    ),
    *(
        b"$0\r\n",
        b"$1\r\n",
        b"$3\r\n",
        b"$-1\r\n",
        b"$04\r\n",
        b"$4\rX",
        b"$536870913\r\n",
        b"*-9223372036854775809\r\n",
    ),
    *(b":1\r\n", b"+a\r\n", b"-e\r\n", b"_\r\n", b"#f\r\n", b",1\r\n", b"(1\r\n", b"=5\r\ntxt:a\r\n"),
    *(b"~1\r\n", b"%1\r\n", b"|1\r\n", b">9999999\r\n", b"*99999\r\n"),
    *(b"PING\r\n", b"ECHO 'a'\r\n", b'ECHO "\\x41\\n"\r\n', b"*1\r\n$4\r\nPINGXY", b"$3\r\n\r\n$\r\n", b"$1\r\na\r\n"),
    *(pack(("PING",)), pack(("ECHO", "a")), pack(("ECHO", "a\r\nb"))) * 4,
]


@pytest.mark.respcache_only("it is compared with a genuine server")
def test_junk_is_answered_as_by_a_genuine_server(server: StartedServer, started: dict[str, StartedServer]) -> None:
    if REFERENCE is None:
        pytest.skip(reason="no genuine redis-server found ($RESPCACHE_REFERENCE, or on the PATH)")
    if "genuine" not in started or not started["genuine"].alive():
        started["genuine"] = ReferenceServer(REFERENCE)
    dice = Random(13)
    for _ in range(200):
        data = b"".join(dice.choices(PIECES, k=dice.randrange(1, 8)))
        assert answer(server.port, data) == answer(started["genuine"].port, data), data


def answer(port: int, data: bytes) -> bytes:
    """Everything the server sends after this input, up to the end of the stream."""
    client = Connection(port)
    client.send_raw(data)
    client.socket.shutdown(socket.SHUT_WR)
    reply = client.rest()
    client.close()
    return reply
