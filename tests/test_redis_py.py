"""Unmodified redis-py with respcache: the client that most users will have.

Synchronous and asyncio, RESP2 and RESP3, one shard and three; also on a genuine server, which proves the tests.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.cache import CacheConfig
from redis.connection import CacheProxyConnection
from redis.retry import Retry

from tests.support.processes import StartedServer

MakeClient = Callable[..., redis.Redis]


@pytest.fixture
def make(server: StartedServer, protocol: int) -> Iterator[MakeClient]:
    """Makes clients with their own connection pools, which are closed after the test."""
    made: list[redis.Redis] = []

    def make_client(**options: Any) -> redis.Redis:
        options = {"protocol": protocol, "socket_timeout": 20, **options}
        made.append(redis.Redis(port=server.port, **options))
        return made[-1]

    yield make_client
    for client in made:
        client.close()


@pytest.fixture
def client(make: MakeClient) -> redis.Redis:
    return make(decode_responses=True)


class TestCommands:
    """Some commands of each type: redis-py parses many replies, and fails on a wrong form."""

    def test_server(self, client: redis.Redis) -> None:
        assert client.ping() is True
        assert client.echo("x") == "x"
        assert client.info("server")["redis_mode"] == "standalone"
        assert client.config_get("databases") == {"databases": "16"}
        assert client.dbsize() == 0
        seconds, microseconds = client.time()
        assert seconds > 1_600_000_000
        assert 0 <= microseconds < 1_000_000
        assert "get" in client.command()
        assert client.command_count() > 100

    def test_connection(self, make: MakeClient) -> None:
        client = make(client_name="me", db=3, decode_responses=True)
        client.set("k", "v")
        info = client.client_info()
        assert (info["name"], info["db"]) == ("me", "3") or (info["name"], info["db"]) == ("me", 3)
        assert client.client_getname() == "me"
        assert any(row["name"] == "me" for row in client.client_list())
        assert make(db=0).exists("k") == 0
        assert make(db=3).exists("k") == 1

    def test_strings(self, client: redis.Redis) -> None:
        assert client.set("k", "v", ex=100, nx=True) is True
        assert client.set("k", "w", nx=True) is None
        assert client.set("k", "w", get=True) == "v"
        assert client.get("k") == "w"
        assert client.get("none") is None
        assert client.mset({"a": 1, "b": 2}) is True
        assert client.mget(["a", "b", "none"]) == ["1", "2", None]
        assert client.msetnx({"a": 3, "c": 3}) is False
        assert client.incr("a", 5) == 6
        assert client.incrbyfloat("a", 0.5) == 6.5
        assert client.setbit("bits", 7, 1) == 0
        assert client.bitcount("bits") == 1
        assert client.getex("k", px=5000) == "w"
        assert 0 < client.pttl("k") <= 5000

    def test_hashes(self, client: redis.Redis) -> None:
        assert client.hset("h", mapping={"a": 1, "b": 2}) == 2
        assert client.hgetall("h") == {"a": "1", "b": "2"}
        assert client.hgetall("none") == {}
        assert client.hmget("h", "a", "none") == ["1", None]
        assert client.hincrbyfloat("h", "a", 1.5) == 2.5
        assert client.hexists("h", "a") is True
        assert dict(client.hscan_iter("h")) == {"a": "2.5", "b": "2"}

    def test_lists(self, client: redis.Redis) -> None:
        assert client.rpush("l", *"abc") == 3
        assert client.lrange("l", 0, -1) == ["a", "b", "c"]
        assert client.lpop("l", 2) == ["a", "b"]
        assert client.lmove("l", "l2", "LEFT", "RIGHT") == "c"
        assert client.lpop("none") is None
        assert client.lset("l2", 0, "d") is True

    def test_sets(self, client: redis.Redis) -> None:
        assert client.sadd("s", *"abc") == 3
        assert client.sadd("t", *"bcd") == 3
        assert client.smembers("s") == {"a", "b", "c"}
        assert set(client.sinter("s", "t")) == {"b", "c"}
        assert client.sismember("s", "a")
        assert client.smismember("s", ["a", "z"]) == [1, 0]
        assert set(client.sscan_iter("s")) == {"a", "b", "c"}

    def test_sorted_sets(self, client: redis.Redis) -> None:
        assert client.zadd("z", {"a": 1, "b": 2.5}) == 2
        assert [list(pair) for pair in client.zrange("z", 0, -1, withscores=True)] == [["a", 1.0], ["b", 2.5]]
        assert client.zscore("z", "b") == 2.5
        assert client.zscore("z", "none") is None
        assert client.zadd("z", {"a": 2}, incr=True) == 3.0
        assert client.zrangebyscore("z", "(2.5", "+inf") == ["a"]
        assert client.zmscore("z", ["a", "none"]) == [3.0, None]
        assert dict(client.zscan_iter("z")) == {"a": 3.0, "b": 2.5}

    def test_keys(self, client: redis.Redis) -> None:
        client.mset({"a": 1, "b": 2, "c": 3})
        assert sorted(client.keys("*")) == ["a", "b", "c"]
        assert client.rename("a", "z") is True
        assert client.exists("a", "b", "z") == 2
        assert client.expire("b", 100) is True
        assert client.ttl("b") in (99, 100)
        assert client.type("b") == "string"
        assert client.delete("a", "b", "c", "z") == 3
        assert client.object("encoding", "none") is None

    def test_errors(self, client: redis.Redis) -> None:
        client.set("k", "v")
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            client.rpush("k", "x")
        with pytest.raises(redis.ResponseError, match="unknown command"):
            client.execute_command("NOSUCH")
        assert client.get("k") == "v"

    def test_bytes(self, make: MakeClient) -> None:
        client = make()
        value = bytes(range(256))
        client.set(value, value)
        assert client.get(value) == value
        assert client.hset("h", value, value) == 1
        assert client.hgetall("h") == {value: value}


class TestIteration:
    def test_scan_iter(self, client: redis.Redis) -> None:
        names = {f"key:{number}" for number in range(500)}
        client.mset(dict.fromkeys(names, "v"))
        client.sadd("other", "m")
        found = list(client.scan_iter(match="key:*", count=7))
        assert set(found) == names
        assert set(client.scan_iter(_type="set")) == {"other"}

    def test_scan_iter_while_keys_go(self, client: redis.Redis) -> None:
        """A key that is present throughout is found."""
        stay = {f"stay:{number}" for number in range(200)}
        client.mset({**dict.fromkeys(stay, "v"), **{f"go:{number}": "v" for number in range(200)}})
        found = set()
        for number, name in enumerate(client.scan_iter(count=10)):
            found.add(name)
            client.delete(f"go:{number}")
        assert found >= stay


class TestPipelines:
    @pytest.mark.parametrize("transaction", [True, False])
    def test_many(self, client: redis.Redis, transaction: bool) -> None:
        with client.pipeline(transaction=transaction) as pipe:
            for number in range(500):
                pipe.incr(f"n:{number % 7}")
            pipe.hset("h", mapping={"a": 1}).hgetall("h").mget("n:0", "n:1").zadd("z", {"m": 1.5}).zscore("z", "m")
            replies = pipe.execute()
        assert replies[:500] == [number // 7 + 1 for number in range(500)]
        assert replies[500:] == [1, {"a": "1"}, ["72", "72"], 1, 1.5]

    def test_errors_inside(self, client: redis.Redis) -> None:
        client.set("k", "v")
        with client.pipeline() as pipe:
            pipe.set("a", 1).rpush("k", "x").set("b", 1)
            with pytest.raises(redis.ResponseError, match=r"Command # 2 .*WRONGTYPE"):
                pipe.execute()
        assert client.mget("a", "b") == ["1", "1"]

    def test_errors_returned(self, client: redis.Redis) -> None:
        client.set("k", "v")
        replies = client.pipeline().rpush("k", "x").get("k").execute(raise_on_error=False)
        assert isinstance(replies[0], redis.ResponseError)
        assert replies[1] == "v"

    def test_refused_commands_abort(self, client: redis.Redis) -> None:
        with client.pipeline() as pipe:
            pipe.set("a", 1)
            pipe.execute_command("SET", "b")
            with pytest.raises(redis.ResponseError, match="wrong number of arguments"):
                pipe.execute()
        assert client.exists("a") == 0


class TestWatch:
    def test_the_loop(self, client: redis.Redis, make: MakeClient) -> None:
        """As in redis-py's documentation; another client interferes twice."""
        client.set("n", 0)
        other, tries = make(), 0
        with client.pipeline() as pipe:
            while True:
                tries += 1
                try:
                    pipe.watch("n", "other key")
                    value = int(pipe.get("n"))
                    if tries < 3:
                        other.incr("n")
                    pipe.multi()
                    pipe.set("n", value + 100)
                    pipe.execute()
                    break
                except redis.WatchError:
                    continue
        assert tries == 3
        assert client.get("n") == "102"

    def test_transaction(self, client: redis.Redis, make: MakeClient) -> None:
        client.mset({"a": 1, "b": 2, "c": 3})
        other, tries = make(), []

        def add(pipe: Any) -> None:
            a, b = int(pipe.get("a")), int(pipe.get("b"))
            if not tries:
                other.set("a", 10)
            tries.append(a)
            pipe.multi()
            pipe.set("c", a + b)

        assert client.transaction(add, "a", "b") == [True]
        assert tries == [1, 10]
        assert client.get("c") == "12"

    def test_transaction_value(self, client: redis.Redis) -> None:
        def read(pipe: Any) -> str:
            value = pipe.get("k")
            pipe.multi()
            pipe.set("k", "new")
            return str(value)

        client.set("k", "old")
        assert client.transaction(read, "k", value_from_callable=True) == "old"

    def test_unwatch(self, client: redis.Redis, make: MakeClient) -> None:
        with client.pipeline() as pipe:
            pipe.watch("k")
            make().set("k", "changed")
            pipe.unwatch()
            assert pipe.get("k").set("k", "again").execute() == ["changed", True]

    def test_threads_that_count(self, client: redis.Redis) -> None:
        """Nothing is lost, and keys on several shards stay in step."""

        def count() -> None:
            for _ in range(25):
                client.transaction(step, "one", "two")

        def step(pipe: Any) -> None:
            one, two = (int(value or 0) for value in pipe.mget("one", "two"))
            pipe.multi()
            pipe.set("one", one + 1).set("two", two + 1)

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.mget("one", "two") == ["100", "100"]


def next_message(pubsub: Any) -> dict[str, Any]:
    message = pubsub.get_message(timeout=10)
    assert message is not None
    return dict(message)


class TestPubSub:
    def test_messages(self, client: redis.Redis) -> None:
        with client.pubsub() as pubsub:
            pubsub.subscribe("c")
            pubsub.psubscribe("p*")
            assert next_message(pubsub)["type"] == "subscribe"
            assert next_message(pubsub) == {"type": "psubscribe", "pattern": None, "channel": "p*", "data": 2}
            assert client.publish("c", "one") == 1
            assert client.publish("pattern", "two") == 1
            assert next_message(pubsub) == {"type": "message", "pattern": None, "channel": "c", "data": "one"}
            assert next_message(pubsub) == {"type": "pmessage", "pattern": "p*", "channel": "pattern", "data": "two"}
            pubsub.unsubscribe("c")
            assert next_message(pubsub)["data"] == 1
            assert client.publish("c", "three") == 0

    def test_ping_and_listen(self, make: MakeClient) -> None:
        client = make()
        with client.pubsub(ignore_subscribe_messages=True) as pubsub:
            pubsub.subscribe("c")
            assert pubsub.get_message(timeout=10) is None
            client.publish("c", "one")
            client.publish("c", "two")
            messages = pubsub.listen()
            assert [next(messages)["data"] for _ in range(2)] == [b"one", b"two"]
            pubsub.ping("x")
            assert next_message(pubsub) == {"type": "pong", "pattern": None, "channel": None, "data": b"x"}

    def test_handlers_in_a_thread(self, client: redis.Redis) -> None:
        seen: list[str] = []
        done = threading.Event()

        def handle(message: dict[str, Any]) -> None:
            seen.append(message["data"])
            if len(seen) == 100:
                done.set()

        pubsub = client.pubsub(ignore_subscribe_messages=True)
        pubsub.subscribe(c=handle)
        thread = pubsub.run_in_thread(sleep_time=0.01)
        try:
            while client.pubsub_numsub("c") != [("c", 1)]:
                pass  # the subscription is not confirmed yet
            for number in range(100):
                client.publish("c", number)
            assert done.wait(10)
        finally:
            thread.stop()
            thread.join()
        assert seen == [str(number) for number in range(100)]

    def test_shard_channels(self, client: redis.Redis) -> None:
        with client.pubsub() as pubsub:
            pubsub.ssubscribe("c")
            assert next_message(pubsub)["type"] == "ssubscribe"
            assert client.spublish("c", "x") == 1
            assert next_message(pubsub)["data"] == "x"

    def test_keyspace_events(self, client: redis.Redis) -> None:
        client.config_set("notify-keyspace-events", "KEA")
        with client.pubsub(ignore_subscribe_messages=True) as pubsub:
            pubsub.psubscribe("__key*__:*")
            assert pubsub.get_message(timeout=10) is None
            client.set("k", "v")
            assert next_message(pubsub)["channel"] == "__keyspace@0__:k"
            message = next_message(pubsub)
            assert (message["channel"], message["data"]) == ("__keyevent@0__:set", "k")


class TestConnections:
    def test_threads_share_a_pool(self, make: MakeClient) -> None:
        client = make(max_connections=20)
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for count in range(50):
                    key = f"{number}:{count}"
                    client.set(key, key)
                    assert client.get(key) == key.encode()
                    assert client.incr("all") > 0
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert client.get("all") == b"400"
        assert client.dbsize() == 401

    def test_a_blocking_pool(self, server: StartedServer, protocol: int) -> None:
        pool = redis.BlockingConnectionPool(port=server.port, protocol=protocol, max_connections=2, timeout=5)
        with redis.Redis(connection_pool=pool) as client:
            assert [client.incr("n") for _ in range(10)] == list(range(1, 11))
        pool.disconnect()

    def test_a_url(self, server: StartedServer, protocol: int) -> None:
        with redis.Redis.from_url(f"redis://127.0.0.1:{server.port}/2?protocol={protocol}") as client:
            client.set("k", "v")
            assert client.get("k") == b"v"
            client.select(0)
            assert client.get("k") is None

    def test_a_password(self, client: redis.Redis, make: MakeClient) -> None:
        client.config_set("requirepass", "secret")
        at_once = Retry(NoBackoff(), 0)
        try:
            with pytest.raises(redis.AuthenticationError):
                make(retry=at_once).ping()
            with pytest.raises(redis.AuthenticationError):
                make(retry=at_once, password="wrong").ping()
            assert make(password="secret").ping() is True
            assert make(username="default", password="secret").ping() is True
        finally:
            client.config_set("requirepass", "")

    def test_a_connection_that_was_killed_is_replaced(self, client: redis.Redis, make: MakeClient) -> None:
        victim = make(single_connection_client=False)
        number = victim.client_id()
        assert client.client_kill_filter(_id=str(number)) == 1
        assert victim.ping() is True
        assert victim.client_id() != number


AsyncTest = Callable[[redis.asyncio.Redis], Awaitable[None]]


@pytest.fixture
def run(server: StartedServer, protocol: int) -> Callable[[AsyncTest], None]:
    """Run a coroutine function with an asyncio client."""

    async def with_client(test: AsyncTest) -> None:
        async with redis.asyncio.Redis(port=server.port, protocol=protocol, decode_responses=True) as client:
            await test(client)

    return lambda test: asyncio.run(with_client(test))


class TestAsyncio:
    def test_commands(self, run: Callable[[AsyncTest], None]) -> None:
        async def test(client: redis.asyncio.Redis) -> None:
            assert await client.set("k", "v", ex=100)
            assert await client.get("k") == "v"
            assert await client.hset("h", mapping={"a": 1}) == 1
            assert await client.hgetall("h") == {"a": "1"}
            await client.mset({f"key:{number}": number for number in range(100)})
            assert len([key async for key in client.scan_iter("key:*")]) == 100
            with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
                await client.rpush("k", "x")

        run(test)

    def test_at_the_same_time(self, run: Callable[[AsyncTest], None]) -> None:
        async def test(client: redis.asyncio.Redis) -> None:
            replies = await asyncio.gather(*[client.incr(f"n:{number % 5}") for number in range(100)])
            assert sorted(replies) == sorted([number // 5 + 1 for number in range(100)])

        run(test)

    def test_pipelines_and_watch(self, run: Callable[[AsyncTest], None]) -> None:
        async def test(client: redis.asyncio.Redis) -> None:
            async with client.pipeline(transaction=True) as pipe:
                assert await pipe.set("a", 1).incr("a").mget("a", "b").execute() == [True, 2, ["2", None]]
            async with client.pipeline() as pipe:
                await pipe.watch("a", "b")
                await client.set("b", "changed")
                pipe.multi()
                pipe.set("a", 3)
                with pytest.raises(redis.WatchError):
                    await pipe.execute()
            assert await client.get("a") == "2"

        run(test)

    def test_pubsub(self, run: Callable[[AsyncTest], None]) -> None:
        async def test(client: redis.asyncio.Redis) -> None:
            async with client.pubsub() as pubsub:
                await pubsub.subscribe("c")
                await pubsub.psubscribe("p*")
                messages = pubsub.listen()
                assert [(await anext(messages))["type"] for _ in range(2)] == ["subscribe", "psubscribe"]
                assert await client.publish("c", "one") == 1
                assert await client.publish("pattern", "two") == 1
                assert [(await anext(messages))["data"] for _ in range(2)] == ["one", "two"]
                await messages.aclose()

        run(test)


class TestClientSideCache:
    """What redis-py keeps of replies, and what its users build for RESP2."""

    @pytest.fixture
    def cached(self, make: MakeClient, protocol: int, monkeypatch: pytest.MonkeyPatch) -> redis.Redis:
        if protocol == 2:
            pytest.skip(reason="redis-py's cache needs RESP3")
        # redis-py refuses servers before 7.4, although they can do it.
        monkeypatch.setattr(CacheProxyConnection, "MIN_ALLOWED_VERSION", "6.0.0")
        return make(cache_config=CacheConfig(), decode_responses=True)

    def test_hits_cost_no_command(self, cached: redis.Redis, client: redis.Redis) -> None:
        client.set("k", "v")
        assert cached.get("k") == "v"
        before = client.info("stats")["total_commands_processed"]
        assert [cached.get("k") for _ in range(100)] == ["v"] * 100
        assert client.info("stats")["total_commands_processed"] - before < 10

    def test_changes_of_others(self, cached: redis.Redis, client: redis.Redis) -> None:
        for value in ("one", "two", None, "three"):
            if value is None:
                client.delete("k")
            else:
                client.set("k", value)
            assert [cached.get("k") for _ in range(3)] == [value] * 3
        client.flushall()
        assert cached.get("k") is None

    def test_own_changes(self, cached: redis.Redis) -> None:
        for number in range(20):
            cached.set("k", number)
            assert cached.get("k") == cached.get("k") == str(number)

    def test_commands_with_several_keys(self, cached: redis.Redis, client: redis.Redis) -> None:
        """On three shards their keys are on different ones, and they are cut up, or carried."""
        client.mset({"key:one": 1, "key:two": 2, "key:three": 3})
        client.sadd("set:1", "a", "b")
        client.sadd("set:2", "b")
        assert cached.mget("key:one", "key:two", "key:three") == ["1", "2", "3"]
        assert cached.sinter(["set:1", "set:2"]) == {"b"}
        client.set("key:three", 4)
        client.sadd("set:2", "a")
        assert cached.mget("key:one", "key:two", "key:three") == ["1", "2", "4"]
        assert cached.sinter(["set:1", "set:2"]) == {"a", "b"}

    def test_by_several_threads(self, cached: redis.Redis, client: redis.Redis) -> None:
        """Each has a connection of its own to one cache. What is written is seen by everybody afterwards."""
        stale: list[tuple[str, Any]] = []

        def work(name: str) -> None:
            for number in range(50):
                cached.set(name, number)
                found = cached.get(name)
                if found != str(number):
                    stale.append((name, found))

        threads = [threading.Thread(target=work, args=(f"key:{name}",)) for name in ("one", "two", "three")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not stale
        assert client.mget("key:one", "key:two", "key:three") == ["49"] * 3

    def test_redirected(self, make: MakeClient, client: redis.Redis) -> None:
        """As libraries for RESP2 do it (ioredis): messages come to a second connection that has subscribed."""
        subscriber = make(protocol=2, decode_responses=True).pubsub()
        subscriber.subscribe("__redis__:invalidate")
        subscriber.get_message(timeout=10)
        (target,) = [each["id"] for each in client.client_list() if each["sub"] == "1"]
        reader = make(protocol=2, decode_responses=True, single_connection_client=True)
        reader.execute_command("CLIENT", "TRACKING", "ON", "REDIRECT", target)
        kept: dict[str, Any] = {}

        def get(key: str) -> Any:
            while message := subscriber.get_message(timeout=0):
                for changed in message["data"] or [*kept]:
                    kept.pop(changed, None)
            if key not in kept:
                kept[key] = reader.get(key)
            return kept[key]

        for number in range(20):
            client.set("key:one", number)
            assert get("key:one") == get("key:one") == str(number)
            assert get("key:two") is None
        assert set(kept) == {"key:one", "key:two"}
        client.flushall()
        assert get("key:one") is None
