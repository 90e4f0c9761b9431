"""Calls of the geo commands, about a few places that lie together in different ways.

Some places share a cell, some are on both sides of a line where cells begin, some are at the edges of the map. Areas
have sizes from nothing to the whole earth, so that some of them hold one place, some a few, and some all.
"""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from compat.twin.grammar import Call, Words, call, maybe, one_of, several, weighted, words

# What the keys below hold when a sequence begins.
SETTING: tuple[Call, ...] = (
    ("GEOADD", "p", "2.3522", "48.8566", "m", "2.2945", "48.8584", "n", "2.2945", "48.8584", "1", "13.4", "52.52", "x"),
    ("GEOADD", "p", "179.9", "-16.5", "2", "-179.9", "-16.6", "3", "0.01", "0.01", "", "-0.01", "-0.01", "10"),
    ("GEOADD", "{p}2", "13.361389", "38.115556", "m", "15.087269", "37.502669", "n", "-70", "80", "x"),
)

_KEY = weighted((5, one_of("p", "{p}2")), (1, one_of("d", "d", "none", "a", "b")))
_STORED = one_of("p2", "d", "none", "p", "a", "{p}2")
_MEMBER = one_of("m", "n", "1", "x", "2", "3", "", "10", "none")
_PLACES = (
    *(("2.3522", "48.8566"), ("2.2945", "48.8584"), ("2.35", "48.85"), ("13.4", "52.52"), ("15", "37")),
    *(("179.9", "-16.5"), ("-179.9", "-16.6"), ("180", "85.05112878"), ("-180", "-85.05112878"), ("180", "0")),
    *(("0", "0"), ("0.01", "0.01"), ("-0.01", "-0.01"), ("-70", "80"), ("100", "-84.9"), ("-2.3522", "-48.8566")),
)
_NOWHERE = (("181", "0"), ("0", "86"), ("-1e300", "0"), ("x", "0"), ("0", "nan"), ("inf", "0"), ("0", ""))
_POINT: st.SearchStrategy[Words] = weighted(
    (12, st.sampled_from(_PLACES).map(list)), (1, st.sampled_from(_NOWHERE).map(list))
)
_UNIT = weighted((8, one_of("m", "km", "mi", "ft", "KM")), (1, one_of("cm", "", "x")))
_SIZE = weighted(
    (10, one_of("0", "1", "10", "500", "5000", "30000", "2000000", "7000", "20015", "1e9", "0.5", "3.5")),
    (1, one_of("-1", "x", "inf", "nan", "", "1e400")),
)
_CENTRE = st.one_of(words("FROMMEMBER", _MEMBER), words("FROMLONLAT", _POINT))
_AREA = st.one_of(words("BYRADIUS", _SIZE, _UNIT), words("BYBOX", _SIZE, _SIZE, _UNIT))
_COUNT = maybe("COUNT", weighted((8, one_of("1", "2", "3", "100")), (1, one_of("0", "-1", "x"))), maybe("ANY"))
_ORDER = maybe(one_of("ASC", "DESC", "asc", "Desc"))
_WITH = words(maybe("WITHCOORD"), maybe("WITHDIST"), maybe("WITHHASH"))
_RARELY = weighted((6, st.just(list[str]())), (1, one_of("ANY", "WITHDIST", "STOREDIST", "BYBOX").map(lambda w: [w])))
_STORE = weighted(
    (2, st.just(list[str]())), (1, words(one_of("STORE", "STOREDIST", "storedist"), _STORED)), (1, words("STORE"))
)
_OPTIONS = words(_WITH, _COUNT, _ORDER, _RARELY)
_TO_STORE = words(_COUNT, _ORDER, _STORE, _RARELY)
_CONDITIONS = words(maybe(one_of("NX", "XX", "nx")), maybe("CH"))

CALLS: Mapping[str, st.SearchStrategy[Call]] = {
    "GEOADD": call("GEOADD", _KEY, _CONDITIONS, several(_POINT, _MEMBER)),
    "GEODIST": call("GEODIST", _KEY, _MEMBER, _MEMBER, maybe(_UNIT)),
    "GEOHASH": call("GEOHASH", _KEY, several(_MEMBER)),
    "GEOPOS": call("GEOPOS", _KEY, several(_MEMBER)),
    "GEOSEARCH": call("GEOSEARCH", _KEY, _CENTRE, _AREA, _OPTIONS),
    "GEOSEARCHSTORE": call(
        "GEOSEARCHSTORE", _STORED, _KEY, _CENTRE, _AREA, _COUNT, _ORDER, maybe("STOREDIST"), _RARELY
    ),
    "GEORADIUS": call("GEORADIUS", _KEY, _POINT, _SIZE, _UNIT, st.one_of(_OPTIONS, _TO_STORE)),
    "GEORADIUS_RO": call("GEORADIUS_RO", _KEY, _POINT, _SIZE, _UNIT, _OPTIONS),
    "GEORADIUSBYMEMBER": call("GEORADIUSBYMEMBER", _KEY, _MEMBER, _SIZE, _UNIT, st.one_of(_OPTIONS, _TO_STORE)),
    "GEORADIUSBYMEMBER_RO": call("GEORADIUSBYMEMBER_RO", _KEY, _MEMBER, _SIZE, _UNIT, _OPTIONS),
}
