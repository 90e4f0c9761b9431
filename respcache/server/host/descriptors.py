"""File descriptors: how many the server needs, and what becomes of ``maxclients`` where the system gives fewer.

Each client takes one. If the limit of the process cannot be raised far enough, ``maxclients`` is lowered at the start,
and the log says so in redis-server's words: a surplus client is then refused with an error, instead of waiting for an
accept that cannot succeed. CONFIG SET of a value that the system does not allow is refused.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from respcache.config.kinds import BadValue
from respcache.logs import log

if TYPE_CHECKING:
    from respcache.config import Config

# Standard streams (3), the two epolls (2), trio's wake-up sockets (4), the starter's pipes (2), a client that is about
# to be refused (1), the log, the pid file or a configuration that is rewritten (2), and some to spare.
_BASE = 20
# The socket, and the descriptor that it keeps in reserve.
_PER_LISTENER = 2
# Two pipes and a process handle. While a shard is started again, four more for the other ends and for its errors.
_PER_SHARD = 7

# What is tried next when the system refuses a limit. As in Redis.
_STEP = 16


class TooFewDescriptors(Exception):
    """Not enough for a single client; the text is for the log."""


class Limit(NamedTuple):
    """A limit of descriptors, and why it is not higher; None if it is as high as it was to be."""

    descriptors: int
    refusal: str | None


def reserved(config: Config) -> int:
    """How many descriptors the server needs apart from those of its clients."""
    doors = 1 + bool(config.http_port or config.respcache_http) + bool(config.metrics_port)
    listeners = len(config.bind) * doors + bool(config.unixsocket)
    return _BASE + _PER_LISTENER * listeners + _PER_SHARD * config.shards


def fit_to_system(config: Config) -> None:
    """Raise the limit of the process to what `config` asks for, or lower ``maxclients`` to what it allows.

    Raises TooFewDescriptors.
    """
    asked = config.maxclients
    wanted = asked + reserved(config)
    limit = raise_limit(wanted)
    if limit.refusal is None:
        return
    possible = limit.descriptors - reserved(config)
    if possible < 1:
        raise TooFewDescriptors(
            f"Your current 'ulimit -n' of {limit.descriptors} is not enough for the server to start. "
            f"Please increase your open file limit to at least {wanted}. Exiting."
        )
    config.maxclients = possible
    log.warning(f"You requested maxclients of {asked} requiring at least {wanted} max file descriptors.")
    log.warning(f"Server can't set maximum open files to {wanted} because of OS error: {limit.refusal}.")
    log.warning(
        f"Current maximum open files is {limit.descriptors}. maxclients has been reduced to {possible} to "
        "compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'."
    )


def refuse_too_many(config: Config) -> None:
    """Called when ``maxclients`` was set: raise the limit of the process accordingly. Raises BadValue."""
    limit = raise_limit(config.maxclients + reserved(config))
    if limit.refusal is not None:
        most = max(limit.descriptors - reserved(config), 0)
        raise BadValue(f"The operating system is not able to handle the specified number of clients, try with {most}")


def make_room(config: Config) -> None:
    """Called when there may be more listeners: raise the limit of the process accordingly, if the system lets us."""
    raise_limit(config.maxclients + reserved(config))


def raise_limit(wanted: int) -> Limit:
    """Let this process have `wanted` descriptors, or as many as the system allows; it never lowers the limit."""
    if sys.platform == "win32":
        return Limit(wanted, None)
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return Limit(wanted, None)
    refusal = None
    attempts = [wanted]
    if hard != resource.RLIM_INFINITY and hard < wanted:
        attempts.append(hard)
    # Some systems have a lower limit than the hard one, and no way to ask for it.
    attempts += range(attempts[-1] - _STEP, soft, -_STEP)
    for number in attempts:
        if number <= soft:
            break
        try:
            higher = hard if hard == resource.RLIM_INFINITY else max(hard, number)
            resource.setrlimit(resource.RLIMIT_NOFILE, (number, higher))
        except (OSError, ValueError) as error:
            # A ValueError is EPERM: the hard limit stays where it is.
            refusal = refusal or getattr(error, "strerror", None) or "Operation not permitted"
            continue
        if number == wanted:
            log.notice(f"Increased maximum number of open files to {wanted} (it was originally set to {soft}).")
            return Limit(wanted, None)
        return Limit(number, refusal)
    return Limit(soft, refusal)
