"""The pipes of a shard, with real pipes."""

from __future__ import annotations

import os

import pytest

from respcache.shard import channel
from respcache.shard.channel import Pipes
from respcache.shard.wire import pack

FIRST, SECOND = (1, [b"first"]), (2, [b"second"])


def test_a_shard_that_has_polled_enough_reads_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "_MOST_POLLED", 10)
    source, main = os.pipe()
    try:
        pipes = Pipes(source, main)
        os.write(main, pack(FIRST))
        assert [*pipes.poll()] == [FIRST]
        assert [*pipes.poll()] == [FIRST]  # there is nothing more, and main is still there
        os.write(main, pack(SECOND))
        assert [*pipes.poll()] == [FIRST]
        assert pipes.receive() == FIRST
        assert pipes.receive() == SECOND
        assert [*pipes.poll()] == []
    finally:
        os.close(source)
        os.close(main)
