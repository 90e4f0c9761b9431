"""What HRANDFIELD, SRANDMEMBER and ZRANDMEMBER share: the count, and the elements that it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from respcache.commands.args import INT64_MAX
from respcache.errors import BEYOND_INT64, OUT_OF_RANGE, CommandError

if TYPE_CHECKING:
    from random import Random

    from respcache.commands.args import Args

# A negative count asks for that many elements, however small the collection is. Redis sends them while it picks them;
# here a reply is built whole, and more elements than this would exhaust the memory of the shard.
MAX_REPEATED = 1 << 24


class Collection(Protocol):
    """A hash, a set or a sorted set that is not empty."""

    def choices(self, random: Random, count: int) -> list[bytes]:
        """`count` elements, each chosen uniformly from all; one may come several times."""

    def sample(self, random: Random, count: int) -> list[bytes]:
        """`count` different elements (all if there are fewer), chosen uniformly."""


def parse_count(args: Args) -> int:
    """How many random elements: -(2**63 - 1) to 2**63 - 1. Raises CommandError."""
    return args.int(low=-INT64_MAX, range_error=BEYOND_INT64)


def random_elements(collection: Collection, random: Random, count: int) -> list[bytes]:
    """`count` different elements, or, if it is negative, -`count` that may repeat. Raises CommandError."""
    if count >= 0:
        return collection.sample(random, count)
    if -count > MAX_REPEATED:
        raise CommandError(OUT_OF_RANGE)
    return collection.choices(random, -count)
