"""CONFIG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.table import (
    ADMIN,
    LOADING,
    NOSCRIPT,
    STALE,
    command,
    container,
)
from respcache.commands.table.help import help_of
from respcache.config.files import rewrite
from respcache.errors import WrongSyntax
from respcache.resp.types import OK, Reply
from respcache.shard import wire

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.server.clients.client import Client

CONFIG = ADMIN | NOSCRIPT | LOADING | STALE
EVERYWHERE = ("request_policy:all_nodes", "response_policy:all_succeeded")  # how a cluster client sends it


@container("CONFIG", since="2.0.0", group="server")
def config(client: Client, args: Args) -> None:
    """Look at the configuration, and change it."""


@command("CONFIG HELP", arity=2, flags=LOADING | STALE, since="5.0.0", group="server")
def config_help(client: Client, args: Args) -> Reply:
    """List the subcommands."""
    return help_of("CONFIG")


@command("CONFIG GET", arity=-3, flags=CONFIG, since="2.0.0", group="server", syntax="parameter [parameter ...]")
def config_get(client: Client, args: Args) -> Reply:
    """Return the directives that match patterns, with their values."""
    return dict(client.parts.config.get(args.rest()))


@command("CONFIG SET", arity=-4, flags=CONFIG, since="2.0.0", group="server",
         syntax="parameter value [parameter value ...]", tips=EVERYWHERE)  # fmt: skip
def config_set(client: Client, args: Args) -> Reply:
    """Change directives, all of them or none."""
    if len(args) % 2:
        raise WrongSyntax
    config = client.parts.config
    config.set(args.pairs(), allow_protected=client.is_among(config.enable_protected_configs))
    return OK


@command("CONFIG RESETSTAT", arity=2, flags=CONFIG, since="2.0.0", group="server", tips=EVERYWHERE)
def config_resetstat(client: Client, args: Args) -> Reply:
    """Set the counters of INFO back to zero."""
    client.parts.stats.reset()
    for link in client.parts.links:
        link.call(wire.reset_stats())
    return OK


@command("CONFIG REWRITE", arity=2, flags=CONFIG, since="2.8.0", group="server", tips=EVERYWHERE)
def config_rewrite(client: Client, args: Args) -> Reply:
    """Write the configuration back to its file."""
    rewrite(client.parts.config)
    return OK
