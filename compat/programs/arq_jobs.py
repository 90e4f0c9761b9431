"""arq: jobs for asyncio, kept in sorted sets."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

REQUIREMENTS = ("arq==0.28.0",)
MISSING = ()


async def _add(_context: dict[str, Any], a: int, b: int) -> int:
    return a + b


async def _stubborn(context: dict[str, Any]) -> int:
    from arq import Retry

    if context["job_try"] < 3:
        raise Retry
    return int(context["job_try"])


async def _work(url: str, body: Any) -> None:
    from arq import create_pool
    from arq.connections import RedisSettings
    from arq.worker import Worker

    settings = RedisSettings(host="127.0.0.1", port=urlsplit(url).port or 6379)
    pool = await create_pool(settings)
    worker = Worker([_add, _stubborn], redis_pool=pool, burst=True, poll_delay=0.01, handle_signals=False)
    try:
        await body(pool, worker)
    finally:
        await worker.close()
        await pool.aclose()


def scenario_job(url: str) -> None:
    async def body(pool: Any, worker: Any) -> None:
        job = await pool.enqueue_job("_add", 2, 3, _job_id="once")
        assert await pool.enqueue_job("_add", 2, 3, _job_id="once") is None
        await worker.async_run()
        assert await job.result(timeout=5) == 5

    asyncio.run(_work(url, body))


def scenario_retry(url: str) -> None:
    async def body(pool: Any, worker: Any) -> None:
        job = await pool.enqueue_job("_stubborn")
        await worker.async_run()
        assert await job.result(timeout=5) == 3

    asyncio.run(_work(url, body))


def scenario_deferred(url: str) -> None:
    from arq.jobs import JobStatus

    async def body(pool: Any, worker: Any) -> None:
        job = await pool.enqueue_job("_add", 1, 1, _defer_by=3600)
        assert await job.status() == JobStatus.deferred
        assert len(await pool.queued_jobs()) == 1

    asyncio.run(_work(url, body))
