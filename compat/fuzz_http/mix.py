"""Which case comes next: the same seed and number give the same case."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any

from compat.fuzz_http.case import Case, Closing, Maker, Site, Want
from compat.fuzz_http.conversations import CONVERSATIONS
from compat.fuzz_http.framing import FRAMING
from compat.fuzz_http.mutated import mutated
from compat.fuzz_http.odd import ODD

# Cases in a batch, after which the keys are looked at. The last ones are quick, so that the end need not be waited for.
BATCH = 4000
_QUICK_FROM = 3600
_SLOW = ("slow", "too-short", "just-in-time")
# Every fourth batch is one of mutations: what they write cannot be foreseen, so they have batches of their own.
_EVERY = 4


def names() -> list[str]:
    """All kinds of cases and requests."""
    return [*ODD, *FRAMING, *CONVERSATIONS, "mutated"]


def is_mutated(batch: int, only: str) -> bool:
    """True if what this batch writes cannot be foreseen."""
    return only == "mutated" or (not only and batch % _EVERY == _EVERY - 1)


def case(site: Site, seed: int, number: int, only: str = "") -> tuple[Case, list[str]]:
    """The case with this number, and the names of what is in it."""
    make = Maker(site, seed, number)
    batch, place = divmod(number, BATCH)
    if is_mutated(batch, only):
        made = mutated(make)
    elif only in CONVERSATIONS:
        made = CONVERSATIONS[only][0](make)
    elif only in FRAMING:
        made = _stream(make, 0, only)
    elif only in ODD:
        made = _stream(make, make.rng.randint(1, 8), "", only)
    else:
        choice = make.rng.random()
        if choice < 0.12:
            name = _conversation(make, quick=place >= _QUICK_FROM)
            made = CONVERSATIONS[name][0](make)
        elif choice < 0.5:
            made = _stream(make, make.rng.randint(0, 8), _FRAMING(make))
        else:
            made = _stream(make, make.rng.randint(1, 20), "")
    made.number = number
    return made, make.used or [made.name]


def _stream(make: Maker, count: int, last: str, only: str = "") -> Case:
    """Odd requests in one stream, and at most one, the last, whose end is in doubt."""
    parts: list[bytes] = []
    wants: list[Want] = []
    for _ in range(count):
        name = only or _ODD(make)
        data, want = ODD[name][0](make)
        make.used.append(name)
        parts.append(data)
        wants.append(want)
    if last:
        data, want = FRAMING[last][0](make)
        make.used.append(last)
        parts.append(data)
        wants.append(want)
    return Case("+".join(dict.fromkeys(make.used)), make.pieces(b"".join(parts)), wants, requests=len(parts))


def _conversation(make: Maker, quick: bool) -> str:
    while (name := _CONVERSATION(make)) in _SLOW and quick:
        pass
    return name


def _chooser(table: dict[str, tuple[Any, int]]) -> Callable[[Maker], str]:
    everyone = list(table)
    weights = list(accumulate(weight for _, weight in table.values()))
    return lambda make: make.rng.choices(everyone, cum_weights=weights)[0]


_ODD = _chooser(ODD)
_FRAMING = _chooser(FRAMING)
_CONVERSATION = _chooser(CONVERSATIONS)
__all__ = ["BATCH", "Closing", "case", "is_mutated", "names"]
