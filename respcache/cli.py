"""The command line: `respcache`, and `python -m respcache`. It takes what redis-server takes.

Signal handlers are installed first (`respcache.server.host.signals`), so slow imports are inside the functions.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from respcache import REDIS_VERSION, __version__
from respcache.server.host import signals

_USAGE = """\
Usage: respcache [/path/to/redis.conf] [--directive value ...] [-]
       respcache -                   (read the configuration from standard input)
       respcache run [options] -- command ...   (with a server of its own; see respcache run --help)
       respcache -v or --version
       respcache -h or --help

Examples:
       respcache                                     (port 6379 on this machine)
       respcache --port 7777 --shards 4
       respcache --port 0 --unixsocket /tmp/respcache.sock
       respcache --bind '*' '-::*' --requirepass secret
       respcache /etc/redis/6379.conf --loglevel verbose
       echo 'maxclients 20' | respcache -

Directives are those of redis.conf, and some of respcache's own. Sizes may have units: 64mb.
These have an effect, here with their defaults; all others of Redis 7.2 are accepted without one.

"""
_WIDTH = 100


def version_line() -> str:
    """What `redis-server --version` prints, in its form."""
    bits = 64 if sys.maxsize > 1 << 32 else 32
    return f"Redis server v={REDIS_VERSION} sha=00000000:0 malloc=libc bits={bits} build=respcache-{__version__}"


def help_text() -> str:
    """How respcache is used, with all directives that have an effect."""
    import textwrap

    from respcache.config.directives import DIRECTIVES

    parts = [_USAGE]
    for row in DIRECTIVES.values():
        if row.unused or row.hidden:
            continue
        default = row.kind.show(row.default)
        parts.append(f"  --{row.name} {default}".rstrip() + "\n")
        parts.append(textwrap.indent(textwrap.fill(row.help, _WIDTH - 10), " " * 10) + "\n")
    return "".join(parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until it is told to stop; the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["run"]:
        from respcache.testing.run import main as run_command

        return run_command(words[1:])
    signals.exit_when_told()
    if len(words) == 1 and words[0] in ("-v", "--version"):
        print(version_line())
        return 0
    if len(words) == 1 and words[0] in ("-h", "--help"):
        print(help_text(), end="")
        return 0
    return _serve(words)


def _serve(words: list[str]) -> int:
    from respcache.config.files import ConfigError, load
    from respcache.config.starting import greet, prepare
    from respcache.server.host.background import go_into_background
    from respcache.server.host.supervision import find_supervisor

    try:
        config = load(words)
        prepare(config)
        supervisor = find_supervisor(config.supervised)
        go_into_background(config, supervised=supervisor.name != "no")
    except ConfigError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    greet(config)
    signals.note_when_told()
    # Only now: a mistyped word is reported without waiting for trio.
    from respcache.server.app import run

    return run(config, supervisor)
