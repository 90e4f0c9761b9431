"""rq: background jobs on lists, hashes and sorted sets, with a worker that waits for them (BLMOVE, BRPOP) and Lua."""

from __future__ import annotations

REQUIREMENTS = ("rq==2.6.0", "redis==7.1.0")
MISSING = ("EVALSHA", "BLMOVE", "XADD")  # needs these; see differences.toml


def scenario_job_runs(url: str) -> None:
    from redis import Redis
    from rq import Queue, SimpleWorker

    connection = Redis.from_url(url)
    queue = Queue(connection=connection)
    job = queue.enqueue(pow, 2, 10)
    assert queue.job_ids == [job.id]
    SimpleWorker([queue], connection=connection).work(burst=True)
    assert job.return_value() == 1024
    assert queue.job_ids == []
    assert queue.finished_job_registry.get_job_ids() == [job.id]


def scenario_failure_is_retried(url: str) -> None:
    from redis import Redis
    from rq import Queue, Retry, SimpleWorker

    connection = Redis.from_url(url)
    queue = Queue(connection=connection)
    job = queue.enqueue(divmod, 1, 0, retry=Retry(max=2))
    SimpleWorker([queue], connection=connection).work(burst=True)
    job.refresh()
    assert job.retries_left == 0
    assert job.is_failed
    assert queue.failed_job_registry.get_job_ids() == [job.id]


def scenario_scheduled_job(url: str) -> None:
    from datetime import timedelta

    from redis import Redis
    from rq import Queue

    connection = Redis.from_url(url)
    queue = Queue(connection=connection)
    job = queue.enqueue_in(timedelta(hours=1), pow, 2, 2)
    assert queue.scheduled_job_registry.get_job_ids() == [job.id]
    job.cancel()
    assert job.is_canceled
