"""Keyspace events: what shards report is published to the channels that ``notify-keyspace-events`` asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.store.reports import EventFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.config import Config
    from respcache.server.services.pubsub import PubSub
    from respcache.store.reports import Report


class KeyspaceEvents:
    """Shards report only events that the filter lets through; main decides to which channels they go.

    pubsub_of: the channels of the namespace with a number; None if it is gone.
    """

    def __init__(self, config: Config, pubsub_of: Callable[[int], PubSub | None]) -> None:
        self._config = config
        self._pubsub_of = pubsub_of
        self._filter = EventFilter.parse("")  # the value of the directive
        config.on_change("notify-keyspace-events", self._configure)
        self._configure()

    def _configure(self) -> None:
        self._filter = EventFilter.parse(self._config.notify_keyspace_events)

    def publish(self, report: Report) -> None:
        """An EVENT report, see `respcache.shard.wire`."""
        _, _, index, event, key = report
        namespace, db = divmod(index, self._config.databases)
        pubsub = self._pubsub_of(namespace)
        if pubsub is None:
            return
        if self._filter.keyspace:
            pubsub.publish(b"__keyspace@%d__:%b" % (db, key), event)
        if self._filter.keyevent:
            pubsub.publish(b"__keyevent@%d__:%b" % (db, event), key)
