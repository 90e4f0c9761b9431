"""channels_redis: the layer through which Django's web sockets talk to each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from compat.programs.support import eventually, raises, same, started

REQUIREMENTS = ("channels_redis==4.3.0", "redis==7.1.0")


def _run(url: str, body: Callable[[Any], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        from channels_redis.core import RedisChannelLayer

        layer = RedisChannelLayer(hosts=[url], **options)
        await asyncio.wait_for(body(layer), 20)
        await layer.close_pools()

    asyncio.run(main())


def scenario_channel(url: str) -> None:
    async def body(layer: Any) -> None:
        await layer.send("one", {"type": "hello", "n": 1})
        same(await layer.receive("one"), {"type": "hello", "n": 1})
        waiting = asyncio.create_task(layer.receive("one"))
        await asyncio.sleep(0.1)
        await layer.send("one", {"type": "hello", "n": 2})
        same(await waiting, {"type": "hello", "n": 2})
        for number in range(50):
            await layer.send("one", {"n": number})
        same([(await layer.receive("one"))["n"] for _ in range(50)], list(range(50)))

    _run(url, body)


def scenario_group(url: str) -> None:
    async def body(layer: Any) -> None:
        channels = [await layer.new_channel() for _ in range(20)]
        for channel in channels:
            await layer.group_add("room", channel)
        await layer.group_discard("room", channels[0])
        await layer.group_send("room", {"type": "news"})
        same(await asyncio.gather(*(layer.receive(channel) for channel in channels[1:])), [{"type": "news"}] * 19)
        with raises(TimeoutError):
            await asyncio.wait_for(layer.receive(channels[0]), 0.1)

    _run(url, body)


def scenario_capacity(url: str) -> None:
    async def body(layer: Any) -> None:
        from channels.exceptions import ChannelFull

        for number in range(3):
            await layer.send("full", {"n": number})
        with raises(ChannelFull):
            await layer.send("full", {"n": 3})
        await layer.group_add("room", "full")
        await layer.group_add("room", "empty")
        await layer.group_send("room", {"n": "for all"})  # passes over the one that is full
        same([(await layer.receive("full"))["n"] for _ in range(3)], [0, 1, 2])
        same((await layer.receive("empty"))["n"], "for all")

    _run(url, body, capacity=3)


def scenario_expiry(url: str) -> None:
    async def body(layer: Any) -> None:
        await layer.send("old", {"n": 1})
        await asyncio.sleep(1.2)
        await layer.send("old", {"n": 2})
        same(await layer.receive("old"), {"n": 2})

    _run(url, body, expiry=1)


def scenario_cancelled_receive(url: str) -> None:
    """Receivers that give up, at any moment, do not take messages with them."""

    async def body(layer: Any) -> None:
        for number in range(20):
            waiting = asyncio.create_task(layer.receive("one"))
            await asyncio.sleep(0.002 * (number % 5))
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await layer.send("one", {"n": number})
            same(await layer.receive("one"), {"n": number})

    _run(url, body)


def scenario_flush(url: str) -> None:
    async def body(layer: Any) -> None:
        from redis.asyncio import Redis

        for number in range(50):
            await layer.send(f"channel{number}", {"n": number})
            await layer.group_add(f"group{number}", f"channel{number}")
        await layer.flush()
        async with Redis.from_url(url) as redis:
            same(await redis.dbsize(), 0)

    _run(url, body)


def scenario_pubsub_layer(url: str) -> None:
    from channels_redis.pubsub import RedisPubSubChannelLayer

    async def main() -> None:
        first, second = RedisPubSubChannelLayer(hosts=[url]), RedisPubSubChannelLayer(hosts=[url])
        channels = [(layer, await layer.new_channel()) for layer in (first, second, second)]
        for layer, channel in channels:
            await layer.group_add("room", channel)
        await first.group_send("room", {"type": "news"})
        for layer, channel in channels:
            same(await asyncio.wait_for(layer.receive(channel), 5), {"type": "news"})
        await first.send(channels[1][1], {"type": "direct"})
        same(await asyncio.wait_for(second.receive(channels[1][1]), 5), {"type": "direct"})
        await first.group_discard("room", channels[0][1])
        await first.flush()
        await second.flush()

    asyncio.run(main())


def _receive(url: str) -> None:
    async def body(layer: Any) -> None:
        await layer.receive("jobs")

    _run(url, body)


def scenario_receiver_is_killed(url: str) -> None:
    from redis import Redis

    with started(_receive, url) as receiver:
        redis = Redis.from_url(url)
        eventually(lambda: redis.info("clients")["blocked_clients"] == 1)
        receiver.kill()
        receiver.join()
        eventually(lambda: redis.info("clients")["blocked_clients"] == 0)

    async def body(layer: Any) -> None:
        await layer.send("jobs", {"n": 1})
        same(await layer.receive("jobs"), {"n": 1})

    _run(url, body)
