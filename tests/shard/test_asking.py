"""A shard asks main something in the middle of an item, and waits for the answer."""

from __future__ import annotations

from typing import Any

import pytest

from respcache.commands.table import TABLE
from respcache.shard import wire
from tests.shard.conftest import NOW, Child, words

KIND = 99


@pytest.fixture
def asking(child: Child, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Child:
    """LLEN asks main, and replies with the answer."""

    def llen(*_: object) -> Any:
        return child.worker.ask(KIND, b"what", nested=request.param)

    monkeypatch.setattr(TABLE[b"LLEN"], "handler", llen)
    child.worker._handlers[b"LLEN"] = llen
    return child


@pytest.mark.parametrize(("asking", "reports"), [(False, []), (True, [(wire.RESUMED, 0)])], indirect=["asking"])
def test_what_has_happened_so_far_comes_with_it(asking: Child, reports: list[Any]) -> None:
    asking.main.frames.append((None, b"that"))
    run = [wire.run(asking.caller, [words(command)], whole=True) for command in ("SET k v", "LLEN l", "GET k")]
    (frame,) = asking.send(*run)
    assert [sent[1:] for sent in asking.main.sent] == [([b"+OK\r\n"], [(wire.ASK, 1, 0, KIND, b"what")])]
    assert frame[1:] == ([b"$4\r\nthat\r\n", b"$1\r\nv\r\n"], reports)


@pytest.mark.parametrize("asking", [False], indirect=True)
def test_other_frames_wait(asking: Child) -> None:
    later = [(NOW, [wire.tick()]), (NOW + 1, [wire.stats()])]
    asking.main.frames.extend([*later, (None, b"that")])
    (frame,) = asking.send(wire.run(asking.caller, [words("LLEN l")], whole=True))
    assert frame.results == [b"$4\r\nthat\r\n"]
    assert [*asking.main.frames] == later


@pytest.mark.parametrize("asking", [True], indirect=True)
def test_other_frames_are_let_in(asking: Child) -> None:
    """They leave nothing behind that the item would notice: neither their caller nor their time."""
    other = asking.caller._replace(db=3, protocol=3, client=8)
    nested = wire.run(other, [words("SET k in-3"), words("OBJECT ENCODING k")], whole=True)
    asking.main.frames.extend([(-NOW - 5, [nested]), (None, b"that")])
    commands = [words(command) for command in ("SET k in-0", "LLEN l", "GET k", "OBJECT FREQ none")]
    (frame,) = asking.send(wire.run(asking.caller, commands, whole=True))
    assert frame.results == [b"+OK\r\n$4\r\nthat\r\n$4\r\nin-0\r\n$-1\r\n"]
    assert [sent.results for sent in asking.main.sent] == [[], [b"+OK\r\n$6\r\nembstr\r\n"]]
    assert asking.shard.now == NOW
    assert not asking.worker.within_unit


@pytest.mark.parametrize("asking", [False, True], indirect=True)
def test_it_ends_when_main_is_gone(asking: Child) -> None:
    with pytest.raises(SystemExit):
        asking.send(wire.run(asking.caller, [words("LLEN l")], whole=True))
