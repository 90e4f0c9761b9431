"""saq: jobs for asyncio, with scripts and blocking lists."""

from __future__ import annotations

import asyncio
from typing import Any

REQUIREMENTS = ("saq[redis]==0.26.4", "typing_extensions==4.16.0")
MISSING = ("EVALSHA", "BLMOVE")


async def _add(_context: Any, *, a: int, b: int) -> int:
    return a + b


def scenario_job(url: str) -> None:
    from saq import Queue, Worker

    async def main() -> None:
        queue = Queue.from_url(url)
        await queue.connect()
        worker = Worker(queue, functions=[("add", _add)], shutdown_grace_period_s=1)
        task = asyncio.create_task(worker.start())
        try:
            assert await asyncio.wait_for(queue.apply("add", a=2, b=3), 8) == 5
        finally:
            await worker.stop()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await queue.disconnect()

    asyncio.run(main())
