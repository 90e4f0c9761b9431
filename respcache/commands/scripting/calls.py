"""A call of `redis.call` as the text of a script shows it: where it leads, and whether its keys are known.

Not to be asked in a shard, whose table lacks the commands that main answers.
"""

from __future__ import annotations

from typing import NamedTuple

from respcache.commands.table import (
    TABLE,
    Command,
    Flag,
    KeyFinder,
    Keys,
    KeySpec,
    KeywordKeys,
    NumKeys,
    Reach,
    StreamKeys,
)

# Main answers these to clients. Within a script, the shard itself does: they need nothing of main.
ANSWERED_IN_SCRIPTS = frozenset((b"ECHO", b"PING", b"SELECT", b"TIME"))
# What a key may be, for functions that look for keys among known words.
_SOME_KEY = b"\0key"


class Call(NamedTuple):
    """words: those that are literals, None for all others. keys: which of them are elements of KEYS for certain.

    rest_is_keys: None if that is all; otherwise any number of words follow, True if they are elements of KEYS.
    """

    words: list[bytes | None]
    keys: list[bool]
    rest_is_keys: bool | None

    def is_key(self, at: int) -> bool:
        """True if the word at this index is an element of KEYS, or if there is none."""
        return self.keys[at] if at < len(self.keys) else self.rest_is_keys is not False

    def known_words(self) -> list[bytes] | None:
        """All words, if nothing is open but which of KEYS the keys are."""
        if self.rest_is_keys is not None:
            return None
        words = [_SOME_KEY if key else word for word, key in zip(self.words, self.keys, strict=True)]
        return None if None in words else [word for word in words if word is not None]


def answered_by_main(call: Call) -> bool | None:
    """True if only main can answer the call, be it with an error; None if that is not known."""
    name = call.words[0]
    assert name is not None
    row = TABLE.get(name.upper())
    if name.upper() in ANSWERED_IN_SCRIPTS:
        return False
    if row is not None and row.subcommands and (len(call.words) > 1 or call.rest_is_keys is not None):
        subcommand = call.words[1] if len(call.words) > 1 else None
        if subcommand is None:
            return None
        row = row.subcommands.get(subcommand.upper())
    return row is None or row.in_main or bool(row.flags & Flag.NOSCRIPT)


def keys_are_among(call: Call) -> bool:
    """True if all keys of a call are elements of KEYS for certain. Not for calls that main answers."""
    name, *others = call.words
    assert name is not None
    if name.upper() in ANSWERED_IN_SCRIPTS:
        return True
    row = TABLE[name.upper()]
    if row.subcommands and others:
        subcommand = others[0]
        assert subcommand is not None
        row = row.subcommands[subcommand.upper()]
    if row.reach is not Reach.KEYS:
        return False
    if call.rest_is_keys is None and not row.accepts(len(call.words)):
        return True  # an error, and nothing happens
    return not _may_roam(row, call) and all(_spec_is_known(spec, call) for spec in row.keys)


def _may_roam(row: Command, call: Call) -> bool:
    if row.roams is None:
        return False
    words = call.known_words()
    return words is None or row.roams(words)


def _spec_is_known(spec: KeySpec, call: Call) -> bool:
    match spec:
        case Keys():
            return _fixed_keys_are_known(spec, call)
        case NumKeys(at=at):
            count = call.words[at] if at < len(call.words) else None
            if count is None or not count.isdigit() or len(count) > 4:
                return False
            return all(map(call.is_key, range(at + 1, at + 1 + int(count))))
        case KeyFinder() | StreamKeys() | KeywordKeys():
            words = call.known_words()
            return words is not None and all(map(call.is_key, spec.positions(words)))


def _fixed_keys_are_known(spec: Keys, call: Call) -> bool:
    last = spec.first if spec.last is None else spec.last
    count = len(call.words)
    if last >= 0:
        positions = range(spec.first, last + 1, spec.step)
    elif call.rest_is_keys is None:
        positions = range(spec.first, count + last + 1, spec.step)
    elif call.rest_is_keys:
        positions = range(spec.first, count)  # more than are keys, maybe: where the words end is not known
    else:
        return False
    return all(map(call.is_key, positions))
