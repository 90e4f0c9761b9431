"""PING, ECHO, SELECT, QUIT, RESET, and logging in, as redis-cli sessions show them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.resp import Closed, Connection, ReplyError
from tests.support.transcript import Transcript

Connect = Callable[..., Connection]

NO_AUTH = ReplyError("NOAUTH Authentication required.")
WRONG_PASS = ReplyError("WRONGPASS invalid username-password pair or user is disabled.")


class TestPingAndEcho:
    def test_ping(self, do: Transcript) -> None:
        assert do("PING") == "PONG"
        assert do("ping", "hello") == b"hello"
        assert do("PING", "") == b""
        assert do("PING", b"\r\n\0\xff") == b"\r\n\0\xff"

    def test_echo(self, do: Transcript) -> None:
        assert do("ECHO", "hello") == b"hello"
        assert do("ECHO", "") == b""

    def test_errors(self, do: Transcript) -> None:
        assert do.error("PING", "a", "b") == "ERR wrong number of arguments for 'ping' command"
        assert do.error("ECHO") == "ERR wrong number of arguments for 'echo' command"
        assert do.error("ECHO", "a", "b") == "ERR wrong number of arguments for 'echo' command"


class TestSelect:
    def test_databases_are_separate(self, do: Transcript, connect: Connect) -> None:
        do("SET", "k", "zero")
        assert do("SELECT", 9) == "OK"
        assert do("GET", "k") is None
        do("SET", "k", "nine")
        assert do("SELECT", 0) == "OK"
        assert do("GET", "k") == b"zero"
        assert connect().call("GET", "k") == b"zero"

    def test_in_a_pipeline(self, do: Transcript) -> None:
        replies = do.connection.pipeline(
            ("SET", "k", 0), ("SELECT", 1), ("SET", "k", 1), ("SELECT", 0), ("GET", "k"), ("SELECT", 1), ("GET", "k")
        )
        assert replies == ["OK", "OK", "OK", "OK", b"0", "OK", b"1"]

    def test_the_last_one(self, do: Transcript) -> None:
        assert do("SELECT", 15) == "OK"
        assert do("DBSIZE") == 0

    def test_errors(self, do: Transcript) -> None:
        for index in (16, -1, 2147483647):
            assert do.error("SELECT", index) == "ERR DB index is out of range"
        for index in ("x", "", "1.0", " 1", "99999999999999999999"):
            assert do.error("SELECT", index) == "ERR value is not an integer or out of range"
        for index in (2147483648, -2147483649):
            assert do.error("SELECT", index) == (
                "ERR value is out of range, value must between -2147483648 and 2147483647"
            )
        assert do.error("SELECT") == "ERR wrong number of arguments for 'select' command"
        do("SET", "k", "v")
        assert do("EXISTS", "k") == 1


class TestQuitAndReset:
    def test_quit(self, do: Transcript) -> None:
        assert do("QUIT") == "OK"
        with pytest.raises(Closed):
            do.connection.read()

    def test_quit_waits_for_replies(self, do: Transcript) -> None:
        """Commands before QUIT are answered; commands after it are not run."""
        do.connection.send_raw(b"SET k v\r\nRENAME k k2\r\nGET k2\r\nQUIT\r\nDEL k2\r\n")
        assert do.connection.rest() == b"+OK\r\n+OK\r\n$1\r\nv\r\n+OK\r\n"

    def test_reset(self, do: Transcript, connect: Connect) -> None:
        """Restores the state of a new connection: database, name, protocol, transaction and watched keys."""
        number = do("CLIENT", "ID")
        do("SELECT", 5)
        do("CLIENT", "SETNAME", "me")
        do("WATCH", "k")
        do("MULTI")
        do("SET", "k", "v")
        assert do("RESET") == "RESET"
        assert do.error("EXEC") == "ERR EXEC without MULTI"
        assert do("CLIENT", "GETNAME") is None
        assert do("CLIENT", "ID") == number
        do("SET", "k", "v")
        assert connect().call("GET", "k") == b"v"
        do("HSET", "h", "f", "v")
        assert do("HGETALL", "h") == [b"f", b"v"]  # RESP2

    def test_errors(self, do: Transcript) -> None:
        assert do.error("RESET", "x") == "ERR wrong number of arguments for 'reset' command"


class TestHello:
    def test_introduction(self, do: Transcript) -> None:
        reply = do.as_map(do("HELLO"))
        assert list(reply) == [b"server", b"version", b"proto", b"id", b"mode", b"role", b"modules"]
        assert reply[b"server"] == b"redis"
        assert reply[b"proto"] == do.protocol
        assert reply[b"id"] == do("CLIENT", "ID")
        assert reply[b"mode"] == b"standalone"
        assert reply[b"role"] == b"master"
        info = do("INFO", "server")
        assert f"redis_version:{reply[b'version'].decode()}\r\n" in (info if do.protocol == 3 else info.decode())

    def test_the_reply_has_the_new_protocol(self, do: Transcript) -> None:
        assert isinstance(do("HELLO", 3), dict)
        assert do("HGETALL", "none") == {}
        assert isinstance(do("HELLO"), dict)
        assert isinstance(do("HELLO", 2), list)
        assert do("HGETALL", "none") == []

    def test_within_a_pipeline(self, do: Transcript) -> None:
        do("HSET", "h", "f", "v")
        two, three = [b"f", b"v"], {b"f": b"v"}
        replies = do.connection.pipeline(
            ("HELLO", 2), ("HGETALL", "h"), ("HELLO", 3), ("HGETALL", "h"), ("HELLO", 2), ("HGETALL", "h")
        )
        assert replies[1::2] == [two, three, two]

    def test_setname(self, do: Transcript) -> None:
        do("HELLO", do.protocol, "SETNAME", "me")
        assert do("CLIENT", "GETNAME") == b"me"
        do("HELLO", do.protocol)
        assert do("CLIENT", "GETNAME") == b"me"

    def test_auth_without_a_password(self, do: Transcript) -> None:
        """The user `default` has no password, so any password is accepted."""
        do("HELLO", do.protocol, "AUTH", "default", "anything", "SETNAME", "me")
        assert do("CLIENT", "GETNAME") == b"me"

    def test_errors_change_nothing(self, do: Transcript) -> None:
        other = 5 - do.protocol
        assert do.error("HELLO", "x") == "ERR Protocol version is not an integer or out of range"
        for version in (1, 4, -3):
            assert do.error("HELLO", version) == "NOPROTO unsupported protocol version"
        for option in (("NOSUCH",), ("AUTH",), ("AUTH", "default"), ("SETNAME",), ("SETNAME", "me", "NOSUCH")):
            wrong = option[-1] if option[-1] == "NOSUCH" else option[0]
            assert do.error("HELLO", other, *option) == f"ERR Syntax error in HELLO option '{wrong}'"
        assert do.error("HELLO", other, "SETNAME", "a b") == (
            "ERR Client names cannot contain spaces, newlines or special characters."
        )
        assert do.error("HELLO", other, "AUTH", "nobody", "x") == str(WRONG_PASS)
        assert do.as_map(do("HELLO"))[b"proto"] == do.protocol


class TestWithoutAPassword:
    def test_auth(self, do: Transcript) -> None:
        assert do.error("AUTH", "x") == (
            "ERR AUTH <password> called without any password configured for the default user. "
            "Are you sure your configuration is correct?"
        )
        assert do("AUTH", "default", "anything") == "OK"
        assert do.error("AUTH", "nobody", "x") == str(WRONG_PASS)
        assert do("PING") == "PONG"

    def test_errors(self, do: Transcript) -> None:
        assert do.error("AUTH") == "ERR wrong number of arguments for 'auth' command"
        assert do.error("AUTH", "a", "b", "c") == "ERR syntax error"


class TestWithAPassword:
    @pytest.fixture(autouse=True)
    def password(self, connect: Connect) -> Iterator[None]:
        before = connect()
        assert before.call("CONFIG", "SET", "requirepass", "secret") == "OK"
        assert before.call("PING") == "PONG"  # a connected client stays logged in
        yield
        assert before.call("CONFIG", "SET", "requirepass", "") == "OK"

    def test_nothing_before_logging_in(self, connect: Connect) -> None:
        client = connect()
        for words in (("PING",), ("GET", "k"), ("SELECT", 1), ("SUBSCRIBE", "c"), ("CLIENT", "ID"), ("COMMAND",)):
            assert client.call(*words) == NO_AUTH
        assert client.pipeline(("SET", "a", 1), ("GET", "a"), ("FLUSHALL",)) == [NO_AUTH] * 3

    def test_no_logging_in_once_there_is_no_password(self, connect: Connect) -> None:
        """Connections from before, too."""
        client, administrator = connect(), connect()
        assert client.call("PING") == NO_AUTH
        assert administrator.call("AUTH", "secret") == "OK"
        assert administrator.call("CONFIG", "SET", "requirepass", "") == "OK"
        assert client.pipeline(("PING",), ("SET", "a", 1), ("GET", "a")) == ["PONG", "OK", b"1"]

    def test_auth(self, connect: Connect) -> None:
        client = connect()
        assert client.call("AUTH", "wrong") == WRONG_PASS
        assert client.call("AUTH", "") == WRONG_PASS
        assert client.call("AUTH", "secret and more") == WRONG_PASS
        assert client.call("PING") == NO_AUTH
        assert client.call("AUTH", "secret") == "OK"
        assert client.call("PING") == "PONG"

    def test_auth_with_a_name(self, connect: Connect) -> None:
        client = connect()
        assert client.call("AUTH", "nobody", "secret") == WRONG_PASS
        assert client.call("AUTH", "default", "wrong") == WRONG_PASS
        assert client.call("AUTH", "default", "secret") == "OK"
        assert client.call("PING") == "PONG"

    def test_a_failed_attempt_does_not_log_out(self, connect: Connect) -> None:
        client = connect()
        assert [client.call("AUTH", "secret"), client.call("AUTH", "wrong")] == ["OK", WRONG_PASS]
        assert client.call("PING") == "PONG"

    def test_in_a_pipeline(self, connect: Connect) -> None:
        client = connect()
        replies = client.pipeline(("GET", "k"), ("AUTH", "secret"), ("SET", "k", "v"), ("GET", "k"))
        assert replies == [NO_AUTH, "OK", "OK", b"v"]

    @pytest.mark.parametrize("version", [2, 3])
    def test_hello(self, connect: Connect, version: int) -> None:
        client = connect()
        must = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        assert str(client.call("HELLO")).startswith(must)
        assert str(client.call("HELLO", version)).startswith(must)
        assert client.call("HELLO", version, "AUTH", "default", "wrong") == WRONG_PASS
        assert client.call("HELLO", 4, "AUTH", "default", "secret") == ReplyError(
            "NOPROTO unsupported protocol version"
        )
        assert client.call("PING") == NO_AUTH
        reply = client.call("HELLO", version, "AUTH", "default", "secret", "SETNAME", "me")
        assert isinstance(reply, dict if version == 3 else list)
        assert client.call("CLIENT", "GETNAME") == b"me"

    def test_reset_logs_out(self, connect: Connect) -> None:
        client = connect()
        replies = client.pipeline(("AUTH", "secret"), ("PING",), ("RESET",), ("PING",))
        assert replies == ["OK", "PONG", "RESET", NO_AUTH]

    def test_quit_needs_no_password(self, connect: Connect) -> None:
        client = connect()
        assert client.call("QUIT") == "OK"

    def test_a_changed_password(self, connect: Connect) -> None:
        """New clients need the new password; a client that logged in with the old one stays logged in."""
        client = connect()
        client.call("AUTH", "secret")
        client.call("CONFIG", "SET", "requirepass", "other")
        assert client.call("PING") == "PONG"
        stranger = connect()
        assert stranger.call("AUTH", "secret") == WRONG_PASS
        assert stranger.call("AUTH", "other") == "OK"

    def test_a_password_of_any_bytes(self, connect: Connect) -> None:
        client = connect()
        client.call("AUTH", "secret")
        password = b"\xff\xc3\xa9 $"
        assert client.call("CONFIG", "SET", "requirepass", password) == "OK"
        assert connect().call("AUTH", password) == "OK"
        assert connect().call("AUTH", password[1:]) == WRONG_PASS
