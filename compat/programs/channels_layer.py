"""channels_redis: the layer through which Django's web sockets talk to each other."""

from __future__ import annotations

import asyncio

REQUIREMENTS = ("channels_redis==4.3.0", "redis==7.1.0")
MISSING = ("BZPOPMIN", "EVAL")


def scenario_channel(url: str) -> None:
    from channels_redis.core import RedisChannelLayer

    async def main() -> None:
        layer = RedisChannelLayer(hosts=[url])
        await layer.send("one", {"type": "hello", "n": 1})
        assert await asyncio.wait_for(layer.receive("one"), 5) == {"type": "hello", "n": 1}
        await layer.close_pools()

    asyncio.run(main())


def scenario_group(url: str) -> None:
    from channels_redis.core import RedisChannelLayer

    async def main() -> None:
        layer = RedisChannelLayer(hosts=[url])
        first, second = await layer.new_channel(), await layer.new_channel()
        await layer.group_add("room", first)
        await layer.group_add("room", second)
        await layer.group_send("room", {"type": "news"})
        for channel in (first, second):
            assert await asyncio.wait_for(layer.receive(channel), 5) == {"type": "news"}
        await layer.close_pools()

    asyncio.run(main())


def scenario_pubsub_layer(url: str) -> None:
    from channels_redis.pubsub import RedisPubSubChannelLayer

    async def main() -> None:
        layer = RedisPubSubChannelLayer(hosts=[url])
        channel = await layer.new_channel()
        await layer.group_add("room", channel)
        await layer.group_send("room", {"type": "news"})
        assert await asyncio.wait_for(layer.receive(channel), 5) == {"type": "news"}
        await layer.group_discard("room", channel)
        await layer.flush()

    asyncio.run(main())
