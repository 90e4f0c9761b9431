"""PFDEBUG and PFSELFTEST."""

from __future__ import annotations

import pytest

from tests.support.naive_hyperloglog import NaiveHyperLogLog
from tests.support.transcript import Transcript

DENSE = b"HYLL\x00"


def test_getreg(do: Transcript) -> None:
    model = NaiveHyperLogLog()
    elements = [b"%d" % number for number in range(200)]
    model.add(*elements)
    do("PFADD", "h", *elements)
    assert do("PFDEBUG", "GETREG", "h") == model.registers
    model.opcodes = None
    assert do("GET", "h") == model.encoded()  # it is dense by now
    assert do("PFDEBUG", "getreg", "h") == model.registers


def test_decode(do: Transcript) -> None:
    do("PFADD", "h")
    assert do("PFDEBUG", "DECODE", "h") == b"Z:16384"
    do("PFADD", "h", "a", "b")
    assert do("PFDEBUG", "DECODE", "h") == b"Z:12711 v:2,1 Z:3068 v:1,1 Z:603"
    do("SET", "h", b"HYLL\x01" + bytes(11) + b"\x00\x3f\x83\xfc\x40\x41\x7f")
    assert do("PFDEBUG", "DECODE", "h") == b"z:1 z:64 v:1,4 v:32,1 Z:66 Z:16129"
    do("SET", "h", b"HYLL\x01" + bytes(11))
    assert do("PFDEBUG", "DECODE", "h") == b""


@pytest.mark.respcache_only(reason="Redis prints them all")
def test_decode_of_more_than_there_can_be(do: Transcript) -> None:
    """It would take main memory and time for something that is no HyperLogLog."""
    do("SET", "h", b"HYLL\x01" + bytes(11) + bytes(2 * 16384 + 1))
    assert do.error("PFDEBUG", "DECODE", "h") == "INVALIDOBJ Corrupted HLL object detected"


def test_encoding_and_todense(do: Transcript) -> None:
    do("PFADD", "h", "a")
    assert do("PFDEBUG", "ENCODING", "h") == "sparse"
    do("PFCOUNT", "h")
    assert do("PFDEBUG", "TODENSE", "h") == 1
    assert do("PFDEBUG", "TODENSE", "h") == 0
    assert do("PFDEBUG", "encoding", "h") == "dense"
    assert do("GETRANGE", "h", 0, 15) == DENSE + bytes(3) + b"\x01" + bytes(7)
    assert do("PFADD", "h", "a") == 0
    assert do("PFADD", "h", "b") == 1
    assert do("PFCOUNT", "h") == 2


@pytest.mark.respcache_only(reason="Redis tests for many seconds")
def test_self_test(do: Transcript) -> None:
    assert do("PFSELFTEST") == "OK"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("PFDEBUG", "GETREG", "none"), "ERR The specified key does not exist"),
        (("PFDEBUG", "NONSENSE", "none"), "ERR The specified key does not exist"),
        (("PFDEBUG", "NonSense", "h"), "ERR Unknown PFDEBUG subcommand 'NonSense'"),
        (("PFDEBUG", "DECODE", "dense"), "ERR HLL encoding is not sparse"),
        (("PFDEBUG", "GETREG"), "ERR wrong number of arguments for 'pfdebug' command"),
        (("PFDEBUG", "GETREG", "h", "h"), "ERR wrong number of arguments for 'pfdebug' command"),
        (("PFSELFTEST", "x"), "ERR wrong number of arguments for 'pfselftest' command"),
    ],
)
def test_errors(do: Transcript, words: tuple[str, ...], error: str) -> None:
    do("PFADD", "h", "a")
    do("PFADD", "dense", "a")
    do("PFDEBUG", "TODENSE", "dense")
    assert do.error(*words) == error
