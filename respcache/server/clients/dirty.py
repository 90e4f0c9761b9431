"""The lines of CLIENT LIST and CLIENT INFO, with what only shards know: whether a watched key has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.resp.types import Verbatim
from respcache.server.clients.describe import describe
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respcache.resp.types import Argv, Reply
    from respcache.server.clients.client import Client
    from respcache.server.shards.queue import Call


def described(asker: Client, clients: Sequence[Client], request: Argv) -> Any:
    """The reply, or a coroutine of it if shards have to be asked. `request` is the command of the one who asks."""
    watching: dict[int, list[int]] = {}
    for client in clients:
        for shard in client.watching:
            watching.setdefault(shard, []).append(client.id)
    if not watching:
        return _lines(asker, clients, request, set())
    links = asker.parts.links
    within = asker.executing is not None  # then EXEC may hold these very queues up
    calls = [
        links[shard].call(wire.dirty(ids)) if within else links[shard].queue.submit_call(wire.dirty(ids))
        for shard, ids in watching.items()
    ]
    return _described(asker, clients, request, calls)


async def _described(asker: Client, clients: Sequence[Client], request: Argv, calls: list[Call]) -> Reply:
    dirty: set[int] = set()
    for call in calls:
        dirty.update(await call.result())
    return _lines(asker, clients, request, dirty)


def _lines(asker: Client, clients: Sequence[Client], request: Argv, dirty: set[int]) -> Reply:
    lines = [
        describe(client, request if client.id == asker.id else (), dirty=client.id in dirty)
        for client in clients
        if not client.closed
    ]
    return Verbatim(b"".join(line + b"\n" for line in lines))
