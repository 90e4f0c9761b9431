"""How a connection ends, seen from the client: no reply is lost, and the end comes with the last one."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest

from tests.support.resp import Connection
from tests.support.transcript import Transcript

# With three shards, on different ones.
ONE, TWO = "key:one", "key:two"


@pytest.mark.respcache_only(reason="a genuine server closes a moment later, which only a fast client can see")
def test_the_connection_ends_with_the_reply_to_quit(connect: type[Connection]) -> None:
    """A pool that finds the connection open after QUIT would reuse it, and its next command would fail."""
    for _ in range(50):
        client = connect()  # type: ignore[call-arg]  # the fixture has the port already
        client.send_raw(b"QUIT\r\n")
        assert client.socket.recv(5, socket.MSG_WAITALL) == b"+OK\r\n"
        client.socket.setblocking(False)
        assert client.socket.recv(1) == b""


def test_a_half_closed_client_gets_all_its_replies(connect: type[Connection]) -> None:
    """`printf ... | nc`: commands over several shards and local ones are run although the input has ended."""
    client = connect()  # type: ignore[call-arg]  # as above
    client.call("SET", ONE, "1")
    client.send_raw(f"RENAME {ONE} {TWO}\r\nPING\r\nSET {ONE} 1\r\nINCR {ONE}\r\nPING\r\n".encode())
    client.socket.shutdown(socket.SHUT_WR)
    assert client.rest() == b"+OK\r\n+PONG\r\n+OK\r\n:2\r\n+PONG\r\n"


def test_a_half_closed_transaction_is_carried_out(connect: type[Connection]) -> None:
    client = connect()  # type: ignore[call-arg]  # as above
    client.send_raw(b"MULTI\r\nPING\r\nEXEC\r\n")
    client.socket.shutdown(socket.SHUT_WR)
    assert client.rest() == b"+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n"


def test_muted_replies_stay_muted_after_a_command_over_several_shards(do: Transcript) -> None:
    """CLIENT REPLY also applies to commands that were held back by a carried command or a pause."""
    client = do.connection
    do("SET", ONE, "1")
    client.send_raw(f"CLIENT REPLY OFF\r\nRENAME {ONE} {TWO}\r\nPING\r\nGET {TWO}\r\nCLIENT REPLY ON\r\n".encode())
    assert client.read() == "OK"
    do("SET", ONE, "1")
    client.send_raw(f"CLIENT REPLY SKIP\r\nRENAME {ONE} {TWO}\r\nGET {TWO}\r\n".encode())
    assert client.read() == b"1"


def test_skip_is_not_used_up_by_a_pause(do: Transcript, connect: type[Connection]) -> None:
    other = connect()  # type: ignore[call-arg]  # as above
    assert other.call("CLIENT", "PAUSE", 60_000, "WRITE") == "OK"
    do.connection.send_raw(b"CLIENT REPLY SKIP\r\nSET x 1\r\nGET x\r\n")
    assert other.call("PING") == "PONG"  # the server has read everything sent before
    assert other.call("CLIENT", "UNPAUSE") == "OK"
    assert do.connection.read() == b"1"


@pytest.mark.parametrize("begin", [b"\0", b"*\0", b"$\0"])
def test_the_error_arrives_although_the_client_goes_on_sending(connect: type[Connection], begin: bytes) -> None:
    """The server hangs up with input unread, so the kernel resets the connection: behind the reply, not before it."""
    for _ in range(5):
        client = connect()  # type: ignore[call-arg]  # as above
        client.send_raw(begin)
        with suppress(OSError):  # a broken pipe, or a reset
            while True:
                client.send_raw(b"payload")
        assert b"-ERR Protocol error: too big" in client.socket.recv(1000)
