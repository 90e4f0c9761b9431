"""CLIENT PAUSE and UNPAUSE, as redis-cli sessions show them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.resp import Connection
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

Connect = Callable[..., Connection]


class TestPause:
    """A command that waits is recognised by the missing reply. A pause of ALL must be short: as in Redis, no client can
    end it.
    """

    @pytest.fixture(autouse=True)
    def unpaused(self, do: Transcript) -> Iterator[None]:
        yield
        do("CLIENT", "UNPAUSE")

    def test_all(self, do: Transcript, connect: Connect) -> None:
        other = connect()
        assert do("CLIENT", "PAUSE", 600) == "OK"
        other.send("SET", "k", "v")
        other.send("GET", "k")
        do.connection.send("CLIENT", "UNPAUSE")
        assert is_silent(other)
        assert is_silent(do.connection)
        assert [other.read(), other.read()] == ["OK", b"v"]
        assert do.connection.read() == "OK"

    def test_write(self, do: Transcript, connect: Connect) -> None:
        reader, writer, publisher = connect(), connect(), connect()
        assert do("CLIENT", "PAUSE", 60_000, "WRITE") == "OK"
        assert reader.call("GET", "k") is None
        writer.send("SET", "k", "v")
        publisher.send("PUBLISH", "c", "x")
        assert is_silent(writer)
        assert is_silent(publisher)
        assert do("GET", "k") is None
        do("CLIENT", "UNPAUSE")
        assert writer.read() == "OK"
        assert publisher.read() == 0

    def test_write_and_transactions(self, do: Transcript, connect: Connect) -> None:
        """EXEC waits if it would write, and so does a write that would be queued."""
        reader, writer, slow = connect(), connect(), connect()
        assert writer.pipeline(("MULTI",), ("SET", "k", "v")) == ["OK", "QUEUED"]
        do("CLIENT", "PAUSE", 60_000, "WRITE")
        assert reader.pipeline(("MULTI",), ("GET", "k"), ("EXEC",)) == ["OK", "QUEUED", [None]]
        writer.send("EXEC")
        assert slow.call("MULTI") == "OK"
        slow.send("SET", "k", "w")
        assert is_silent(writer)
        assert is_silent(slow)
        do("CLIENT", "UNPAUSE")
        assert writer.read() == ["OK"]
        assert slow.read() == "QUEUED"

    def test_scripts_that_declare_what_they_do(self, do: Transcript, connect: Connect) -> None:
        reads, writes = "#!lua flags=no-writes\nreturn 1", "#!lua\nreturn 2"
        sha = do("SCRIPT", "LOAD", reads)
        code = "redis.register_function{function_name='%s', callback=function() return 3 end%s}\n"
        library = "#!lua name=lib\n" + code % ("reads", ", flags={'no-writes'}") + code % ("writes", "")
        do("FUNCTION", "LOAD", "REPLACE", library)
        reader, others = connect(), [connect() for _ in range(4)]
        assert do("CLIENT", "PAUSE", 60_000, "WRITE") == "OK"
        assert reader.call("EVAL", reads, 0) == 1
        assert reader.call("EVALSHA", sha, 0) == 1
        assert reader.call("EVAL_RO", "return 4", 0) == 4
        assert reader.call("FCALL", "reads", 0) == 3
        assert reader.pipeline(("MULTI",), ("EVAL", reads, 0), ("EXEC",)) == ["OK", "QUEUED", [1]]
        held = [("EVAL", writes, 0), ("EVAL", "return 5", 0), ("FCALL", "writes", 0), ("EVALSHA", "f" * 40, 0)]
        for other, words in zip(others, held, strict=True):
            other.send(*words)
            assert is_silent(other)
        assert do("CLIENT", "UNPAUSE") == "OK"
        assert [other.read() for other in others[:3]] == [2, 5, 3]
        assert str(others[3].read()).startswith("NOSCRIPT")
        do("FUNCTION", "FLUSH")

    def test_pipelines_wait_where_they_are(self, do: Transcript, connect: Connect) -> None:
        other = connect()
        do("CLIENT", "PAUSE", 60_000, "WRITE")
        other.send_raw(b"GET k\r\nSET k v\r\nGET k\r\nINCR n\r\n")
        assert other.read() is None
        other.send("GET", "n")
        assert is_silent(other)
        do("CLIENT", "UNPAUSE")
        assert [other.read() for _ in range(4)] == ["OK", b"v", 1, b"1"]

    def test_a_later_pause_may_be_stricter(self, do: Transcript, connect: Connect) -> None:
        other = connect()
        do("CLIENT", "PAUSE", 600, "WRITE")
        do("CLIENT", "PAUSE", 600, "ALL")
        other.send("GET", "k")
        assert is_silent(other)
        assert other.read() is None

    @pytest.mark.respcache_only("shifts the server's clock")
    def test_it_ends(self, do: Transcript, connect: Connect) -> None:
        other = connect()
        do("CLIENT", "PAUSE", 60_000)
        other.send("SET", "k", "v")
        assert is_silent(other)
        do.advance(60_001)
        assert other.read() == "OK"

    def test_it_ends_by_itself(self, do: Transcript, connect: Connect) -> None:
        do("CLIENT", "PAUSE", 50, "ALL")
        assert connect().call("PING") == "PONG"

    def test_a_waiting_client_may_hang_up(self, do: Transcript, connect: Connect) -> None:
        leaving = connect()
        do("CLIENT", "PAUSE", 60_000, "WRITE")
        leaving.send("SET", "k", "v")
        assert is_silent(leaving)
        leaving.close()
        do("CLIENT", "UNPAUSE")
        assert do("PING") == "PONG"

    def test_a_waiting_client_is_blocked(self, do: Transcript, connect: Connect) -> None:
        waiting = connect()
        client_id = waiting.call("CLIENT", "ID")
        do("CLIENT", "PAUSE", 60_000, "WRITE")
        waiting.send("SET", "k", "v")
        assert is_silent(waiting)
        assert "blocked_clients:1" in str(do("INFO", "clients"))
        assert " flags=b " in str(do("CLIENT", "LIST", "ID", client_id))
        do("CLIENT", "UNPAUSE")
        assert waiting.read() == "OK"
        assert "blocked_clients:0" in str(do("INFO", "clients"))

    def test_it_begins_at_the_end_of_a_transaction(self, do: Transcript, connect: Connect) -> None:
        other = connect()
        assert do.connection.pipeline(
            ("MULTI",), ("SET", "a", 1), ("CLIENT", "PAUSE", 60_000, "WRITE"), ("SET", "b", 2), ("EXEC",)
        )[-1] == ["OK", "OK", "OK"]
        other.send("SET", "c", 3)
        assert is_silent(other)
        assert do("MGET", "a", "b", "c") == [b"1", b"2", None]
        do("CLIENT", "UNPAUSE")
        assert other.read() == "OK"

    @pytest.mark.respcache_only("shifts the server's clock")
    def test_nothing_expires_meanwhile(self, do: Transcript) -> None:
        """Expired keys are hidden, but they are removed, and the event is published, only after the pause."""
        do("SET", "a", 1, "EX", 10)
        do("SET", "b", 2, "EX", 10)
        do("CLIENT", "PAUSE", 60_000, "WRITE")
        do.advance(10_001)
        assert do("MGET", "a", "b") == [None, None]
        assert do("KEYS", "*") == []
        assert do("SCAN", 0)[1] == []
        assert do("EXISTS", "a", "b") == 0
        assert do("RANDOMKEY") in (b"a", b"b")
        assert do("DBSIZE") == 2
        do("CLIENT", "UNPAUSE")
        assert do("MGET", "a", "b") == [None, None]
        assert do("DBSIZE") == 0

    @pytest.mark.respcache_only("shifts the server's clock")
    def test_active_expiry_goes_on_afterwards(self, do: Transcript) -> None:
        do("SET", "a", 1, "EX", 10)
        do("CLIENT", "PAUSE", 60_000, "WRITE")
        do.advance(60_001)
        assert eventually(lambda: do("DBSIZE") == 0)

    def test_errors(self, do: Transcript) -> None:
        assert do.error("CLIENT", "PAUSE") == "ERR wrong number of arguments for 'client|pause' command"
        for timeout in ("x", "", "1.5", "99999999999999999999"):
            assert do.error("CLIENT", "PAUSE", timeout) == "ERR timeout is not an integer or out of range"
        assert do.error("CLIENT", "PAUSE", -1) == "ERR timeout is negative"
        assert do.error("CLIENT", "PAUSE", 1, "maybe") == "ERR CLIENT PAUSE mode must be WRITE or ALL"
        assert do.error("CLIENT", "PAUSE", 1, "ALL", "x") == (
            "ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP."
        )

    @pytest.mark.since("7.2")
    def test_a_pause_that_is_too_long(self, do: Transcript) -> None:
        assert do.error("CLIENT", "PAUSE", 9223372036854775807) == "ERR timeout is out of range"


def is_silent(connection: Connection) -> bool:
    """True if no reply arrives within a moment."""
    connection.socket.settimeout(0.05)
    try:
        return not connection.socket.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.socket.settimeout(20)
