"""celery beat by redbeat: a schedule in sorted sets and hashes, and a lock so that only one beat is at work."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import Any

from compat.programs.support import eventually, raises, same, started

REQUIREMENTS = ("celery-redbeat==2.4.2", "celery==5.6.2", "redis==7.1.0", "packaging==26.4")

_LOCK = "redbeat::lock"


def _app(url: str) -> Any:
    from celery import Celery

    app = Celery("test", broker=url, backend=url)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        worker_hijack_root_logger=False,
        redbeat_redis_url=url,
        redbeat_redis_options={"retry_period": 1},
        redbeat_lock_timeout=1,  # a beat that is killed is missed after a second
        beat_max_loop_interval=0.1,
    )

    @app.task(name="tick", bind=True)
    def tick(self: Any, key: str) -> None:
        self.backend.client.incr(key)

    return app


def _beat(url: str, schedule: dict[str, Any]) -> None:
    app = _app(url)
    app.conf.beat_schedule = schedule
    app.Beat(scheduler="redbeat.RedBeatScheduler", loglevel="WARNING", quiet=True).run()


def _work(url: str) -> None:
    _app(url).worker_main(["worker", "--pool=solo", "--without-mingle", "--loglevel=warning"])


def _entry(app: Any, name: str, every: Any, key: str) -> Any:
    from celery.schedules import schedule
    from redbeat import RedBeatSchedulerEntry

    return RedBeatSchedulerEntry(name, "tick", schedule(timedelta(seconds=every), app=app), args=[key], app=app)


def _count(app: Any, key: str) -> int:
    return int(app.backend.client.get(key) or 0)


def scenario_schedule_in_redis(url: str) -> None:
    from redbeat import RedBeatSchedulerEntry

    app = _app(url)
    _entry(app, "soon", 10, "soon").save()
    late = _entry(app, "late", 3600, "late").save()
    late.reschedule()
    same((late.key, late.rank), ("redbeat:late", 1))
    found = RedBeatSchedulerEntry.from_key("redbeat:soon", app=app)
    same((found.task, found.args, found.schedule.run_every), ("tick", ["soon"], timedelta(seconds=10)))
    assert not found.is_due()[0]
    found.reschedule(found.last_run_at - timedelta(minutes=1))
    assert RedBeatSchedulerEntry.from_key("redbeat:soon", app=app).is_due()[0]
    found.delete()
    with raises(KeyError):
        RedBeatSchedulerEntry.from_key("redbeat:soon", app=app)
    same(late.rank, 0)


def scenario_static_and_added_entries(url: str) -> None:
    """One entry is in the configuration; another is added, and deleted, while beat runs."""
    app = _app(url)
    static = {"static": {"task": "tick", "schedule": timedelta(seconds=1), "args": ["static"]}}
    with started(_work, url), started(_beat, url, static):
        eventually(lambda: _count(app, "static") >= 2)
        added = _entry(app, "added", 1, "added").save()
        eventually(lambda: _count(app, "added") >= 2)
        added.delete()
        eventually(lambda: app.backend.client.llen("celery") == 0)
        at_deletion, static_then = _count(app, "added"), _count(app, "static")
        eventually(lambda: _count(app, "static") >= static_then + 2)
        assert _count(app, "added") <= at_deletion + 2  # what was under way when it was deleted
        same(app.backend.client.zrange("redbeat::schedule", 0, -1), [b"redbeat:static"])


def scenario_second_beat_takes_over(url: str) -> None:
    """Two beats; the one without the lock waits, and goes on when the other has been killed."""
    app = _app(url)
    static = {"static": {"task": "tick", "schedule": timedelta(seconds=1), "args": ["static"]}}
    client = app.backend.client
    with ExitStack() as stack:
        stack.enter_context(started(_work, url))
        first = stack.enter_context(started(_beat, url, static))
        holder = eventually(lambda: client.get(_LOCK))
        stack.enter_context(started(_beat, url, static))
        eventually(lambda: _count(app, "static") >= 2)
        same(client.get(_LOCK), holder)
        first.kill()
        first.join()
        eventually(lambda: client.get(_LOCK) not in (None, holder))
        count = _count(app, "static")
        eventually(lambda: _count(app, "static") >= count + 2)


def scenario_lock_is_lost(url: str) -> None:
    """A beat that finds its lock taken stops, rather than send everything twice."""
    app = _app(url)
    client = app.backend.client
    with started(_beat, url, {}) as beat:
        eventually(lambda: client.get(_LOCK))
        client.set(_LOCK, "another", px=20_000)
        beat.join(15)
        assert not beat.is_alive()
    same(client.get(_LOCK), b"another")
