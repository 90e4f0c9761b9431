"""What a command has to pass before it runs or is queued, in Redis' order. A new check is one function and one row.

Each function gets the client and the row of the command, and raises CommandError to refuse it. That the command exists
and has the right number of words was checked before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache import errors
from respcache.commands.table import Flag, Reach
from respcache.errors import CommandError

if TYPE_CHECKING:
    from respcache.commands.table import Command
    from respcache.resp.types import Argv
    from respcache.server.clients.client import Client

# Allowed in RESP2 while a connection is subscribed, where every reply would look like a message.
WHILE_SUBSCRIBED = frozenset(
    (
        "SUBSCRIBE",
        "PSUBSCRIBE",
        "SSUBSCRIBE",
        "UNSUBSCRIBE",
        "PUNSUBSCRIBE",
        "SUNSUBSCRIBE",
        "PING",
        "QUIT",
        "RESET",
        "RESPCACHE CLOCK",
        "RESPCACHE FAULT",
        "RESPCACHE JOURNAL",
        "RESPCACHE LINT",
        "RESPCACHE RESET",
    )
)
# Carried out at once in a MULTI; all others are queued.
WHILE_QUEUING = frozenset(("EXEC", "DISCARD", "MULTI", "WATCH", "QUIT", "RESET", "RESPCACHE RESET"))


def debug_is_enabled(client: Client, row: Command) -> None:
    """DEBUG is refused even before logging in is asked for."""
    if row.protected and not client.is_among(client.parts.config.enable_debug_command):
        raise CommandError(errors.DEBUG_NOT_ALLOWED)


def test_commands_are_enabled(client: Client, row: Command) -> None:
    """Like DEBUG, RESPCACHE is refused even before logging in is asked for."""
    if row.for_tests and not client.is_among(client.parts.config.enable_test_commands):
        raise CommandError(errors.TEST_COMMANDS_NOT_ALLOWED)


def logged_in(client: Client, row: Command) -> None:
    if not (client.authenticated or row.flags & Flag.NO_AUTH) and client.parts.config.requirepass:
        raise CommandError(errors.NO_AUTH)


def allowed_while_subscribed(client: Client, row: Command) -> None:
    if client.protocol == 2 and len(client.subscriptions) and row.name not in WHILE_SUBSCRIBED:
        raise errors.only_while_subscribed(row.wire_name)


def allowed_in_multi(client: Client, row: Command) -> None:
    if client.transaction is not None and row.flags & Flag.NO_MULTI and row.name not in WHILE_QUEUING:
        raise CommandError(errors.NOT_IN_MULTI)


def not_busy(client: Client, row: Command) -> None:
    """While a script runs for too long, only what may end it is allowed, and what needs no data."""
    busy = client.parts.busy
    if busy.scripts and not row.flags & Flag.ALLOW_BUSY:
        raise busy.error()


def allowed_while_monitoring(client: Client, row: Command) -> None:
    """Redis takes a monitor for a kind of replica."""
    if client.monitoring and row.flags & _ABOUT_KEYS:
        raise CommandError(errors.REPLICA_AND_KEYSPACE)


_ABOUT_KEYS = Flag.READONLY | Flag.WRITE | Flag.MAY_REPLICATE
CHECKS = (
    debug_is_enabled,
    test_commands_are_enabled,
    logged_in,
    allowed_while_subscribed,
    allowed_in_multi,
    not_busy,
    allowed_while_monitoring,
)


def held_by_pause(client: Client, row: Command, argv: Argv) -> bool:
    """True if this command has to wait for the end of CLIENT PAUSE; as in Redis, CLIENT UNPAUSE and queueing too."""
    pause = client.namespace.pause
    if not pause.active or row.for_tests or row.name == "DEBUG":  # they can end it (DEBUG by shifting time)
        return False
    if client.monitoring:  # Redis holds up no replicas
        return False
    if not pause.only_writes:
        return True
    if row.name == "EXEC" and client.transaction is not None:
        return any(_may_write(client, queued.row, queued.argv) for queued in client.transaction.commands)
    return _may_write(client, row, argv)


def _may_write(client: Client, row: Command, argv: Argv) -> bool:
    """A script that declares what it does is taken at its word."""
    flags = client.namespace.scripts.flags(row, argv) if row.reach is Reach.SCRIPT else None
    if flags is not None:
        return b"no-writes" not in flags
    return bool(row.flags & (Flag.WRITE | Flag.MAY_REPLICATE))
