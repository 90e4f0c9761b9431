"""The entry of a shard process: frames in on standard input, frames out on standard output, until the input ends.

Started by `respcache.server.shard_link` as ``python -I -S -c ... SHARD_NUMBER SHARDS DATABASES SEED``: no site, no
environment, the parent's import path handed over. Anything that Python prints goes to standard error.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys

import respcache.commands.all  # noqa: F401 - fills the table
from respcache.shard.wire import FrameReader, pack
from respcache.shard.worker import Worker
from respcache.spin import Spinner
from respcache.store.shard import Shard


def main(arguments: list[str]) -> None:
    """Serve until standard input ends: main closed it, or is gone."""
    index, shards, databases, seed = arguments
    # Control-C in a terminal reaches the whole process group; only main decides when a shard ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _give_way()
    source_fd, sink = _private_pipes()
    worker = Worker(Shard(int(databases), int(seed) if seed else None, index=int(index), shards=int(shards)))
    reader = FrameReader()
    source = _Source(source_fd, reader)
    # Values hold no reference cycles: looking for some may be rare, and need not look at the code again.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    while data := source.read():
        for now, items in reader.feed(data):
            _write(sink, pack(worker.frame(now, items)))


def _give_way() -> None:
    """Woken by main, do not push it off its core, where it still has more to send: wait, or take another core.

    The share of the processor stays the same. Linux only; elsewhere the scheduler knows best.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    except (AttributeError, OSError):
        pass


class _Source:
    """The pipe that frames come from."""

    def __init__(self, fd: int, reader: FrameReader) -> None:
        self._fd = fd
        self._reader = reader
        self._spinner = Spinner()
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
    """Take the pipes away from descriptors 0 and 1, so that a stray print() cannot get into a frame."""
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
