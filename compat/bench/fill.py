"""Data sets for the loads, written with large commands."""

from __future__ import annotations

from collections.abc import Callable

from compat.bench.wire import Wire, Word, pack

BATCH = 1000  # keys or elements per command
_PORTION = 20  # commands per pipeline


def strings(wire: Wire, count: int, value: str = "xxx") -> None:
    """Keys as redis-benchmark names them: ``key:000000000000`` and so on."""

    def command(numbers: range) -> list[Word]:
        words: list[Word] = ["MSET"]
        for number in numbers:
            words += (f"key:{number:012}", value)
        return words

    _send(wire, count, command)


def a_list(wire: Wire, key: str, count: int) -> None:
    """A list of small elements."""
    _send(wire, count, lambda numbers: ["RPUSH", key, *(f"element:{number}" for number in numbers)])


def a_sorted_set(wire: Wire, key: str, count: int) -> None:
    """A sorted set of ``member:N`` with the score N."""

    def command(numbers: range) -> list[Word]:
        words: list[Word] = ["ZADD", key]
        for number in numbers:
            words += (number, f"member:{number}")
        return words

    _send(wire, count, command)


def a_stream(wire: Wire, key: str, count: int) -> None:
    """A stream of entries with one small field. Each takes a command of its own."""
    for start in range(0, count, BATCH):
        entries = min(BATCH, count - start)
        wire.exchange([pack("XADD", key, "*", "field", "xxx")] * entries)


def _send(wire: Wire, count: int, command: Callable[[range], list[Word]]) -> None:
    """Send `command(numbers)` for each `BATCH` of the numbers below `count`."""
    starts = range(0, count, BATCH)
    for portion in (starts[at : at + _PORTION] for at in range(0, len(starts), _PORTION)):
        wire.exchange(pack(*command(range(start, min(start + BATCH, count)))) for start in portion)
