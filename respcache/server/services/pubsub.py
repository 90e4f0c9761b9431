"""Channels, patterns, and who listens. All of it is in main: shards know nothing of pub/sub.

The subscribers of one channel get a message in the order in which they subscribed.

Sending may cut a subscriber off, and one that is cut off loses its subscriptions. So messages go to copies of the
tables: nothing is changed while it is iterated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from respcache.glob import compile_glob
from respcache.resp.encode import encode
from respcache.resp.types import Push

if TYPE_CHECKING:
    from collections.abc import Callable


class Subscriptions:
    """What one client listens to, each in the order of subscription."""

    __slots__ = ("channels", "patterns", "shard_channels")

    def __init__(self) -> None:
        self.channels: dict[bytes, None] = {}
        self.patterns: dict[bytes, None] = {}
        self.shard_channels: dict[bytes, None] = {}

    def __len__(self) -> int:
        return len(self.channels) + len(self.patterns) + len(self.shard_channels)


class Subscriber(Protocol):
    """A client that can listen."""

    closed: bool
    subscriptions: Subscriptions

    @property
    def protocol(self) -> int:
        """2 or 3."""

    def push(self, data: bytes) -> None:
        """Send a message, in its place among the replies."""


Subscribers = dict[bytes, "dict[Subscriber, None]"]


class PubSub:
    """Who subscribes to what. Channels without subscribers are not kept."""

    def __init__(self) -> None:
        # Names -> who subscribes to them. Each client has the same from its side, in its `Subscriptions`.
        self.channels: Subscribers = {}
        self.patterns: Subscribers = {}
        self.shard_channels: Subscribers = {}
        self._matchers: dict[bytes, Callable[[bytes], bool]] = {}  # by pattern

    def subscribe(self, subscriber: Subscriber, channel: bytes) -> None:
        _add(self.channels, subscriber.subscriptions.channels, channel, subscriber)

    def unsubscribe(self, subscriber: Subscriber, channel: bytes) -> None:
        _drop(self.channels, subscriber.subscriptions.channels, channel, subscriber)

    def subscribe_shard(self, subscriber: Subscriber, channel: bytes) -> None:
        _add(self.shard_channels, subscriber.subscriptions.shard_channels, channel, subscriber)

    def unsubscribe_shard(self, subscriber: Subscriber, channel: bytes) -> None:
        _drop(self.shard_channels, subscriber.subscriptions.shard_channels, channel, subscriber)

    def subscribe_pattern(self, subscriber: Subscriber, pattern: bytes) -> None:
        if pattern not in self._matchers:
            self._matchers[pattern] = compile_glob(pattern)
        _add(self.patterns, subscriber.subscriptions.patterns, pattern, subscriber)

    def unsubscribe_pattern(self, subscriber: Subscriber, pattern: bytes) -> None:
        _drop(self.patterns, subscriber.subscriptions.patterns, pattern, subscriber)
        if pattern not in self.patterns:
            self._matchers.pop(pattern, None)

    def forget(self, subscriber: Subscriber) -> None:
        """End all subscriptions of a client, without telling it."""
        for channel in list(subscriber.subscriptions.channels):
            self.unsubscribe(subscriber, channel)
        for channel in list(subscriber.subscriptions.shard_channels):
            self.unsubscribe_shard(subscriber, channel)
        for pattern in list(subscriber.subscriptions.patterns):
            self.unsubscribe_pattern(subscriber, pattern)

    def publish(self, channel: bytes, message: bytes) -> int:
        """Send a message to all who listen; how many receive it. One that matches several patterns counts for each."""
        receivers = _send(self.channels.get(channel), Push([b"message", channel, message]))
        if self.patterns:
            for pattern in list(self.patterns):
                matches = self._matchers.get(pattern)  # None: its last subscriber was cut off just now
                if matches is not None and matches(channel):
                    receivers += _send(self.patterns.get(pattern), Push([b"pmessage", pattern, channel, message]))
        return receivers

    def publish_shard(self, channel: bytes, message: bytes) -> int:
        """The same for a shard channel, which has no patterns."""
        return _send(self.shard_channels.get(channel), Push([b"smessage", channel, message]))


def _send(subscribers: dict[Subscriber, None] | None, message: Push) -> int:
    if not subscribers:
        return 0
    encoded: dict[int, bytes] = {}  # by protocol: one encoding serves all
    receivers = list(subscribers)
    for subscriber in receivers:
        data = encoded.get(subscriber.protocol)
        if data is None:
            data = encoded[subscriber.protocol] = encode(message, subscriber.protocol)
        subscriber.push(data)
    return len(receivers)


def _add(table: Subscribers, own: dict[bytes, None], name: bytes, subscriber: Subscriber) -> None:
    if not subscriber.closed:  # one that was cut off within its EXEC must not come back
        table.setdefault(name, {})[subscriber] = None
        own[name] = None


def _drop(table: Subscribers, own: dict[bytes, None], name: bytes, subscriber: Subscriber) -> None:
    own.pop(name, None)
    subscribers = table.get(name)
    if subscribers is not None:
        subscribers.pop(subscriber, None)
        if not subscribers:
            del table[name]
