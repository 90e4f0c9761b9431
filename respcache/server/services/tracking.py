"""Client-side caching: which clients track what, and how they are told that keys have changed.

The shards remember who has read what (`respcache.store.tracking`), and report what has changed. Here it is decided who
is told, and where: in RESP3 by a push; a client may have its messages redirected to another one, which gets them as
messages of ``__redis__:invalidate`` if it speaks RESP2 and is subscribed to anything. All of it is as in Redis 7.2's
`tracking.c`, and so are the moments:

* Clients are told in the order of the changes, after the replies that they had asked for before, also if somebody else
  gets the message. Of what an EXEC changes on several shards, that is the order within each shard. What a command of
  their own has changed comes right after its reply.
* What changes below a prefix (BCAST) is collected, and told at the end of the round.
* FLUSHALL and its like are told once, as no key at all, when they take their place in the order: what was read before
  comes before the message, and what is read after it is read from empty databases.

Shards are told of clients and prefixes in the order of the commands.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import trio

from respcache.resp.encode import encode
from respcache.resp.types import Push
from respcache.shard import wire
from respcache.store.tracking import Prefixes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from respcache.server.services.pubsub import Subscriptions
    from respcache.shard.wire import Item
    from respcache.store.reports import Report

CHANNEL = b"__redis__:invalidate"


class Mode:
    """What a client has asked for by CLIENT TRACKING."""

    __slots__ = ("bcast", "broken", "caching", "noloop", "optin", "optout", "prefixes", "redirect", "told")

    def __init__(self) -> None:
        self.redirect = 0  # the id of the client that gets the messages; 0: this one
        self.bcast = False  # it is told of changes of all keys, or of those with `prefixes`, read or not
        self.optin = False  # its reads count only after CLIENT CACHING YES
        self.optout = False  # they do not after CLIENT CACHING NO
        self.noloop = False  # it is not told of its own changes
        self.caching = False  # CLIENT CACHING was sent: for the next command
        self.told: Sequence[int] = ()  # the shards that were told so
        self.broken = False  # the client that gets the messages has gone
        self.prefixes: set[bytes] = set()

    @property
    def reads(self) -> bool:
        """What the client reads is remembered, unless CLIENT CACHING says something else."""
        return not self.bcast and not self.optin


class Namespace(Protocol):
    """What clients have in common that see each other."""

    number: int


class Tracker(Protocol):
    """A client that tracks, or that gets messages of one."""

    tracking: Mode | None
    subscriptions: Subscriptions

    @property
    def id(self) -> int:
        """By which shards know it."""

    @property
    def protocol(self) -> int:
        """2 or 3."""

    @property
    def namespace(self) -> Namespace:
        """Where it is."""

    @property
    def within_exec(self) -> bool:
        """True while it carries out a transaction under a barrier."""

    def relay(self, send: Callable[[], None], size: int) -> None:
        """Call `send` once all replies that are under way were sent. It keeps so many bytes until then."""

    def invalidate(self, messages: list[bytes], own: bool, after: object) -> None:
        """Send these, in their place among the replies. With `own` the client's own command has changed the keys: they
        go after its reply, which is the one that is being made up (`after`) if that is known.
        """


class _Listened:
    """Who listens to one prefix, and what has changed there in this round."""

    __slots__ = ("changed", "trackers")

    def __init__(self) -> None:
        self.trackers: dict[Tracker, None] = {}
        # Keys, each with the client that has changed it last; 0 for none.
        self.changed: dict[bytes, int] = {}


class _Listeners:
    """The prefixes of one namespace."""

    __slots__ = ("by_prefix", "prefixes")

    def __init__(self) -> None:
        self.prefixes = Prefixes()
        self.by_prefix: dict[bytes, _Listened] = {}


class Tracking:
    """All clients that track.

    shards: how many there are.
    tell: gives shards (all, or some) an item in its place in the order, or, within EXEC, in place of it.
    find: the client with an id.
    limit: sees to the size of the table.
    answering: the reply that is being made up from what a shard reports, for `Tracker.invalidate`; None if there is no
        certain one.
    """

    def __init__(
        self,
        shards: int,
        tell: Callable[[Item, Iterable[int], bool], None],
        find: Callable[[int], Tracker | None],
        answering: Callable[[], object],
        limit: TableLimit,
    ) -> None:
        self.limit = limit
        self._shards = range(shards)
        self._tell = tell
        self._find = find
        self._answering = answering
        # Those that track, by id; and the ids of all that are connected and have read anything while they did.
        self.trackers: dict[int, Tracker] = {}
        self._have_read: set[int] = set()
        # Whose reads shards remember, except for one command after CLIENT CACHING.
        self._readers: set[int] = set()
        # By namespace: those in BCAST mode. And whether any of their keys has changed in this round.
        self._listeners: dict[int, _Listeners] = {}
        self.pending = False

    # -- what clients ask for. `Mode` is checked before.

    def enable(self, tracker: Tracker, mode: Mode) -> None:
        """CLIENT TRACKING ON, with these options. Prefixes are added to those that there are."""
        old = tracker.tracking
        if old is not None:
            mode.caching, mode.told = old.caching, old.told
            mode.prefixes |= old.prefixes
        tracker.tracking = mode
        passing = tracker.within_exec
        self.trackers[tracker.id] = tracker
        if not mode.bcast:
            self._have_read.add(tracker.id)
        if mode.reads is not (tracker.id in self._readers):
            (self._readers.add if mode.reads else self._readers.discard)(tracker.id)
            self._tell(wire.reader(tracker.id, mode.reads), self._shards, passing)
        for prefix in sorted(mode.prefixes):
            self._listen(tracker, prefix)

    def disable(self, tracker: Tracker) -> None:
        """CLIENT TRACKING OFF, RESET, another namespace."""
        mode, tracker.tracking = tracker.tracking, None
        if mode is None:
            return
        if tracker.id in self._readers or mode.told:
            self._readers.discard(tracker.id)
            self._tell(wire.reader(tracker.id, False), self._shards, tracker.within_exec)
        for prefix in mode.prefixes:
            self._leave(tracker, prefix)
        del self.trackers[tracker.id]

    def forget(self, tracker: Tracker) -> None:
        """A client has left."""
        self.disable(tracker)
        if tracker.id in self._have_read:
            self._have_read.discard(tracker.id)
            if not self._have_read:
                self._tell(wire.forget_reads(), self._shards, False)

    def _listen(self, tracker: Tracker, prefix: bytes) -> None:
        number = tracker.namespace.number
        listeners = self._listeners.setdefault(number, _Listeners())
        if prefix not in listeners.by_prefix:
            listeners.by_prefix[prefix] = _Listened()
            listeners.prefixes.add(prefix)
            self._tell(wire.listen(number, prefix, True), self._shards, tracker.within_exec)
        listeners.by_prefix[prefix].trackers[tracker] = None

    def _leave(self, tracker: Tracker, prefix: bytes) -> None:
        number = tracker.namespace.number
        listeners = self._listeners[number]
        trackers = listeners.by_prefix[prefix].trackers
        del trackers[tracker]
        if not trackers:
            del listeners.by_prefix[prefix]
            listeners.prefixes.discard(prefix)
            self._tell(wire.listen(number, prefix, False), self._shards, tracker.within_exec)
            if not listeners.by_prefix:
                del self._listeners[number]

    # -- CLIENT CACHING

    def cache_next(self, tracker: Tracker) -> None:
        """CLIENT CACHING, YES or NO as the mode demands. Within EXEC it counts at once."""
        mode = tracker.tracking
        assert mode is not None
        mode.caching = True
        if tracker.within_exec:
            self.begin_command(tracker, self._shards)

    def begin_command(self, tracker: Tracker, shards: Sequence[int]) -> None:
        """The command that CLIENT CACHING was sent for is about to take its place in the order of these shards."""
        mode = tracker.tracking
        if mode is not None and shards and (mode.optin or mode.optout):
            mode.told = shards
            self._tell(wire.reader(tracker.id, not mode.reads), shards, tracker.within_exec)

    def end_command(self, tracker: Tracker) -> None:
        """A command has taken its place, or is done if it had to wait: what CLIENT CACHING has said is over."""
        mode = tracker.tracking
        if mode is not None and mode.caching:
            mode.caching = False
            told, mode.told = mode.told, ()
            if told:
                self._tell(wire.reader(tracker.id, mode.reads), told, False)

    # -- what shards report; see `respcache.shard.wire`

    def invalidated(self, report: Report) -> None:
        """INVALIDATED."""
        _, _, namespace, readers, listened, client, own, keys = report
        for reader in readers:
            tracker = self.trackers.get(reader)
            if tracker is None or tracker.namespace.number != namespace:
                continue
            mode = tracker.tracking
            assert mode is not None
            # As in Redis, that goes also for what expires, or is done by a script.
            if not mode.bcast and not (mode.noloop and reader == client):
                self._send(tracker, [[key] for key in keys], client, own=own)
        listeners = self._listeners.get(namespace) if listened else None
        if listeners is not None:
            for key in keys:
                for prefix in listeners.prefixes.of(key):
                    listeners.by_prefix[prefix].changed[key] = client if own else 0
                    self.pending = True

    def flushed_by_script(self, report: Report) -> None:
        """FLUSHED."""
        _, _, namespace, client = report
        self.flushed(namespace, client)

    # -- everything at once

    def shard_died(self) -> None:
        """What it had remembered is gone: nobody knows what has changed."""
        for number in {tracker.namespace.number for tracker in self.trackers.values()}:
            self.flushed(number, 0)
        self.limit.look()  # its successor does not know its quota

    def flushed(self, namespace: int, client: int) -> None:
        """Tell everybody in a namespace that whatever they have may change at this place in the order."""
        for tracker in [*self.trackers.values()]:
            if tracker.namespace.number == namespace and tracker.tracking is not None:
                self._send(tracker, [None], client)

    # -- sending

    def broadcast(self) -> None:
        """The end of a round: tell those who listen to prefixes what has changed there."""
        self.pending = False
        for listeners in [*self._listeners.values()]:
            for prefix in sorted(prefix for prefix, listened in listeners.by_prefix.items() if listened.changed):
                listened = listeners.by_prefix.get(prefix)
                if listened is not None:  # else the last one that listened was just cut off
                    changed, listened.changed = listened.changed, {}
                    self._broadcast_keys([*listened.trackers], changed)

    def _broadcast_keys(self, trackers: list[Tracker], changed: dict[bytes, int]) -> None:
        keys = sorted(changed)
        encoded: dict[int, list[bytes]] = {}  # by protocol: one encoding serves all
        for tracker in trackers:
            mode = tracker.tracking
            if mode is None:
                continue  # it was cut off while others were told
            if mode.noloop:
                others = [key for key in keys if changed[key] != tracker.id]
                if others:
                    self._send(tracker, [others], 0)
            else:
                self._send(tracker, [keys], 0, encoded=encoded)

    def _send(
        self,
        tracker: Tracker,
        values: Sequence[list[bytes] | None],
        client: int,
        *,
        own: bool = True,
        encoded: dict[int, list[bytes]] | None = None,
    ) -> None:
        """One message for each of these: keys, or None for all keys. They were changed by a command of `client`, or
        while it ran if it is not its `own` change.
        """
        mode = tracker.tracking
        assert mode is not None
        receiver = tracker
        if mode.redirect:
            other = self._find(mode.redirect)
            if other is None or other.namespace is not tracker.namespace:
                mode.broken = True
                if tracker.protocol == 3:
                    line = encode(Push([b"tracking-redir-broken", mode.redirect]), 3)
                    self._deliver(tracker, tracker, [line] * len(values), client, own)
                return
            receiver = other
            if receiver.protocol == 2 and not len(receiver.subscriptions):
                return
        elif tracker.protocol == 2:
            return
        messages = None if encoded is None else encoded.get(receiver.protocol)
        if messages is None:
            messages = [_message(value, receiver.protocol) for value in values]
            if encoded is not None:
                encoded[receiver.protocol] = messages
        self._deliver(tracker, receiver, messages, client, own)

    def _deliver(self, tracker: Tracker, receiver: Tracker, messages: list[bytes], client: int, own: bool) -> None:
        itself = receiver.id == client
        send = partial(receiver.invalidate, messages, own and itself, self._answering() if itself else None)
        if receiver is tracker:
            send()
        else:
            tracker.relay(send, sum(map(len, messages)))

    # -- for shards that start, and for INFO

    def settings(self) -> tuple[list[int], list[tuple[int, bytes]]]:
        """What a new shard has to know: the readers, and the prefixes with their namespaces."""
        prefixes = [(number, prefix) for number, each in self._listeners.items() for prefix in each.by_prefix]
        return [*self._readers], prefixes

    def clients(self, namespace: Namespace | None) -> int:
        """How many clients track, everywhere or in a namespace."""
        if namespace is None:
            return len(self.trackers)
        return sum(tracker.namespace is namespace for tracker in self.trackers.values())

    def prefixes(self, namespace: Namespace) -> int:
        """How many prefixes clients of a namespace listen to."""
        listeners = self._listeners.get(namespace.number)
        return 0 if listeners is None else len(listeners.by_prefix)


# How messages begin, by protocol. They are put together here as there may be very many of them.
_HEADS = {3: b">2\r\n$10\r\ninvalidate\r\n", 2: b"*3\r\n$7\r\nmessage\r\n$%d\r\n%b\r\n" % (len(CHANNEL), CHANNEL)}


def _message(keys: list[bytes] | None, protocol: int) -> bytes:
    """What a client is told: these keys have changed, or any of all."""
    if keys is None:
        return _HEADS[protocol] + encode(None, protocol)
    listed = b"".join([b"$%d\r\n%b\r\n" % (len(key), key) for key in keys])
    return b"%b*%d\r\n%b" % (_HEADS[protocol], len(keys), listed)


class TableLimit:
    """Keeps what all shards remember together within ``tracking-table-max-keys``.

    Each shard keeps to that number by itself. With several of them, one that has more than its quota says so; all are
    asked then, and if they have too many, as many are forgotten, by chance and in steps. What is left of the limit is
    shared out then: the quotas make up no more than the limit.

    limit: the directive.
    allow: gives a shard its quota.
    ask: has a shard forget so many keys; calls back with how many it has then.
    wake: called when a task that waits for `settled` can go on.
    choose: the shards of so many keys at random, given how many each has: `random.choices`.
    """

    STEP = 1000

    def __init__(
        self,
        shards: int,
        limit: Callable[[], int],
        allow: Callable[[int, int], None],
        ask: Callable[[int, int, Callable[[int], None]], None],
        choose: Callable[..., list[int]],
        wake: Callable[[], None],
    ) -> None:
        self._wake = wake
        self._shards = range(shards)
        self._limit = limit
        self._allow = allow
        self._ask = ask
        self._choose = choose
        self._sizes = [0] * shards  # as far as they have answered
        self._open = 0  # shards that have not answered
        self._settled = trio.Event()  # set when the last one has
        self._again = False  # something has changed since they were asked

    @property
    def busy(self) -> bool:
        """True while there may be too many."""
        return self._open > 0

    async def settled(self) -> None:
        """Wait until that is over."""
        while self._open:
            await self._settled.wait()

    def tracked(self, report: Report) -> None:  # noqa: ARG002 - all shards are asked, this one too
        """TRACKED, see `respcache.shard.wire`."""
        self.look()

    def look(self) -> None:
        """See whether there are too many: one of the shards says so, or the limit has changed."""
        if self._open:
            self._again = True
        else:
            self._forget([0] * len(self._shards))

    def _forget(self, counts: list[int]) -> None:
        self._open = len(self._shards)
        self._again = False
        for shard in self._shards:
            self._ask(shard, counts[shard], partial(self._answered, shard))

    def _answered(self, shard: int, size: int) -> None:
        self._sizes[shard] = size
        self._open -= 1
        if self._open:
            return
        limit = self._limit()
        left = limit - sum(self._sizes) if limit else 0
        if left < 0:
            chosen: Any = self._choose(self._shards, self._sizes, k=min(-left, self.STEP))
            self._forget([chosen.count(shard) for shard in self._shards])
        elif self._again:
            self.look()
        else:
            for number in self._shards if len(self._sizes) > 1 else ():
                self._allow(number, self._sizes[number] + left // len(self._sizes))
            self._settled.set()
            self._settled = trio.Event()
            self._wake()
