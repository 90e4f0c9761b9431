"""The log: it never blocks, and clients cannot flood it."""

from __future__ import annotations

import fcntl
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from respcache.logs import Log, check_path

LINE = re.compile(r"\d+:M \d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3} ([.\-*#]) (.*)")


@contextmanager
def piped_output(size: int = 4096) -> Iterator[int]:
    """Make standard output a pipe of this size. Yields its reading end, which does not block.

    Not a fixture, because pytest replaces standard output after fixtures have run.
    """
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    if sys.platform == "linux":
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, size)
    saved = os.dup(1)
    os.dup2(writer, 1)
    os.close(writer)
    try:
        yield reader
    finally:
        os.dup2(saved, 1)
        os.close(saved)
        os.close(reader)


def messages(text: str) -> list[str]:
    return [LINE.sub(r"\1 \2", line) for line in text.splitlines()]


def test_lines_are_those_of_redis_server(tmp_path: Path) -> None:
    log = Log()
    log.configure(level="verbose", path=str(tmp_path / "log"))
    log.debug("not this one")
    log.verbose("a")
    log.notice("b")
    log.warning("c")
    text = (tmp_path / "log").read_text()
    assert messages(text) == ["- a", "* b", "# c"]
    assert all(LINE.fullmatch(line) for line in text.splitlines())


def test_a_file_that_was_moved_is_created_again(tmp_path: Path) -> None:
    log = Log()
    log.configure(level="notice", path=str(tmp_path / "log"))
    log.notice("a")
    (tmp_path / "log").rename(tmp_path / "log.1")
    log.notice("b")
    assert messages((tmp_path / "log").read_text()) == ["* b"]


class TestNeverBlocking:
    """Each of these would hang if it blocked."""

    def test_lines_dropped_because_of_a_full_pipe_are_counted(self) -> None:
        log = Log()
        with piped_output() as reader:
            for number in range(200):
                log.notice(f"{number:03} {'x' * 50}")
            read = os.read(reader, 1 << 16).decode()
            log.notice("there is room again")
            log.notice("and again")
            written = messages(read + os.read(reader, 1 << 16).decode())
        kept = [message for message in written if "x" in message]
        assert kept == [f"* {number:03} {'x' * 50}" for number in range(len(kept))]
        assert written[len(kept) :] == [
            f"# {200 - len(kept)} lines are missing here: the log could not be written",
            "* there is room again",
            "* and again",
        ]

    @pytest.mark.skipif(sys.platform != "linux", reason="sets the size of a pipe")
    def test_a_line_longer_than_the_pipe_is_completed_later(self) -> None:
        log = Log()
        with piped_output() as reader:
            log.notice("y" * 10_000)
            read = b""
            for _ in range(4):
                log.notice("lost, or not")
                read += os.read(reader, 1 << 16)
        written = messages(read.decode())
        assert written[0] == f"* {'y' * 10_000}"
        assert written[1:] == ["# 2 lines are missing here: the log could not be written", *["* lost, or not"] * 2]

    def test_standard_output_stays_blocking(self) -> None:
        """Other processes share it."""
        with piped_output() as reader:
            Log().notice("x")
            assert os.get_blocking(1)
            assert os.read(reader, 1 << 16)

    def test_a_pipe_that_cannot_be_reopened(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As on systems other than Linux, and for pipes of other users."""

        def refuse(*_args: object) -> int:
            raise PermissionError

        monkeypatch.setattr("respcache.logs._write_to_own_description", refuse)
        log = Log()
        # Linux reports a pipe as writable if one of its pages is free: a pipe of one page would take only one line.
        with piped_output(8192) as reader:
            for number in range(200):
                log.notice(f"{number} {'x' * 50}")
            read = os.read(reader, 1 << 16)
            log.notice("there is room again")
            read += os.read(reader, 1 << 16)
        assert re.search(r"# \d+ lines are missing here: .*\n.*\* there is room again\n\Z", read.decode())

    def test_a_file_that_is_an_unread_pipe(self, tmp_path: Path) -> None:
        path = tmp_path / "fifo"
        os.mkfifo(path)
        log = Log()
        log.configure(level="notice", path=str(path))
        log.notice("lost")
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        log.notice("found")
        assert messages(os.read(reader, 1 << 16).decode()) == [
            "# 1 lines are missing here: the log could not be written",
            "* found",
        ]
        os.close(reader)


class TestKinds:
    """Lines caused by clients."""

    def test_only_some_lines_of_a_kind_are_written_per_minute(self, tmp_path: Path) -> None:
        now = 1000.0
        log = Log(lambda: now)
        log.configure(level="notice", path=str(tmp_path / "log"))
        for number in range(500):
            log.warning(f"http {number}", kind="http")
        log.warning("another", kind="other")
        log.warning("of no kind")
        now += 59.9
        log.warning("too early", kind="http")
        now += 0.1
        log.warning("a minute later", kind="http")
        log.warning("just after", kind="http")
        assert messages((tmp_path / "log").read_text()) == [
            *(f"# http {number}" for number in range(9)),
            "# http 9 (too many like this: they are only counted for a while)",
            "# another",
            "# of no kind",
            "# a minute later (491 more like this were not logged)",
            "# just after",
        ]

    def test_levels_come_first(self, tmp_path: Path) -> None:
        log = Log(lambda: 0.0)
        log.configure(level="warning", path=str(tmp_path / "log"))
        for _ in range(20):
            log.notice("not logged", kind="http")
        log.warning("x", kind="http")
        assert messages((tmp_path / "log").read_text()) == ["# x"]


def test_a_path_that_is_not_writable(tmp_path: Path) -> None:
    check_path(str(tmp_path / "new"))
    assert (tmp_path / "new").read_bytes() == b""
    with pytest.raises(IsADirectoryError):
        check_path(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        check_path(str(tmp_path / "nonexistent" / "log"))
