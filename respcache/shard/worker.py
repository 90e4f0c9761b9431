"""What a shard does with the items of a frame. See `respcache.shard.wire` for their forms."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from respcache import errors
from respcache.commands.args import Args
from respcache.commands.table import TABLE, lookup
from respcache.datatypes.types import dump_value, load_value
from respcache.errors import CommandError
from respcache.logs import log_exception
from respcache.resp.encode import NULL, OK_LINE, encode
from respcache.resp.types import OK
from respcache.shard import wire
from respcache.store.shard import ForeignKeys

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.commands.table import Handler
    from respcache.resp.types import Argv, Reply
    from respcache.shard.wire import Item
    from respcache.store.keyspace import Keyspace
    from respcache.store.shard import Shard


class Worker:
    """Carries out items on one `Shard`."""

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self._args = Args([])
        self._errors = errors.ErrorCounts()
        # Names as clients write them -> handlers: what `lookup` would say. Only commands without subcommands; bounded
        # by the spellings of the names ("get", "GET", "gEt").
        self._handlers: dict[bytes, Handler] = {
            spelling: row.handler
            for name, row in TABLE.items()
            if not row.subcommands
            for spelling in (name, name.lower())
        }
        self._perform: dict[int, Callable[..., Any]] = {
            wire.RUN: self._run,
            wire.PART: self._part,
            wire.EXEC: self._exec,
            wire.IS_DIRTY: self._is_dirty,
            wire.WATCH: self._watch,
            wire.UNWATCH: self._unwatch,
            wire.BORROW: self._borrow,
            wire.CARRY: self._carry,
            wire.HAND_BACK: self._hand_back,
            wire.TICK: self.shard.expire_due,
            wire.CONFIGURE: self._configure,
            wire.STATS: self._stats,
            wire.RESET_STATS: self._reset_stats,
        }

    def frame(self, now: int, items: list[Item]) -> tuple[int, list[Any], list[tuple[int, int, bytes, bytes]]]:
        """Carry out all items of a frame, at the time `now`; the payload of the answer."""
        shard = self.shard
        shard.now = now
        results = []
        events: list[tuple[int, int, bytes, bytes]] = []
        for index, item in enumerate(items):
            results.append(self._perform[item[0]](*item[1:]))
            if shard.events:
                events += [(index, *event) for event in shard.events]
                shard.events.clear()
        return shard.next_deadline(), results, events

    # -- commands

    def _run(
        self, db: int, protocol: int, client: int, touch: bool, whole: bool, commands: list[Argv]
    ) -> bytes | list[bytes]:
        self._enter(db, protocol, client, touch)
        shard, args, handlers = self.shard, self._args, self._handlers
        replies: list[bytes] = []
        for argv in commands:
            args.argv = argv
            args.at = 1
            try:
                handler = handlers.get(argv[0])
                reply = handler(shard, args) if handler is not None else self._call(argv)
                # The most frequent replies are encoded here: one call less for each.
                if type(reply) is bytes:
                    replies.append(b"$%d\r\n%b\r\n" % (len(reply), reply))
                elif reply is OK:
                    replies.append(OK_LINE)
                elif reply is None:
                    replies.append(NULL[protocol])
                else:
                    replies.append(encode(reply, protocol))
            except CommandError as error:
                replies.append(self._refusal(error))
            except Exception:
                replies.append(self._bug(argv))
        return b"".join(replies) if whole else replies

    def _enter(self, db: int, protocol: int, client: int, touch: bool) -> None:
        shard = self.shard
        shard.select(db)
        shard.protocol = protocol
        shard.client = client
        shard.touch = touch

    def _call(self, argv: Argv) -> Reply:
        """The reply of one command, by way of the table. Raises CommandError."""
        row = lookup(argv)
        args = self._args
        args.argv = argv
        args.at = row.name.count(" ") + 1
        reply: Reply = row.handler(self.shard, args)
        return reply

    def _encoded(self, argv: Argv) -> bytes:
        """The reply of one command, or its error, in bytes."""
        try:
            return encode(self._call(argv), self.shard.protocol)
        except CommandError as error:
            return self._refusal(error)
        except ForeignKeys:
            raise
        except Exception:
            return self._bug(argv)

    def _refusal(self, error: CommandError) -> bytes:
        self._errors.count(error)
        return error.line()

    def _bug(self, argv: Argv) -> bytes:
        """An exception of a handler that is no reply: ours to mend, one error reply for the client."""
        log_exception(f"{errors.printable(argv[0])} failed")
        return CommandError(errors.INTERNAL).line()

    def _part(self, db: int, protocol: int, client: int, touch: bool, argv: Argv) -> tuple[bool, Any]:
        self._enter(db, protocol, client, touch)
        try:
            reply = self._call(argv)
            return True, None if reply is OK else reply
        except CommandError as error:
            self._errors.count(error)
            return False, error.text
        except Exception:
            self._bug(argv)
            return False, errors.INTERNAL

    # -- transactions

    def _exec(
        self, client: int, protocol: int, touch: bool, check: bool, commands: list[tuple[int, Argv]]
    ) -> list[bytes] | None:
        if check and self._is_dirty(client):
            return None
        replies = []
        for db, argv in commands:
            self._enter(db, protocol, client, touch)
            replies.append(self._encoded(argv))
        return replies

    def _is_dirty(self, client: int) -> bool:
        dirty = self.shard.is_dirty(client)
        self.shard.unwatch(client)
        return dirty

    def _watch(self, client: int, places: list[tuple[int, bytes]]) -> None:
        for db, key in places:
            self.shard.select(db)
            self.shard.watch(client, key)

    def _unwatch(self, client: int) -> None:
        self.shard.unwatch(client)

    # -- keys of other shards

    def _borrow(self, places: list[tuple[int, bytes]]) -> list[Any]:
        lent: list[Any] = []
        for db, key in places:
            self.shard.select(db)
            value = self.shard.peek(key)
            lent.append(None if value is None else (*dump_value(value), self.shard.deadline(key)))
        return lent

    def _carry(
        self, db: int, protocol: int, client: int, touch: bool, argv: Argv, guests: list[Any]
    ) -> tuple[bytes, list[Any], list[tuple[int, bytes]]]:
        """Run a command with keys of other shards as guests; its reply, the guests it changed, what it lacked."""
        shard = self.shard
        for index, key, name, data, deadline in guests:
            if name is not None:
                keyspace = shard.databases[index]
                keyspace.insert(key, load_value(name, data), shard.now)
                if deadline is not None:
                    keyspace.set_deadline(key, deadline)
        shard.touched = set()
        shard.guests = {(index, key) for index, key, *_ in guests}
        self._enter(db, protocol, client, touch)
        reply, required = b"", []
        try:
            reply = self._encoded(argv)
        except ForeignKeys as lacking:
            required = lacking.places
        touched, shard.touched = shard.touched, None
        shard.guests = frozenset()
        changed = []
        for index, key, *_ in guests:
            keyspace = shard.databases[index]
            if (index, key) in touched:
                value = keyspace.get(key)
                name, data = (None, None) if value is None else dump_value(value)
                changed.append((index, key, name, data, keyspace.deadlines.get(key)))
            keyspace.discard(key)
        return reply, changed, required

    def _hand_back(self, guests: list[Any]) -> None:
        """Take one's own keys back as another shard left them. Its events were sent from there."""
        for index, key, name, data, deadline in guests:
            self.shard.select(index)
            self.shard.replace(key, None if name is None else load_value(name, data), deadline)

    # -- the rest

    def _configure(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            if name == "notify_keyspace_events":
                self.shard.notify_flags = value
            elif name == "expiry_paused":
                self.shard.expiry_paused = value
            else:
                setattr(self.shard.limits, name, value)

    def _stats(self) -> dict[str, Any]:
        shard = self.shard
        return {
            "keyspace_hits": shard.hits,
            "keyspace_misses": shard.misses,
            "expired_keys": shard.expired,
            "changes": shard.changes,
            "errors": self._errors.by_code,
            "databases": [(len(db), len(db.deadlines), _mean_deadline(db)) for db in shard.databases],
        }

    def _reset_stats(self) -> None:
        self.shard.hits = self.shard.misses = self.shard.expired = 0
        self._errors = errors.ErrorCounts()


def _mean_deadline(db: Keyspace) -> int:
    """About when keys expire, in milliseconds since the epoch: a sample says it. 0 if none does."""
    sample = list(islice(db.deadlines.values(), 100))
    return sum(sample) // len(sample) if sample else 0
