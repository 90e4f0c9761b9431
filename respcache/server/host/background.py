"""``daemonize``: the server goes on in a child process, and the process that was started ends at once.

To be done before there are threads, and before trio is imported. As in Redis, the starter ends with status 0 without
waiting for the server, whose problems are for the log, and standard output is lost.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from respcache.config.files import ConfigError

if TYPE_CHECKING:
    from respcache.config import Config

# Where the process id is written if `pidfile` says nothing, as in Redis.
_PID_FILE = "/var/run/redis.pid"


def go_into_background(config: Config, supervised: bool) -> None:
    """Return in the child, if the configuration asks for one. Raises ConfigError.

    A supervisor watches the process that it has started. So does a test, or whoever else has given us a pipe to say
    when to end.
    """
    if not config.daemonize or supervised or config.respcache_parent_fd >= 0:
        return
    if not hasattr(os, "fork"):
        raise ConfigError("`daemonize yes` is not supported on this system")
    if not config.pidfile:
        config.settle("pidfile", _PID_FILE)
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork():
        os._exit(0)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    if nothing > 2:
        os.close(nothing)
