"""The clock of a server, for tests: `server.clock` and `server.async_clock`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from respcache.testing.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

    from respcache.testing.control import Caller


class ServerClock:
    """The one time that everything on the server follows: TTLs, TIME, ids of streams, idle times, blocking timeouts.

    A method returns when everything that is due by then has happened: keys have expired, with their events, and clients
    whose time is up have their replies. `RESPCACHE RESET`, and so the next test, takes back what was done.

    Errors: RuntimeError if the server refuses or does not run, ConnectionError if it died.
    """

    def __init__(self, call: Caller) -> None:
        self._call = call

    def now(self) -> datetime:
        """The server's time, in UTC."""
        return self._clock("GET")

    def advance(self, time: float | timedelta) -> datetime:
        """Let so many seconds pass. The time afterwards.

        Precise to a millisecond, of which it adds the last: a TTL of this many seconds has then run out. What is due
        happens in the order of its deadlines, at the time that is reached.
        """
        seconds = time.total_seconds() if isinstance(time, timedelta) else time
        if seconds < 0:
            raise ValueError("time does not run backwards: `set` it to an earlier moment")
        return self._clock("ADVANCE", round(seconds * 1000))

    def set(self, moment: datetime | float) -> datetime:
        """Set the time to a moment, earlier or later; a number is seconds since the epoch. The time afterwards.

        A datetime without a time zone is local time, as everywhere in Python. A key with that moment for its deadline
        expires in the next millisecond. If time goes back, deadlines of keys stay where they are, and whoever waits in
        a blocking command goes on waiting for as long as before.
        """
        seconds = moment.timestamp() if isinstance(moment, datetime) else moment
        return self._clock("SET", round(seconds * 1000))

    def freeze(self) -> Frozen:
        """Let time stand still, until `resume`; meanwhile only `advance` and `set` move it.

        Used as a context manager, it ends with the block, also if that fails. It does not nest: the first `resume` ends
        it.

            with server.clock.freeze():
                ...
        """
        self._clock("FREEZE")
        return Frozen(self)

    def resume(self) -> datetime:
        """Let time pass again, from where it stands."""
        return self._clock("RESUME")

    def _clock(self, *words: str | int) -> datetime:
        return datetime.fromtimestamp(self._call("RESPCACHE", "CLOCK", *words) / 1000, UTC)


class Frozen:
    """Time stands still until the end of the block."""

    def __init__(self, clock: ServerClock) -> None:
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._clock.resume()
        except (OSError, RuntimeError):
            if error is None:
                raise
            # The failure of the block says more: perhaps the server died in it.


class AsyncServerClock:
    """`ServerClock` for trio and asyncio, whose tasks go on meanwhile. A cancellation is held back until it is done."""

    def __init__(self, clock: ServerClock) -> None:
        self._clock = clock

    async def now(self) -> datetime:
        """See `ServerClock`."""
        return await in_thread(self._clock.now)

    async def advance(self, time: float | timedelta) -> datetime:
        """See `ServerClock`."""
        return await in_thread(self._clock.advance, time)

    async def set(self, moment: datetime | float) -> datetime:
        """See `ServerClock`."""
        return await in_thread(self._clock.set, moment)

    def freeze(self) -> AsyncFrozen:
        """Let time stand still, to the end of an ``async with`` block, or, if it is awaited, until `resume`."""
        return AsyncFrozen(self._clock)

    async def resume(self) -> datetime:
        """See `ServerClock`."""
        return await in_thread(self._clock.resume)


class AsyncFrozen:
    """Time stands still until the end of the block, however that ends."""

    def __init__(self, clock: ServerClock) -> None:
        self._clock = clock

    def __await__(self) -> Generator[object, None, None]:
        return self._freeze().__await__()

    async def _freeze(self) -> None:
        await in_thread(self._clock.freeze)

    async def __aenter__(self) -> None:
        try:
            await self._freeze()
        except BaseException:
            # Cancelled when it was frozen already, and nobody would end it. If it failed, so does this.
            await self.__aexit__(*sys.exc_info())
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await in_thread(Frozen(self._clock).__exit__, kind, error, trace)
