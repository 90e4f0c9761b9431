"""The language between main and a shard: frames, the items in them, and their answers.

A frame is a little-endian u32 length and a `marshal` payload. Both ends are the same interpreter, and nothing that a
client sent is ever unmarshalled. `marshal` takes no NamedTuple, so items spread the fields of a `Caller`.

To the shard: ``(now_ms, [item, ...])``. Items are made by the functions below, and only by them. The time is negative
where the items are part of a larger unit that is not over yet: what the owner of a barrier sends.

| item                                | result                                                                   |
|-------------------------------------|--------------------------------------------------------------------------|
| `run(caller, commands, whole)`      | the encoded replies: joined if `whole`, else a list; may come in pieces  |
| `part(caller, argv)`                | ``(reply, time)``: the reply itself, not encoded, None for OK; and the   |
|                                     | nanoseconds that it took                                                 |
| `check(caller, argv)`               | for each key ``(word to go on with in place of its id, error or "")``;   |
|                                     | or one error of the whole command                                        |
|                                     | with the time as for `part`                                              |
| `find(caller, argv)`                | for each key that has something ``(its number, its name, encoded value)``|
|                                     | or what it waits for, as `attempt` has it, if there is nothing; with the |
|                                     | time                                                                     |
| `execute(caller, check, commands)`  | a list of encoded replies, may come in pieces; None: a watched key has   |
|                                     | changed, and nothing was run                                             |
| `is_dirty(client)`                  | True if a watched key has changed; forgets the client's watches          |
| `dirty(clients)`                    | those of them of whose watched keys one has changed                      |
| `watch(client, places)`             | None                                                                     |
| `unwatch(client)`                   | None                                                                     |
| `borrow(places)`                    | for each place ``(type name, data, deadline)``, or None for no such key  |
| `carry(caller, argv, guests)`       | ``(encoded reply, changed guests, required places)``                     |
| `hand_back(guests, client)`         | None                                                                     |
| `tick()`                            | None; expired keys were removed                                          |
| `configure(values)`                 | None                                                                     |
| `stats(memory)`                     | a dict of figures                                                        |
| `reset_stats()`                     | None                                                                     |
| `populate(caller, ...)`             | None                                                                     |
| `inspect(caller, key)`              | the line of DEBUG OBJECT, None for no such key                           |
| `digest(caller)`                    | for each database of the caller's namespace that has keys a number, see  |
|                                     | `respcache.shard.digests`                                                |
| `digest_values(caller, keys)`       | a number for each key, 0 for one that does not exist                     |
| `compile_script(text)`              | None; fails if it cannot be compiled                                     |
| `forget_scripts()`                  | None; the shard has no compiled scripts any more                         |
| `inspect_library(code)`             | its functions: ``(name, description, flags)`` each; fails if it cannot   |
|                                     | be loaded                                                                |
| `libraries(namespace, codes, flush)`| None; these libraries were loaded, others of their names replaced, those |
|                                     | without a code removed; with `flush`, all others were removed before     |
| `drop(namespace)`                   | None; its databases and libraries are gone                               |
| `kill(function)`                    | None; fails if no such script runs, or if it has written                 |
| `deny(client, what)`                | None                                                                     |
| `skip()`                            | None                                                                     |
| `measure(db, keys)`                 | ``(number of keys in the database, sizes)``: for each key ``(elements,   |
|                                     | bytes, True if it expires)``, or None for no such key                    |
| `wait(caller, number, argv)`        | the encoded reply; or nothing was found, and the client waits from now  |
|                                     | on: ``(when that ends, in how many milliseconds)``, 0 for never          |
| `forget(number)`                    | True if the client still waited; it does not any more                    |
| `serve()`                           | None; clients that wait for what has become ready were served            |
| `exist(places)`                     | a list of booleans                                                       |
| `attempt(caller, argv, guests)`     | as `carry`, and fourth what a command waits for that has found nothing:  |
|                                     | ``(words to run again, end of its time, keys, types, on_removal)``       |
| `enlist(caller, number, argv, keys, | None; the client waits from now on, for keys of other shards as well     |
| types, on_removal)`                 |                                                                          |
| `release(number)`                   | None; a waiter that was held goes on waiting                             |
| `settle()`                          | like `serve`; those who wait for keys of other shards as well are held:  |
|                                     | the list of their numbers                                                |
| `take_snapshot(number, limit)`      | ``(keys, bytes, held)``: of the new snapshot, and the bytes that all of  |
|                                     | them hold; fails if that would be more than `limit`                      |
| `has_snapshot(number)`              | True if there is such a snapshot                                         |
| `restore_snapshot(number, elapsed)` | None; fails if there is none                                             |
| `drop_snapshot(number)`             | the bytes that the others hold                                           |
| `reader(client, reads)`             | None; what the client reads from now on is remembered, or is not         |
| `listen(namespace, prefix, wanted)` | None; changes of all keys that begin so are reported, or are not         |
| `remember(client, db, keys)`        | None; the client has read these keys, if it is a reader now              |
| `evict(count)`                      | how many keys are still remembered; so many were forgotten               |
| `allow(keys)`                       | None; with more of them than this, the shard says so (TRACKED)           |
| `forget_reads()`                    | None; no key is remembered any more                                      |
| `dump(caller, keys, most)`          | for each key ``(payload, milliseconds that it has left, 0 for ever)``, or |
|                                     | None for no such key; for fewer keys once they have more than `most` bytes|
| `remove(caller, keys)`              | None; these keys are gone, as by DEL                                     |

A place is ``(database, key)``; a guest is ``(database, key, type name, data, deadline)``, with None for the type name
of a nonexistent key. One that has changed says sixth whether it came into being by that. `required` lists places
without which the command cannot run: it has changed nothing, and is carried again with them as guests.

Back: ``(next_deadline_ms, [result, ...], [report, ...])``, one or more frames per frame received. Results come in the
order of the items. `next_deadline_ms` is when the shard's next key expires, 0 for never.

A report is ``(kind, index, ...)``; `index` is the place among this frame's results that it belongs to. Reports are in
the order in which things happened, and are to be handled before the result at `index` is delivered; what happened after
the last result has an index behind it.

| report                             | meaning                                                                   |
|------------------------------------|---------------------------------------------------------------------------|
| ``(EVENT, index, db, name, key)``  | a keyspace event                                                          |
| ``(UNFINISHED, index)``            | the result at `index`, always the last of its frame, is a piece; the next |
|                                    | one of the same item is the first result of the next frame                |
| ``(FAILED, index, text)``          | the item failed: `text` is that of a `CommandError`, and the result None  |
| ``(INVALID_SCRIPT, index, sha)``   | the script cannot be compiled: its text is not worth keeping              |
| ``(SLOW_SCRIPT, index, shard,      | the running script takes longer than ``busy-reply-threshold``; `function` |
| client, elapsed, function, argv)`` | is its name, None for EVAL                                                |
| ``(END_OF_SLOW_SCRIPT, index,      | it has ended, in the item of the result at `index`                        |
| shard)``                           |                                                                           |
| ``(SCRIPT_CALL, index, client, db, | a script (its SHA) or a function (its name) calls a command; `undeclared` |
| script, argv, undeclared)``        | is a key of it that is not in KEYS, or None. Only while lint is on        |
| ``(SLOW, index, client, db,        | a command took so long that SLOWLOG or LATENCY want to know; `argv` is    |
| microseconds, argv)``              | trimmed for SLOWLOG; `client` is 0 for what a script calls                |
| ``(LATENCY, index, event,          | something else took long: an event of LATENCY                             |
| milliseconds)``                    |                                                                           |
| ``(MONITORED, index, shard, db,    | a script has called a command: its words, quoted; None: a script begins.  |
| words)``                           | Only while there are monitors                                             |
| ``(EARLY, index, shard, places,    | the answers to items that were received while a script runs, counted from |
| error)``                           | its own item (0): an error, or None. They are not carried out any more    |
| ``(ASK, index, shard, kind, ...)`` | always the last of its frame: the shard asks main, in the middle of an    |
|                                    | item, and waits for ``(None, answer)``, which passes all other frames     |
| ``(RESUMED, 0)``                   | always the first of its frame: the shard has the answer, and goes on with |
|                                    | the item in whose middle it has asked and let others in                   |
| ``(SERVED, index, number, reply)`` | a client that waited has its reply, encoded                               |
| ``(SPOILT, index, number)``        | a client that waits for keys of other shards as well has one of another   |
|                                    | type here                                                                 |
| ``(INVALIDATED, index, namespace,  | keys that these clients have read have changed; or keys (`listened`) that |
| readers, listened, client, own,    | begin with a prefix. By a command of the client, or of none (0); `own` is |
| keys)``                            | False where they had expired, or a script has changed them                |
| ``(FLUSHED, index, namespace,      | a script of the client has emptied databases, with one shard: main knows  |
| client)``                          | of all others that do                                                     |
| ``(TRACKED, index, shard, keys)``  | so many keys are remembered here, more than main has allowed              |

Bounds: a frame is sent as soon as its results and the replies in its reports take more than `ANSWER_BYTES`. A reply,
and the value of a `part` or a `borrow`, has at most `MAX_RESULT` bytes, else there is an error in its place; so every
frame can be packed.
"""

from __future__ import annotations

import marshal
from struct import Struct
from typing import TYPE_CHECKING, Any

from respcache.store.reports import ASK as ASK
from respcache.store.reports import EARLY as EARLY
from respcache.store.reports import END_OF_SLOW_SCRIPT as END_OF_SLOW_SCRIPT
from respcache.store.reports import EVENT as EVENT
from respcache.store.reports import FAILED as FAILED
from respcache.store.reports import FLUSHED as FLUSHED
from respcache.store.reports import INVALID_SCRIPT as INVALID_SCRIPT
from respcache.store.reports import INVALIDATED as INVALIDATED
from respcache.store.reports import LATENCY as LATENCY
from respcache.store.reports import MONITORED as MONITORED
from respcache.store.reports import RESUMED as RESUMED
from respcache.store.reports import SCRIPT_CALL as SCRIPT_CALL
from respcache.store.reports import SERVED as SERVED
from respcache.store.reports import SLOW as SLOW
from respcache.store.reports import SLOW_SCRIPT as SLOW_SCRIPT
from respcache.store.reports import SPOILT as SPOILT
from respcache.store.reports import TRACKED as TRACKED
from respcache.store.reports import UNFINISHED as UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from respcache.resp.types import Argv
    from respcache.store.call import Caller
    from respcache.store.guests import ChangedGuest, Guest
    from respcache.store.keyspace import Place

RUN, PART, EXECUTE, IS_DIRTY, WATCH, UNWATCH, BORROW, CARRY, HAND_BACK, TICK, CONFIGURE, STATS, RESET_STATS = range(13)
POPULATE, INSPECT, WAIT, FORGET, SERVE, EXIST, ATTEMPT, ENLIST, RELEASE, SETTLE, CHECK, FIND = range(13, 25)
COMPILE, KILL, SKIP, INSPECT_LIBRARY, LIBRARIES, FORGET_SCRIPTS, DROP, DENY, MEASURE = range(25, 34)
TAKE_SNAPSHOT, HAS_SNAPSHOT, RESTORE_SNAPSHOT, DROP_SNAPSHOT = range(34, 38)
DUMP, REMOVE, READER, LISTEN, REMEMBER, EVICT, FORGET_READS, ALLOW = range(38, 46)
DIRTY, DIGEST, DIGEST_VALUES = range(50, 53)
# What scripts of a client may not do.
DENY_NOTHING, DENY_WRITES, DENY_GROWTH = range(3)
# Kinds of ASK.
CLAIM, FOREIGN = range(2)
# What main says to CLAIM, "may this waiter be served?": it waits no more; yes; main will do it, so hold it.
GONE, YES, HOLD = range(3)

Item = tuple[Any, ...]

# When a wait ends, in milliseconds since the epoch, and how long it was until then; 0, 0 for never.
Until = tuple[int, int]

# A frame of answers is sent as soon as its results take more bytes than this.
ANSWER_BYTES = 16 << 20
# The most bytes of one reply, and of the values of one `part` or `borrow`: a string of 512 MB, and what goes around it.
MAX_RESULT = (512 << 20) + (64 << 10)
# The most bytes of the changed guests of one `carry`. The command has run by then and cannot be refused any more, so
# it is what `marshal` takes.
MAX_CARRIED = (1 << 31) - 1


def run(caller: Caller, commands: list[Argv], whole: bool, alike: bool = False) -> Item:
    """Consecutive commands of one client, each with its keys on this shard.

    `alike`: it is one command, or they have the same name, spelt in the same way, and are brief: their times need not
    be told apart.
    """
    return (RUN, *caller, whole, alike, commands)


def part(caller: Caller, argv: Argv) -> Item:
    """One shard's part of a command. Main merges the replies of all parts."""
    return (PART, *caller, argv)


def check(caller: Caller, argv: Argv) -> Item:
    """One shard's part of a command that runs in parts: see whether it can be carried out."""
    return (CHECK, *caller, argv)


def find(caller: Caller, argv: Argv) -> Item:
    """The same part: carry it out."""
    return (FIND, *caller, argv)


def execute(caller: Caller, check: bool, commands: list[Argv]) -> Item:
    """Commands of a transaction, run one after the other; with `check` only if the client's watches hold."""
    return (EXECUTE, *caller, check, commands)


def is_dirty(client: int) -> Item:
    """Ask whether a key that the client watches has changed, and forget its watches."""
    return (IS_DIRTY, client)


def digest(caller: Caller) -> Item:
    """Ask for the digest of all keys: DEBUG DIGEST."""
    return (DIGEST, *caller)


def digest_values(caller: Caller, keys: list[bytes]) -> Item:
    """Ask for those of single values: DEBUG DIGEST-VALUE."""
    return (DIGEST_VALUES, *caller, keys)


def dirty(clients: list[int]) -> Item:
    """Ask whose next EXEC will fail; nothing is forgotten."""
    return (DIRTY, clients)


def watch(client: int, places: Sequence[Place]) -> Item:
    """From now on changes of these keys make the client dirty."""
    return (WATCH, client, places)


def unwatch(client: int) -> Item:
    """Forget the client's watches."""
    return (UNWATCH, client)


def measure(db: int, keys: Sequence[bytes]) -> Item:
    """Ask how large keys are, without touching them."""
    return (MEASURE, db, keys)


def borrow(places: Sequence[Place]) -> Item:
    """Copy values, to be guests of another shard."""
    return (BORROW, places)


def carry(caller: Caller, argv: Argv, guests: Sequence[Guest]) -> Item:
    """Run a command with keys of other shards as guests."""
    return (CARRY, *caller, argv, guests)


def hand_back(guests: Sequence[ChangedGuest], client: int) -> Item:
    """Store the shard's own keys as a client has changed them while they were guests of another shard."""
    return (HAND_BACK, guests, client)


def dump(caller: Caller, keys: Sequence[bytes], most: int) -> Item:
    """Read keys in the form that RESTORE takes, the first one at least."""
    return (DUMP, *caller, keys, most)


def remove(caller: Caller, keys: Sequence[bytes]) -> Item:
    """Remove keys that are elsewhere now."""
    return (REMOVE, *caller, keys)


def tick() -> Item:
    """Remove keys that have expired."""
    return (TICK,)


def configure(values: dict[str, Any]) -> Item:
    """Settings by name, see `Control.configure`. What is not named stays as it is."""
    return (CONFIGURE, values)


def stats(memory: bool = False) -> Item:
    """Ask for the figures that INFO shows; with `memory` also how much the databases take, which is estimated anew."""
    return (STATS, memory)


def reset_stats() -> Item:
    """CONFIG RESETSTAT: start counting from zero."""
    return (RESET_STATS,)


def populate(caller: Caller, count: int, prefix: bytes, size: int) -> Item:
    """DEBUG POPULATE: make those of the keys ``prefix:0`` to ``prefix:count-1`` that belong to this shard."""
    return (POPULATE, *caller, count, prefix, size)


def inspect(caller: Caller, key: bytes) -> Item:
    """DEBUG OBJECT: ask how a value is stored."""
    return (INSPECT, *caller, key)


def compile_script(text: bytes) -> Item:
    """SCRIPT LOAD: see whether a script can be compiled."""
    return (COMPILE, text)


def forget_scripts() -> Item:
    """SCRIPT FLUSH: throw compiled scripts away."""
    return (FORGET_SCRIPTS,)


def inspect_library(code: bytes) -> Item:
    """See whether a library can be loaded, and what is in it. The shard does not keep it."""
    return (INSPECT_LIBRARY, code)


def libraries(namespace: int, codes: dict[bytes, bytes | None], *, flush: bool = False) -> Item:
    """FUNCTION LOAD, DELETE, FLUSH, RESTORE: libraries by name, None for those that go."""
    return (LIBRARIES, namespace, codes, flush)


def drop(namespace: int) -> Item:
    """RESPCACHE NAMESPACE DROP: forget all that is of a namespace. Its clients have gone."""
    return (DROP, namespace)


def kill(function: bool) -> Item:
    """SCRIPT KILL or FUNCTION KILL: end the running script, if it is of this kind."""
    return (KILL, function)


def deny(client: int, what: int) -> Item:
    """A fault: what the scripts of a client are refused from now on, as on a replica or on a full server."""
    return (DENY, client, what)


def skip() -> Item:
    """Do nothing. Also stands for items that were refused, and shows that what came before is done."""
    return (SKIP,)


def take_snapshot(number: int, limit: int) -> Item:
    """Keep what the databases hold now, under a number that is not in use. All snapshots may hold so many bytes."""
    return (TAKE_SNAPSHOT, number, limit)


def has_snapshot(number: int) -> Item:
    """Ask whether the shard has a snapshot; one that was restarted has none."""
    return (HAS_SNAPSHOT, number)


def restore_snapshot(number: int, elapsed: int) -> Item:
    """Let the databases hold what they held then, with deadlines that are `elapsed` milliseconds later."""
    return (RESTORE_SNAPSHOT, number, elapsed)


def drop_snapshot(number: int) -> Item:
    """Forget a snapshot, if there is one."""
    return (DROP_SNAPSHOT, number)


def reader(client: int, reads: bool) -> Item:
    """Remember what a client reads from now on; or do not any more."""
    return (READER, client, reads)


def listen(namespace: int, prefix: bytes, wanted: bool) -> Item:
    """Report changes of all keys that begin with a prefix; or do not any more."""
    return (LISTEN, namespace, prefix, wanted)


def remember(client: int, db: int, keys: Sequence[bytes]) -> Item:
    """A client has read the shard's own keys while they were guests of another shard."""
    return (REMEMBER, client, db, keys)


def evict(count: int) -> Item:
    """Forget so many keys that were read, and report them as changed; ask how many are left."""
    return (EVICT, count)


def allow(keys: int) -> Item:
    """So many keys that were read may be remembered without a word."""
    return (ALLOW, keys)


def forget_reads() -> Item:
    """All clients that have read anything, and might be told, are gone."""
    return (FORGET_READS,)


def client_of(item: Item) -> int:
    """The client of a `run`, `part` or `execute`."""
    client: int = item[3]
    return client


def wait(caller: Caller, number: int, argv: Argv) -> Item:
    """Run a blocking command of a client, which may wait; `number` is not in use for another wait."""
    return (WAIT, *caller, number, argv)


def forget(number: int) -> Item:
    """Let a client wait no more."""
    return (FORGET, number)


def serve() -> Item:
    """A larger unit is over: serve those who wait for what it has made ready."""
    return (SERVE,)


def exist(places: Sequence[Place]) -> Item:
    """Ask which keys exist."""
    return (EXIST, places)


def attempt(caller: Caller, argv: Argv, guests: Sequence[Guest]) -> Item:
    """Run a command that may wait, with keys of other shards as guests."""
    return (ATTEMPT, *caller, argv, guests)


def enlist(
    caller: Caller, number: int, argv: Argv, keys: Sequence[bytes], types: Sequence[bytes], on_removal: bool
) -> Item:
    """Let a client wait for these keys; before it is served, main is asked (CLAIM)."""
    return (ENLIST, *caller, number, argv, keys, types, on_removal)


def release(number: int) -> Item:
    """Main has found nothing for a waiter that was held."""
    return (RELEASE, number)


def settle() -> Item:
    """A larger unit is about to end: serve those who wait for what it has made ready, as far as it is this shard's."""
    return (SETTLE,)


def size_of(value: Any) -> int:
    """About how many bytes a value takes in a frame. Raises TypeError for one that `marshal` does not take."""
    kind = type(value)
    if kind in _FIXED:
        return _NUMBER
    if kind in _STRINGS:
        return 5 + len(value)
    if kind in _COLLECTIONS:
        return 5 + _size_of_all(value)
    if kind is dict:
        return 5 + _size_of_all(value.keys()) + _size_of_all(value.values())
    raise TypeError(f"{kind.__name__} is no plain data")


_NUMBER = 16  # bytes of the largest integer of 64 bits
_FIXED = frozenset((type(None), bool, int, float))
_STRINGS = frozenset((bytes, bytearray, str))
_COLLECTIONS = frozenset((list, tuple, set, frozenset))
_BYTES_OR_NONE = frozenset((bytes, type(None)))


def _size_of_all(elements: Collection[Any]) -> int:
    kinds = set(map(type, elements))
    if kinds <= _BYTES_OR_NONE:  # the most frequent and the longest: left to C
        return 5 * len(elements) + sum(map(len, filter(None, elements)))
    if kinds <= _FIXED:
        return _NUMBER * len(elements)
    return sum(map(size_of, elements))


_LENGTH = Struct("<I")
LONGEST_FRAME = (1 << 32) - 1
# Version 2 writes no back references: they cost a hash look-up per object, and frames repeat little.
_MARSHAL_VERSION = 2


def pack(payload: Any) -> bytes:
    """One frame. Raises ValueError for a payload that is too large: a value of 2 GiB, or 4 GiB together."""
    data = marshal.dumps(payload, _MARSHAL_VERSION)
    if len(data) > LONGEST_FRAME:
        raise ValueError("too large for a frame")
    return _LENGTH.pack(len(data)) + data


# Bytes to read at once. A buffer of the larger size is mapped and unmapped by the allocator each time, so that is for
# frames that need it.
_SOME, _MANY = 1 << 16, 1 << 20


class FrameReader:
    """Cuts a stream of bytes into payloads. `wanted` is how many bytes to read next, at most."""

    __slots__ = ("_buffer", "wanted")

    def __init__(self) -> None:
        # The beginning of a frame whose end has not come yet.
        self._buffer = bytearray()
        self.wanted = _SOME

    def feed(self, data: bytes) -> list[Any]:
        """The payloads that `data` completes."""
        buffer = self._buffer
        if not buffer and len(data) >= 4 and _LENGTH.unpack_from(data)[0] == len(data) - 4:
            return [marshal.loads(memoryview(data)[4:])]  # by far the most frequent: one read, one frame
        buffer += data
        payloads = []
        at = 0
        with memoryview(buffer) as view:
            while len(buffer) - at >= 4:
                end = at + 4 + _LENGTH.unpack_from(buffer, at)[0]
                if len(buffer) < end:
                    break
                payloads.append(marshal.loads(view[at + 4 : end]))
                at = end
        del buffer[:at]
        self.wanted = _MANY if len(buffer) >= _SOME else _SOME
        return payloads
