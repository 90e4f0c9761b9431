"""Passwords in commands, whether or not these make sense: the journal, lint, SLOWLOG and MONITOR do not show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respcache.resp.types import Argv

_REDACTED = b"(redacted)"
# Directives that are nobody's business, as in redis' CONFIG REWRITE and SLOWLOG.
_DIRECTIVES = frozenset(
    (b"requirepass", b"masterauth", b"masteruser", b"tls-key-file-pass", b"tls-client-key-file-pass")
)
# Commands that may have passwords -> how many words come before any.
_HARMLESS = {b"AUTH": 1, b"HELLO": 1, b"CONFIG": 2, b"ACL": 2, b"MIGRATE": 1}


def redacted(argv: Argv) -> Argv:
    """The words with others in the place of passwords."""
    secret = _secret_words(argv)
    return [_REDACTED if at in secret else word for at, word in enumerate(argv)] if secret else argv


def before_secrets(argv: Argv) -> Argv:
    """The words up to the first one that may be a password: of a command that has some, little more than its name."""
    return argv[: _HARMLESS.get(argv[0].upper(), len(argv))]


def _secret_words(argv: Argv) -> Sequence[int]:
    """The indexes of passwords."""
    name = argv[0].upper()
    if name not in _HARMLESS:
        return ()
    if name == b"AUTH":
        return range(1, len(argv))
    if name == b"HELLO":
        return _after_options(argv, {b"AUTH": 2}, 1)
    if name == b"CONFIG" and len(argv) > 3 and argv[1].upper() == b"SET":
        # From the second directive on a name may be where a value is expected, and the other way round.
        return [at for at in range(3, len(argv)) if argv[at - 1].lower() in _DIRECTIVES]
    if name == b"ACL" and len(argv) > 3 and argv[1].upper() == b"SETUSER":
        return range(3, len(argv))
    if name == b"MIGRATE":
        return _after_options(argv, {b"AUTH": 1, b"AUTH2": 2}, 6, b"KEYS")
    return ()


def _after_options(argv: Argv, options: dict[bytes, int], start: int, last: bytes | None = None) -> Sequence[int]:
    """The words after these options, as many as each has values. Options begin at `start`, and `last` ends them."""
    found: list[int] = []
    at = start
    while at < len(argv) and (word := argv[at].upper()) != last:
        count = options.get(word, 0)
        found += range(at + 1, min(at + 1 + count, len(argv)))
        at += 1 + count
    return found
