"""streaq: jobs on streams, by a library of functions (FUNCTION LOAD, FCALL) and blocking reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from compat.programs.support import eventually, raises, same, started

REQUIREMENTS = ("streaq==7.2.0", "redis==7.1.0")


class _Jobs:
    """A worker with its registered tasks: the producer needs them as well."""

    def __init__(self, url: str, **options: Any) -> None:
        from streaq import StreaqRetry, Worker

        self.worker: Any = Worker(
            redis_url=url,
            concurrency=4,
            priorities=["low", "high"],
            handle_signals=False,
            **{"idle_timeout": 30, **options},
        )
        redis = self.worker._redis

        @self.worker.task
        async def add(a: int, b: int) -> int:
            return a + b

        @self.worker.task
        def double(x: int) -> int:  # runs in a thread
            return 2 * x

        @self.worker.task(max_tries=5)
        async def stubborn(key: str) -> int:
            if (count := await redis.incr(key)) < 3:
                raise StreaqRetry("not yet", delay=timedelta(milliseconds=20))
            return int(count)

        @self.worker.task
        async def broken() -> None:
            raise LookupError("always")

        @self.worker.task(timeout=timedelta(milliseconds=100))
        async def slow() -> None:
            await asyncio.sleep(60)

        @self.worker.task
        async def hanging(key: str) -> str:
            if await redis.incr(key) == 1:
                await asyncio.sleep(60)
            return "done by another"

        @self.worker.task
        async def note(key: str, what: int) -> None:
            await redis.rpush(key, [what])

        self.add, self.double, self.stubborn, self.note = add, double, stubborn, note
        self.broken, self.slow, self.hanging = broken, slow, hanging

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.worker.run_async())
        while not self.worker._running:
            await asyncio.sleep(0.01)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _run(url: str, body: Callable[[_Jobs], Awaitable[None]]) -> None:
    async def main() -> None:
        jobs = _Jobs(url)
        async with jobs.running():
            await body(jobs)

    asyncio.run(main())


def scenario_results(url: str) -> None:
    async def body(jobs: _Jobs) -> None:
        same((await (await jobs.add.enqueue(2, 3)).result(20)).result, 5)
        same((await (await jobs.double.enqueue(21)).result(20)).result, 42)
        many = [await jobs.add.enqueue(number, number) for number in range(50)]
        results = await asyncio.gather(*(task.result(20) for task in many))
        same([result.result for result in results], [2 * number for number in range(50)])

    _run(url, body)


def scenario_retry_failure_and_timeout(url: str) -> None:
    async def body(jobs: _Jobs) -> None:
        stubborn = await (await jobs.stubborn.enqueue("tries")).result(20)
        same((stubborn.result, stubborn.tries), (3, 3))
        broken = await (await jobs.broken.enqueue()).result(20)
        assert not broken.success
        same(type(broken.exception), LookupError)
        slow = await (await jobs.slow.enqueue()).result(20)
        same(type(slow.exception), TimeoutError)

    _run(url, body)


def scenario_delay_and_chain(url: str) -> None:
    async def body(jobs: _Jobs) -> None:
        from streaq import TaskStatus

        later = await jobs.add.enqueue(1, 1).start(delay=timedelta(milliseconds=400))
        same(await later.status(), TaskStatus.SCHEDULED)
        chained = await jobs.add.enqueue(1, 2).then(jobs.double).then(jobs.double)
        same((await chained.result(20)).result, 12)
        same((await later.result(20)).result, 2)
        far = await jobs.add.enqueue(1, 1).start(delay=timedelta(hours=1))
        assert await far.abort(0.1) or await far.status() == TaskStatus.SCHEDULED

    _run(url, body)


def scenario_dependencies(url: str) -> None:
    """A task that depends on two others runs after them; if one fails it fails with it."""

    async def body(jobs: _Jobs) -> None:
        first = jobs.add.enqueue(1, 1).start(delay=timedelta(milliseconds=100))
        second = jobs.stubborn.enqueue("tries")
        await first
        await second
        both = await jobs.note.enqueue("order", 1).start(after=[first.id, second.id])
        assert (await both.result(20)).success
        same(await jobs.worker.redis.get("tries"), "3")
        broken = await jobs.broken.enqueue().start(delay=timedelta(milliseconds=100))
        dependent = await jobs.note.enqueue("order", 2).start(after=broken.id)
        assert not (await dependent.result(20)).success
        same(await jobs.worker.redis.lrange("order", 0, -1), ["1"])

    _run(url, body)


def scenario_priorities(url: str) -> None:
    async def main() -> None:
        jobs, worker = _Jobs(url), _Jobs(url).worker
        async with jobs.worker:
            for number in range(4):
                await jobs.note.enqueue("order", number).start(priority="high" if number % 2 else "low")
            worker.burst, worker.concurrency = True, 1
            await asyncio.wait_for(worker.run_async(), 10)
            same(await jobs.worker.redis.lrange("order", 0, -1), ["1", "3", "0", "2"])

    asyncio.run(main())


def _work(url: str) -> None:
    _Jobs(url, idle_timeout=0.5).worker.run_sync()


def scenario_worker_is_killed(url: str) -> None:
    """Another worker claims the entry that nobody has been at for a while."""
    from redis import Redis

    redis = Redis.from_url(url)

    async def send() -> str:
        jobs = _Jobs(url)
        async with jobs.worker:
            return str((await jobs.hanging.enqueue("starts").start(priority="high")).id)

    async def result(task_id: str) -> Any:
        jobs = _Jobs(url)
        async with jobs.worker:
            return (await jobs.worker.result_by_id(task_id, 20)).result

    with started(_work, url) as worker:
        eventually(lambda: redis.exists("streaq:default:queues:high"))
        task_id = asyncio.run(send())
        eventually(lambda: redis.get("starts"))
        worker.kill()
        worker.join()
    with started(_work, url):
        same(asyncio.run(result(task_id)), "done by another")


def scenario_library(url: str) -> None:
    """What streaq needs of functions, and that any number of workers may load the library."""
    from redis import Redis
    from redis.exceptions import ResponseError

    redis = Redis.from_url(url, decode_responses=True)

    async def main() -> None:
        await asyncio.gather(*(_load() for _ in range(5)))

    async def _load() -> None:
        async with _Jobs(url).worker:
            pass

    asyncio.run(main())
    (library,) = redis.function_list("streaq")
    assert "publish_task" in str(library)
    same(redis.function_delete("streaq"), True)
    with raises(ResponseError, "unction not found"):
        redis.fcall("publish_task", 0)
