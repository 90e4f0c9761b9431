"""Faults that tests arm: which commands and messages they hit, how often, and what they hold up.

Nothing here knows a client: `respcache.server.clients.injector` asks what is to happen, and does it.

| a fault is | from                                              | until                                       |
|------------|---------------------------------------------------|---------------------------------------------|
| armed      | it is added                                       | it has fired as often as it may, or its time is up |
| over       | then                                              | it is deleted; it hits nothing any more     |

A fault that is deleted lets go of everything that it holds up, as does one whose client leaves.
"""

from __future__ import annotations

from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, NamedTuple, Protocol

from respcache import errors
from respcache.errors import CommandError
from respcache.glob import compile_glob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from respcache.alarms import Alarm

# How many there may be, and the most bytes of a name, a pattern or a text.
MOST, LONGEST = 1000, 1024


class Kind(StrEnum):
    """What a fault does, as its action is spelt."""

    ERROR = "ERROR"
    DELAY = "DELAY"
    CLOSE_BEFORE = "CLOSE BEFORE"
    CLOSE_AFTER = "CLOSE AFTER"
    CUT = "CUT"
    DRIBBLE = "DRIBBLE"
    BLACKHOLE = "BLACKHOLE"
    REFUSE = "REFUSE"
    DROP_SHARD = "DROP-SHARD"
    LOADING = "LOADING"
    READONLY = "READONLY"
    OOM = "OOM"


# States of the server: they refuse what it would refuse in that state, and let other commands pass.
STATES = frozenset((Kind.LOADING, Kind.READONLY, Kind.OOM))


class Action(NamedTuple):
    """What happens when a fault fires."""

    kind: Kind
    text: bytes = b""  # of ERROR
    number: int = 0  # bytes of CUT and DRIBBLE, the shard of DROP-SHARD
    milliseconds: int = 0  # of DELAY, DRIBBLE, LOADING

    def __str__(self) -> str:
        """As it was given."""
        words: dict[Kind, list[object]] = {
            Kind.ERROR: [errors.printable(self.text)],
            Kind.DELAY: [self.milliseconds],
            Kind.CUT: [self.number],
            Kind.DRIBBLE: [self.number, self.milliseconds],
            Kind.DROP_SHARD: [self.number],
            Kind.LOADING: [self.milliseconds],
        }
        return " ".join(map(str, [self.kind, *words.get(self.kind, ())]))


class Filter(NamedTuple):
    """Which commands and messages a fault hits, and which of these make it fire. None: any."""

    command: bytes | None = None  # pattern of the name: ``get``, ``config|*``, ``message``
    key: bytes | None = None  # pattern of one of the keys, or of the channel of a message
    client: bytes | None = None  # pattern of the client's name, its address, or the name of its library
    user: bytes | None = None
    after: int = 0  # hits that pass first
    times: int = 0  # how often it fires; 0 for any number
    probability: float = 1.0
    seed: int = 0  # of the chance; the same seed, the same decisions

    @property
    def names_something(self) -> bool:
        """True if it was given: a fault with one waits for what it names."""
        return self != Filter()


class Subject(NamedTuple):
    """A command or a message that may be hit."""

    command: bytes  # its wire name, in lower case
    keys: Sequence[bytes]
    client: Sequence[bytes]  # what a client's pattern may match
    user: bytes


class Fault:
    """One fault, armed or over."""

    def __init__(self, name: bytes, filters: Filter, action: Action) -> None:
        self.name = name
        self.filters = filters
        self.action = action
        self.matched = 0  # commands and messages that it has hit while it was armed
        self.fired = 0
        self.over = False
        self.deleted = False
        self.ends: Alarm | None = None  # when the time of LOADING is up
        # The number of the last blocking command that began before this was added, see `Waits`.
        self.last_wait = 0
        self._command = _matcher(filters.command and filters.command.replace(b" ", b"|"), ignore_case=True)
        self._key = _matcher(filters.key)
        self._client = _matcher(filters.client)
        self._random = Random(filters.seed)

    def hits(self, subject: Subject) -> bool:
        """Whether the filters match."""
        return (
            self.hits_sender(subject.client, subject.user)
            and self._hits_name(subject.command)
            and (self._key is None or any(map(self._key, subject.keys)))
        )

    def hits_sender(self, client: Iterable[bytes], user: bytes | None) -> bool:
        """Whether the filters match a client, whatever it sends."""
        return (self._client is None or any(map(self._client, filter(None, client)))) and self.filters.user in (
            None,
            user,
        )

    def _hits_name(self, name: bytes) -> bool:
        """A container command stands for its subcommands."""
        matches = self._command
        return matches is None or matches(name) or (b"|" in name and matches(name.partition(b"|")[0]))

    def fires(self) -> bool:
        """Count a hit: whether something is to happen."""
        filters = self.filters
        self.matched += 1
        if self.matched <= filters.after:
            return False
        if filters.probability < 1 and self._random.random() >= filters.probability:
            return False
        self.fired += 1
        if self.fired == filters.times:
            self.over = True
        return True


def _matcher(pattern: bytes | None, *, ignore_case: bool = False) -> Callable[[bytes], bool] | None:
    return None if pattern is None else compile_glob(pattern, ignore_case)


class Holder(Protocol):
    """Something that a fault holds up for a client."""

    fault: Fault

    def release(self) -> None:
        """The fault was deleted: let it go on now."""

    def cancel(self) -> None:
        """The client has left: forget it."""


class Faults:
    """All faults, and all that they hold up.

    on_change: called when what is armed has changed.
    """

    def __init__(self) -> None:
        self._by_name: dict[bytes, Fault] = {}
        self.armed: list[Fault] = []  # in the order in which they were added; REFUSE is not among them
        self.refusing: list[Fault] = []  # those of new connections
        self.on_change: Callable[[], object] = lambda: None
        # Whom a refusing fault has to let in, by local port: see `let_in`.
        self._let_in: set[int] = set()
        self.look_for_passes: Callable[[], object] = lambda: None  # called before a connection is refused
        self._held: dict[object, dict[Holder, None]] = {}  # by client, the oldest first

    def __len__(self) -> int:
        return len(self._by_name)

    def all(self) -> list[Fault]:
        """Armed or over, in the order in which they were added."""
        return list(self._by_name.values())

    # -- the table

    def check(self, name: bytes) -> None:
        """Raises CommandError if no fault of this name can be added."""
        if name in self._by_name:
            raise errors.fault_exists(name)
        if len(self._by_name) >= MOST:
            raise CommandError(errors.TOO_MANY_FAULTS)

    def add(self, fault: Fault) -> None:
        """`check` has let it pass."""
        self._by_name[fault.name] = fault
        self.update()

    def delete(self, name: bytes) -> bool:
        """Remove a fault, and let go of what it holds up. False if there is none of this name."""
        fault = self._by_name.pop(name, None)
        if fault is not None:
            self._end([fault])
        return fault is not None

    def clear(self) -> int:
        """Remove all; how many there were."""
        faults = self.all()
        self._by_name.clear()
        self._end(faults)
        return len(faults)

    def end(self, fault: Fault) -> None:
        """Its time is up. What it holds up is not let go."""
        fault.over = True
        self.update()

    def _end(self, faults: list[Fault]) -> None:
        for fault in faults:
            fault.over = fault.deleted = True
            if fault.ends is not None:
                fault.ends.cancel()
        self.update()  # first: what goes on now is not hit again
        held = [holder for holders in self._held.values() for holder in holders if holder.fault.deleted]
        for holder in held:
            holder.release()

    def update(self) -> None:
        """To be called when a fault may have become over."""
        live = [fault for fault in self._by_name.values() if not fault.over]
        self.armed = [fault for fault in live if fault.action.kind is not Kind.REFUSE]
        self.refusing = [fault for fault in live if fault.action.kind is Kind.REFUSE]
        if not self.refusing:
            self._let_in.clear()
        self.on_change()

    # -- connections

    def refuses(self, peer: str) -> bool:
        """Whether a connection that was just accepted is to be closed at once."""
        if not self.refusing:
            return False
        self.look_for_passes()
        port = peer.rpartition(":")[2]
        if port.isdigit() and int(port) in self._let_in:
            self._let_in.discard(int(port))
            return False
        for fault in self.refusing:
            if fault.hits_sender((peer.encode("utf-8", "surrogateescape"),), None) and fault.fires():
                if fault.over:
                    self.update()
                return True
        return False

    def let_in(self, port: int) -> None:
        """The process that owns this server connects from this port, perhaps to end what refuses connections."""
        if self.refusing:
            self._let_in.add(port)

    # -- what is held up

    def hold(self, client: object, holder: Holder) -> None:
        """Remember it until `let_go`, or until the client leaves."""
        self._held.setdefault(client, {})[holder] = None

    def let_go(self, client: object, holder: Holder) -> None:
        """It is held up no more."""
        holders = self._held.get(client)
        if holders is not None and holder in holders:
            del holders[holder]
            if not holders:
                del self._held[client]

    def forget(self, client: object) -> None:
        """This client has left."""
        for holder in self._held.pop(client, ()):
            holder.cancel()
