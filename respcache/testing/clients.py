"""redis-py's clients, as the handle and the fixtures give them to tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio
import redis.asyncio.retry
import redis.backoff
import redis.retry

if TYPE_CHECKING:
    from collections.abc import Callable

# A server on this machine is back soon or not at all: 3 tries within an eighth of a second.
_RETRIES = 3
_BACKOFF = 0.016


class _WhileAlive(redis.backoff.ExponentialBackoff):
    """How long to wait before another try. A server that died is not waited for: what it died of is the error.

    `death`: says what it died of; None while it lives.
    """

    def __init__(self, death: Callable[[], str | None]) -> None:
        super().__init__(cap=1.0, base=_BACKOFF / 2)
        self._death = death

    def compute(self, failures: int) -> float:
        if (death := self._death()) is not None:
            raise redis.ConnectionError(death)
        return super().compute(failures)

    def __deepcopy__(self, memo: object) -> _WhileAlive:
        return self  # each connection copies its retry; the server stays the same


class _AsyncRetry(redis.asyncio.retry.Retry):
    """Everything that a client for asyncio does passes here before it looks for the event loop."""

    async def call_with_retry(self, *args: Any, **options: Any) -> Any:
        """As redis-py does. Cancellation passes through. Errors: RuntimeError under trio."""
        import sniffio

        try:
            library = sniffio.current_async_library()
        except sniffio.AsyncLibraryNotFoundError:
            library = "asyncio"
        if library != "asyncio":
            raise RuntimeError(
                f"this is redis-py's client for asyncio, and it runs under {library}: use a synchronous client in a "
                "thread, such as the fixture `respcache` (see docs/guides/asyncio.md)"
            )
        return await super().call_with_retry(*args, **options)


def make_client(options: dict[str, Any], death: Callable[[], str | None]) -> redis.Redis:
    """A client; the caller closes it. `death`: see `_WhileAlive`."""
    retry = redis.retry.Retry(_WhileAlive(death), _RETRIES)
    return redis.Redis(**{"retry": retry, **options})


def make_async_client(options: dict[str, Any], death: Callable[[], str | None]) -> redis.asyncio.Redis:
    """A client for asyncio; the caller closes it. `death`: see `_WhileAlive`."""
    retry = _AsyncRetry(_WhileAlive(death), _RETRIES)
    return redis.asyncio.Redis(**{"retry": retry, **options})
