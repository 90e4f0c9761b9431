"""LCS: the longest common subsequence of two strings.

The textbook table of n * m lengths is held as one Python integer per row, with a bit where the length grows by one: row
and column neighbours never differ by more. A row follows from the one above it by a few operations on whole integers
(Allison and Dix, "A bit-string longest-common-subsequence algorithm", 1986), so 5,000 by 5,000 bytes take milliseconds,
and the limit that Redis sets to the table (`proto-max-bulk-len`, at four bytes a length) is 16 MB of bits here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.table import READ, READONLY, family
from respcache.errors import LCS_LENGTH_AND_INDEXES, LCS_NOT_STRINGS, LCS_OUT_OF_MEMORY, CommandError, WrongSyntax
from respcache.resp.types import Reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from respcache.commands.args import Args
    from respcache.store.shard import Shard

command = family("string")

# A stretch that both strings share: where it begins and ends in the first, then in the second; ends included.
Match = tuple[int, int, int, int]

# Where the bytes of the shorter string stand in the longer one, as bits.
Places = dict[int, int]

_CELL = 4  # bytes that Redis needs per length


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

    # One row per byte of the shorter string: the limit above bounds their number, and wide rows cost little.
    by_row = len(first) <= len(second)
    shorter, longer = (first, second) if by_row else (second, first)
    places = {byte: _places(longer, byte) for byte in set(shorter)}
    rows = _rows(shorter, places, keep=not only_length)
    length = rows[-1].bit_count()
    if only_length:
        return length
    path = _path_by_row(first, second, rows, places) if by_row else _path_by_column(first, second, rows, places)
    matches = _joined(path)
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


def _rows(shorter: bytes, places: Places, *, keep: bool) -> list[int]:
    """The table, one row per byte of `shorter`, with an empty one above; without `keep`, only the last row.

    Bit k of row i says that the length for `shorter[:i]` and `longer[:k + 1]` is one more than that for `longer[:k]`.
    """
    row = 0
    rows = [row]
    for byte in shorter:
        # Within each run of bits that ends in a step of the row above, the lowest bit becomes the step. The subtraction
        # finds it in all runs at once: it borrows up to there.
        either = row | places[byte]
        row = either & (either ^ (either - (row << 1 | 1)))
        if keep:
            rows.append(row)
    return rows if keep else [row]


def _places(text: bytes, byte: int) -> int:
    """Where a byte stands in a string, as bits: bit k for index k."""
    digits = text[::-1].translate(b"0" * byte + b"1" + b"0" * (255 - byte))
    return int(digits or b"0", 2)


# Redis finds one longest subsequence among several by walking through the table from its end: a common byte belongs to
# it, and otherwise the walk goes up (one byte less of the first string) if that leaves a greater length than going left
# does. Lengths next to each other differ by one at most, so the walk along one string stops at a bit that can be looked
# up: one step of each loop below does that part of the walk at once.


def _path_by_row(first: bytes, second: bytes, rows: list[int], places: Places) -> Iterator[tuple[int, int]]:
    """The common bytes on that walk, as indexes into both strings, the last first. The rows belong to `first`."""
    j = len(second)
    for i in range(len(first), 0, -1):
        common = places[first[i - 1]]
        # Going left costs length only at a step; there, going up does not.
        j = ((common | rows[i]) & ((1 << j) - 1)).bit_length()
        if not j:
            return
        if common >> (j - 1) & 1:
            j -= 1
            yield i - 1, j


def _path_by_column(first: bytes, second: bytes, rows: list[int], places: Places) -> Iterator[tuple[int, int]]:
    """The same, where the rows belong to `second`."""
    i = len(first)
    for j in range(len(second), 0, -1):
        common = places[second[j - 1]]
        # Going up is better where it costs nothing and going left does: where the length for one byte less of `second`
        # is smaller. That is so from each step that only this row has to the next one that only the row above has.
        begins, ends = rows[j] & ~rows[j - 1], rows[j - 1] & ~rows[j]
        better_up = (ends - begins) & ~rows[j]
        i = ((common | ~better_up) & ((1 << i) - 1)).bit_length()
        if not i:
            return
        if common >> (i - 1) & 1:
            i -= 1
            yield i, j - 1


def _joined(path: Iterable[tuple[int, int]]) -> list[Match]:
    """The stretches of common bytes, the last one first."""
    matches: list[Match] = []
    for i, j in path:
        if matches and (matches[-1][0], matches[-1][2]) == (i + 1, j + 1):
            _, end, _, other_end = matches.pop()
            matches.append((i, end, j, other_end))
        else:
            matches.append((i, i, j, j))
    return matches
