"""A HyperLogLog as Redis' `hyperloglog.c` keeps it, step by step and one register at a time: the tests' model.

It has a list of opcodes where Redis has bytes, and knows none of the shortcuts of `respcache.datatypes.hyperloglog`.
The tests of commands compare genuine servers with it as well, which shows that it is right itself.
"""

from __future__ import annotations

from math import inf, sqrt

REGISTERS = 16384
MASK = (1 << 64) - 1


def place_of(element: bytes) -> tuple[int, int]:
    """The register of an element, and its rank: MurmurHash64A byte by byte, and bit by bit."""
    multiplier = 0xC6A4A7935BD1E995
    value = 0xADC83B19 ^ (len(element) * multiplier & MASK)
    rest = list(element)
    while len(rest) >= 8:
        word = sum(rest.pop(0) << shift for shift in range(0, 64, 8))
        word = word * multiplier & MASK
        word ^= word >> 47
        word = word * multiplier & MASK
        value = (value ^ word) * multiplier & MASK
    if rest:
        for at, byte in enumerate(rest):
            value ^= byte << 8 * at
        value = value * multiplier & MASK
    value ^= value >> 47
    value = value * multiplier & MASK
    value ^= value >> 47
    register, rank, value = value % REGISTERS, 1, value // REGISTERS
    while rank < 51 and not value & 1:
        rank, value = rank + 1, value >> 1
    return register, rank


class Opcode:
    """A run of registers of the same rank. A run of zeros with two bytes (`long`) stays one when it gets shorter."""

    def __init__(self, rank: int, length: int) -> None:
        self.rank = rank
        self.length = length

    def encoded(self) -> bytes:
        if self.rank:
            return bytes([0x80 + (self.rank - 1) * 4 + self.length - 1])
        if self.length > 64:
            return bytes([0x40 + (self.length - 1) // 256, (self.length - 1) % 256])
        return bytes([self.length - 1])

    @property
    def size(self) -> int:
        return len(self.encoded())


class NaiveHyperLogLog:
    """`opcodes` while it is sparse, None once it is dense."""

    def __init__(self, most_bytes: int = 3000) -> None:
        self.most_bytes = most_bytes
        self.registers = [0] * REGISTERS
        self.opcodes: list[Opcode] | None = [Opcode(0, REGISTERS)]
        self.cached = 0
        self.stale = True

    def add(self, *elements: bytes) -> bool:
        """PFADD to a key that exists."""
        changed = False
        for element in elements:
            register, rank = place_of(element)
            if rank > self.registers[register]:
                self.raise_register(register, rank)
                changed = self.stale = True
        return changed

    def merge(self, *sources: NaiveHyperLogLog) -> None:
        """PFMERGE into a key that exists."""
        everything = (self, *sources)
        ranks = [max(ranks) for ranks in zip(*(source.registers for source in everything), strict=True)]
        if any(source.opcodes is None for source in everything):
            self.opcodes = None
        for register, rank in enumerate(ranks):
            if rank > self.registers[register]:
                self.raise_register(register, rank)
        self.stale = True

    def raise_register(self, register: int, rank: int) -> None:
        self.registers[register] = rank
        if self.opcodes is None:
            return
        number, first = 0, 0
        while register >= first + self.opcodes[number].length:
            first += self.opcodes[number].length
            number += 1
        old = self.opcodes[number]
        changed = [
            Opcode(old.rank, register - first),
            Opcode(rank, 1),
            Opcode(old.rank, first + old.length - 1 - register),
        ]
        changed = [opcode for opcode in changed if opcode.length]
        growth = sum(opcode.size for opcode in changed) - old.size
        if rank > 32 or (growth > 0 and self.size + growth > self.most_bytes):
            self.opcodes = None
            return
        self.opcodes[number : number + 1] = changed
        self.join(max(number - 1, 0))

    def join(self, number: int) -> None:
        """Redis looks at five opcodes; one that was joined with the next is looked at again."""
        assert self.opcodes is not None
        for _ in range(5):
            here, following = self.opcodes[number : number + 1], self.opcodes[number + 1 : number + 2]
            if not here or not following:
                break
            one, other = here[0], following[0]
            if one.rank and one.rank == other.rank and one.length + other.length <= 4:
                self.opcodes[number : number + 2] = [Opcode(one.rank, one.length + other.length)]
            else:
                number += 1

    @property
    def size(self) -> int:
        return len(self.encoded())

    def count(self) -> int:
        """PFCOUNT of one key."""
        if self.stale:
            self.cached, self.stale = estimate(self.registers), False
        return self.cached

    def encoded(self) -> bytes:
        """GET."""
        header = b"HYLL" + bytes([self.opcodes is not None, 0, 0, 0])
        header += (self.cached | self.stale << 63).to_bytes(8, "little")
        if self.opcodes is not None:
            return header + b"".join(opcode.encoded() for opcode in self.opcodes)
        packed = sum(rank << 6 * register for register, rank in enumerate(self.registers) if rank)
        return header + packed.to_bytes(REGISTERS * 6 // 8, "little")


def estimate(registers: list[int]) -> int:
    """Ertl's improved estimator, in doubles."""
    size = float(REGISTERS)
    z = size * _tau((size - registers.count(51)) / size)
    for rank in range(50, 0, -1):
        z = (z + registers.count(rank)) * 0.5
    z += size * _sigma(registers.count(0) / size)
    return int(0.721347520444481703680 * size * size / z + 0.5)


def _sigma(x: float) -> float:
    if x == 1:
        return inf
    before, y, z = 0.0, 1.0, x
    while z != before:
        x, before = x * x, z
        z, y = z + x * y, y + y
    return z


def _tau(x: float) -> float:
    if x in (0, 1):
        return 0.0
    before, y, z = 0.0, 1.0, 1 - x
    while z != before:
        x, before, y = sqrt(x), z, y * 0.5
        z -= (1 - x) ** 2 * y
    return z / 3
