"""Workers in the manner of Sidekiq: BRPOP on a row of queues, the first ones first; retries, schedule, a dead set.

Sidekiq itself is Ruby. This does with Redis what it does: jobs are JSON in lists `queue:NAME`; `schedule`, `retry` and
`dead` are sorted sets by time; `queues` is a set. The reliable variant (of its Pro edition) moves each job to a list of
the worker's own, so that nothing is lost with a worker.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from contextlib import ExitStack
from typing import Any

from compat.programs.support import eventually, same, started

REQUIREMENTS = ("redis==7.1.0",)

_QUEUES = tuple(f"queue:{number}" for number in range(1, 9))
_RETRIES = 2

# What its poller does: the jobs that are due, one by one and each by one process only, back into their queue.
_POP_DUE = """
local due = redis.call("zrange", KEYS[1], "-inf", ARGV[1], "byscore", "limit", 0, 1)
if due[1] then
  redis.call("zrem", KEYS[1], due[1])
end
return due[1]
"""


def _connect(url: str) -> Any:
    from redis import Redis

    return Redis.from_url(url, decode_responses=True)


def _push(redis: Any, queue: str, **job: Any) -> None:
    pipe = redis.pipeline()
    pipe.sadd("queues", queue)
    pipe.lpush(f"queue:{queue}", json.dumps({"queue": queue, **job}))
    pipe.execute()


def _requeue_due(redis: Any) -> None:
    pop_due = redis.register_script(_POP_DUE)
    for planned in ("retry", "schedule"):
        while text := pop_due(keys=[planned], args=[time.time()]):
            redis.lpush(f"queue:{json.loads(text)['queue']}", text)


def _process(redis: Any, text: str) -> None:
    """Carry the job out: it notes its name, or fails as often as it says. Then it is retried, and dies in the end."""
    job = json.loads(text)
    failures = job.get("failures", 0)
    if failures < job.get("fails", 0):
        job["failures"] = failures + 1
        dead = failures >= _RETRIES
        redis.zadd("dead" if dead else "retry", {json.dumps(job): time.time() + (0 if dead else 0.05)})
        redis.incr("stat:failed")
        return
    pipe = redis.pipeline()
    pipe.rpush("done", job["name"])
    pipe.incr("stat:processed")
    pipe.execute()


def _fetch_for_ever(url: str, queues: tuple[str, ...]) -> None:
    redis = _connect(url)
    while True:
        _requeue_due(redis)
        if unit := redis.brpop(queues, timeout=0.1):
            _process(redis, unit[1])


def scenario_strict_priorities(url: str) -> None:
    """With all queues filled, the first of the list is emptied before the second is touched, and so on."""
    redis = _connect(url)
    for number in random.Random(1).sample(range(80), 80):
        _push(redis, str(number % 8 + 1), name=str(number))
    order = []
    while unit := redis.brpop(_QUEUES, timeout=0.02):
        order.append(unit[0])
    same(order, [queue for queue in _QUEUES for _ in range(10)])


def scenario_many_workers(url: str) -> None:
    """Each job once, whichever queue it comes by and whoever waits for it; some fail first, some for good."""
    redis = _connect(url)
    names = [str(number) for number in range(300)]
    with ExitStack() as stack:
        for number in range(3):
            queues = _QUEUES[number:] + _QUEUES[:number]
            stack.enter_context(started(_fetch_for_ever, url, queues))
        eventually(lambda: redis.info("clients")["blocked_clients"] == 3)
        for number, name in enumerate(names):
            _push(redis, str(number % 8 + 1), name=name, fails=1 if number % 50 == 0 else 0)
        _push(redis, "1", name="hopeless", fails=99)
        eventually(lambda: redis.llen("done") == len(names) and redis.zcard("dead") == 1)
    same(Counter(redis.lrange("done", 0, -1)), Counter(names))
    same((redis.get("stat:processed"), redis.get("stat:failed")), ("300", str(6 + _RETRIES + 1)))
    same(redis.zcard("retry"), 0)


def scenario_scheduled(url: str) -> None:
    redis = _connect(url)
    now = time.time()
    for name, delay in (("second", 0.4), ("first", 0.2), ("tomorrow", 86_400)):
        redis.zadd("schedule", {json.dumps({"queue": "1", "name": name}): now + delay})
    with started(_fetch_for_ever, url, _QUEUES), started(_fetch_for_ever, url, _QUEUES):
        eventually(lambda: redis.llen("done") == 2)
    same(redis.lrange("done", 0, -1), ["first", "second"])
    same(redis.zcard("schedule"), 1)


def _fetch_reliably(url: str, name: str) -> None:
    """Each job goes to a list of the worker's own, and leaves it when it is done."""
    redis = _connect(url)
    while True:
        text = redis.blmove("queue:1", f"own:{name}", timeout=0.1, src="RIGHT", dest="LEFT")
        if text and json.loads(text)["name"] == "deadly" and redis.incr("deliveries") == 1:
            threading.Event().wait()
        if text:
            _process(redis, text)
            redis.lrem(f"own:{name}", 1, text)


def scenario_worker_is_killed(url: str) -> None:
    redis = _connect(url)
    with started(_fetch_reliably, url, "ann") as ann:
        _push(redis, "1", name="harmless")
        _push(redis, "1", name="deadly")
        eventually(lambda: redis.get("deliveries") == "1")
        ann.kill()
        ann.join()
    same([json.loads(text)["name"] for text in redis.lrange("own:ann", 0, -1)], ["deadly"])
    # What its supervisor does with the list of a worker that has gone.
    while redis.lmove("own:ann", "queue:1", "RIGHT", "RIGHT"):
        pass
    with started(_fetch_reliably, url, "bob"):
        eventually(lambda: redis.lrange("done", 0, -1) == ["harmless", "deadly"])
        eventually(lambda: not redis.exists("own:bob"))


def scenario_killed_while_it_waits(url: str) -> None:
    """A job that is pushed after the waiting worker has been killed goes to the next one: nothing is lost."""
    redis = _connect(url)
    with started(_wait_long, url) as ann:
        eventually(lambda: redis.info("clients")["blocked_clients"] == 1)
        ann.kill()
        ann.join()
        eventually(lambda: redis.info("clients")["blocked_clients"] == 0)
    _push(redis, "1", name="kept")
    same(json.loads(redis.brpop(_QUEUES, timeout=5)[1])["name"], "kept")


def _wait_long(url: str) -> None:
    _connect(url).brpop(_QUEUES, timeout=0)


def scenario_first_come_first_served(url: str) -> None:
    """Workers that wait for the same queues are served in the order in which they came."""
    redis = _connect(url)
    got: list[tuple[int, str]] = []

    def wait(number: int) -> None:
        got.append((number, _connect(url).brpop(_QUEUES, timeout=20)[1]))

    threads = []
    for number in range(10):
        threads.append(threading.Thread(target=wait, args=[number], daemon=True))
        threads[-1].start()
        eventually(lambda: redis.info("clients")["blocked_clients"] == len(threads))
    for number in range(10):
        redis.lpush(_QUEUES[number % 8], number)
        eventually(lambda: len(got) == number + 1)  # noqa: B023  # called at once
    same(got, [(number, str(number)) for number in range(10)])
