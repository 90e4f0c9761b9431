"""The sizes up to which a value counts as compact, as set by CONFIG SET; one object per shard.

Redis keeps small collections in one flat block (listpack, intset) and reports it in OBJECT ENCODING. Here the same
thresholds decide which encoding is reported, in which order small collections are iterated, and where the nodes of
streams end. Every collection keeps the object that it was made with, so a change of the configuration applies to all of
them at once.
"""

from __future__ import annotations


class Limits:
    """Entries and bytes. The attributes are the CONFIG names with underscores; defaults as in Redis 7.2."""

    __slots__ = (
        "hash_max_listpack_entries",
        "hash_max_listpack_value",
        "hll_sparse_max_bytes",
        "list_max_listpack_size",
        "proto_max_bulk_len",
        "rdbcompression",
        "set_max_intset_entries",
        "set_max_listpack_entries",
        "set_max_listpack_value",
        "skip_checksum_validation",
        "stream_node_max_bytes",
        "stream_node_max_entries",
        "zset_max_listpack_entries",
        "zset_max_listpack_value",
    )

    def __init__(self) -> None:
        self.hash_max_listpack_entries = 512
        self.hash_max_listpack_value = 64
        self.hll_sparse_max_bytes = 3000
        self.list_max_listpack_size = -2  # negative: a class of sizes in bytes, -2 is 8 KiB
        self.proto_max_bulk_len = 512 * 1024 * 1024
        self.rdbcompression = True
        self.set_max_intset_entries = 512
        self.set_max_listpack_entries = 128
        self.set_max_listpack_value = 64
        self.skip_checksum_validation = False  # no directive: DEBUG SET-SKIP-CHECKSUM-VALIDATION
        self.stream_node_max_bytes = 4096  # 0: no limit, here and in the next line
        self.stream_node_max_entries = 100
        self.zset_max_listpack_entries = 128
        self.zset_max_listpack_value = 64
