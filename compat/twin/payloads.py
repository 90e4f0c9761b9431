"""Payloads of DUMP: ours restored there, theirs restored here, and what RESTORE says of anything else.

Both servers make the same values by the same commands (`compat.values`). A value is seen by the commands that read it.
What a restored value looks like is compared with the original on the same server, so that versions may differ in what
they show; but how it is stored is compared only where the genuine server has the encodings of 7.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from compat.twin.looseness import Dialect
from compat.twin.strict import delete_libraries
from compat.values import COMMANDS, NEWER, OLDER, WITH_DEADLINES, Command, sealed
from respcache.rdb.payload import FOOTER
from tests.support.resp import Connection, ReplyError

# What was compared, how many answers that were, and what differs.
Finding = tuple[str, int, str]

_KEY, _RESTORED = "K", "restored"
_TTL = 10_000_000
_LIBRARY = (
    "#!lua name=lib\nredis.register_function('f', function(keys, args) return keys[1] end) -- " + "a comment " * 9
)

# Commands that show everything of a value, by its type.
_READERS: Mapping[str, tuple[Command, ...]] = {
    "string": (("GET",), ("STRLEN",)),
    "list": (("LRANGE", 0, -1), ("LLEN",)),
    "set": (("SMEMBERS",), ("SCARD",)),
    "hash": (("HGETALL",), ("HLEN",)),
    "zset": (("ZRANGE", 0, -1, "WITHSCORES"), ("ZCARD",)),
    "stream": (("XRANGE", "-", "+"), ("XLEN",), ("XINFO STREAM", "FULL", "COUNT", 0)),
}
# In version 10 of the format there is no place for it: it comes back as the seen-time.
_LOST = b"active-time"
# How the entries are spread over nodes, when some of them are deleted.
_LAYOUT = (b"radix-tree-keys", b"radix-tree-nodes")
# What is written of these differs for the same commands: hashtables have an order that each server chooses at random,
# we do not keep deleted entries of streams, and consumers have times.
_ARBITRARY = frozenset((
    "set listpack", "set hashtable", "set of long members", "set of many integers", "hash hashtable",
    "stream trimmed", "stream with deleted entries", "stream with groups",
))  # fmt: skip


def differences(ours: int, theirs: int, protocol: int, dialect: Dialect) -> Iterator[Finding]:
    """All comparisons on two servers, given by their ports."""
    with closing(Connection(ours, protocol)) as here, closing(Connection(theirs, protocol)) as there:
        exchange = _Exchange(here, there, dialect)
        for name, commands in COMMANDS.items():
            yield exchange.value(name, commands)
        for name, (version, body) in OLDER.items():
            yield exchange.payload(f"older, {name}", sealed(body, min(version, 11)))
        for name, (version, body, held) in NEWER.items():
            yield exchange.newer(f"newer, {name}", sealed(body, version), held)
        if b"hpexpireat" in there.call("COMMAND", "LIST"):
            for name, commands in WITH_DEADLINES.items():
                yield exchange.with_deadlines(name, commands)
        yield exchange.functions()
        yield exchange.errors()


class _Exchange:
    """The two servers, and what they say to the same things."""

    def __init__(self, here: Connection, there: Connection, dialect: Dialect) -> None:
        self._here, self._there = here, there
        self._dialect = dialect
        # Redis 7.0, whose bytes ours are to be.
        self._writes_the_same = dialect.is_redis and dialect.version[:2] == (7, 0)

    def value(self, name: str, commands: tuple[Command, ...]) -> Finding:
        """A value that both make, sent from each to the other."""
        for connection in (self._here, self._there):
            connection.call("FLUSHALL")
            connection.pipeline(*commands)
        ours, theirs = self._here.call("DUMP", _KEY), self._there.call("DUMP", _KEY)
        found = [
            *self._sent(theirs, self._here, "theirs, restored here", original=_seen(self._here, _KEY)),
            *self._sent(ours, self._there, "ours, restored there", original=_seen(self._there, _KEY)),
            *self._same_times(),
            *self._same_bytes(name, ours, theirs),
        ]
        return name, 8, "\n".join(found)

    def _sent(self, payload: Any, to: Connection, way: str, *, original: Any) -> Iterator[str]:
        """Restore a payload; what is seen of it should be what is seen of the original."""
        reply = to.call("RESTORE", _RESTORED, _TTL, payload)
        if reply != "OK":
            yield f"{way}: {reply}"
            return
        seen = _seen(to, _RESTORED)
        if seen != original:
            yield f"{way}: {seen!r:.600}\n  is not {original!r:.600}"
        left = to.call("PTTL", _RESTORED)
        if not _TTL - 60_000 < left <= _TTL:
            yield f"{way}: {left} milliseconds left"
        if to is self._here or self._dialect.version >= (7, 2):
            one, other = (to.call("OBJECT", "ENCODING", key) for key in (_KEY, _RESTORED))
            # A string that was changed in place is stored as any other one then.
            if one != other and one != b"raw":
                yield f"{way}: stored as {other!r}, not {one!r}"

    def _same_times(self) -> Iterator[str]:
        """Of what is pending: the original's, here, and those of ours that was restored there."""
        if self._here.call("TYPE", _KEY) == "stream":
            original, restored = _times(self._here, _KEY), _times(self._there, _RESTORED)
            if original != restored:
                yield f"times: {restored!r:.600}\n  are not {original!r:.600}"

    def _same_bytes(self, name: str, ours: bytes, theirs: bytes) -> Iterator[str]:
        """Byte for byte, if the other one is Redis 7.0."""
        if self._writes_the_same and name not in _ARBITRARY and ours != theirs:
            yield f"other bytes: {ours[:200].hex()}\n  are not {theirs[:200].hex()}"

    def payload(self, name: str, payload: bytes) -> Finding:
        """A payload that neither of them has made; both take it, and see the same."""
        if not self._dialect.is_redis and payload[0] == 22:
            return name, 0, ""
        said, seen = [], []
        for connection in (self._here, self._there):
            connection.call("FLUSHALL")
            if connection is self._there and self._dialect.version < (7, 2):
                payload = sealed(payload[:-FOOTER])
            said.append(connection.call("RESTORE", _KEY, 0, payload))
            seen.append(_common(_seen(connection, _KEY)))
        if said[0] != "OK" or said[1] != "OK" or seen[0] != seen[1]:
            return name, 2, f"{said} {seen[0]!r:.600}\n  is not {seen[1]!r:.600}"
        return name, 2, ""

    def newer(self, name: str, payload: bytes, held: bool) -> Finding:
        """A payload that we take, or say that there is no place for. The other one may know its version, or not."""
        self._here.call("FLUSHALL")
        self._there.call("FLUSHALL")
        ours, theirs = (each.call("RESTORE", _KEY, 0, payload) for each in (self._here, self._there))
        if (ours == "OK") != held or (not held and "is not supported" not in str(ours)):
            return name, 1, f"said: {ours}"
        if held and theirs == "OK":
            one, other = (_common(_seen(each, _KEY)) for each in (self._here, self._there))
            if one != other:
                return name, 2, f"{one!r:.600}\n  is not {other!r:.600}"
        return name, 2, ""

    def with_deadlines(self, name: str, commands: tuple[Command, ...]) -> Finding:
        """A hash whose fields expire, as this server writes it."""
        self._there.call("FLUSHALL")
        self._there.pipeline(*commands)
        reply = self._here.call("RESTORE", _KEY, 0, self._there.call("DUMP", _KEY), "REPLACE")
        expected = "ERR Bad data format: a hash with fields that expire is not supported"
        return name, 1, "" if str(reply) == expected else f"said: {reply}"

    def functions(self) -> Finding:
        """A library of functions, sent from each to the other; with Redis 7.0, the same bytes."""
        found = []
        dumped = []
        for connection in (self._here, self._there):
            delete_libraries(connection)
            connection.call("FUNCTION", "LOAD", _LIBRARY)
            dumped.append(connection.call("FUNCTION", "DUMP"))
        if self._writes_the_same and dumped[0] != dumped[1]:
            found.append(f"other bytes: {dumped[0].hex()}\n  are not {dumped[1].hex()}")
        for connection, payload in zip((self._there, self._here), dumped, strict=True):
            delete_libraries(connection)
            said = connection.call("FUNCTION", "RESTORE", payload), connection.call("FCALL", "f", 1, "k")
            if said != ("OK", b"k"):
                found.append(f"restored: {said}")
            delete_libraries(connection)
        return "functions", 4, "\n".join(found)

    def errors(self) -> Finding:
        """What is no payload, or one that is wrong: the same words, and nothing changes."""
        found = []
        for body in _BROKEN:
            said = []
            for connection in (self._here, self._there):
                connection.call("FLUSHALL")
                connection.call("CONFIG", "SET", "sanitize-dump-payload", "yes")
                said.append(connection.call("RESTORE", _KEY, 0, sealed(body)))
                connection.call("CONFIG", "SET", "sanitize-dump-payload", "no")
            if not isinstance(said[0], ReplyError) or str(said[0]) != str(said[1]) or self._here.call("DBSIZE"):
                found.append(f"{body.hex()}: {said}")
        return "broken payloads", len(_BROKEN), "\n".join(found)


# Wrong in one way each: see what is done to them in `compat.fuzz_rdb` for all others.
_BROKEN = (
    b"",
    b"\x00",
    b"\x08\x00",
    b"\x22\x00",
    b"\x01\x00",  # an empty list
    b"\x02\x00",
    b"\x04\x00",
    b"\x05\x00",
    b"\x12\x00",
    b"\x02\x02\x01a\x01a",  # twice the same
    b"\x04\x02\x01a\x01b\x01a\x01c",
    b"\x05\x02\x01a" + bytes(8) + b"\x01a" + bytes(8),
    b"\x05\x01\x01a\x00\x00\x00\x00\x00\x00\xf8\x7f",  # not a number
    b"\x03\x01\x01a\xfd",
    b"\x10\x0a\x0a\x00\x00\x00\x01\x00\x81a\x02\xff",  # a field without a value
    b"\x10\x07\x07\x00\x00\x00\x00\x00\xff",  # an empty listpack
    b"\x11\x07\x07\x00\x00\x00\x00\x00\xff",
    b"\x12\x01\x02\x07\x07\x00\x00\x00\x00\x00\xff",
    b"\x12\x01\x03\x01a",  # a node of an unknown kind
    b"\x12\x01\x01\x00",  # an empty plain node
    b"\x0b\x0c\x02\x00\x00\x00\x02\x00\x00\x00\x05\x00\x01\x00",  # an intset out of order
    b"\x0b\x08\x02\x00\x00\x00\x00\x00\x00\x00",
    b"\x00\xc3\x03\x05\x20\x00\x00",
    b"\x06\x00",
)


def _seen(connection: Connection, key: str) -> Any:
    """Everything that can be seen of a value, but times and what depends on the past."""
    kind = str(connection.call("TYPE", key))
    replies = []
    for name, *rest in _READERS.get(kind, ()):
        words = str(name).split()
        reply = connection.call(*words, key, *rest)
        if words[0] == "SMEMBERS":
            reply = sorted(reply)
        elif words[0] == "HGETALL":
            reply = sorted(_as_map(reply).items())
        replies.append(_pruned(reply) if words[0] == "XINFO" else reply)
    return kind, replies


def _pairs(reply: list[Any]) -> Any:
    """A flat list of names and values (RESP2's maps) as a dict; any other list as it is."""
    if len(reply) % 2 == 0 and reply and all(isinstance(name, bytes) for name in reply[::2]):
        return dict(zip(reply[::2], reply[1::2], strict=True))
    return reply


def _pruned(reply: Any) -> Any:
    """The reply of XINFO STREAM without times."""
    if isinstance(reply, list):
        return _pruned_list(reply)
    if isinstance(reply, dict):
        dropped = (b"seen-time", _LOST, *_LAYOUT)
        return {name: _pruned(value) for name, value in reply.items() if name not in dropped}
    return reply


def _pruned_list(reply: list[Any]) -> Any:
    pairs = _pairs(reply)
    if isinstance(pairs, dict) and (b"length" in pairs or b"name" in pairs):
        return _pruned(pairs)
    # A delivery: in a group (id, consumer, time, count), or at its consumer (id, time, count).
    if len(reply) in (3, 4) and isinstance(reply[-1], int) and isinstance(reply[-2], int):
        return [*reply[:-2], reply[-1]]
    return [_pruned(item) for item in reply]


def _times(connection: Connection, key: str) -> Any:
    """When consumers were seen, and when entries were delivered."""
    found = []
    full = connection.call("XINFO", "STREAM", key, "FULL", "COUNT", 0)
    for group in _as_map(full)[b"groups"]:
        described = _as_map(group)
        for consumer in described[b"consumers"]:
            seen = _as_map(consumer)
            found.append((described[b"name"], seen[b"name"], seen[b"seen-time"], _deliveries(seen)))
    return found


def _deliveries(consumer: dict[Any, Any]) -> Any:
    return consumer.get(b"pending", consumer.get(b"pel"))


def _as_map(reply: Any) -> dict[Any, Any]:
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))


def _common(seen: Any) -> Any:
    """Without what only newer versions show, and what they count otherwise."""
    kind, replies = seen
    return kind, replies[:2] if kind == "stream" else replies
