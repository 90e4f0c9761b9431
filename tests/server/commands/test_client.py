"""All of CLIENT, as redis-cli sessions show it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.resp import Closed, Connection, VerbatimText
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

Connect = Callable[..., Connection]

BAD_NAME = "ERR {} cannot contain spaces, newlines or special characters."
SYNTAX = "ERR syntax error"
FIELDS = """
    id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem multi-mem rbs rbp obl oll
    omem tot-mem events cmd user redir resp lib-name lib-ver
"""


def rows(reply: Any) -> list[dict[str, str]]:
    """The lines of CLIENT LIST and CLIENT INFO."""
    text = reply.removeprefix("txt:") if isinstance(reply, VerbatimText) else reply.decode()
    lines = text.split("\n")
    assert lines.pop() == ""
    return [dict(field.split("=", 1) for field in line.split(" ")) for line in lines]


def row_of(do: Transcript, number: int) -> dict[str, str]:
    (row,) = rows(do("CLIENT", "LIST", "ID", number))
    return row


def ids(do: Transcript, *words: object) -> set[int]:
    return {int(row["id"]) for row in rows(do("CLIENT", "LIST", *words))}


class TestIdsAndNames:
    def test_ids_grow(self, do: Transcript, connect: Connect) -> None:
        first = do("CLIENT", "ID")
        assert do("CLIENT", "ID") == first
        second = connect().call("CLIENT", "ID")
        third = connect().call("CLIENT", "ID")
        assert first < second < third

    def test_names(self, do: Transcript, connect: Connect) -> None:
        assert do("CLIENT", "GETNAME") is None
        assert do("CLIENT", "SETNAME", "me:1-x~!") == "OK"
        assert do("CLIENT", "GETNAME") == b"me:1-x~!"
        assert do("CLIENT", "SETNAME", "you") == "OK"
        assert do("CLIENT", "GETNAME") == b"you"
        assert connect().call("CLIENT", "GETNAME") is None
        assert do("CLIENT", "SETNAME", "") == "OK"
        assert do("CLIENT", "GETNAME") is None

    @pytest.mark.parametrize("name", ["a b", "a\n", "\x7f", "é"])
    def test_names_that_would_break_the_list(self, do: Transcript, name: str) -> None:
        do("CLIENT", "SETNAME", "before")
        assert do.error("CLIENT", "SETNAME", name) == BAD_NAME.format("Client names")
        assert do("CLIENT", "GETNAME") == b"before"

    @pytest.mark.since("7.2")
    def test_libraries(self, do: Transcript) -> None:
        assert do("CLIENT", "SETINFO", "LIB-NAME", "redis-py(x_v1)") == "OK"
        assert do("CLIENT", "SETINFO", "lib-ver", "1.2.3") == "OK"
        (row,) = rows(do("CLIENT", "INFO"))
        assert (row["lib-name"], row["lib-ver"]) == ("redis-py(x_v1)", "1.2.3")
        do("CLIENT", "SETINFO", "lib-name", "")
        assert rows(do("CLIENT", "INFO"))[0]["lib-name"] == ""

    @pytest.mark.since("7.2")
    def test_libraries_outlive_reset(self, do: Transcript) -> None:
        do("CLIENT", "SETINFO", "lib-name", "mine")
        do("RESET")
        assert b"lib-name=mine " in do("CLIENT", "INFO")

    @pytest.mark.since("7.2")
    def test_libraries_errors(self, do: Transcript) -> None:
        assert do.error("CLIENT", "SETINFO", "lib-name", "a b") == BAD_NAME.format("lib-name")
        assert do.error("CLIENT", "SETINFO", "LIB-VER", "a\n") == BAD_NAME.format("LIB-VER")
        assert do.error("CLIENT", "SETINFO", "Author", "x") == "ERR Unrecognized option 'Author'"

    @pytest.mark.parametrize("name", ["ID", "GETNAME", "INFO", "UNPAUSE"])
    def test_arity(self, do: Transcript, name: str) -> None:
        assert do.error("CLIENT", name, "x") == f"ERR wrong number of arguments for 'client|{name.lower()}' command"

    def test_errors(self, do: Transcript) -> None:
        assert do.error("CLIENT") == "ERR wrong number of arguments for 'client' command"
        assert do.error("CLIENT", "NOSUCH", "x") == "ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP."
        assert do.error("CLIENT", "SETNAME") == "ERR wrong number of arguments for 'client|setname' command"

    def test_help(self, do: Transcript) -> None:
        lines = do("CLIENT", "HELP")
        assert lines[0] == "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
        assert any(line.startswith("SETNAME") for line in lines)
        assert lines[-2] == "HELP"


class TestInfoAndList:
    def test_info(self, do: Transcript) -> None:
        do("CLIENT", "SETNAME", "me")
        do("SELECT", 3)
        (row,) = rows(do("CLIENT", "INFO"))
        assert row["id"] == str(do("CLIENT", "ID"))
        assert (row["name"], row["db"], row["resp"], row["user"]) == ("me", "3", str(do.protocol), "default")
        assert (row["cmd"], row["flags"], row["multi"]) == ("client|info", "N", "-1")
        assert (row["sub"], row["psub"], row["ssub"]) == ("0", "0", "0")
        host, port = do.connection.socket.getsockname()
        assert row["addr"] == f"{host}:{port}"
        assert row["laddr"] == f"{host}:{do.server.port}"

    @pytest.mark.respcache_only("each version of Redis adds some fields")
    def test_fields(self, do: Transcript) -> None:
        (row,) = rows(do("CLIENT", "INFO"))
        assert list(row) == FIELDS.split()

    def test_a_verbatim_text_in_resp3(self, do: Transcript) -> None:
        for words in (("INFO",), ("LIST",)):
            reply = do("CLIENT", *words)
            assert isinstance(reply, VerbatimText if do.protocol == 3 else bytes)

    def test_the_list_is_complete(self, do: Transcript, connect: Connect) -> None:
        others = [connect() for _ in range(3)]
        numbers = {do("CLIENT", "ID"), *(other.call("CLIENT", "ID") for other in others)}
        assert ids(do) >= numbers
        others[0].call("QUIT")
        others[1].close()
        assert eventually(lambda: len(ids(do) & numbers) == 2)

    def test_within_a_transaction(self, do: Transcript) -> None:
        replies = do.transaction(("CLIENT", "INFO"), ("PING",))
        assert replies is not None
        (row,) = rows(replies[0])
        assert (row["multi"], row["flags"], row["cmd"]) == ("2", "x", "exec")

    def test_states_of_other_clients(self, do: Transcript, connect: Connect) -> None:
        other = connect()
        number = other.call("CLIENT", "ID")
        other.pipeline(("GET", "k"), ("MULTI",), ("GET", "k"), ("SET", "k", "v"))
        row = row_of(do, number)
        assert (row["multi"], row["flags"], row["cmd"]) == ("2", "x", "set")
        other.pipeline(("DISCARD",), ("SUBSCRIBE", "c"), ("PSUBSCRIBE", "p*"), ("PSUBSCRIBE", "q*"))
        row = row_of(do, number)
        assert (row["sub"], row["psub"], row["flags"], row["multi"]) == ("1", "2", "P", "-1")
        assert row["cmd"] == "psubscribe"

    def test_by_id(self, do: Transcript, connect: Connect) -> None:
        me, you = do("CLIENT", "ID"), connect().call("CLIENT", "ID")
        assert ids(do, "ID", me) == {me}
        assert ids(do, "id", you, me, 999999) == {me, you}
        assert ids(do, "ID", 999999) == set()
        assert ids(do, "ID", 0, -1) == set()

    def test_by_type(self, do: Transcript, connect: Connect) -> None:
        me, listener = do("CLIENT", "ID"), connect()
        you = listener.call("CLIENT", "ID")
        assert ids(do, "TYPE", "normal") >= {me, you}
        listener.call("PSUBSCRIBE", "c")
        assert you in ids(do, "TYPE", "PUBSUB")
        assert me not in ids(do, "TYPE", "pubsub")
        assert you not in ids(do, "TYPE", "Normal")
        assert ids(do, "TYPE", "master") == ids(do, "TYPE", "replica") == ids(do, "TYPE", "slave") == set()

    def test_errors(self, do: Transcript) -> None:
        for words in (("x",), ("TYPE",), ("ID",), ("TYPE", "normal", "x"), ("NOSUCH", 1)):
            assert do.error("CLIENT", "LIST", *words) == SYNTAX
        assert do.error("CLIENT", "LIST", "TYPE", "nosuch") == "ERR Unknown client type 'nosuch'"
        assert do.error("CLIENT", "LIST", "ID", "x") == "ERR Invalid client ID"
        assert do.error("CLIENT", "LIST", "ID", 1, "x") == "ERR Invalid client ID"

    @pytest.mark.respcache_only("shifts the server's clock")
    def test_age_and_idle(self, do: Transcript, connect: Connect) -> None:
        other = connect()
        number = other.call("CLIENT", "ID")
        do.advance(5000)
        row = row_of(do, number)
        assert int(row["age"]) in (5, 6)
        assert int(row["idle"]) in (5, 6)
        other.call("PING")
        assert int(row_of(do, number)["age"]) in (5, 6)
        assert int(row_of(do, number)["idle"]) in (0, 1)


def is_closed(connection: Connection) -> bool:
    """True if the server has closed the connection. There must be no unread replies."""
    try:
        return connection.socket.recv(1) == b""
    except ConnectionResetError:
        return True


class TestKill:
    def test_by_address_alone(self, do: Transcript, connect: Connect) -> None:
        other = connect()
        other.call("PING")  # makes sure that the connection is accepted
        host, port = other.socket.getsockname()
        assert do("CLIENT", "KILL", f"{host}:{port}") == "OK"
        assert is_closed(other)
        assert do.error("CLIENT", "KILL", f"{host}:{port}") == "ERR No such client"

    def test_by_id(self, do: Transcript, connect: Connect) -> None:
        other, bystander = connect(), connect()
        number = other.call("CLIENT", "ID")
        assert do("CLIENT", "KILL", "ID", number) == 1
        assert is_closed(other)
        assert do("CLIENT", "KILL", "ID", number) == 0
        assert bystander.call("PING") == "PONG"

    def test_by_address(self, do: Transcript, connect: Connect) -> None:
        other = connect()
        other.call("PING")  # makes sure that the connection is accepted
        host, port = other.socket.getsockname()
        assert do("CLIENT", "KILL", "ADDR", f"{host}:{port + 1}", "ID", 1) == 0
        assert do("CLIENT", "KILL", "ADDR", f"{host}:{port}") == 1
        assert is_closed(other)
        assert do("CLIENT", "KILL", "LADDR", "127.0.0.1:1") == 0

    def test_by_local_address(self, do: Transcript, connect: Connect) -> None:
        other = connect()
        number = other.call("CLIENT", "ID")
        assert do("CLIENT", "KILL", "LADDR", f"127.0.0.1:{do.server.port}", "ID", number) == 1
        assert is_closed(other)

    def test_by_type(self, do: Transcript, connect: Connect) -> None:
        listener, other = connect(), connect()
        listener.call("SUBSCRIBE", "c")
        assert do("CLIENT", "KILL", "TYPE", "master") == 0
        assert do("CLIENT", "KILL", "TYPE", "pubsub") == 1
        assert is_closed(listener)
        assert other.call("PING") == "PONG"
        assert do("PUBLISH", "c", "x") == 0

    def test_by_user(self, do: Transcript, connect: Connect) -> None:
        other = connect()
        number = other.call("CLIENT", "ID")
        assert do("CLIENT", "KILL", "USER", "default", "ID", number) == 1
        assert is_closed(other)
        assert do.error("CLIENT", "KILL", "USER", "nobody") == "ERR No such user 'nobody'"

    def test_all_filters_must_hold(self, do: Transcript, connect: Connect) -> None:
        other = connect()
        number = other.call("CLIENT", "ID")
        assert do("CLIENT", "KILL", "ID", number, "TYPE", "pubsub") == 0
        assert do("CLIENT", "KILL", "TYPE", "normal", "ID", number) == 1
        assert is_closed(other)

    def test_the_caller_is_spared(self, do: Transcript) -> None:
        me = do("CLIENT", "ID")
        assert do("CLIENT", "KILL", "ID", me) == 0
        assert do("CLIENT", "KILL", "ID", me, "SKIPME", "yes") == 0
        assert do("CLIENT", "ID") == me

    def test_the_caller_is_closed_after_the_reply(self, do: Transcript) -> None:
        me = do("CLIENT", "ID")
        do.connection.send_raw(b"CLIENT KILL SKIPME no ID %d\r\nPING\r\n" % me)
        assert do.connection.rest() == b":1\r\n"

    def test_the_caller_by_address(self, do: Transcript) -> None:
        host, port = do.connection.socket.getsockname()
        assert do("CLIENT", "KILL", f"{host}:{port}") == "OK"
        with pytest.raises(Closed):
            do.connection.read()

    def test_in_a_transaction(self, do: Transcript, connect: Connect) -> None:
        other = connect()
        number = other.call("CLIENT", "ID")
        other.pipeline(("WATCH", "k"), ("MULTI",), ("SET", "k", "v"))
        assert do("CLIENT", "KILL", "ID", number) == 1
        assert is_closed(other)
        assert do("EXISTS", "k") == 0

    def test_errors(self, do: Transcript) -> None:
        assert do.error("CLIENT", "KILL") == "ERR wrong number of arguments for 'client|kill' command"
        assert do.error("CLIENT", "KILL", "1.2.3.4:5") == "ERR No such client"
        for number in ("x", 0, -1):
            assert do.error("CLIENT", "KILL", "ID", number) == "ERR client-id should be greater than 0"
        assert do.error("CLIENT", "KILL", "TYPE", "nosuch") == "ERR Unknown client type 'nosuch'"
        for words in (("NOSUCH", "x"), ("ID", 1, "TYPE"), ("SKIPME", "maybe"), ("NOSUCH", "x", "y")):
            assert do.error("CLIENT", "KILL", *words) == SYNTAX


class TestReply:
    def test_off_and_on(self, do: Transcript) -> None:
        do.connection.send_raw(b"CLIENT REPLY OFF\r\nSET k v\r\nNOSUCH\r\nMGET k a b\r\nPING\r\n")
        assert do("CLIENT", "REPLY", "ON") == "OK"
        assert do("GET", "k") == b"v"

    def test_skip(self, do: Transcript) -> None:
        do.connection.send_raw(b"CLIENT REPLY SKIP\r\nSET k v\r\nGET k\r\n")
        assert do.connection.read() == b"v"
        assert do("PING") == "PONG"

    @pytest.mark.parametrize(
        "skipped", [("PING",), ("NOSUCH",), ("RENAME", "a", "b"), ("DEL", "a", "b", "c"), ("DBSIZE",)]
    )
    def test_skip_of_any_command(self, do: Transcript, skipped: tuple[str, ...]) -> None:
        do("SET", "a", 1)
        do.connection.send("CLIENT", "REPLY", "SKIP")
        do.connection.send(*skipped)
        assert do("ECHO", "x") == b"x"

    def test_skip_of_an_error_in_the_same_packet(self, do: Transcript) -> None:
        do.connection.send_raw(b"CLIENT REPLY SKIP\r\nGET\r\nPING\r\n")
        assert do.connection.read() == "PONG"

    def test_skip_while_off(self, do: Transcript) -> None:
        do.connection.send_raw(b"CLIENT REPLY OFF\r\nCLIENT REPLY SKIP\r\nPING\r\nPING\r\n")
        assert do("CLIENT", "REPLY", "ON") == "OK"

    def test_on_after_skip(self, do: Transcript) -> None:
        do.connection.send_raw(b"CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING\r\n")
        assert [do.connection.read(), do.connection.read()] == ["OK", "PONG"]

    def test_skip_after_skip(self, do: Transcript) -> None:
        do.connection.send_raw(b"CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nECHO a\r\nECHO b\r\n")
        assert do.connection.read() == b"b"

    def test_off_after_skip(self, do: Transcript) -> None:
        do.connection.send_raw(b"CLIENT REPLY SKIP\r\nCLIENT REPLY OFF\r\nECHO a\r\nECHO b\r\n")
        assert do("CLIENT", "REPLY", "ON") == "OK"

    def test_on_when_it_is_on(self, do: Transcript) -> None:
        assert do("CLIENT", "REPLY", "ON") == "OK"

    def test_off_with_a_transaction(self, do: Transcript) -> None:
        do.connection.send_raw(b"CLIENT REPLY OFF\r\nMULTI\r\nSET k v\r\nINCR n\r\nEXEC\r\n")
        assert do("CLIENT", "REPLY", "ON") == "OK"
        assert do("MGET", "k", "n") == [b"v", b"1"]

    def test_reset_turns_it_on(self, do: Transcript) -> None:
        do.connection.send_raw(b"CLIENT REPLY OFF\r\nPING\r\n")
        assert do("RESET") == "RESET"
        assert do("PING") == "PONG"

    def test_earlier_commands_are_answered(self, do: Transcript) -> None:
        do.connection.send_raw(b"SET k v\r\nGET k\r\nCLIENT REPLY OFF\r\nGET k\r\nCLIENT REPLY ON\r\nGET k\r\n")
        assert [do.connection.read() for _ in range(4)] == ["OK", b"v", "OK", b"v"]

    def test_errors(self, do: Transcript) -> None:
        assert do.error("CLIENT", "REPLY", "maybe") == SYNTAX
        assert do.error("CLIENT", "REPLY") == "ERR wrong number of arguments for 'client|reply' command"


class TestNoEvictAndNoTouch:
    def test_no_evict(self, do: Transcript) -> None:
        assert do("CLIENT", "NO-EVICT", "on") == "OK"
        assert rows(do("CLIENT", "INFO"))[0]["flags"] == "e"
        assert do("CLIENT", "NO-EVICT", "OFF") == "OK"
        assert rows(do("CLIENT", "INFO"))[0]["flags"] == "N"
        assert do.error("CLIENT", "NO-EVICT", "maybe") == SYNTAX

    @pytest.mark.since("7.2")
    def test_no_touch_flag(self, do: Transcript) -> None:
        assert do("CLIENT", "NO-TOUCH", "ON") == "OK"
        assert rows(do("CLIENT", "INFO"))[0]["flags"] == "T"
        assert do("CLIENT", "NO-TOUCH", "off") == "OK"
        assert rows(do("CLIENT", "INFO"))[0]["flags"] == "N"
        assert do.error("CLIENT", "NO-TOUCH", "maybe") == SYNTAX

    @pytest.mark.respcache_only("shifts the server's clock")
    def test_no_touch_leaves_access_times(self, do: Transcript) -> None:
        do("SET", "k", "v")
        do("CLIENT", "NO-TOUCH", "ON")
        do.advance(10_000)
        do("GET", "k")
        assert do("OBJECT", "IDLETIME", "k") >= 9
        do("TOUCH", "k")  # TOUCH always counts as an access
        assert do("OBJECT", "IDLETIME", "k") <= 1
        do.advance(10_000)
        do("CLIENT", "NO-TOUCH", "OFF")
        do("GET", "k")
        assert do("OBJECT", "IDLETIME", "k") <= 1
