"""Servers that the comparisons run against: respcache with one or more shards, and the genuine servers found here."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.support.processes import ReferenceServer, RespcacheServer, StartedServer
from tests.support.resp import Connection

# Programs on PATH, the oldest first: Debian's redis-server, and the usual names of newer ones installed beside it.
_PROGRAMS = ("redis-server", "redis-server-7", "redis-server-8", "valkey-server", "valkey-server-9")
DEFAULT_PORT = 6379
_PATH_VARIABLE = "RESPCACHE_REFERENCES"


@dataclass(frozen=True)
class Target:
    """One kind of server. `label` names its column in the report; exactly one of the others is given."""

    label: str
    shards: int = 0
    program: str = ""
    url: str = ""

    @property
    def ours(self) -> bool:
        """True for respcache; the other targets are there to compare with."""
        return not self.program

    @property
    def is_redis(self) -> bool:
        """True for a genuine Redis, as opposed to Valkey."""
        return self.label.startswith("Redis")

    @contextmanager
    def running(self, *arguments: str, port: int = 0, http: bool = False) -> Iterator[StartedServer]:
        """Start the server with further directives, and stop it on exit. A server given by its URL is used as it is.

        `port` 0 means any free port. `http` opens the HTTP door; only a respcache that is started here has one.
        """
        server: StartedServer
        if self.url:
            yield _Elsewhere(self.url)
            return
        if self.program:
            server = ReferenceServer(self.program, *arguments, port=port)
        else:
            server = RespcacheServer(*arguments, shards=self.shards, port=port, http=http)
        try:
            yield server
        finally:
            server.stop()


def default_port() -> int:
    """6379, which some clients' tests always connect to; 0 (any free port) if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DEFAULT_PORT))
        except OSError:
            return 0
    return DEFAULT_PORT


class _Elsewhere(StartedServer):
    """A server on this machine that somebody else started and will stop."""

    def __init__(self, url: str) -> None:
        self.port = urlsplit(url).port or DEFAULT_PORT
        Connection(self.port).close()

    def alive(self) -> bool:
        return True

    def stop(self) -> None:
        pass


def respcache(shards: Sequence[int], url: str = "") -> list[Target]:
    """respcache with each of these numbers of shards; if `url` is given, the server there (redis://127.0.0.1:PORT)."""
    if url:
        return [Target(url, url=url)]
    return [Target(f"respcache, {count} shard{'s' * (count > 1)}", shards=count) for count in shards]


def genuine() -> list[Target]:
    """Genuine servers on PATH, and in the directories of $RESPCACHE_REFERENCES."""
    directories = os.pathsep.join(filter(None, [os.environ.get("PATH"), os.environ.get(_PATH_VARIABLE)]))
    programs = [path for name in _PROGRAMS if (path := shutil.which(name, path=directories))]
    return list({label: Target(label, program=path) for path in programs if (label := _label(path))}.values())


def _label(program: str) -> str:
    """What the program calls itself, such as `Redis 7.0.15`. Empty if it does not run here."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    version = next((word[2:] for word in said.split() if word.startswith("v=")), "?")
    return f"{'Valkey' if 'valkey' in said.lower() else 'Redis'} {version}"
