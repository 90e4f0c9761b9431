"""Snapshots of a server, for tests: `server.snapshots`."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from respcache.testing.control import fields_of
from respcache.testing.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from respcache.testing.control import Caller


class Snapshot(NamedTuple):
    """A snapshot, as `ServerSnapshots.list` shows it.

    name: as it was taken; bytes that are no UTF-8 are surrogates.
    time: of the server's clock, when it was taken.
    keys: how many there were in all databases.
    size: bytes that it would take alone, about. In fact snapshots share what they have in common.
    lost: it cannot be restored any more, since a shard process has died.
    """

    name: str
    time: datetime
    keys: int
    size: int
    lost: bool


class ServerSnapshots:
    """The state of the whole server, kept and restored: prepare it once, and let each test start from it.

    Restoring takes about a millisecond, however many keys there are, plus a little for each key that has changed.
    Snapshots are in the server's memory. `Server.reset` leaves them alone. Errors: RuntimeError if the server refuses,
    ConnectionError if it died.
    """

    def __init__(self, call: Caller) -> None:
        self._call = call

    def take(self, name: str) -> None:
        """Keep everything as it is now: keys, TTLs, scripts, functions, settings, the time.

        It replaces a snapshot of the same name. Errors: RuntimeError also if that would take too much memory.
        """
        self._call("RESPCACHE", "SNAPSHOT", name)

    def restore(self, name: str, *, config: bool = False, clock: bool = False) -> None:
        """Put keys, scripts and functions back as they were. Connections stay.

        Keys have as much time left as they had.
        config: what CONFIG SET has changed is put back, too.
        clock: the time is put back, too; a clock that was frozen is frozen again.
        Errors: RuntimeError also if there is no such snapshot, or it was lost; nothing has changed then.
        """
        words = ["CONFIG"] * config + ["CLOCK"] * clock
        self._call("RESPCACHE", "RESTORE", name, *words)

    def list(self) -> list[Snapshot]:
        """All snapshots, the oldest first."""
        found = []
        for row in self._call("RESPCACHE", "SNAPSHOTS"):
            fields = fields_of(row)
            time = datetime.fromtimestamp(fields["time"] / 1000, UTC)
            name = fields["name"].decode("utf-8", "surrogateescape")
            found.append(Snapshot(name, time, fields["keys"], fields["bytes"], bool(fields["lost"])))
        return found

    def drop(self, name: str) -> None:
        """Forget a snapshot, which frees its memory. Errors: RuntimeError also if there is none."""
        self._call("RESPCACHE", "DROP", name)

    @contextmanager
    def rollback(self, *, config: bool = False, clock: bool = False) -> Iterator[None]:
        """Undo at the end of a `with` block what happened in it. The options are those of `restore`."""
        name = _unique()
        self.take(name)
        try:
            yield
        finally:
            self._restore_and_drop(name, config=config, clock=clock)

    def _restore_and_drop(self, name: str, *, config: bool, clock: bool) -> None:
        try:
            self.restore(name, config=config, clock=clock)
        finally:
            self.drop(name)


class AsyncServerSnapshots:
    """`ServerSnapshots` for trio and asyncio, whose tasks go on meanwhile."""

    def __init__(self, snapshots: ServerSnapshots) -> None:
        self._snapshots = snapshots

    async def take(self, name: str) -> None:
        """See `ServerSnapshots.take`."""
        await in_thread(self._snapshots.take, name)

    async def restore(self, name: str, *, config: bool = False, clock: bool = False) -> None:
        """See `ServerSnapshots.restore`."""
        await in_thread(self._snapshots.restore, name, config=config, clock=clock)

    async def list(self) -> list[Snapshot]:
        """See `ServerSnapshots.list`."""
        return await in_thread(self._snapshots.list)

    async def drop(self, name: str) -> None:
        """See `ServerSnapshots.drop`."""
        await in_thread(self._snapshots.drop, name)

    @asynccontextmanager
    async def rollback(self, *, config: bool = False, clock: bool = False) -> AsyncIterator[None]:
        """Undo at the end of an ``async with`` block what happened in it.

        A cancellation takes effect when the snapshot is taken, or restored; it is dropped then.
        """
        name = _unique()
        try:
            await self.take(name)
        except BaseException:
            with suppress(OSError, RuntimeError):  # it was not taken
                await self.drop(name)
            raise
        try:
            yield
        finally:
            await in_thread(self._snapshots._restore_and_drop, name, config=config, clock=clock)


def _unique() -> str:
    return f"rollback-{os.urandom(8).hex()}"
