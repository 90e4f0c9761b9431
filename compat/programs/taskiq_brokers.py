"""taskiq-redis: brokers on a list (BRPOP), a channel, and a stream with its group; results and schedules."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from compat.programs.support import eventually, raises, same, started

REQUIREMENTS = ("taskiq-redis==1.2.4", "taskiq==0.13.0")


def _broker(kind: str, url: str, **options: Any) -> Any:
    import taskiq_redis
    from redis.asyncio import Redis
    from taskiq import SimpleRetryMiddleware

    results: Any = taskiq_redis.RedisAsyncResultBackend(url, result_ex_time=60)
    broker = getattr(taskiq_redis, kind)(url, **options).with_result_backend(results)
    broker.add_middlewares(SimpleRetryMiddleware(default_retry_count=3))
    redis = Redis.from_url(url, decode_responses=True)

    @broker.task("add")
    async def add(a: int, b: int) -> int:
        return a + b

    @broker.task("stubborn", retry_on_error=True)
    async def stubborn(key: str) -> int:
        if (count := await redis.incr(key)) < 3:
            raise ValueError("not yet")
        return int(count)

    @broker.task("broken")
    async def broken() -> None:
        raise LookupError("always")

    @broker.task("hanging")
    async def hanging(key: str) -> str:
        if await redis.incr(key) == 1:
            await asyncio.Event().wait()
        return "done by another"

    return broker


@asynccontextmanager
async def _running(broker: Any, workers: int = 1) -> AsyncIterator[None]:
    """The broker with workers as tasks of this program."""
    from taskiq.api import run_receiver_task

    await broker.startup()
    tasks = [asyncio.create_task(run_receiver_task(broker)) for _ in range(workers)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(Exception):  # redis-py complains of connections that were cut off with their tasks
            await broker.shutdown()


async def _jobs(broker: Any) -> None:
    """What any broker that keeps its messages must do."""
    tasks = {name: broker.find_task(name) for name in ("add", "stubborn", "broken")}
    result = await (await tasks["add"].kiq(2, 3)).wait_result(timeout=20)
    same((result.return_value, result.is_err), (5, False))
    many = [await tasks["add"].kiq(number, number) for number in range(50)]
    same([(await task.wait_result(timeout=20)).return_value for task in many], [2 * number for number in range(50)])
    same((await (await tasks["stubborn"].kiq("tries")).wait_result(timeout=20)).return_value, 3)
    failed = await (await tasks["broken"].kiq()).wait_result(timeout=20)
    assert failed.is_err
    with raises(LookupError, "always"):
        failed.raise_for_error()


def _run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


def scenario_list(url: str) -> None:
    async def main() -> None:
        broker = _broker("ListQueueBroker", url)
        async with _running(broker, workers=2):
            await _jobs(broker)

    _run(main)


def scenario_stream(url: str) -> None:
    async def main() -> None:
        broker = _broker("RedisStreamBroker", url, maxlen=1000, xread_block=100)
        async with _running(broker, workers=2):
            await _jobs(broker)
        same(await _pending(url), 0)

    _run(main)


async def _pending(url: str) -> int:
    from redis.asyncio import Redis

    async with Redis.from_url(url) as redis:
        return int((await redis.xpending("taskiq", "taskiq"))["pending"])


def scenario_channel_reaches_every_worker(url: str) -> None:
    async def main() -> None:
        from redis.asyncio import Redis

        broker = _broker("PubSubBroker", url)
        redis = Redis.from_url(url)
        async with _running(broker, workers=3):
            while (await redis.pubsub_numsub("taskiq"))[0][1] < 3:
                await asyncio.sleep(0.01)
            await broker.find_task("stubborn").kiq("runs")
            while int(await redis.get("runs") or 0) < 3:
                await asyncio.sleep(0.01)
        await redis.aclose()

    _run(main)


def _work(url: str, kind: str, options: dict[str, Any]) -> None:
    async def main() -> None:
        async with _running(_broker(kind, url, **options)):
            await asyncio.Event().wait()

    asyncio.run(main())


def scenario_worker_is_killed(url: str) -> None:
    """The stream keeps what a dead worker had begun; another one claims it (XAUTOCLAIM) after a while."""
    from redis import Redis

    options = {"idle_timeout": 400, "xread_block": 100, "unacknowledged_lock_timeout": 5, "consumer_id": "0"}
    redis = Redis.from_url(url)

    async def send(name: str, *arguments: Any) -> Any:
        broker = _broker("RedisStreamBroker", url, **options)
        await broker.startup()
        return await broker.find_task(name).kiq(*arguments)

    async def result(task_id: str) -> Any:
        broker = _broker("RedisStreamBroker", url, **options)
        while not await broker.result_backend.is_result_ready(task_id):
            await asyncio.sleep(0.02)
        return (await broker.result_backend.get_result(task_id)).return_value

    task_id = asyncio.run(send("hanging", "starts")).task_id
    with started(_work, url, "RedisStreamBroker", options) as worker:
        eventually(lambda: redis.get("starts"))
        worker.kill()
        worker.join()
    same(redis.xpending("taskiq", "taskiq")["pending"], 1)
    time.sleep(0.5)
    asyncio.run(send("add", 1, 1))  # it looks for the work of others only after it has read something new
    with started(_work, url, "RedisStreamBroker", options):
        same(asyncio.run(result(task_id)), "done by another")
        eventually(lambda: redis.xpending("taskiq", "taskiq")["pending"] == 0)


def scenario_results_expire_and_progress(url: str) -> None:
    async def main() -> None:
        from redis.asyncio import Redis
        from taskiq import TaskiqResult
        from taskiq_redis import RedisAsyncResultBackend
        from taskiq_redis.exceptions import ResultIsMissingError

        once: Any = RedisAsyncResultBackend(url, keep_results=False, result_px_time=60_000, prefix_str="results")
        result: Any = TaskiqResult(is_err=False, return_value={"a": 1}, execution_time=0.1, log="said")
        await once.set_result("id", result)
        async with Redis.from_url(url) as redis:
            assert 50_000 < await redis.pttl("results:id") <= 60_000
        assert await once.is_result_ready("id")
        same((await once.get_result("id")).return_value, {"a": 1})
        with raises(ResultIsMissingError):
            await once.get_result("id")
        await once.shutdown()

    _run(main)


def scenario_schedule(url: str) -> None:
    async def main() -> None:
        from redis.asyncio import Redis
        from taskiq import TaskiqScheduler
        from taskiq.api import run_scheduler_task
        from taskiq_redis import ListRedisScheduleSource

        broker = _broker("ListQueueBroker", url)
        source = ListRedisScheduleSource(url)
        async with _running(broker):
            cron = await broker.find_task("add").schedule_by_cron(source, "0 0 1 1 *", 0, 0)
            await broker.find_task("stubborn").schedule_by_time(source, datetime.now(UTC), "planned")
            # It looks at the schedules when it begins, and then once a minute.
            running = asyncio.create_task(run_scheduler_task(TaskiqScheduler(broker, [source])))
            assert cron.schedule_id in {item.schedule_id for item in await source.get_schedules()}
            async with Redis.from_url(url) as redis:
                while int(await redis.get("planned") or 0) < 3:
                    await asyncio.sleep(0.02)
            await cron.unschedule()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    _run(main)
