"""What all commands of RESPCACHE have in common."""

from __future__ import annotations

from respcache.commands.table import ADMIN, ALLOW_BUSY, LOADING, NO_AUTH, NO_MULTI, NOSCRIPT, STALE, family

command = family("server")
command.container("RESPCACHE", "Control a server that tests run against.", since="7.2.0", help_since="7.2.0")

# No password is asked for: a test may have set one that the caller does not know. They may undo what keeps others from
# being answered, so nothing holds them up.
CONTROL = ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | NO_AUTH | ALLOW_BUSY
