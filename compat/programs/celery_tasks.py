"""celery, with kombu below it: tasks, retries, results and chords, with a worker in a thread."""

from __future__ import annotations

from typing import Any

REQUIREMENTS = ("celery==5.6.2", "redis==7.1.0", "pytest==8.4.2")
MISSING = ("BRPOP",)  # its worker waits with it


def _app(url: str) -> Any:
    from celery import Celery

    app = Celery("test", broker=url, backend=url)
    app.conf.update(result_expires=60, broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)
    return app


def _run(app: Any, body: Any) -> None:
    from celery.contrib.testing.worker import start_worker

    with start_worker(app, perform_ping_check=False, shutdown_timeout=5):
        body()


def scenario_published(url: str) -> None:
    """A task that is sent waits in the broker: there is no worker here."""
    import pytest

    app = _app(url)

    @app.task(name="add")
    def add(a: int, b: int) -> int:
        return a + b

    add.delay(1, 2)
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue("celery")
        assert queue.qsize() == 1
        message = queue.get_nowait()
        assert message.headers["task"] == "add"
        message.ack()
        with pytest.raises(queue.Empty):
            queue.get_nowait()
        queue.close()


def scenario_result(url: str) -> None:
    app = _app(url)

    @app.task(name="add")
    def add(a: int, b: int) -> int:
        return a + b

    _run(app, lambda: _same(add.delay(2, 3).get(timeout=8), 5))


def scenario_retry(url: str) -> None:
    app = _app(url)
    tries = []

    @app.task(name="stubborn", bind=True, max_retries=3)
    def stubborn(self: Any) -> int:
        tries.append(1)
        if len(tries) < 3:
            raise self.retry(countdown=0)
        return len(tries)

    _run(app, lambda: _same(stubborn.delay().get(timeout=8), 3))


def scenario_chord(url: str) -> None:
    from celery import chord

    app = _app(url)

    @app.task(name="double")
    def double(x: int) -> int:
        return x * 2

    @app.task(name="total")
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    _run(app, lambda: _same(chord(double.s(x) for x in range(5))(total.s()).get(timeout=8), 20))


def _same(found: object, expected: object) -> None:
    assert found == expected, f"{found!r} instead of {expected!r}"
