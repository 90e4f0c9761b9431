"""XREAD: the entries of several streams after an id each; and the words that XREAD and XREADGROUP share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.streams.ids import entries_reply, format_id, parse_id
from respcache.commands.table import BLOCKING, READONLY, InParts, StreamKeys, family
from respcache.datatypes.stream import Stream
from respcache.datatypes.stream_ids import MIN_ID, StreamID
from respcache.errors import (
    GROUP_MISSING,
    GROUP_ONLY_IN_XREADGROUP,
    NEW_ONLY_IN_XREADGROUP,
    NOACK_ONLY_IN_XREADGROUP,
    CommandError,
    WrongSyntax,
    unbalanced_streams,
)
from respcache.resp.types import NULL_ARRAY, Entries, PairedMap, Reply
from respcache.store.waiting import Blocked

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.commands.args import Args
    from respcache.resp.types import Argv
    from respcache.store.shard import Shard

command = family("stream")


class Reading:
    """The words of one XREAD or XREADGROUP."""

    __slots__ = ("_argv", "consumer", "count", "group", "ids", "keys", "noack", "timeout")

    def __init__(self, args: Args, now: int, *, of_group: bool) -> None:
        """Raises CommandError. The ids are not checked."""
        # The most entries to return for each stream, None for all.
        self.count: int | None = None
        # How long to wait, in milliseconds, 0 for ever; None without BLOCK.
        self.timeout: int | None = None
        self.group = b""
        self.consumer = b""
        self.noack = False
        if not self._take_options(args, now, of_group) and of_group:
            raise CommandError(GROUP_MISSING)
        self._argv = args.argv
        words = args.rest()
        half = len(words) // 2
        # The names of the streams, and for each the id in words.
        self.keys, self.ids = words[:half], words[half:]

    def _take_options(self, args: Args, now: int, of_group: bool) -> bool:
        """Take the words up to STREAMS. True if the option GROUP was among them."""
        has_group = False
        argv, length = args.argv, len(args.argv)
        while args.at < length:
            option = argv[args.at].upper()
            args.at += 1
            left = length - args.at
            if option == b"STREAMS" and left:
                if left % 2:
                    raise unbalanced_streams(*(("xreadgroup", ">") if of_group else ("xread", "$")))
                return has_group
            if option == b"COUNT" and left:
                self.count = max(args.int(), 0) or None
            elif option == b"GROUP" and left > 1:
                if not of_group:
                    raise CommandError(GROUP_ONLY_IN_XREADGROUP)
                self.group, self.consumer = argv[args.at : args.at + 2]
                args.at += 2
                has_group = True
            elif option == b"BLOCK" and left:
                self.timeout = args.timeout_ms(now)
            elif option == b"NOACK":
                if not of_group:
                    raise CommandError(NOACK_ONLY_IN_XREADGROUP)
                self.noack = True
            else:
                raise WrongSyntax
        raise WrongSyntax

    def words_from(self, ids: list[StreamID]) -> Argv:
        """The words of the command with each ``$`` replaced by the id in its place."""
        words = [format_id(id) if word == b"$" else word for word, id in zip(self.ids, ids, strict=True)]
        return StreamKeys.with_ids(self._argv, words)


def may_wait(argv: Argv) -> bool:
    """Whether a call of XREAD or XREADGROUP has the option BLOCK."""
    at, length = 1, len(argv)
    while at < length:
        option = argv[at].upper()
        if option == b"STREAMS":
            return False
        if option == b"BLOCK":
            return True
        at += _STEPS.get(option, 1)
    return False


# How many words an option has, with its name.
_STEPS = {b"COUNT": 2, b"GROUP": 3}


def check_each(reading: Reading, checked: Callable[[bytes, bytes], bytes]) -> list[tuple[bytes, str]]:
    """For `InParts`: the word to go on with for each key, and its error. `checked` is called with key and id."""
    answers = []
    for key, word in zip(reading.keys, reading.ids, strict=True):
        try:
            answers.append((checked(key, word), ""))
        except CommandError as error:
            answers.append((word, error.text))
    return answers


def check(shard: Shard, args: Args) -> list[tuple[bytes, str]]:
    """See `InParts`."""
    reading = Reading(args, shard.now, of_group=False)
    return check_each(reading, lambda key, word: format_id(_after(shard.find(key, Stream), word)))


def find(shard: Shard, args: Args) -> list[tuple[int, bytes, Reply]]:
    """See `InParts`."""
    reading = Reading(args, shard.now, of_group=False)
    found: list[tuple[int, bytes, Reply]] = []
    for number, (key, word) in enumerate(zip(reading.keys, reading.ids, strict=True)):
        entries = _entries(shard, key, parse_id(word), reading.count)
        if entries:
            found.append((number, key, entries))
    if not found and reading.timeout is not None:
        raise Blocked(reading.keys, reading.timeout, NULL_ARRAY, (Stream,))
    return found


@command(
    "XREAD",
    "[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
    arity=-4,
    keys=StreamKeys(1, access="RO ACCESS"),
    flags=READONLY | BLOCKING,
    waits=may_wait,
    in_parts=InParts(check, find),
    since="5.0.0",
)
def xread(shard: Shard, args: Args) -> Reply:
    """Return the entries of streams with higher ids than given, waiting for them if asked to."""
    reading = Reading(args, shard.now, of_group=False)
    ids = [_after(shard.find(key, Stream), word) for key, word in zip(reading.keys, reading.ids, strict=True)]

    found = PairedMap()
    for key, id in zip(reading.keys, ids, strict=True):
        entries = _entries(shard, key, id, reading.count)
        if entries:
            found.append((key, entries))
    if found:
        return found
    if reading.timeout is None:
        return NULL_ARRAY
    raise Blocked(reading.keys, reading.timeout, NULL_ARRAY, (Stream,), argv=reading.words_from(ids))


def _after(stream: Stream | None, word: bytes) -> StreamID:
    """The id after which to read. Raises CommandError."""
    if word == b"$":
        return MIN_ID if stream is None else stream.last_id
    if word == b"+":  # since Redis 7.4: the last entry
        return stream.last_entry_id - 1 if stream else MIN_ID
    if word == b">":
        raise CommandError(NEW_ONLY_IN_XREADGROUP)
    return parse_id(word)


def _entries(shard: Shard, key: bytes, id: StreamID, count: int | None) -> Entries | None:
    """The first `count` entries of a stream after an id."""
    # Redis looks keys up again here, which shows in the counts of hits and misses.
    stream = shard.find(key, Stream)
    if stream is None or stream.last_entry_id <= id:
        return None
    return entries_reply(stream.range(id + 1, count=count))
