"""Makes the values that keys hold of what was read, in the encodings that Redis 7.2 chooses when it loads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.datatypes.hash import Hash
from respcache.datatypes.list import QUICKLIST, List
from respcache.datatypes.set import HASHTABLE, INTSET, LISTPACK, Set
from respcache.datatypes.stream import Stream
from respcache.datatypes.stream_groups import Group, number_of
from respcache.datatypes.stream_ids import MIN_ID
from respcache.datatypes.stream_node import Node
from respcache.datatypes.zset import ZSet
from respcache.rdb.modules import Unsupported
from respcache.rdb.plain import PlainArray, PlainHash, PlainList, PlainSet, PlainStream, PlainZSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.datatypes.limits import Limits
    from respcache.rdb.plain import Plain, PlainGroup


def build(limits: Limits, plain: Plain) -> Any:
    """The value. Raises Unsupported for what there is no place for."""
    return _BUILDERS[type(plain)](limits, plain)


def _string(limits: Limits, plain: bytes) -> bytes:
    return plain


def _list(limits: Limits, plain: PlainList) -> List:
    match plain.single:
        case None:
            return List.sorted_result(limits, plain.elements)
        case True:
            return List.of_node(limits, plain.elements)
        case False:
            return List.load(limits, (QUICKLIST, plain.elements))


def _set(limits: Limits, plain: PlainSet) -> Set:
    count = len(plain.members)
    if plain.compact == INTSET:
        return Set.load(limits, (INTSET if count <= limits.set_max_intset_entries else HASHTABLE, plain.members))
    if plain.compact == LISTPACK:
        return Set.load(limits, (LISTPACK if count <= limits.set_max_listpack_entries else HASHTABLE, plain.members))
    # As in Redis, it is the limit for intsets that keeps a set from being anything but a hashtable.
    if count > limits.set_max_intset_entries:
        return Set.load(limits, (HASHTABLE, plain.members))
    return Set(limits, plain.members)


def _hash(limits: Limits, plain: PlainHash) -> Hash:
    if plain.deadlines:
        raise Unsupported("a hash with fields that expire")
    if plain.compact and len(plain.pairs) <= limits.hash_max_listpack_entries:
        return Hash.load(limits, (LISTPACK, dict(plain.pairs)))
    return Hash(limits, plain.pairs)


def _zset(limits: Limits, plain: PlainZSet) -> ZSet:
    if plain.compact and len(plain.items) <= limits.zset_max_listpack_entries:
        items = sorted((score, member) for member, score in plain.items)
        return ZSet.load(limits, (LISTPACK, [member for _, member in items], [score for score, _ in items]))
    return ZSet(limits, plain.items)


def _stream(limits: Limits, plain: PlainStream) -> Stream:
    if any(plain.producers.values()):
        raise Unsupported("a stream with messages that producers must not send twice")
    # Only the first node of a stream may be empty.
    nodes = [Node.of(*node) for at, node in enumerate(plain.nodes) if node.entries or at == 0]
    stream = Stream.of_nodes(limits, nodes)
    stream.last_id = plain.last_id
    stream.max_deleted_id = MIN_ID if plain.max_deleted_id is None else plain.max_deleted_id
    if plain.entries_added is not None:
        stream.entries_added = plain.entries_added
    for group in plain.groups:
        stream.groups[group.name] = _group(group)
        if plain.entries_added is None:  # nor does the group know what it has read
            stream.groups[group.name].entries_read = number_of(group.last_id, stream)
    return stream


def _group(plain: PlainGroup) -> Group:
    if plain.released:
        raise Unsupported("a stream with pending entries that no consumer has")
    owners = {id: number for number, consumer in enumerate(plain.consumers) for id in consumer.pending}
    consumers = (
        [consumer.name for consumer in plain.consumers],
        [consumer.seen_time for consumer in plain.consumers],
        [consumer.active_time for consumer in plain.consumers],
    )
    deliveries = (
        list(plain.pending),
        [owners[id] for id in plain.pending],
        [time for time, _ in plain.pending.values()],
        [count for _, count in plain.pending.values()],
    )
    return Group.load((plain.last_id, plain.entries_read, consumers, deliveries))


def _array(limits: Limits, plain: PlainArray) -> Any:
    raise Unsupported("an array")


_BUILDERS: dict[type, Callable[[Limits, Any], Any]] = {
    bytes: _string,
    PlainList: _list,
    PlainSet: _set,
    PlainHash: _hash,
    PlainZSet: _zset,
    PlainStream: _stream,
    PlainArray: _array,
}
