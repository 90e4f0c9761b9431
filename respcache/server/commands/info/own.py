"""INFO modules (there are none) and shards (the processes that hold the keys, and their snapshots)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from respcache.server.commands.info.facts import Facts, Fields


def modules(_: Facts) -> Fields:
    return {}


def shards(facts: Facts) -> Fields:
    links = facts.parts.links
    fields: Fields = {"shards": len(links)}
    for link in links:
        fields[f"shard{link.index}"] = f"pid={link.pid},restarts={link.restarts},queued={link.queue.unanswered}"
    fields["snapshots"] = len(facts.parts.snapshots.all())
    fields["snapshots_bytes"] = facts.total("snapshots")
    return fields
