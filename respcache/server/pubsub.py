"""Channels, patterns, and who listens. All of it is in main: no shard knows of pub/sub.

The order in which subscribers of one channel get a message is that in which they subscribed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.glob import compile_glob
from respcache.resp.encode import encode
from respcache.resp.types import Push

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.server.session import Session

Subscribers = dict[bytes, "dict[Session, None]"]


class PubSub:
    """Who subscribes to what. Channels without subscribers are not kept."""

    def __init__(self) -> None:
        self.channels: Subscribers = {}
        self.patterns: Subscribers = {}
        self.shard_channels: Subscribers = {}
        self._matchers: dict[bytes, Callable[[bytes], bool]] = {}

    def subscribe(self, session: Session, channel: bytes) -> None:
        self.channels.setdefault(channel, {})[session] = None
        session.channels[channel] = None

    def unsubscribe(self, session: Session, channel: bytes) -> None:
        session.channels.pop(channel, None)
        _drop(self.channels, channel, session)

    def subscribe_shard(self, session: Session, channel: bytes) -> None:
        self.shard_channels.setdefault(channel, {})[session] = None
        session.shard_channels[channel] = None

    def unsubscribe_shard(self, session: Session, channel: bytes) -> None:
        session.shard_channels.pop(channel, None)
        _drop(self.shard_channels, channel, session)

    def subscribe_pattern(self, session: Session, pattern: bytes) -> None:
        self.patterns.setdefault(pattern, {})[session] = None
        self._matchers[pattern] = compile_glob(pattern)
        session.patterns[pattern] = None

    def unsubscribe_pattern(self, session: Session, pattern: bytes) -> None:
        session.patterns.pop(pattern, None)
        _drop(self.patterns, pattern, session)
        if pattern not in self.patterns:
            self._matchers.pop(pattern, None)

    def forget(self, session: Session) -> None:
        """End all subscriptions of a session, without a word."""
        for channel in list(session.channels):
            self.unsubscribe(session, channel)
        for channel in list(session.shard_channels):
            self.unsubscribe_shard(session, channel)
        for pattern in list(session.patterns):
            self.unsubscribe_pattern(session, pattern)

    def publish(self, channel: bytes, message: bytes) -> int:
        """Send a message to all who listen; how many that were. Who matches several patterns gets it several times."""
        receivers = _send(self.channels.get(channel, {}), Push([b"message", channel, message]))
        for pattern, sessions in self.patterns.items():
            if self._matchers[pattern](channel):
                receivers += _send(sessions, Push([b"pmessage", pattern, channel, message]))
        return receivers

    def publish_shard(self, channel: bytes, message: bytes) -> int:
        return _send(self.shard_channels.get(channel, {}), Push([b"smessage", channel, message]))


def _send(sessions: dict[Session, None], message: Push) -> int:
    encoded: dict[int, bytes] = {}  # by protocol: one encoding serves all
    for session in list(sessions):
        data = encoded.get(session.protocol)
        if data is None:
            data = encoded[session.protocol] = encode(message, session.protocol)
        session.push(data)
    return len(sessions)


def _drop(subscribers: Subscribers, channel: bytes, session: Session) -> None:
    sessions = subscribers.get(channel)
    if sessions is not None:
        sessions.pop(session, None)
        if not sessions:
            del subscribers[channel]
