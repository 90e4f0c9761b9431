"""Searches for places, as a redis-cli session shows them."""

from __future__ import annotations

from typing import Any

import pytest

import respcache.commands.all  # noqa: F401 - fills the table
from respcache.commands.args import Args
from respcache.commands.table import TABLE
from respcache.datatypes.geohash import Point, score_of
from respcache.datatypes.zset import ZSet
from respcache.store.shard import Shard
from tests.commands.geo.test_places import position, sicily
from tests.support.cost import calls_in
from tests.support.events import Events
from tests.support.resp import Connection
from tests.support.transcript import Transcript

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX = "ERR syntax error"
NO_MEMBER = "ERR could not decode requested zset member"
NO_CENTRE = "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for "
NO_AREA = "ERR exactly one of BYRADIUS and BYBOX can be specified for "
ONLY_STORED = " is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
INVALID = "ERR invalid longitude,latitude pair 181.000000,1.000000"

# The four ways to write a search around a point, each up to the options.
AROUND = ("FROMLONLAT", 15, 37, "BYRADIUS", 200, "km")


def zrange(do: Transcript, key: str) -> list[tuple[bytes, float]]:
    return [(member, float(score)) for member, score in do.pairs(do("ZRANGE", key, 0, -1, "WITHSCORES"))]


def test_circles(do: Transcript) -> None:
    sicily(do)
    assert do("GEOSEARCH", "Sicily", *AROUND) == [b"Palermo", b"Catania"]
    assert do("GEOSEARCH", "Sicily", *AROUND, "ASC") == [b"Catania", b"Palermo"]
    assert do("GEOSEARCH", "Sicily", *AROUND, "desc") == [b"Palermo", b"Catania"]
    assert do("GEOSEARCH", "Sicily", "FROMLONLAT", 15, 37, "BYRADIUS", 100, "km") == [b"Catania"]
    assert do("GEOSEARCH", "Sicily", "BYRADIUS", "118.3", "mi", "FROMLONLAT", 15, 37) == [b"Catania"]
    assert do("GEOSEARCH", "Sicily", "BYRADIUS", "118.4", "MI", "FROMLONLAT", 15, 37) == [b"Palermo", b"Catania"]
    assert do("GEOSEARCH", "Sicily", "FROMMEMBER", "Palermo", "BYRADIUS", 0, "m") == [b"Palermo"]
    assert do("GEOSEARCH", "Sicily", "FROMMEMBER", "Palermo", "BYRADIUS", "inf", "m") == [b"Palermo", b"Catania"]
    # What is given again replaces what was given before.
    around_both = ("FROMLONLAT", 0, 0, "FROMLONLAT", 15, 37, "BYRADIUS", 1, "m", "BYRADIUS", 100, "km")
    assert do("GEOSEARCH", "Sicily", *around_both) == [b"Catania"]
    assert do("GEOSEARCH", "none", *AROUND) == []
    assert do("GEOSEARCH", "none", "FROMMEMBER", "Palermo", "BYRADIUS", 0, "m") == []


def test_boxes(do: Transcript) -> None:
    sicily(do)
    do("GEOADD", "Sicily", 12.758489, 38.788135, "edge1", 17.241510, 38.788135, "edge2")
    box = ("GEOSEARCH", "Sicily", "FROMLONLAT", 15, 37, "BYBOX")
    assert do(*box, 400, 400, "km", "ASC") == [b"Catania", b"Palermo", b"edge2", b"edge1"]
    assert do(*box, 400, 390, "km", "ASC") == [b"Catania", b"Palermo"]
    assert do(*box, 390, 400, "km", "ASC") == [b"Catania", b"Palermo", b"edge2", b"edge1"]
    assert do(*box, 380, 400, "km", "ASC") == [b"Catania", b"Palermo"]
    assert do(*box, 0, 0, "km") == []
    assert do("GEOSEARCH", "Sicily", "FROMMEMBER", "edge1", "BYBOX", 0, 0, "ft") == [b"edge1"]


def test_what_is_shown(do: Transcript) -> None:
    sicily(do)
    palermo, catania = (
        ("13.36138933897018433", "38.11555639549629859"),
        ("15.08726745843887329", "37.50266842333162032"),
    )
    found = {
        "WITHDIST": [b"190.4424", b"56.4413"],
        "WITHHASH": [3479099956230698, 3479447370796909],
        "WITHCOORD": [position(do, *palermo), position(do, *catania)],
    }
    for option, (first, second) in found.items():
        assert do("GEOSEARCH", "Sicily", *AROUND, option) == [[b"Palermo", first], [b"Catania", second]]
    # Whatever the order of the options.
    first, second = zip(*found.values(), strict=True)
    reply = [[b"Palermo", *first], [b"Catania", *second]]
    assert do("GEOSEARCH", "Sicily", *AROUND, "WITHCOORD", "withhash", "WITHDIST") == reply
    assert do("GEORADIUS_RO", "Sicily", 15, 37, 200, "km", "WITHDIST", "WITHCOORD", "WITHHASH") == reply
    miles = do("GEOSEARCH", "Sicily", "FROMLONLAT", 15, 37, "BYRADIUS", 200, "mi", "WITHDIST")
    assert miles == [[b"Palermo", b"118.3357"], [b"Catania", b"35.0711"]]


def test_counts(do: Transcript) -> None:
    sicily(do)
    do("GEOADD", "Sicily", 15, 37, "centre", 15.001, 37, "near")
    assert do("GEOSEARCH", "Sicily", *AROUND, "COUNT", 2) == [b"centre", b"near"]
    assert do("GEOSEARCH", "Sicily", *AROUND, "COUNT", 1, "DESC") == [b"Palermo"]
    assert do("GEOSEARCH", "Sicily", *AROUND, "COUNT", 9, "DESC") == [b"Palermo", b"Catania", b"near", b"centre"]
    # Any will do: the first ones that are found, in the order of the cells.
    in_order = [b"centre", b"near", b"Palermo", b"Catania"]
    assert do("GEOSEARCH", "Sicily", *AROUND) == in_order
    assert do("GEOSEARCH", "Sicily", *AROUND, "COUNT", 2, "ANY") == in_order[:2]
    assert do("GEOSEARCH", "Sicily", *AROUND, "ANY", "COUNT", 3, "ASC") == [b"centre", b"near", b"Palermo"]
    assert do("GEORADIUS", "Sicily", 15, 37, 200, "km", "COUNT", 3, "ANY", "DESC") == [b"Palermo", b"near", b"centre"]


def test_cells_are_searched_in_the_order_of_redis(do: Transcript) -> None:
    """The middle, then north, south, east, west, and the corners."""
    for east in (-1, 0, 1):
        for north in (-1, 0, 1):
            do("GEOADD", "p", 2.8125 + 3 * east, 59.8 + 1.5 * north, f"{north},{east}")
    names = ["0,0", "1,0", "-1,0", "0,1", "0,-1", "1,1", "1,-1", "-1,1", "-1,-1"]
    assert do("GEOSEARCH", "p", "FROMLONLAT", 2.8125, 59.8, "BYRADIUS", 250, "km") == [name.encode() for name in names]


def names(numbers: str) -> list[bytes]:
    return [f"m{number}".encode() for number in numbers.split()]


def test_places_at_the_same_distance(do: Transcript) -> None:
    """All results are sorted in a stable way; a part of them by a quicksort, which decides who comes out."""
    for number in range(60):
        do("GEOADD", "ties", number % 3 + 10, 20, f"m{number}")
    search = ("GEOSEARCH", "ties", "FROMLONLAT", 10, 20, "BYRADIUS", 1000, "km")
    assert do(*search, "COUNT", 25) == names("9 15 18 21 24 27 3 30 33 36 39 42 45 48 51 54 57 0 6 12 55 1 10 13 16")
    assert do(*search, "COUNT", 30, "DESC") == names(
        "14 59 56 53 50 5 47 44 41 38 35 32 29 26 23 20 2 11 17 8 55 1 10 13 16 19 22 25 28 31"
    )
    assert do(*search, "ASC") == names(
        "0 12 15 18 21 24 27 3 30 33 36 39 42 45 48 51 54 57 6 9 1 10 13 16 19 22 25 28 31 34 37 4 40 43 46 49 52 55 "
        "58 7 11 14 17 2 20 23 26 29 32 35 38 41 44 47 5 50 53 56 59 8"
    )


def test_around_a_member(do: Transcript) -> None:
    sicily(do)
    do("GEOADD", "Sicily", 13.583333, 37.316667, "Agrigento")
    near = [b"Agrigento", b"Palermo"]
    assert do("GEORADIUSBYMEMBER", "Sicily", "Agrigento", 100, "km") == near
    assert do("GEORADIUSBYMEMBER_RO", "Sicily", "Agrigento", 100, "km", "ASC") == near
    assert do("GEOSEARCH", "Sicily", "FROMMEMBER", "Agrigento", "BYRADIUS", 100, "km") == near
    for call in (
        ("GEORADIUSBYMEMBER", "Sicily", "none", "x", "km"),
        ("GEORADIUSBYMEMBER_RO", "Sicily", "none", 100, "km", "nonsense"),
        ("GEOSEARCH", "Sicily", "FROMMEMBER", "none", "BYRADIUS", "x", "km"),
    ):
        assert do.error(*call) == NO_MEMBER
    # Without a key, nothing but the options is looked at.
    assert do("GEORADIUSBYMEMBER", "none", "x", "y", "z") == []
    assert do.error("GEORADIUSBYMEMBER", "none", "x", "y", "z", "nonsense") == SYNTAX


@pytest.mark.parametrize(
    "search",
    [("GEOSEARCHSTORE", "to", "Sicily", *AROUND), ("GEORADIUS", "Sicily", 15, 37, 200, "km", "STORE", "to")],
)
def test_store(do: Transcript, search: tuple[Any, ...]) -> None:
    sicily(do)
    do("SET", "to", "text", "EX", 100)
    assert do(*search) == 2
    assert zrange(do, "to") == [(b"Palermo", 3479099956230698), (b"Catania", 3479447370796909)]
    assert do("TTL", "to") == -1
    assert do(*search, "COUNT", 1) == 1
    assert zrange(do, "to") == [(b"Catania", 3479447370796909)]
    assert do("GEOSEARCH", "to", *AROUND) == [b"Catania"]
    do("DEL", "Sicily")
    assert do(*search) == 0
    assert do("EXISTS", "to") == 0


def test_store_distances(do: Transcript) -> None:
    sicily(do)
    for search in (
        ("GEOSEARCHSTORE", "to", "Sicily", *AROUND, "STOREDIST"),
        ("GEORADIUS", "Sicily", 15, 37, 200, "km", "STOREDIST", "to"),
    ):
        assert do(*search) == 2
        assert zrange(do, "to") == [
            (b"Catania", pytest.approx(56.441257870158204)),
            (b"Palermo", pytest.approx(190.44242984775784)),
        ]
    # The last of these options counts, also as for where the result goes.
    assert do("GEORADIUS", "Sicily", 15, 37, 200, "km", "STOREDIST", "other", "STORE", "to") == 2
    assert do("EXISTS", "other") == 0
    assert zrange(do, "to") == [(b"Palermo", 3479099956230698), (b"Catania", 3479447370796909)]
    assert do("GEORADIUSBYMEMBER", "Sicily", "Palermo", 1, "m", "STOREDIST", "STORE", "STORE", "last") == 1
    assert do("KEYS", "[Sl]*T*") == []
    assert zrange(do, "last") == [(b"Palermo", 3479099956230698)]


def test_store_in_the_source(do: Transcript) -> None:
    sicily(do)
    assert do("GEOSEARCHSTORE", "Sicily", "Sicily", "FROMMEMBER", "Catania", "BYRADIUS", 1, "m") == 1
    assert do("ZRANGE", "Sicily", 0, -1) == [b"Catania"]
    assert do("GEOSEARCHSTORE", "Sicily", "Sicily", "FROMLONLAT", 0, 0, "BYRADIUS", 1, "m") == 0
    assert do("EXISTS", "Sicily") == 0


def test_errors_of_geosearch(do: Transcript) -> None:
    do("SET", "text", "x")
    search = ("GEOSEARCH", "p", "FROMLONLAT", 1, 1)
    circle = (*search, "BYRADIUS", 1, "km")
    # The type comes first of all.
    assert do.error("GEOSEARCH", "text", "FROMLONLAT", 181, 1, "nonsense", 1, "km") == WRONG_TYPE
    assert do.error("GEOSEARCH", "p", "FROMLONLAT", 181, 1, "nonsense", 1, "km") == INVALID
    assert (
        do.error("GEOSEARCH", "p", "FROMLONLAT", 1, 1, "ASC") == "ERR wrong number of arguments for 'geosearch' command"
    )
    assert do.error(*search, "BYRADIUS", "x", "km") == "ERR need numeric radius"
    assert do.error(*search, "BYRADIUS", -1, "x") == "ERR radius cannot be negative"
    unknown_unit = "ERR unsupported unit provided. please use M, KM, FT, MI"
    assert do.error(*search, "BYRADIUS", 1, "x") == unknown_unit
    assert do.error(*search, "BYBOX", "x", "y", "km") == "ERR need numeric width"
    assert do.error(*search, "BYBOX", 1, "y", "km") == "ERR need numeric height"
    assert do.error(*search, "BYBOX", 1, -1, "x") == "ERR height or width cannot be negative"
    assert do.error(*search, "BYBOX", 1, 1, "x") == unknown_unit
    assert do.error(*circle, "COUNT", "x") == "ERR value is not an integer or out of range"
    assert do.error(*circle, "COUNT", 0) == "ERR COUNT must be > 0"
    assert do.error(*circle, "ANY") == "ERR the ANY argument requires COUNT argument"
    for more in (["COUNT"], ["BYBOX", 1, 1, "km"], ["FROMMEMBER", "a"], ["STOREDIST"], ["STORE", "x"], ["BYRADIUS", 1]):
        assert do.error(*circle, *more) == SYNTAX
    assert do.error("GEOSEARCH", "p", "FROMMEMBER", "a", "FROMLONLAT", 1, 1, "BYRADIUS", 1, "m") == SYNTAX
    assert do.error(*search, "BYBOX", 1, 1, "m", "BYRADIUS", 1, "m") == SYNTAX
    # The name is the one that was sent.
    assert do.error("GeoSearch", "p", "BYRADIUS", 1, "km", "ASC", "ASC") == f"{NO_CENTRE}GeoSearch"
    assert do.error(*search, "ASC", "ASC") == f"{NO_AREA}GEOSEARCH"


def test_errors_of_stores(do: Transcript) -> None:
    do("SET", "text", "x")
    assert do.error("GEOSEARCHSTORE", "to", "text", *AROUND, "nonsense") == WRONG_TYPE
    assert do.error("GEOSEARCHSTORE", "to", "p", *AROUND, "WITHDIST", "ANY") == f"ERR GEOSEARCHSTORE{ONLY_STORED}"
    assert do.error("GEOSEARCHSTORE", "to", "p", *AROUND[:3], "ASC", "ASC", "ASC") == f"{NO_AREA}GEOSEARCHSTORE"
    assert do.error("GEOSEARCHSTORE", "to", "p", *AROUND, "STORE", "x") == SYNTAX
    around = ("p", 15, 37, 200, "km")
    stored = "ERR STORE option in GEORADIUS"
    assert do.error("GEORADIUS", *around, "WITHHASH", "STORE", "to") == stored + ONLY_STORED
    assert do.error("GEORADIUSBYMEMBER", "p", "a", 1, "m", "STOREDIST", "to", "WITHCOORD") == stored + ONLY_STORED
    assert do.error("GEORADIUS", *around, "STORE") == SYNTAX
    assert do.error("GEORADIUS_RO", *around, "STORE", "to") == SYNTAX
    assert do.error("GEORADIUSBYMEMBER_RO", "p", "a", 1, "m", "STOREDIST", "to") == SYNTAX
    assert do.error("GEORADIUS", "text", "x", "y", "z", "km") == WRONG_TYPE
    assert do.error("GEORADIUS", "none", 181, 1, "x", "km") == INVALID


def test_events(do: Transcript, connect: type[Connection]) -> None:
    sicily(do)
    events = Events(do, connect, flags="EA")
    do("GEOSEARCHSTORE", "to", "Sicily", *AROUND)
    do("GEORADIUS", "Sicily", 15, 37, 200, "km", "STORE", "to")
    do("GEORADIUSBYMEMBER", "Sicily", "Palermo", 1, "m", "STOREDIST", "to")
    assert events() == [(0, "geosearchstore", "to"), (0, "georadiusstore", "to"), (0, "georadiusstore", "to")]
    do("GEOSEARCHSTORE", "to", "none", *AROUND)
    do("GEOSEARCHSTORE", "to", "none", *AROUND)
    assert events() == [(0, "del", "to")]


def test_only_the_cells_around_the_area_are_looked_at() -> None:
    """So a search costs about the same in a hundred times as many places."""
    costs = []
    for size in (30, 300):
        shard = Shard()
        places = [(column * 360 / size - 180, row * 170 / size - 85) for row in range(size) for column in range(size)]
        zset = ZSet(shard.limits, ((b"%f,%f" % place, score_of(Point(*place))) for place in places))
        shard.replace(b"p", zset, None)
        words = [b"GEOSEARCH", b"p", b"FROMLONLAT", b"0", b"0", b"BYRADIUS", b"1", b"km"]
        handler = TABLE[b"GEOSEARCH"].handler
        costs.append(calls_in(lambda shard=shard, words=words, run=handler: run(shard, Args(words))))  # type: ignore[misc]
    assert costs[1] < 2 * costs[0]
