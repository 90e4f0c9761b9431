"""Places one by one, as a redis-cli session shows them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.events import Events
from tests.support.resp import Connection
from tests.support.transcript import Transcript

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX = "ERR syntax error"
NOT_A_FLOAT = "ERR value is not a valid float"
UNKNOWN_UNIT = "ERR unsupported unit provided. please use M, KM, FT, MI"


def sicily(do: Transcript) -> None:
    """The two cities of Redis' documentation."""
    assert do("GEOADD", "Sicily", 13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania") == 2


def scores(do: Transcript, key: str) -> dict[bytes, int]:
    """Of all members; those of places are integers."""
    return {member: int(float(score)) for member, score in do.pairs(do("ZRANGE", key, 0, -1, "WITHSCORES"))}


def position(do: Transcript, longitude: str, latitude: str) -> list[Any]:
    """A position with these digits as it arrives."""
    return [float(text) if do.protocol == 3 else text.encode() for text in (longitude, latitude)]


def test_places_are_a_sorted_set(do: Transcript) -> None:
    sicily(do)
    assert do("TYPE", "Sicily") == "zset"
    assert do("OBJECT", "ENCODING", "Sicily") in (b"listpack", b"ziplist")
    assert scores(do, "Sicily") == {b"Palermo": 3479099956230698, b"Catania": 3479447370796909}
    assert do("ZREM", "Sicily", "Palermo") == 1
    assert do("ZRANGE", "Sicily", 0, -1) == [b"Catania"]


def test_add_with_conditions(do: Transcript) -> None:
    assert do("GEOADD", "p", 1, 1, "a", 2, 2, "b") == 2
    before = scores(do, "p")
    assert do("GEOADD", "p", 1, 1, "a", 3, 3, "b", 3, 3, "c") == 1
    assert do("GEOADD", "p", "CH", 1, 1, "a", 4, 4, "b", 4, 4, "d") == 2
    assert do("GEOADD", "p", "NX", 5, 5, "a", 5, 5, "e") == 1
    assert scores(do, "p")[b"a"] == before[b"a"]
    assert do("GEOADD", "p", "xx", "ch", 5, 5, "a", 5, 5, "none") == 1
    assert scores(do, "p").keys() == {b"a", b"b", b"c", b"d", b"e"}
    assert scores(do, "p")[b"a"] == scores(do, "p")[b"e"]
    assert do("GEOADD", "none", "XX", 1, 1, "a") == 0
    assert do("EXISTS", "none") == 0


def test_add_errors(do: Transcript) -> None:
    do("SET", "text", "x")
    assert do.error("GEOADD", "p", 1, 1) == "ERR wrong number of arguments for 'geoadd' command"
    assert do.error("GEOADD", "p", 1, 1, "a", 2) == SYNTAX
    assert do.error("GEOADD", "p", "NX", "XX", 1, 1, "a") == SYNTAX
    assert do.error("GEOADD", "p", "NX", "CH", "CH") == SYNTAX
    assert do.error("GEOADD", "p", "x", 1, "a") == NOT_A_FLOAT
    assert do.error("GEOADD", "p", 1, "nan", "a") == NOT_A_FLOAT
    assert do.error("GEOADD", "p", 181, "x", "a") == NOT_A_FLOAT
    assert do.error("GEOADD", "p", 180.5, 1, "a") == "ERR invalid longitude,latitude pair 180.500000,1.000000"
    assert do.error("GEOADD", "p", "-inf", 1, "a") == "ERR invalid longitude,latitude pair -inf,1.000000"
    assert do.error("GEOADD", "p", 1, 1, "a", 1, -86, "b") == "ERR invalid longitude,latitude pair 1.000000,-86.000000"
    assert do("EXISTS", "p") == 0
    # What is given comes before what is there.
    assert do.error("GEOADD", "text", 181, 1, "a") == "ERR invalid longitude,latitude pair 181.000000,1.000000"
    assert do.error("GEOADD", "text", 1, 1, "a") == WRONG_TYPE


def test_positions(do: Transcript) -> None:
    sicily(do)
    # A place is the middle of its cell. The digits are those of long doubles.
    palermo = position(do, "13.36138933897018433", "38.11555639549629859")
    assert do("GEOPOS", "Sicily", "Palermo", "none") == [palermo, None]
    assert do("GEOPOS", "Sicily") == []
    assert do("GEOPOS", "none") == []
    assert do("GEOPOS", "none", "a", "b") == [None, None]
    do("SET", "text", "x")
    assert do.error("GEOPOS", "text", "a") == WRONG_TYPE


def test_the_edges_of_the_map(do: Transcript) -> None:
    assert (
        do("GEOADD", "p", 180, 85.05112878, "ne", -180, -85.05112878, "sw", 0, 0, "middle", "-0.0", "-0.0", "-0") == 4
    )
    assert do("GEOPOS", "p", "ne", "sw", "middle", "-0") == [
        position(do, "180", "85.0511287799999991"),
        position(do, "-179.99999731779098511", "-85.05112751263942528"),
        position(do, "0.00000268220901489", "0.00000126736058093"),
        position(do, "0.00000268220901489", "0.00000126736058093"),
    ]
    assert do("GEODIST", "p", "ne", "sw", "km") == b"18919.8446"
    assert do("GEOHASH", "p", "ne", "sw", "middle") == [b"bp05b5048p0", b"00bh0hbj200", b"s0000000000"]


def test_scores_that_no_place_has(do: Transcript) -> None:
    do("ZADD", "z", -1, "a", "-inf", "b", "inf", "c", 1.5, "d", 9007199254740993, "e", 1e19, "f", "-5e18", "g")
    assert do("GEOHASH", "z", "a", "b", "c", "d", "e", "f", "g") == [
        *(b"bp05b5048p0", b"00bh0hbj200", b"00bh0hbj200", b"00bh0hbj210", b"00bh0hbj200"),
        *(b"bp05b5048p0", b"bp05b5048p0"),
    ]


def test_geohashes(do: Transcript) -> None:
    sicily(do)
    assert do("GEOHASH", "Sicily", "Palermo", "none", "Catania") == [b"sqc8b49rny0", None, b"sqdtr74hyu0"]
    assert do("GEOHASH", "Sicily") == []
    assert do("GEOHASH", "none", "a") == [None]
    do("SET", "text", "x")
    assert do.error("GEOHASH", "text", "a") == WRONG_TYPE


@pytest.mark.parametrize(
    ("unit", "expected"), [("m", b"166274.1516"), ("KM", b"166.2742"), ("mi", b"103.3182"), ("Ft", b"545518.8700")]
)
def test_distances(do: Transcript, unit: str, expected: bytes) -> None:
    sicily(do)
    assert do("GEODIST", "Sicily", "Palermo", "Catania", unit) == expected
    assert do("GEODIST", "Sicily", "Palermo", "Catania") == b"166274.1516"
    assert do("GEODIST", "Sicily", "Palermo", "Palermo") == b"0.0000"
    assert do("GEODIST", "Sicily", "Palermo", "none") is None
    assert do("GEODIST", "none", "Palermo", "Catania") is None


def test_distance_errors(do: Transcript) -> None:
    do("SET", "text", "x")
    assert do.error("GEODIST", "none", "a", "b", "parsec") == UNKNOWN_UNIT
    assert do.error("GEODIST", "none", "a", "b", "parsec", "x") == SYNTAX
    assert do.error("GEODIST", "text", "a", "b", "parsec") == UNKNOWN_UNIT
    assert do.error("GEODIST", "text", "a", "b") == WRONG_TYPE


def test_positions_in_scripts(do: Transcript) -> None:
    sicily(do)
    script = "return {}(redis.call('GEOPOS', KEYS[1], 'Palermo')[1][1])"
    assert do("EVAL", script.format("type"), 1, "Sicily") == b"string"
    script = "redis.setresp(3); return tostring(redis.call('GEOPOS', KEYS[1], 'Palermo')[1][1].double)"
    assert do("EVAL", script, 1, "Sicily") == b"13.36138933897"


def test_events(do: Transcript, connect: type[Connection]) -> None:
    events = Events(do, connect)
    sicily(do)
    do("GEOADD", "Sicily", "NX", 1, 1, "Palermo")
    assert events() == [(0, "new", "Sicily"), (0, "zadd", "Sicily")]
