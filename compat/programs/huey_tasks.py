"""huey: a small task queue with its consumer: results, retries, scheduled tasks, pipelines, priorities and locks."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from compat.programs.support import eventually, raises, same, started

REQUIREMENTS = ("huey==3.5.4", "redis==7.1.0")


def _huey(url: str, kind: str = "RedisHuey") -> Any:
    import huey

    return getattr(huey, kind)("test", host="127.0.0.1", port=urlsplit(url).port, read_timeout=0.2)


@contextmanager
def _consumer(huey: Any, workers: int = 2) -> Iterator[None]:
    """Its consumer in threads, without the signal handlers of its command."""
    consumer = huey.create_consumer(workers=workers, scheduler_interval=1, check_worker_health=False)
    consumer._set_signal_handlers = lambda: None
    consumer.start()
    try:
        yield
    finally:
        consumer.stop(graceful=True)


def scenario_result(url: str) -> None:
    for kind in ("RedisHuey", "PriorityRedisHuey", "RedisExpireHuey"):
        huey = _huey(url, kind)

        @huey.task()
        def add(a: int, b: int) -> int:
            return a + b

        result = add(2, 3)
        same(len(huey), 1)
        same(result.get(), None)
        with _consumer(huey):
            same(result.get(blocking=True, timeout=20), 5)
            many = add.map([(number, number) for number in range(50)])
            same(many.get(blocking=True, timeout=20), [2 * number for number in range(50)])


def scenario_retry(url: str) -> None:
    from huey.exceptions import TaskException

    huey = _huey(url)
    tries = []

    @huey.task(retries=2)
    def stubborn(succeeds: int) -> int:
        tries.append(1)
        if len(tries) < succeeds:
            raise ValueError("not yet")
        return len(tries)

    def value(result: Any) -> Any:
        """None also while it is the error of a try that others follow."""
        try:
            return huey.result(result.id, preserve=True)
        except TaskException:
            return None

    with _consumer(huey):
        succeeding = stubborn(3)
        same(eventually(lambda: value(succeeding)), 3)
        failing = stubborn(99)
        eventually(lambda: len(tries) == 6)
        with raises(TaskException, "not yet"):
            failing.get(blocking=True, timeout=20)


def scenario_pipeline(url: str) -> None:
    huey = _huey(url)

    @huey.task()
    def add(a: int, b: int) -> int:
        return a + b

    with _consumer(huey):
        results = huey.enqueue(add.s(1, 2).then(add, 10).then(add, 100))
        same(results.get(blocking=True, timeout=20), [3, 13, 113])


def scenario_planned(url: str) -> None:
    huey = _huey(url)

    @huey.task()
    def later() -> str:
        return "done"

    far = later.schedule(delay=3600)
    near = later.schedule(delay=1)
    with _consumer(huey):
        same(near.get(blocking=True, timeout=10), "done")
        same(huey.scheduled_count(), 1)
    due = huey.read_schedule(datetime.datetime.now() + datetime.timedelta(hours=30))
    same([task.id for task in due], [far.id])
    same(huey.scheduled_count(), 0)


def scenario_priorities(url: str) -> None:
    huey = _huey(url, "PriorityRedisHuey")
    order = []

    @huey.task()
    def note(name: str) -> None:
        order.append(name)

    note("low", priority=1)
    note("none")
    note("high", priority=50)
    note("low again", priority=1)
    with _consumer(huey, workers=1):
        eventually(lambda: len(order) == 4)
    same(order, ["high", "low", "low again", "none"])


def scenario_revoke(url: str) -> None:
    huey = _huey(url)
    done = []

    @huey.task()
    def note(name: str) -> None:
        done.append(name)

    revoked = note("revoked")
    revoked.revoke()
    restored = note("restored")
    restored.revoke()
    restored.restore()
    with _consumer(huey):
        eventually(lambda: done == ["restored"] and len(huey) == 0)


def scenario_lock(url: str) -> None:
    from huey.exceptions import TaskLockedException

    huey = _huey(url)
    with huey.lock_task("work"), raises(TaskLockedException), huey.lock_task("work"):
        pass
    with huey.lock_task("work"):
        assert huey.is_locked("work")
        huey.flush_locks("work")
        assert not huey.is_locked("work")


def _fragile(url: str) -> Any:
    huey = _huey(url)

    @huey.task(name="fragile")
    def fragile(key: str) -> str:
        import time

        if huey.storage.conn.incr(key) == 1:
            time.sleep(600)
        return "done"

    return huey, fragile


def _work(url: str) -> None:
    huey, _ = _fragile(url)
    huey.create_consumer(workers=1).run()


def scenario_worker_is_killed(url: str) -> None:
    """huey has no acknowledgements: the task that was running is lost, those that wait are not."""
    huey, fragile = _fragile(url)
    with started(_work, url) as worker:
        lost = fragile("starts")
        eventually(lambda: huey.storage.conn.get("starts"))
        waiting = fragile("starts")
        worker.kill()
        worker.join()
    same(len(huey), 1)
    with _consumer(huey):
        same(waiting.get(blocking=True, timeout=20), "done")
    same(lost.get(), None)
