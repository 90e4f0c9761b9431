"""Entry of a shard process: reads frames from standard input and writes frames to standard output, until input ends.

Main starts it as ``python -I -S -c ... SHARD_NUMBER SHARDS DATABASES SEED``: without site and environment, with the
parent's import path. Anything that Python prints goes to standard error.
"""

from __future__ import annotations

import gc
import os
import signal
import sys

import respcache.commands.all  # noqa: F401 - fills the table
from respcache.logs import log
from respcache.shard.channel import Pipes
from respcache.shard.worker import Worker
from respcache.store.shard import Shard


def main(arguments: list[str]) -> None:
    """Serve until standard input ends because main closed it or died."""
    index, shards, databases, seed = arguments
    # Control-C in a terminal reaches the whole process group; only main decides when a shard ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    log.role = "S"
    _give_way()
    channel = Pipes(*_private_pipes())
    shard = Shard(int(databases), int(seed) if seed else None, index=int(index), shards=int(shards))
    worker = Worker(shard, channel)
    # Values hold no reference cycles, so the collector may run rarely, and need never look at the code again.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    while (frame := channel.receive()) is not None:
        now, items = frame
        assert now is not None, "an answer to a question that nobody has asked"
        for payload in worker.answers(now, items):
            channel.send(payload)


def _give_way() -> None:
    """When main wakes the shard, do not preempt main, which mostly has more to send: wait, or take another core.

    The share of the processor stays the same. Linux only.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    except (AttributeError, OSError):
        pass


def _private_pipes() -> tuple[int, int]:
    """Move the pipes away from descriptors 0 and 1, so that a stray print() cannot get into a frame."""
    source, sink = os.dup(0), os.dup(1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return source, sink


if __name__ == "__main__":
    main(sys.argv[1:])
