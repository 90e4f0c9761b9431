"""The end of clients for asyncio, whose connections belong to an event loop."""

from __future__ import annotations

import gc
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    import redis.asyncio


def close(client: redis.asyncio.Redis, opened: list[tuple[Any, AbstractEventLoop]]) -> None:
    """Close what a test left open: in the event loop of the connection, if that can still run.

    Where the loop is gone (`asyncio.run` in the test), nothing can be closed in an orderly way any more, and asyncio
    would warn about it; but the fixture owns the client, so that is no fault of the test.
    """
    abandoned = False
    for connection, loop in opened:
        if loop.is_closed():
            abandoned = abandoned or connection.is_connected
        elif not loop.is_running():
            loop.run_until_complete(connection.disconnect())
        del connection, loop  # the last references must not be here
    opened.clear()
    if abandoned:
        _abandon(client)


def _abandon(client: redis.asyncio.Redis) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        client.connection_pool.reset()  # type: ignore[no-untyped-call]  # redis-py gives it no types
        # The sockets hang in reference cycles: they are closed here, where the warnings are ignored.
        gc.collect()
