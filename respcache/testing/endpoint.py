"""A server as its clients know it, whichever process has started it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis
    import redis.asyncio


@dataclass(frozen=True)
class Endpoint:
    """Where a server is, and how one logs in.

    password: empty if it asks for none.
    death: says what the server died of; None while it lives.
    """

    host: str
    port: int
    password: str
    death: Callable[[], str | None]

    @property
    def host_in_urls(self) -> str:
        """The host, in brackets if it is an address of IPv6."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def address(self) -> str:
        """As redis-cli's prompt shows it."""
        return f"{self.host_in_urls}:{self.port}"

    @property
    def url(self) -> str:
        """See `Server.url`."""
        login = f":{quote(self.password, safe='')}@" if self.password else ""
        return f"redis://{login}{self.address}/0"

    @property
    def connection_kwargs(self) -> dict[str, Any]:
        """See `Server.connection_kwargs`."""
        login = {"password": self.password} if self.password else {}
        return {"host": self.host, "port": self.port, **login}

    def client(self, **options: Any) -> redis.Redis:
        """See `Server.client`."""
        from respcache.testing.clients import make_client  # not with the plugin, which every test run loads

        return make_client({**self.connection_kwargs, **options}, self.death)

    def async_client(self, **options: Any) -> redis.asyncio.Redis:
        """See `Server.async_client`."""
        from respcache.testing.clients import make_async_client  # as above

        return make_async_client({**self.connection_kwargs, **options}, self.death)

    def alive(self) -> bool:
        """See `Server.alive`."""
        return self.death() is None
