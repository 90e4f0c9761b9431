"""LCS: the longest common subsequence of two strings."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from respcache.commands.table import READ, READONLY, family
from respcache.errors import LCS_LENGTH_AND_INDEXES, LCS_NOT_STRINGS, LCS_OUT_OF_MEMORY, CommandError, WrongSyntax
from respcache.resp.types import Reply

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.store.shard import Shard

command = family("string")

# A stretch that both strings share: where it begins and ends in the first, then in the second; ends included.
Match = tuple[int, int, int, int]

_CELL = array("I").itemsize


@command(
    "LCS",
    "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
    arity=-3,
    keys=READ.at(1, 2),
    flags=READONLY,
    since="7.0.0",
)
def lcs(shard: Shard, args: Args) -> Reply:
    """Return the longest common subsequence of two strings, its length, or where its parts are."""
    # Unlike elsewhere, Redis looks at the keys before it looks at the options.
    first, second = _string(shard, args.next()), _string(shard, args.next())
    only_length = indexes = with_lengths = False
    shortest = 0
    while len(args):
        match args.option():
            case b"LEN":
                only_length = True
            case b"IDX":
                indexes = True
            case b"WITHMATCHLEN":
                with_lengths = True
            case b"MINMATCHLEN" if len(args):
                shortest = max(0, args.int())
            case _:
                raise WrongSyntax
    if only_length and indexes:
        raise CommandError(LCS_LENGTH_AND_INDEXES)
    if (len(first) + 1) * (len(second) + 1) * _CELL > shard.limits.proto_max_bulk_len:
        raise CommandError(LCS_OUT_OF_MEMORY)

    lengths = _lengths(first, second)
    length = lengths[-1][-1]
    if only_length:
        return length
    matches = _matches(first, second, lengths)
    if not indexes:
        return b"".join(first[start : end + 1] for start, end, _, _ in reversed(matches))
    shown: list[Reply] = []
    for start, end, other_start, other_end in matches:
        if end - start + 1 >= shortest:
            ranges: list[Reply] = [[start, end], [other_start, other_end]]
            shown.append([*ranges, end - start + 1] if with_lengths else ranges)
    return {b"matches": shown, b"len": length}


def _string(shard: Shard, key: bytes) -> bytes:
    value = shard.look(key)
    if value is None:
        return b""
    if type(value) not in (bytes, bytearray):
        raise CommandError(LCS_NOT_STRINGS)
    return bytes(value)


def _lengths(first: bytes, second: bytes) -> list[array[int]]:
    """The usual table: row i, column j holds the length for the first i bytes of one and j bytes of the other."""
    above = array("I", bytes(_CELL * (len(second) + 1)))
    rows = [above]
    for byte in first:
        row = array("I", (0,))
        left = 0
        for at, other in enumerate(second):
            left = above[at] + 1 if byte == other else max(left, above[at + 1])
            row.append(left)
        rows.append(row)
        above = row
    return rows


def _matches(first: bytes, second: bytes, lengths: list[array[int]]) -> list[Match]:
    """The stretches of one longest common subsequence, the last one first, as Redis walks through the table."""
    matches: list[Match] = []
    i, j = len(first), len(second)
    while i and j:
        if first[i - 1] == second[j - 1]:
            i, j = i - 1, j - 1
            if matches and (matches[-1][0], matches[-1][2]) == (i + 1, j + 1):
                _, end, _, other_end = matches.pop()
                matches.append((i, end, j, other_end))
            else:
                matches.append((i, i, j, j))
        elif lengths[i - 1][j] > lengths[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return matches
