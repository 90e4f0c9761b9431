"""What a mistyped directive or command line was probably meant to be."""

from __future__ import annotations

from collections.abc import Sequence

from respcache.config.directives import NAMES

# Options of redis-cli and of many other programs.
_SHORT = {"a": "requirepass", "p": "port", "s": "unixsocket"}


def for_directive(words: Sequence[str], prefix: str) -> str:
    """What `words`, whose first word is no directive, were meant to be; empty if that cannot be told.

    `prefix` is what directives begin with: ``--`` on the command line, nothing in a file.
    """
    name, equals, value = words[0].lower().lstrip("-").partition("=")
    rest = [value, *words[1:]] if equals else list(words[1:])
    found = _closest(name)
    return " ".join([prefix + found, *rest]) if found else ""


def for_file(words: Sequence[str]) -> str:
    """What a command line was meant to be whose first word is no file; empty if that cannot be told."""
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
    import difflib  # only now: most starts never need it

    return next(iter(difflib.get_close_matches(name.replace("_", "-"), NAMES, 1, 0.75)), "")
