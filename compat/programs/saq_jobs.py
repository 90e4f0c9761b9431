"""saq: jobs for asyncio, with scripts and blocking lists; retries, schedules, aborts, and workers that die."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from compat.programs.support import eventually, raises, same, started

REQUIREMENTS = ("saq[redis]==0.26.4", "typing_extensions==4.16.0")


async def _add(_context: Any, *, a: int, b: int) -> int:
    return a + b


async def _stubborn(context: Any, *, succeeds: int) -> int:
    attempts = int(context["job"].attempts)
    if attempts < succeeds:
        raise ValueError("not yet")
    return attempts


async def _hang(context: Any, *, counter: str) -> str:
    if await context["queue"].redis.incr(counter) == 1:
        await asyncio.sleep(600)
    return "done by another"


async def _tick(context: Any) -> None:
    await context["queue"].redis.incr("ticks")


def _worker(queue: Any, sweep: int = 60, **options: Any) -> Any:
    from saq import Worker

    async def remember(context: Any) -> None:
        context["queue"] = queue

    return Worker(
        queue,
        functions=[("add", _add), ("stubborn", _stubborn), ("hang", _hang), ("tick", _tick)],
        before_process=remember,
        shutdown_grace_period_s=1,
        dequeue_timeout=0.5,
        timers={"schedule": 1, "sweep": sweep, "abort": 0.1},
        **options,
    )


def _run(url: str, body: Callable[[Any], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        from saq import Queue

        queue = Queue.from_url(url)
        await queue.connect()
        worker = _worker(queue, **options)
        task = asyncio.create_task(worker.start())
        while not await queue.redis.exists(queue._sweep):
            await asyncio.sleep(0.01)  # a job that is just being fetched at a sweep counts as lost
        try:
            await asyncio.wait_for(body(queue), 25)
        finally:
            await worker.stop()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await queue.disconnect()

    asyncio.run(main())


def scenario_job(url: str) -> None:
    async def body(queue: Any) -> None:
        same(await queue.apply("add", a=2, b=3), 5)
        same(await queue.map("add", [{"a": number, "b": number} for number in range(50)]), [2 * n for n in range(50)])

    _run(url, body)


def scenario_retry(url: str) -> None:
    async def body(queue: Any) -> None:
        from saq.queue import JobError

        same(await queue.apply("stubborn", succeeds=3, retries=3), 3)
        same(await queue.apply("stubborn", succeeds=2, retries=2, retry_delay=0.2, retry_backoff=True), 2)
        with raises(JobError, "not yet"):
            await queue.apply("stubborn", succeeds=99, retries=2)

    _run(url, body)


def scenario_same_key_once(url: str) -> None:
    async def main() -> None:
        from saq import Queue

        queue = Queue.from_url(url)
        await queue.connect()
        jobs = await asyncio.gather(*(queue.enqueue("add", a=1, b=1, key="mine") for _ in range(10)))
        same(sum(job is not None for job in jobs), 1)
        same(await queue.count("queued"), 1)
        await queue.disconnect()

    asyncio.run(main())


def scenario_scheduled(url: str) -> None:
    async def body(queue: Any) -> None:
        begin = time.time()
        job = await queue.enqueue("add", a=1, b=1, scheduled=int(begin) + 2)
        assert await queue.enqueue("add", a=1, b=1, scheduled=int(begin) + 3600)
        same(await queue.count("incomplete"), 2)
        await job.refresh(until_complete=20)
        same(job.result, 2)
        assert time.time() >= int(begin) + 2
        same(await queue.count("incomplete"), 1)

    _run(url, body)


def scenario_cron(url: str) -> None:
    from saq import CronJob

    async def body(queue: Any) -> None:
        while int(await queue.redis.get("ticks") or 0) < 2:
            await asyncio.sleep(0.05)

    _run(url, body, cron_jobs=[CronJob(_tick, cron="* * * * * */1")])


def scenario_abort(url: str) -> None:
    async def body(queue: Any) -> None:
        from saq import Status

        job = await queue.enqueue("hang", counter="starts", timeout=0)
        while not await queue.redis.get("starts"):
            await asyncio.sleep(0.01)
        await job.abort("not needed")
        await job.refresh(until_complete=10)
        same((job.status, job.error), (Status.ABORTED, "not needed"))
        same(await queue.apply("add", a=1, b=1), 2)

    _run(url, body)


def _work(url: str) -> None:
    async def body(_queue: Any) -> None:
        await asyncio.sleep(600)

    _run(url, body, sweep=1)


def scenario_worker_is_killed(url: str) -> None:
    """The sweeper of another worker finds the job whose heartbeat has stopped."""
    from redis import Redis

    redis = Redis.from_url(url)

    async def send() -> None:
        from saq import Queue

        queue = Queue.from_url(url)
        await queue.connect()
        await queue.enqueue("hang", counter="starts", heartbeat=1, timeout=0, retries=10)
        await queue.disconnect()

    async def body(queue: Any) -> None:
        (job,) = [job async for job in queue.iter_jobs()]
        await job.refresh(until_complete=20)
        same(job.result, "done by another")

    with started(_work, url) as worker:
        asyncio.run(send())
        eventually(lambda: redis.get("starts"))
        worker.kill()
        worker.join()
    _run(url, body, sweep=1)
