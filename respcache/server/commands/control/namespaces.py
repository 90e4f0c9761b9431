"""RESPCACHE NAMESPACE: several tests share one server, and each has it for itself."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from respcache import errors
from respcache.errors import CommandError
from respcache.resp.types import OK
from respcache.server.commands.control.family import CONTROL, command

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from respcache.commands.args import Args
    from respcache.resp.types import Reply
    from respcache.server.clients.client import Client


@command("RESPCACHE NAMESPACE", "[name | DROP name]", arity=-2, flags=CONTROL, since="7.2.0")
def respcache_namespace(client: Client, args: Args) -> Any:
    """Use a namespace from now on, which is a server within the server; or drop one; or tell which one this is.

    A namespace is made when it is first named. It has its own databases, scripts, functions, channels and keyspace
    events, and its clients see each other only. The clock, the configuration and counters are shared. The connection
    is as a new one there: nothing is watched, queued or subscribed. The empty name leads back to the default namespace.
    Clients may as well log in as the user `ns.NAME`, with the password of the default user, if any.

    DROP ends the connections of a namespace, and removes all that is in it.
    """
    namespaces = client.parts.namespaces
    if not len(args):
        return client.namespace.name or None
    word = args.next()
    if word.upper() == b"DROP" and len(args) == 1:
        return _drop(client, args.next())
    if word.upper() == b"DROP" or len(args):
        raise errors.unknown_call("RESPCACHE", word)
    client.enter(namespaces.obtain(word))
    return OK


def _drop(client: Client, name: bytes) -> Coroutine[Any, Any, Reply]:
    namespaces = client.parts.namespaces
    namespace = namespaces.find(name)
    if namespace is None:
        raise CommandError(errors.NO_SUCH_NAMESPACE)
    if namespace.is_default:
        raise CommandError(errors.DEFAULT_NAMESPACE_STAYS)
    for other in client.parts.registry.all():
        if other.namespace is namespace and other is not client:
            other.close()
    if client.namespace is namespace:
        client.finish()
        client.enter(namespaces.default)
    return _dropped(namespaces.drop(namespace))


async def _dropped(gone: Coroutine[Any, Any, None]) -> Reply:
    await gone
    return OK


@command("RESPCACHE NAMESPACES", arity=2, flags=CONTROL, since="7.2.0")
async def respcache_namespaces(client: Client, args: Args) -> Reply:
    """Describe all namespaces, the default one first: name, connections, keys."""
    parts = client.parts
    shards = await parts.figures.gather()
    clients = Counter(other.namespace.number for other in parts.registry.all())
    keys: Counter[int] = Counter()
    for shard in shards:
        for index, (count, *_) in shard["databases"].items():
            keys[index // parts.config.databases] += count
    return [
        {b"name": each.name, b"clients": clients[each.number], b"keys": keys[each.number]}
        for each in parts.namespaces.all()
    ]
