"""Calls as a session of redis-cli, for messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from respcache.testing.call import Call

_MARK = "  <--"
# Words are shown up to this length.
_LONGEST = 120
# Of a round trip so many calls are shown, if there are too many to show all.
_FEW = 3
_PLAIN = re.compile(r"[^\s\"'\\\x00-\x20\x7f-\x9f\ud800-\udfff]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ELEMENTS = {"array": "element", "set": "member", "map": "field", "push": "element"}


def session(
    calls: Sequence[Call],
    address: str,
    *,
    marked: Collection[int] = (),
    by_round_trip: bool = False,
    most: int = 0,
) -> str:
    """The calls with their replies. With several clients, a comment says whose calls follow.

    marked: the ids of calls that get an arrow.
    by_round_trip: put an empty line between round trips.
    most: show no more calls than that, marked ones and the latest above all; 0: show all.
    """
    shown = _choose(calls, _first_of_trips(calls) if by_round_trip else marked, most)
    several = len({call.client for call in calls}) > 1
    lines: list[str] = []
    before: Call | None = None
    at = -1
    for index in shown:
        call = calls[index]
        if before is not None and by_round_trip and _trip(before) != _trip(call):
            lines.append("")
        if index > at + 1:
            lines.append(f"... {count_of(index - at - 1, 'call')} ...")
        if several and (before is None or before.client != call.client):
            lines.append(f"# client {call.client}{f' ({call.client_name})' if call.client_name else ''}")
        lines.append(f"{_prompt(call, address)}{command_line(call)}{_MARK if call.id in marked else ''}")
        lines.append(reply_line(call))
        before, at = call, index
    if at + 1 < len(calls):
        lines.append(f"... {count_of(len(calls) - at - 1, 'call')} ...")
    return "\n".join(lines)


def command_line(call: Call) -> str:
    """The words of a call, as they are typed."""
    words = []
    for at, word in enumerate(call.words):
        size = call.sizes.get(at)
        if size is None and len(word) > _LONGEST:
            size = len(word.encode("utf-8", "surrogateescape"))
        words.append(_quoted(word) if size is None else f"{_quoted(word[:_LONGEST])}...({size} bytes)")
    left = call.word_count - len(call.words)
    if left > 0:
        words.append(f"...({count_of(left, 'more word')})")
    return " ".join(words)


def reply_line(call: Call) -> str:
    """The reply of a call in one line, about as redis-cli shows it."""
    match call.kind:
        case "none":
            return "(no reply)"
        case "null":
            return "(nil)"
        case "status" | "verbatim":
            return call.reply
        case "string":
            text = _in_quotes(call.reply)
            # The header of a string has a mark, its size and two line ends.
            cut = len(call.reply.encode("utf-8", "surrogateescape")) < call.reply_size - 16
            return f"{text}...({call.reply_size} bytes)" if cut else text
        case "array" | "set" | "map" | "push":
            count = int(call.reply or 0)
            return f"({call.kind} of {count_of(count, _ELEMENTS[call.kind])})" if count else f"(empty {call.kind})"
        case "boolean":
            return "(true)" if call.reply == "t" else "(false)"
        case _:
            return f"({call.kind}) {call.reply}"


def count_of(count: int, what: str) -> str:
    """``1 call``, ``2 calls``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def _choose(calls: Sequence[Call], marked: Collection[int], most: int) -> Sequence[int]:
    if not most or len(calls) <= most:
        return range(len(calls))
    chosen = [index for index, call in enumerate(calls) if call.id in marked][:most]
    left = most - len(chosen)
    taken = set(chosen)
    others = [index for index in range(len(calls) - 1, -1, -1) if index not in taken][:left]
    return sorted([*chosen, *others])


def _first_of_trips(calls: Sequence[Call]) -> set[int]:
    """The ids of the first calls of each round trip."""
    counts: dict[tuple[int, int], int] = {}
    found = set()
    for call in calls:
        counts[_trip(call)] = counts.get(_trip(call), 0) + 1
        if counts[_trip(call)] <= _FEW:
            found.add(call.id)
    return found


def _trip(call: Call) -> tuple[int, int]:
    return call.client, call.round_trip


def _prompt(call: Call, address: str) -> str:
    db = f"[{call.db}]" if call.db else ""
    queued = "(TX)" if (call.kind, call.reply) == ("status", "QUEUED") else ""
    return f"{address}{db}{queued}> "


def _quoted(word: str) -> str:
    return word if _PLAIN.fullmatch(word) else _in_quotes(word)


def _in_quotes(word: str) -> str:
    return f'"{"".join(_escaped(char) for char in word)}"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return char if char.isprintable() else "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
