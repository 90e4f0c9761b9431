"""MULTI, EXEC, DISCARD, WATCH, UNWATCH."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache import errors
from respcache.commands.table import ALLOW_BUSY, FAST, LOADING, NOSCRIPT, SKIP_SLOWLOG, STALE, Keys, Reach, command
from respcache.errors import CommandError
from respcache.resp.types import OK, Reply
from respcache.server.transactions import Transaction, execute

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.server.session import Session

FLAGS = NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY


@command("MULTI", arity=1, flags=FLAGS, since="1.2.0", group="transactions")
def multi(session: Session, args: Args) -> Reply:
    """Queue the commands that follow, up to EXEC."""
    if session.transaction is not None:
        raise CommandError(errors.NESTED_MULTI)
    session.transaction = Transaction()
    session.update_plain()
    return OK


@command("EXEC", arity=1, flags=NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG, since="1.2.0", group="transactions")
def exec_(session: Session, args: Args) -> Any:
    """Run all queued commands at one moment, unless a watched key has changed."""
    transaction = session.transaction
    if transaction is None:
        raise CommandError(errors.EXEC_WITHOUT_MULTI)
    session.transaction = None
    session.update_plain()
    if transaction.aborted:
        session.server.sequencer.unwatch(session)
        raise CommandError(errors.EXEC_ABORT)
    return execute(session, transaction)


@command("DISCARD", arity=1, flags=FLAGS, since="2.0.0", group="transactions")
def discard(session: Session, args: Args) -> Reply:
    """Forget all queued commands, and all watched keys."""
    if session.transaction is None:
        raise CommandError(errors.DISCARD_WITHOUT_MULTI)
    session.discard()
    return OK


@command("WATCH", arity=-2, keys=Keys(1, -1, access="RO"), reach=Reach.LOCAL, flags=FLAGS, since="2.2.0",
         group="transactions", syntax="key [key ...]")  # fmt: skip
def watch(session: Session, args: Args) -> Reply:
    """Let the next EXEC fail if one of these keys changes before it."""
    if session.transaction is not None:
        raise CommandError(errors.WATCH_IN_MULTI)
    session.server.sequencer.watch(session, args.rest())
    return OK


@command("UNWATCH", arity=1, flags=FLAGS, since="2.2.0", group="transactions")
def unwatch(session: Session, args: Args) -> Reply:
    """Forget all watched keys."""
    session.server.sequencer.unwatch(session)
    return OK
