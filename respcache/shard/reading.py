"""What clients that cache read in a shard is remembered after each of their commands, before anybody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.reading import keys_read

if TYPE_CHECKING:
    from respcache.resp.types import Argv
    from respcache.store.shard import Shard


class Reading:
    """Remembers what the shard's caller reads, who is one of `readers`."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        # Those whose reads are remembered: looked at for each run, so it is at hand here.
        self.readers = shard.tracking.readers

    def remember(self, argv: Argv) -> None:
        """The caller's command was carried out here. Keys of other shards are remembered there."""
        keys = keys_read(argv)
        shard = self._shard
        if shard.shards > 1 and keys:
            keys = [key for key in keys if shard.owns(key)]
        if keys:
            shard.tracking.remember(shard.namespace, shard.client, keys)
