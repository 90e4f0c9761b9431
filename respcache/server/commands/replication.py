"""ROLE, WAIT, WAITAOF, REPLICAOF, SLAVEOF, of a master without replicas, and without a file that it appends to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache import errors
from respcache.commands.args import parse_int
from respcache.commands.table import ADMIN, FAST, LOADING, NO_ASYNC_LOADING, NOSCRIPT, STALE, family, lookup
from respcache.commands.table.tips import SMALLEST_BY_SHARD
from respcache.errors import CommandError
from respcache.resp.encode import encode
from respcache.resp.types import OK, Reply
from respcache.server.order.outbox import IN_A_SLOT

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.server.clients.client import Client

command = family("server")
generic = family("generic")

_REPLICA = ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING


@command("ROLE", arity=1, flags=NOSCRIPT | LOADING | STALE | FAST, since="2.8.12", categories=("admin", "dangerous"))
def role(client: Client, args: Args) -> Reply:
    """Tell that this is a master, how much it has replicated, and to whom."""
    return [b"master", 0, []]


@generic(
    "WAIT",
    "numreplicas timeout",
    arity=3,
    since="3.0.0",
    categories=("connection",),
    tips=SMALLEST_BY_SHARD,
)
def wait(client: Client, args: Args) -> Any:
    """Wait until so many replicas have what this connection has written, or for so many milliseconds."""
    replicas = args.int()
    timeout = args.timeout_ms(client.parts.clock.now_ms())
    return _wait(client, args, replicas, timeout, 0)


@generic(
    "WAITAOF",
    "numlocal numreplicas timeout",
    arity=4,
    since="7.2.0",
    categories=("connection",),
    tips=SMALLEST_BY_SHARD,
)
def waitaof(client: Client, args: Args) -> Any:
    """Wait until what this connection has written is in the append-only files of this server and of replicas."""
    local = args.int(low=0, high=1, range_error=errors.NOT_ZERO_OR_ONE)
    replicas = args.int(errors.NOT_POSITIVE, low=0)
    timeout = args.timeout_ms(client.parts.clock.now_ms())
    if local:
        raise CommandError(errors.NO_APPEND_ONLY_FILE)
    return _wait(client, args, replicas, timeout, [0, 0])


def _wait(client: Client, args: Args, replicas: int, timeout: int, reply: Reply) -> Any:
    """There are no replicas: unless none are asked for, only the time ends the wait."""
    if replicas <= 0 or client.executing is not None:
        return reply
    client.parts.waits.for_time(client, lookup(args.argv), args.argv, timeout, encode(reply, client.protocol))
    return IN_A_SLOT


def _become_replica(args: Args) -> Reply:
    host, port = args.next(), args.next()
    if host.lower() == b"no" and port.lower() == b"one":
        return OK
    number = parse_int(port)
    if number is None or not 0 <= number <= 65535:
        raise CommandError(errors.INVALID_MASTER_PORT)
    raise CommandError(errors.NO_REPLICATION)


@command("REPLICAOF", "<host port | NO ONE>", arity=3, flags=_REPLICA, since="5.0.0")
def replicaof(client: Client, args: Args) -> Reply:
    """Be a master, which this server always is. It cannot be a replica."""
    return _become_replica(args)


@command("SLAVEOF", "<host port | NO ONE>", arity=3, flags=_REPLICA, since="1.0.0")
def slaveof(client: Client, args: Args) -> Reply:
    """Be a master, which this server always is. It cannot be a replica."""
    return _become_replica(args)
