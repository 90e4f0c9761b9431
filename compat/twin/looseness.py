"""Where two servers may answer differently, and why: named kinds of equality.

`same` is the rule; the commands with another rule are in `OF`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.support.resp import ReplyError, SetItems

Equal = Callable[[Any, Any], bool]


def same(ours: Any, theirs: Any) -> bool:
    """Equal values of equal RESP types, all the way down."""
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, SetItems):
        return _sorted(ours) == _sorted(theirs)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, ReplyError):
        return str(ours) == str(theirs)
    return bool(ours == theirs)


def same_sorted(ours: Any, theirs: Any) -> bool:
    """Lists with the same items in any order."""
    if isinstance(ours, list) and isinstance(theirs, list) and type(ours) is type(theirs):
        return _sorted(ours) == _sorted(theirs)
    return same(ours, theirs)


def same_pairs_sorted(ours: Any, theirs: Any) -> bool:
    """Flat lists of pairs (RESP2's maps) with the same pairs in any order."""
    if type(ours) is list and type(theirs) is list:
        return _sorted(_paired(ours)) == _sorted(_paired(theirs))
    return same(ours, theirs)


def same_shape(ours: Any, theirs: Any) -> bool:
    """Equal RESP types, and lists of equal lengths, whatever is in them; errors are the same."""
    if isinstance(ours, ReplyError) or isinstance(theirs, ReplyError):
        return same(ours, theirs)
    if type(ours) is not type(theirs):
        return False
    return not isinstance(ours, list) or len(ours) == len(theirs)


def same_error(ours: Any, theirs: Any) -> bool:
    """Both fail with the same text, or neither fails."""
    if isinstance(ours, ReplyError) or isinstance(theirs, ReplyError):
        return same(ours, theirs)
    return True


def same_if_fine(ours: Any, theirs: Any) -> bool:
    """Equal, unless one of them fails: for commands where versions of Redis check in a different order."""
    return isinstance(ours, ReplyError) or isinstance(theirs, ReplyError) or same(ours, theirs)


def same_but_wording(ours: Any, theirs: Any) -> bool:
    """Equal, or two errors."""
    return (isinstance(ours, ReplyError) and isinstance(theirs, ReplyError)) or same(ours, theirs)


def same_if_balanced(ours: Any, theirs: Any) -> bool:
    """Equal, or errors that complain of different numbers of keys and ids in any words."""
    if isinstance(ours, ReplyError) and isinstance(theirs, ReplyError):
        return same(ours, theirs) or ("Unbalanced" in str(ours) and "Unbalanced" in str(theirs))
    return same(ours, theirs)


def same_positions(ours: Any, theirs: Any) -> bool:
    """Equal, except that positions may have more or fewer decimals: 13 are compared, far less than a metre."""
    return same(_with_short_positions(ours), _with_short_positions(theirs))


def _with_short_positions(reply: Any) -> Any:
    """A reply with fewer decimals in each array of two numbers."""
    if not isinstance(reply, list):
        return reply
    if len(reply) == 2 and all(_DEGREES.fullmatch(_as_text(item)) for item in reply):
        return [f"{float(_as_text(item)):.13f}" for item in reply]
    return type(reply)(map(_with_short_positions, reply))


def _as_text(item: Any) -> str:
    return item.decode("latin-1") if isinstance(item, bytes) else str(item)


_DEGREES = re.compile(r"-?\d{1,3}(\.\d+)?(e-\d+)?")


def served_elsewhere(ours: Any, theirs: Any) -> bool:
    """For a client that waited for keys on several shards, of which others waited for some: both servers served it, but
    with elements of different keys (difference "waiting-for-several-shards")."""
    return isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs) and ours[0] != theirs[0]


def uncompared(_ours: Any, _theirs: Any) -> bool:
    """Always true."""
    return True


def within(tolerance: int) -> Equal:
    """Numbers at most `tolerance` apart: for times, since time passes between the two calls."""

    def equal(ours: Any, theirs: Any) -> bool:
        if type(ours) is int and type(theirs) is int:
            return abs(ours - theirs) <= tolerance and (ours < 0) == (theirs < 0)
        return same(ours, theirs)

    return equal


def same_but_times(ours: Any, theirs: Any) -> bool:
    """Equal, except that times (of the day, or those that a consumer was idle) may be some seconds apart."""
    return same(_marked(ours, theirs), theirs)


# Milliseconds that times may differ by.
_APART = 5000
# Numbers from here on are times of the day in milliseconds.
_TIMES = 10**12
_IDLE = (b"idle", b"inactive")


def _marked(ours: Any, theirs: Any, is_idle: bool = False) -> Any:
    """Our value, with theirs in place of each time that is close to it."""
    if type(ours) is not type(theirs):
        return ours
    if isinstance(ours, dict):
        return {key: _marked(value, theirs.get(key), key in _IDLE) for key, value in ours.items()}
    if isinstance(ours, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return type(ours)(_marked(one, other, at > 0 and ours[at - 1] in _IDLE) for at, (one, other) in pairs)
    is_time = type(ours) is int and (is_idle or min(ours, theirs) >= _TIMES)
    return theirs if is_time and abs(ours - theirs) <= _APART and (ours < 0) == (theirs < 0) else ours


def same_but_idle_times(ours: Any, theirs: Any) -> bool:
    """For XPENDING: equal, except that entries may have been idle for some seconds more or less."""
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return all(map(_same_pending, ours, theirs))
    return same(ours, theirs)


def _same_pending(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs) == 4:
        return within(_APART)(ours[2], theirs[2]) and same([*ours[:2], ours[3]], [*theirs[:2], theirs[3]])
    return same(ours, theirs)


def same_without(*names: bytes) -> Callable[[Equal], Equal]:
    """Turns an equality into one that leaves fields of maps out."""

    def strip(reply: Any) -> Any:
        if isinstance(reply, dict):
            return {key: strip(value) for key, value in reply.items() if key not in names}
        if isinstance(reply, list):
            kept = (
                item for at, item in enumerate(reply) if item not in names and (not at or reply[at - 1] not in names)
            )
            return type(reply)(map(strip, kept))
        return reply

    return lambda equal: lambda ours, theirs: equal(strip(ours), strip(theirs))


def same_but_addresses(ours: Any, theirs: Any) -> bool:
    """For scripts: equal, except for the addresses in the names of Lua's tables and functions."""
    return same(_without_addresses(ours), _without_addresses(theirs))


def same_shape_if_fine(ours: Any, theirs: Any) -> bool:
    """As `same_shape`, unless one of them fails."""
    return isinstance(ours, ReplyError) or isinstance(theirs, ReplyError) or same_shape(ours, theirs)


_ADDRESS = re.compile(rb"\b0x[0-9a-f]{6,}\b")


def _without_addresses(reply: Any) -> Any:
    if isinstance(reply, list):
        return type(reply)(map(_without_addresses, reply))
    if isinstance(reply, dict):
        return {key: _without_addresses(value) for key, value in reply.items()}
    if isinstance(reply, bytes):
        return _ADDRESS.sub(b"0x", reply)
    if isinstance(reply, ReplyError):
        return ReplyError(
            _ADDRESS.sub(b"0x", str(reply).encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
        )
    return reply


def same_but_which(ours: Any, theirs: Any) -> bool:
    """For FUNCTION LOAD: equal, except which of several functions is said to exist already."""
    if isinstance(ours, ReplyError) and isinstance(theirs, ReplyError):
        return same(*(ReplyError(_FUNCTION_EXISTS.sub("", str(error))) for error in (ours, theirs)))
    return same_but_addresses(ours, theirs)


_FUNCTION_EXISTS = re.compile(r"(?<=Function )\w+(?= already exists)")


def same_libraries(ours: Any, theirs: Any) -> bool:
    """For FUNCTION LIST: the same libraries, and the same functions in each, in any order."""
    return same(_in_order(ours), _in_order(theirs))


def _in_order(reply: Any) -> Any:
    if isinstance(reply, dict):
        return {key: _in_order(value) for key, value in reply.items()}
    if isinstance(reply, list):
        nested = list(map(_in_order, reply))
        return type(reply)(sorted(nested, key=repr) if reply and isinstance(reply[0], dict | list) else nested)
    return reply


def _sorted(items: Any) -> list[Any]:
    return sorted(items, key=repr)


def _paired(items: list[Any]) -> list[Any]:
    return list(zip(items[::2], items[1::2], strict=False))


_UNORDERED = "Redis promises no order: it uses that of its hash table"
_RANDOM = "random"
_TIME = "time passes between the two calls"

_WORDING = "Valkey words the errors of scripts in its own way"
_SCRIPTING = ("EVAL", "EVAL_RO", "EVALSHA", "EVALSHA_RO", "FCALL", "FCALL_RO", "FUNCTION LOAD")

# Command -> how its replies are compared, and why.
OF: Mapping[str, tuple[Equal, str]] = {
    **dict.fromkeys(("KEYS", "SMEMBERS", "SINTER", "SUNION", "SDIFF", "HKEYS", "HVALS"), (same_sorted, _UNORDERED)),
    "HGETALL": (same_pairs_sorted, _UNORDERED),
    **dict.fromkeys(("SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER"), (same_error, _RANDOM)),
    "RANDOMKEY": (same_error, _RANDOM),
    **dict.fromkeys(("SCAN", "SSCAN", "HSCAN", "ZSCAN"), (same_error, "cursors differ between implementations")),
    **dict.fromkeys(("PTTL", "PEXPIRETIME"), (within(2000), _TIME)),
    **dict.fromkeys(("TTL", "EXPIRETIME"), (within(2), _TIME)),
    "OBJECT IDLETIME": (within(2), _TIME),
    "MEMORY USAGE": (same_error, "the data structures differ"),
    **dict.fromkeys(("XINFO STREAM", "XINFO CONSUMERS"), (same_but_times, _TIME)),
    "XPENDING": (same_but_idle_times, _TIME),
    **dict.fromkeys(_SCRIPTING, (same_but_addresses, "Lua shows where in memory a table is")),
    "FUNCTION LIST": (same_libraries, _UNORDERED),
    "FUNCTION LOAD": (same_but_which, _UNORDERED),
    "FUNCTION DUMP": (same_error, "holds the version of the server"),
}

# Commands that the generated sequences leave out, and why.
LEFT_OUT: Mapping[str, str] = {
    "SPOP": "random: the servers would hold different data afterwards",
    **dict.fromkeys(("FLUSHALL", "FLUSHDB", "SWAPDB"), "would leave little data for the rest of a sequence"),
    **dict.fromkeys(("SHUTDOWN", "QUIT", "RESET", "HELLO", "AUTH", "SELECT"), "about the connection: in transcripts"),
    **dict.fromkeys(("MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH"), "sequences have their own transactions"),
    **dict.fromkeys(("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"), "changes the form of replies: in transcripts"),
    **dict.fromkeys(("UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"), "as SUBSCRIBE"),
    **dict.fromkeys(
        ("CLIENT", "CONFIG", "COMMAND", "DEBUG", "INFO", "MEMORY", "LOLWUT", "RESPCACHE", "TIME"),
        "about the server, not the data: in transcripts and tables",
    ),
    "PUBSUB": "about clients: in transcripts",
    "OBJECT FREQ": "needs an LFU policy: in transcripts",
    "MIGRATE": "goes to another server: in tests",
    "PFSELFTEST": "takes Redis seconds, and its data are its own",
    "OBJECT REFCOUNT": "COPY gives a small integer an object of its own (difference `encodings`): in tests",
    "OBJECT HELP": "the prose is our own",
    "SORT": "with BY or GET, the order of some types is that of the hash table: in transcripts",
    "SORT_RO": "as SORT",
    "DUMP": "streams hold times of the server's clock, and sets have orders of their own: in the part payloads",
    **dict.fromkeys(("SLOWLOG GET", "SLOWLOG LEN"), "what is slow depends on the machine: in transcripts and tests"),
    "LATENCY HISTOGRAM": "how long commands take: in tests",
    **dict.fromkeys(("LATENCY DOCTOR", "LATENCY HELP", "SLOWLOG HELP"), "the prose is our own"),
    **dict.fromkeys(("XINFO HELP", "XGROUP HELP", "SCRIPT HELP", "FUNCTION HELP"), "the prose is our own"),
    **dict.fromkeys(
        ("MONITOR", "ROLE", "LASTSAVE", "REPLICAOF", "SLAVEOF"), "about the server: tests run them on both"
    ),
    **dict.fromkeys(("WAIT", "WAITAOF"), "wait for replicas: tests run them on both"),
    "FUNCTION FLUSH": "sometimes ends Redis 8.0.6 with a signal: in transcripts",
    "SCRIPT DEBUG": "waits for a debugger, or refuses to: in transcripts",
}


_CONSUMERS = (
    "since 7.2 a consumer that gets nothing is created too, its last activity is known, and the lag of a group is told "
    "in more cases"
)
_UNBALANCED = "the error for different numbers of keys and ids was reworded in 7.2, and XREAD's again in 7.4"
# What is left out of the description of a stream for these reasons.
OLDER_STREAMS = (b"consumers", b"inactive", b"active-time", b"lag")

# The same for servers that differ from Redis 7.2.
OF_OLDER: Mapping[str, tuple[Equal, str]] = {
    **dict.fromkeys(("XINFO STREAM", "XINFO GROUPS"), (same_without(*OLDER_STREAMS)(same_but_times), _CONSUMERS)),
    **dict.fromkeys(("XINFO CONSUMERS", "XGROUP CREATECONSUMER"), (same_error, _CONSUMERS)),
    **dict.fromkeys(("XREAD", "XREADGROUP"), (same_if_balanced, _UNBALANCED)),
    "OBJECT ENCODING": (same_shape, "7.2 introduced listpacks for lists and sets"),
    **dict.fromkeys(("BITCOUNT", "BITPOS"), (same_if_fine, "7.4 checks the range before the key; so does respcache")),
}
_RADIUS_SEARCHES = ("GEORADIUS", "GEORADIUS_RO", "GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO")
_SEARCHES = ("GEOSEARCH", "GEOSEARCHSTORE", *_RADIUS_SEARCHES)
OF_NEWER: Mapping[str, tuple[Equal, str]] = {
    **dict.fromkeys(("SCAN", "SSCAN", "HSCAN", "ZSCAN"), (uncompared, "refuse an empty cursor, which 7.2 takes as 0")),
    "XREAD": (same_if_balanced, _UNBALANCED),
    **dict.fromkeys(("GEOPOS", *_SEARCHES), (same_positions, "7.4 shows positions with the shortest digits")),
}
OF_VALKEY: Mapping[str, tuple[Equal, str]] = {
    **OF_NEWER,
    "GEOPOS": (same, "Valkey shows positions as 7.2 does"),
    **dict.fromkeys(_SEARCHES, (same_but_wording, "Valkey words the errors of searches in its own way")),
    **dict.fromkeys(("BITCOUNT", "BITPOS"), (same_if_fine, "Valkey checks the numbers before the number of arguments")),
    "OBJECT REFCOUNT": (same_error, "Valkey shares no integers between keys"),
    "GETEX": (same_if_fine, "Valkey checks the time before the type of the key"),
    "SCRIPT LOAD": (same_if_fine, _WORDING),
    **dict.fromkeys(_SCRIPTING, (same_shape_if_fine, _WORDING)),
    **dict.fromkeys(
        ("XINFO STREAM", "XINFO GROUPS"),
        (same_without(b"lag")(same_but_times), "Valkey counts the lag as Redis 7.0 does"),
    ),
}


# What scripts may call since 7.2, where it does not wait; a library that they have since; and errors with new words.
_CHANGED_IN_SCRIPTS = re.compile(r"\('(?:BLPOP|BLMOVE|BZPOPMIN|WAIT)'|'BLOCK'|\bOS\.|SET_REPL\(\)|REDIS\.LOG\(9")
_HUGE = frozenset(("1E400", "9223372036854775807", "9223372036854775808", "INF"))


class Dialect(NamedTuple):
    """What a genuine server is like: the version of Redis that it corresponds to, and whether it is Redis."""

    version: tuple[int, ...] = (7, 2)
    is_redis: bool = True

    @property
    def has_our_encodings(self) -> bool:
        return self.version >= (7, 2)

    @property
    def left_out_of_streams(self) -> tuple[bytes, ...]:
        """The fields in the description of a stream that are not compared."""
        if not self.has_our_encodings:
            return OLDER_STREAMS
        return () if self.is_redis else (b"lag",)

    def knows(self, call: tuple[str, ...]) -> bool:
        """True if the call means the same to this server. Sequences leave other calls out."""
        words = [word.upper() for word in call]
        by_score_or_name = words[0] == "ZRANGESTORE" and not {"BYSCORE", "BYLEX"}.isdisjoint(words)
        if by_score_or_name and (self.version >= (7, 4) or not self.is_redis):
            return False  # stores a skiplist in 7.2 only
        if not self.is_redis and "0x10" in call:
            return False  # Valkey reads scores by another library, which refuses hexadecimal ones
        if words[0] == "XREAD" and "+" in words and self.version < (7, 4) and self.is_redis:
            return False  # the last entry, since 7.4
        if self.version >= (7, 2):
            return True
        if "STOREDIST" in words:
            return False  # the shortest digits of a score
        if _CHANGED_IN_SCRIPTS.search(" ".join(words)):
            return False
        if words[0].startswith("B") and not _HUGE.isdisjoint(words):
            return False  # 7.0 calls timeouts negative that are too large
        with_score = call[0].upper() in ("ZRANK", "ZREVRANK") and len(call) > 3
        return not with_score and "-0.1" not in call  # 7.2 introduced WITHSCORE, and the shortest digits of a score

    def equality(self, call: tuple[str, ...]) -> Equal:
        """How the replies to a call are compared."""
        words = [word.upper() for word in call]
        for table in (
            {} if self.has_our_encodings else OF_OLDER,
            {} if self.version < (7, 4) else OF_NEWER,
            {} if self.is_redis else OF_VALKEY,
            OF,
        ):
            found = table.get(" ".join(words[:2])) or table.get(words[0])
            if found is not None:
                return found[0]
        return same
