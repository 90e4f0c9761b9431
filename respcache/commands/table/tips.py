"""Combinations of tips that several commands give to clients and proxies, as COMMAND INFO shows them."""

from __future__ import annotations

RANDOM_OUTPUT = ("nondeterministic_output",)
RANDOM_ORDER = ("nondeterministic_output_order",)

# How a proxy sends the command to the nodes of a cluster, and how it merges their replies.
SUMMED_BY_SHARD = ("request_policy:multi_shard", "response_policy:agg_sum")
SMALLEST_BY_SHARD = ("request_policy:all_shards", "response_policy:agg_min")
SPLIT_BY_SHARD = ("request_policy:multi_shard", "response_policy:all_succeeded")
ALL_NODES = ("request_policy:all_nodes", "response_policy:all_succeeded")
SUMMED_BY_NODE = ("request_policy:all_nodes", "response_policy:agg_sum")
ALL_SHARDS = ("request_policy:all_shards", "response_policy:all_succeeded")
ALL_SHARDS_MERGED = ("nondeterministic_output", "request_policy:all_shards", "response_policy:special")
