"""Calls of the commands that wait for an element: they wait a moment if nothing is there."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from compat.twin.grammar import Call, call, counted, maybe, one_of, several

# Seconds; the longest that a call of a sequence may wait, and what a longer wait is replaced with.
_MOMENT = 0.02
_TIMEOUT = one_of(
    "0.01", "0.01", "0.01", "0.001", "-1", "x", "", "1e400", "0x0.01p0", "9223372036854775807", "inf", "nan"
)
_LIST = one_of("b", "b", "none", "{a}2", "d", "a", "x", "y", "b2")
_ZSET = one_of("d", "d", "none", "{a}2", "b", "a", "x", "y", "d2")
_SIDE = one_of("LEFT", "RIGHT", "left", "Right")
_WHERE = one_of("MIN", "MAX", "min", "Max")
_COUNT = maybe("COUNT", one_of("1", "2", "10", "0", "-1", "x"))

CALLS: Mapping[str, st.SearchStrategy[Call]] = {
    "BLPOP": call("BLPOP", several(_LIST), _TIMEOUT),
    "BRPOP": call("BRPOP", several(_LIST), _TIMEOUT),
    "BRPOPLPUSH": call("BRPOPLPUSH", _LIST, _LIST, _TIMEOUT),
    "BLMOVE": call("BLMOVE", _LIST, _LIST, _SIDE, _SIDE, _TIMEOUT),
    "BLMPOP": call("BLMPOP", _TIMEOUT, counted(_LIST), _SIDE, _COUNT),
    "BZPOPMIN": call("BZPOPMIN", several(_ZSET), _TIMEOUT),
    "BZPOPMAX": call("BZPOPMAX", several(_ZSET), _TIMEOUT),
    "BZMPOP": call("BZMPOP", _TIMEOUT, counted(_ZSET), _WHERE, _COUNT),
}
_FIRST = frozenset(("BLMPOP", "BZMPOP"))  # their timeout is the first argument


def soon(call: Call) -> Call:
    """The call with a wait of a moment in place of any longer one."""
    words = list(call)
    name = words[0].upper()
    if name in ("XREAD", "XREADGROUP"):
        upper = [word.upper() for word in words]
        options = upper[: upper.index("STREAMS")] if "STREAMS" in upper else upper
        for at in (at + 1 for at, word in enumerate(options) if word == "BLOCK" and at + 1 < len(words)):
            if _is_long(words[at], 1000):
                words[at] = "10"
    elif name in CALLS and len(words) > 1:
        at = 1 if name in _FIRST else len(words) - 1
        if _is_long(words[at], 1):
            words[at] = "0.01"
    return tuple(words)


def _is_long(text: str, unit: int) -> bool:
    """True if a timeout in 1/unit seconds is one that a server accepts and that lasts long."""
    try:
        seconds = float(text) / unit
    except ValueError:
        try:
            seconds = float.fromhex(text) / unit
        except (ValueError, OverflowError):
            return False
    return seconds == 0 or _MOMENT < seconds < 1e16
