"""The kinds of values of directives: from words in a file or a command to a Python value, and back to text.

A `Kind` has `parse(words) -> value`, which raises `BadValue` with the text that Redis answers, and
`show(value) -> text`, which returns what CONFIG GET shows. Text is `str` with surrogateescape, so passwords and paths
keep their bytes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

WRONG_NUMBER = "wrong number of arguments"

_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 1000**2, "mb": 1 << 20, "g": 1000**3, "gb": 1 << 30}
_INT64 = 1 << 63


class BadValue(Exception):
    """A value that the directive does not accept; the text says why."""


class Kind(Protocol):
    """See the module. `many`: the value may be several words. `partial`: the value is a dict, and entries that are not
    given keep their values.
    """

    many: bool
    partial: bool

    def parse(self, words: Sequence[str]) -> Any: ...

    def show(self, value: Any) -> str: ...


class _Single:
    """A value of one word."""

    many = False
    partial = False

    def parse(self, words: Sequence[str]) -> Any:
        if len(words) != 1:
            raise BadValue(WRONG_NUMBER)
        return self.parse_word(words[0])

    def parse_word(self, word: str) -> Any:
        return word

    def show(self, value: Any) -> str:
        return str(value)


class Text(_Single):
    """Any text."""


class YesNo(_Single):
    """A `bool`."""

    def parse_word(self, word: str) -> bool:
        lowered = word.lower()
        if lowered not in ("yes", "no"):
            raise BadValue("argument must be 'yes' or 'no'")
        return lowered == "yes"

    def show(self, value: bool) -> str:
        return "yes" if value else "no"


class Number(_Single):
    """An `int` from `low` to `high`, then clamped to `least` and `most`."""

    def __init__(
        self, low: int = 0, high: int = _INT64 - 1, *, least: int | None = None, most: int | None = None
    ) -> None:
        self.low, self.high = low, high
        self._least = low if least is None else least
        self._most = high if most is None else most

    def parse_word(self, word: str) -> int:
        if not re.fullmatch(r"0|-?[1-9][0-9]{0,18}", word) or not -_INT64 <= int(word) < _INT64:
            raise BadValue("argument couldn't be parsed into an integer")
        return self._in_bounds(int(word))

    def _in_bounds(self, value: int) -> int:
        if not self.low <= value <= self.high:
            raise BadValue(f"argument must be between {self.low} and {self.high} inclusive")
        return min(max(value, self._least), self._most)


class Memory(Number):
    """A number of bytes, with or without a unit. Without digits it is 0."""

    def parse_word(self, word: str) -> int:
        found = re.fullmatch(r"([0-9]{0,127})([a-z]*)", word.lower())
        if not found or found[2] not in _UNITS:
            raise BadValue("argument must be a memory value")
        return self._in_bounds(min(int(found[1] or 0) * _UNITS[found[2]], 2 * _INT64 - 1))


class MemoryOrPercent(Memory):
    """A number of bytes, or a percentage of the memory limit such as ``10%``, which becomes a negative number."""

    def parse_word(self, word: str) -> int:
        if percent := re.fullmatch(r"([0-9]{1,18})%", word):
            if int(percent[1]) > 100:
                raise BadValue("percentage argument must be less or equal to 100")
            return -int(percent[1])
        try:
            return super().parse_word(word)
        except BadValue:
            raise BadValue("argument must be a memory or percent value") from None

    def show(self, value: int) -> str:
        return f"{-value}%" if value < 0 else str(value)


class OctalNumber(_Single):
    """The permissions of a file, in octal."""

    def parse_word(self, word: str) -> int:
        if not re.fullmatch(r"[0-7]{1,4}", word) or int(word, 8) > 0o777:
            raise BadValue("argument couldn't be parsed into an integer")
        return int(word, 8)

    def show(self, value: int) -> str:
        return f"{value:o}"


class Template(_Single):
    """The title of the process, with variables such as ``{title}``. ``{{`` is a brace. It may not come out empty."""

    _VARIABLES = "title|listen-addr|server-mode|port|tls-port|config-file|unixsocket"
    _FORM = rf"([^{{]|\{{\{{|\{{({_VARIABLES})\}})*"
    _MAYBE_EMPTY = r"\{title\}|\{server-mode\}"

    def parse_word(self, word: str) -> str:
        if not re.fullmatch(self._FORM, word, re.DOTALL) or not re.sub(self._MAYBE_EMPTY, "", word).strip():
            raise BadValue("template format is invalid or contains unknown variables")
        return word


class Choice(_Single):
    """One of a set of words."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def parse_word(self, word: str) -> str:
        lowered = word.lower()
        if lowered not in self.words:
            raise BadValue(f"argument(s) must be one of the following: {', '.join(self.words)}")
        return lowered


class Choices:
    """Several of a set of words."""

    many = True
    partial = False

    def __init__(self, *words: str) -> None:
        self._choice = Choice(*words)

    def parse(self, words: Sequence[str]) -> list[str]:
        return [self._choice.parse_word(word) for word in words]

    def show(self, value: list[str]) -> str:
        return " ".join(value)


class Percentiles:
    """Numbers from 0 to 100."""

    many = True
    partial = False

    def parse(self, words: Sequence[str]) -> list[float]:
        name = "latency-tracking-info-percentiles"  # Redis' texts contain it
        try:
            found = [float(word) for word in words if word]
        except ValueError:
            raise BadValue(f"Invalid {name} parameters") from None
        if not all(0 <= number <= 100 for number in found):
            raise BadValue(f"{name} parameters should sit between [0.0,100.0]")
        return found

    def show(self, value: list[float]) -> str:
        return " ".join(f"{number:.10g}" for number in value)


class Words:
    """A list of words, at least `low` and at most `high` of them."""

    many = True
    partial = False

    def __init__(self, low: int = 0, high: int = 1 << 20) -> None:
        self.low, self.high = low, high

    def parse(self, words: Sequence[str]) -> list[str]:
        if not self.low <= len(words) <= self.high:
            raise BadValue(WRONG_NUMBER)
        return [word for word in words if word]

    def show(self, value: list[str]) -> str:
        return " ".join(value)


class Addresses(Words):
    """What `bind` takes: addresses, or no word, which is none."""

    MOST = 16

    def parse(self, words: Sequence[str]) -> list[str]:
        if len(words) > self.MOST:
            raise BadValue("Too many bind addresses specified.")
        return super().parse(words)


class Origins(Words):
    """Origins of pages as browsers send them: a scheme and a host, and the port where it is not that of the scheme."""

    _ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://[^\s/?#@*]+", re.IGNORECASE)

    def parse(self, words: Sequence[str]) -> list[str]:
        origins = [word.lower() for word in super().parse(words)]
        if not all(map(self._ORIGIN.fullmatch, origins)):
            raise BadValue("argument(s) must be origins without a path, such as https://example.org:8443, or '*'")
        return origins


class Directory(_Single):
    """The working directory: set by changing to it."""

    def parse_word(self, word: str) -> str:
        try:
            os.chdir(word)
        except OSError as error:
            raise BadValue(error.strerror or "not a directory") from None
        return os.getcwd()

    def show(self, _value: str) -> str:
        return os.getcwd()


class SavePoints:
    """When to write the dataset to disk: pairs of seconds and changes. No pairs mean never."""

    many = True
    partial = False

    def parse(self, words: Sequence[str]) -> list[int]:
        if list(words) == [""]:
            return []
        numbers = [int(word) if re.fullmatch(r"[0-9]{1,18}", word) else -1 for word in words]
        if not numbers or len(numbers) % 2 or min(numbers[1::2]) < 0 or min(numbers[::2]) < 1:
            raise BadValue("Invalid save parameters")
        return numbers

    def show(self, value: list[int]) -> str:
        return " ".join(map(str, value))


class OutputLimits:
    """Per class of clients: the hard limit in bytes, and the soft limit in bytes and seconds."""

    many = True
    partial = True
    default: ClassVar = {"normal": (0, 0, 0), "slave": (256 << 20, 64 << 20, 60), "pubsub": (32 << 20, 8 << 20, 60)}

    def parse(self, words: Sequence[str]) -> dict[str, tuple[int, int, int]]:
        """Returns only the classes that are given."""
        if list(words) == [""]:
            return {}
        if len(words) % 4 or not words:
            raise BadValue("Wrong number of arguments in buffer limit configuration.")
        limits: dict[str, tuple[int, int, int]] = {}
        for at in range(0, len(words), 4):
            name = {"replica": "slave"}.get(words[at].lower(), words[at].lower())
            if name not in self.default:
                raise BadValue("Invalid client class specified in buffer limit configuration.")
            try:
                hard, soft = (Memory().parse_word(word) for word in words[at + 1 : at + 3])
                limits[name] = (hard, soft, Number().parse_word(words[at + 3]))
            except BadValue:
                raise BadValue("Error in hard, soft or soft_seconds setting in buffer limit configuration.") from None
        return limits

    def show(self, value: dict[str, tuple[int, int, int]]) -> str:
        return " ".join(f"{name} {hard} {soft} {seconds}" for name, (hard, soft, seconds) in value.items())


class EventClasses(_Single):
    """The classes of keyspace events to publish. In the value, ``A`` is replaced by the letters it stands for."""

    ALL = "g$lshzxetd"
    _LETTERS = ALL + "KEmn"

    def parse_word(self, word: str) -> str:
        asked = set(word.replace("A", self.ALL))
        if not asked <= set(self._LETTERS):
            raise BadValue("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        return "".join(letter for letter in self._LETTERS if letter in asked)

    def show(self, value: str) -> str:
        return value.replace(self.ALL, "A")
