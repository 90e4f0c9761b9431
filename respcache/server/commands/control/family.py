"""What all commands of RESPCACHE have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache import errors
from respcache.commands.table import ADMIN, ALLOW_BUSY, LOADING, NO_AUTH, NO_MULTI, NOSCRIPT, STALE, family

if TYPE_CHECKING:
    from respcache.server.clients.client import Client

command = family("server")
command.container("RESPCACHE", "Control a server that tests run against.", since="7.2.0", help_since="7.2.0")

# No password is asked for: a test may have set one that the caller does not know. They may undo what keeps others from
# being answered, so nothing holds them up.
CONTROL = ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | NO_AUTH | ALLOW_BUSY


def refuse_in_namespace(client: Client, what: str) -> None:
    """Raises CommandError if the client has only a part of the server for itself: `what` concerns all of it."""
    if not client.namespace.is_default:
        raise errors.of_the_whole_server(what)
