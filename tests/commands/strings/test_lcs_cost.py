"""How the cost of LCS grows with the strings."""

from __future__ import annotations

import random
from functools import partial

import pytest

from respcache.commands.args import Args
from respcache.commands.strings.lcs import lcs
from respcache.store.shard import Event, Shard
from tests.support.cost import calls_in


@pytest.mark.parametrize(("size", "other_size"), [(5000, 5000), (1_000_000, 12), (12, 1_000_000)])
def test_long_strings_take_a_step_per_row(size: int, other_size: int) -> None:
    """A step for each element of the table would be 12 million or more."""
    chance = random.Random(13)
    shard = Shard()
    for key, length in ((b"a", size), (b"b", other_size)):
        shard.put(key, bytes(chance.choices(b"abcdefgh", k=length)), Event.STRING, b"set")
    for options in ([b"LEN"], []):
        calls = calls_in(partial(lcs, shard, Args([b"LCS", b"a", b"b", *options])))
        assert calls < 2_100_000, calls
