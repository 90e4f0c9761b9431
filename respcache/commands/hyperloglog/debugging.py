"""PFDEBUG, which shows a HyperLogLog from the inside, and PFSELFTEST."""

from __future__ import annotations

from math import ceil, sqrt
from typing import TYPE_CHECKING

from respcache.commands.hyperloglog.counting import edit
from respcache.commands.table import ADMIN, DENYOOM, WRITE, Keys, Reach, family
from respcache.datatypes import hyperloglog, hyperloglog_sparse
from respcache.datatypes.hyperloglog import Corrupted
from respcache.datatypes.hyperloglog_registers import HIGHEST, REGISTERS, pack, unpack
from respcache.errors import (
    HLL_CORRUPTED,
    HLL_NOT_SPARSE,
    NO_SUCH_HLL,
    CommandError,
    failed_self_test,
    unknown_pfdebug,
)
from respcache.resp.types import OK, Reply, Status

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.store.shard import Shard

command = family("hyperloglog")


@command(
    "PFDEBUG",
    "subcommand key",
    arity=3,
    keys=Keys(2, access="RW ACCESS"),
    flags=WRITE | DENYOOM | ADMIN,
    since="2.8.9",
)
def pfdebug(shard: Shard, args: Args) -> Reply:
    """Show the registers (GETREG), opcodes (DECODE) or ENCODING of a HyperLogLog, or make it dense (TODENSE)."""
    subcommand, key = args.next(), args.next()
    value = edit(shard, key)
    if value is None:
        raise CommandError(NO_SUCH_HLL)

    try:
        match subcommand.upper():
            case b"GETREG":
                _make_dense(shard, key, value)
                return list(hyperloglog.registers_of(value))
            case b"DECODE":
                if not hyperloglog.is_sparse(value):
                    raise CommandError(HLL_NOT_SPARSE)
                return hyperloglog_sparse.describe(value)
            case b"ENCODING":
                return Status(b"sparse" if hyperloglog.is_sparse(value) else b"dense")
            case b"TODENSE":
                return int(_make_dense(shard, key, value))
    except Corrupted:
        raise CommandError(HLL_CORRUPTED) from None
    raise unknown_pfdebug(subcommand)


def _make_dense(shard: Shard, key: bytes, value: bytearray) -> bool:
    """False if it was dense. What it counts stays the same, so WATCH is not told, and there is no event."""
    if not hyperloglog.make_dense(value):
        return False
    shard.marked(key)
    shard.figures.changes += 1
    return True


# -- the self-test

# Redis tests 1000 times as many registers and 10 million elements, which would take a minute here.
_CYCLES = 10
_ELEMENTS = 10_000


@command("PFSELFTEST", arity=1, flags=ADMIN, reach=Reach.KEYS, since="2.8.9")
def pfselftest(shard: Shard, args: Args) -> Reply:
    """Check that registers keep what they are given, and that estimates are within their error."""
    for _ in range(_CYCLES):
        registers = bytes(shard.random.choices(range(HIGHEST + 1), k=REGISTERS))
        kept = unpack(pack(registers))
        if kept != registers:
            register = next(at for at in range(REGISTERS) if kept[at] != registers[at])
            raise failed_self_test(f"Register {register} should be {registers[register]} but is {kept[register]}")
    _test_estimates(shard)
    return OK


def _test_estimates(shard: Shard) -> None:
    """Add elements to a dense HyperLogLog and to a sparse one: estimates agree, and the error is small."""
    dense, sparse = hyperloglog.new(), hyperloglog.new()
    hyperloglog.make_dense(dense)
    most_bytes = shard.limits.hll_sparse_max_bytes
    seed = shard.random.getrandbits(63)
    checkpoint = 1
    for number in range(1, _ELEMENTS + 1):
        element = (number ^ seed).to_bytes(8, "little")
        hyperloglog.add(dense, element, most_bytes)
        hyperloglog.add(sparse, element, most_bytes)
        if number != checkpoint:
            continue
        if number < most_bytes // 2 and not hyperloglog.is_sparse(sparse):
            raise failed_self_test("sparse encoding not used")
        count = hyperloglog.count(dense)
        if count != hyperloglog.count(sparse):
            raise failed_self_test("dense/sparse disagree")
        error = abs(number - count)
        # Six times the standard error; of so few as 10, two may well share a register.
        if error > (1 if number == 10 else ceil(1.04 / sqrt(REGISTERS) * 6 * number)):
            raise failed_self_test(f"Too big error. card:{number} abserr:{error}")
        checkpoint *= 10
