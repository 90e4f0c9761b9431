"""The arguments and the form of the reply that SCAN, HSCAN, SSCAN and ZSCAN share.

Redis checks the cursor first, the key next, and the options last: ``HSCAN no-such-key 0 NONSENSE`` is an empty result.
So there is one function for the cursor and one for the options, and handlers look up the key in between.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from respcache.errors import INVALID_CURSOR, CommandError, WrongSyntax
from respcache.glob import compile_glob

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respcache.commands.args import Args
    from respcache.glob import Matcher
    from respcache.resp.types import Reply

DEFAULT_COUNT = 10

# The words that C's strtoul takes whole: a sign is allowed, and so are leading zeros and the empty word. Python's int()
# refuses more than 4300 digits, so the zeros stay out of its sight.
_CURSOR = re.compile(rb"([+-]?)0*(\d{0,20})")


class ScanOptions:
    """The options after the cursor. `type` is as the client wrote it."""

    __slots__ = ("count", "match", "no_values", "type")

    def __init__(self, match: Matcher | None, count: int, kind: bytes | None, no_values: bool) -> None:
        self.match = match
        self.count = count
        self.type = kind
        self.no_values = no_values


def parse_cursor(word: bytes) -> int:
    """The cursor, 0 to 2**64 - 1. Raises CommandError."""
    found = _CURSOR.fullmatch(word)
    if not found or word in (b"+", b"-"):
        raise CommandError(INVALID_CURSOR)
    cursor = int(found[2] or 0)
    if cursor >= 1 << 64:
        raise CommandError(INVALID_CURSOR)
    return -cursor % (1 << 64) if found[1] == b"-" else cursor  # it wraps around, like an unsigned long in C


def parse_options(args: Args, *, allow_type: bool = False, allow_no_values: bool = False) -> ScanOptions:
    """All remaining words: MATCH, COUNT, and, if allowed, TYPE and NOVALUES. Raises CommandError."""
    match, count, kind, no_values = None, DEFAULT_COUNT, None, False
    while len(args):
        if allow_no_values and args.flag(b"NOVALUES"):
            no_values = True
            continue
        option = args.option()
        if not len(args):
            raise WrongSyntax
        if option == b"COUNT":
            count = args.int()
            if count < 1:
                raise WrongSyntax
        elif option == b"MATCH":
            pattern = args.next()
            match = None if pattern == b"*" else compile_glob(pattern)
        elif option == b"TYPE" and allow_type:
            kind = args.next()
        else:
            raise WrongSyntax
    return ScanOptions(match, count, kind, no_values)


def scan_reply(cursor: int, elements: Sequence[Reply]) -> Reply:
    """The cursor to go on with, and what was found."""
    return [b"%d" % cursor, list(elements)]
