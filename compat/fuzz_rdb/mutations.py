"""Damages payloads, mostly in ways that leave everything around the damage right.

The same number gives the same case, as long as the seeds are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from struct import pack
from typing import NamedTuple

from compat.fuzz_rdb.seeds import Seed
from compat.fuzz_rdb.segments import Segment, put_together
from compat.values import sealed
from respcache.rdb.listpack import Element, elements, integer_entry, listpack, string_entry
from respcache.rdb.older import intset, ziplist
from respcache.rdb.strings import Malformed

NUMBERS = (
    0, 1, 2, 3, 5, 12, 13, 63, 64, 127, 128, 253, 254, 255, 256, 4095, 4096, 16383, 16384, 65535, 65536,
    (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1,
)  # fmt: skip
_STRINGS = (b"", b"0", b"-1", b"nan", b"inf", b"1e400", b"2.5x", b"-0", b"x" * 65, b"\xff" * 16, b"\0" * 16)
_TYPES = (*range(33), 33, 200, 242, 245, 250, 255)
_VERSIONS = (0, 1, 9, 10, 11, 12, 13, 15, 16, 79, 80, 81, 65535)
_STEPS = (-1000, -5, -2, -1, 1, 2, 5, 1000)
_MOST = 3  # mutations of one case


class Case(NamedTuple):
    """One payload, and what was made it from."""

    number: int
    name: str
    payload: bytes


def case(seeds: Sequence[Seed], seed: int, number: int) -> Case:
    """The case of this number."""
    random = Random(f"{seed}/{number}")
    chosen = random.choice(seeds)
    kind, version, segments = chosen.kind, chosen.version, list(chosen.segments)
    for _ in range(random.randint(1, _MOST)):
        _mutate(random, segments, seeds)
    if random.random() < 0.03:
        kind = random.choice(_TYPES)
    if random.random() < 0.03:
        version = random.choice(_VERSIONS)
    body = bytes((kind,)) + put_together(segments, compressed=random.random() < 0.1)
    if random.random() < 0.15:
        body = _bytes(random, body)
    return Case(number, chosen.name, sealed(body, version))


def _mutate(random: Random, segments: list[Segment], seeds: Sequence[Seed]) -> None:
    if not segments or random.random() < 0.1:
        _rearrange(random, segments, seeds)
        return
    at = random.randrange(len(segments))
    segment = segments[at]
    match segment.kind:
        case "length":
            segments[at] = segment._replace(number=_number(random, segment.number))
        case "string":
            segments[at] = segment._replace(data=_string(random, segment.data))
        case _:
            segments[at] = segment._replace(data=_bytes(random, segment.data))


def _rearrange(random: Random, segments: list[Segment], seeds: Sequence[Seed]) -> None:
    """Repeat, remove, exchange or bring in segments."""
    match random.randrange(4):
        case 0 if segments:
            at = random.randrange(len(segments))
            segments[at:at] = segments[at : at + random.randint(1, 4)]
        case 1 if segments:
            at = random.randrange(len(segments))
            del segments[at : at + random.randint(1, 4)]
        case 2 if segments:
            one, other = random.randrange(len(segments)), random.randrange(len(segments))
            segments[one], segments[other] = segments[other], segments[one]
        case _:
            foreign = random.choice(seeds).segments
            if foreign:
                at = random.randrange(len(segments) + 1)
                start = random.randrange(len(foreign))
                segments[at:at] = foreign[start : start + random.randint(1, 6)]


def _number(random: Random, number: int) -> int:
    if random.random() < 0.5:
        return max(0, number + random.choice((-2, -1, 1, 2)))
    return random.choice(NUMBERS)


def _string(random: Random, data: bytes) -> bytes:
    """Within a block or an id, if it is one; else anywhere."""
    if len(data) == 16 and random.random() < 0.7:
        id = int.from_bytes(data, "big") + random.choice(_STEPS) * random.choice((1, 1 << 64))
        return (id % (1 << 128)).to_bytes(16, "big")
    if random.random() < 0.75:
        for read, write in _BLOCKS:
            try:
                found = list(read(data))
            except Malformed:
                continue
            _elements(random, found)
            return write(random, found)
    return random.choice(_STRINGS) if random.random() < 0.2 else _bytes(random, data)


def _elements(random: Random, found: list[Element]) -> None:
    """Change some elements of a block."""
    for _ in range(random.randint(1, 2)):
        at = random.randrange(len(found) + 1)
        match random.randrange(10):
            case 0:
                found.insert(at, random.choice(found) if found else 0)
            case 1:
                del found[at : at + random.randint(1, 3)]
            case 2 if found:
                other = random.randrange(len(found))
                at = random.randrange(len(found))
                found[at], found[other] = found[other], found[at]
            case 3 | 4 | 5 | 6 if found:
                # What leaves most of a block as it was, such as the ids of a stream's entries.
                at = random.randrange(len(found))
                element = found[at]
                found[at] = element + random.choice(_STEPS) if isinstance(element, int) else element + b"x"
            case 7 if found:
                size = random.randint(1, 8)
                moved = found[at : at + size]
                del found[at : at + size]
                at = random.randrange(len(found) + 1)
                found[at:at] = moved
            case _:
                number = random.choice(NUMBERS[:-2]) * random.choice((1, 1, -1))
                found[at : at + 1] = [random.choice((number, random.choice(_STRINGS)))]


def _write_listpack(random: Random, found: list[Element]) -> bytes:
    return _sometimes_bytes(random, listpack([_entry(element) for element in found]))


def _entry(element: Element) -> bytes:
    if isinstance(element, int):
        return integer_entry(max(-(1 << 63), min(element, (1 << 63) - 1)))
    return string_entry(element)


def _write_ziplist(random: Random, found: list[Element]) -> bytes:
    from compat.values import ziplist as write

    kept = [max(-(1 << 63), min(item, (1 << 63) - 1)) if isinstance(item, int) else item for item in found]
    return _sometimes_bytes(random, write(kept))


def _write_intset(random: Random, found: list[Element]) -> bytes:
    numbers = [item for item in found if isinstance(item, int)]
    width = random.choice((8, 8, 8, 2, 4))
    half = 1 << 8 * width - 1
    if random.random() < 0.5:
        numbers.sort()
    body = b"".join(((item + half) % (2 * half) - half).to_bytes(width, "little", signed=True) for item in numbers)
    return _sometimes_bytes(random, pack("<II", width, len(numbers)) + body)


def _sometimes_bytes(random: Random, block: bytes) -> bytes:
    return _bytes(random, block) if random.random() < 0.1 else block


_BLOCKS: tuple[tuple[Callable[[bytes], Sequence[Element]], Callable[[Random, list[Element]], bytes]], ...] = (
    (elements, _write_listpack),
    (ziplist, _write_ziplist),
    (intset, _write_intset),
)


def _bytes(random: Random, data: bytes) -> bytes:
    """Flip, set, insert, remove, repeat or cut off bytes."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(changed) + 1)
        match random.randrange(7):
            case 0 if at < len(changed):
                changed[at] ^= 1 << random.randrange(8)
            case 1 if at < len(changed):
                changed[at] = random.choice((0, 1, 127, 128, 253, 254, 255, 0xC0, 0xC3, 0x80, 0x81, 0xF0, 0xF4))
            case 2:
                changed[at:at] = random.randbytes(random.randint(1, 9))
            case 3:
                del changed[at : at + random.randint(1, 9)]
            case 4:
                size = random.randint(1, 40)
                changed[at:at] = changed[at : at + size]
            case 5:
                width = random.choice((2, 4, 8))
                number = random.choice(NUMBERS) % (1 << 8 * width)
                changed[at : at + width] = number.to_bytes(width, random.choice(("big", "little")))
            case _:
                if random.random() < 0.3:
                    del changed[at:]
    return bytes(changed)
