"""dramatiq: messages with acknowledgements and retries; its broker is one Lua script."""

from __future__ import annotations

REQUIREMENTS = ("dramatiq[redis]==2.2.1", "redis==7.1.0")
MISSING = ("EVALSHA",)


def scenario_message_and_retry(url: str) -> None:
    import dramatiq
    from dramatiq.brokers.redis import RedisBroker

    broker = RedisBroker(url=url)
    done: list[str] = []

    @dramatiq.actor(broker=broker, max_retries=3, min_backoff=1, max_backoff=1)
    def work(text: str) -> None:
        done.append(text)
        if len(done) < 2:
            raise ValueError("not yet")

    work.send("hello")
    worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=1)
    worker.start()
    try:
        broker.join(work.queue_name, timeout=8000)
        worker.join()
    finally:
        worker.stop()
        broker.close()
    assert done == ["hello", "hello"]
