"""huey: a small task queue; tasks, results, retries, and scheduled tasks."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

REQUIREMENTS = ("huey==3.5.4", "redis==7.1.0")
MISSING = ("EVALSHA",)  # scheduled tasks are fetched with it


def _huey(url: str) -> Any:
    from huey import RedisHuey

    return RedisHuey("test", host="127.0.0.1", port=urlsplit(url).port, blocking=False)


def _work(huey: Any) -> None:
    """What its consumer does, once per waiting task."""
    while (task := huey.dequeue()) is not None:
        huey.execute(task)


def scenario_result(url: str) -> None:
    huey = _huey(url)

    @huey.task()
    def add(a: int, b: int) -> int:
        return a + b

    result = add(2, 3)
    assert len(huey) == 1
    assert result.get() is None
    _work(huey)
    assert result.get() == 5


def scenario_retry(url: str) -> None:
    huey = _huey(url)
    tries = []

    @huey.task(retries=2)
    def stubborn() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("not yet")
        return len(tries)

    result = stubborn()
    _work(huey)
    assert result.get() == 3


def scenario_planned(url: str) -> None:
    import datetime

    huey = _huey(url)

    @huey.task()
    def later() -> str:
        return "done"

    result = later.schedule(delay=3600)
    huey.add_schedule(huey.dequeue())
    assert huey.scheduled_count() == 1
    due = huey.read_schedule(datetime.datetime.now() + datetime.timedelta(hours=30))
    assert [task.id for task in due] == [result.id]


def scenario_lock(url: str) -> None:
    from huey.exceptions import TaskLockedException

    huey = _huey(url)
    with huey.lock_task("work"):
        try:
            with huey.lock_task("work"):
                raise AssertionError("locked twice")
        except TaskLockedException:
            pass
