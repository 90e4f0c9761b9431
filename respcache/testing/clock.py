"""The clock of a server, for tests: `server.clock`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from respcache.testing.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from respcache.testing.control import Caller


class ServerClock:
    """The one time that everything on the server follows: TTLs, TIME, ids of streams, idle times, blocking timeouts.

    A method returns when everything that is due has happened. `RESPCACHE RESET`, and so the next test, takes back what
    was done. Errors: RuntimeError if the server refuses, ConnectionError if it died.
    """

    def __init__(self, call: Caller) -> None:
        self._call = call

    def now(self) -> datetime:
        """The server's time, in UTC."""
        return _moment(self._call("RESPCACHE", "CLOCK", "GET"))

    def advance(self, time: float | timedelta) -> datetime:
        """Let so many seconds pass. The time afterwards.

        Precise to a millisecond, of which it adds the last: a TTL of this many seconds has then run out.
        """
        seconds = time.total_seconds() if isinstance(time, timedelta) else time
        if seconds < 0:
            raise ValueError("time does not run backwards: `set` it to an earlier moment")
        return _moment(self._call("RESPCACHE", "CLOCK", "ADVANCE", round(seconds * 1000)))

    def set(self, moment: datetime | float) -> datetime:
        """Set the time to a moment, earlier or later; a number is seconds since the epoch.

        A datetime without a time zone is taken as local time, as Python does. Deadlines of keys stay where they are.
        """
        seconds = moment.timestamp() if isinstance(moment, datetime) else moment
        return _moment(self._call("RESPCACHE", "CLOCK", "SET", round(seconds * 1000)))

    def freeze(self) -> Frozen:
        """Let time stand still; from then on only `advance` and `set` move it. Ends with `resume`.

        Used as a context manager, it ends with the block:

            with server.clock.freeze():
                ...
        """
        self._call("RESPCACHE", "CLOCK", "FREEZE")
        return Frozen(self)

    def resume(self) -> None:
        """Let time pass again, from where it stands."""
        self._call("RESPCACHE", "CLOCK", "RESUME")


class Frozen:
    """Time stands still until the end of the block."""

    def __init__(self, clock: ServerClock) -> None:
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clock.resume()


class AsyncServerClock:
    """`ServerClock` for trio and asyncio, whose tasks go on meanwhile."""

    def __init__(self, clock: ServerClock) -> None:
        self._clock = clock

    async def now(self) -> datetime:
        """See `ServerClock.now`."""
        return await in_thread(self._clock.now)

    async def advance(self, time: float | timedelta) -> datetime:
        """See `ServerClock.advance`."""
        return await in_thread(self._clock.advance, time)

    async def set(self, moment: datetime | float) -> datetime:
        """See `ServerClock.set`."""
        return await in_thread(self._clock.set, moment)

    @asynccontextmanager
    async def freeze(self) -> AsyncIterator[None]:
        """Let time stand still to the end of an ``async with`` block."""
        await in_thread(self._clock.freeze)
        try:
            yield
        finally:
            await self.resume()

    async def resume(self) -> None:
        """See `ServerClock.resume`."""
        await in_thread(self._clock.resume)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
