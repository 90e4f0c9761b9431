"""A namespace of a server, for tests: `server.namespace("name")`."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import quote

from respcache.testing.threads import in_thread

if TYPE_CHECKING:
    from types import TracebackType

    import redis
    import redis.asyncio

    from respcache.testing.control import Caller

# Some clients, node-redis in RESP3 among them, log in only if there is a password. Without one it may be any.
_ANY_PASSWORD = "any"


class Server(Protocol):
    """What a namespace needs of the `respcache.testing.Server` that it is in."""

    @property
    def url(self) -> str:
        """See `Server.url`."""

    @property
    def connection_kwargs(self) -> dict[str, Any]:
        """See `Server.connection_kwargs`."""

    def client(self, **options: Any) -> redis.Redis:
        """See `Server.client`."""

    def async_client(self, **options: Any) -> redis.asyncio.Redis:
        """See `Server.async_client`."""

    def alive(self) -> bool:
        """See `Server.alive`."""


class Namespace:
    """A server within the server: what runs in it sees nothing of what others do, and the other way round.

    Its own are databases, scripts, functions, channels, keyspace events, CLIENT LIST and KILL, CLIENT PAUSE. Shared
    with all others are the clock, the configuration, counters, and the time that slow commands take. It comes into
    being when it is first used, which costs next to nothing.

    Used as a context manager, `with` or (under trio and asyncio) `async with`, it is dropped at the end of the block.
    """

    def __init__(self, server: Server, name: str, call: Caller) -> None:
        """`call` sends a command from within the namespace."""
        self.server = server
        self.name = name
        self._call = call

    @property
    def url(self) -> str:
        """What `redis.Redis.from_url` and most programs' settings take: the user's name says which namespace it is."""
        login = self.connection_kwargs
        user, password = (quote(login[part], safe="") for part in ("username", "password"))
        scheme, _, rest = self.server.url.partition("://")
        return f"{scheme}://{user}:{password}@{rest.rpartition('@')[2]}"

    @property
    def connection_kwargs(self) -> dict[str, Any]:
        """For clients that take keyword arguments: `redis.Redis(**namespace.connection_kwargs)`."""
        return {"password": _ANY_PASSWORD, **self.server.connection_kwargs, "username": f"ns.{self.name}"}

    def client(self, **options: Any) -> redis.Redis:
        """A new client; `options` as for `redis.Redis`. The caller closes it."""
        return self.server.client(**{**self.connection_kwargs, **options})

    def async_client(self, **options: Any) -> redis.asyncio.Redis:
        """A new client for asyncio; `options` as for `redis.asyncio.Redis`. The caller closes it."""
        return self.server.async_client(**{**self.connection_kwargs, **options})

    def flush(self) -> None:
        """Remove all keys of all its databases.

        Errors: ConnectionError if the server died.
        """
        self._call("FLUSHALL", leave=True)

    def reset(self) -> None:
        """Remove its keys, scripts and functions, and end its CLIENT PAUSE. What is shared stays as it is.

        Connections stay, with their subscriptions and transactions; who waits in a blocking command goes on waiting.
        Errors: ConnectionError if the server died.
        """
        self._call("RESPCACHE", "RESET", leave=True)

    def drop(self) -> None:
        """End its connections, and forget it. It may be used again, and is empty then.

        Errors: ConnectionError if the server died.
        """
        self._call("RESPCACHE", "NAMESPACE", "DROP", self.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.server.alive():
            self.drop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A cancellation takes effect when the namespace is dropped."""
        if self.server.alive():
            await in_thread(self.drop)

    def __repr__(self) -> str:
        return f"<Namespace {self.name}>"


def new_name() -> str:
    """A name that no other namespace has."""
    return secrets.token_hex(8)
