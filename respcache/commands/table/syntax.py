"""The parsed `syntax` of a command: what COMMAND DOCS calls its arguments.

A row's syntax says how a command is written::

    key [NX | XX] [EX seconds | PX milliseconds] [GET pattern [GET pattern ...]]

A word in upper case (or without letters) is a token, any other word is a value. ``[ ]`` is optional, ``< >`` is one of
several, ``[x ...]`` repeats what comes before it. The types of values are not part of the syntax: a word means the same
in nearly all commands, and the tables below say what.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

_WORDS = re.compile(r"\.\.\.|[\[\]<>|]|[^\s\[\]<>|]+")
_CLOSING = frozenset("]>|")

_TYPES = {
    "integer": (
        "bit bits client-id count cursor db decrement destination-db end entries-added entries-read frequency "
        "increment index index1 index2 len limit milliseconds min-idle-time min-match-len ms num-matches numkeys "
        "numlocal numreplicas offset port protover rank seconds start stop ttl version weight"
    ),
    "double": "height latitude longitude max min radius score timeout width",
    "key": "destination destkey dst key key1 key2 newkey source sourcekey src storedistkey storekey",
    "pattern": "pattern",
    "unix-time": "unix-time-milliseconds unix-time-seconds",
}
_TYPE_OF = {word: type_ for type_, words in _TYPES.items() for word in words.split()}

# The few words that mean something else in some commands.
_TYPE_IN = {
    (command, word): type_
    for commands, words, type_ in (
        ("INCRBYFLOAT HINCRBYFLOAT", "increment", "double"),
        ("SETBIT BITFIELD", "value", "integer"),
        ("ZRANGE XRANGE XREVRANGE XPENDING XAUTOCLAIM", "start stop end", "string"),
        ("ZRANGEBYLEX ZREVRANGEBYLEX ZLEXCOUNT ZREMRANGEBYLEX ZRANGESTORE", "min max", "string"),
        ("XAUTOCLAIM XCLAIM", "min-idle-time", "string"),
        ("MIGRATE WAIT WAITAOF", "timeout", "integer"),
    )
    for command in commands.split()
    for word in words.split()
} | {("CLIENT PAUSE", "timeout"): "integer"}

# Tokens with another name in Redis.
_TOKEN_NAMES = {
    "=": "equal",
    "~": "approximately",
    "*": "auto-id",
    "$": "new-id",
    '""': "empty-string",
    "CH": "change",
    "ALPHA": "sorting",
    "INCR": "increment",
}
# The same for tokens that several values follow.
_BLOCK_NAMES = {
    "BYBOX": "box",
    "BYRADIUS": "circle",
    "GET": "get-block",
    "GROUP": "group-block",
    "INCRBY": "incrby-block",
    "SET": "set-block",
}
# Those of which Redis says that they belong to their first value, and not to all of them.
_TOKENS_OF_FIRST = frozenset(("BYBOX", "BYRADIUS"))

# Values with another name in Redis, by their token; redis-cli shows their words in the syntax.
_VALUE_NAMES = {
    ("BY", "pattern"): "by-pattern",
    ("GET", "pattern"): "get-pattern",
    ("ENTRIESREAD", "entries-read"): "entriesread",
}
# Values that redis-cli shows in another way.
_DISPLAYED = {"storekey": "key", "storedistkey": "key"}

# Choices and groups have names that the syntax does not show; they are found by their members.
_GROUP_NAMES = {
    frozenset(members.split()): name
    for name, members in (
        ("action", "on off skip"),
        ("arguments", "protover auth clientname"),
        ("attr", "libname libver"),
        ("authentication", "password auth2"),
        ("by", "circle box"),
        ("key-selector", "key empty-string"),
        ("client-type", "normal master replica pubsub"),
        ("client-type", "normal master slave replica pubsub"),
        ("comparison", "gt lt"),
        ("condition", "nx xx"),
        ("condition", "nx xx gt lt"),
        ("count-block", "count any"),
        ("enabled", "on off"),
        ("end-unit-block", "end unit"),
        ("expiration", "seconds milliseconds unix-time-seconds unix-time-milliseconds keepttl"),
        ("expiration", "seconds milliseconds unix-time-seconds unix-time-milliseconds persist"),
        ("filter", "ip:port new-format"),
        ("filters", "min-idle-time start end count consumer"),
        ("flush-type", "async sync"),
        ("from", "member fromlonlat"),
        ("full-block", "full count"),
        ("id-selector", "auto-id id"),
        ("id-selector", "new-id id"),
        ("new-format", "client-id client-type username addr laddr skipme"),
        ("operation", "and or xor not"),
        ("operation", "get-block write"),
        ("operator", "equal approximately"),
        ("options", "count withscores"),
        ("options", "count withvalues"),
        ("order", "asc desc"),
        ("policy", "flush append replace"),
        ("range", "start end unit"),
        ("range", "start end-unit-block"),
        ("save-selector", "nosave save"),
        ("sortby", "byscore bylex"),
        ("store", "storekey storedistkey"),
        ("strategy", "maxlen minid"),
        ("trim", "strategy operator threshold count"),
        ("unblock-type", "timeout error"),
        ("unit", "byte bit"),
        ("unit", "m km ft mi"),
        ("where", "before after"),
        ("where", "left right"),
        ("where", "min max"),
        ("write", "overflow write-operation"),
        ("write-operation", "set-block incrby-block"),
    )
}


_ANY_MODE = "mode"  # a choice without a name of its own


# Not a dataclass: importing `dataclasses` would add 10 ms to the start of each shard.
class Argument(NamedTuple):
    """One argument as COMMAND DOCS describes it.

    `type` is ``pure-token``, ``oneof`` or ``block`` (the last two have `arguments`), or the type of a value. `display`
    is its word in the syntax. `key_spec` is the index of the key specification that finds it, -1 if it is not a key.
    """

    name: str
    type: str
    token: str = ""
    display: str = ""
    optional: bool = False
    multiple: bool = False
    multiple_token: bool = False
    arguments: tuple[Argument, ...] = ()
    key_spec: int = -1


@lru_cache(maxsize=1024)
def parse_syntax(command: str, syntax: str, key_specs: int = 1) -> tuple[Argument, ...]:
    """The arguments of `command` (upper case), which has `key_specs` key specifications. Raises ValueError."""
    parser = _Parser(command, syntax)
    arguments = parser.sequence()
    if parser.word is not None:
        raise ValueError(f"{command}: {parser.word!r} out of place in {syntax!r}")
    numbers = iter(range(1024))
    return tuple(_number_keys(arguments, numbers, key_specs))


def _number_keys(arguments: Iterable[Argument], numbers: Iterator[int], key_specs: int) -> Iterator[Argument]:
    """Give each key the index of the key specification that finds it; both come in the same order."""
    for argument in arguments:
        if argument.type == "key" or argument.token == "BY":
            yield argument._replace(key_spec=min(next(numbers), key_specs - 1))
        elif argument.token == "GET" and argument.type == "pattern":
            yield argument._replace(key_spec=1)  # SORT: the same specification as of BY
        elif argument.arguments:
            yield argument._replace(arguments=tuple(_number_keys(argument.arguments, numbers, key_specs)))
        else:
            yield argument


class _Parser:
    """Recursive descent over the words of one syntax."""

    def __init__(self, command: str, syntax: str) -> None:
        self._command = command
        self._words: list[str] = _WORDS.findall(syntax)
        self._at = 0
        self._repeats_all = False  # the alternatives being parsed repeat as a whole

    @property
    def word(self) -> str | None:
        return self._words[self._at] if self._at < len(self._words) else None

    def _take(self) -> str:
        word = self.word
        if word is None:
            raise ValueError(f"{self._command}: the syntax ends too early")
        self._at += 1
        return word

    def _expect(self, wanted: str) -> None:
        if self._take() != wanted:
            raise ValueError(f"{self._command}: {wanted!r} is missing in the syntax")

    def sequence(self) -> list[Argument]:
        """Arguments one after the other, up to a closing mark."""
        items: list[Argument] = []
        while (word := self.word) is not None and word not in _CLOSING:
            if word == "...":
                if self._words[self._at + 1 : self._at + 2] == ["]"]:
                    break
                self._at += 1
                items[-1] = items[-1]._replace(multiple=True)
            elif word == "[" and self._is_repetition():
                self._repeat(items)
            elif _is_token(word):
                items.append(self._token())
            else:
                items.append(self._single())
        return items

    def _single(self) -> Argument:
        """A value, or an expression in brackets."""
        match self._take():
            case "[":
                argument = self._alternatives()._replace(optional=True)
                self._expect("]")
            case "<":
                argument = self._alternatives()
                self._expect(">")
            case word:
                type_ = _TYPE_IN.get((self._command, word)) or _TYPE_OF.get(word, "string")
                argument = Argument(word, type_, display=_DISPLAYED.get(word, word))
        return argument

    def _alternatives(self) -> Argument:
        """``a | b c | d``, or a single alternative."""
        outer, self._repeats_all = self._repeats_all, False
        choices = [_as_one(self.sequence())]
        while self.word == "|":
            self._at += 1
            choices.append(_as_one(self.sequence()))
        argument = choices[0] if len(choices) == 1 else _group("oneof", choices)
        argument = argument._replace(multiple=argument.multiple or self._repeats_all)
        self._repeats_all = outer
        return argument

    def _token(self) -> Argument:
        """A token, with the values right after it that belong to it."""
        token = self._take()
        operands: list[Argument] = []
        while (word := self.word) is not None and word != "..." and word not in _CLOSING and not _is_token(word):
            if word != "[":
                operands.append(self._single())
            elif operands and self._is_repetition() and self._words[self._at + 1] != token:
                self._repeat(operands)
            else:
                break
        if not operands:
            name = _TOKEN_NAMES.get(token, token.lower())
            return Argument(name, "pure-token", token, display=name)
        if token in _TOKENS_OF_FIRST:
            operands[0] = operands[0]._replace(token=token)
            return Argument(_BLOCK_NAMES[token], "block", arguments=tuple(operands))
        if len(operands) > 1:
            return Argument(_BLOCK_NAMES.get(token, token.lower()), "block", token, arguments=tuple(operands))
        operand = operands[0]
        # A value has the name that the syntax gives it, unless that shows its form (ADDR ip:port).
        has_name = operand.name != _ANY_MODE and ":" not in operand.name
        name = _VALUE_NAMES.get((token, operand.name), operand.name) if has_name else token.lower()
        return operand._replace(token=token, name=name)

    def _is_repetition(self) -> bool:
        """True if the bracket here ends in three dots."""
        depth = 0
        for at in range(self._at, len(self._words)):
            depth += {"[": 1, "]": -1}.get(self._words[at], 0)
            if not depth:
                # Not ``[a [a ...]]``, where the inner bracket repeats.
                return self._words[at - 1] == "..."
        return False

    def _repeat(self, items: list[Argument]) -> None:
        """Mark the last of `items` as repeated, as told by the bracket here."""
        self._expect("[")
        start = self._at
        repeated = self.sequence()
        if self.word == "|":  # a choice: either the last item, or all alternatives around it, repeat
            self._at = start
            repeated = [self._alternatives()]
            if not items or items[-1].arguments != repeated[0].arguments:
                self._repeats_all = True
                repeated = []
        self._expect("...")
        self._expect("]")
        count = len(repeated)
        if count == 1:
            again = bool(items[-1].token) and repeated[0].token == items[-1].token
            items[-1] = items[-1]._replace(multiple=True, multiple_token=again)
        elif count:
            items[-count:] = [_group("block", items[-count:])._replace(multiple=True)]


def _is_token(word: str) -> bool:
    return word not in ("[", "<", "...") and word == word.upper()


def _as_one(items: Sequence[Argument]) -> Argument:
    return items[0] if len(items) == 1 else _group("block", items)


def _group(type_: str, members: Sequence[Argument]) -> Argument:
    name = _GROUP_NAMES.get(frozenset(member.name for member in members), "data" if type_ == "block" else _ANY_MODE)
    return Argument(name, type_, arguments=tuple(members))
