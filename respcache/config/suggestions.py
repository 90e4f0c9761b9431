"""Suggestions for a mistyped directive or command line."""

from __future__ import annotations

from collections.abc import Sequence

from respcache.config.directives import NAMES

# Options of redis-cli and of many other programs.
_SHORT = {"a": "requirepass", "p": "port", "s": "unixsocket"}


def for_directive(words: Sequence[str], prefix: str) -> str:
    """What `words`, whose first word is not a directive, probably mean; empty if unknown.

    `prefix` is what directives begin with: ``--`` on the command line, nothing in a file.
    """
    name, equals, value = words[0].lower().lstrip("-").partition("=")
    rest = [value, *words[1:]] if equals else list(words[1:])
    found = _closest(name)
    return " ".join([prefix + found, *rest]) if found else ""


def for_file(words: Sequence[str]) -> str:
    """What a command line whose first word is not a file probably means; empty if unknown."""
    first, *rest = words
    if first.isdecimal():
        return " ".join(["--port", first, *rest])
    if first.lower() in NAMES:
        return " ".join([f"--{first}", *rest])
    return ""


def _closest(name: str) -> str:
    if name in NAMES:
        return name
    if name in _SHORT:
        return _SHORT[name]
    import difflib  # imported late: most starts do not need it

    return next(iter(difflib.get_close_matches(name.replace("_", "-"), NAMES, 1, 0.75)), "")
