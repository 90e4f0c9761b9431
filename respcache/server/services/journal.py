"""The journal: which commands clients have sent, what kind of reply each got, and after how long. For tests.

It is a ring: the oldest records make room, both by number and by bytes, so a journal that nobody reads stays small.
A record holds copies of words, shortened, and nothing else: no client, no batch, no reply lives longer for it.

What is recorded is what a client sends: refused commands, commands that wait (one record, with the whole time), those
that MULTI queues (the reply is QUEUED) and EXEC (with the reply of all), scripts (the call, not what they call).
Passwords never come in.

**Round trips.** A client sends something, waits until it has all replies, and sends more: each time is a round trip,
however many commands it is. A large pipeline arrives in many pieces, and its first replies leave before its last
commands come, so neither pieces nor replies can be counted. But a client that has sent more before it could have all
replies did not wait for them. So a round trip is over only if, just before the last reply that is owed leaves, nothing
more has come: nothing that was kept, no half of a command, nothing in the kernel.

| a round trip is | from                                                            | its next command begins another |
|-----------------|-----------------------------------------------------------------|---------------------------------|
| unanswered      | its first command, or one that had come before it could be over | no                              |
| answered        | some reply was sent, others are owed, or held back by a fault   | if nothing is owed any more     |
| going on        | the last reply was sent, but more had come                      | no                              |
| over            | the last reply was sent, and nothing had come                   | yes                             |

That leaves clients that are slow between two pieces: redis-py sends a pipeline in pieces of some more than 6000 bytes,
each of whole commands, and the system may run us, not the client, as soon as it has sent the first. So after that many
bytes the last reply is held back for a moment, during which the client may send on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from respcache.server.services.secret_words import redacted
from respcache.system import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.clock import Clock
    from respcache.commands.table import Command
    from respcache.errors import CommandError
    from respcache.resp.types import Argv
    from respcache.server.io.poller import Poller

# Records that are kept if the caller does not say how many, and the most that may be asked for.
DEFAULT = 10_000
MOST = 1_000_000
# Bytes of all records.
_BYTES = 32 << 20
# Bytes of a word (or of a client's name), of all words of a record, and of a reply, that are kept.
_WORD = 512
_WORDS = 64 << 10
_REPLY = 128
# What Python takes for a record, and for a word, besides the bytes.
_PER_RECORD, _PER_WORD = 700, 40
# Bytes of records that are read at once.
_PORTION = 1 << 20

# After how many bytes of a round trip the last reply is held back: somewhat fewer than redis-py's 6000, as what RESP
# adds to each command and each word is only known roughly.
_PIECE, _FRAMING = 5000, 6
# For how many seconds of real time. On a busy machine longer: the client has to get its turn.
_HOLD, _LONGEST_HOLD = 0.005, 0.25

# What a round trip is, see above; OVER also where there was none yet.
OVER, UNANSWERED, ANSWERED, GOING_ON = range(4)

# By the first byte of a reply.
_KINDS = {
    b"+": "status",
    b"-": "error",
    b":": "integer",
    b"$": "string",
    b"*": "array",
    b"_": "null",
    b"%": "map",
    b"~": "set",
    b",": "double",
    b"#": "boolean",
    b"(": "big-number",
    b"=": "verbatim",
    b">": "push",
}
_NULLS = (b"$-1\r\n", b"*-1\r\n")


class Record:
    """One command. Times are microseconds."""

    __slots__ = (
        "bytes",
        "client",
        "cut",
        "db",
        "id",
        "kind",
        "microseconds",
        "name",
        "real_time",
        "reply",
        "round_trip",
        "size",
        "time",
        "word_count",
        "words",
    )

    def __init__(self, id: int, client: Any, argv: Argv, clock: Clock) -> None:
        self.id = id
        self.time = clock.now_us()  # the server's, which tests may move
        self.real_time = clock.wall_us()
        self.client: int = client.id
        self.name: bytes = client.name[:_WORD]
        self.db: int = client.db
        self.round_trip: int = client.round_trip  # of this client; they count from 1
        self.word_count = len(argv)
        # As many as are kept, each as far as it is kept; and where it is not whole, its index and its true size.
        self.words, self.cut = _kept(redacted(argv))
        self.bytes = _PER_RECORD + len(self.name) + sum(map(len, self.words)) + _PER_WORD * len(self.words)
        self.kind = "none"  # no reply was sent, or not yet
        self.reply = b""  # its first line, or the beginning of a string
        self.size = 0  # bytes of the reply, on the wire
        self.microseconds: int | None = None  # from here to the reply, by a clock that tests do not move

    def fields(self) -> dict[bytes, Any]:
        """As RESPCACHE JOURNAL READ shows it."""
        return {
            b"id": self.id,
            b"time": self.time,
            b"real-time": self.real_time,
            b"client": self.client,
            b"name": self.name,
            b"db": self.db,
            b"round-trip": self.round_trip,
            b"words": self.words,
            b"word-count": self.word_count,
            b"cut-words": self.cut,
            b"reply-kind": self.kind.encode(),
            b"reply": self.reply,
            b"reply-size": self.size,
            b"microseconds": self.microseconds,
        }


class _Reply:
    """The `Tap` of one command. Only its batch holds it."""

    __slots__ = ("_begin", "_client", "_journal", "_record")

    def __init__(self, journal: Journal, record: Record, client: Any) -> None:
        self._journal = journal
        self._record = record
        self._client = client
        self._begin = journal.clock.monotonic_us()

    def output(self, data: bytes, complete: bool) -> bytes:
        record = self._record
        if data:
            if not record.size:
                record.kind, record.reply = _head(data)
            record.size += len(data)
        if complete:
            record.microseconds = self._journal.clock.monotonic_us() - self._begin
            if record.size:  # a client whose replies are off waits for none
                return self._journal.answered(self._client, data)
        return data


class Journal:
    """An `Interceptor`, the last of all: so it sees what others have made of replies.

    on_change: called when `active` has changed.
    spawn: runs an async function in a task that ends with the server.
    """

    def __init__(
        self, clock: Clock, poller: Poller, on_change: Callable[[], object], spawn: Callable[..., None]
    ) -> None:
        self.active = False
        self.clock = clock
        self.most = DEFAULT  # records that are kept
        self.dropped = 0  # records that had to make room, since it was empty
        self.last = 0  # id of the latest record there has been
        self._poller = poller
        self._on_change = on_change
        self._spawn = spawn
        self._records: dict[int, Record] = {}  # by id, the oldest first; ids have no gaps
        self._bytes = 0  # of these
        self._held: dict[int, Callable[[], object]] = {}  # by client: sends its last reply, which is held back

    @property
    def first(self) -> int:
        """The id of the oldest record; if there is none, that of the next one."""
        return self.last - len(self._records) + 1

    def start(self, most: int | None = None) -> None:
        """Record from now on. `most`: how many records are kept; None leaves that as it is."""
        if most is not None:
            self.most = most
            self._make_room()
        self._set_active(True)

    def stop(self) -> None:
        """Record nothing more. What is there can still be read."""
        self._set_active(False)

    def clear(self) -> None:
        """Forget all records. Ids go on, so what a reader has seen does not come again."""
        self._records = {}
        self._bytes = 0
        self.dropped = 0

    def reset(self) -> None:
        """RESPCACHE RESET."""
        self.stop()
        self.clear()
        self.most = DEFAULT

    def read(self, since: int, count: int) -> list[Record]:
        """The oldest records after the one with the id `since`: some of them, if they are many."""
        found: list[Record] = []
        room = _PORTION
        for id in range(max(since + 1, self.first), self.last + 1):
            record = self._records[id]
            room -= record.bytes
            if len(found) == count or (found and room < 0):
                break
            found.append(record)
        return found

    # -- the interceptor

    def command(self, client: Any, row: Command | None, argv: Argv, refusal: CommandError | None) -> _Reply | None:  # noqa: ARG002 - the reply tells of a refusal
        """See `Interceptor`."""
        self._release(client.id)
        state = client.round_trip_state
        if state == OVER or (state == ANSWERED and not client.outbox.slots):
            client.round_trip += 1
            client.round_trip_bytes = 0
        client.round_trip_state = UNANSWERED
        client.round_trip_bytes += sum(map(len, argv)) + _FRAMING * (len(argv) + 1)
        self.last += 1
        record = self._records[self.last] = Record(self.last, client, argv, self.clock)
        self._bytes += record.bytes
        self._make_room()
        return _Reply(self, record, client)

    def message(self, client: Any, data: bytes) -> None:
        """See `Interceptor`. Messages are not recorded."""

    # -- round trips

    def answered(self, client: Any, data: bytes) -> bytes:
        """A reply is complete, and its last bytes are about to be sent: those that are sent now."""
        if client.outbox.slots:
            client.round_trip_state = ANSWERED
        elif client.input.has_more():
            client.round_trip_state = GOING_ON
        elif client.round_trip_bytes <= _PIECE or client.closing or client.input.ended:
            client.round_trip_state = OVER
        else:
            release = self._held[client.id] = client.outbox.hold(data)
            self._spawn(self._hold, client, release)
            return b""
        return data

    async def _hold(self, client: Any, release: Callable[[], object]) -> None:
        """A task: give a client the time to send more; it may have done so before this begins.

        `release` sends the reply that is held back. Cancelled only when the server ends.
        """
        await trio.sleep(_patience())
        if self._held.get(client.id) is release:  # else it has sent more
            with self._poller.round():
                client.round_trip_state = GOING_ON if client.input.has_more() else OVER
                self._release(client.id)

    def _release(self, client: int) -> None:
        """Send what is held back of a client, if anything is."""
        release = self._held.pop(client, None)
        if release is not None:
            release()

    def _make_room(self) -> None:
        while len(self._records) > self.most or self._bytes > _BYTES:
            self._bytes -= self._records.pop(self.first).bytes
            self.dropped += 1

    def _set_active(self, active: bool) -> None:
        if active is not self.active:
            self.active = active
            self._on_change()


def _patience() -> float:
    """For how many seconds a reply is held back."""
    return min(_HOLD * max(1.0, load()), _LONGEST_HOLD)


def _kept(argv: Argv) -> tuple[list[bytes], list[int]]:
    """The words that are kept, and index and true size of those that are shortened, one after the other."""
    words: list[bytes] = []
    cut: list[int] = []
    room = _WORDS
    for at, word in enumerate(argv):
        if room <= 0:
            break
        size = len(word)
        if size > _WORD:
            word = word[:_WORD]
            cut += (at, size)
        words.append(word)
        room -= len(word) + _PER_WORD
    return words, cut


def _head(data: bytes) -> tuple[str, bytes]:
    """The kind of a reply, and what is shown of it: a line, or the beginning of a string."""
    if data.startswith(_NULLS):
        return "null", b""
    kind = _KINDS.get(data[:1], "none")
    end = data.find(b"\r\n", 0, _REPLY)
    if end < 0:
        return kind, data[1:_REPLY]
    if kind not in ("string", "verbatim"):
        return kind, data[1:end]
    size = int(data[1:end])
    begin = end + 2
    text = data[begin : begin + min(size, _REPLY)]
    return kind, text[4:] if kind == "verbatim" else text
