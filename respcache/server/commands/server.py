"""SHUTDOWN, MONITOR, LASTSAVE, TIME, LOLWUT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache import REDIS_VERSION, __version__
from respcache.commands.table import (
    ADMIN,
    ALLOW_BUSY,
    FAST,
    LOADING,
    NO_MULTI,
    NOSCRIPT,
    READONLY,
    STALE,
    family,
)
from respcache.commands.table.tips import RANDOM_OUTPUT
from respcache.errors import NO_MONITOR_WITHIN, NO_SHUTDOWN, CommandError, WrongSyntax
from respcache.resp.types import OK, Reply, Verbatim
from respcache.server.commands.control.family import refuse_in_namespace
from respcache.server.order.outbox import IN_A_SLOT

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.server.clients.client import Client

command = family("server")


@command(
    "SHUTDOWN",
    "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
    arity=-1,
    flags=ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY,
    since="1.0.0",
)
def shutdown(client: Client, args: Args) -> Any:
    """Stop the server in order. There is no reply: the connection is closed."""
    options = [word.upper() for word in args.rest()]
    if set(options) - {b"NOSAVE", b"SAVE", b"NOW", b"FORCE", b"ABORT"} or {b"SAVE", b"NOSAVE"} <= set(options):
        raise WrongSyntax
    refuse_in_namespace(client, "SHUTDOWN")
    if client.parts.busy.scripts and b"NOSAVE" not in options:
        raise client.parts.busy.error()
    if b"ABORT" in options:
        if len(options) > 1:
            raise WrongSyntax
        raise CommandError(NO_SHUTDOWN)
    client.parts.stop()
    return _never(client)


async def _never(client: Client) -> Reply:
    """Wait for the end of the server, which cancels this."""
    await client.parts.stop_requested.wait()
    client.close()
    return OK


@command("MONITOR", arity=1, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="1.0.0")
def monitor(client: Client, args: Args) -> Any:
    """Show every command that clients send from now on."""
    if client.executing is not None:
        raise CommandError(NO_MONITOR_WITHIN)
    if client.monitoring:
        return IN_A_SLOT  # as in Redis: it is not answered
    client.parts.monitoring.begin(client)
    return OK


@command(
    "LASTSAVE",
    arity=1,
    flags=LOADING | STALE | FAST,
    since="1.0.0",
    categories=("admin", "dangerous"),
    tips=RANDOM_OUTPUT,
)
def lastsave(client: Client, args: Args) -> Reply:
    """Return when data was last saved, as a Unix time: before the first time, as in Redis, when the server started."""
    return client.parts.stats.started // 1000


@command("TIME", arity=1, flags=LOADING | STALE | FAST, since="2.6.0", tips=RANDOM_OUTPUT)
def time_(client: Client, args: Args) -> Reply:
    """Return the time of the server: seconds since the epoch, and microseconds."""
    seconds, microseconds = divmod(client.parts.clock.now_us(), 1_000_000)
    return [b"%d" % seconds, b"%d" % microseconds]


@command("LOLWUT", "[VERSION version]", arity=-1, flags=READONLY | FAST, since="5.0.0")
def lolwut(client: Client, args: Args) -> Reply:
    """Draw something, and say the version."""
    columns = 66
    if args.flag(b"VERSION"):
        args.int()
        columns = max(1, min(args.int(), 1000)) if len(args) else columns
    rows = []
    for row in range(12):
        seed = (row * 2654435761) ^ client.parts.stats.started
        rows.append("".join(".:*#"[((seed >> (at % 31)) + at * row) % 4] for at in range(columns)))
    return Verbatim("\n".join([*rows, f"Redis ver. {REDIS_VERSION} (respcache {__version__})", ""]).encode())
