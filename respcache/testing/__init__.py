"""A Redis-compatible server for tests: started in a moment, on a port of its own, gone with the test run.

    from respcache.testing import Server

    with Server() as server:
        client = server.client()          # a redis.Redis; or give server.url to the program under test
        client.set("token", "abc", ex=60)
        server.advance(61)                # time passes for the server, not for you
        assert client.get("token") is None

In an async program, on trio or asyncio: ``async with Server() as server``. In pytest no code is needed at
all: the fixtures `respcache`, `respcache_async`, `respcache_url` and `respcache_server` come with the
installation, see `respcache.testing.plugin`. For unittest there is `RespcacheTestCase`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.testing.server import Server, StartError

if TYPE_CHECKING:
    from respcache.testing.cases import RespcacheMixin, RespcacheTestCase

__all__ = ["RespcacheMixin", "RespcacheTestCase", "Server", "StartError"]


def __getattr__(name: str) -> Any:
    """What is imported only when it is asked for: the classes for unittest."""
    if name not in ("RespcacheMixin", "RespcacheTestCase"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from respcache.testing import cases

    return getattr(cases, name)
