"""All sessions: ids, the limit on their number, CLIENT PAUSE, and how CLIENT LIST prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from respcache.commands.table import Flag
from respcache.errors import printable
from respcache.resp.encode import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from respcache.clock import Clock
    from respcache.commands.table import Command
    from respcache.server.session import Session


class Clients:
    """The registry of sessions. Ids are given once and grow."""

    def __init__(self, clock: Clock, on_pause: Callable[[], None]) -> None:
        """`on_pause` is told when a pause begins or ends."""
        self._clock = clock
        self._on_pause = on_pause
        self._sessions: dict[int, Session] = {}
        self._last_id = 0
        self._held: list[Session] = []  # waiting for CLIENT UNPAUSE
        self._paused_until = 0
        self._only_writes = False
        self.pause_changed = trio.Event()
        self.received = 0

    def __len__(self) -> int:
        return len(self._sessions)

    def all(self) -> list[Session]:
        """Every session, the oldest first."""
        return list(self._sessions.values())

    def get(self, client_id: int) -> Session | None:
        return self._sessions.get(client_id)

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def add(self, session: Session) -> None:
        self._sessions[session.id] = session
        self.received += 1

    def remove(self, session: Session) -> None:
        self._sessions.pop(session.id, None)
        if session in self._held:
            self._held.remove(session)

    # -- CLIENT PAUSE

    @property
    def paused(self) -> bool:
        return self._paused_until > 0

    @property
    def held(self) -> Collection[Session]:
        """Those whose next command waits for the end of the pause."""
        return self._held

    @property
    def paused_until(self) -> int:
        return self._paused_until

    def pause(self, until: int, only_writes: bool) -> None:
        """Hold commands back until a time in milliseconds; a pause under way can only become longer and stricter."""
        self._only_writes = only_writes and (self._only_writes or not self.paused)
        self._paused_until = max(until, self._paused_until)
        self._pause_changed()

    def unpause(self) -> None:
        """Let all held commands go, in the order in which they came."""
        self._paused_until = 0
        self._only_writes = False
        self._pause_changed()
        held, self._held = self._held, []
        for session in held:
            session.resume()

    def _pause_changed(self) -> None:
        for session in self._sessions.values():
            session.update_plain()
        self.pause_changed.set()
        self._on_pause()

    def holds_back(self, session: Session, row: Command) -> bool:
        """Whether this command has to wait for the end of the pause: as in Redis, CLIENT UNPAUSE and queueing too."""
        if not self.paused or row.name == "DEBUG":  # which can shift time, and so end the pause
            return False
        if not self._only_writes:
            return True
        if row.name == "EXEC" and session.transaction is not None:
            return any(_writes(queued) for queued, _ in session.transaction.commands)
        return _writes(row)

    def wait_for_unpause(self, session: Session) -> None:
        self._held.append(session)

    async def end_pauses(self) -> None:
        """A task: end each pause when its time is over."""
        while True:
            self.pause_changed = trio.Event()
            if not self.paused:
                await self.pause_changed.wait()
                continue
            left = (self._paused_until - self._clock.now_ms()) / 1000
            if left <= 0:
                self.unpause()
                continue
            with trio.move_on_after(left):
                await self.pause_changed.wait()


def _writes(row: Command) -> bool:
    return bool(row.flags & (Flag.WRITE | Flag.MAY_REPLICATE))


def client_type(session: Session) -> str:
    """What CLIENT LIST TYPE and CLIENT KILL TYPE go by."""
    return "pubsub" if session.subscriptions else "normal"


def describe(session: Session, request: Sequence[bytes] = ()) -> bytes:
    """The line of CLIENT LIST. Figures that have no counterpart here (buffers of the C server) are zero.

    `request` is the command that asks, if it is of this very client: it is in the client's buffers while it runs.
    """
    now = session.server.clock.now_ms()
    transaction = session.transaction or session.executing
    flags = ("P" if session.subscriptions else "") + ("x" if transaction is not None else "")
    flags += "b" if session in session.server.clients.held else ""
    flags += ("e" if session.no_evict else "") + ("T" if not session.touch else "")
    fields = {
        "id": session.id,
        "addr": session.transport.peer,
        "laddr": session.transport.local,
        "fd": getattr(session.transport, "fd", -1),
        "name": printable(session.name),
        "age": (now - session.created) // 1000,
        "idle": (now - session.last_active) // 1000,
        "flags": flags or "N",
        "db": session.db,
        "sub": len(session.channels),
        "psub": len(session.patterns),
        "ssub": len(session.shard_channels),
        "multi": -1 if transaction is None else len(transaction.commands),
        "qbuf": session.buffered + (len(encode(list(request), 2)) if request else 0),
        "qbuf-free": 0,
        "argv-mem": sum(map(len, request)),
        "multi-mem": 0,
        "rbs": 0,
        "rbp": 0,
        "obl": 0,
        "oll": len(session.outbox.slots),
        "omem": session.transport.unsent,
        "tot-mem": session.transport.unsent,
        "events": "r",
        "cmd": session.last_command,
        "user": "default",
        "redir": -1,
        "resp": session.protocol,
        "lib-name": printable(session.library_name),
        "lib-ver": printable(session.library_version),
    }
    line = " ".join(f"{name}={value}" for name, value in fields.items())
    return line.encode("utf-8", "surrogateescape")
