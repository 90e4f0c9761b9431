"""python-socketio with AsyncRedisManager: servers that reach each other's clients through channels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from compat.programs.support import same, started

REQUIREMENTS = ("python-socketio[asyncio-client]==5.18.1", "redis==8.1.0")


class _Server:
    """A server of its own, with the manager that ties it to the others."""

    def __init__(self, url: str) -> None:
        import socketio

        self.io: Any = socketio.AsyncServer(
            async_mode="aiohttp", client_manager=socketio.AsyncRedisManager(url), cors_allowed_origins="*"
        )
        self.port = 0

        @self.io.event
        async def join(sid: str, room: str) -> str:
            await self.io.enter_room(sid, room)
            return "joined"

        @self.io.event
        async def say(sid: str, room: str, text: str) -> None:
            await self.io.emit("said", text, room=room, skip_sid=sid)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[_Server]:
        from aiohttp import web

        app = web.Application()
        self.io.attach(app)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()


class _Client:
    """A client and what it has heard."""

    def __init__(self) -> None:
        import socketio

        self.io: Any = socketio.AsyncClient(reconnection=False)
        self.heard: list[Any] = []
        self.gone = asyncio.Event()
        self.io.on("said", self.heard.append)
        self.io.on("disconnect", lambda *_: self.gone.set())
        self.io.on("question", lambda text: f"answer to {text}")

    @property
    def sid(self) -> str:
        return str(self.io.get_sid())

    async def hears(self, *texts: object) -> None:
        while len(self.heard) < len(texts):
            await asyncio.sleep(0.01)
        same(self.heard, list(texts))
        self.heard.clear()


async def _listening(url: str, servers: int) -> None:
    """Wait until the managers of all servers listen."""
    from redis.asyncio import Redis

    async with Redis.from_url(url) as redis:
        while (await redis.pubsub_numsub("socketio"))[0][1] < servers:
            await asyncio.sleep(0.01)


def _run(url: str, body: Callable[..., Awaitable[None]], clients: int = 2) -> None:
    """Two servers; clients, connected to one and the other in turn."""

    async def main() -> None:
        async with AsyncExitStack() as stack:
            servers = [await stack.enter_async_context(_Server(url).running()) for _ in range(2)]
            connected = [_Client() for _ in range(clients)]
            for number, client in enumerate(connected):
                await client.io.connect(f"http://127.0.0.1:{servers[number % 2].port}", transports=["websocket"])
                stack.push_async_callback(client.io.disconnect)
            await _listening(url, 2)
            await asyncio.wait_for(body(servers, *connected), 20)

    asyncio.run(main())


def scenario_rooms_across_servers(url: str) -> None:
    async def body(servers: list[_Server], ann: _Client, bob: _Client, cid: _Client) -> None:
        for client in (ann, bob):
            same(await client.io.call("join", "room", timeout=5), "joined")
        await ann.io.emit("say", ("room", "hello"))
        await bob.hears("hello")
        for number in range(100):
            await servers[0].io.emit("said", number)
        for client in (ann, bob, cid):
            await client.hears(*range(100))
        await servers[1].io.emit("said", "only for ann", to=ann.sid)
        await ann.hears("only for ann")
        same((bob.heard, cid.heard), ([], []))

    _run(url, body, clients=3)


def scenario_callback_from_another_server(url: str) -> None:
    """The reply of a client of the second server returns to the first one, who asked."""

    async def body(servers: list[_Server], _ann: _Client, bob: _Client) -> None:
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        await servers[0].io.emit("question", "all", to=bob.sid, callback=answer.set_result)
        same(await answer, "answer to all")

    _run(url, body)


def scenario_room_management_across_servers(url: str) -> None:
    async def body(servers: list[_Server], ann: _Client, bob: _Client) -> None:
        await servers[0].io.enter_room(bob.sid, "room")  # not its client
        await servers[0].io.enter_room(ann.sid, "room")
        while not _in_room(servers[1], "room"):
            await asyncio.sleep(0.01)
        await servers[1].io.emit("said", "to the room", room="room")
        await ann.hears("to the room")
        await bob.hears("to the room")
        await servers[0].io.leave_room(bob.sid, "room")
        while _in_room(servers[1], "room"):
            await asyncio.sleep(0.01)
        await servers[1].io.close_room("room")
        while _in_room(servers[0], "room"):
            await asyncio.sleep(0.01)
        await servers[0].io.disconnect(bob.sid)
        await bob.gone.wait()

    _run(url, body)


def _in_room(server: _Server, room: str) -> bool:
    return bool(list(server.io.manager.get_participants("/", room)))


def _emit(url: str) -> None:
    import socketio

    socketio.RedisManager(url, write_only=True).emit("said", {"from": "outside"})


def scenario_emit_from_another_process(url: str) -> None:
    async def body(_servers: list[_Server], ann: _Client, bob: _Client) -> None:
        with started(_emit, url):
            for client in (ann, bob):
                while not client.heard:
                    await asyncio.sleep(0.01)
                same(client.heard, [{"from": "outside"}])

    _run(url, body)


def scenario_connection_to_redis_is_cut(url: str) -> None:
    """The managers subscribe again by themselves."""

    async def body(servers: list[_Server], ann: _Client, bob: _Client) -> None:
        from redis.asyncio import Redis

        async with Redis.from_url(url) as redis:
            assert await redis.client_kill_filter(_type="pubsub") >= 2
        while not (ann.heard and bob.heard):  # redis-py subscribes at once, the managers listen after a second
            await servers[0].io.emit("said", "again")
            await asyncio.sleep(0.1)

    _run(url, body)
