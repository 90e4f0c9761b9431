"""What of a suite is left out, and what counts as lost."""

from __future__ import annotations

import socket

from compat.suites.base import Tally, skips
from compat.suites.run import below
from compat.targets import DEFAULT_PORT, default_port

INSISTENT = "tests/test_commands.py::TestRedisCommands::test_client_setinfo"


def test_the_default_port_lets_more_tests_run() -> None:
    elsewhere, there = skips("redis_py", 1234), skips("redis_py", DEFAULT_PORT)
    assert "port 6379" in elsewhere[INSISTENT]
    assert INSISTENT not in there
    assert there.items() < elsewhere.items()
    assert not any("port 6379" in reason for reason in there.values())


def test_a_taken_port_is_left_alone() -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind(("127.0.0.1", DEFAULT_PORT))
            holder.listen()
        except OSError:
            pass  # another process has the port: the same case
        assert default_port() == 0


def test_the_bar_is_what_the_genuine_server_passes() -> None:
    genuine = Tally(passed=["a", "b", "twice", "twice", "gone"], failed={"c": "fails there"})
    ours = Tally(passed=["a", "c", "twice"], failed={"b": "wrong", "twice": "wrong once"})
    assert list(below(genuine, ours)) == [("b", "wrong"), ("gone", "was not reached"), ("twice", "wrong once")]
