"""redis-py as its documentation uses it: pipelines, transactions, registered scripts, functions, streams, waiting."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from compat.programs.support import eventually, raises, same, started

REQUIREMENTS = ("redis==8.1.0",)

_MULTIPLY = """
local value = redis.call('GET', KEYS[1])
value = tonumber(value)
return value * ARGV[1]"""

_LIBRARY = """#!lua name=shop
local function reserve(keys, args)
  local left = tonumber(redis.call('HGET', keys[1], args[1]) or '0')
  if left < tonumber(args[2]) then
    return redis.error_reply('SOLDOUT only ' .. left .. ' left')
  end
  redis.call('HINCRBY', keys[1], args[1], -args[2])
  redis.call('XADD', keys[2], '*', 'item', args[1], 'count', args[2])
  return left - args[2]
end
local function stock(keys, args)
  return redis.call('HGET', keys[1], args[1])
end
redis.register_function('reserve', reserve)
redis.register_function{function_name='stock', callback=stock, flags={'no-writes'}, description='what is left'}
"""


def _connect(url: str, **options: Any) -> Any:
    from redis import Redis

    return Redis.from_url(url, decode_responses=True, **options)


def scenario_pipeline(url: str) -> None:
    from redis.exceptions import ResponseError

    redis = _connect(url)
    pipe = redis.pipeline()
    pipe.set("foo", 5).set("bar", 18.5).set("blee", "hello world!").get("foo").get("bar").hset("h", "f", "v")
    same(pipe.execute(), [True, True, True, "5", "18.5", 1])
    pipe.incr("h").incr("foo")
    with raises(ResponseError, "WRONGTYPE"):
        pipe.execute()
    same(redis.get("foo"), "6")  # the commands after a failing one are carried out
    plain = redis.pipeline(transaction=False)
    for number in range(1000):
        plain.rpush("numbers", number)
    same(plain.execute()[-1], 1000)


def scenario_optimistic_locking(url: str) -> None:
    from redis import WatchError

    redis, other = _connect(url), _connect(url)
    redis.set("sequence", 1)
    interruptions = iter([True, True, False])

    def increment(pipe: Any) -> None:
        value = int(pipe.get("sequence"))
        if next(interruptions):
            other.incr("sequence", 10)
        pipe.multi()
        pipe.set("sequence", value + 1)
        pipe.get("sequence")

    same(redis.transaction(increment, "sequence"), [True, "22"])
    with redis.pipeline() as pipe:
        pipe.watch("sequence", "another")
        other.set("another", 1)
        pipe.multi()
        pipe.set("sequence", 0)
        with raises(WatchError):
            pipe.execute()
    same(redis.get("sequence"), "22")


def scenario_registered_script(url: str) -> None:
    from redis.exceptions import NoScriptError, ResponseError

    redis = _connect(url)
    redis.set("foo", 2)
    multiply = redis.register_script(_MULTIPLY)
    same(multiply(keys=["foo"], args=[5]), 10)
    same(redis.script_exists(multiply.sha, "f" * 40), [True, False])
    redis.script_flush()
    with raises(NoScriptError):
        redis.evalsha(multiply.sha, 1, "foo", 5)
    same(multiply(keys=["foo"], args=[5]), 10)  # loaded again
    redis.copy("foo", "foo", 1)
    same(multiply(keys=["foo"], args=[6], client=_connect(url, db=1, protocol=2)), 12)
    with raises(ResponseError, "nil value"):
        multiply(keys=["none"], args=[5])


def scenario_script_in_pipeline(url: str) -> None:
    from redis.exceptions import ResponseError

    redis = _connect(url)
    multiply = redis.register_script(_MULTIPLY)
    for transaction in (True, False):
        redis.script_flush()
        pipe = redis.pipeline(transaction=transaction)
        pipe.set("foo", 5)
        multiply(keys=["foo"], args=[5], client=pipe)
        multiply(keys=["foo"], args=["2.7"], client=pipe)
        same(pipe.execute(), [True, 25, 13])  # a Lua number becomes an integer
    broken = redis.register_script("redis.call('SET', KEYS[1], 'written') return redis.call('INCR', KEYS[1])")
    pipe = redis.pipeline()
    broken(keys=["foo"], client=pipe)
    pipe.set("after", 1)
    with raises(ResponseError, "not an integer"):
        pipe.execute()
    same(redis.mget("foo", "after"), ["written", "1"])


def scenario_script_replies(url: str) -> None:
    redis = _connect(url)
    same(redis.eval("return {1, 2.9, 'three', false, {4, {5}}, true, nil, 7}", 0), [1, 2, "three", None, [4, [5]], 1])
    same(redis.eval("return redis.status_reply('FINE')", 0), "FINE")
    same(redis.eval("return cjson.encode({a={1,2}, b='x'})", 0) in ('{"a":[1,2],"b":"x"}', '{"b":"x","a":[1,2]}'), True)
    same(redis.eval("return cjson.decode(ARGV[1])['list'][2]", 0, '{"list": [10, 20]}'), 20)
    same(redis.eval("return cmsgpack.unpack(cmsgpack.pack({1, 'two'}))", 0), [1, "two"])
    redis.zadd("z", {"one": 1, "two": 2})
    same(redis.eval("return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')", 1, "z"), ["one", "1", "two", "2"])
    # Keys that are not declared, and may be on any shard.
    same(redis.eval("for n = 1, 100 do redis.call('SET', 'k' .. n, n) end return redis.call('DBSIZE')", 0), 101)
    same(redis.eval("local sum = 0 for n = 1, 100 do sum = sum + redis.call('GET', 'k' .. n) end return sum", 0), 5050)


def scenario_functions(url: str) -> None:
    from redis.exceptions import ResponseError

    redis = _connect(url)
    redis.function_flush()
    same(redis.function_load(_LIBRARY), "shop")
    with raises(ResponseError, "already exists"):
        redis.function_load(_LIBRARY)
    same(redis.function_load(_LIBRARY, replace=True), "shop")
    redis.hset("stock", mapping={"apple": 5})
    same(int(redis.fcall("reserve", 2, "stock", "orders", "apple", 3)), 2)
    with raises(ResponseError, "only 2 left"):
        redis.fcall("reserve", 2, "stock", "orders", "apple", 3)
    same(redis.fcall_ro("stock", 1, "stock", "apple"), "2")
    with raises(ResponseError, "write"):
        redis.fcall_ro("reserve", 2, "stock", "orders", "apple", 1)
    same([fields for _, fields in redis.xrange("orders")], [{"item": "apple", "count": "3"}])
    dump = _connect_raw(url).function_dump()
    same(redis.function_delete("shop"), True)
    with raises(ResponseError, "unction not found"):
        redis.fcall("stock", 1, "stock", "apple")
    _connect_raw(url).function_restore(dump)
    same(redis.fcall("stock", 1, "stock", "apple"), "2")
    assert "shop" in str(redis.function_list("sh*", withcode=True))
    redis.function_flush()
    same(redis.function_list(), [])


def _connect_raw(url: str) -> Any:
    from redis import Redis

    return Redis.from_url(url)


def scenario_functions_in_pipeline_and_transaction(url: str) -> None:
    redis = _connect(url)
    redis.function_load(_LIBRARY, replace=True)
    redis.hset("stock", "pear", 10)
    pipe = redis.pipeline()
    for _ in range(3):
        pipe.fcall("reserve", 2, "stock", "orders", "pear", 2)
    pipe.xlen("orders")
    same([int(reply) for reply in pipe.execute()], [8, 6, 4, 3])
    redis.function_flush()


def scenario_stream_of_measurements(url: str) -> None:
    """The stream example: producers, ranges, trimming and reading from an id."""
    redis = _connect(url)
    for number in range(10):
        redis.xadd("stream", {"ts": number, "v": number * number}, id=f"{number + 1}-0")
    same(redis.xlen("stream"), 10)
    same([entry for entry, _ in redis.xrange("stream", min="3", max="5")], ["3-0", "4-0", "5-0"])
    same([entry for entry, _ in redis.xrevrange("stream", count=2)], ["10-0", "9-0"])
    same([entry for entry, _ in redis.xrange("stream", min="(9-0")], ["10-0"])
    replies = _streams(redis.xread({"stream": "8-0", "none": "0"}, count=10))
    same([entry for entry, _ in replies["stream"]], ["9-0", "10-0"])
    same(redis.xtrim("stream", maxlen=4, approximate=False), 6)
    same(redis.xdel("stream", "10-0", "1-0"), 1)
    information = redis.xinfo_stream("stream")
    same((information["length"], information["last-generated-id"], information["entries-added"]), (3, "10-0", 10))


def _streams(reply: Any) -> dict[str, Any]:
    """What XREAD says as a dictionary, in RESP2 (pairs) and in RESP3 (a map, of lists in a list)."""
    if isinstance(reply, dict):
        return {
            name: entries[0] if entries and isinstance(entries[0], list) else entries for name, entries in reply.items()
        }
    return dict(reply)


def _consume(url: str, name: str, limit: int) -> None:
    """A consumer: its own history first, then news. It dies without acknowledging when it has `limit` entries."""
    redis = _connect(url)
    while True:
        reply = redis.xreadgroup("workers", name, {"jobs": ">"}, count=1, block=200)
        for entry, fields in _streams(reply).get("jobs", ()) if reply else ():
            if limit == 0:
                redis.set(f"stuck:{name}", entry)
                threading.Event().wait()
            limit -= 1
            redis.rpush("done", fields["n"])
            redis.xack("jobs", "workers", entry)


def scenario_consumer_group_with_a_death(url: str) -> None:
    """A consumer is killed with an entry on its hands, a second one does the rest, a third claims what was left."""
    redis = _connect(url)
    redis.xgroup_create("jobs", "workers", id="0", mkstream=True)
    for number in range(40):
        redis.xadd("jobs", {"n": number})
    with started(_consume, url, "bob", 3) as bob:
        stuck = eventually(lambda: redis.get("stuck:bob"))
        with started(_consume, url, "ann", 1000):
            bob.kill()
            eventually(lambda: redis.llen("done") == 39)
    pending = redis.xpending("jobs", "workers")
    same((pending["pending"], pending["min"], pending["consumers"]), (1, stuck, [{"name": "bob", "pending": 1}]))
    detail = redis.xpending_range("jobs", "workers", "-", "+", 10)
    same([(item["message_id"], item["consumer"], item["times_delivered"]) for item in detail], [(stuck, "bob", 1)])
    claimed = redis.xautoclaim("jobs", "workers", "cid", min_idle_time=1)
    same([entry for entry, _ in claimed[1]], [stuck])
    history = _streams(redis.xreadgroup("workers", "cid", {"jobs": "0"}))
    same([entry for entry, _ in history["jobs"]], [stuck])
    redis.rpush("done", claimed[1][0][1]["n"])
    same(redis.xack("jobs", "workers", stuck), 1)
    same(sorted(map(int, redis.lrange("done", 0, -1))), list(range(40)))
    (group,) = redis.xinfo_groups("jobs")
    same((group["pending"], group["entries-read"], group["lag"]), (0, 40, 0))


def scenario_wait_for_a_stream(url: str) -> None:
    redis, writer = _connect(url), _connect(url)
    writer.xadd("stream", {"old": 1})
    timer = threading.Timer(0.1, lambda: writer.xadd("stream", {"new": 1}))
    timer.start()
    reply = redis.xread({"stream": "$", "other": "$"}, block=10_000)
    same([fields for _, fields in _streams(reply)["stream"]], [{"new": "1"}])
    timer.join()
    assert not redis.xread({"stream": "$"}, block=20)


def scenario_wait_for_a_list(url: str) -> None:
    redis, writer = _connect(url), _connect(url)
    got: list[Any] = []
    reader = threading.Thread(target=lambda: got.extend(tuple(redis.blpop(["a", "b"], timeout=10)) for _ in range(3)))
    reader.start()
    for key in ("b", "a", "b"):
        writer.rpush(key, key * 2)
        eventually(lambda: not writer.exists("a", "b"))
    reader.join(10)
    same(got, [("b", "bb"), ("a", "aa"), ("b", "bb")])
    assert redis.blpop("a", timeout=0.02) is None
    writer.rpush("source", 1, 2)
    same(redis.blmove("source", "target", timeout=1, src="RIGHT", dest="LEFT"), "2")
    writer.zadd("z", {"low": 1, "high": 2})
    same(tuple(redis.bzpopmax("z", timeout=1)), ("z", "high", 2.0))
    same(list(redis.blmpop(1, 2, "none", "source", direction="LEFT")), ["source", ["1"]])


def scenario_publish_and_subscribe_in_a_thread(url: str) -> None:
    redis = _connect(url)
    got: list[str] = []
    pubsub = redis.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(news=lambda message: got.append(message["data"]))
    thread = pubsub.run_in_thread(sleep_time=0.01, daemon=True)
    pubsub.psubscribe(**{"n?ws": lambda message: got.append(f"pattern {message['data']}")})
    eventually(lambda: redis.pubsub_numpat() == 1 and redis.pubsub_numsub("news")[0][1] == 1)
    redis.publish("news", "hello")
    eventually(lambda: sorted(got) == ["hello", "pattern hello"])
    redis.eval("redis.call('PUBLISH', 'news', 'from a script')", 0)
    eventually(lambda: "from a script" in got)
    thread.stop()
    thread.join(10)


def scenario_asyncio(url: str) -> None:
    from redis.asyncio import Redis

    async def main() -> None:
        redis: Any = Redis.from_url(url, decode_responses=True)
        waiting = [asyncio.create_task(redis.blpop("queue", timeout=10)) for _ in range(20)]
        while (await redis.info("clients"))["blocked_clients"] < 20:
            await asyncio.sleep(0.01)
        async with redis.pipeline(transaction=True) as pipe:
            same(await pipe.rpush("queue", *range(20)).set("k", 1).get("k").execute(), [20, True, "1"])
        same(sorted(int(value) for _, value in await asyncio.gather(*waiting)), list(range(20)))
        given_up = asyncio.create_task(redis.blpop("queue", timeout=10))
        await asyncio.sleep(0.05)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        await redis.rpush("queue", "kept")
        same(await redis.lrange("queue", 0, -1), ["kept"])  # nobody pops for a client that has gone
        script = redis.register_script(_MULTIPLY)
        await redis.set("foo", 3)
        same(await script(keys=["foo"], args=[4]), 12)
        await redis.aclose()

    asyncio.run(main())
