"""The first line of scripts and libraries: ``#!lua flags=no-writes`` and ``#!lua name=mylib``."""

from __future__ import annotations

import re

from respcache import errors
from respcache.errors import CommandError
from respcache.quoting import split_args

# All flags, in the order in which FUNCTION LIST shows them.
FLAGS = (b"no-writes", b"allow-oom", b"allow-stale", b"no-cluster", b"allow-cross-slot-keys")

_NAME = re.compile(rb"[A-Za-z0-9_]+")


def script_flags(text: bytes) -> tuple[frozenset[bytes] | None, int]:
    """The flags of a script, and where its code begins: at the line break, so line numbers stay right.

    None instead of flags if there is no header: Redis then treats the script as before 7.0. Raises CommandError.
    """
    if not text.startswith(b"#!"):
        return None, 0
    end = _first_line(text)
    if end < 0:
        raise CommandError(errors.INVALID_SCRIPT_HEADER)
    words = split_args(text[:end])
    if not words:
        raise CommandError(errors.INVALID_SCRIPT_ENGINE)
    if words[0] != b"#!lua":
        raise errors.unexpected_engine(words[0])
    found: set[bytes] = set()
    for word in words[1:]:
        if not word.startswith(b"flags="):
            raise errors.unknown_script_option(word)
        flags = word[6:].split(b",") if len(word) > 6 else []
        for flag in flags:
            if flag not in FLAGS:
                raise errors.unexpected_script_flag(flag)
            found.add(flag)
    return frozenset(found), end


def library_header(code: bytes) -> tuple[bytes, int]:
    """The name of a library, and where its code begins: at the line break. Raises CommandError."""
    if not code.startswith(b"#!"):
        raise CommandError(errors.NO_LIBRARY_METADATA)
    end = _first_line(code)
    words = split_args(code[:end]) if end >= 0 else None
    if not words:
        raise CommandError(errors.INVALID_LIBRARY_METADATA)
    name = None
    for word in words[1:]:
        if word[:5].lower() != b"name=":
            raise errors.invalid_metadata(word)
        if name is not None:
            raise CommandError(errors.LIBRARY_NAMED_TWICE)
        name = word[5:]
    if name is None:
        raise CommandError(errors.NO_LIBRARY_NAME)
    check_name(name)
    if words[0][2:].lower() != b"lua":
        raise errors.engine_not_found(words[0][2:])
    return name, end


def check_name(name: bytes) -> None:
    """Raises CommandError for what is no name of a library or a function."""
    if not _NAME.fullmatch(name):
        raise CommandError(errors.BAD_LIBRARY_NAME)


def _first_line(text: bytes) -> int:
    """Where the first line ends, or -1; to Redis the text ends at a zero byte."""
    end = text.find(b"\n")
    return -1 if b"\0" in text[: max(end, 0)] else end
