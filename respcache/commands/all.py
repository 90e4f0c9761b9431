"""Import every family, so that the table is full. A shard imports this; main adds its own commands to it."""

from __future__ import annotations

from importlib import import_module

FAMILIES = (
    "keys",
    "key_expiry",
    "key_scan",
    "key_info",
    "memory",
    "sort",
    "strings",
    "lcs",
    "bitmaps",
    "bitfields",
    "hashes",
    "lists",
    "sets",
    "zsets",
    "zset_ranges",
    "zset_algebra",
)

for _family in FAMILIES:
    import_module(f"respcache.commands.{_family}")
