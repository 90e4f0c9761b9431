"""celery, with kombu below it: tasks, retries, chords, countdown and revoke; workers in a thread and in processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from compat.programs.support import eventually, raises, same, started

REQUIREMENTS = ("celery==5.6.2", "redis==7.1.0", "pytest==8.4.2")


def _app(url: str) -> Any:
    from celery import Celery

    app = Celery("test", broker=url, backend=url)
    app.conf.update(
        result_expires=60,
        broker_connection_retry_on_startup=True,
        worker_hijack_root_logger=False,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        broker_transport_options={
            # A message of a dead worker comes back after a second.
            "visibility_timeout": 1,
            "unacked_restore_interval": 0.2,
            "unacked_restore_throttle": 1,
        },
    )
    app.task(name="add")(_add)
    app.task(name="total")(_total)
    app.task(name="stubborn", bind=True, max_retries=3)(_stubborn)
    app.task(name="count", bind=True)(_count)
    app.task(name="fragile", bind=True)(_fragile)
    return app


def _add(a: int, b: int) -> int:
    return a + b


def _total(numbers: list[int]) -> int:
    return sum(numbers)


def _stubborn(self: Any, succeeds: int) -> int:
    if self.request.retries < succeeds:
        raise self.retry(countdown=0.05)
    return int(self.request.retries)


def _count(self: Any, key: str) -> int:
    return int(self.backend.client.incr(key))


def _fragile(self: Any, key: str, how: str) -> str:
    """On the first delivery it hangs, or its process is killed; the second one is fine."""
    if self.backend.client.incr(key) == 1:
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(600)
    return f"delivery {self.backend.client.get(key).decode()}"


@contextmanager
def _worker(app: Any) -> Iterator[None]:
    from celery.contrib.testing.worker import start_worker

    with start_worker(app, perform_ping_check=False, shutdown_timeout=5):
        yield


def _work(url: str, *options: str) -> None:
    """A worker in a process of its own."""
    _app(url).worker_main(["worker", "--without-mingle", "--loglevel=warning", *options])


def scenario_published(url: str) -> None:
    """A task that is sent waits in the broker: there is no worker here."""
    app = _app(url)
    app.tasks["add"].delay(1, 2)
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue("celery")
        same(queue.qsize(), 1)
        message = queue.get_nowait()
        same(message.headers["task"], "add")
        message.ack()
        with raises(queue.Empty):
            queue.get_nowait()
        queue.close()


def scenario_result(url: str) -> None:
    app = _app(url)
    with _worker(app):
        result = app.tasks["add"].delay(2, 3)
        same(result.get(timeout=20), 5)
        assert result.successful()
        failing = app.tasks["add"].delay(2, "three")
        with raises(TypeError):
            failing.get(timeout=20)
        same(failing.state, "FAILURE")
        result.forget()
        same(app.AsyncResult(result.id).state, "PENDING")


def scenario_retry(url: str) -> None:
    app = _app(url)
    with _worker(app):
        same(app.tasks["stubborn"].delay(3).get(timeout=20), 3)
        with raises(Exception, "Can't retry"):
            app.tasks["stubborn"].delay(99).get(timeout=20)


def scenario_chain_group_and_chord(url: str) -> None:
    from celery import chain, chord, group

    app = _app(url)
    add, total = app.tasks["add"], app.tasks["total"]
    with _worker(app):
        same(chain(add.s(1, 2), add.s(10), add.s(100))().get(timeout=20), 113)
        same(group(add.s(n, n) for n in range(20))().get(timeout=20), [2 * n for n in range(20)])
        same(chord((add.s(n, n) for n in range(5)), total.s())().get(timeout=20), 20)
        same(chord((chain(add.s(n, 0), add.s(1)) for n in range(3)), total.s())().get(timeout=20), 6)
        broken = chord([add.s(1, 1), add.s(1, "one")], total.s())()
        with raises(Exception, "unsupported operand"):
            broken.get(timeout=20)


def scenario_countdown(url: str) -> None:
    app = _app(url)
    with _worker(app):
        begin = time.monotonic()
        later = app.tasks["count"].apply_async(["later"], countdown=0.7)
        same(app.tasks["count"].delay("now").get(timeout=20), 1)
        same(later.state, "PENDING")
        same(later.get(timeout=20), 1)
        assert time.monotonic() - begin >= 0.69
        expired = app.tasks["count"].apply_async(["expired"], expires=-1)
        with raises(Exception, "expired"):
            expired.get(timeout=20)
        assert not app.backend.client.exists("expired")


def scenario_revoke(url: str) -> None:
    from celery.exceptions import TaskRevokedError

    app = _app(url)
    with _worker(app):
        revoked = app.tasks["count"].apply_async(["counter"], countdown=0.8)
        kept = app.tasks["count"].apply_async(["counter"], countdown=1)
        eventually(lambda: _scheduled(app) == {revoked.id, kept.id})
        (reply,) = app.control.revoke(revoked.id, reply=True, timeout=5, limit=1)
        assert "ok" in str(reply), reply
        with raises(TaskRevokedError):
            revoked.get(timeout=20)
        same(kept.get(timeout=20), 1)


def _scheduled(app: Any) -> set[str]:
    replies = app.control.inspect(timeout=5, limit=1).scheduled() or {}
    return {entry["request"]["id"] for entries in replies.values() for entry in entries}


def scenario_revoke_a_running_task(url: str) -> None:
    from celery.exceptions import TaskRevokedError

    app = _app(url)
    with started(_work, url, "--concurrency=1"):
        running = app.tasks["fragile"].delay("starts", "hangs")
        eventually(lambda: app.backend.client.get("starts"))
        app.control.revoke(running.id, terminate=True, signal="SIGKILL")
        with raises(TaskRevokedError):
            running.get(timeout=20)
        same(app.tasks["add"].delay(1, 1).get(timeout=20), 2)


def scenario_process_of_the_pool_is_killed(url: str) -> None:
    app = _app(url)
    with started(_work, url, "--concurrency=2"):
        results = [app.tasks["fragile"].delay(f"starts:{n}", "killed") for n in range(2)]
        same([result.get(timeout=10) for result in results], ["delivery 2"] * 2)


def scenario_worker_is_killed(url: str) -> None:
    """Its task was not acknowledged, so another worker gets it once the visibility timeout is over."""
    app = _app(url)
    with started(_work, url, "--pool=solo") as worker:
        result = app.tasks["fragile"].delay("starts", "hangs")
        eventually(lambda: app.backend.client.get("starts"))
        worker.kill()
        worker.join()
    same(app.backend.client.hlen("unacked"), 1)
    with started(_work, url, "--pool=solo"):
        same(result.get(timeout=10), "delivery 2")
        eventually(lambda: app.backend.client.hlen("unacked") == 0)


def scenario_priorities(url: str) -> None:
    app = _app(url)
    app.conf.update(broker_transport_options={"priority_steps": [0, 3, 6, 9], "queue_order_strategy": "priority"})
    for priority in (9, 3, 0, 6):
        app.tasks["add"].apply_async([priority, 0], priority=priority)
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue("celery")
        found = []
        for _ in range(4):
            message = queue.get(timeout=5)
            found.append(message.payload[0][0])
            message.ack()
        queue.close()
    same(found, [0, 3, 6, 9])


def scenario_remote_control(url: str) -> None:
    app = _app(url)
    with _worker(app):
        replies = eventually(lambda: app.control.ping(timeout=3, limit=1))
        same(list(replies[0].values()), [{"ok": "pong"}])
        assert "add" in str(app.control.inspect(timeout=3, limit=1).registered())
        app.control.add_consumer("extra", reply=True, timeout=3, limit=1)
        same(app.tasks["add"].apply_async([4, 5], queue="extra").get(timeout=20), 9)
        for _ in range(3):
            app.tasks["add"].apply_async([1, 1], queue="nobody")
        with app.connection_for_write() as connection:
            same(connection.default_channel.queue_purge("nobody"), 3)
