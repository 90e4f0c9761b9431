"""One command as the rules see it, and how keys and commands are shown."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from respcache.commands.table import READONLY, Reach
from respcache.server.services.secret_words import before_secrets

if TYPE_CHECKING:
    from respcache.commands.table import Command
    from respcache.config import Config
    from respcache.resp.types import Argv
    from respcache.server.services.lint.profiles import Profile

# What is kept of a key and of a command, in bytes.
_LONGEST_KEY = 128
_LONGEST_WORD = 64
_MOST_WORDS = 12
# Ids: UUIDs, long hexadecimal numbers, numbers.
_IDS = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|(?=[a-fA-F]*[0-9])[0-9a-fA-F]{12,}|[0-9]+")
_PLAIN = re.compile(rb"[^\s\"'\\\x00-\x1f\x7f-\xff]+")


class Call:
    """A command that is about to run or to be queued by MULTI, or one that a script has called.

    script: the SHA of that, or the name of the function; empty if it is none.
    """

    def __init__(
        self, client: Any, row: Command, argv: Argv, config: Config, profile: Profile, script: bytes = b""
    ) -> None:
        self.client = client  # a `respcache.server.clients.client.Client`
        self.row = row
        self.name = row.name  # in upper case, a subcommand after a blank
        self.argv = argv
        self.config = config
        self.profile = profile
        self.script = script

    @property
    def in_multi(self) -> bool:
        """True if it is about to be queued, or if it is what ends the queue."""
        return self.client.transaction is not None

    @cached_property
    def keys(self) -> list[bytes]:
        """All its keys, in the order of the specifications. An incomplete group is left to the handler."""
        if (len(self.argv) - self.row.min_words) % self.row.step:
            return []
        return [self.argv[at] for at in self.row.key_positions(self.argv)]

    @property
    def writes(self) -> bool:
        """True if it may change its keys."""
        return bool(self.keys) and (self.row.reach is Reach.SCRIPT or not self.row.flags & READONLY)

    def option(self, at: int) -> bytes:
        """A word in upper case; empty if there is none."""
        return self.argv[at].upper() if at < len(self.argv) else b""

    def has_option(self, name: bytes, start: int = 2) -> bool:
        """True if one of the words from `start` on is this option."""
        return any(word.upper() == name for word in self.argv[start:])


def pattern_of(key: bytes) -> bytes:
    """A key with a star in the place of each id: keys that differ only in ids have one pattern."""
    return _IDS.sub(b"*", key[:_LONGEST_KEY])


def clipped(key: bytes) -> bytes:
    """What is shown of a key."""
    return key if len(key) <= _LONGEST_KEY else key[:_LONGEST_KEY] + b"..."


def kept_words(argv: Argv) -> list[bytes]:
    """The first words of a command, each as far as it is kept, up to a password."""
    return [word[:_LONGEST_WORD] for word in before_secrets(argv)[:_MOST_WORDS]]


def shown(argv: Argv) -> bytes:
    """A command as one would type it into redis-cli, shortened where it is long."""
    kept = kept_words(argv)
    words = [_quoted(word) + (b"..." if len(argv[at]) > len(word) else b"") for at, word in enumerate(kept)]
    return b" ".join(words) + (b" ..." if len(argv) > len(kept) else b"")


def _quoted(word: bytes) -> bytes:
    if _PLAIN.fullmatch(word):
        return word
    return b'"' + b"".join(map(_escaped, word)) + b'"'


def _escaped(char: int) -> bytes:
    known = {10: b"\\n", 13: b"\\r", 9: b"\\t", 34: b'\\"', 92: b"\\\\"}.get(char)
    if known is not None:
        return known
    return bytes((char,)) if 32 <= char < 127 else b"\\x%02x" % char
