"""Bytes to and from one socket: what the kernel does not take waits, and the end is told once."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from respcache.server.io.poller import READ, WRITE, Poller
from respcache.server.io.transport import SocketTransport
from tests.support.house import FakeDescriptors, FakeSocket


class Notes:
    """A receiver that writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[object] = []
        self.failing = False

    def feed(self, data: bytes) -> None:
        self.heard.append(data)
        if self.failing:
            raise RuntimeError("a bug")

    def end_of_input(self) -> None:
        self.heard.append("end")

    def room(self) -> None:
        self.heard.append("room")

    def disconnected(self) -> None:
        self.heard.append("disconnected")


class Setup:
    def __init__(self) -> None:
        self.descriptors = FakeDescriptors()
        self.poller = Poller(self.descriptors)
        self.socket = FakeSocket(1_000_000)
        self.descriptors.sockets[1_000_000] = self.socket
        self.transport = SocketTransport(self.socket, self.poller, "peer", "local")  # type: ignore[arg-type]  # a fake
        self.notes = Notes()
        self.transport.receive_with(self.notes)

    def watched(self) -> int:
        """What the poller watches the socket for."""
        return self.descriptors.watched.get(1_000_000, (0, None))[0]


@pytest.fixture
def it() -> Iterator[Setup]:
    setup = Setup()
    yield setup
    setup.poller.close()


def test_what_the_kernel_takes_is_sent_at_once(it: Setup) -> None:
    it.transport.write(b"abc")
    assert it.socket.writes == [(b"abc", 0)]
    assert it.transport.unsent == 0
    assert it.watched() == READ


def test_the_rest_waits_and_goes_out_in_order(it: Setup) -> None:
    it.socket.room = 2
    it.transport.write(b"abc")
    it.transport.write(b"def")
    assert it.transport.unsent == 4
    assert it.watched() == READ | WRITE
    it.socket.room = 3
    it.poller.turn()
    assert bytes(it.socket.sent) == b"abcde"
    assert it.transport.unsent == 1
    it.socket.room = None
    it.poller.turn()
    assert bytes(it.socket.sent) == b"abcdef"
    assert it.transport.unsent == 0
    assert it.watched() == READ
    assert it.notes.heard == ["room", "room"]


def test_the_last_bytes_and_the_end_go_out_together(it: Setup) -> None:
    it.transport.write_last(b"+OK\r\n")
    assert it.socket.writes == [(b"+OK\r\n", getattr(socket, "MSG_MORE", 0))]
    assert it.socket.closed
    assert it.notes.heard == ["disconnected"]


def test_it_is_closed_once_everything_is_taken(it: Setup) -> None:
    it.socket.room = 1
    it.transport.write(b"abc")
    it.transport.write_last(b"def")
    it.transport.write(b"too late")
    it.socket.chunks.append(b"not read any more")
    assert it.watched() == WRITE
    it.socket.room = 2
    it.poller.turn()
    assert not it.socket.closed
    it.socket.room = None
    it.poller.turn()
    assert it.socket.closed
    assert bytes(it.socket.sent) == b"abcdef"
    assert it.notes.heard == ["room", "disconnected"]
    assert it.transport.unsent == 0


@pytest.mark.parametrize("found_out_by", ["receiving", "sending", "sending what waited", "sending the last bytes"])
def test_a_connection_that_breaks_is_told_of_once(it: Setup, found_out_by: str) -> None:
    match found_out_by:
        case "receiving":
            it.socket.broken = True
            it.poller.turn()
        case "sending":
            it.socket.broken = True
            it.transport.write(b"x")
        case "sending what waited":
            it.socket.room = 0
            it.transport.write(b"x")
            it.socket.broken = True
            it.poller.turn()
        case "sending the last bytes":
            it.socket.broken = True
            it.transport.write_last(b"x")
    it.transport.write(b"more")
    it.transport.close()
    it.transport.close(after_writing=True)
    assert it.socket.closed
    assert it.notes.heard == ["disconnected"]
    assert it.transport.unsent == 0
    assert it.watched() == 0


def test_after_the_end_of_input_replies_are_still_sent(it: Setup) -> None:
    it.socket.chunks.append(b"PING\r\n")
    it.socket.ended = True
    it.poller.turn()
    it.poller.turn()
    assert it.notes.heard == [b"PING\r\n", "end"]
    assert it.watched() == 0
    it.transport.write(b"+PONG\r\n")
    assert bytes(it.socket.sent) == b"+PONG\r\n"


def test_while_reading_is_paused_nothing_is_received(it: Setup) -> None:
    it.transport.pause_reading(True)
    it.socket.chunks.append(b"x")
    assert not it.poller.turn()
    it.transport.pause_reading(False)
    it.poller.turn()
    assert it.notes.heard == [b"x"]


@pytest.mark.parametrize("state", ["after the end of input", "while it is being closed"])
def test_resuming_does_not_read_what_will_never_come(it: Setup, state: str) -> None:
    """A client stalled by congestion goes on, but its input has ended meanwhile."""
    if state == "after the end of input":
        it.socket.ended = True
        it.poller.turn()
    else:
        it.socket.room = 0
        it.transport.write_last(b"x")
        it.socket.chunks.append(b"y")
    it.notes.heard.clear()
    it.transport.pause_reading(True)
    it.transport.pause_reading(False)
    it.poller.turn()
    assert it.notes.heard == []


def test_a_receiver_that_fails_costs_its_connection(it: Setup, capfd: pytest.CaptureFixture[str]) -> None:
    it.notes.failing = True
    it.socket.chunks.append(b"x")
    it.poller.turn()
    assert it.socket.closed
    assert it.notes.heard == [b"x", "disconnected"]
    assert "a bug" in capfd.readouterr().out
