"""Blocking commands whose answers are on their way when the clock is set back."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from respcache.resp.encode import encode
from respcache.testing import Server

_WEEK = 7 * 86_400_000
_ROUNDS = 40


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("back", ["RESPCACHE RESET", "RESPCACHE CLOCK SET {}"])
def test_a_wait_does_not_keep_a_deadline_of_the_clock_before(shards: int, back: str) -> None:
    with Server(shards=shards, args=["--enable-test-commands", "yes"]) as server, ExitStack() as stack:
        tester, waiter = (
            stack.enter_context(socket.create_connection((server.host, server.port), timeout=10)) for _ in range(2)
        )
        for _ in range(_ROUNDS):
            now = int(_ask(tester, "RESPCACHE CLOCK GET")[1:])
            _ask(tester, f"RESPCACHE CLOCK ADVANCE {_WEEK}")
            waiter.sendall(_words("BLPOP a b c 0.02"))
            tester.sendall(_words(back.format(now)))
            tester.recv(100)
            assert waiter.recv(100) == b"*-1\r\n"


def _ask(connection: socket.socket, command: str) -> bytes:
    connection.sendall(_words(command))
    return connection.recv(100)


def _words(command: str) -> bytes:
    return encode(command.encode().split(), 2)
