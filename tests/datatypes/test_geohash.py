"""Places and searches, against a look at every place there is."""

from __future__ import annotations

from math import inf, pi, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respcache.datatypes.geohash import (
    LATITUDE_MAX,
    Area,
    Box,
    Circle,
    Point,
    distance,
    is_on_map,
    point_of,
    ranges,
    score_of,
    text_of,
)

LONGITUDES = st.floats(-180, 180)
LATITUDES = st.floats(-LATITUDE_MAX, LATITUDE_MAX)
POINTS = st.builds(Point, LONGITUDES, LATITUDES)
# Half of a cell, and a little for rounding.
HALF_LONGITUDE = 180 / 2**26 + 1e-9
HALF_LATITUDE = LATITUDE_MAX / 2**26 + 1e-9

# Scores from here on are of places on the northern or the eastern edge, in a row or a column of their own.
EDGE = 2**52
# Redis does not find everything around the poles, nor in areas as large as a continent, nor on the eastern edge.
CENTRES = st.builds(Point, LONGITUDES, st.floats(-70, 70))
CLOSE = st.floats(-0.5, 0.5)
SIZES = st.one_of(st.floats(0, 100), st.floats(0, 10_000), st.floats(0, 1_000_000))
CIRCLES = st.builds(Circle, CENTRES, SIZES, st.just(1.0))
BOXES = st.builds(Box, CENTRES, SIZES, SIZES, st.just(1.0))
AREAS: st.SearchStrategy[Area] = st.one_of(CIRCLES, BOXES)


@given(POINTS)
def test_a_place_is_the_middle_of_its_cell(point: Point) -> None:
    score = score_of(point)
    found = point_of(score)
    assert abs(found.longitude - point.longitude) <= HALF_LONGITUDE
    # A score on the eastern edge has one bit too many for a double, which rounds it to the next row.
    halves = 1 if score < 2 * EDGE else 3
    assert abs(found.latitude - point.latitude) <= halves * HALF_LATITUDE
    if score < EDGE:
        assert score_of(found) == score


@given(st.floats(allow_nan=False))
def test_every_score_is_a_place(score: float) -> None:
    assert is_on_map(point_of(score))
    assert len(text_of(score)) == 11


def test_known_scores() -> None:
    assert score_of(Point(13.361389, 38.115556)) == 3479099956230698
    assert text_of(3479099956230698) == b"sqc8b49rny0"
    assert score_of(Point(-180, -LATITUDE_MAX)) == 0
    # The eastern edge is a column of its own, beyond the 52 bits.
    assert score_of(Point(180, 0)) == 2**53 + 2**50 + score_of(Point(-180, 0)) - 2**50
    assert point_of(score_of(Point(180, 19))) == Point(180, 18.999997327880145)  # as in Redis: not the next middle
    assert not is_on_map(Point(0, 85.06))
    assert not is_on_map(Point(inf, 0))


@given(POINTS, POINTS)
def test_distances(one: Point, other: Point) -> None:
    between = distance(one, other)
    assert between == pytest.approx(distance(other, one))
    assert 0 <= between <= pi * 6372797.560857
    assert distance(one, one) == 0


def test_distances_of_opposite_places() -> None:
    assert distance(Point(0, 0), Point(180, 0)) == pytest.approx(pi * 6372797.560856)
    assert distance(Point(0, 0), Point(0, 85)) == pytest.approx(85 / 180 * pi * 6372797.560856)


def contains(found: list[tuple[float, float]], score: float) -> bool:
    return any(low <= score < high for low, high in found)


@given(AREAS, st.lists(st.tuples(CLOSE, CLOSE), min_size=1, max_size=20), st.lists(POINTS, max_size=5))
def test_all_places_of_an_area_are_in_its_ranges(
    area: Area, around: list[tuple[float, float]], anywhere: list[Point]
) -> None:
    """Places as far away as the area reaches, so that about half of them are in it, and others anywhere."""
    longitude, latitude = area.centre
    degrees = 3 * area.reach / 111_000
    points = [Point(longitude + degrees * east, latitude + degrees * north) for east, north in around]
    points = [point_of(score_of(point)) for point in [*points, *anywhere, area.centre] if is_on_map(point)]
    found = ranges(area)
    for point in points:
        if area.distance_to(point) is not None and score_of(point) < EDGE:
            assert contains(found, score_of(point))


@given(AREAS)
def test_ranges_are_up_to_nine_different_cells(area: Area) -> None:
    found = ranges(area)
    assert 1 <= len(found) == len(set(found)) <= 9
    assert contains(found[:1], score_of(area.centre))
    assert len({high - low for low, high in found}) == 1


@given(st.builds(Circle, POINTS, st.floats(0, inf), st.sampled_from((1.0, 0.3048, 1609.34))))
def test_any_area_has_ranges(area: Area) -> None:
    assert 1 <= len(ranges(area)) <= 9


@pytest.mark.parametrize("reach", [0.2, 10, 1000, 100_000])
def test_cells_are_at_most_eight_times_as_wide_as_the_radius(reach: float) -> None:
    equator = 40_075_000
    for longitude in (0.001, 2.9, -77.7, 179.9):
        for latitude in (0.001, 48, -65):
            for low, high in ranges(Circle(Point(longitude, latitude), reach, 1.0)):
                cells = sqrt(2**52 / (high - low))  # from one edge of the map to the other
                assert equator / cells <= 8 * reach
