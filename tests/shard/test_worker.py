"""Runs, transactions and parts: their answers, how answers are cut, and what happens on failures."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from respcache import errors
from respcache.commands.table import TABLE
from respcache.shard import carrying, wire, worker
from respcache.store.call import Caller
from tests.shard.conftest import Child, words

TOO_LARGE = b"-ERR reply exceeds the maximum allowed size (512 MB)\r\n"
INTERNAL = b"-ERR internal error: the server's log has the traceback\r\n"


@pytest.fixture
def small_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of 1 KB, replies of 10 KB."""
    monkeypatch.setattr(worker, "ANSWER_BYTES", 1000)
    monkeypatch.setattr(worker, "MAX_RESULT", 10_000)
    monkeypatch.setattr(carrying, "MAX_RESULT", 10_000)


class TestRun:
    def test_whole_and_in_pieces(self, child: Child) -> None:
        commands = [words("SET k v"), words("GET k"), words("GET none"), words("INCR n"), words("LRANGE l 0 -1")]
        whole, single = child.ask(
            wire.run(child.caller, commands, whole=True), wire.run(child.caller, commands, whole=False)
        )
        assert whole == b"+OK\r\n$1\r\nv\r\n$-1\r\n:1\r\n*0\r\n"
        assert single == [b"+OK\r\n", b"$1\r\nv\r\n", b"$-1\r\n", b":2\r\n", b"*0\r\n"]

    @pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 1000])
    def test_strings_of_all_sizes(self, child: Child, size: int) -> None:
        value = b"v" * size
        run = wire.run(child.caller, [[b"SET", b"k", value], [b"GET", b"k"]], whole=True)
        assert child.ask(run) == [b"+OK\r\n$%d\r\n%b\r\n" % (size, value)]

    @pytest.mark.parametrize("name", ["GET", "get", "gEt"])
    def test_any_spelling(self, child: Child, name: str) -> None:
        assert child.run("SET k v", f"{name} k") == [b"+OK\r\n", b"$1\r\nv\r\n"]

    def test_subcommands(self, child: Child) -> None:
        assert child.run("SET k 1", "object encoding k", "OBJECT ENCODING k") == [b"+OK\r\n", *[b"$3\r\nint\r\n"] * 2]

    def test_for_the_caller(self, child: Child) -> None:
        other = Caller(db=3, protocol=3, client=8, touch=True)
        assert child.run("SET k v", "HSET h f v") == [b"+OK\r\n", b":1\r\n"]
        assert child.run("GET k", "HGETALL h", "HSET h f v", "HGETALL h", caller=other) == [
            b"_\r\n", b"%0\r\n", b":1\r\n", b"%1\r\n$1\r\nf\r\n$1\r\nv\r\n",
        ]  # fmt: skip
        assert child.run("HGETALL h") == [b"*2\r\n$1\r\nf\r\n$1\r\nv\r\n"]

    def test_a_caller_that_does_not_touch(self, child: Child) -> None:
        child.run("SET k v")
        child.now += 5000
        assert child.run("GET k", caller=child.caller._replace(touch=False)) == [b"$1\r\nv\r\n"]
        assert child.run("OBJECT IDLETIME k") == [b":5\r\n"]

    def test_errors_go_on(self, child: Child) -> None:
        replies = child.run("SET k v", "LPUSH k a", "NOSUCH", "GET k")
        assert replies[1].startswith(b"-WRONGTYPE")
        assert replies[2].startswith(b"-ERR unknown command 'NOSUCH'")
        assert replies[3] == b"$1\r\nv\r\n"

    def test_a_frame_of_nothing(self, child: Child) -> None:
        assert child.send() == [(0, [], [])]
        assert child.ask(wire.run(child.caller, [], whole=True), wire.execute(child.caller, False, [])) == [b"", []]


@pytest.mark.usefixtures("small_answers")
class TestPieces:
    """Large answers are cut."""

    def test_a_run(self, child: Child) -> None:
        child.run("SET k " + "v" * 400)
        frames = child.send(wire.run(child.caller, [words("GET k")] * 8, whole=True), wire.is_dirty(1))
        reply = b"$400\r\n" + b"v" * 400 + b"\r\n"
        assert [frame.results for frame in frames] == [[reply * 3], [reply * 3], [reply * 2, True]]
        assert [frame.reports for frame in frames] == [[(wire.UNFINISHED, 0)], [(wire.UNFINISHED, 0)], []]

    def test_after_other_results(self, child: Child) -> None:
        """The limit is for the frame, not for each result: earlier results count."""
        child.run("SET k " + "v" * 400)
        get = wire.run(child.caller, [words("GET k")], whole=False)
        frames = child.send(get, get, wire.run(child.caller, [words("GET k")] * 2, whole=False), get)
        reply = b"$400\r\n" + b"v" * 400 + b"\r\n"
        assert [frame.results for frame in frames] == [[[reply]] * 3, [[reply]] * 2]
        assert [frame.reports for frame in frames] == [[(wire.UNFINISHED, 2)], []]

    def test_nothing_is_unfinished_when_the_last_reply_fills_the_frame(self, child: Child) -> None:
        child.run("SET k " + "v" * 2000)
        frames = child.send(*[wire.run(child.caller, [words("GET k")], whole=True)] * 2)
        assert [len(frame.results) for frame in frames] == [1, 1]
        assert [frame.reports for frame in frames] == [[], []]

    def test_a_transaction(self, child: Child) -> None:
        """It stays atomic: the shard does nothing else between the pieces."""
        child.run("SET k " + "v" * 600)
        item = wire.execute(child.caller, False, [words("APPEND k x"), words("GET k")] * 3)
        frames = child.send(item, wire.run(child.caller, [words("STRLEN k")], whole=True))
        assert [frame.reports for frame in frames] == [[(wire.UNFINISHED, 0)], []]
        replies = [reply for frame in frames for reply in frame.results[0]]
        assert replies[::2] == [b":601\r\n", b":602\r\n", b":603\r\n"]
        assert [len(reply) for reply in replies[1::2]] == [609, 610, 611]
        assert frames[-1].results[1] == b":603\r\n"

    def test_parts_and_loans_count(self, child: Child) -> None:
        child.run("SET k " + "v" * 600)
        part, loan = wire.part(child.caller, words("MGET k")), wire.borrow([(0, b"k")])
        frames = child.send(part, part, loan, loan, part)
        assert [len(frame.results) for frame in frames] == [2, 2, 1]
        assert all(frame.reports == [] for frame in frames)

    def test_errors_count(self, child: Child) -> None:
        frames = child.send(wire.run(child.caller, [words("NOSUCH " + "x" * 100)] * 30, whole=True))
        assert len(frames) > 3
        assert sum(frame.results[0].count(b"\r\n") for frame in frames) == 30

    @pytest.mark.parametrize("command", ["GET k", "LRANGE l 0 -1", "HGETALL h"])
    def test_a_reply_that_is_too_large(self, child: Child, command: str) -> None:
        child.send(
            wire.run(
                child.caller,
                [
                    [b"SET", b"k", b"v" * 10_001],
                    [b"RPUSH", b"l", *[b"v" * 1000] * 11],
                    [b"HSET", b"h", *[b"v" * 5000] * 2, *[b"w" * 5000] * 2],
                ],
                whole=True,
            )
        )
        frames = child.send(wire.run(child.caller, [words(command), words("INCR n")], whole=True))
        assert b"".join(frame.results[0] for frame in frames) == TOO_LARGE + b":1\r\n"

    def test_a_part_or_a_loan_that_is_too_large(self, child: Child) -> None:
        for key in "abc":
            child.run(f"SET {key} " + "v" * 4000)
        part = wire.part(child.caller, words("MGET a b c"))
        loan = wire.borrow([(0, b"a"), (0, b"b"), (0, b"c")])
        (frame,) = child.send(part, loan, wire.run(child.caller, [words("INCR n")], whole=True))
        assert frame.results == [None, None, b":1\r\n"]
        text = errors.REPLY_TOO_LARGE
        assert frame.reports == [(wire.FAILED, 0, text), (wire.FAILED, 1, text)]

    def test_a_long_transaction_is_not_copied_for_each_piece(self, child: Child) -> None:
        """The remaining commands come from an iterator, so the work is linear in their number."""
        child.run("SET k " + "v" * 1100)
        frames = child.send(wire.execute(child.caller, False, [words("GET k")] * 5000))
        assert len(frames) == 5000
        assert [frame.reports for frame in frames] == [*[[(wire.UNFINISHED, 0)]] * 4999, []]


def joined(frames: list[Any]) -> tuple[list[Any], list[tuple[Any, ...]]]:
    """All results and events, joined as main does. Each event here has the number of its item."""
    results: list[Any] = []
    events: list[tuple[Any, ...]] = []
    pieces: Any = None
    for frame in frames:
        first = len(results)
        for index, result in enumerate(frame.results):
            results.append(result if pieces is None or index else pieces + result)
            pieces = None
        events += [(first + report[1], *report[2:]) for report in frame.reports if report[0] == wire.EVENT]
        if (wire.UNFINISHED, len(frame.results) - 1) in frame.reports:
            pieces = results.pop()
    assert pieces is None
    return results, events


ITEMS = st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 300), max_size=6)), min_size=1, max_size=6)


@given(items=ITEMS, room=st.integers(0, 500))
@settings(deadline=None, max_examples=100)
def test_cutting_changes_nothing(items: list[tuple[bool, list[int]]], room: int) -> None:
    """Results, events and their order do not depend on where answers are cut."""

    def answers(child: Child) -> tuple[list[Any], list[tuple[Any, ...]]]:
        child.ask(wire.configure({"notify_keyspace_events": "KE$"}))
        runs = [
            wire.run(child.caller, [[b"GETSET", b"k%d" % size, b"v" * size] for size in sizes for _ in "12"], whole)
            for whole, sizes in items
        ]
        return joined(child.send(*runs))

    uncut = answers(Child())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "ANSWER_BYTES", room)
        assert answers(Child()) == uncut


class TestReports:
    """What main must hear, in order."""

    def test_events_belong_to_their_items(self, child: Child) -> None:
        child.ask(wire.configure({"notify_keyspace_events": "Eg$lx"}))
        (frame,) = child.send(
            wire.run(child.caller, [words("SET a 1 PX 10"), words("GET a"), words("RPUSH l x")], whole=True),
            wire.run(child.caller, [words("GET a")], whole=True),
            wire.execute(child.caller._replace(db=2), False, [words("LPUSH m x"), words("DEL m")]),
        )
        assert frame.reports == [
            (wire.EVENT, 0, 0, b"set", b"a"),
            (wire.EVENT, 0, 0, b"expire", b"a"),
            (wire.EVENT, 0, 0, b"rpush", b"l"),
            (wire.EVENT, 2, 2, b"lpush", b"m"),
            (wire.EVENT, 2, 2, b"del", b"m"),
        ]

    @pytest.mark.parametrize("classes", ["", "g$lshzxetd", "E", "Km"])
    def test_only_the_configured_classes(self, child: Child, classes: str) -> None:
        child.ask(wire.configure({"notify_keyspace_events": classes}))
        (frame,) = child.send(wire.run(child.caller, [words("SET a 1"), words("DEL a")], whole=True))
        assert frame.reports == []

    @pytest.mark.usefixtures("small_answers")
    def test_events_of_pieces(self, child: Child) -> None:
        child.ask(wire.configure({"notify_keyspace_events": "K$"}))
        value = "v" * 600
        run = wire.run(child.caller, [words(f"SET {key} {value} GET") for key in "aaaa"], whole=True)
        event = (wire.EVENT, 0, 0, b"set", b"a")
        frames = child.send(run)
        assert [frame.reports for frame in frames] == [[event] * 3 + [(wire.UNFINISHED, 0)], [event]]

    def test_the_next_deadline(self, child: Child) -> None:
        (frame,) = child.send(wire.run(child.caller, [words("SET a 1 PX 500"), words("SET b 1 PX 300")], whole=True))
        assert frame.next_deadline == child.now + 300
        (frame,) = child.send(wire.run(child.caller, [words("DEL b")], whole=True))
        assert frame.next_deadline == child.now + 500
        (frame,) = child.send(wire.run(child.caller, [words("PERSIST a")], whole=True))
        assert frame.next_deadline == 0


class TestParts:
    def test_plain_replies(self, child: Child) -> None:
        child.run("SET k v")
        items = [wire.part(child.caller, words(command)) for command in ("MGET k none", "DEL k", "FLUSHALL")]
        assert [reply for reply, _ in child.ask(*items)] == [[b"v", None], 1, None]

    def test_an_error_is_a_failure(self, child: Child) -> None:
        child.run("RPUSH l a")
        (frame,) = child.send(wire.part(child.caller, words("GET l")), wire.part(child.caller, words("DBSIZE")))
        assert [result and result[0] for result in frame.results] == [None, 1]
        assert frame.reports == [(wire.FAILED, 0, errors.WRONG_TYPE)]
        (stats,) = child.ask(wire.stats())
        assert stats["errors"] == {}  # main counts it, once for all parts


class TestTransactions:
    def test_the_check(self, child: Child) -> None:
        commands = [words("INCR n")]
        child.ask(wire.watch(7, [(0, b"k")]))
        assert child.ask(wire.execute(child.caller, True, commands)) == [[b":1\r\n"]]
        child.ask(wire.watch(7, [(0, b"k")]))
        child.run("SET k v", caller=child.caller._replace(client=8))
        assert child.ask(wire.execute(child.caller, True, commands), wire.is_dirty(7)) == [None, True]
        assert child.run("GET n") == [b"$1\r\n1\r\n"]

    def test_errors_go_on(self, child: Child) -> None:
        (replies,) = child.ask(wire.execute(child.caller, False, [words("SET k v"), words("INCR k"), words("GET k")]))
        assert replies == [b"+OK\r\n", b"-ERR value is not an integer or out of range\r\n", b"$1\r\nv\r\n"]


class TestBugs:
    """Internal failures: the client gets one error, the log has the traceback, and everything else goes on."""

    @pytest.fixture
    def broken(self, monkeypatch: pytest.MonkeyPatch) -> Child:
        def fail(*_: object) -> None:
            raise ZeroDivisionError("a bug")

        monkeypatch.setattr(TABLE[b"LLEN"], "handler", fail)
        return Child()

    def test_a_handler_that_fails(self, broken: Child, capfd: pytest.CaptureFixture[str]) -> None:
        commands = [words("RPUSH l a"), words("LLEN l"), words("lLeN l"), words("RPUSH l b")]
        run = wire.run(broken.caller, commands, whole=True)
        part = wire.part(broken.caller, words("LLEN l"))
        transaction = wire.execute(broken.caller, False, commands)
        carried = wire.carry(broken.caller, words("LLEN l"), [(0, b"guest", None, None, None)])
        (frame,) = broken.send(run, part, transaction, carried)
        assert frame.results == [
            b":1\r\n" + INTERNAL * 2 + b":2\r\n",
            None,
            [b":3\r\n", INTERNAL, INTERNAL, b":4\r\n"],
            (INTERNAL, [], []),
        ]
        assert frame.reports == [(wire.FAILED, 1, errors.INTERNAL)]
        assert capfd.readouterr().out.count("ZeroDivisionError: a bug") == 6

    def test_an_item_that_fails(self, child: Child, capfd: pytest.CaptureFixture[str]) -> None:
        """Not even an invalid item from main makes a shard lose its data."""
        bad = [wire.hand_back([(0, b"k", "no such type", b"", None)], 0), wire.configure({"no_such_setting": 1})]
        (frame,) = child.send(*bad, wire.run(child.caller, [words("INCR n")], whole=True))
        assert frame.results == [None, None, b":1\r\n"]
        assert frame.reports == [(wire.FAILED, 0, errors.INTERNAL), (wire.FAILED, 1, errors.INTERNAL)]
        assert capfd.readouterr().out.count("Traceback") == 2

    def test_a_part_that_cannot_travel(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """`marshal` would refuse it, and the whole frame with it."""
        monkeypatch.setattr(TABLE[b"LLEN"], "handler", lambda *_: [object()])
        child = Child()
        (frame,) = child.send(wire.part(child.caller, words("LLEN l")))
        assert frame.results == [None]
        assert frame.reports == [(wire.FAILED, 0, errors.INTERNAL)]
        assert "object is no plain data" in capfd.readouterr().out


def test_one_worker_per_shard() -> None:
    """Nothing is shared: two shards in one process have separate settings."""
    one, other = Child(), Child()
    one.ask(wire.configure({"list_max_listpack_size": 1}))
    for child in (one, other):
        child.run("RPUSH l a b")
    assert one.run("OBJECT ENCODING l") == [b"$9\r\nquicklist\r\n"]
    assert other.run("OBJECT ENCODING l") == [b"$8\r\nlistpack\r\n"]
