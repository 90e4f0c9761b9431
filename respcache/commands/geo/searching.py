"""Places in an area: GEOSEARCH and GEOSEARCHSTORE, and the older GEORADIUS family.

All of them are one search, and differ in how it is written: GEORADIUS has the centre and the radius at fixed places,
GEOSEARCH has options for both. Only the ranges of scores are looked at that hold places of the area.

As in Redis, the type of the key is checked before the arguments, since FROMMEMBER is looked up while they are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from respcache.commands.geo.places import coordinates, length, take_point, take_unit
from respcache.commands.table import DENYOOM, OVERWRITE, READ, READONLY, WRITE, KeyFinder, family
from respcache.commands.zsets.ranges import store
from respcache.datatypes.geohash import Area, Box, Circle, Point, point_of, ranges
from respcache.datatypes.partial_sort import partial_sort
from respcache.datatypes.zset import ScoreRange, ZSet
from respcache.errors import (
    ANY_WITHOUT_COUNT,
    BOX_NEGATIVE,
    GEO_COUNT_NOT_POSITIVE,
    HEIGHT_NOT_NUMERIC,
    NO_SUCH_PLACE,
    RADIUS_NEGATIVE,
    RADIUS_NOT_NUMERIC,
    WIDTH_NOT_NUMERIC,
    CommandError,
    WrongSyntax,
    no_area,
    no_centre,
    stores_only_scores,
)
from respcache.resp.types import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from respcache.commands.args import Args
    from respcache.resp.types import Argv
    from respcache.store.shard import Shard

command = family("geo")

_UNIT = "<M | KM | FT | MI>"
_LIMITED = "[COUNT count [ANY]]"
_WITH = "[WITHCOORD] [WITHDIST] [WITHHASH]"
_RADIUS = f"radius {_UNIT} {_WITH} {_LIMITED} [ASC | DESC]"
_STORE = "[STORE storekey | STOREDIST storedistkey]"
_SEARCH = (
    f"<FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius {_UNIT} | BYBOX width height {_UNIT}> "
    f"[ASC | DESC] {_LIMITED}"
)


# What a search asks for


class _Found(NamedTuple):
    """A place in the area; `distance` is in metres, from the centre."""

    distance: float
    member: bytes
    score: float
    point: Point


class _Search:
    """The arguments of one search. `origin` and `extent` are missing until they are known.

    `unit` is that of the area, in which distances are returned.
    """

    __slots__ = (
        "any",
        "by_distance",
        "count",
        "descending",
        "destination",
        "extent",
        "has_centre",
        "origin",
        "stores_distances",
        "unit",
        "with_coordinates",
        "with_distance",
        "with_hash",
    )

    def __init__(self) -> None:
        # FROMMEMBER of a key that does not exist gives a centre without a place.
        self.has_centre = False
        self.origin: Point | None = None
        self.unit = 1.0
        self.extent: Callable[[Point], Area] | None = None
        self.count = 0  # 0: all
        self.any = False
        self.by_distance = self.descending = False
        self.with_distance = self.with_hash = self.with_coordinates = False
        self.destination: bytes | None = None
        self.stores_distances = False

    # -- taking arguments

    def take_member(self, args: Args, zset: ZSet | None) -> None:
        """A centre that is a member of the sorted set. Raises CommandError."""
        member = args.next()
        if zset is not None:
            score = zset.score(member)
            if score is None:
                raise CommandError(NO_SUCH_PLACE)
            self.origin = point_of(score)
        self.has_centre = True

    def take_centre(self, args: Args) -> None:
        self.origin = take_point(args)
        self.has_centre = True

    def take_circle(self, args: Args) -> None:
        radius = args.float(RADIUS_NOT_NUMERIC)
        if radius < 0:
            raise CommandError(RADIUS_NEGATIVE)
        unit = self.unit = take_unit(args)
        self.extent = lambda centre: Circle(centre, radius, unit)

    def take_box(self, args: Args) -> None:
        width, height = args.float(WIDTH_NOT_NUMERIC), args.float(HEIGHT_NOT_NUMERIC)
        if width < 0 or height < 0:
            raise CommandError(BOX_NEGATIVE)
        unit = self.unit = take_unit(args)
        self.extent = lambda centre: Box(centre, width, height, unit)

    def take_common(self, option: bytes, args: Args) -> None:
        """An option that all commands have. Raises CommandError."""
        match option:
            case b"WITHDIST":
                self.with_distance = True
            case b"WITHHASH":
                self.with_hash = True
            case b"WITHCOORD":
                self.with_coordinates = True
            case b"ANY":
                self.any = True
            case b"ASC" | b"DESC":
                self.by_distance, self.descending = True, option == b"DESC"
            case b"COUNT":
                self.count = args.int()
                if self.count <= 0:
                    raise CommandError(GEO_COUNT_NOT_POSITIVE)
            case _:
                raise WrongSyntax

    @property
    def shows_more(self) -> bool:
        """Whether the reply has more than the names of members."""
        return self.with_distance or self.with_hash or self.with_coordinates

    # -- running

    def run(self, zset: ZSet) -> list[_Found]:
        """What is in the area, in the order that is asked for."""
        assert self.origin is not None
        assert self.extent is not None
        area = self.extent(self.origin)
        found: list[_Found] = []
        for low, high in ranges(area):
            start, stop = zset.score_range(ScoreRange(low, high, high_open=True))
            for place in _places_in(area, zset.slice(start, stop)):
                found.append(place)
                if self.any and len(found) == self.count:
                    break
            if self.any and len(found) == self.count:
                break
        # COUNT asks for the nearest ones, unless any will do.
        if self.by_distance or (self.count and not self.any):
            return partial_sort(found, _distance_of, self.count or len(found), descending=self.descending)
        return found

    def show(self, found: list[_Found]) -> Reply:
        if not self.shows_more:
            return [place.member for place in found]
        return [self._shown(place) for place in found]

    def _shown(self, place: _Found) -> Reply:
        shown: list[Reply] = [place.member]
        if self.with_distance:
            shown.append(length(place.distance / self.unit))
        if self.with_hash:
            shown.append(int(place.score))
        if self.with_coordinates:
            shown.append(coordinates(place.point))
        return shown


def _places_in(area: Area, members: Iterator[tuple[bytes, float]]) -> Iterator[_Found]:
    for member, score in members:
        point = point_of(score)
        distance = area.distance_to(point)
        if distance is not None:
            yield _Found(distance, member, score, point)


def _distance_of(place: _Found) -> float:
    return place.distance


def _answer(shard: Shard, zset: ZSet | None, search: _Search, event: bytes) -> Reply:
    """Run a search whose arguments are fine; return or store what it finds."""
    found = [] if zset is None else search.run(zset)
    if search.destination is None:
        return search.show(found)

    # As in Redis, distances are stored in the unit of the area.
    scores = ((p.member, p.distance / search.unit if search.stores_distances else p.score) for p in found)
    store(shard, search.destination, ZSet(shard.limits, scores), event)
    return len(found)


# GEOSEARCH


@command("GEOSEARCH", f"key {_SEARCH} {_WITH}", arity=-7, keys=READ, flags=READONLY, since="6.2.0")
def geosearch(shard: Shard, args: Args) -> Reply:
    """Return the places in a circle or a box."""
    zset, search = shard.find(args.next(), ZSet), _Search()
    _take_search(args, zset, search)
    return _answer(shard, zset, search, b"")


@command(
    "GEOSEARCHSTORE",
    f"destination source {_SEARCH} [STOREDIST]",
    arity=-8,
    keys=(OVERWRITE, READ.at(2)),
    flags=WRITE | DENYOOM,
    since="6.2.0",
)
def geosearchstore(shard: Shard, args: Args) -> Reply:
    """Store the places in a circle or a box under another key; return how many they are."""
    destination, zset, search = args.next(), shard.find(args.next(), ZSet), _Search()
    search.destination = destination
    _take_search(args, zset, search)
    return _answer(shard, zset, search, b"geosearchstore")


def _take_search(args: Args, zset: ZSet | None, search: _Search) -> None:
    """All options of GEOSEARCH. Raises CommandError."""
    centre = area = b""  # the options that have given them
    while len(args):
        option = args.option()
        match option:
            case b"FROMMEMBER" if len(args) and centre != b"FROMLONLAT":
                search.take_member(args, zset)
                centre = option
            case b"FROMLONLAT" if len(args) >= 2 and centre != b"FROMMEMBER":
                search.take_centre(args)
                centre = option
            case b"BYRADIUS" if len(args) >= 2 and area != b"BYBOX":
                search.take_circle(args)
                area = option
            case b"BYBOX" if len(args) >= 3 and area != b"BYRADIUS":
                search.take_box(args)
                area = option
            case b"STOREDIST" if search.destination is not None:
                search.stores_distances = True
            case _:
                search.take_common(option, args)

    if search.destination is not None and search.shows_more:
        raise stores_only_scores("GEOSEARCHSTORE")
    if not search.has_centre:
        raise no_centre(args.argv[0])
    if search.extent is None:
        raise no_area(args.argv[0])
    if search.any and not search.count:
        raise CommandError(ANY_WITHOUT_COUNT)


# GEORADIUS


def _stored_at(option: bytes, start: int) -> KeyFinder:
    """Where the key after `option`, STORE or STOREDIST, is; the last of these options says which key is used."""

    def find(argv: Argv) -> list[int]:
        found: list[int] = []
        at = start
        while at + 1 < len(argv):
            word = argv[at].upper()
            if word in (b"STORE", b"STOREDIST"):
                at += 1
                if word == option:
                    found = [at]
            at += 1
        return found

    return KeyFinder(find, access="OW UPDATE", option=option, start=start)


def _keys(start: int) -> tuple[KeyFinder, KeyFinder]:
    return _stored_at(b"STORE", start), _stored_at(b"STOREDIST", start)


@command(
    "GEORADIUS",
    f"key longitude latitude {_RADIUS} {_STORE}",
    arity=-6,
    keys=(READ, *_keys(6)),
    flags=WRITE | DENYOOM,
    since="3.2.0",
)
def georadius(shard: Shard, args: Args) -> Reply:
    """Return or store the places in a circle around a point."""
    return _around_point(shard, args, may_store=True)


@command("GEORADIUS_RO", f"key longitude latitude {_RADIUS}", arity=-6, keys=READ, flags=READONLY, since="3.2.10")
def georadius_ro(shard: Shard, args: Args) -> Reply:
    """Return the places in a circle around a point."""
    return _around_point(shard, args, may_store=False)


def _around_point(shard: Shard, args: Args, *, may_store: bool) -> Reply:
    zset, search = shard.find(args.next(), ZSet), _Search()
    search.take_centre(args)
    search.take_circle(args)
    _take_options(args, search, may_store=may_store)
    return _answer(shard, zset, search, b"georadiusstore")


@command(
    "GEORADIUSBYMEMBER",
    f"key member {_RADIUS} {_STORE}",
    arity=-5,
    keys=(READ, *_keys(5)),
    flags=WRITE | DENYOOM,
    since="3.2.0",
)
def georadiusbymember(shard: Shard, args: Args) -> Reply:
    """Return or store the places in a circle around another place."""
    return _around_member(shard, args, may_store=True)


@command("GEORADIUSBYMEMBER_RO", f"key member {_RADIUS}", arity=-5, keys=READ, flags=READONLY, since="3.2.10")
def georadiusbymember_ro(shard: Shard, args: Args) -> Reply:
    """Return the places in a circle around another place."""
    return _around_member(shard, args, may_store=False)


def _around_member(shard: Shard, args: Args, *, may_store: bool) -> Reply:
    zset, search = shard.find(args.next(), ZSet), _Search()
    if zset is None:
        # Redis does not look at these three words then: `GEORADIUSBYMEMBER nokey m x y` is an empty array.
        args.at += 3
    else:
        search.take_member(args, zset)
        search.take_circle(args)
    _take_options(args, search, may_store=may_store)
    return _answer(shard, zset, search, b"georadiusstore")


def _take_options(args: Args, search: _Search, *, may_store: bool) -> None:
    """The options of GEORADIUS. Raises CommandError."""
    while len(args):
        option = args.option()
        match option:
            case b"STORE" | b"STOREDIST" if may_store:
                search.destination = args.next()
                search.stores_distances = option == b"STOREDIST"
            case _:
                search.take_common(option, args)
    if search.destination is not None and search.shows_more:
        raise stores_only_scores("STORE option in GEORADIUS")
    if search.any and not search.count:
        raise CommandError(ANY_WITHOUT_COUNT)
