"""How the processes use memory: for INFO memory, MEMORY STATS and MEMORY DOCTOR.

Used memory is the resident memory of all processes. The shards estimate how much of it the values take. The rest is
overhead: interpreters, code, tables of keys, buffers, and freed memory that was not returned to the system.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from respcache.server.clients.describe import Memory
from respcache.system import peak_resident, resident

if TYPE_CHECKING:
    from respcache.server.parts import Parts


@dataclass
class Database:
    """One database in all shards: keys, and bytes of the tables of keys and deadlines, and of the values."""

    index: int  # its number in shards
    keys: int = 0
    main: int = 0
    expires: int = 0
    values: int = 0


class Footprint:
    """All figures are bytes, unless they say otherwise."""

    def __init__(self, parts: Parts, shards: list[dict[str, Any]]) -> None:
        stats = parts.stats
        processes = [os.getpid(), *(link.pid for link in parts.links)]
        self.used = sum(map(resident, processes))
        # An upper bound: the processes may have had their peaks at different times.
        stats.peak_memory = max(stats.peak_memory, self.used, sum(map(peak_resident, processes)))
        self.peak = stats.peak_memory
        self.startup: int = stats.startup_memory + sum(shard["startup_memory"] for shard in shards)
        # Those of all namespaces that have keys.
        self.databases = _databases(shards)
        self.keys = sum(database.keys for database in self.databases)
        values = sum(database.values for database in self.databases)
        tables = sum(database.main + database.expires for database in self.databases)
        self.dataset = min(values, self.used)
        self.overhead = self.used - self.dataset
        # Growth since the start; at least the data, which may be in memory that the processes had from the start.
        self._net: int = max(self.used - self.startup, self.dataset + tables, 1)
        self._registry = parts.registry

    @property
    def clients(self) -> int:
        """What main keeps for all clients: the sum of ``tot-mem`` in CLIENT LIST."""
        return sum(Memory.of(client).total for client in self._registry.all())

    @property
    def dataset_percentage(self) -> float:
        """The part of the growth since the start that is data."""
        return 100 * self.dataset / self._net

    @property
    def peak_percentage(self) -> float:
        return 100 * self.used / self.peak if self.peak else 100.0

    @property
    def bytes_per_key(self) -> int:
        return self._net // self.keys if self.keys else 0


def _databases(shards: list[dict[str, Any]]) -> list[Database]:
    databases: dict[int, Database] = {}
    for shard in shards:
        for index, (main, expires, values) in shard["footprints"].items():
            database = databases.setdefault(index, Database(index))
            database.keys += shard["databases"][index][0]
            database.main += main
            database.expires += expires
            database.values += values
    return [databases[index] for index in sorted(databases)]
