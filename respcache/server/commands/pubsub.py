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
    command,
    container,
)
from respcache.commands.table import PUBSUB as PUBSUB_FLAG
from respcache.commands.table.help import help_of
from respcache.errors import CommandError
from respcache.glob import compile_glob
from respcache.resp.encode import encode
from respcache.resp.types import Encoded, Push, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from respcache.commands.args import Args
    from respcache.server.clients.client import Client

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


@command("SUBSCRIBE", arity=-2, flags=LISTEN, since="2.0.0", group="pubsub", syntax="channel [channel ...]")
def subscribe(client: Client, args: Args) -> Reply:
    """Listen to channels."""
    return _each(client, b"subscribe", args.rest(), client.parts.pubsub.subscribe)


@command("UNSUBSCRIBE", arity=-1, flags=LISTEN, since="2.0.0", group="pubsub", syntax="[channel [channel ...]]")
def unsubscribe(client: Client, args: Args) -> Reply:
    """Stop listening to channels, or to all."""
    channels = args.rest() or list(client.subscriptions.channels)
    return _each(client, b"unsubscribe", channels, client.parts.pubsub.unsubscribe)


@command("PSUBSCRIBE", arity=-2, flags=LISTEN, since="2.0.0", group="pubsub", syntax="pattern [pattern ...]")
def psubscribe(client: Client, args: Args) -> Reply:
    """Listen to all channels that match patterns."""
    return _each(client, b"psubscribe", args.rest(), client.parts.pubsub.subscribe_pattern)


@command("PUNSUBSCRIBE", arity=-1, flags=LISTEN, since="2.0.0", group="pubsub", syntax="[pattern [pattern ...]]")
def punsubscribe(client: Client, args: Args) -> Reply:
    """Stop listening to patterns, or to all."""
    patterns = args.rest() or list(client.subscriptions.patterns)
    return _each(client, b"punsubscribe", patterns, client.parts.pubsub.unsubscribe_pattern)


@command("SSUBSCRIBE", arity=-2, keys=Keys(1, -1, access="NOT_KEY"), reach=Reach.LOCAL, flags=LISTEN, since="7.0.0",
         group="pubsub", syntax="shardchannel [shardchannel ...]")  # fmt: skip
def ssubscribe(client: Client, args: Args) -> Reply:
    """Listen to shard channels."""
    if client.executing:  # though SUBSCRIBE and PSUBSCRIBE may, as they always could
        raise CommandError("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
    return _each(client, b"ssubscribe", args.rest(), client.parts.pubsub.subscribe_shard, shard=True)


@command("SUNSUBSCRIBE", arity=-1, keys=Keys(1, -1, access="NOT_KEY"), reach=Reach.LOCAL, flags=LISTEN, since="7.0.0",
         group="pubsub", syntax="[shardchannel [shardchannel ...]]")  # fmt: skip
def sunsubscribe(client: Client, args: Args) -> Reply:
    """Stop listening to shard channels, or to all."""
    names = args.rest() or list(client.subscriptions.shard_channels)
    return _each(client, b"sunsubscribe", names, client.parts.pubsub.unsubscribe_shard, shard=True)


@command("PUBLISH", arity=3, flags=PUBSUB_FLAG | LOADING | STALE | FAST | MAY_REPLICATE, since="2.0.0", group="pubsub",
         syntax="channel message")  # fmt: skip
def publish(client: Client, args: Args) -> Reply:
    """Send a message to all who listen to a channel; how many those are."""
    return client.parts.pubsub.publish(args.next(), args.next())


@command("SPUBLISH", arity=3, keys=Keys(1, access="NOT_KEY"), reach=Reach.LOCAL,
         flags=PUBSUB_FLAG | LOADING | STALE | FAST | MAY_REPLICATE, since="7.0.0", group="pubsub",
         syntax="shardchannel message")  # fmt: skip
def spublish(client: Client, args: Args) -> Reply:
    """Send a message to all who listen to a shard channel; how many those are."""
    return client.parts.pubsub.publish_shard(args.next(), args.next())


@container("PUBSUB", since="2.8.0", group="pubsub")
def pubsub(client: Client, args: Args) -> None:
    """Look at channels and subscribers."""


@command("PUBSUB HELP", arity=2, flags=LOADING | STALE, since="6.2.0", group="pubsub")
def pubsub_help(client: Client, args: Args) -> Reply:
    """List the subcommands."""
    return help_of("PUBSUB")


def _active(names: Iterable[bytes], args: Args) -> Reply:
    if not len(args):
        return list(names)
    if len(args) > 1:
        raise errors.unknown_call("PUBSUB", args.argv[1])
    matches = compile_glob(args.next())
    return [name for name in names if matches(name)]


@command("PUBSUB CHANNELS", arity=-2, flags=PUBSUB_FLAG | LOADING | STALE, since="2.8.0", group="pubsub",
         syntax="[pattern]")  # fmt: skip
def pubsub_channels(client: Client, args: Args) -> Reply:
    """List the channels that somebody listens to."""
    return _active(client.parts.pubsub.channels, args)


@command("PUBSUB NUMSUB", arity=-2, flags=PUBSUB_FLAG | LOADING | STALE, since="2.8.0", group="pubsub",
         syntax="[channel [channel ...]]")  # fmt: skip
def pubsub_numsub(client: Client, args: Args) -> Reply:
    """Count the subscribers of channels."""
    counted: list[Reply] = []
    for channel in args.rest():
        counted += [channel, len(client.parts.pubsub.channels.get(channel, ()))]
    return counted


@command("PUBSUB NUMPAT", arity=2, flags=PUBSUB_FLAG | LOADING | STALE, since="2.8.0", group="pubsub")
def pubsub_numpat(client: Client, args: Args) -> Reply:
    """Count the patterns that somebody listens to."""
    return len(client.parts.pubsub.patterns)


@command("PUBSUB SHARDCHANNELS", arity=-2, flags=PUBSUB_FLAG | LOADING | STALE, since="7.0.0", group="pubsub",
         syntax="[pattern]")  # fmt: skip
def pubsub_shardchannels(client: Client, args: Args) -> Reply:
    """List the shard channels that somebody listens to."""
    return _active(client.parts.pubsub.shard_channels, args)


@command("PUBSUB SHARDNUMSUB", arity=-2, flags=PUBSUB_FLAG | LOADING | STALE, since="7.0.0", group="pubsub",
         syntax="[shardchannel [shardchannel ...]]")  # fmt: skip
def pubsub_shardnumsub(client: Client, args: Args) -> Reply:
    """Count the subscribers of shard channels."""
    counted: list[Reply] = []
    for channel in args.rest():
        counted += [channel, len(client.parts.pubsub.shard_channels.get(channel, ()))]
    return counted
