"""CONFIG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.commands.table import (
    ADMIN,
    LOADING,
    NOSCRIPT,
    STALE,
    family,
)
from respcache.commands.table.tips import ALL_NODES
from respcache.config.rewriting import rewrite
from respcache.errors import WrongSyntax
from respcache.resp.types import OK, Reply
from respcache.server.commands.control.family import refuse_in_namespace

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.server.clients.client import Client

command = family("server")
command.container("CONFIG", "Look at the configuration, and change it.", since="2.0.0", help_since="5.0.0")

CONFIG = ADMIN | NOSCRIPT | LOADING | STALE


@command("CONFIG GET", "parameter [parameter ...]", arity=-3, flags=CONFIG, since="2.0.0")
def config_get(client: Client, args: Args) -> Reply:
    """Return the directives that match patterns, with their values."""
    return dict(client.parts.config.get(args.rest()))


@command("CONFIG SET", "parameter value [parameter value ...]", arity=-4, flags=CONFIG, since="2.0.0", tips=ALL_NODES)
def config_set(client: Client, args: Args) -> Any:
    """Change directives, all of them or none."""
    if len(args) % 2:
        raise WrongSyntax
    refuse_in_namespace(client, "CONFIG SET")
    config = client.parts.config
    config.set(args.pairs(), allow_protected=client.is_among(config.enable_protected_configs))
    # EXEC may hold up the shards that a lower ``tracking-table-max-keys`` is to reach.
    if client.parts.tracking.limit.busy and client.executing is None:
        return _trimmed(client)
    return OK


async def _trimmed(client: Client) -> Reply:
    """The reply once a table of tracked keys that has become too large is so no more."""
    await client.parts.tracking.limit.settled()
    return OK


@command("CONFIG RESETSTAT", arity=2, flags=CONFIG, since="2.0.0", tips=ALL_NODES)
def config_resetstat(client: Client, args: Args) -> Reply:
    """Set the counters of INFO back to zero."""
    refuse_in_namespace(client, "CONFIG RESETSTAT")
    client.parts.reset_counters()
    return OK


@command("CONFIG REWRITE", arity=2, flags=CONFIG, since="2.8.0", tips=ALL_NODES)
def config_rewrite(client: Client, args: Args) -> Reply:
    """Write the configuration back to its file."""
    refuse_in_namespace(client, "CONFIG REWRITE")
    rewrite(client.parts.config)
    return OK
