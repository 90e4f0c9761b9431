"""rq: background jobs on lists, hashes and sorted sets, with a worker that waits for them (BLMOVE, BLPOP) and Lua."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from compat.programs.support import eventually, same, started

REQUIREMENTS = ("rq==2.6.0", "redis==7.1.0")


def _connect(url: str) -> Any:
    from redis import Redis

    return Redis.from_url(url)


def _work(url: str, names: list[str]) -> None:
    """A worker as on the command line: it forks for each job."""
    from rq import Queue, Worker

    connection = _connect(url)
    Worker([Queue(name, connection=connection) for name in names], connection=connection).work(logging_level="WARNING")


def _note(url: str, key: str, text: str) -> None:
    _connect(url).rpush(key, text)


def _hang(url: str, key: str) -> str:
    """Says which process it is, and hangs on the first call."""
    if _connect(url).rpush(key, os.getpid()) == 1:
        time.sleep(600)
    return "done by another"


def scenario_job_runs(url: str) -> None:
    from rq import Queue, SimpleWorker

    connection = _connect(url)
    queue = Queue(connection=connection)
    job = queue.enqueue(pow, 2, 10)
    same(queue.job_ids, [job.id])
    SimpleWorker([queue], connection=connection).work(burst=True, logging_level="WARNING")
    same(job.return_value(), 1024)
    same(queue.job_ids, [])
    same(queue.finished_job_registry.get_job_ids(), [job.id])


def scenario_failure_is_retried(url: str) -> None:
    from rq import Queue, Retry, SimpleWorker

    connection = _connect(url)
    queue = Queue(connection=connection)
    job = queue.enqueue(divmod, 1, 0, retry=Retry(max=2))
    SimpleWorker([queue], connection=connection).work(burst=True, logging_level="WARNING")
    job.refresh()
    same(job.retries_left, 0)
    assert job.is_failed
    same(queue.failed_job_registry.get_job_ids(), [job.id])
    assert "ZeroDivisionError" in job.latest_result().exc_string
    queue.failed_job_registry.requeue(job.id)
    same(queue.job_ids, [job.id])


def scenario_wait_for_the_result(url: str) -> None:
    """The result is an entry of a stream, for which the producer waits (XREAD BLOCK)."""
    from rq import Queue

    with started(_work, url, ["default"]):
        job = Queue(connection=_connect(url)).enqueue(pow, 3, 4)
        same(job.latest_result(timeout=10).return_value, 81)


def scenario_queues_in_order(url: str) -> None:
    """A worker that already waits for three queues, and one that finds them full."""
    from rq import Queue, SimpleWorker

    connection = _connect(url)
    names = ["high", "default", "low"]
    for name in ("low", "default", "high", "low", "high"):
        Queue(name, connection=connection).enqueue(_note, url, "order", name)
    queues = [Queue(name, connection=connection) for name in names]
    SimpleWorker(queues, connection=connection).work(burst=True, logging_level="WARNING")
    same(connection.lrange("order", 0, -1), [b"high", b"high", b"default", b"low", b"low"])
    with started(_work, url, names):
        eventually(lambda: connection.info("clients")["blocked_clients"] == 1)
        for name in names:
            job = Queue(name, connection=connection).enqueue(_note, url, "waited", name)
            eventually(lambda: job.get_status(refresh=True) == "finished")  # noqa: B023  # called at once
    same(connection.lrange("waited", 0, -1), [b"high", b"default", b"low"])


def scenario_dependencies(url: str) -> None:
    from rq import Queue, SimpleWorker
    from rq.job import Dependency

    connection = _connect(url)
    queue = Queue(connection=connection)
    first = queue.enqueue(pow, 2, 2)
    second = queue.enqueue(pow, 2, 3)
    both = queue.enqueue(_note, url, "order", "both", depends_on=[first, second])
    failing = queue.enqueue(divmod, 1, 0)
    never = queue.enqueue(_note, url, "order", "never", depends_on=failing)
    anyway = queue.enqueue(_note, url, "order", "anyway", depends_on=Dependency([failing], allow_failure=True))
    same(queue.deferred_job_registry.count, 3)
    SimpleWorker([queue], connection=connection).work(burst=True, logging_level="WARNING")
    same({job.get_status(refresh=True).value for job in (first, second, both, anyway)}, {"finished"})
    same(never.get_status(refresh=True).value, "deferred")
    same(connection.lrange("order", 0, -1), [b"both", b"anyway"])


def scenario_scheduled_job(url: str) -> None:
    from rq import Queue

    queue = Queue(connection=_connect(url))
    job = queue.enqueue_in(timedelta(hours=1), pow, 2, 2)
    same(queue.scheduled_job_registry.get_job_ids(), [job.id])
    job.cancel()
    assert job.is_canceled
    same(queue.scheduled_job_registry.get_job_ids(), [])


def scenario_scheduler(url: str) -> None:
    """Of two schedulers one has the lock; it enqueues what is due."""
    from rq import Queue
    from rq.scheduler import RQScheduler

    connection = _connect(url)
    queue = Queue(connection=connection)
    job = queue.enqueue_in(timedelta(seconds=-1), pow, 2, 2)
    queue.enqueue_at(datetime.now(UTC) + timedelta(hours=1), pow, 2, 3)
    first, second = (RQScheduler([queue], connection=connection) for _ in range(2))
    same((first.acquire_locks(), second.acquire_locks()), ({"default"}, set()))
    first.enqueue_scheduled_jobs()
    same(queue.job_ids, [job.id])
    same(queue.scheduled_job_registry.count, 1)
    first.release_locks()
    same(second.acquire_locks(), {"default"})


def scenario_job_is_stopped(url: str) -> None:
    """By a command, which the worker hears on a channel while its job runs."""
    from rq import Queue
    from rq.command import send_stop_job_command

    connection = _connect(url)
    with started(_work, url, ["default"]):
        job = Queue(connection=connection).enqueue(_hang, url, "starts")
        eventually(lambda: connection.llen("starts"))
        eventually(lambda: job.get_status(refresh=True) == "started")
        send_stop_job_command(connection, job.id)
        eventually(lambda: job.get_status(refresh=True) == "stopped")
        next_one = Queue(connection=connection).enqueue(pow, 2, 2)
        same(next_one.latest_result(timeout=10).return_value, 4)


def scenario_process_of_the_job_is_killed(url: str) -> None:
    from rq import Queue, Retry

    connection = _connect(url)
    with started(_work, url, ["default"]):
        job = Queue(connection=connection).enqueue(_hang, url, "starts", retry=Retry(max=1))
        eventually(lambda: connection.llen("starts"))
        eventually(lambda: job.get_status(refresh=True) == "started")
        os.kill(int(connection.lindex("starts", 0)), signal.SIGKILL)
        eventually(lambda: job.get_status(refresh=True) == "finished")
        same(job.latest_result().return_value, "done by another")


def scenario_worker_is_killed(url: str) -> None:
    """Its job is found when its heartbeat has stopped, and retried."""
    from rq import Queue, Retry, SimpleWorker
    from rq.registry import StartedJobRegistry

    connection = _connect(url)
    queue = Queue(connection=connection)
    with started(_work, url, ["default"]) as worker:
        job = queue.enqueue(_hang, url, "starts", retry=Retry(max=1))
        eventually(lambda: connection.llen("starts"))
        eventually(lambda: job.get_status(refresh=True) == "started")
        worker.kill()
        worker.join()
        os.kill(int(connection.lindex("starts", 0)), signal.SIGKILL)
    registry = StartedJobRegistry(queue=queue)
    same(registry.get_job_ids(cleanup=False), [job.id])
    registry.cleanup(timestamp=time.time() + 1000)  # instead of waiting for its heartbeat to be too old
    same(queue.job_ids, [job.id])
    SimpleWorker([queue], connection=connection).work(burst=True, logging_level="WARNING")
    same(job.return_value(refresh=True), "done by another")
