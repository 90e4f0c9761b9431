"""CONFIG, SHUTDOWN, DEBUG, TIME, LOLWUT."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from respcache import REDIS_VERSION, __version__, errors
from respcache.commands.args import parse_float
from respcache.commands.table import (
    ADMIN,
    ALLOW_BUSY,
    FAST,
    LOADING,
    NO_MULTI,
    NOSCRIPT,
    PROTECTED,
    READONLY,
    STALE,
    command,
    container,
)
from respcache.commands.table.help import help_of, help_reply
from respcache.config.files import rewrite
from respcache.errors import CommandError, NotAFloat, WrongSyntax, printable
from respcache.resp.types import OK, Reply, Verbatim
from respcache.shard import wire

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.server.session import Session

CONFIG = ADMIN | NOSCRIPT | LOADING | STALE
EVERYWHERE = ("request_policy:all_nodes", "response_policy:all_succeeded")  # how a cluster client sends it


@container("CONFIG", since="2.0.0", group="server")
def config(session: Session, args: Args) -> None:
    """Look at the configuration, and change it."""


@command("CONFIG HELP", arity=2, flags=LOADING | STALE, since="5.0.0", group="server")
def config_help(session: Session, args: Args) -> Reply:
    """List the subcommands."""
    return help_of("CONFIG")


@command("CONFIG GET", arity=-3, flags=CONFIG, since="2.0.0", group="server", syntax="parameter [parameter ...]")
def config_get(session: Session, args: Args) -> Reply:
    """Return the directives that match patterns, with their values."""
    return dict(session.server.config.get(args.rest()))


@command("CONFIG SET", arity=-4, flags=CONFIG, since="2.0.0", group="server",
         syntax="parameter value [parameter value ...]", tips=EVERYWHERE)  # fmt: skip
def config_set(session: Session, args: Args) -> Reply:
    """Change directives, all of them or none."""
    if len(args) % 2:
        raise WrongSyntax
    config = session.server.config
    config.set(args.pairs(), allow_protected=session.is_among(config.enable_protected_configs))
    return OK


@command("CONFIG RESETSTAT", arity=2, flags=CONFIG, since="2.0.0", group="server", tips=EVERYWHERE)
def config_resetstat(session: Session, args: Args) -> Reply:
    """Set the counters of INFO back to zero."""
    session.server.stats.reset()
    for link in session.server.links:
        link.call_soon((wire.RESET_STATS,))
    return OK


@command("CONFIG REWRITE", arity=2, flags=CONFIG, since="2.8.0", group="server", tips=EVERYWHERE)
def config_rewrite(session: Session, args: Args) -> Reply:
    """Write the configuration back to its file."""
    rewrite(session.server.config)
    return OK


@command("SHUTDOWN", arity=-1, flags=ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY, since="1.0.0",
         group="server", syntax="[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]")  # fmt: skip
def shutdown(session: Session, args: Args) -> Any:
    """Stop the server in order. There is no reply: the connection is closed."""
    options = [word.upper() for word in args.rest()]
    if set(options) - {b"NOSAVE", b"SAVE", b"NOW", b"FORCE", b"ABORT"} or {b"SAVE", b"NOSAVE"} <= set(options):
        raise WrongSyntax
    if b"ABORT" in options:
        if len(options) > 1:
            raise WrongSyntax
        raise CommandError("ERR No shutdown in progress.")
    session.server.stop()
    return _never(session)


async def _never(session: Session) -> Reply:
    """Wait for the end of the server, which cancels this."""
    await session.server.stop_requested.wait()
    session.close()
    return OK


@command("TIME", arity=1, flags=LOADING | STALE | FAST, since="2.6.0", group="server",
         tips=("nondeterministic_output",))  # fmt: skip
def time_(session: Session, args: Args) -> Reply:
    """Return the time of the server: seconds since the epoch, and microseconds."""
    seconds, microseconds = divmod(session.server.clock.now_us(), 1_000_000)
    return [b"%d" % seconds, b"%d" % microseconds]


@command("LOLWUT", arity=-1, flags=READONLY | FAST, since="5.0.0", group="server", syntax="[VERSION version]")
def lolwut(session: Session, args: Args) -> Reply:
    """Draw something, and say the version."""
    columns = 66
    if args.flag(b"VERSION"):
        args.int()
        columns = max(1, min(args.int(), 1000)) if len(args) else columns
    rows = []
    for row in range(12):
        seed = (row * 2654435761) ^ session.server.stats.started
        rows.append("".join(".:*#"[((seed >> (at % 31)) + at * row) % 4] for at in range(columns)))
    return Verbatim("\n".join([*rows, f"Redis ver. {REDIS_VERSION} (respcache {__version__})", ""]).encode())


# -- DEBUG

DEBUG = ADMIN | NOSCRIPT | LOADING | STALE

# Usage and summary of its subcommands: in COMMAND INFO they are not listed, so they are no rows of the table.
_DEBUG_HELP = (
    ("ADVANCE-CLOCK <milliseconds>", "Shift the server's clock forward; for tests of what depends on time."),
    ("ERROR <string>", "Answer with this text as an error."),
    ("SHARDS", "Of each shard: its number, process id, restarts, and commands under way."),
    ("SLEEP <seconds>", "Do nothing else for so long. Takes decimals."),
    ("CHANGE-REPL-ID | QUICKLIST-PACKED-THRESHOLD <bytes>", "Accepted for the sake of test suites, without effect."),
    ("SET-ACTIVE-EXPIRE <0|1>", "Whether keys are removed when their time is over, or only when somebody looks."),
)  # fmt: skip


@command("DEBUG", arity=-2, flags=DEBUG | PROTECTED, since="1.0.0", group="server",
         syntax="subcommand [argument [argument ...]]")  # fmt: skip
def debug(session: Session, args: Args) -> Any:
    """What tests of clients and of servers ask for; off unless ``enable-debug-command`` allows it."""
    word = args.next()
    match word.upper():
        case b"HELP":
            return help_reply("DEBUG", _DEBUG_HELP)
        case b"SLEEP":
            return _sleep(args)
        case b"ADVANCE-CLOCK":
            return _advance_clock(session, args.int(low=0))
        case b"SET-ACTIVE-EXPIRE" if len(args) == 1:
            session.server.set_active_expiry(args.next() != b"0")
            return OK
        case b"QUICKLIST-PACKED-THRESHOLD" | b"CHANGE-REPL-ID":
            return OK
        case b"ERROR":
            raise CommandError(printable(args.next()))
        case b"SHARDS":
            return [[link.index, link.pid, link.restarts, link.queued] for link in session.server.links]
        case _:
            raise errors.unknown_call("DEBUG", word)


def _sleep(args: Args) -> Reply:
    """Hold up the whole server, as Redis does: that is what the command is for."""
    seconds = parse_float(args.next())
    if seconds is None:
        raise NotAFloat
    time.sleep(seconds)
    return OK


async def _advance_clock(session: Session, milliseconds: int) -> Reply:
    """Our own: shift the server's clock forward, so that tests of expiry need not wait."""
    await session.server.advance_clock(milliseconds)
    return OK
