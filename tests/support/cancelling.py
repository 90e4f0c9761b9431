"""Cancellation under asyncio, at one moment after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager


def cancel_block(make: Callable[[], AbstractAsyncContextManager[object]], check: Callable[[], None]) -> None:
    """Cancel a task in an `async with` block: before it begins, at each step on its way in, and within the block.

    check: called after each cancellation; what must be true then.
    """

    async def stay() -> None:
        async with make():
            await asyncio.sleep(3600)

    async def main() -> None:
        for steps in range(20):
            task = asyncio.create_task(stay())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                check()
            else:
                raise AssertionError("the cancellation was lost")

    asyncio.run(main())
