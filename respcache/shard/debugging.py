"""The shard's part of DEBUG POPULATE, OBJECT, DIGEST and DIGEST-VALUE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.keys.object import encoding_of, references_to
from respcache.datatypes.list import QUICKLIST, List, node_size
from respcache.rdb.writing import OF_7_2, Writer
from respcache.store.reports import Event

if TYPE_CHECKING:
    from typing import Any

    from respcache.store.shard import Shard

# Access times are printed with 24 bits, as Redis keeps them.
_LRU_MASK = (1 << 24) - 1


def populate(
    shard: Shard, db: int, protocol: int, client: int, touch: bool, count: int, prefix: bytes, size: int
) -> None:
    """Create strings of `size` bytes (0: no padding, no cutting) for keys that do not exist."""
    shard.enter(db, protocol, client, touch)
    for number in range(count):
        key = b"%b:%d" % (prefix, number)
        if shard.owns(key) and shard.look_to_write(key) is None:
            value = b"value:%d" % number
            shard.replace(key, value[:size].ljust(size, b"\0") if size else value, None)
            shard.notify(Event.NEW, b"new", key)


def digest(shard: Shard, db: int, protocol: int, client: int, touch: bool) -> dict[int, int]:
    """The digest of each database that has keys."""
    from respcache.shard import digests  # hardly ever needed, and hashlib takes some milliseconds of a shard's start

    shard.enter(db, protocol, client, touch)
    return digests.of_databases(shard)


def digest_values(shard: Shard, db: int, protocol: int, client: int, touch: bool, keys: list[bytes]) -> list[int]:
    """The digests of the values of these keys."""
    from respcache.shard import digests  # as above

    shard.enter(db, protocol, client, touch)
    return digests.of_values(shard, keys)


def serialized_length(shard: Shard, value: Any) -> int:
    """The bytes of a value in an RDB file of Redis 7.2."""
    _, data = Writer(compressed=shard.limits.rdbcompression, version=OF_7_2).value(value)
    return len(data)


def inspect(shard: Shard, db: int, protocol: int, client: int, touch: bool, key: bytes) -> bytes | None:
    """How a value is stored, as a line of names and figures; None if there is no such key."""
    shard.enter(db, protocol, client, touch)
    value = shard.db.get(key)  # also one that has expired and was not removed
    if value is None:
        return None
    encoding = encoding_of(value)
    line = (
        f"Value at:0x{id(value):x} refcount:{references_to(value)} encoding:{encoding.decode()} "
        f"serializedlength:{serialized_length(shard, value)} "
        f"lru:{shard.db.accessed[shard.db.slots[key]] & _LRU_MASK} lru_seconds_idle:{shard.idle_seconds(key)}"
    )
    if isinstance(value, List) and encoding == QUICKLIST:
        nodes = list(map(node_size, value.nodes()))
        line += (
            f" ql_nodes:{len(nodes)} ql_avg_node:{len(value) / len(nodes):.2f} "
            f"ql_listpack_max:{shard.limits.list_max_listpack_size} ql_compressed:0 ql_uncompressed_size:{sum(nodes)}"
        )
    return line.encode()
