"""The log: lines as redis-server writes them, to standard output or to ``logfile``.

    12345:M 23 Nov 2026 12:00:00.123 * Ready to accept connections

The letter says which process speaks (M main, S a shard), the mark how important it is: ``.`` debug, ``-`` verbose,
``*`` notice, ``#`` warning. Not the standard library's `logging`: importing that takes a shard longer than all of this.
"""

from __future__ import annotations

import os
import time
import traceback

LEVELS = ("debug", "verbose", "notice", "warning", "nothing")
_MARKS = ".-*#"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Log:
    """Where lines go, and from which level on. One object a process, see `log`."""

    def __init__(self) -> None:
        self.role = "M"
        self._level = LEVELS.index("notice")
        self._path = ""

    def configure(self, level: str, path: str) -> None:
        """`level` is one of LEVELS; an empty `path` means standard output."""
        self._level = LEVELS.index(level)
        self._path = path

    def debug(self, message: str) -> None:
        self._write(0, message)

    def verbose(self, message: str) -> None:
        self._write(1, message)

    def notice(self, message: str) -> None:
        self._write(2, message)

    def warning(self, message: str) -> None:
        self._write(3, message)

    def _write(self, level: int, message: str) -> None:
        if level < self._level:
            return
        now = time.time()
        t = time.localtime(now)
        date = f"{t.tm_mday:02} {_MONTHS[t.tm_mon - 1]} {t.tm_year} {t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02}"
        line = f"{os.getpid()}:{self.role} {date}.{int(now * 1000) % 1000:03} {_MARKS[level]} {message}\n"
        try:
            self._append(line.encode("utf-8", "surrogateescape"))
        except OSError:
            pass  # nobody reads it any more, or the disk is full: as in Redis, no reason to stop serving

    def _append(self, line: bytes) -> None:
        if not self._path:
            os.write(1, line)
            return
        # Opened for each line, as Redis does: whoever rotates the file need not tell us.
        with open(self._path, "ab") as file:
            file.write(line)


log = Log()


def log_exception(message: str) -> None:
    """The exception being handled, with its traceback: a bug of ours."""
    log.warning(f"{message}\n{traceback.format_exc()}")
