"""Calls of the commands for streams, with all their options.

Ids, groups and consumers are few, so that commands meet what others have left. Entries are given their ids, since `*`
would make different ones on two servers. The idle times that are asked for are either zero or minutes long.
"""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from compat.twin.grammar import Call, Part, Words, call, maybe, one_of, several, weighted, words

# The streams when a sequence begins: one with two groups, one of which has read, and a small one.
SETTING: tuple[Call, ...] = (
    ("XADD", "s", "1-1", "m", "1"),
    ("XADD", "s", "1-2", "n", "x"),
    ("XADD", "s", "3-0", "m", "2", "n", "3"),
    ("XGROUP", "CREATE", "s", "g", "0"),
    ("XGROUP", "CREATE", "s", "h", "1-2"),
    ("XREADGROUP", "GROUP", "g", "one", "COUNT", "2", "STREAMS", "s", ">"),
    ("XADD", "t", "2-2", "x", "y"),
    ("XGROUP", "CREATE", "t", "g", "$"),
)

LAST = "18446744073709551615"
KEY = one_of("s", "s", "s", "t", "t", "none", "b", "{a}2")
GROUP = one_of("g", "g", "h", "no_group", "")
CONSUMER = one_of("one", "two", "three", "")
COUNT = one_of("1", "2", "10", "0", "-1")
FIELD = one_of("m", "n", "x", "", "aé")
ID = one_of(
    "0", "0-0", "1", "1-1", "1-1", "1-2", "1-2", "2-2", "3-0", "3-0", "3", "4-1", "5-1", "9-9", f"{LAST}-{LAST}"
)
_ODD_ID = one_of("x", "", "1-", "-1", "1-1-1", "1-x", "*", "$", ">", "-", "+", "(1-1", "18446744073709551616-0", "01-1")
_NEW_ID = one_of(
    "3-1", "4", "4-*", "4-1", "5-1", "5-*", "7-7", "0-*", "0-1", "1-1", "0-0", f"{LAST}-{LAST}", f"{LAST}-*"
)
_ENDS = one_of("-", "+", "(1-1", "(1-2", "(3", "(-", "(+", "(0-0", f"({LAST}-{LAST}")
_IDLE = one_of("0", "0", "100000", "-1")


def _mostly(usual: st.SearchStrategy[str], odd: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return weighted((6, usual), (1, odd))


_SOME_ID = _mostly(ID, _ODD_ID)
_RANGE_END = _mostly(st.one_of(_ENDS, ID), _ODD_ID)
_TRIM = words(
    one_of("MAXLEN", "MINID"),
    st.one_of(st.just([]), words("="), words("~")),
    one_of("0", "1", "2", "3", "1-2", "3-0", "100", "-1", "x"),
    maybe("LIMIT", one_of("0", "1", "10", "-1", "x")),
)
_RANGE = words(KEY, _RANGE_END, _RANGE_END, maybe("COUNT", COUNT))
# A wait of nothing but milliseconds; without data the answer is null.
_BLOCK = maybe("BLOCK", one_of("1", "5", "10", "-1", "x", "1.5"))


@st.composite
def _streams(draw: st.DrawFn, ids: st.SearchStrategy[str]) -> Words:
    """``STREAMS key [key ...] id [id ...]``."""
    keys = draw(st.lists(KEY, min_size=1, max_size=3))
    return ["STREAMS", *keys, *(draw(ids) for _ in keys)]


_ID_OR_LAST = weighted((2, _SOME_ID), (1, st.just("$")))
_ENTRIES_READ = maybe("ENTRIESREAD", one_of("0", "1", "2", "5", "-1", "-2", "x"))
_NEW_OR_OLD = weighted((2, st.just(">")), (1, _SOME_ID))
_CLAIM_OPTIONS: tuple[Part, ...] = (
    maybe("IDLE", one_of("0", "500000", "-1", "x")),
    maybe("TIME", one_of("1600000000000", "0", "-1", "x")),
    maybe("RETRYCOUNT", one_of("0", "1", "7", "-1", "x")),
    maybe("FORCE"),
    maybe("JUSTID"),
    maybe("LASTID", _SOME_ID),
)

CALLS: Mapping[str, st.SearchStrategy[Call]] = {
    "XADD": call(
        "XADD", KEY, maybe("NOMKSTREAM"), st.one_of(st.just([]), _TRIM), _NEW_ID, several(FIELD, FIELD, most=2)
    ),
    "XDEL": call("XDEL", KEY, several(_SOME_ID)),
    "XTRIM": call("XTRIM", KEY, _TRIM),
    "XLEN": call("XLEN", KEY),
    "XRANGE": call("XRANGE", _RANGE),
    "XREVRANGE": call("XREVRANGE", _RANGE),
    "XREAD": call("XREAD", maybe("COUNT", COUNT), _BLOCK, _streams(weighted((3, _SOME_ID), (1, st.just("$"))))),
    "XSETID": call(
        "XSETID",
        KEY,
        _SOME_ID,
        maybe("ENTRIESADDED", one_of("0", "1", "5", "100", "-1")),
        maybe("MAXDELETEDID", _SOME_ID),
    ),
    "XGROUP CREATE": call("XGROUP", "CREATE", KEY, GROUP, _ID_OR_LAST, maybe("MKSTREAM"), _ENTRIES_READ),
    "XGROUP SETID": call("XGROUP", "SETID", KEY, GROUP, _ID_OR_LAST, _ENTRIES_READ),
    "XGROUP DESTROY": call("XGROUP", "DESTROY", KEY, GROUP),
    "XGROUP CREATECONSUMER": call("XGROUP", "CREATECONSUMER", KEY, GROUP, CONSUMER),
    "XGROUP DELCONSUMER": call("XGROUP", "DELCONSUMER", KEY, GROUP, CONSUMER),
    "XREADGROUP": call(
        "XREADGROUP", "GROUP", GROUP, CONSUMER, maybe("COUNT", COUNT), _BLOCK, maybe("NOACK"), _streams(_NEW_OR_OLD)
    ),
    "XACK": call("XACK", KEY, GROUP, several(_SOME_ID)),
    "XPENDING": call(
        "XPENDING",
        KEY,
        GROUP,
        st.one_of(
            st.just([]),
            words(maybe("IDLE", _IDLE), _RANGE_END, _RANGE_END, one_of("1", "10", "0", "-1", "x"), maybe(CONSUMER)),
        ),
    ),
    "XCLAIM": call("XCLAIM", KEY, GROUP, CONSUMER, _IDLE, several(_SOME_ID), *_CLAIM_OPTIONS),
    "XAUTOCLAIM": call("XAUTOCLAIM", KEY, GROUP, CONSUMER, _IDLE, _RANGE_END, maybe("COUNT", COUNT), maybe("JUSTID")),
    "XINFO STREAM": call("XINFO", "STREAM", KEY, maybe("FULL", maybe("COUNT", COUNT))),
    "XINFO GROUPS": call("XINFO", "GROUPS", KEY),
    "XINFO CONSUMERS": call("XINFO", "CONSUMERS", KEY, GROUP),
}
