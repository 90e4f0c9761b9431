"""Clients that wait in a shard, by its frames."""

from __future__ import annotations

import pytest

from respcache.shard import serving, wire
from tests.shard.conftest import Child, words


def test_many_large_replies_take_several_frames(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    """One entry is for all who read the stream: no frame holds much more than its bound."""
    monkeypatch.setattr(serving, "ANSWER_BYTES", 1000)
    for number in range(10):
        child.send(wire.wait(child.caller, number, words("XREAD BLOCK 0 STREAMS s $")))
    (frame,) = child.send(wire.run(child.caller, [[b"XADD", b"s", b"1-1", b"f", b"x" * 400]], whole=True))
    frames = [*child.main.sent, frame]
    assert [report[2] for sent in frames for report in sent.reports] == [*range(10)]
    assert [len(sent.reports) for sent in frames] == [3, 3, 3, 1]
    assert [result for sent in frames for result in sent.results] == [b"$3\r\n1-1\r\n"]
    assert all(index == len(sent.results) for sent in frames[:-1] for _, index, *_ in sent.reports)
