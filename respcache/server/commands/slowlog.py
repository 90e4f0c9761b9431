"""SLOWLOG: the latest slow commands of the clients of one namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache import errors
from respcache.commands.table import ADMIN, LOADING, STALE, family
from respcache.commands.table.tips import ALL_NODES
from respcache.resp.types import OK, Reply
from respcache.server.commands.caught_up import when_caught_up

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.server.clients.client import Client

command = family("server")

SLOWLOG = ADMIN | LOADING | STALE
_USUAL_COUNT = 10

command.container("SLOWLOG", "Show or forget slow commands.", since="2.2.12", help_since="6.2.0")


@command(
    "SLOWLOG GET",
    "[count]",
    arity=-2,
    flags=SLOWLOG,
    since="2.2.12",
    tips=("request_policy:all_nodes", "nondeterministic_output"),
)
def slowlog_get(client: Client, args: Args) -> Any:
    """Return the latest slow commands, ten of them or as many as are asked for; -1 means all."""
    count = _USUAL_COUNT
    if len(args) > 1:
        raise errors.unknown_call("SLOWLOG", args.argv[1])
    if len(args):
        count = args.int(errors.SLOWLOG_COUNT, low=-1, range_error=errors.SLOWLOG_COUNT)
    log = client.namespace.slowlog

    def reply() -> Reply:
        return [
            [entry.number, entry.time, entry.microseconds, list(entry.argv), entry.address, entry.name]
            for entry in log.latest(count)
        ]

    return when_caught_up(client, reply)


@command(
    "SLOWLOG LEN",
    arity=2,
    flags=SLOWLOG,
    since="2.2.12",
    tips=("request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"),
)
def slowlog_len(client: Client, args: Args) -> Any:
    """Count the slow commands that are kept."""
    return when_caught_up(client, client.namespace.slowlog.__len__)


@command("SLOWLOG RESET", arity=2, flags=SLOWLOG, since="2.2.12", tips=ALL_NODES)
def slowlog_reset(client: Client, args: Args) -> Any:
    """Forget all slow commands."""

    def reply() -> Reply:
        client.namespace.slowlog.clear()
        return OK

    return when_caught_up(client, reply)
