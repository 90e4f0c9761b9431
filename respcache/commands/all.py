"""Imports every family, which fills the table. A shard imports this; main adds its own commands."""

from __future__ import annotations

from importlib import import_module

FAMILIES = (
    "keys.generic",
    "keys.expiry",
    "keys.databases",
    "keys.search",
    "keys.object",
    "keys.dump",
    "keys.memory",
    "keys.sort",
    "strings.values",
    "strings.lcs",
    "bitmaps.bits",
    "bitmaps.fields",
    "hyperloglog.counting",
    "hyperloglog.debugging",
    "hashes.fields",
    "lists.elements",
    "lists.blocking",
    "sets.members",
    "sets.algebra",
    "zsets.members",
    "zsets.ranges",
    "zsets.algebra",
    "geo.places",
    "geo.searching",
    "scripting.scripts",
    "scripting.functions",
    "zsets.blocking",
    "streams.entries",
    "streams.ranges",
    "streams.reading",
    "streams.info",
    "streams.groups",
    "streams.group_reading",
    "streams.pending",
    "streams.claiming",
)

for _family in FAMILIES:
    import_module(f"respcache.commands.{_family}")
