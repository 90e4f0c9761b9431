"""Replies with many copies of a long string."""

from __future__ import annotations

import tracemalloc

import pytest

from respcache.commands.args import Args
from respcache.commands.table import TABLE
from respcache.errors import REPLY_TOO_LARGE, CommandError
from respcache.store.shard import Event, Shard


@pytest.mark.parametrize("words", [(b"MGET", *[b"k"] * 1024), (b"SORT_RO", b"l", b"BY", b"no", b"GET", b"k*")])
def test_a_reply_that_is_too_large_is_not_copied_first(words: tuple[bytes, ...]) -> None:
    shard = Shard(1)
    shard.put(b"k", bytearray(1 << 20), Event.STRING, b"append")
    TABLE[b"RPUSH"].handler(shard, Args([b"RPUSH", b"l", *[b""] * 1024]))
    tracemalloc.start()
    try:
        with pytest.raises(CommandError, match="maximum allowed size") as error:
            TABLE[words[0]].handler(shard, Args([*words]))
        assert error.value.text == REPLY_TOO_LARGE
        assert tracemalloc.get_traced_memory()[1] < 600 << 20
    finally:
        tracemalloc.stop()
