"""Keyspace events: what shards report is published to the channels that ``notify-keyspace-events`` asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.store.reports import EventFilter

if TYPE_CHECKING:
    from respcache.config import Config
    from respcache.server.services.pubsub import PubSub
    from respcache.store.reports import Report


class KeyspaceEvents:
    """Shards report only events that the filter lets through; main decides to which channels they go."""

    def __init__(self, config: Config, pubsub: PubSub) -> None:
        self._config = config
        self._pubsub = pubsub
        self._filter = EventFilter.parse("")  # the value of the directive
        config.on_change("notify-keyspace-events", self._configure)
        self._configure()

    def _configure(self) -> None:
        self._filter = EventFilter.parse(self._config.notify_keyspace_events)

    def publish(self, report: Report) -> None:
        """An EVENT report, see `respcache.shard.wire`."""
        _, _, db, event, key = report
        if self._filter.keyspace:
            self._pubsub.publish(b"__keyspace@%d__:%b" % (db, key), event)
        if self._filter.keyevent:
            self._pubsub.publish(b"__keyevent@%d__:%b" % (db, event), key)
