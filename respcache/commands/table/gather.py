"""How the replies of several shards to parts of one command merge into its reply."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any, NamedTuple

from respcache.resp.types import OK, Reply


class Part(NamedTuple):
    """The answer of one shard to its part of a split command."""

    reply: Any
    positions: list[int]  # the indexes of its keys in the words of the whole command


Gather = Callable[[list[Part]], Reply]


def total(parts: list[Part]) -> Reply:
    """Counts add up (DEL, EXISTS, DBSIZE)."""
    return sum(int(part.reply) for part in parts)


def all_succeeded(parts: list[Part]) -> Reply:
    """Every shard says OK (FLUSHALL, MSET); the parts themselves carry nothing."""
    return OK


def concatenated(parts: list[Part]) -> Reply:
    """Lists one after the other (KEYS)."""
    return list(chain.from_iterable(part.reply for part in parts))


def in_key_order(parts: list[Part]) -> Reply:
    """One element per key, in the order of the keys, which are all words from the first one on (MGET)."""
    first = min(part.positions[0] for part in parts)
    merged: list[Reply] = [None] * (first + sum(len(part.positions) for part in parts))
    for part in parts:
        for position, item in zip(part.positions, part.reply, strict=True):
            merged[position] = item
    return merged[first:]
