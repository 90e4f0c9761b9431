"""What shards report comes with their answers. Commands about it wait for them, so it is as if in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.server.shards.link import settled
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.resp.types import Reply
    from respcache.server.clients.client import Client
    from respcache.server.shards.queue import Call


def when_caught_up(client: Client, reply: Callable[[], Reply]) -> Any:
    """What `reply` returns once the shards have done everything that is before this command in the order."""
    links = client.parts.links
    if not any(link.queue.unanswered for link in links):
        return reply()
    # EXEC, or a script, may hold the queues up.
    at_once = client.executing is not None
    calls = [link.call(wire.skip()) if at_once else link.queue.submit_call(wire.skip()) for link in links]
    return _wait(calls, reply)


async def _wait(calls: list[Call], reply: Callable[[], Reply]) -> Reply:
    for call in calls:
        await settled(call)
    return reply()
