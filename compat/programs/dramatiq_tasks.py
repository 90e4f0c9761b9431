"""dramatiq: messages with acknowledgements, retries, delays and results; its broker is one Lua script."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from compat.programs.support import eventually, raises, same, started

REQUIREMENTS = ("dramatiq[redis]==2.2.1", "redis==7.1.0")


class _Tasks:
    """A broker with its actors, for the sender and for workers."""

    def __init__(self, url: str) -> None:
        import dramatiq
        from dramatiq.brokers.redis import RedisBroker
        from dramatiq.results import Results
        from dramatiq.results.backends import RedisBackend

        self.results = RedisBackend(url=url)
        # Each command also looks after the messages of workers that have not been heard of for 2 seconds.
        self.broker: Any = RedisBroker(url=url, heartbeat_timeout=2000, maintenance_chance=1_000_000)
        self.broker.add_middleware(Results(backend=self.results, store_results=True))
        dramatiq.set_broker(self.broker)
        client = self.broker.client

        @dramatiq.actor(broker=self.broker)
        def add(a: int, b: int) -> int:
            return a + b

        @dramatiq.actor(broker=self.broker, max_retries=3, min_backoff=10, max_backoff=10)
        def stubborn(key: str, succeeds: int) -> int:
            if (tries := int(client.incr(key))) < succeeds:
                raise ValueError("not yet")
            return tries

        @dramatiq.actor(broker=self.broker)
        def note(key: str, text: str) -> None:
            client.rpush(key, text)

        @dramatiq.actor(broker=self.broker)
        def hang(key: str) -> str:
            if client.incr(key) == 1:
                time.sleep(600)
            return "done by another"

        self.add, self.stubborn, self.note, self.hang = add, stubborn, note, hang

    @contextmanager
    def worker(self) -> Iterator[None]:
        import dramatiq

        worker = dramatiq.Worker(self.broker, worker_timeout=50, worker_threads=2)
        worker.start()
        try:
            yield
        finally:
            worker.stop()

    def dead(self) -> int:
        return int(self.broker.client.zcard("dramatiq:default.XQ"))


def scenario_results(url: str) -> None:
    from dramatiq import group, pipeline

    tasks = _Tasks(url)
    with tasks.worker():
        same(tasks.add.send(2, 3).get_result(block=True, timeout=20_000), 5)
        chain = pipeline([tasks.add.message(1, 2), tasks.add.message(10), tasks.add.message(100)]).run()
        same(chain.get_result(block=True, timeout=20_000), 113)
        many = group([tasks.add.message(number, number) for number in range(50)]).run()
        same(list(many.get_results(block=True, timeout=20_000)), [2 * number for number in range(50)])


def scenario_message_and_retry(url: str) -> None:
    from dramatiq.results import ResultFailure

    tasks = _Tasks(url)
    with tasks.worker():
        same(tasks.stubborn.send("tries", 3).get_result(block=True, timeout=20_000), 3)
        with raises(ResultFailure, "not yet"):
            tasks.stubborn.send("hopeless", 99).get_result(block=True, timeout=20_000)
        eventually(lambda: tasks.dead() == 1)
        tasks.broker.join("default", timeout=20_000)
    same(tasks.broker.client.get("hopeless"), b"4")


def scenario_delay(url: str) -> None:
    tasks = _Tasks(url)
    with tasks.worker():
        begin = time.monotonic()
        later = tasks.add.send_with_options(args=(1, 1), delay=500)
        tasks.note.send("order", "now")
        same(later.get_result(block=True, timeout=20_000), 2)
        assert time.monotonic() - begin >= 0.49
        same(tasks.broker.client.lrange("order", 0, -1), [b"now"])


def _work(url: str) -> None:
    with _Tasks(url).worker():
        time.sleep(600)


def scenario_many_workers(url: str) -> None:
    tasks = _Tasks(url)
    names = [f"{number}".encode() for number in range(200)]
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(started(_work, url))
        for name in names:
            tasks.note.send("done", name.decode())
        eventually(lambda: tasks.broker.client.llen("done") == len(names))
    same(sorted(tasks.broker.client.lrange("done", 0, -1)), sorted(names))


def scenario_worker_is_killed(url: str) -> None:
    """Its messages were not acknowledged: they go back into the queue when its heartbeat has stopped."""
    tasks = _Tasks(url)
    with started(_work, url) as worker:
        message = tasks.hang.send("starts")
        eventually(lambda: tasks.broker.client.get("starts"))
        worker.kill()
        worker.join()
    with tasks.worker():
        same(message.get_result(block=True, timeout=15_000), "done by another")


def scenario_rate_limits(url: str) -> None:
    from dramatiq.rate_limits import BucketRateLimiter, ConcurrentRateLimiter, WindowRateLimiter
    from dramatiq.rate_limits.backends import RedisBackend

    backend = RedisBackend(url=url)
    bucket = BucketRateLimiter(backend, "bucket", limit=2, bucket=600_000)
    granted = []
    for _ in range(3):
        with bucket.acquire(raise_on_failure=False) as acquired:
            granted.append(acquired)
    assert granted in ([True, True, False], [True, True, True]), granted  # True for a bucket that has just begun
    concurrent = ConcurrentRateLimiter(backend, "concurrent", limit=1, ttl=60_000)
    with concurrent.acquire(raise_on_failure=False) as outer, concurrent.acquire(raise_on_failure=False) as inner:
        same((outer, inner), (True, False))
    with concurrent.acquire(raise_on_failure=False) as again:
        same(again, True)
    window = WindowRateLimiter(backend, "window", limit=2, window=60)
    granted = []
    for _ in range(3):
        with window.acquire(raise_on_failure=False) as acquired:
            granted.append(acquired)
    same(granted, [True, True, False])


def scenario_barrier(url: str) -> None:
    from dramatiq.rate_limits import Barrier
    from dramatiq.rate_limits.backends import RedisBackend

    backend = RedisBackend(url=url)
    barrier = Barrier(backend, "barrier", ttl=60_000)
    assert barrier.create(parties=2)
    same(barrier.wait(block=False), False)
    same(barrier.wait(block=False), True)
