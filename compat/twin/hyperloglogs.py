"""Calls of the commands for HyperLogLogs: few keys, and enough elements to make one dense now and then."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from compat.twin.grammar import Call, Words, call, one_of, several, weighted

# When a sequence begins: a sparse one, a dense one, and one that has too few registers.
SETTING: tuple[Call, ...] = (
    ("PFADD", "h", "1", "2", "m"),
    ("PFADD", "{a}h", "2", "3"),
    ("PFDEBUG", "TODENSE", "{a}h"),
    ("SET", "i", "HYLL\x01" + "\0" * 11 + "\x7f\x7e"),
)

_KEY = one_of("h", "h", "h", "{a}h", "{a}h", "new", "new", "i", "a", "b", "none")
_ELEMENT = one_of("1", "2", "3", "m", "n", "x", "", "10", "aé", "a longer element")


def _many(first: int) -> Words:
    return [str(number) for number in range(first, first + 300)]


_ELEMENTS = weighted(
    (1, st.just([])), (4, several(_ELEMENT)), (2, st.integers(0, 10).map(lambda number: _many(number * 250)))
)

CALLS: Mapping[str, st.SearchStrategy[Call]] = {
    "PFADD": call("PFADD", _KEY, _ELEMENTS),
    "PFCOUNT": st.one_of(call("PFCOUNT", _KEY), call("PFCOUNT", several(_KEY))),
    "PFMERGE": call("PFMERGE", several(_KEY)),
    "PFDEBUG": call("PFDEBUG", one_of("GETREG", "decode", "DECODE", "ENCODING", "TODENSE", "nonsense"), _KEY),
}
