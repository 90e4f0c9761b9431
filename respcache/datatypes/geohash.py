"""Places on earth as scores of a sorted set, and the searches among them.

A geohash of step n cuts the map into 2**n columns and as many rows, and interleaves the bits of the two numbers. So
the cells of a smaller step are the prefixes of those of a larger one, and all places of a cell are next to each other
in the order of their hashes. A score is the hash of step 26: 52 bits, which a double holds exactly.

A search looks at the cell in which its centre is, of a step at which cells are about as large as the area, and at its
neighbours, as far as the area reaches into them: up to nine ranges of scores.

Behaves as redis 7.2 `geohash.c` and `geohash_helper.c`, to the last digit: the steps of each computation are done in
the same order. In angles, the longitude is always before the latitude, in degrees. Lengths are in metres.
"""

from __future__ import annotations

from math import asin, cos, isinf, nan, pi, sin, sqrt
from typing import NamedTuple

# The map ends where Mercator's projection is square.
LONGITUDE_MIN, LONGITUDE_MAX = -180.0, 180.0
LATITUDE_MIN, LATITUDE_MAX = -85.05112878, 85.05112878

_STEP = 26
_CELLS = float(1 << _STEP)
_SCORES = float(1 << 2 * _STEP)
_LONGITUDES = LONGITUDE_MAX - LONGITUDE_MIN
_LATITUDES = LATITUDE_MAX - LATITUDE_MIN

_RADIAN = pi / 180.0
_EARTH_RADIUS = 6372797.560856
# More than rounding can add to a distance.
_ROUNDED_UP = 1.000001
# Half of the equator.
_MERCATOR_MAX = 20037726.37

_ALPHABET = b"0123456789bcdefghjkmnpqrstuvwxyz"


class Point(NamedTuple):
    """A place, in degrees."""

    longitude: float
    latitude: float


def is_on_map(point: Point) -> bool:
    """False for places that have no hash, above all near the poles."""
    longitude, latitude = point
    return LONGITUDE_MIN <= longitude <= LONGITUDE_MAX and LATITUDE_MIN <= latitude <= LATITUDE_MAX


# -- points and scores


def score_of(point: Point) -> float:
    """The score of a place on the map."""
    return float(_interleave(*_cell_of(point, _STEP)))


def point_of(score: float) -> Point:
    """The middle of the cell that a score stands for. Any number counts as a score, and gives a place on the map."""
    if 0 <= score < _SCORES:
        row, column = _deinterleave(int(score))
        longitude, latitude = _middle(row, row + 1, column, column + 1)
        return Point(longitude, latitude)
    row, column = _deinterleave(_as_bits(score))
    # Redis adds in 32 bits, which only scores make a difference to that no place has.
    longitude, latitude = _middle(row, (row + 1) & 0xFFFFFFFF, column, (column + 1) & 0xFFFFFFFF)
    longitude = min(max(longitude, LONGITUDE_MIN), LONGITUDE_MAX)
    return Point(longitude, min(max(latitude, LATITUDE_MIN), LATITUDE_MAX))


def _middle(row: int, next_row: int, column: int, next_column: int) -> tuple[float, float]:
    """Between the edges of two columns, and of two rows."""
    south = LATITUDE_MIN + (row / _CELLS) * _LATITUDES
    north = LATITUDE_MIN + (next_row / _CELLS) * _LATITUDES
    west = LONGITUDE_MIN + (column / _CELLS) * _LONGITUDES
    east = LONGITUDE_MIN + (next_column / _CELLS) * _LONGITUDES
    return (west + east) / 2, (south + north) / 2


def _as_bits(score: float) -> int:
    """The 64 bits that a score becomes, as processors (x86-64) cut it off."""
    if score >= 0:
        return int(score) if score < 1 << 64 else 0
    return int(score) & ((1 << 64) - 1) if score >= -(1 << 63) else 1 << 63


def text_of(score: float) -> bytes:
    """The standard geohash of a score, which other programs understand: 11 characters, on a map up to the poles."""
    longitude, latitude = point_of(score)
    row = int((latitude + 90.0) / 180.0 * _CELLS)
    column = int((longitude + 180.0) / 360.0 * _CELLS)
    bits = _interleave(row, column)
    # Ten characters of five bits are the 52 bits but for two. The eleventh is there for old clients.
    return bytes(_ALPHABET[bits >> shift & 31] for shift in range(47, 0, -5)) + b"0"


def _cell_of(point: Point, step: int) -> tuple[int, int]:
    """The row and the column of the cell in which a place is."""
    longitude, latitude = point
    cells = 1 << step
    row = int((latitude - LATITUDE_MIN) / _LATITUDES * cells)
    column = int((longitude - LONGITUDE_MIN) / _LONGITUDES * cells)
    return row, column


def _interleave(row: int, column: int) -> int:
    """The bits of both numbers in turn, those of the column first. A binary number read to base 4 is spread out."""
    return int(f"{row:b}", 4) | int(f"{column:b}", 4) << 1


def _deinterleave(bits: int) -> tuple[int, int]:
    """The row and the column of a hash."""
    text = f"{bits:064b}"
    return int(text[1::2], 2), int(text[::2], 2)


# -- distances


def distance(one: Point, other: Point) -> float:
    """How far two places are from each other on a sphere (by the haversine formula)."""
    across = sin((other.longitude * _RADIAN - one.longitude * _RADIAN) / 2)
    if across == 0.0:
        return _distance_north(one, other)
    first, second = one.latitude * _RADIAN, other.latitude * _RADIAN
    along = sin((second - first) / 2)
    return _arc(along * along + cos(first) * cos(second) * across * across)


def _distance_north(one: Point, other: Point) -> float:
    """How far one place is north or south of another."""
    return _EARTH_RADIUS * abs(other.latitude * _RADIAN - one.latitude * _RADIAN)


def _arc(haversine: float) -> float:
    """The length of an arc. Rounding may give slightly more than the 1 that opposite places have."""
    return 2.0 * _EARTH_RADIUS * asin(min(sqrt(haversine), 1.0))


# -- areas


class Circle:
    """What is at most `radius` units from the centre. A unit is so many metres."""

    __slots__ = ("_radius", "centre", "half_height", "half_width", "reach")

    def __init__(self, centre: Point, radius: float, unit: float) -> None:
        self.centre = centre
        self._radius = self.half_width = self.half_height = self.reach = radius * unit

    def distance_to(self, point: Point) -> float | None:
        """From the centre; None if the place is outside."""
        # Most places that are too far away are too far north or south, which is known sooner.
        if _distance_north(self.centre, point) > self._radius * _ROUNDED_UP:
            return None
        found = distance(self.centre, point)
        return None if found > self._radius else found


class Box:
    """What is at most half of `width` units east or west, and half of `height` units north or south of the centre."""

    __slots__ = ("centre", "half_height", "half_width", "reach")

    def __init__(self, centre: Point, width: float, height: float, unit: float) -> None:
        self.centre = centre
        self.half_width, self.half_height = unit * (width / 2), unit * (height / 2)
        # To a corner.
        self.reach = sqrt((width / 2) * (width / 2) + (height / 2) * (height / 2)) * unit

    def distance_to(self, point: Point) -> float | None:
        """From the centre; None if the place is outside."""
        if _distance_north(point, self.centre) > self.half_height:
            return None
        if distance(point, Point(self.centre.longitude, point.latitude)) > self.half_width:
            return None
        return distance(self.centre, point)


Area = Circle | Box


class _Bounds(NamedTuple):
    """Degrees that an area does not go beyond."""

    west: float
    south: float
    east: float
    north: float


def _bounds_of(area: Area) -> _Bounds:
    """The bounds of an area, taken at its edge that is nearer to a pole: degrees of longitude are shortest there."""
    longitude, latitude = area.centre
    up = area.half_height / _EARTH_RADIUS / _RADIAN
    edge = latitude - up if latitude < 0 else latitude + up
    shrunk = nan if isinf(edge) else cos(edge * _RADIAN)
    aside = area.half_width / _EARTH_RADIUS / shrunk / _RADIAN
    return _Bounds(longitude - aside, latitude - up, longitude + aside, latitude + up)


# -- cells


class _Grid:
    """The cells around the centre of an area, of one step."""

    def __init__(self, centre: Point, step: int) -> None:
        self.step = step
        self._row, self._column = _cell_of(centre, step)

    def cell(self, north: int, east: int) -> tuple[int, int]:
        """The row and column of the cell in this direction from the middle one. Beyond the map it begins anew."""
        last = (1 << self.step) - 1
        row = self._row + north & last if north else self._row
        column = self._column + east & last if east else self._column
        return row, column

    def bounds(self, north: int, east: int) -> _Bounds:
        row, column = self.cell(north, east)
        cells = 1 << self.step
        return _Bounds(
            LONGITUDE_MIN + (column / cells) * _LONGITUDES,
            LATITUDE_MIN + (row / cells) * _LATITUDES,
            LONGITUDE_MIN + ((column + 1) / cells) * _LONGITUDES,
            LATITUDE_MIN + ((row + 1) / cells) * _LATITUDES,
        )

    def scores(self, cell: tuple[int, int]) -> tuple[float, float]:
        """The scores of all places in a cell: from the first one to below the second one."""
        bits = _interleave(*cell)
        shift = 2 * (_STEP - self.step)
        return float(bits << shift), float((bits + 1) << shift)


# The order in which Redis looks at cells, as steps to the north and to the east. Unsorted results are in this order.
_DIRECTIONS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))


def ranges(area: Area) -> list[tuple[float, float]]:
    """The ranges of scores that hold all places of an area, each from its first score to below its second one."""
    wanted = _bounds_of(area)
    step = _step_for(area)
    grid = _Grid(area.centre, step)
    if step > 1 and not _covers(grid, wanted):
        step -= 1
        grid = _Grid(area.centre, step)

    south, north, west, east = -1, 1, -1, 1
    if step >= 2:
        middle = grid.bounds(0, 0)
        south = 0 if middle.south < wanted.south else south
        north = 0 if middle.north > wanted.north else north
        west = 0 if middle.west < wanted.west else west
        east = 0 if middle.east > wanted.east else east
    found: list[tuple[int, int]] = []
    for rows, columns in _DIRECTIONS:
        if south <= rows <= north and west <= columns <= east:
            cell = grid.cell(rows, columns)
            # With few and large cells, two directions lead to the same one.
            if not found or cell != found[-1]:
                found.append(cell)
    return [grid.scores(cell) for cell in found]


def _step_for(area: Area) -> int:
    """The step at which a cell and its neighbours usually hold the area."""
    reach = area.reach
    if reach == 0:
        return _STEP
    step = 1
    while reach < _MERCATOR_MAX:
        reach *= 2
        step += 1
    step -= 2
    # Near the poles, cells are narrower than they look.
    latitude = abs(area.centre.latitude)
    if latitude > 66:
        step -= 1
    if latitude > 80:
        step -= 1
    return min(max(step, 1), _STEP)


def _covers(grid: _Grid, wanted: _Bounds) -> bool:
    """False if the neighbours of the middle cell do not reach as far as the area does."""
    return not (
        grid.bounds(1, 0).north < wanted.north
        or grid.bounds(-1, 0).south > wanted.south
        or grid.bounds(0, 1).east < wanted.east
        or grid.bounds(0, -1).west > wanted.west
    )
