"""arq: jobs for asyncio, kept in sorted sets."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

from compat.programs.support import eventually, started

REQUIREMENTS = ("arq==0.28.0",)


async def _add(_context: dict[str, Any], a: int, b: int) -> int:
    return a + b


async def _stubborn(context: dict[str, Any]) -> int:
    from arq import Retry

    if context["job_try"] < 3:
        raise Retry
    return int(context["job_try"])


async def _hang(context: dict[str, Any]) -> int:
    if context["job_try"] == 1:
        await context["redis"].set("started", 1)
        await asyncio.sleep(600)
    return int(context["job_try"])


async def _work(url: str, body: Any) -> None:
    from arq import create_pool
    from arq.connections import RedisSettings
    from arq.worker import Worker

    settings = RedisSettings(host="127.0.0.1", port=urlsplit(url).port or 6379)
    pool = await create_pool(settings)
    worker = Worker(
        [_add, _stubborn, _hang], redis_pool=pool, burst=True, poll_delay=0.01, job_timeout=2, handle_signals=False
    )
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


def _work_alone(url: str) -> None:
    async def body(_pool: Any, worker: Any) -> None:
        await worker.async_run()

    asyncio.run(_work(url, body))


def scenario_worker_is_killed(url: str) -> None:
    """Its job stays in the queue, and is free for another worker when the key of the first one has expired."""
    from redis import Redis

    async def send(pool: Any, _worker: Any) -> None:
        await pool.enqueue_job("_hang", _job_id="job")

    async def body(pool: Any, worker: Any) -> None:
        from arq.jobs import Job

        await worker.async_run()
        assert await Job("job", pool).result(timeout=5) == 2

    redis = Redis.from_url(url)
    asyncio.run(_work(url, send))
    with started(_work_alone, url) as worker:
        eventually(lambda: redis.get("started"))
        worker.kill()
        worker.join()
    redis.delete("arq:in-progress:job")  # instead of waiting for job_timeout + 10 s
    asyncio.run(_work(url, body))
