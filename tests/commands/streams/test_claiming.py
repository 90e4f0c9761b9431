"""XCLAIM and XAUTOCLAIM."""

from __future__ import annotations

import pytest

from tests.commands.streams.test_groups import BAD_ID, WRONG_TYPE, consumers_of, fill, groups_of
from tests.support.transcript import Transcript

SYNTAX = "ERR syntax error"
NO_GROUP = "NOGROUP No such key 's' or consumer group 'none'"


def entry(id: str) -> list[object]:
    return [id.encode(), [b"f", id.encode()]]


def owners(do: Transcript) -> list[tuple[bytes, bytes, int]]:
    """(id, consumer, number of deliveries) of all that is pending."""
    return [(id, consumer, count) for id, consumer, _, count in do("XPENDING", "s", "g", "-", "+", 100)]


@pytest.fixture
def pending(do: Transcript) -> Transcript:
    """A stream of which a has 1-0, 2-0 and 3-0 pending; 4-0 was not read yet."""
    fill(do, "s", "1-0", "2-0", "3-0", "4-0")
    do("XGROUP", "CREATE", "s", "g", "0")
    do("XREADGROUP", "GROUP", "g", "a", "COUNT", 3, "STREAMS", "s", ">")
    return do


def test_claim(pending: Transcript) -> None:
    do = pending
    assert do("XCLAIM", "s", "g", "b", 0, "2-0", "4-0", "1", "9-9") == [entry("2-0"), entry("1-0")]
    assert owners(do) == [(b"1-0", b"b", 2), (b"2-0", b"b", 2), (b"3-0", b"a", 1)]
    assert do("XPENDING", "s", "g")[3] == [[b"a", b"1"], [b"b", b"2"]]
    assert do("XCLAIM", "s", "g", "b", 0, "2-0", "3-0", "JUSTID") == [b"2-0", b"3-0"]
    assert owners(do) == [(b"1-0", b"b", 2), (b"2-0", b"b", 2), (b"3-0", b"b", 1)]
    assert do("XCLAIM", "s", "g", "b", 1_000_000, "2-0") == []
    assert do("XCLAIM", "s", "g", "b", -5, "2-0", "justid") == [b"2-0"]
    assert do("XCLAIM", "s", "g", "b", 0, "JUSTID") == []


def test_claim_with_idle_times_and_counts(pending: Transcript) -> None:
    do = pending
    assert do("XCLAIM", "s", "g", "b", 0, "1-0", "2-0", "IDLE", 60_000, "RETRYCOUNT", 7, "JUSTID") == [b"1-0", b"2-0"]
    assert owners(do)[:2] == [(b"1-0", b"b", 7), (b"2-0", b"b", 7)]
    assert [entry[0] for entry in do("XPENDING", "s", "g", "IDLE", 50_000, "-", "+", 9)] == [b"1-0", b"2-0"]
    assert do("XCLAIM", "s", "g", "c", 50_000, "1-0", "3-0", "JUSTID") == [b"1-0"]
    # Nonsense is now.
    for words in (("TIME", -7), ("IDLE", -100_000), ("TIME", 2**63 - 1), ("IDLE", 2**63 - 1), ("RETRYCOUNT", -3)):
        assert do("XCLAIM", "s", "g", "b", 0, "2-0", "JUSTID", *words) == [b"2-0"]
        assert [entry[0] for entry in do("XPENDING", "s", "g", "IDLE", 50_000, "-", "+", 9)] == []
    assert do("XCLAIM", "s", "g", "b", 0, "2-0", "TIME", 1_000) == [entry("2-0")]
    assert [entry[0] for entry in do("XPENDING", "s", "g", "IDLE", 50_000, "-", "+", 9)] == [b"2-0"]
    assert owners(do) == [(b"1-0", b"c", 7), (b"2-0", b"b", 8), (b"3-0", b"a", 1)]
    assert do("XCLAIM", "s", "g", "b", 0, "3-0", "RETRYCOUNT", 0) == [entry("3-0")]
    assert owners(do)[2] == (b"3-0", b"b", 0)


def test_claim_by_force(pending: Transcript) -> None:
    do = pending
    assert do("XCLAIM", "s", "g", "b", 100_000, "4-0", "9-9", "FORCE") == [entry("4-0")]
    assert owners(do)[3:] == [(b"4-0", b"b", 2)]
    assert groups_of(do)[0][b"last-delivered-id"] == b"3-0"
    do("XACK", "s", "g", "4-0")
    assert do("XCLAIM", "s", "g", "c", 0, "4-0", "FORCE", "JUSTID", "LASTID", "4") == [b"4-0"]
    assert owners(do)[3:] == [(b"4-0", b"c", 1)]
    assert groups_of(do)[0][b"last-delivered-id"] == b"4-0"
    do("XCLAIM", "s", "g", "c", 0, "4-0", "LASTID", "2")
    assert groups_of(do)[0][b"last-delivered-id"] == b"4-0"


# A stream with the entry 1-5, which the consumer c of the group g has got at a time to come (2**60).
_OF_THE_FUTURE = bytes.fromhex(
    "130110000000000000000100000000000000051d1d0000000a0001010001010181660200010201000100018176020401ff01"
    "0105010500000101016701050101000000000000000100000000000000050000000000000010010101630000000000000010"
    "01000000000000000100000000000000050a00c42168cc2ec34e26"
)


@pytest.mark.parametrize("least", [0, -1])
def test_whatever_was_delivered_when_has_been_idle_for_0_ms(do: Transcript, least: int) -> None:
    do("RESTORE", "s", 0, _OF_THE_FUTURE)
    assert do("XCLAIM", "s", "g", "d", 1, "1-5", "JUSTID") == []
    assert do("XAUTOCLAIM", "s", "g", "d", 1, 0, "JUSTID")[1] == []
    assert do("XCLAIM", "s", "g", "d", least, "1-5", "JUSTID") == [b"1-5"]
    do("RESTORE", "s", 0, _OF_THE_FUTURE, "REPLACE")
    assert do("XAUTOCLAIM", "s", "g", "d", least, 0, "JUSTID")[1] == [b"1-5"]


def test_claim_of_deleted_entries(pending: Transcript) -> None:
    do = pending
    do("XDEL", "s", "2-0", "4-0")
    assert do("XCLAIM", "s", "g", "b", 0, "1-0", "2-0", "3-0", "4-0", "FORCE", "JUSTID") == [b"1-0", b"3-0"]
    assert owners(do) == [(b"1-0", b"b", 1), (b"3-0", b"b", 1)]
    assert do("XPENDING", "s", "g")[3] == [[b"b", b"2"]]


def test_claim_errors(pending: Transcript) -> None:
    do = pending
    do("SET", "string", "x")
    assert do.error("XCLAIM", "s", "none", "b", "x", "x") == NO_GROUP
    assert do.error("XCLAIM", "none", "g", "b", "x", "x") == "NOGROUP No such key 'none' or consumer group 'g'"
    assert do.error("XCLAIM", "string", "g", "b", "x", "x") == WRONG_TYPE
    claim = ("XCLAIM", "s", "g", "b")
    assert do.error(*claim, "x", "1-0", "x") == "ERR Invalid min-idle-time argument for XCLAIM"
    assert do.error(*claim, 0, "x") == "ERR Unrecognized XCLAIM option 'x'"
    assert do.error(*claim, 0, "1-0", "-") == "ERR Unrecognized XCLAIM option '-'"
    assert do.error(*claim, 0, "1-0", "FORCE", "2-0") == "ERR Unrecognized XCLAIM option '2-0'"
    assert do.error(*claim, 0, "1-0", "n\0o") == "ERR Unrecognized XCLAIM option 'n'"
    for option in ("IDLE", "TIME", "RETRYCOUNT"):
        assert do.error(*claim, 0, "1-0", option) == f"ERR Unrecognized XCLAIM option '{option}'"
        assert do.error(*claim, 0, "1-0", option, "x") == f"ERR Invalid {option} option argument for XCLAIM"
    assert do.error(*claim, 0, "1-0", "lastid") == "ERR Unrecognized XCLAIM option 'lastid'"
    assert do.error(*claim, 0, "1-0", "LASTID", "x") == BAD_ID
    assert do.error(*claim, 0, "1-0", "LASTID", "9-9", "x") == "ERR Unrecognized XCLAIM option 'x'"
    assert list(consumers_of(do)) == [b"a"]
    assert groups_of(do)[0][b"last-delivered-id"] == b"3-0"
    assert do.error(*claim, 0) == "ERR wrong number of arguments for 'xclaim' command"


def test_autoclaim(pending: Transcript) -> None:
    do = pending
    assert do("XAUTOCLAIM", "s", "g", "b", 0, "-", "COUNT", 2) == [b"3-0", [entry("1-0"), entry("2-0")], []]
    assert do("XAUTOCLAIM", "s", "g", "b", 0, "3-0", "COUNT", 2) == [b"0-0", [entry("3-0")], []]
    assert owners(do) == [(b"1-0", b"b", 2), (b"2-0", b"b", 2), (b"3-0", b"b", 2)]
    assert do("xautoclaim", "s", "g", "c", 0, "(1-0", "justid") == [b"0-0", [b"2-0", b"3-0"], []]
    assert owners(do) == [(b"1-0", b"b", 2), (b"2-0", b"c", 2), (b"3-0", b"c", 2)]
    assert do("XAUTOCLAIM", "s", "g", "d", 100_000, "0") == [b"0-0", [], []]
    assert do("XAUTOCLAIM", "s", "g", "d", -1, "+") == [b"0-0", [], []]
    assert do("XPENDING", "s", "g")[3] == [[b"b", b"1"], [b"c", b"2"]]


@pytest.mark.since("7.2")
def test_who_claims_is_a_consumer_even_if_there_is_nothing(pending: Transcript) -> None:
    do = pending
    assert do("XCLAIM", "s", "g", "b", 0, "9-9") == []
    assert do("XAUTOCLAIM", "s", "g", "c", 100_000, "0") == [b"0-0", [], []]
    assert list(consumers_of(do)) == [b"a", b"b", b"c"]


def test_autoclaim_reports_deleted_entries(pending: Transcript) -> None:
    do = pending
    do("XDEL", "s", "1-0", "3-0")
    # A deleted one counts too.
    assert do("XAUTOCLAIM", "s", "g", "b", 100_000, "-", "COUNT", 1) == [b"2-0", [], [b"1-0"]]
    assert do("XAUTOCLAIM", "s", "g", "b", 0, "-", "COUNT", 2, "JUSTID") == [b"0-0", [b"2-0"], [b"3-0"]]
    assert owners(do) == [(b"2-0", b"b", 1)]
    assert consumers_of(do)[b"a"][b"pending"] == 0


def test_autoclaim_looks_at_ten_times_the_count(do: Transcript) -> None:
    fill(do, "s", *(f"{number}-0" for number in range(1, 31)))
    do("XGROUP", "CREATE", "s", "g", "0")
    do("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", ">")
    do("XCLAIM", "s", "g", "a", 0, "10-0", "22-0", "23-0", "JUSTID", "IDLE", 100_000)
    assert do("XAUTOCLAIM", "s", "g", "b", 50_000, "-", "COUNT", 1, "JUSTID") == [b"11-0", [b"10-0"], []]
    assert do("XAUTOCLAIM", "s", "g", "b", 50_000, "11-0", "COUNT", 1, "JUSTID") == [b"21-0", [], []]
    assert do("XAUTOCLAIM", "s", "g", "b", 50_000, "21-0", "COUNT", 1, "JUSTID") == [b"23-0", [b"22-0"], []]
    assert do("XAUTOCLAIM", "s", "g", "b", 50_000, "23-0", "COUNT", 1, "JUSTID") == [b"24-0", [b"23-0"], []]
    assert do("XAUTOCLAIM", "s", "g", "b", 50_000, "24-0", "COUNT", 1, "JUSTID") == [b"0-0", [], []]


def test_autoclaim_of_a_hundred_by_default(do: Transcript) -> None:
    fill(do, "s", *(f"{number}-0" for number in range(1, 151)))
    do("XGROUP", "CREATE", "s", "g", "0")
    do("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", ">")
    cursor, claimed, deleted = do("XAUTOCLAIM", "s", "g", "b", 0, "0-0")
    assert (cursor, len(claimed), deleted) == (b"101-0", 100, [])


def test_autoclaim_errors(pending: Transcript) -> None:
    do = pending
    do("SET", "string", "x")
    claim = ("XAUTOCLAIM", "string", "g", "b")
    assert do.error(*claim, "x", "x", "x") == "ERR Invalid min-idle-time argument for XAUTOCLAIM"
    assert do.error(*claim, 0, "x", "x") == BAD_ID
    assert do.error(*claim, 0, f"({2**64 - 1}-{2**64 - 1}", "x") == "ERR invalid start ID for the interval"
    assert do.error(*claim, 0, "0", "COUNT") == SYNTAX
    assert do.error(*claim, 0, "0", "x") == SYNTAX
    for count in (0, -1, "x", 2**63, 2**63 // 16):
        assert do.error(*claim, 0, "0", "COUNT", count) == "ERR COUNT must be > 0"
    assert do.error(*claim, 0, "0", "JUSTID") == WRONG_TYPE
    assert do.error("XAUTOCLAIM", "s", "none", "b", 0, "0") == NO_GROUP
    assert do.error("XAUTOCLAIM", "none", "g", "b", 0, "0") == "NOGROUP No such key 'none' or consumer group 'g'"
    assert do.error("XAUTOCLAIM", "s", "g", "b", 0, "0", "COUNT", 2**63 // 16 - 1) == (
        "ERR Insufficient memory, failed allocating transient memory, COUNT too high."
    )
    assert list(consumers_of(do)) == [b"a"]
    assert do.error("XAUTOCLAIM", "s", "g", "b", 0) == "ERR wrong number of arguments for 'xautoclaim' command"
