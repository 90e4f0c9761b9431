"""Stream ids as clients write and see them: ``1526919030474-55``. As redis 7.2 `streamGenericParseIDOrReply`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from respcache.commands.args import parse_int
from respcache.datatypes.stream_ids import MAX_ID, MAX_PART, MIN_ID, StreamID
from respcache.errors import BAD_END_ID, BAD_START_ID, BAD_STREAM_ID, CommandError
from respcache.resp.types import Entries

if TYPE_CHECKING:
    from collections.abc import Iterable

    from respcache.datatypes.stream import Entry
    from respcache.resp.types import Reply

# The longest text that Redis reads as an id, in bytes.
_LONGEST = 127

# What C's strtoull takes.
_UNSIGNED = re.compile(rb"[ \t\n\v\f\r]*([+-]?)([0-9]+)")


def format_id(id: StreamID) -> bytes:
    """An id as clients see it."""
    return b"%d-%d" % (id >> 64, id & MAX_PART)


def entry_reply(entry: Entry) -> Reply:
    """An entry as XRANGE returns it: its id, and an array of fields and values."""
    id, fields = entry
    return (b"%d-%d" % (id >> 64, id & MAX_PART), fields)


def entries_reply(entries: Iterable[Entry]) -> Entries:
    """Entries as XRANGE returns them."""
    return Entries([(b"%d-%d" % (id >> 64, id & MAX_PART), fields) for id, fields in entries])


def parse_id(text: bytes, missing: int = 0) -> StreamID:
    """An id from its text. `missing` is the sequence number if there is none. Raises CommandError, also for - and +."""
    milliseconds, dash, sequence = _split(text)
    if milliseconds is None:
        raise CommandError(BAD_STREAM_ID)
    number = _number(sequence) if dash else missing
    if number is None:
        raise CommandError(BAD_STREAM_ID)
    return milliseconds << 64 | number


def parse_new_id(text: bytes) -> tuple[StreamID, bool]:
    """The id for XADD, and whether its sequence number is left to the server (``ms-*``; then it is 0 here)."""
    milliseconds, _, sequence = _split(text)
    if sequence == b"*" and milliseconds is not None:
        return milliseconds << 64, True
    return parse_id(text), False


def parse_bound(text: bytes, missing: int) -> tuple[StreamID, bool]:
    """An end of a range, and whether it is exclusive; ``-`` and ``+`` are the lowest and the highest id."""
    if text[:1] == b"(" and len(text) > 1:
        return parse_id(text[1:], missing), True
    special = _c_string(text)
    if special == b"-":
        return MIN_ID, False
    if special == b"+":
        return MAX_ID, False
    return parse_id(text, missing), False


def parse_start(word: bytes) -> StreamID:
    """The lowest id of a range. Raises CommandError."""
    id, exclusive = parse_bound(word, missing=0)
    if exclusive and id == MAX_ID:
        raise CommandError(BAD_START_ID)
    return id + exclusive


def parse_end(word: bytes) -> StreamID:
    """The highest id of a range. Raises CommandError."""
    id, exclusive = parse_bound(word, missing=MAX_PART)
    if exclusive and id == MIN_ID:
        raise CommandError(BAD_END_ID)
    return id - exclusive


def _split(text: bytes) -> tuple[int | None, bytes, bytes]:
    """The milliseconds, None if they are invalid; the dash, if there is one; what follows it."""
    milliseconds, dash, sequence = _c_string(text).partition(b"-")
    return (_number(milliseconds) if len(text) <= _LONGEST else None), dash, sequence


def _c_string(text: bytes) -> bytes:
    return text.partition(b"\0")[0]


def _number(text: bytes) -> int | None:
    """An unsigned 64-bit number, or None. As redis `string2ull`, which uses strtoull for unusual forms."""
    if text.isdigit():
        value = int(text)
        return value if value <= MAX_PART else None
    match = _UNSIGNED.fullmatch(text)
    if match is None or parse_int(text) is not None:  # one that parse_int takes is negative
        return None
    value = int(match[2])
    if value > MAX_PART:
        return None
    return -value & MAX_PART if match[1] == b"-" else value
