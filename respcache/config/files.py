"""Where a configuration comes from: a file in redis.conf's format, standard input, and the command line.

Each line is a directive and its words, quoted as in a shell; ``#`` begins a comment line; ``include PATH`` inserts
other files. The command line is turned into such lines too: each ``--name`` begins one.
"""

from __future__ import annotations

import errno
import glob
import os
import re
import sys
from collections.abc import Iterator, Sequence

from respcache import __version__
from respcache.config import Config
from respcache.config.directives import NAMES
from respcache.config.kinds import WRONG_NUMBER, BadValue
from respcache.config.suggestions import for_directive, for_file
from respcache.quoting import quote, split_args

_MAX_INCLUDES = 16
_BAD_DIRECTIVE = "Bad directive or wrong number of arguments"

# Directives that restrict access in ways that respcache does not support. Refusing to start is better than serving
# without the rules that the user relies on. `user` is accepted for the default user who may do everything: genuine
# servers write such a line.
_REFUSED = {
    "user": "ACL users are not supported",
    "rename-command": "renaming commands is not supported",
    "loadmodule": "modules are not supported",
    "sentinel": "Sentinel is not supported",
}


class ConfigError(Exception):
    """An invalid configuration. The text is complete, with the headline that redis-server prints."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"*** FATAL CONFIG FILE ERROR (respcache {__version__}) ***\n{reason}")


def _bad_line(source: str, number: int, line: str, reason: str) -> ConfigError:
    return ConfigError(f"Reading {source}, at line {number}\n>>> '{line}'\n{reason}")


class _Loader:
    """Applies lines to a configuration, one after another."""

    def __init__(self) -> None:
        self.config = Config()
        self._saves: list[str] = []  # `save` adds up over its lines
        # Of the default user: "nopass", or "#" and the SHA-256 of the password; empty if it is not said.
        self._login = ""

    def read_file(self, path: str, depth: int = 0) -> None:
        try:
            with open(path, "rb") as file:
                text = file.read()
        except OSError as error:
            raise ConfigError(_cannot_open(path, error.strerror)) from None
        self.read_text(text, f"the configuration file {path}", depth)

    def read_words(self, words: list[str]) -> None:
        """Apply the command line without the file."""
        self.read_text("\n".join(_lines(words)).encode("utf-8", "surrogateescape"), "the command line", prefix="--")

    def read_text(self, text: bytes, source: str, depth: int = 0, *, prefix: str = "") -> None:
        """Apply all lines of a text. `source` is named in errors; `prefix` is what directives begin with there."""
        for number, raw in enumerate(text.split(b"\n"), 1):
            line = raw.strip()
            if not line or line.startswith(b"#"):
                continue
            words = split_args(line)
            shown = line.decode("utf-8", "surrogateescape")
            if words is None:
                raise _bad_line(source, number, shown, "Unbalanced quotes in configuration line")
            try:
                self._apply([word.decode("utf-8", "surrogateescape") for word in words], depth, prefix)
            except BadValue as error:
                raise _bad_line(source, number, shown, str(error)) from None

    def _apply(self, words: list[str], depth: int, prefix: str) -> None:
        """Apply one line. Raises BadValue."""
        name, values = words[0].lower(), words[1:]
        if name == "include":
            self._include(values, depth)
        elif name == "user":
            self._login = _login_of_default(values)
        elif name in _REFUSED:
            raise BadValue(_REFUSED[name])
        elif name not in NAMES:
            raise BadValue(_BAD_DIRECTIVE + _did_you_mean(for_directive(words, prefix)))
        elif not values:
            raise BadValue(WRONG_NUMBER)
        else:
            if len(values) == 1:
                values = NAMES[name].words(values[0])
            if name == "save":
                self._saves = [] if values == [""] else self._saves + values
                values = self._saves or [""]
            self.config.put(name, values)

    def _include(self, paths: list[str], depth: int) -> None:
        if len(paths) != 1:
            raise BadValue(WRONG_NUMBER)
        if depth >= _MAX_INCLUDES:
            raise BadValue("Too many nested includes")
        # A pattern may match nothing; a plain path must exist.
        found = sorted(glob.glob(paths[0])) if glob.has_magic(paths[0]) else paths
        for path in found:
            self.read_file(path, depth + 1)

    def check_login(self) -> None:
        """`user default` and `requirepass` have to agree. Raises ConfigError."""
        if self._login not in ("", login(self.config)):
            raise ConfigError(f"`user default` has another password than `requirepass`: {_REFUSED['user']}")


def login(config: Config) -> str:
    """How the default user logs in, in the words of a line `user default`."""
    if not config.requirepass:
        return "nopass"
    import hashlib  # which takes a moment, and hardly anybody needs it

    return "#" + hashlib.sha256(config.requirepass.encode("utf-8", "surrogateescape")).hexdigest()


def _login_of_default(words: list[str]) -> str:
    """What a line `user` says about the default user's login. Raises BadValue if it is about anything else."""
    name, *rules = words or [""]
    logins = [rule for rule in rules if rule == "nopass" or re.fullmatch("#[0-9a-f]{64}", rule)]
    others = set(rules) - set(logins) - {"sanitize-payload"}
    if name != "default" or len(logins) != 1 or others != {"on", "~*", "&*", "+@all"}:
        raise BadValue(_REFUSED["user"])
    return logins[0]


def load(arguments: Sequence[str]) -> Config:
    """The configuration that a command line asks for: ``[FILE] [--directive value ...] [-]``.

    ``-`` reads standard input. Raises ConfigError.
    """
    words = list(arguments)
    loader = _Loader()
    if words and not words[0].startswith("-"):
        path = os.path.abspath(words[0])
        if not os.path.exists(path) and (meant := for_file(words)):
            raise ConfigError(_cannot_open(path, os.strerror(errno.ENOENT)) + _did_you_mean(meant))
        loader.read_file(path)
        loader.config.path = path
        del words[0]
    if "-" in words:
        words.remove("-")
        loader.read_text(sys.stdin.buffer.read(), "standard input")
    loader.read_words(words)
    loader.check_login()
    return loader.config


def _lines(words: list[str]) -> Iterator[str]:
    """The command line as configuration lines."""
    line: list[str] = []
    for word in words:
        if word.startswith("--"):
            if line:
                yield _finished(line)
            # A whole line may be one word, as in `respcache "--port 7000"`.
            line = [word[2:]]
        else:
            line.append(quote(word))
    if line:
        yield _finished(line)


def _finished(line: list[str]) -> str:
    # As in Redis, a bare `--save` means never.
    return 'save ""' if line == ["save"] else " ".join(line)


def _cannot_open(path: str, reason: str | None) -> str:
    return f"Fatal error, can't open config file '{path}': {reason}"


def _did_you_mean(meant: str) -> str:
    return f"\nDid you mean '{meant}'?" if meant else ""
