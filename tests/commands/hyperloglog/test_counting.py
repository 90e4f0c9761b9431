"""PFADD, PFCOUNT and PFMERGE: the replies, and the bytes of the string."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from tests.support.naive_hyperloglog import NaiveHyperLogLog
from tests.support.resp import Connection
from tests.support.transcript import Transcript

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_A_HLL = "WRONGTYPE Key is not a valid HyperLogLog string value."
CORRUPTED = "INVALIDOBJ Corrupted HLL object detected"

HEADER = b"HYLL\x01" + bytes(3)
STALE = bytes(7) + b"\x80"


@pytest.fixture(autouse=True)
def _usual_limit(do: Transcript) -> None:
    """A genuine server keeps the settings of earlier tests."""
    do("CONFIG", "SET", "hll-sparse-max-bytes", 3000)


def test_adding_and_counting(do: Transcript) -> None:
    assert do("PFADD", "h", "a", "b", "c", "d", "e", "f", "g") == 1
    assert do("PFADD", "h", "a", "g") == 0
    assert do("PFCOUNT", "h") == 7
    assert do("PFADD", "h", "x") == 1
    assert do("PFCOUNT", "h") == 8
    assert do("PFCOUNT", "none") == do("PFCOUNT", "none", "neither") == 0
    assert do("TYPE", "h") == "string"
    assert do("OBJECT", "ENCODING", "h") == b"raw"


def test_one_without_elements(do: Transcript) -> None:
    assert do("PFADD", "h") == 1
    assert do("GET", "h") == HEADER + STALE + b"\x7f\xff"
    assert do("PFADD", "h") == 0
    assert do("PFCOUNT", "h") == 0
    assert do("GET", "h") == HEADER + bytes(8) + b"\x7f\xff"


def test_the_count_is_kept_in_the_string(do: Transcript) -> None:
    do("PFADD", "h", "a", "b", "c")
    do("PFCOUNT", "h")
    assert do("GETRANGE", "h", 8, 15) == b"\x03" + bytes(7)
    do("SETRANGE", "h", 8, b"\x2a\x01")
    assert do("PFCOUNT", "h") == 298
    assert do("PFCOUNT", "h", "none") == 3
    assert do("PFADD", "h", "d") == 1
    assert do("GETRANGE", "h", 8, 15) == b"\x2a\x01" + bytes(5) + b"\x80"
    assert do("PFCOUNT", "h") == 4


def test_an_empty_element_and_any_bytes(do: Transcript) -> None:
    assert do("PFADD", "h", "", b"\0", b"\xff" * 1000, b"\r\n") == 1
    assert do("PFCOUNT", "h") == 4


@pytest.mark.parametrize("seed", range(6))
def test_any_sequence_leaves_the_bytes_of_redis(do: Transcript, seed: int) -> None:
    """The model takes Redis' steps one by one; that genuine servers pass shows that it does."""
    chance = Random(seed)
    most_bytes = [3000, 300, 120, 40, 0, 16000][seed]
    do("CONFIG", "SET", "hll-sparse-max-bytes", most_bytes)
    models: dict[str, NaiveHyperLogLog] = {}
    for _ in range(60):
        keys = chance.sample(["a", "b", "c", "{a}"], chance.randint(1, 3))
        key = keys[0]
        match chance.randrange(8):
            case 0:
                assert do("DEL", key) == int(models.pop(key, None) is not None)
            case 1:
                others = [models[name] for name in keys[1:] if name in models]
                assert do("PFMERGE", *keys) == "OK"
                models.setdefault(key, NaiveHyperLogLog(most_bytes)).merge(*others)
            case 2:
                union = NaiveHyperLogLog()
                union.merge(*(models[name] for name in keys if name in models))
                assert do("PFCOUNT", *keys, "none") == union.count()
            case 3 | 4:
                assert do("PFCOUNT", key) == (models[key].count() if key in models else 0)
            case _:
                count = chance.choice((0, 1, 3, 20, 300))
                elements = [b"%d" % chance.randrange(1 << 14) for _ in range(count)]
                created = key not in models
                model = models.setdefault(key, NaiveHyperLogLog(most_bytes))
                assert do("PFADD", key, *elements) == int(model.add(*elements) or created)
        assert do("GET", key) == (models[key].encoded() if key in models else None)


def test_it_becomes_dense(do: Transcript) -> None:
    model = NaiveHyperLogLog()
    for first in range(0, 4000, 500):
        elements = [b"%d" % number for number in range(first, first + 500)]
        assert do("PFADD", "h", *elements) == 1
        model.add(*elements)
        assert do("PFCOUNT", "h") == model.count()
        assert do("GET", "h") == model.encoded()
    assert do("STRLEN", "h") == 16 + 12288


def test_merging(do: Transcript) -> None:
    do("PFADD", "a", "1", "2", "3")
    do("PFADD", "b", "3", "4")
    assert do("PFMERGE", "d", "a", "b", "none") == "OK"
    assert do("PFCOUNT", "d") == do("PFCOUNT", "a", "b") == do("PFCOUNT", "b", "a", "b") == 4
    do("PFADD", "e", "5")
    assert do("PFMERGE", "d", "e") == "OK"
    assert do("PFCOUNT", "d") == 5
    do("PFCOUNT", "a")
    assert do("PFMERGE", "a") == "OK"
    assert do("GETRANGE", "a", 8, 15) == b"\x03" + bytes(6) + b"\x80"
    assert do("PFMERGE", "new") == "OK"
    assert do("GET", "new") == HEADER + STALE + b"\x7f\xff"


def test_one_dense_source_makes_the_result_dense(do: Transcript) -> None:
    do("PFADD", "a", "1")
    do("PFADD", "dense", "2")
    do("PFDEBUG", "TODENSE", "dense")
    do("PFMERGE", "a", "dense")
    assert do("STRLEN", "a") == 16 + 12288
    do("PFMERGE", "b", "a", "dense")
    assert do("STRLEN", "b") == 16 + 12288
    assert do("PFCOUNT", "a") == do("PFCOUNT", "b") == 2


def test_the_ttl_stays(do: Transcript) -> None:
    do("PFADD", "h", "1")
    do("EXPIRE", "h", 1000)
    do("PFADD", "h", "2")
    do("PFCOUNT", "h")
    do("PFMERGE", "h", "none")
    assert 0 < do("TTL", "h") <= 1000


@pytest.mark.respcache_only(reason="lets time pass")
def test_an_expired_one_is_none(do: Transcript) -> None:
    do("PFADD", "h", "1")
    do("PEXPIRE", "h", 100)
    do.advance(101)
    assert do("PFCOUNT", "h") == 0
    assert do("PFADD", "h", "2") == 1
    assert do("PFCOUNT", "h") == 1
    assert do("TTL", "h") == -1


def test_any_command_for_strings_takes_it(do: Transcript) -> None:
    do("PFADD", "h", "1", "2")
    value = do("GET", "h")
    do("SET", "copied", value)
    assert do("PFCOUNT", "copied") == 2
    assert do("PFADD", "copied", "3") == 1
    assert do("GET", "h") == value
    do("COPY", "h", "copied", "REPLACE")
    assert do("PFADD", "copied", "3") == 1
    assert do("GET", "h") == value


def test_a_short_one_set_by_hand_is_raw_once_it_was_looked_at(do: Transcript) -> None:
    for command in ("PFADD", "PFCOUNT", "PFMERGE"):
        do("SET", "h", HEADER + bytes(8) + b"\x7f\xff")
        assert do("OBJECT", "ENCODING", "h") == b"embstr"
        do("PFCOUNT", "h", "none")
        assert do("OBJECT", "ENCODING", "h") == b"embstr"
        do(command, "h")
        assert do("OBJECT", "ENCODING", "h") == b"raw"


# -- who is told


def test_watch(do: Transcript, connect: Callable[..., Connection]) -> None:
    """PFCOUNT modifies a key when it keeps the count, and only then."""
    other = connect()

    def fails_after(*words: object) -> bool:
        do("WATCH", "h")
        other.call(*words)
        return do.transaction(("PING",)) is None

    do("PFADD", "h", "1")
    assert fails_after("PFCOUNT", "h")
    assert not fails_after("PFCOUNT", "h")
    assert not fails_after("PFADD", "h", "1")
    assert fails_after("PFADD", "h", "2")
    assert not fails_after("PFCOUNT", "h", "none")
    assert fails_after("PFMERGE", "h")
    assert not fails_after("PFDEBUG", "TODENSE", "h")
    assert not fails_after("PFMERGE", "{h}", "h")


def test_keyspace_events(do: Transcript, connect: Callable[..., Connection]) -> None:
    do("CONFIG", "SET", "notify-keyspace-events", "EA")
    listener = connect()
    listener.call("PSUBSCRIBE", "__keyevent@0__:*")
    do("PFADD", "h", "1")
    do("PFADD", "h", "1")
    do("PFCOUNT", "h")
    do("PFDEBUG", "TODENSE", "h")
    do("PFMERGE", "{h}", "h")
    do("DEL", "h")
    events = [listener.read() for _ in range(3)]
    assert [(event[2].partition(b":")[2], event[3]) for event in events] == [
        (b"pfadd", b"h"),
        (b"pfadd", b"{h}"),
        (b"del", b"h"),
    ]


def test_within_transactions_and_scripts(do: Transcript) -> None:
    assert do.transaction(("PFADD", "a", "1"), ("PFADD", "b", "2"), ("PFCOUNT", "a", "b"), ("PFMERGE", "c", "a", "b"),
                          ("PFCOUNT", "c")) == [1, 1, 2, "OK", 2]  # fmt: skip
    assert do("EVAL", "return redis.call('PFCOUNT', KEYS[1], KEYS[2])", 2, "a", "b") == 2
    assert do("EVAL", "redis.call('PFADD', KEYS[1], 'x'); return redis.call('PFCOUNT', KEYS[1])", 1, "a") == 2
    error = do.error("EVAL_RO", "return redis.call('PFCOUNT', KEYS[1])", 1, "a")
    assert error.startswith("ERR Write commands are not allowed from read-only scripts.")


def test_misses_are_counted(do: Transcript) -> None:
    do("CONFIG", "RESETSTAT")
    do("PFADD", "h", "1")
    do("PFCOUNT", "h")
    do("PFCOUNT", "none")
    do("PFMERGE", "h", "none")
    info = do("INFO", "stats")
    lines = (info.decode() if isinstance(info, bytes) else str(info)).splitlines()
    assert {"keyspace_hits:2", "keyspace_misses:2"} <= {*lines}


# -- strings that clients have made up

NO_HLLS = [
    b"", b"foo", b"HYLL", b"1234567890123456", HEADER + bytes(7), b"HYLX" + HEADER[4:] + bytes(8),
    b"HYLL\x02" + bytes(11), b"HYLL\x00" + bytes(11), b"HYLL\x00" + bytes(11 + 12287), b"HYLL\x00" + bytes(11 + 12289),
    b"12345678901234567",
]  # fmt: skip
COMMANDS = [("PFADD", "h"), ("PFADD", "h", "a"), ("PFCOUNT", "h"), ("PFCOUNT", "none", "h"), ("PFCOUNT", "h", "l"),
            ("PFMERGE", "h"), ("PFMERGE", "d", "h"), ("PFMERGE", "d", "h", "l"), ("PFDEBUG", "ENCODING", "h"),
            ("PFDEBUG", "NONSENSE", "h")]  # fmt: skip


@pytest.mark.parametrize("value", NO_HLLS)
def test_no_hyperloglog(do: Transcript, value: bytes) -> None:
    do("SET", "h", value)
    do("RPUSH", "l", "x")
    for words in COMMANDS:
        assert do.error(*words) == NOT_A_HLL
    assert do("GET", "h") == value
    assert do("EXISTS", "d") == 0


@pytest.mark.parametrize("words", [words for words in COMMANDS if "l" not in words])
def test_wrong_type(do: Transcript, words: tuple[str, ...]) -> None:
    do("RPUSH", "h", "x")
    assert do.error(*words) == WRONG_TYPE
    assert do("LRANGE", "h", 0, -1) == [b"x"]
    assert do("EXISTS", "d") == 0


TOO_FEW = [b"", b"\x00", b"\x7f\xfe", b"\xff" * 100, b"\x00" * 16383]
TOO_MANY = [b"\x7f\xff\x00", b"\x00" * 16385, b"\x7f\xff" * 1000]


@pytest.mark.parametrize("opcodes", [*TOO_FEW, *TOO_MANY])
def test_corrupted(do: Transcript, opcodes: bytes) -> None:
    value = HEADER + STALE + opcodes
    do("SET", "h", value)
    for words in (
        ("PFCOUNT", "h"),
        ("PFCOUNT", "h", "none"),
        ("PFMERGE", "h"),
        ("PFMERGE", "d", "h"),
        ("PFDEBUG", "GETREG", "h"),
        ("PFDEBUG", "TODENSE", "h"),
    ):
        assert do.error(*words) == CORRUPTED
    assert do("GET", "h") == value
    assert do("EXISTS", "d") == 0


def test_elements_whose_registers_are_there_are_added(do: Transcript) -> None:
    """Only the opcode of the element is looked for: what is wrong behind it does not matter, as in Redis."""
    value = HEADER + STALE + b"\x7f\xfe"  # all registers but the last one
    do("SET", "h", value)
    assert do("PFADD", "h", "a") == 1
    assert do.error("PFCOUNT", "h") == CORRUPTED

    do("SET", "h", HEADER + STALE + b"\x40\x00")  # only the first one: elements before the corrupted one stay
    assert do.error("PFADD", "h", "a") == CORRUPTED
    assert do("GET", "h") == HEADER + STALE + b"\x40\x00"


def test_a_cached_count_is_believed(do: Transcript) -> None:
    do("SET", "h", HEADER + (1 << 62).to_bytes(8, "little") + b"nonsense")
    assert do("PFCOUNT", "h") == 1 << 62


@pytest.mark.parametrize("register", [0, 40, 50, 51, 52, 63])
def test_registers_that_no_element_could_have_filled(do: Transcript, register: int) -> None:
    """Without any that count, the result is that of a C cast, and can never be kept: its highest bit means stale."""
    four = (register * 0b1000001000001000001).to_bytes(3, "little")
    do("SET", "h", b"HYLL\x00" + bytes(3) + STALE + four * 4096)
    count = do("PFCOUNT", "h")
    assert count == {0: 0, 40: 12994641697113596}.get(register, -(1 << 63))
    assert do("PFCOUNT", "h") == do("PFCOUNT", "h", "none") == count
