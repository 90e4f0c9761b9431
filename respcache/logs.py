"""The log: lines as redis-server writes them, to standard output or to ``logfile``.

    12345:M 23 Nov 2026 12:00:00.123 * Ready to accept connections

The letter stands for the process (M main, S a shard), the mark for the level: ``.`` debug, ``-`` verbose, ``*`` notice,
``#`` warning. The standard library's `logging` is not used: a shard would take longer to import it than all the rest.

**Logging never blocks.** A full pipe that nobody reads, a stopped terminal or a full disk costs lines, not service:
lines that cannot be written are dropped and counted, and their number is logged before the next line.

**Clients cannot flood the log.** Lines that a client can cause at will have a `kind`, and only a few lines of each kind
are written per minute; the rest are counted.
"""

from __future__ import annotations

import os
import stat
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from respcache.system_log import SystemLog

LEVELS = ("debug", "verbose", "notice", "warning", "nothing")
_MARKS = ".-*#"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# At most this many lines of one kind in this many seconds.
_BURST = 10
_PERIOD = 60.0
# There are few kinds. This bounds memory in case one is ever made from what clients send.
_MOST_KINDS = 256

_STANDARD_OUTPUT = 1
# A pipe that is writable accepts at least this many bytes without blocking (POSIX guarantees 512).
_PIPE_BUF = 512


class Log:
    """The log of this process, see `log`. `role` is the letter after the process id.

    `monotonic` returns seconds, for the limit per minute.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.role = "M"
        self._level = LEVELS.index("notice")
        self._path = ""  # empty: standard output
        self._system: SystemLog | None = None  # gets every line, too
        self._monotonic = monotonic
        self._kinds: dict[str, _Kind] = {}
        self._rest = b""  # the rest of a line that was partly written
        self._dropped = 0  # lines dropped since the last one that was written

    def configure(
        self, *, level: str | None = None, path: str | None = None, system: tuple[bool, str, str] | None = None
    ) -> None:
        """None leaves a setting as it is.

        level: one of LEVELS.
        path: of the file; empty for standard output.
        system: whether the system's log gets every line, too, under which name, and the facility.
        """
        if level is not None:
            self._level = LEVELS.index(level)
        if path is not None:
            self._path = path
        if system is not None:
            enabled, ident, facility = system
            if self._system is not None:
                self._system.close()
                self._system = None
            if enabled:
                from respcache.system_log import SystemLog

                self._system = SystemLog(ident, facility)

    def debug(self, message: str, *, kind: str = "") -> None:
        self._log(0, message, kind)

    def verbose(self, message: str, *, kind: str = "") -> None:
        self._log(1, message, kind)

    def notice(self, message: str, *, kind: str = "") -> None:
        self._log(2, message, kind)

    def warning(self, message: str, *, kind: str = "") -> None:
        self._log(3, message, kind)

    def _log(self, level: int, message: str, kind: str) -> None:
        if level < self._level:
            return
        if kind:
            limited = self._limited(message, kind)
            if limited is None:
                return
            message = limited
        if self._system is not None:
            self._system.send(level, message)
        if self._rest and not self._finish():
            self._dropped += 1
            return
        if self._dropped:
            if not self._begin(3, f"{self._dropped} lines are missing here: the log could not be written"):
                self._dropped += 1
                return
            self._dropped = 0
        if not self._begin(level, message):
            self._dropped += 1

    def _limited(self, message: str, kind: str) -> str | None:
        """The message, with a note about others of its kind; None if it exceeds the limit."""
        if len(self._kinds) >= _MOST_KINDS:
            self._kinds.clear()
        state = self._kinds.setdefault(kind, _Kind())
        return state.limited(message, self._monotonic())

    def _begin(self, level: int, message: str) -> bool:
        """Write a line. False if not even its beginning could be written. An unwritten rest is kept."""
        now = time.time()
        t = time.localtime(now)
        date = f"{t.tm_mday:02} {_MONTHS[t.tm_mon - 1]} {t.tm_year} {t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02}"
        line = f"{os.getpid()}:{self.role} {date}.{int(now * 1000) % 1000:03} {_MARKS[level]} {message}\n"
        data = line.encode("utf-8", "surrogateescape")
        written = _write(self._path, data)
        if written:
            self._rest = data[written:]
        return written > 0

    def _finish(self) -> bool:
        """Write the rest of the last line. True if nothing is left of it."""
        self._rest = self._rest[_write(self._path, self._rest) :]
        return not self._rest


class _Kind:
    """How often lines of one kind were logged lately."""

    __slots__ = ("hidden", "shown", "since")

    def __init__(self) -> None:
        self.since = -_PERIOD  # the start of the current period
        self.shown = 0  # lines written in it
        self.hidden = 0  # lines left out since the last written one

    def limited(self, message: str, now: float) -> str | None:
        """See `Log._limited`."""
        if now - self.since >= _PERIOD:
            self.since, self.shown = now, 0
        if self.shown == _BURST:
            self.hidden += 1
            return None
        self.shown += 1
        hidden, self.hidden = self.hidden, 0
        if hidden:
            message += f" ({hidden} more like this were not logged)"
        if self.shown == _BURST:
            message += " (too many like this: they are only counted for a while)"
        return message


def _write(path: str, data: bytes) -> int:
    """Write without waiting. Returns how many bytes the log accepted; 0 on errors."""
    try:
        if path:
            return _write_to_file(path, data)
        if stat.S_ISREG(os.fstat(_STANDARD_OUTPUT).st_mode):
            return os.write(_STANDARD_OUTPUT, data)
        return _write_to_stream(data)
    except OSError:
        return 0  # the reader is gone, or the disk is full: as in Redis, the server goes on


def check_path(path: str) -> None:
    """Raises OSError if the file cannot be written to. Creates it if necessary."""
    os.close(_open(path))


def _write_to_file(path: str, data: bytes) -> int:
    """Open the file, append, and close it: as in Redis, so that log rotation needs no signal."""
    fd = _open(path)
    try:
        return os.write(fd, data)
    finally:
        os.close(fd)


def _open(path: str) -> int:
    """Open without blocking, because ``logfile`` may name a pipe or a terminal, such as /dev/stdout."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
    return os.open(path, flags, 0o644)


def _write_to_stream(data: bytes) -> int:
    """Write to standard output, which is a pipe, a terminal or a socket.

    It is not made non-blocking: that would affect every process that shares it, such as the shell that started us. On
    Linux, opening it again through /proc gives us a non-blocking description of our own. That fails for sockets, for
    pipes of other users and on other systems; `select` then tells whether there is room.
    """
    if not hasattr(os, "O_NONBLOCK"):
        return os.write(_STANDARD_OUTPUT, data)
    try:
        return _write_to_own_description(data)
    except BlockingIOError:
        return 0
    except OSError:
        return _write_while_writable(data)


def _write_to_own_description(data: bytes) -> int:
    fd = os.open(f"/proc/self/fd/{_STANDARD_OUTPUT}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        return os.write(fd, data)
    finally:
        os.close(fd)


def _write_while_writable(data: bytes) -> int:
    import select

    written = 0
    while written < len(data) and select.select([], [_STANDARD_OUTPUT], [], 0)[1]:
        written += os.write(_STANDARD_OUTPUT, data[written : written + _PIPE_BUF])
    return written


log = Log()


def log_exception(message: str) -> None:
    """Log the exception being handled, with its traceback: a bug of ours, which clients may trigger repeatedly."""
    log.warning(f"{message}\n{traceback.format_exc().rstrip()}", kind=message)
