"""Places, member by member: GEOADD, GEOPOS, GEOHASH, GEODIST. They are a sorted set, so ZREM removes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.table import DENYOOM, READ, READONLY, WRITE, Keys, family
from respcache.commands.zsets.members import Conditions, add
from respcache.datatypes.geohash import Point, distance, is_on_map, point_of, score_of, text_of
from respcache.datatypes.zset import ZSet
from respcache.errors import UNKNOWN_UNIT, CommandError, WrongSyntax, not_on_map
from respcache.resp.types import NULL_ARRAY, Digits, Reply

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.store.shard import Shard

command = family("geo")

# Unlike other commands that may create a key, Redis does not say that GEOADD inserts.
_ADD = Keys(1, access="RW UPDATE")

# In metres. The mile is the one of Redis.
_UNITS = {b"m": 1.0, b"km": 1000.0, b"ft": 0.3048, b"mi": 1609.34}


# Arguments and replies of all commands


def take_point(args: Args) -> Point:
    """Raises CommandError."""
    point = Point(args.float(), args.float())
    if not is_on_map(point):
        raise not_on_map(*point)
    return point


def take_unit(args: Args) -> float:
    """In metres. Raises CommandError."""
    unit = _UNITS.get(args.next().lower())
    if unit is None:
        raise CommandError(UNKNOWN_UNIT)
    return unit


def coordinates(point: Point) -> Reply:
    """Longitude and latitude as Redis 7.2 prints them: 17 decimals, without zeros at the end."""
    return [Digits((b"%.17f" % degrees).rstrip(b"0").rstrip(b".")) for degrees in point]


def length(value: float) -> bytes:
    """A distance with four decimals, in any unit. Half of a last digit is rounded to an even one."""
    digits = b"%05d" % round(value * 10000.0)
    return digits[:-4] + b"." + digits[-4:]


# Commands


@command(
    "GEOADD",
    "key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]",
    arity=-5,
    keys=_ADD,
    flags=WRITE | DENYOOM,
    since="3.2.0",
)
def geoadd(shard: Shard, args: Args) -> Reply:
    """Add places, or move them; return how many are new."""
    key, conditions = args.next(), _take_conditions(args)
    items: list[tuple[float, bytes]] = []
    while len(args):
        score = score_of(take_point(args))
        items.append((score, args.next()))
    if not items:
        raise WrongSyntax
    return add(shard, key, items, conditions)


def _take_conditions(args: Args) -> Conditions:
    """The options before the places. Raises CommandError."""
    nx = xx = ch = False
    while len(args):
        match args.argv[args.at].upper():
            case b"NX":
                nx = True
            case b"XX":
                xx = True
            case b"CH":
                ch = True
            case _:
                break
        args.next()
    if len(args) % 3 or (nx and xx):
        raise WrongSyntax
    return Conditions(nx=nx, xx=xx, ch=ch)


@command("GEOPOS", "key [member [member ...]]", arity=-2, keys=READ, flags=READONLY, since="3.2.0")
def geopos(shard: Shard, args: Args) -> Reply:
    """Return the longitudes and latitudes of places."""
    key, members = args.next(), args.rest()
    zset = shard.find(key, ZSet)
    scores = [None if zset is None else zset.score(member) for member in members]
    return [NULL_ARRAY if score is None else coordinates(point_of(score)) for score in scores]


@command("GEOHASH", "key [member [member ...]]", arity=-2, keys=READ, flags=READONLY, since="3.2.0")
def geohash(shard: Shard, args: Args) -> Reply:
    """Return the geohashes of places, as other programs write them."""
    key, members = args.next(), args.rest()
    zset = shard.find(key, ZSet)
    scores = [None if zset is None else zset.score(member) for member in members]
    return [None if score is None else text_of(score) for score in scores]


@command("GEODIST", "key member1 member2 [M | KM | FT | MI]", arity=-4, keys=READ, flags=READONLY, since="3.2.0")
def geodist(shard: Shard, args: Args) -> Reply:
    """Return the distance between two places."""
    key, one, other = args.next(), args.next(), args.next()
    if len(args) > 1:
        raise WrongSyntax
    unit = take_unit(args) if len(args) else 1.0

    zset = shard.find(key, ZSet)
    if zset is None:
        return None
    first, second = zset.score(one), zset.score(other)
    if first is None or second is None:
        return None
    return length(distance(point_of(first), point_of(second)) / unit)
