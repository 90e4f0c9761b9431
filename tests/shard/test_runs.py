"""What goes on between two commands of a run: each is counted, remembered and followed by those who wait, once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from respcache.shard import serving, wire, worker
from respcache.store.call import Caller
from respcache.store.reports import INVALIDATED, SERVED, UNFINISHED
from tests.shard.conftest import Child

READER, WAITER, WRITER = (Caller(db=0, protocol=2, client=client, touch=True) for client in (7, 8, 9))
LARGE = b"x" * 400
HERE = "b"  # a key of the first of two shards


@pytest.fixture(autouse=True)
def small_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three large replies fill a frame."""
    monkeypatch.setattr(worker, "ANSWER_BYTES", 1000)
    monkeypatch.setattr(serving, "ANSWER_BYTES", 1000)


def calls(child: Child) -> dict[str, tuple[int, int]]:
    """Calls and failed calls by command, of what has run since this was asked before."""
    stats, _ = child.ask(wire.stats(memory=False), wire.reset_stats())
    return {name: (count, failed) for name, (count, _, failed, _, _) in stats["commands"].items()}


@pytest.mark.parametrize(("alike", "reads", "waits", "measured"), list(product((False, True), repeat=4)))
def test_each_command_once(child: Child, *, alike: bool, reads: bool, waits: bool, measured: bool) -> None:
    child.run(f"SET large {LARGE.decode()}", "LPUSH list 1")
    child.send(wire.reader(READER.client, reads))
    if waits:
        child.send(wire.wait(WAITER, 1, [b"BLPOP", b"other", b"0"]))
    if measured:
        child.worker._timing.each_one = True
    calls(child)
    run = [b"GET large", b"GET large", b"GET list", b"GET large", b"GET gone", b"GET large"]
    frames = child.send(wire.run(READER, [words.split() for words in run], False, alike))
    replies = [reply for frame in frames for piece in frame.results for reply in piece]
    assert [reply[:1] for reply in replies] == [b"$", b"$", b"-", b"$", b"$", b"$"]
    assert [report[0] for frame in frames for report in frame.reports] == [UNFINISHED] * (len(frames) - 1)
    assert len(frames) == 2
    assert calls(child) == {"get": (6, 1)}
    (frame,) = child.send(wire.run(WRITER, [[b"DEL", b"large", b"list", b"gone"], [b"SET", b"gone", b"1"]], True))
    told = [key for report in frame.reports if report[0] == INVALIDATED for key in report[-1]]
    assert told == ([b"large", b"list", b"gone"] if reads else [])


@pytest.mark.parametrize("reads", [False, True])
def test_those_who_wait_are_served_in_between(child: Child, *, reads: bool) -> None:
    """What the caller has read is remembered before them, and what they take is theirs."""
    child.send(wire.reader(READER.client, reads))
    for number in (1, 2):
        child.send(wire.wait(WAITER, number, [b"BLPOP", b"list", b"0"]))
    calls(child)
    push = [b"RPUSH", b"list", LARGE, LARGE]
    run = [[b"LLEN", b"list"], push, [b"GET", b"large"], [b"LLEN", b"list"], [b"GET", b"b"]]
    frames = child.send(wire.run(READER, run, False))
    reports = [report for frame in frames for report in frame.reports]
    told = [report[-1] for report in reports if report[0] == INVALIDATED]
    assert told == ([[b"list"]] if reads else [])  # by RPUSH; what they have taken came before it was read again
    assert [report[0] for report in reports if report[0] != INVALIDATED] == [SERVED] * 2
    replies = [reply for frame in frames for piece in frame.results for reply in piece]
    assert replies == [b":0\r\n", b":2\r\n", b"$-1\r\n", b":0\r\n", b"$-1\r\n"]
    assert calls(child) == {"llen": (2, 0), "get": (2, 0), "rpush": (1, 0), "blpop": (2, 0)}


def test_those_who_wait_are_served_before_the_rest_of_a_run(child: Child) -> None:
    """The frame is full at the very command that brings something."""
    child.run(f"SET large {LARGE.decode()}", f"RPUSH source {LARGE.decode()}")
    child.send(wire.wait(WAITER, 1, [b"BLPOP", b"list", b"0"]))
    run = [[b"GET", b"large"], [b"GET", b"large"], [b"RPOPLPUSH", b"source", b"list"], [b"LPOP", b"list"]]
    frames = child.send(wire.run(WRITER, run, False))
    assert [report[0] for frame in frames for report in frame.reports] == [UNFINISHED, SERVED]
    assert [frame.results[0][-1][:2] for frame in frames] == [b"$4", b"$-"]


def test_what_is_carried_is_counted_when_it_has_run(children: Callable[[int], list[Child]]) -> None:
    """It lacks a key at first, and runs again with it. Only the keys that the command names have been read."""
    home, _ = children(2)
    home.run(f"RPUSH {HERE} 1")
    home.send(wire.reader(READER.client, True))
    calls(home)
    sort = [b"SORT_RO", HERE.encode(), b"BY", b"c*"]
    ((reply, _, required),) = home.ask(wire.carry(READER, sort, []))
    assert (reply, required) == (b"", [(0, b"c1")])
    assert calls(home) == {}
    ((reply, _, required),) = home.ask(wire.carry(READER, sort, [(0, b"c1", None, None, None)]))
    assert (reply, required) == (b"*1\r\n$1\r\n1\r\n", [])
    assert calls(home) == {"sort_ro": (1, 0)}
    (frame,) = home.send(wire.run(WRITER, [[b"DEL", HERE.encode()]], True))
    assert [report[-1] for report in frame.reports] == [[HERE.encode()]]


def test_a_transaction_that_takes_several_frames(child: Child) -> None:
    child.run(f"SET large {LARGE.decode()}")
    child.send(wire.reader(READER.client, True), wire.watch(READER.client, [(0, b"w")]))
    calls(child)
    commands = [[b"GET", b"large"]] * 4 + [[b"LPUSH", b"large", b"x"]]
    assert len(child.send(wire.execute(READER, True, commands))) == 2
    assert calls(child) == {"exec": (1, 0), "get": (4, 0), "lpush": (1, 1)}
    child.send(wire.watch(READER.client, [(0, b"w")]))
    child.run("SET w 1")
    calls(child)
    assert child.ask(wire.execute(READER, True, commands)) == [None]
    assert calls(child) == {"exec": (1, 0)}
