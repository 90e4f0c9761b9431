"""The command line: `respcache`, and `python -m respcache`. It takes what redis-server takes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from respcache import REDIS_VERSION, __version__
from respcache.config.files import ConfigError, load
from respcache.logs import log

_USAGE = """\
Usage: respcache [/path/to/redis.conf] [--directive value ...] [-]
       respcache -                   (read the configuration from standard input)
       respcache -v or --version
       respcache -h or --help

Directives are those of redis.conf, and `--shards N`: how many processes hold the data.

Examples:
       respcache                                     (port 6379 on this machine)
       respcache --port 7777 --shards 4
       respcache --port 0 --unixsocket /tmp/respcache.sock
       respcache /etc/redis/6379.conf --loglevel verbose
       echo 'maxclients 20' | respcache -
"""


def version_line() -> str:
    """What `redis-server --version` prints, in its form."""
    bits = 64 if sys.maxsize > 1 << 32 else 32
    return f"Redis server v={REDIS_VERSION} sha=00000000:0 malloc=libc bits={bits} build=respcache-{__version__}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until it is told to stop; the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if len(words) == 1 and words[0] in ("-v", "--version"):
        print(version_line())
        return 0
    if len(words) == 1 and words[0] in ("-h", "--help"):
        print(_USAGE, end="")
        return 0
    try:
        config = load(words)
    except ConfigError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    config.on_change("loglevel", lambda: log.configure(config.loglevel, config.logfile))
    # Only now: whoever asks for the version or mistypes a word does not wait for trio.
    from respcache.server.app import run

    if config.pidfile:
        with open(config.pidfile, "w", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
    try:
        return run(config)
    finally:
        if config.pidfile and os.path.exists(config.pidfile):
            os.unlink(config.pidfile)
