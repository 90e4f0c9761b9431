"""How long RESPCACHE SNAPSHOT and RESTORE take, by the number of keys.

`python -m compat.bench.snapshots` prints the medians, in milliseconds, round trip included. Half of the keys are
strings and half small hashes, and every fourth has a TTL. Ten keys change before each command, but for the first one.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import redis

from respcache.testing import Server

CHANGED = 10
COLUMNS = (
    ("first SNAPSHOT", "RESPCACHE SNAPSHOT base"),
    ("SNAPSHOT", "RESPCACHE SNAPSHOT next"),
    ("RESTORE", "RESPCACHE RESTORE base"),
    ("RESTORE after FLUSHALL", "RESPCACHE RESTORE base"),
)


def fill(client: redis.Redis, keys: int) -> None:
    for start in range(0, keys, 1000):
        pipeline = client.pipeline(transaction=False)
        for number in range(start, min(start + 1000, keys)):
            if number % 2:
                pipeline.hset(f"key:{number}", mapping={"name": f"name {number}", "age": number % 90})
            else:
                pipeline.set(f"key:{number}", f"value {number}")
            if not number % 4:
                pipeline.expire(f"key:{number}", 3600)
        pipeline.execute()


def change(client: redis.Redis) -> None:
    pipeline = client.pipeline(transaction=False)
    for number in range(CHANGED):
        pipeline.set(f"key:{number}", "changed")
    pipeline.execute()


def flush_and_change(client: redis.Redis) -> None:
    client.flushall()
    change(client)


def milliseconds(client: redis.Redis, command: str, before: Callable[[redis.Redis], None], rounds: int) -> float:
    """The median of several rounds."""
    taken = []
    for _ in range(rounds):
        before(client)
        began = time.perf_counter()
        client.execute_command(*command.split())  # type: ignore[no-untyped-call]  # redis-py gives it no types
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


def measure(shards: int, keys: int, rounds: int) -> list[float]:
    """A number per column."""
    with Server(shards=shards) as server, server.client() as client:
        fill(client, keys)
        found = []
        for title, command in COLUMNS:
            first = title.startswith("first")
            before = flush_and_change if title.endswith("FLUSHALL") else change
            found.append(milliseconds(client, command, before, 1 if first else rounds))
        return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m compat.bench.snapshots", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--shards", type=int, default=1)
    options = parser.parse_args()
    print("| keys |", " | ".join(title for title, _ in COLUMNS), "|")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for keys in (10**3, 10**4, 10**5):
        figures = measure(options.shards, keys, options.rounds)
        print(f"| {keys:,} |", " | ".join(f"{figure:.2f}" for figure in figures), "|", flush=True)


if __name__ == "__main__":
    main()
