"""Entry of a shard process: reads frames from standard input and writes frames to standard output, until input ends.

Main starts it as ``python -I -S -c ... SHARD_NUMBER SHARDS DATABASES SEED``: without site and environment, with the
parent's import path. Anything that Python prints goes to standard error.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys

import respcache.commands.all  # noqa: F401 - fills the table
from respcache.logs import log
from respcache.shard.wire import FrameReader, pack
from respcache.shard.worker import Worker
from respcache.spin import Spinner
from respcache.store.shard import Shard


def main(arguments: list[str]) -> None:
    """Serve until standard input ends because main closed it or died."""
    index, shards, databases, seed = arguments
    # Control-C in a terminal reaches the whole process group; only main decides when a shard ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    log.role = "S"
    _give_way()
    source_fd, sink = _private_pipes()
    worker = Worker(Shard(int(databases), int(seed) if seed else None, index=int(index), shards=int(shards)))
    reader = FrameReader()
    source = _Source(source_fd, reader)
    # Values hold no reference cycles, so the collector may run rarely, and need never look at the code again.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    while data := source.read():
        for now, items in reader.feed(data):
            for payload in worker.answers(now, items):
                _write(sink, pack(payload))


def _give_way() -> None:
    """When main wakes the shard, do not preempt main, which mostly has more to send: wait, or take another core.

    The share of the processor stays the same. Linux only.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    except (AttributeError, OSError):
        pass


class _Source:
    """The pipe that frames come from."""

    def __init__(self, fd: int, reader: FrameReader) -> None:
        self._fd = fd
        # Knows how much is worth reading at once.
        self._reader = reader
        # Looks for data a little longer before the process sleeps.
        self._spinner = Spinner()
        # For the sleep.
        self._readable = select.poll()
        self._readable.register(fd, select.POLLIN)
        os.set_blocking(fd, False)

    def read(self) -> bytes:
        """Wait for data; empty when the pipe was closed."""
        return self._spinner.wait(self._look, self._sleep)

    def _look(self) -> bytes | None:
        try:
            return os.read(self._fd, self._reader.wanted)
        except BlockingIOError:
            return None

    def _sleep(self) -> bytes:
        self._readable.poll()
        return os.read(self._fd, self._reader.wanted)


def _private_pipes() -> tuple[int, int]:
    """Move the pipes away from descriptors 0 and 1, so that a stray print() cannot get into a frame."""
    source, sink = os.dup(0), os.dup(1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return source, sink


def _write(sink: int, data: bytes) -> None:
    try:
        written = os.write(sink, data)
        while written < len(data):
            written += os.write(sink, memoryview(data)[written:])
    except BrokenPipeError:
        sys.exit(0)  # main is gone


if __name__ == "__main__":
    main(sys.argv[1:])
