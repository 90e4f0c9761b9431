"""The journal of a server, for tests: `server.journal()` and `server.async_journal()`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from respcache.testing.call import Call
from respcache.testing.calls import Calls
from respcache.testing.control import fields_of
from respcache.testing.session import session
from respcache.testing.threads import in_thread

if TYPE_CHECKING:
    from types import TracebackType

    from respcache.testing.control import Caller

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STOPPED = "the journal was stopped within its block, by a reset of the server or by RESPCACHE JOURNAL STOP"


class Recording:
    """A journal from its beginning to its end, and the `Source` of its calls.

    Journals may be within each other: the outer one goes on when the inner one ends.
    Errors of all methods: RuntimeError if the server refuses, ConnectionError if it died.
    """

    def __init__(self, call: Caller, address: str, most: int | None) -> None:
        self.address = address
        self.missing = 0
        self._call = call
        self._most = most
        self._calls: dict[int, Call] = {}  # that were read, by id
        self._since = 0  # what comes after this id was not read
        self._within = False  # another journal was there before
        self.open = False

    def begin(self) -> None:
        """From now on calls are recorded."""
        limit = () if self._most is None else ("MAX", self._most)
        state = fields_of(self._call("RESPCACHE", "JOURNAL", "START", *limit))
        self._within = bool(state["was-running"])
        self._since = state["last-id"]
        self.open = True

    def end(self) -> None:
        """Read what is left, and let the server go on as before."""
        self.open = False
        if self._within:
            self._fetch()
            return
        state = fields_of(self._call("RESPCACHE", "JOURNAL", "STOP"))
        self._fetch()
        if not state["was-running"]:
            raise RuntimeError(f"{_STOPPED}: later calls are not in it")

    def read(self) -> list[Call]:
        """See `Source`."""
        if self.open:
            self._fetch()
        return list(self._calls.values())

    def _fetch(self) -> None:
        # Those that had no reply yet may have one now.
        since = next((id - 1 for id, call in self._calls.items() if call.microseconds is None), self._since)
        while records := self._call("RESPCACHE", "JOURNAL", "READ", "SINCE", since):
            for record in records:
                call = _call(record)
                self._calls[call.id] = call
                if call.id > self._since:
                    self.missing += call.id - self._since - 1
                    self._since = call.id
                since = call.id


class Journal:
    """A context manager that gives the `Calls` within its block. They can be looked at within it, too."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def __enter__(self) -> Calls:
        self._recording.begin()
        return Calls(self._recording)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._recording.end()
        except (OSError, RuntimeError):
            if error is None:
                raise


class AsyncCalls(Calls):
    """`Calls` of an `async with` block: there at its end; within it, as of the last `await calls.update()`."""

    def __init__(self, recording: Recording) -> None:
        self._snapshot = _Snapshot(recording)
        super().__init__(self._snapshot)

    async def update(self) -> None:
        """Read what was called up to now."""
        await in_thread(self._snapshot.update)


class _Snapshot:
    """A `Source` that reads from the server only when it is told to."""

    def __init__(self, recording: Recording) -> None:
        self.address = recording.address
        self._recording = recording
        self._calls: list[Call] | None = None
        self.missing = 0

    def update(self) -> None:
        self._calls = list(self._recording.read())
        self.missing = self._recording.missing

    def read(self) -> list[Call]:
        if self._calls is None:
            raise RuntimeError("within the block, `await calls.update()` first")
        return self._calls


class AsyncJournal:
    """`Journal` for trio and asyncio, whose tasks go on meanwhile."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    async def __aenter__(self) -> AsyncCalls:
        """A cancellation takes effect when the journal has begun; it is ended then."""
        try:
            await in_thread(self._recording.begin)
        except BaseException:
            if self._recording.open:
                await in_thread(self._recording.end)
            raise
        self._calls = AsyncCalls(self._recording)
        return self._calls

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await in_thread(self._recording.end)
            await self._calls.update()
        except (OSError, RuntimeError):
            if error is None:
                raise


def latest_calls(call: Caller, address: str, count: int) -> str:
    """The last calls of the journal as a session of redis-cli; empty if there are none. It takes one command.

    For whoever shows a test that has failed: the journal goes on, and nothing in it is changed.
    Errors: as those of a `Recording`.
    """
    calls = list(map(_call, call("RESPCACHE", "JOURNAL", "READ", "LAST", count + 1)))
    earlier = "... earlier calls ...\n" if len(calls) > count else ""
    return earlier + session(calls[-count:], address)


def _call(record: list[Any]) -> Call:
    fields = fields_of(record)
    cut = fields["cut-words"]
    return Call(
        id=fields["id"],
        words=tuple(map(_text, fields["words"])),
        client=fields["client"],
        client_name=_text(fields["name"]),
        db=fields["db"],
        round_trip=fields["round-trip"],
        kind=_text(fields["reply-kind"]),
        reply=_text(fields["reply"]),
        reply_size=fields["reply-size"],
        microseconds=fields["microseconds"],
        time=_moment(fields["time"]),
        real_time=_moment(fields["real-time"]),
        word_count=fields["word-count"],
        sizes=dict(zip(cut[::2], cut[1::2], strict=True)),
    )


def _text(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
