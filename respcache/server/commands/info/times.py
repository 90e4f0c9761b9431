"""INFO commandstats and latencystats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.store.tally import percentile

if TYPE_CHECKING:
    from respcache.server.commands.info.facts import Facts, Fields


def commands(facts: Facts) -> Fields:
    fields: Fields = {}
    for name, entry in facts.commands.entries():
        microseconds = entry.nanoseconds // 1000
        mean = microseconds / entry.calls if entry.calls else 0
        fields[f"cmdstat_{name}"] = (
            f"calls={entry.calls},usec={microseconds},usec_per_call={mean:.2f},"
            f"rejected_calls={entry.rejected},failed_calls={entry.failed}"
        )
    return fields


def percentiles(facts: Facts) -> Fields:
    wanted = facts.parts.config.latency_tracking_info_percentiles
    return {
        f"latency_percentiles_usec_{name}": ",".join(
            f"p{percent:.10g}={percentile(entry.histogram, percent):.3f}" for percent in wanted
        )
        for name, entry in facts.commands.entries()
        if entry.histogram
    }
