"""LATENCY: what took long, when, and what can be said about it. Its histograms are in test_commandstats.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.resp import Connection
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

SLOW = ("EVAL", "for i = 1, 10000000 do end", 0)  # some tens of milliseconds


@pytest.fixture(autouse=True)
def monitored(do: Transcript) -> Iterator[None]:
    """What takes 10 ms is an event, and there is none yet."""
    do("LATENCY", "RESET")
    do("CONFIG", "SET", "latency-monitor-threshold", 10)
    yield
    do("CONFIG", "SET", "latency-monitor-threshold", 0)


def text(do: Transcript, *words: str) -> str:
    """A verbatim reply."""
    reply = do(*words)
    return str(reply).removeprefix("txt:") if do.protocol == 3 else reply.decode()


def test_nothing_at_first(do: Transcript) -> None:
    do("SET", "k", "v")
    assert do("LATENCY", "LATEST") == []
    assert do("LATENCY", "HISTORY", "command") == []
    assert do("LATENCY", "RESET") == 0


def test_a_slow_command(do: Transcript) -> None:
    do(*SLOW)
    ((event, time, latest, longest),) = do("LATENCY", "LATEST")
    assert event == b"command"
    assert abs(time - int(do("TIME")[0])) <= 5
    assert 10 <= latest <= longest
    assert do("LATENCY", "HISTORY", "command") == [[time, latest]]
    assert do("LATENCY", "HISTORY", "nosuch") == []


def test_what_a_script_calls_counts_too(do: Transcript) -> None:
    do("RPUSH", "l", *range(20_000))
    do("LATENCY", "RESET")
    do("CONFIG", "SET", "latency-monitor-threshold", 1)
    do("EVAL", "return #redis.call('SORT', KEYS[1], 'BY', 'nosuch*', 'ALPHA')", 1, "l")
    assert [row[0] for row in do("LATENCY", "LATEST")] == [b"command"]


def test_the_threshold(do: Transcript) -> None:
    do("CONFIG", "SET", "latency-monitor-threshold", 1_000_000)
    do(*SLOW)
    assert do("LATENCY", "LATEST") == []
    do("CONFIG", "SET", "latency-monitor-threshold", 0)
    do(*SLOW)
    assert do("LATENCY", "LATEST") == []


def test_resetting(do: Transcript) -> None:
    do(*SLOW)
    assert do("LATENCY", "RESET", "nosuch") == 0
    assert do("LATENCY", "RESET", "command", "command", "nosuch") == 1
    assert do("LATENCY", "LATEST") == []
    do(*SLOW)
    assert do("LATENCY", "RESET") == 1
    assert do("LATENCY", "LATEST") == []


def test_it_comes_after_what_was_sent_before(do: Transcript, connect: type[Connection]) -> None:
    replies = connect().pipeline(SLOW, ("LATENCY", "LATEST"))
    assert [row[0] for row in replies[1]] == [b"command"]


def test_a_graph(do: Transcript) -> None:
    do(*SLOW)
    ((_, _, latest, longest),) = do("LATENCY", "LATEST")
    lines = text(do, "LATENCY", "GRAPH", "command").split("\n")
    assert lines[0] == f"command - high {latest} ms, low {latest} ms (all time high {longest} ms)"
    assert lines[1] == "-" * 80
    assert lines[2:7] == [" ", " ", " ", "_", " "]
    assert lines[7:] in (["0", "s", ""], ["1", "s", ""])
    assert do.error("LATENCY", "GRAPH", "nosuch") == "ERR No samples available for event 'nosuch'"


def test_the_doctor(do: Transcript) -> None:
    assert "spike was observed" in text(do, "LATENCY", "DOCTOR")
    do(*SLOW)
    ((_, _, latest, longest),) = do("LATENCY", "LATEST")
    said = text(do, "LATENCY", "DOCTOR")
    assert f"1. command: 1 latency spikes (average {latest}ms, mean deviation 0ms, period 1.00 sec)" in said
    assert f"Worst all time event {longest}ms." in said
    do("LATENCY", "RESET")
    do("CONFIG", "SET", "latency-monitor-threshold", 0)
    assert "Latency monitoring is disabled" in text(do, "LATENCY", "DOCTOR")


def test_expiry(do: Transcript) -> None:
    do("EVAL", "for i = 1, 200000 do redis.call('SADD', KEYS[1], i) end", 1, "large")
    do("CONFIG", "SET", "latency-monitor-threshold", 1)
    do("LATENCY", "RESET")
    do("PEXPIRE", "large", 1)
    assert eventually(lambda: do("DBSIZE") == 0)
    assert b"expire-cycle" in [row[0] for row in do("LATENCY", "LATEST")]


@pytest.mark.respcache_only(reason="the virtual clock")
class TestVirtualTime:
    def test_samples(self, do: Transcript) -> None:
        """Of each second the longest is kept, of each event the latest 160."""
        do("CONFIG", "SET", "latency-monitor-threshold", 1)
        do("RESPCACHE", "CLOCK", "FREEZE")
        do("RESPCACHE", "CLOCK", "SET", 1_000_000_000_000)
        times = [1_000_000_000 + second for second in range(170)]
        for _ in times:
            do("EVAL", "for i = 1, 500000 do end", 0)
            do("EVAL", "for i = 1, 300000 do end", 0)
            do("RESPCACHE", "CLOCK", "ADVANCE", 1000)
        history = do("LATENCY", "HISTORY", "command")
        assert [time for time, _ in history] == times[-160:]
        ((_, last, latest, longest),) = do("LATENCY", "LATEST")
        assert (last, latest) == tuple(history[-1])
        assert longest >= max(milliseconds for _, milliseconds in history)

    def test_ages(self, do: Transcript) -> None:
        do("RESPCACHE", "CLOCK", "FREEZE")
        for milliseconds in (86_400_000, 3_600_000, 120_000, 5_000):
            do(*SLOW)
            do("RESPCACHE", "CLOCK", "ADVANCE", milliseconds)
        labels = text(do, "LATENCY", "GRAPH", "command").split("\n")[7:-1]
        columns = ["".join(column).strip() for column in zip(*labels, strict=True)]
        assert columns == ["1d", "1h", "2m", "5s"]

    def test_reset(self, do: Transcript) -> None:
        do(*SLOW)
        do("RESPCACHE", "RESET")
        assert do("LATENCY", "LATEST") == []


def test_errors(do: Transcript) -> None:
    assert do.error("LATENCY") == "ERR wrong number of arguments for 'latency' command"
    assert do.error("LATENCY", "LATEST", "x") == "ERR wrong number of arguments for 'latency|latest' command"
    assert do.error("LATENCY", "GRAPH") == "ERR wrong number of arguments for 'latency|graph' command"
    assert do.error("LATENCY", "NOSUCH") == "ERR unknown subcommand 'NOSUCH'. Try LATENCY HELP."
    assert do.error("EVAL", "return redis.call('LATENCY', 'LATEST')", 0).startswith("ERR This Redis command is not")
