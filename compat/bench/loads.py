"""The measurements: small functions that turn a running server into a number, all listed in `MEASUREMENTS`."""

from __future__ import annotations

import hashlib
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import hiredis
from redis.lock import Lock

from compat.bench import fill, growth, loadgen
from compat.bench.plan import Measurement, Plan
from compat.bench.publish import published
from compat.bench.servers import ServerUnderTest
from compat.bench.wire import Wire, pack

BENCHMARK = shutil.which("redis-benchmark")
KEYSPACE = 10_000
_LIMIT = 120.0  # seconds: a load that takes longer hangs


# Throughput: many clients, driven by redis-benchmark.


def throughput(
    name: str,
    command: str,
    clients: int = 50,
    pipeline: int = 1,
    prepare: Callable[[Wire, int], None] | None = None,
    keys: int | None = KEYSPACE,
    what: str = "",
) -> Measurement:
    """Requests per second of one command under load. `prepare` gets the number of requests that will follow.

    ``__rand_int__`` stands for `keys` different keys (or elements); with 1 it stands for itself, as in
    `redis-benchmark -t get,set`; with None there are as many keys as requests. `what` is for the title, instead of
    the name of the command.
    """
    words = command.split()
    options = ["-c", str(clients), "-P", str(pipeline)]
    if keys != 1:
        options += ["-r", "REQUESTS" if keys is None else str(keys)]

    def run(server: ServerUnderTest, requests: int) -> float:
        with server.wire() as wire:
            wire.call("FLUSHALL")
            if prepare is not None:
                prepare(wire, requests)
        filled = [str(requests) if option == "REQUESTS" else option for option in options]
        return _drive(server.port, filled, requests, words)

    def measure(server: ServerUnderTest, plan: Plan) -> float:
        at_least = max(1000, 10 * clients * pipeline)  # fewer would be too fast to measure
        if (name, server.name) not in plan.requests:
            rate = run(server, at_least)
            plan.requests[name, server.name] = max(at_least, int(rate * plan.seconds))
        return run(server, plan.requests[name, server.name])

    few = len(words) < 10
    shown = command if few else f"{' '.join(words[:2])} ... ({len(words) - 1} keys)"
    what = what or (words[0] if few else f"{words[0]} of {len(words) - 1} keys")
    title = f"{what}, {clients} client{'s' * (clients > 1)}"
    if pipeline > 1:
        title += f", pipelines of {pipeline}"
    if words[0] in ("GET", "SET") and keys is not None and keys > 1:
        title += f", {keys:,} keys"
    return Measurement(
        name,
        title,
        "requests/s",
        measure,
        f"`redis-benchmark -p PORT {' '.join(options)} -n REQUESTS --csv {shown}`",
        more_is_better=True,
        charted=True,
    )


def _drive(port: int, options: list[str], requests: int, words: list[str]) -> float:
    """Requests per second, measured by redis-benchmark or, without it, by our own load generator."""
    if BENCHMARK is None:
        keys = options[5] if len(options) > 4 else "1"
        numbers = [str(port), options[1], options[3], str(requests), keys]
        program = [sys.executable, "-m", loadgen.__name__, *numbers]
    else:
        program = [BENCHMARK, "-p", str(port), *options, "-n", str(requests), "--csv"]
    done = subprocess.run([*program, *words], check=True, capture_output=True, text=True, timeout=_LIMIT)
    last = done.stdout.splitlines()[-1]
    # With --csv: "the command","requests per second","latencies",...
    return float(last if BENCHMARK is None else last.split('","')[1])


def _keys(wire: Wire, _requests: int) -> None:
    fill.strings(wire, KEYSPACE)


def _one_key(wire: Wire, _requests: int) -> None:
    wire.call("MSET", "key:__rand_int__", "xxx", "key:000000000000", "xxx")  # the second is for our own generator


def _enough_to_pop(wire: Wire, requests: int) -> None:
    fill.a_list(wire, "mylist", requests)


def _locks(wire: Wire, requests: int) -> None:
    """As many locks as requests. They are released at random, so about 63% of the releases find theirs still held."""
    wire.call("SCRIPT", "LOAD", Lock.LUA_RELEASE_SCRIPT)
    fill.strings(wire, requests, value="token")


def _a_stream(wire: Wire, _requests: int) -> None:
    fill.a_stream(wire, "mystream", 1000)


def _enough_to_read(wire: Wire, requests: int) -> None:
    fill.a_stream(wire, "mystream", requests)
    wire.call("XGROUP", "CREATE", "mystream", "mygroup", "0")


# Times: one client that waits for each answer.


def round_trip(server: ServerUnderTest, plan: Plan) -> float:
    """Microseconds of a GET through redis-py."""
    import redis

    with redis.Redis(port=server.port) as client:
        client.set("key", "xxx")
        gets = 0
        started = time.perf_counter()
        while (elapsed := time.perf_counter() - started) < plan.seconds:
            client.get("key")
            gets += 1
    return elapsed / gets * 1e6


def hand_over(*keys: str) -> Callable[[ServerUnderTest, Plan], float]:
    """Microseconds from the push of an element until a client that waits for it has it."""

    def measure(server: ServerUnderTest, plan: Plan) -> float:
        times = []
        until = time.perf_counter() + plan.seconds
        with server.wire() as waiting, server.wire() as pushing:
            pushing.call("FLUSHALL")
            while time.perf_counter() < until:
                waiting.send("BLPOP", *keys, "0")
                _until_blocked(pushing)
                started = time.perf_counter()
                pushing.send("LPUSH", keys[-1], "xxx")
                waiting.receive()
                times.append(time.perf_counter() - started)
                pushing.receive()
        return statistics.median(times) * 1e6

    return measure


def _until_blocked(wire: Wire) -> None:
    """Wait until a client of the server is blocked. fakeredis cannot say: it gets a millisecond, which is plenty."""
    try:
        while b"blocked_clients:1\r" not in wire.call("INFO", "clients"):
            pass
    except hiredis.ReplyError:
        time.sleep(0.001)


def invalidation(server: ServerUnderTest, plan: Plan) -> float | None:
    """Milliseconds until a client that caches 1,000 keys knows that all of them have changed. fakeredis cannot."""
    keys = [f"key:{number}" for number in range(1000)]
    changes = b"".join(pack("SET", key, "xxx") for key in keys)
    times = []
    with server.wire() as cache, server.wire() as writer:
        try:
            cache.call("HELLO", 3)
            cache.call("CLIENT", "TRACKING", "ON")
        except hiredis.ReplyError:
            return None
        until = time.perf_counter() + plan.seconds
        while time.perf_counter() < until:
            cache.call("MGET", *keys)
            started = time.perf_counter()
            writer.send_packed(changes)
            for _ in keys:
                cache.receive()
            times.append(time.perf_counter() - started)
            for _ in keys:
                writer.receive()
    return statistics.median(times) * 1e3


def flush(server: ServerUnderTest, _plan: Plan) -> float:
    """Microseconds of a FLUSHALL on 1,000 keys: what a test fixture does between tests."""
    times = []
    with server.wire() as wire:
        wire.call("FLUSHALL")
        for _ in range(20):
            fill.strings(wire, 1000)
            started = time.perf_counter()
            wire.call("FLUSHALL")
            times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e6


def start_up(server: ServerUnderTest, _plan: Plan) -> float:
    """Milliseconds from the start of the program until it has answered a PING."""
    other = server.another()
    try:
        return other.start() * 1e3
    finally:
        other.stop()


def first_write(server: ServerUnderTest, _plan: Plan) -> float:
    """Milliseconds until it has answered a SET: a program may answer PING before it can store anything."""
    other = server.another()
    started = time.perf_counter()
    try:
        other.start()
        other.call("SET", "key", "xxx")
        return (time.perf_counter() - started) * 1e3
    finally:
        other.stop()


def import_floor() -> float:
    """Milliseconds that Python takes to start and import what respcache cannot do without."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import trio, hiredis"], check=True, timeout=_LIMIT)
    return (time.perf_counter() - started) * 1e3


# Costs.


def memory_of_a_key(server: ServerUnderTest, plan: Plan) -> float | None:
    """Bytes of memory per key, on a fresh server, all processes together."""
    # fakeredis is slow with the full number, and the result is the same with fewer.
    keys = plan.memory_keys // 5 if server.slow else plan.memory_keys
    with server.another() as fresh, fresh.wire() as wire:
        before = fresh.memory()
        fill.strings(wire, keys, value="value:0123456789")
        after = fresh.memory()
    if before is None or after is None:
        return None
    return (after - before) / keys


def idle(server: ServerUnderTest, plan: Plan) -> float | None:
    """Milliseconds of processor time per idle second, all processes together."""
    before = server.processor_time()
    time.sleep(plan.idle_seconds)
    after = server.processor_time()
    if before is None or after is None:
        return None
    return (after - before) * 1e3 / plan.idle_seconds


# The table. The idle measurement comes after the loads: a server must come to rest by itself.

GET = "GET key:__rand_int__"
SET = "SET key:__rand_int__ xxx"
RELEASE = f"EVALSHA {hashlib.sha1(Lock.LUA_RELEASE_SCRIPT.encode()).hexdigest()} 1 key:__rand_int__ token"

MEASUREMENTS = [
    # As in `redis-benchmark -t get,set`: a single key, so a single shard.
    throughput("get-p1-c50", GET, prepare=_one_key, keys=1),
    throughput("set-p1-c50", SET, keys=1),
    throughput("get-p16-c50", GET, pipeline=16, prepare=_one_key, keys=1),
    throughput("set-p16-c50", SET, pipeline=16, keys=1),
    throughput("get-p1-c1", GET, clients=1, prepare=_one_key, keys=1),
    throughput("set-p1-c1", SET, clients=1, keys=1),
    # Pipelines over many keys are split into a part per shard, and the replies are joined again.
    throughput("get-p1-c50-keys", GET, prepare=_keys),
    throughput("set-p1-c50-keys", SET),
    throughput("get-p16-c50-keys", GET, pipeline=16, prepare=_keys),
    throughput("set-p16-c50-keys", SET, pipeline=16),
    throughput("incr", "INCR counter:__rand_int__"),
    throughput("lpush", "LPUSH mylist xxx"),
    throughput("lpop", "LPOP mylist", prepare=_enough_to_pop),
    throughput("hset", "HSET myhash element:__rand_int__ xxx"),
    throughput("zadd", "ZADD myzset 0 element:__rand_int__"),
    throughput("mget", "MGET" + 100 * " key:__rand_int__", prepare=_keys),
    throughput("evalsha", RELEASE, prepare=_locks, keys=None, what="EVALSHA, releasing a lock of redis-py"),
    throughput("xadd", "XADD mystream * field xxx"),
    throughput(
        "xreadgroup",
        "XREADGROUP GROUP mygroup me COUNT 1 STREAMS mystream >",
        prepare=_enough_to_read,
        what="XREADGROUP of 1 entry",
    ),
    throughput("xrange", "XRANGE mystream - + COUNT 100", prepare=_a_stream, what="XRANGE of 100 entries"),
    *[published(subscribers) for subscribers in (1, 100, 1000)],
    Measurement(
        "round-trip",
        "redis-py, one GET after the other",
        "µs",
        round_trip,
        "`redis.Redis(port=PORT).get('key')` in a loop",
        charted=True,
    ),
    Measurement(
        "blpop",
        "BLPOP, from the push to the waiting client",
        "µs",
        hand_over("mylist"),
        "one process with two connections: `BLPOP mylist 0` on one; then the time from sending `LPUSH mylist xxx` on "
        "the other until the first has its reply; the median",
        charted=True,
    ),
    Measurement(
        "blpop-keys",
        "BLPOP of 3 keys, the same",
        "µs",
        hand_over("list:1", "list:2", "list:3"),
        "the same, waiting for 3 keys, of which the last is pushed to",
    ),
    Measurement(
        "invalidation",
        "1,000 keys that a client caches are changed, until it knows",
        "ms",
        invalidation,
        "one process with two connections: one with `CLIENT TRACKING ON`, in RESP3, reads 1,000 keys by `MGET`; then "
        "the time from sending 1,000 `SET` on the other until the first has 1,000 messages; the median",
    ),
    Measurement(
        "flushall",
        "FLUSHALL of 1,000 keys",
        "µs",
        flush,
        "`MSET` of 1,000 keys, then the time of `FLUSHALL`; the median of 20",
    ),
    Measurement(
        "start-up",
        "Start until PING is answered",
        "ms",
        start_up,
        "a process of its own, a connection tried every 0.5 ms",
    ),
    Measurement(
        "first-write",
        "Start until a SET is answered",
        "ms",
        first_write,
        "the same, and then a `SET` on another connection",
    ),
    Measurement(
        "idle",
        "Processor time of an idle second",
        "ms",
        idle,
        "/proc/PID/stat of all processes of the server, 10 s apart",
        once=True,
    ),
    Measurement(
        "memory",
        "Memory of a key",
        "bytes",
        memory_of_a_key,
        "a fresh server; `MSET` of 1,000,000 keys (fakeredis: a fifth of it) like `key:000000000001`, with values "
        "of 16 bytes; the increase of the PSS of all processes, divided by the number of keys",
        once=True,
    ),
    *growth.measurements(),
]
