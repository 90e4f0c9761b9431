"""SUBSCRIBE and its relatives, PUBLISH, PUBSUB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache import errors
from respcache.commands.table import (
    FAST,
    LOADING,
    MAY_REPLICATE,
    NOSCRIPT,
    STALE,
    Keys,
    Reach,
    family,
)
from respcache.commands.table import PUBSUB as PUBSUB_FLAG
from respcache.errors import SSUBSCRIBE_DENY_BLOCKING, CommandError
from respcache.glob import compile_glob
from respcache.resp.encode import encode
from respcache.resp.types import Encoded, Push, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from respcache.commands.args import Args
    from respcache.server.clients.client import Client

command = family("pubsub")
command.container("PUBSUB", "Look at channels and subscribers.", since="2.8.0", help_since="6.2.0")

LISTEN = PUBSUB_FLAG | NOSCRIPT | LOADING | STALE


def _each(
    client: Client, kind: bytes, names: Iterable[bytes], act: Callable[[Client, bytes], None], *, shard: bool = False
) -> Reply:
    """Subscribe or unsubscribe one by one; every name is confirmed with the number of subscriptions left."""
    confirmations = []
    for name in names:
        act(client, name)
        confirmations.append(_confirmation(client, kind, name, shard))
    client.update_plain()
    return Encoded(b"".join(confirmations) or _confirmation(client, kind, None, shard))


def _confirmation(client: Client, kind: bytes, name: bytes | None, shard: bool) -> bytes:
    own = client.subscriptions
    left = len(own.shard_channels) if shard else len(own.channels) + len(own.patterns)
    return encode(Push([kind, name, left]), client.protocol)


@command("SUBSCRIBE", "channel [channel ...]", arity=-2, flags=LISTEN, since="2.0.0")
def subscribe(client: Client, args: Args) -> Reply:
    """Listen to channels."""
    return _each(client, b"subscribe", args.rest(), client.namespace.pubsub.subscribe)


@command("UNSUBSCRIBE", "[channel [channel ...]]", arity=-1, flags=LISTEN, since="2.0.0")
def unsubscribe(client: Client, args: Args) -> Reply:
    """Stop listening to channels, or to all."""
    channels = args.rest() or list(client.subscriptions.channels)
    return _each(client, b"unsubscribe", channels, client.namespace.pubsub.unsubscribe)


@command("PSUBSCRIBE", "pattern [pattern ...]", arity=-2, flags=LISTEN, since="2.0.0")
def psubscribe(client: Client, args: Args) -> Reply:
    """Listen to all channels that match patterns."""
    return _each(client, b"psubscribe", args.rest(), client.namespace.pubsub.subscribe_pattern)


@command("PUNSUBSCRIBE", "[pattern [pattern ...]]", arity=-1, flags=LISTEN, since="2.0.0")
def punsubscribe(client: Client, args: Args) -> Reply:
    """Stop listening to patterns, or to all."""
    patterns = args.rest() or list(client.subscriptions.patterns)
    return _each(client, b"punsubscribe", patterns, client.namespace.pubsub.unsubscribe_pattern)


@command(
    "SSUBSCRIBE",
    "shardchannel [shardchannel ...]",
    arity=-2,
    keys=Keys(1, -1, access="NOT_KEY"),
    reach=Reach.LOCAL,
    flags=LISTEN,
    since="7.0.0",
)
def ssubscribe(client: Client, args: Args) -> Reply:
    """Listen to shard channels."""
    if client.executing:  # though SUBSCRIBE and PSUBSCRIBE may, as they always could
        raise CommandError(SSUBSCRIBE_DENY_BLOCKING)
    return _each(client, b"ssubscribe", args.rest(), client.namespace.pubsub.subscribe_shard, shard=True)


@command(
    "SUNSUBSCRIBE",
    "[shardchannel [shardchannel ...]]",
    arity=-1,
    keys=Keys(1, -1, access="NOT_KEY"),
    reach=Reach.LOCAL,
    flags=LISTEN,
    since="7.0.0",
)
def sunsubscribe(client: Client, args: Args) -> Reply:
    """Stop listening to shard channels, or to all."""
    names = args.rest() or list(client.subscriptions.shard_channels)
    return _each(client, b"sunsubscribe", names, client.namespace.pubsub.unsubscribe_shard, shard=True)


@command(
    "PUBLISH", "channel message", arity=3, flags=PUBSUB_FLAG | LOADING | STALE | FAST | MAY_REPLICATE, since="2.0.0"
)
def publish(client: Client, args: Args) -> Reply:
    """Send a message to all who listen to a channel; how many those are."""
    return client.namespace.pubsub.publish(args.next(), args.next())


@command(
    "SPUBLISH",
    "shardchannel message",
    arity=3,
    keys=Keys(1, access="NOT_KEY"),
    reach=Reach.LOCAL,
    flags=PUBSUB_FLAG | LOADING | STALE | FAST | MAY_REPLICATE,
    since="7.0.0",
)
def spublish(client: Client, args: Args) -> Reply:
    """Send a message to all who listen to a shard channel; how many those are."""
    return client.namespace.pubsub.publish_shard(args.next(), args.next())


def _active(names: Iterable[bytes], args: Args) -> Reply:
    if not len(args):
        return list(names)
    if len(args) > 1:
        raise errors.unknown_call("PUBSUB", args.argv[1])
    matches = compile_glob(args.next())
    return [name for name in names if matches(name)]


@command("PUBSUB CHANNELS", "[pattern]", arity=-2, flags=PUBSUB_FLAG | LOADING | STALE, since="2.8.0")
def pubsub_channels(client: Client, args: Args) -> Reply:
    """List the channels that somebody listens to."""
    return _active(client.namespace.pubsub.channels, args)


@command("PUBSUB NUMSUB", "[channel [channel ...]]", arity=-2, flags=PUBSUB_FLAG | LOADING | STALE, since="2.8.0")
def pubsub_numsub(client: Client, args: Args) -> Reply:
    """Count the subscribers of channels."""
    counted: list[Reply] = []
    for channel in args.rest():
        counted += [channel, len(client.namespace.pubsub.channels.get(channel, ()))]
    return counted


@command("PUBSUB NUMPAT", arity=2, flags=PUBSUB_FLAG | LOADING | STALE, since="2.8.0")
def pubsub_numpat(client: Client, args: Args) -> Reply:
    """Count the patterns that somebody listens to."""
    return len(client.namespace.pubsub.patterns)


@command("PUBSUB SHARDCHANNELS", "[pattern]", arity=-2, flags=PUBSUB_FLAG | LOADING | STALE, since="7.0.0")
def pubsub_shardchannels(client: Client, args: Args) -> Reply:
    """List the shard channels that somebody listens to."""
    return _active(client.namespace.pubsub.shard_channels, args)


@command(
    "PUBSUB SHARDNUMSUB",
    "[shardchannel [shardchannel ...]]",
    arity=-2,
    flags=PUBSUB_FLAG | LOADING | STALE,
    since="7.0.0",
)
def pubsub_shardnumsub(client: Client, args: Args) -> Reply:
    """Count the subscribers of shard channels."""
    counted: list[Reply] = []
    for channel in args.rest():
        counted += [channel, len(client.namespace.pubsub.shard_channels.get(channel, ()))]
    return counted
