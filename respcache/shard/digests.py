"""The digests of DEBUG DIGEST and DEBUG DIGEST-VALUE, equal to those of a genuine server with the same data.

As redis 7.2 `debug.c` has them: where order counts, a digest of 20 bytes takes something in by `_mixed`; otherwise by
`_added`, which is an exclusive or, so that keys, members of sets and fields of hashes may come in any order. That is
also how the digests of several shards become one. Digests are numbers here.
"""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING, Any

from respcache.datatypes.hash import Hash
from respcache.datatypes.list import List
from respcache.datatypes.set import Set
from respcache.datatypes.stream import Stream
from respcache.datatypes.stream_ids import MAX_PART
from respcache.datatypes.zset import ZSet
from respcache.resp.encode import shortest_double

if TYPE_CHECKING:
    from respcache.store.keyspace import Keyspace
    from respcache.store.shard import Shard

_SIZE = 20
# How Redis numbers the types.
_STRING, _LIST, _SET, _ZSET, _HASH, _STREAM = 0, 1, 2, 3, 4, 6
_WITH_DEADLINE = b"!!expire!!"


def of_databases(shard: Shard) -> dict[int, int]:
    """The keys of each database of the caller's namespace that has any, by the number that clients know."""
    databases = shard.databases
    return {
        index % databases.each: _of_keys(databases[index])
        for index in databases.block(shard.namespace)
        if len(databases[index])
    }


def of_values(shard: Shard, keys: list[bytes]) -> list[int]:
    """The values of these keys; 0 for a key that does not exist. One that has expired exists until it is removed."""
    db = shard.db
    digests = []
    for key in keys:
        value = db.get(key)
        digests.append(0 if value is None else _of_value(0, db, key, value))
    return digests


def joined(parts: list[dict[int, int]]) -> int:
    """The digest of everything, of what each shard has in each database."""
    digest = 0
    for index in sorted(set().union(*parts)):
        digest = _mixed(digest, index.to_bytes(4, "big"))
        for part in parts:
            digest ^= part.get(index, 0)
    return digest


def printed(digest: int) -> bytes:
    """As hexadecimal digits."""
    return b"%040x" % digest


def _of_keys(db: Keyspace) -> int:
    digest = 0
    for key in db.slots:
        digest = _added(digest, _bytes(_of_value(_mixed(0, key), db, key, db.get(key))))
    return digest


def _of_value(digest: int, db: Keyspace, key: bytes, value: Any) -> int:
    kind = _kind(value)
    digest = _mixed(digest, kind.to_bytes(4, "big"))
    if kind == _STRING:
        digest = _mixed(digest, value)
    elif kind == _LIST:
        for element in value:
            digest = _mixed(digest, element)
    elif kind == _SET:
        for member in value:
            digest = _added(digest, member)
    elif kind == _ZSET:
        for member, score in value.items():
            digest = _added(digest, _of_pair(member, shortest_double(score)))
    elif kind == _HASH:
        for field, content in value.items():
            digest = _added(digest, _of_pair(field, content))
    else:
        for id, fields in value:
            digest = _mixed(digest, b"%d.%d" % (id >> 64, id & MAX_PART))
            for word in fields:
                digest = _mixed(digest, word)
    return _added(digest, _WITH_DEADLINE) if key in db.deadlines else digest


def _kind(value: Any) -> int:
    for kind, type_ in ((_LIST, List), (_SET, Set), (_ZSET, ZSet), (_HASH, Hash), (_STREAM, Stream)):
        if isinstance(value, type_):
            return kind
    return _STRING


def _of_pair(first: bytes, second: bytes) -> bytes:
    return _bytes(_mixed(_mixed(0, first), second))


def _added(digest: int, data: bytes) -> int:
    return digest ^ int.from_bytes(sha1(data, usedforsecurity=False).digest(), "big")


def _mixed(digest: int, data: bytes) -> int:
    return int.from_bytes(sha1(_bytes(_added(digest, data)), usedforsecurity=False).digest(), "big")


def _bytes(digest: int) -> bytes:
    return digest.to_bytes(_SIZE, "big")
