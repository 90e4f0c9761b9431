"""The listener when the system has nothing left to accept a client with (F10), on a fake socket."""

from __future__ import annotations

import errno
import socket
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

from respcache.alarms import Alarms
from respcache.server.io import listener as module
from respcache.server.io.listener import Listener
from respcache.server.io.poller import READ, Poller
from tests.support.house import FakeDescriptors, FakeSocket, FakeTime


class ListeningSocket:
    """Clients wait in `queue`. `shortage`: how accept fails; `spare`: how many clients can be accepted all the same."""

    family = socket.AF_UNIX

    def __init__(self) -> None:
        self.queue: deque[FakeSocket] = deque()
        self.shortage = 0
        self.closed = False

    def ready(self) -> int:
        return READ if self.queue else 0

    def fileno(self) -> int:
        return 1_000_000

    def setblocking(self, blocking: bool) -> None:
        assert not blocking

    def getsockname(self) -> str:
        return "/path"

    def accept(self) -> tuple[FakeSocket, str]:
        if not self.queue:
            raise BlockingIOError
        if self.shortage and not SYSTEM.spare:
            raise OSError(self.shortage, "no more of something")
        SYSTEM.spare = 0
        return self.queue.popleft(), ""

    def close(self) -> None:
        self.closed = True


class System:
    """Descriptors that are left."""

    spare = 0  # given back by the listener
    exhausted = False  # none comes back


SYSTEM = System()


class SpareDescriptor:
    def close(self) -> None:
        SYSTEM.spare = 1


def open_spare(*_args: Any) -> SpareDescriptor:
    if SYSTEM.exhausted:
        raise OSError(errno.EMFILE, "too many open files")
    SYSTEM.spare = 0
    return SpareDescriptor()


class Setup:
    def __init__(self) -> None:
        self.time = FakeTime()
        self.alarms = Alarms(self.time.clock())
        self.descriptors = FakeDescriptors()
        self.poller = Poller(self.descriptors)
        self.socket = ListeningSocket()
        self.descriptors.sockets[1_000_000] = self.socket  # type: ignore[assignment]  # another kind of fake
        self.accepted: list[tuple[Any, str, str]] = []
        self.failing = False
        self.listener = Listener(self.socket, self.poller, self.alarms, self.accept)  # type: ignore[arg-type]  # a fake

    def accept(self, sock: Any, peer: str, local: str) -> None:
        if self.failing:
            raise RuntimeError("a bug")
        self.accepted.append((sock, peer, local))

    def arrive(self, count: int) -> list[FakeSocket]:
        clients = [FakeSocket(number) for number in range(count)]
        self.socket.queue.extend(clients)
        return clients

    def rounds(self, most: int) -> int:
        """Let the poller turn while something is ready; how often it did."""
        for count in range(most):
            if not self.poller.turn():
                return count
        return most

    def pass_time(self, milliseconds: int) -> None:
        self.time.pass_(milliseconds / 1000)
        self.alarms.fire()


@pytest.fixture
def it(monkeypatch: pytest.MonkeyPatch) -> Iterator[Setup]:
    monkeypatch.setattr(module, "_spare_descriptor", open_spare)
    SYSTEM.exhausted, SYSTEM.spare = False, 0
    setup = Setup()
    yield setup
    setup.poller.close()


def test_clients_are_accepted_some_in_each_round(it: Setup) -> None:
    it.arrive(100)
    it.poller.turn()
    assert len(it.accepted) == 64
    it.poller.turn()
    assert len(it.accepted) == 100
    assert it.accepted[0][1:] == ("/path:0", "/path:0")


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_out_of_descriptors_clients_are_turned_away_one_by_one(it: Setup, number: int) -> None:
    it.socket.shortage = number
    clients = it.arrive(5)
    assert it.rounds(100) == 5
    assert [client.closed for client in clients] == [True] * 5
    assert not it.accepted
    it.socket.shortage = 0
    it.arrive(1)
    it.poller.turn()
    assert len(it.accepted) == 1


def test_without_a_spare_descriptor_nobody_is_accepted_for_a_moment(it: Setup) -> None:
    """Not even the descriptor that was given up for it comes back: the poller must not spin."""
    it.socket.shortage = errno.EMFILE
    SYSTEM.exhausted = True
    it.arrive(3)
    assert it.rounds(100) <= 2
    for _ in range(5):
        it.pass_time(101)
        assert it.rounds(100) == 1
    SYSTEM.exhausted = False
    it.pass_time(101)
    it.rounds(100)
    it.socket.shortage = 0
    it.pass_time(101)
    it.rounds(100)
    assert len(it.accepted) == 2


def test_other_failures_leave_the_client_to_the_next_round(it: Setup) -> None:
    """It hung up before it was accepted, for instance."""
    it.socket.shortage = errno.ECONNABORTED
    it.arrive(1)
    it.poller.turn()
    it.socket.shortage = 0
    it.poller.turn()
    assert len(it.accepted) == 1


def test_a_client_that_cannot_be_served_is_hung_up_on(it: Setup, capfd: pytest.CaptureFixture[str]) -> None:
    it.failing = True
    (client,) = it.arrive(1)
    it.poller.turn()
    assert client.closed
    assert "a bug" in capfd.readouterr().out
    it.failing = False
    it.arrive(1)
    it.poller.turn()
    assert len(it.accepted) == 1


def test_after_close_nothing_is_accepted_even_if_it_was_waiting_for_descriptors(it: Setup) -> None:
    it.socket.shortage = errno.EMFILE
    SYSTEM.exhausted = True
    it.arrive(1)
    it.rounds(10)
    it.listener.close()
    it.socket.shortage = 0
    it.pass_time(1000)
    assert not it.poller.turn()
    assert it.socket.closed
    assert not it.accepted
