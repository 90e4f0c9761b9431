"""Client-side caching, kept beside the data: who has read which key, and which prefixes clients listen to.

As in Redis' `tracking.c`, a key that was read is remembered once, with the ids of its readers, until it is modified:
then they are told, and have to read it again to be told again. The table knows no databases, but namespaces. Ids of
clients that track no more, or have left, stay in it until then; main knows who is still to be told.

Which clients' reads are remembered at this moment is in `readers`, which main keeps up to date in the order of the
commands (``wire.reader``). Changes are reported in line, so that they take their places among the replies.

The table is bounded by ``tracking-table-max-keys`` (0: not at all), which main sees to for all shards together, and by
bytes: beyond a bound, keys are forgotten at random, and their readers are told as if they had changed. As in Redis,
that happens before something else is remembered: the keys of one command may be too many until then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.datatypes.indexed import IndexedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

    from respcache.store.keyspace import Place
    from respcache.store.reports import Reports

# About how many bytes the tables of all shards may take. Redis counts keys only, but a key may have 512 MB.
_MOST_BYTES = 512 << 20
# What an entry of the table takes besides the key, and what another reader of it adds, in bytes.
_ENTRY, _READER = 160, 80
# How many keys are forgotten at once, besides as many as were remembered: the others wait for the next time.
_AT_ONCE = 1000
# Reports are sent when the keys in them take more bytes than this: one script may change any number of keys.
_MOST_REPORTED = 4 << 20


class Prefixes:
    """Finds out with which of many prefixes a key begins, by one look-up for each length that prefixes have."""

    __slots__ = ("_all", "_lengths")

    def __init__(self) -> None:
        self._all: set[bytes] = set()
        # How many prefixes have this length, the shortest first.
        self._lengths: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._all)

    def add(self, prefix: bytes) -> None:
        if prefix not in self._all:
            self._all.add(prefix)
            self._lengths[len(prefix)] = self._lengths.get(len(prefix), 0) + 1
            self._lengths = dict(sorted(self._lengths.items()))

    def discard(self, prefix: bytes) -> None:
        if prefix in self._all:
            self._all.discard(prefix)
            self._lengths[len(prefix)] -= 1
            if not self._lengths[len(prefix)]:
                del self._lengths[len(prefix)]

    def of(self, key: bytes) -> list[bytes]:
        """Those that the key begins with."""
        size = len(key)
        found = []
        for length in self._lengths:
            if length > size:
                break
            prefix = key[:length]
            if prefix in self._all:
                found.append(prefix)
        return found


class _Table:
    """The keys of one namespace that were read."""

    __slots__ = ("items", "keys")

    def __init__(self) -> None:
        # Each with its reader, or readers.
        self.keys: IndexedDict[int | set[int]] = IndexedDict()
        # Readers of all keys.
        self.items = 0


class Tracking:
    """What one shard knows of clients that cache. `each`: how many databases a namespace has.

    observers: holds this object while there is anything to tell when keys change.
    shards: how many there are; `index` says which of them this is.
    """

    __slots__ = (
        "_added",
        "_bytes",
        "_each",
        "_index",
        "_keys",
        "_observers",
        "_prefixes",
        "_quota",
        "_random",
        "_reported",
        "_reports",
        "_shards",
        "_tables",
        "in_script",
        "limit",
        "readers",
        "send",
    )

    def __init__(
        self, observers: set[object], reports: Reports, random: Random, each: int, index: int, shards: int
    ) -> None:
        self._observers = observers
        self._reports = reports
        self._random = random
        self._each = each
        self._index = index
        self._shards = shards
        # The clients whose reads are remembered now. The set itself is never replaced.
        self.readers: set[int] = set()
        # How many keys are remembered in all shards together; 0: any number.
        self.limit = 0
        # A script runs: in Redis its changes are those of nobody in particular.
        self.in_script = False
        # Sends what was reported, in the middle of an item; set by the worker.
        self.send: Callable[[], None] = lambda: None
        # By namespace: what was read, and what prefixes somebody listens to. Neither holds empty ones.
        self._tables: dict[int, _Table] = {}
        self._prefixes: dict[int, Prefixes] = {}
        # Keys in all tables, and about how many bytes those take.
        self._keys = 0
        self._bytes = 0
        # With more keys than this, main is told, as all shards together may have too many.
        self._quota = 0
        # Keys that were remembered since the table was last trimmed.
        self._added = 0
        # Bytes of the keys that were reported since something was last sent from here.
        self._reported = 0

    # -- what main says

    def read_by(self, client: int, reads: bool) -> None:
        """Remember what a client reads from now on, or do not any more."""
        if reads:
            self.readers.add(client)
        else:
            self.readers.discard(client)

    def listen(self, namespace: int, prefix: bytes, wanted: bool) -> None:
        """Report all changes of keys that begin so, or do not any more."""
        if wanted:
            self._prefixes.setdefault(namespace, Prefixes()).add(prefix)
        elif namespace in self._prefixes:
            self._prefixes[namespace].discard(prefix)
            if not self._prefixes[namespace]:
                del self._prefixes[namespace]
        self._observe()

    def forget_all(self) -> None:
        """Nobody is left who has read anything."""
        for namespace in [*self._tables]:
            self.drop(namespace)

    # -- reading

    def remember(self, namespace: int, client: int, keys: Iterable[bytes]) -> None:
        """A client has read these keys."""
        self.trim()
        before = self._keys
        table = self._tables.get(namespace)
        if table is None:
            table = self._tables[namespace] = _Table()
        for key in keys:
            readers = table.keys.get(key)
            if readers is None:
                table.keys[key] = client
                self._keys += 1
                self._bytes += _ENTRY + len(key)
            elif readers == client or (type(readers) is set and client in readers):
                continue
            else:
                if type(readers) is set:
                    readers.add(client)
                else:
                    table.keys[key] = {readers, client}  # type: ignore[arg-type]  # it is an int then
                self._bytes += _READER
            table.items += 1
        self._added += self._keys - before
        self._observe()
        if self._keys > before:
            self._check_quota()

    def bound(self, limit: int) -> None:
        """Remember so many keys in all shards together."""
        self.limit = limit
        self._quota = limit // self._shards

    def allow(self, quota: int) -> None:
        """Tell main only of more keys than this."""
        self._quota = quota
        self._check_quota()

    def _check_quota(self) -> None:
        if self._shards > 1 and self.limit and self._keys > self._quota:
            self._reports.tracked(self._index, self._keys)

    # -- changes

    def modified(self, place: Place, client: int, expired: bool) -> None:
        """A key was created, changed or removed, by a command of this client, or because it had expired."""
        index, key = place
        namespace = index // self._each
        readers = self._take(namespace, key)
        prefixes = self._prefixes.get(namespace)
        listened = prefixes is not None and bool(prefixes.of(key))
        if readers or listened:
            own = not (expired or self.in_script)
            self._report(namespace, readers, listened, client, own, key)

    def flushed(self, namespace: int, client: int) -> None:
        """A client has emptied databases. Main tells everybody, and does not know of it only if a script did that here.

        With several shards, it is main that a script has asked.
        """
        self.drop(namespace)
        if self.in_script and self._shards == 1:
            self._reports.flushed(namespace, client)

    def drop(self, namespace: int) -> None:
        """Forget what was read in a namespace: main tells everybody there that anything may have changed."""
        table = self._tables.pop(namespace, None)
        if table is not None:
            self._keys -= len(table.keys)
            self._bytes = 0 if not self._tables else self._bytes - _bytes_of(table)
            self._observe()

    def _take(self, namespace: int, key: bytes) -> tuple[int, ...]:
        """Who has read a key, which is forgotten."""
        table = self._tables.get(namespace)
        readers = None if table is None else table.keys.get(key)
        if table is None or readers is None:
            return ()
        table.keys.discard(key)
        found = tuple(sorted(readers)) if type(readers) is set else (readers,)
        self._keys -= 1
        self._bytes -= _ENTRY + len(key) + _READER * (len(found) - 1)
        table.items -= len(found)
        if not table.keys:
            del self._tables[namespace]
            self._observe()
        return found  # type: ignore[return-value]  # ints

    def _report(
        self, namespace: int, readers: tuple[int, ...], listened: bool, client: int, own: bool, key: bytes
    ) -> None:
        self._reports.invalidated(namespace, readers, listened, client, own, key)
        self._reported += len(key) + _ENTRY
        if self._reported > _MOST_REPORTED:
            self._reported = 0
            self.send()

    def _observe(self) -> None:
        if self._tables or self._prefixes:
            self._observers.add(self)
        else:
            self._observers.discard(self)

    # -- bounds

    def trim(self) -> None:
        """Forget keys until there are no more than there may be; if far too many, some of them."""
        if not self._added:
            return
        added, self._added = self._added, 0
        over = self._keys - self.limit if self.limit else 0
        self.evict(min(max(over, 0), added + _AT_ONCE))
        while self._bytes > _MOST_BYTES // self._shards and self._keys:
            self.evict(1)

    def evict(self, count: int) -> int:
        """Forget so many keys, chosen at random, and tell their readers; how many are left."""
        for _ in range(min(count, self._keys)):
            namespaces = [*self._tables]
            namespace = namespaces[0]
            if len(namespaces) > 1:
                weights = [len(table.keys) for table in self._tables.values()]
                (namespace,) = self._random.choices(namespaces, weights)
            key = self._tables[namespace].keys.choice(self._random)
            self._report(namespace, self._take(namespace, key), False, 0, False, key)
        return self._keys

    # -- figures

    def figures(self) -> dict[int, tuple[int, int]]:
        """By namespace: how many keys are remembered, and how many readers they have together."""
        self.trim()
        return {namespace: (len(table.keys), table.items) for namespace, table in self._tables.items()}


def _bytes_of(table: _Table) -> int:
    keys = table.keys
    return _ENTRY * len(keys) + sum(map(len, keys.members)) + _READER * (table.items - len(keys))
