"""DEBUG: digests, which are those of genuine servers; and what is accepted, or refused, for test suites."""

from __future__ import annotations

import pytest

from tests.support.transcript import Transcript

NOTHING = "0" * 40
UNKNOWN = "ERR unknown subcommand or wrong number of arguments for '{}'. Try DEBUG HELP."


def fill(do: Transcript) -> None:
    """A key of each type, with elements that are integers, text and empty, in any encoding."""
    do("SET", "integer", 12345)
    do("SET", "string", "xyz" * 100)
    do("SET", "empty", "")
    do("RPUSH", "list", 1, "2", "abc", "", -5)
    do("SADD", "integers", 1, 2, 3)
    do("SADD", "set", "a", "b", 1, "c" * 100)
    do("HSET", "hash", "f", 1, "g", "x", "", "")
    do("HSET", "large", "f", "x" * 100)
    do("ZADD", "zset", 1, "a", 2.5, "b", "-inf", "c", "inf", 7, 123456789012345, "e")
    do("XADD", "stream", "1-1", "f", "v")
    do("XADD", "stream", "1526919030474-55", "f", "v", "g", 10)
    do("XDEL", "stream", "1-1")


class TestDigest:
    def test_nothing(self, do: Transcript) -> None:
        assert do("DEBUG", "DIGEST") == NOTHING

    def test_every_type(self, do: Transcript) -> None:
        fill(do)
        assert do("DEBUG", "DIGEST") == "f2624dbfdb38610c821f56556ce0989a57a2a0b3"
        assert do("DEBUG", "DIGEST-VALUE", "list", "none", "zset", "stream") == [
            "13bfc88a1f5eb724d70ba80140ef2c0f73dbe894",
            NOTHING,
            "dbbbb0af04ebaf9f7f15f0c845acf80f8bc8e7a6",
            "0a3f0bed6ed186c4e7cf912eaaab8fec5cfa86fc",
        ]

    @pytest.mark.since("7.2")
    def test_fractions(self, do: Transcript) -> None:
        """Scores count by their shortest digits, in earlier versions by 17 of them."""
        do("ZADD", "z", "0.1", "a", "1e-9", "b", "-1.5e300", "c", "-0", "d", "1e15", "e", "4e18", "f")
        assert do("DEBUG", "DIGEST-VALUE", "z") == ["4433431a6490755817b07cd905de1da86e9a5160"]

    def test_databases_and_deadlines_count(self, do: Transcript) -> None:
        do("SET", "a", 1)
        assert do("DEBUG", "DIGEST") == "943d800368fb9c0e951138f1bc0e313ac769d91f"
        before = do("DEBUG", "DIGEST-VALUE", "a")
        do("EXPIRE", "a", 1000)
        assert do("DEBUG", "DIGEST-VALUE", "a") != before
        do("PERSIST", "a")
        do("MOVE", "a", 3)
        assert do("DEBUG", "DIGEST") == "bc8f01911f375369cc100f32d768813c62974af0"
        do("SET", "b", 2)
        assert do("DEBUG", "DIGEST") == "0ef7e79d472cd9a6ec061ccaa11b28322a0cc579"
        do("SELECT", 3)
        assert do("DEBUG", "DIGEST") == "0ef7e79d472cd9a6ec061ccaa11b28322a0cc579"
        assert do("DEBUG", "DIGEST-VALUE", "a", "b") == [*before, NOTHING]
        do("SELECT", 0)

    def test_in_a_transaction(self, do: Transcript) -> None:
        assert do.transaction(("SET", "a", 1), ("DEBUG", "DIGEST"), ("DEBUG", "DIGEST-VALUE", "a"))[1:] == [  # type: ignore[index]  # it has not failed
            "943d800368fb9c0e951138f1bc0e313ac769d91f",
            do("DEBUG", "DIGEST-VALUE", "a"),
        ]

    def test_order_makes_no_difference_where_there_is_none(self, do: Transcript) -> None:
        do("SADD", "s", *"abc")
        do("HSET", "h", "a", 1, "b", 2)
        do("RPUSH", "l", "a", "b")
        before = do("DEBUG", "DIGEST-VALUE", "s", "h", "l")
        do("DEL", "s", "h", "l")
        do("SADD", "s", *"cba")
        do("HSET", "h", "b", 2, "a", 1)
        do("RPUSH", "l", "b", "a")
        after = do("DEBUG", "DIGEST-VALUE", "s", "h", "l")
        assert after[:2] == before[:2]
        assert after[2] != before[2]

    def test_errors(self, do: Transcript) -> None:
        assert do.error("DEBUG", "DIGEST", "x") == UNKNOWN.format("DIGEST")
        assert do("DEBUG", "DIGEST-VALUE") == []

    @pytest.mark.respcache_only(reason="RESPCACHE is respcache's own command")
    def test_of_a_namespace(self, do: Transcript) -> None:
        do("SET", "a", 1)
        before = do("DEBUG", "DIGEST")
        do("RESPCACHE", "NAMESPACE", "n")
        assert do("DEBUG", "DIGEST") == NOTHING
        do("SET", "a", 1)
        assert do("DEBUG", "DIGEST") == before
        do("FLUSHALL")


class TestAccepted:
    @pytest.mark.parametrize("size", ["0", "100b", "1mb", "4293918720"])
    def test_packed_threshold(self, do: Transcript, size: str) -> None:
        assert do("DEBUG", "QUICKLIST-PACKED-THRESHOLD", size) == "OK"
        assert do("DEBUG", "QUICKLIST-PACKED-THRESHOLD", 0) == "OK"

    @pytest.mark.parametrize("size", ["4gb", "4293918721", "x", "-1", "1xb"])
    def test_bad_packed_threshold(self, do: Transcript, size: str) -> None:
        text = "ERR argument must be a memory value bigger than 1 and smaller than 4gb"
        assert do.error("DEBUG", "QUICKLIST-PACKED-THRESHOLD", size) == text

    def test_cron_and_reply_buffers(self, do: Transcript) -> None:
        for words in (
            ("PAUSE-CRON", 1),
            ("PAUSE-CRON", 0),
            ("REPLYBUFFER", "PEAK-RESET-TIME", 100),
            ("REPLYBUFFER", "peak-reset-time", "never"),
            ("REPLYBUFFER", "PEAK-RESET-TIME", "reset"),
            ("REPLYBUFFER", "RESIZING", 0),
            ("REPLYBUFFER", "RESIZING", 1),
        ):
            assert do("DEBUG", *words) == "OK"
        assert do.error("DEBUG", "REPLYBUFFER", "PEAK-RESET-TIME", "x") == (
            "ERR value is not an integer or out of range"
        )

    def test_checksums(self, do: Transcript) -> None:
        do("SET", "k", "v")
        payload = do("DUMP", "k")
        damaged = payload[:-1] + bytes((payload[-1] ^ 1,))
        bad = "ERR DUMP payload version or checksum are wrong"
        assert do.error("RESTORE", "new", 0, damaged) == bad
        assert do("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 1) == "OK"
        for number in range(5):
            assert do("RESTORE", f"new{number}", 0, damaged) == "OK"
            assert do("GET", f"new{number}") == b"v"
        assert do("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 0) == "OK"
        assert do.error("RESTORE", "other", 0, damaged) == bad

    @pytest.mark.respcache_only(reason="RESPCACHE is respcache's own command")
    def test_checksums_after_reset(self, do: Transcript) -> None:
        do("SET", "k", "v")
        payload = do("DUMP", "k")
        do("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 1)
        do("RESPCACHE", "RESET")
        do.error("RESTORE", "k", 0, payload[:-1] + bytes((payload[-1] ^ 1,)))

    def test_the_replication_id_changes(self, do: Transcript) -> None:
        before = do("INFO", "replication")
        assert do("DEBUG", "CHANGE-REPL-ID") == "OK"
        assert do("INFO", "replication") != before

    @pytest.mark.respcache_only(reason="the log of a genuine server is elsewhere")
    def test_a_line_for_the_log(self, do: Transcript) -> None:
        assert do("DEBUG", "LOG", "here I am\n") == "OK"
        assert "DEBUG LOG: here I am" in do.server.output()  # type: ignore[attr-defined]  # it is one of ours

    @pytest.mark.parametrize(
        "words",
        [
            ("CHANGE-REPL-ID", "x"),
            ("QUICKLIST-PACKED-THRESHOLD",),
            ("QUICKLIST-PACKED-THRESHOLD", 1, 2),
            ("PAUSE-CRON",),
            ("REPLYBUFFER",),
            ("REPLYBUFFER", "OTHER", 1),
            ("LOG",),
            ("ERROR",),
            ("SLEEP",),
            ("OBJECT",),
            ("SET-ACTIVE-EXPIRE",),
            ("SET-SKIP-CHECKSUM-VALIDATION",),
            ("JMAP",),
        ],
        ids=lambda words: str(words[0]),
    )
    def test_wrong_number_of_arguments(self, do: Transcript, words: tuple[object, ...]) -> None:
        assert do.error("DEBUG", *words) == UNKNOWN.format(words[0])


@pytest.mark.respcache_only(reason="genuine servers do these things")
class TestRefused:
    @pytest.mark.parametrize("name", ["SEGFAULT", "PANIC", "ASSERT", "OOM", "RESTART", "crash-and-recover"])
    def test_crashes(self, do: Transcript, name: str) -> None:
        assert "RESPCACHE FAULT" in do.error("DEBUG", name)
        assert do("PING") == "PONG"

    @pytest.mark.parametrize("name", ["LISTPACK", "HTSTATS", "HTSTATS-KEY", "SDSLEN", "STRUCTSIZE", "QUICKLIST"])
    def test_internals(self, do: Transcript, name: str) -> None:
        assert do.error("DEBUG", name, "k") == (
            f"ERR DEBUG {name} is not available in respcache: it looks into structures of the C server"
        )

    @pytest.mark.parametrize("name", ["RELOAD", "LOADAOF"])
    def test_files(self, do: Transcript, name: str) -> None:
        assert "nothing is written to disk" in do.error("DEBUG", name)
