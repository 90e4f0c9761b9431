"""CLIENT LIST, KILL, PAUSE and UNPAUSE: what a connection does to others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache import errors
from respcache.commands.args import Args, parse_int
from respcache.commands.table import ADMIN, LOADING, NOSCRIPT, STALE, family
from respcache.commands.table.tips import RANDOM_OUTPUT
from respcache.errors import CommandError, WrongSyntax
from respcache.resp.types import OK, Reply
from respcache.server.clients.dirty import described
from respcache.server.clients.limits import class_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from respcache.server.clients.client import Client

    Filters = dict[Callable[[Client], object], object]

command = family("connection")

CLIENT = NOSCRIPT | LOADING | STALE
TYPES = (b"NORMAL", b"MASTER", b"REPLICA", b"SLAVE", b"PUBSUB")


@command(
    "CLIENT LIST",
    "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
    arity=-2,
    flags=CLIENT | ADMIN,
    since="2.4.0",
    tips=RANDOM_OUTPUT,
)
def client_list(client: Client, args: Args) -> Any:
    """Describe connections: all, or those of a type or with given ids."""
    clients = _reachable(client)
    if len(args) == 2 and args.flag(b"TYPE"):
        kind = _client_type(args.next())
        clients = [other for other in clients if class_of(other) == kind]
    elif len(args) >= 2 and args.flag(b"ID"):
        by_id = {other.id: other for other in clients}
        ids = [args.int(errors.INVALID_CLIENT_ID) for _ in range(len(args))]
        clients = [by_id[number] for number in ids if number in by_id]
    elif len(args):
        raise WrongSyntax
    return described(client, clients, args.argv)


def _reachable(client: Client) -> list[Client]:
    """All clients of a client's namespace, the oldest first."""
    return [other for other in client.parts.registry.all() if other.namespace is client.namespace]


def _client_type(word: bytes) -> str:
    if word.upper() not in TYPES:
        raise errors.unknown_client_type(word)
    return word.lower().decode()


@command(
    "CLIENT KILL",
    "<ip:port | <[ID client-id] | [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | "
    "[USER username] | "
    "[ADDR ip:port] | [LADDR ip:port] | [SKIPME <YES | NO>]> ...>",
    arity=-3,
    flags=CLIENT | ADMIN,
    since="2.4.0",
)
def client_kill(client: Client, args: Args) -> Reply:
    """Close connections: the one with an address, or all that match every filter."""
    if len(args) == 1:
        address = args.next()
        victims = [other for other in _reachable(client) if _address_of(other) == address]
        if not victims:
            raise CommandError(errors.NO_SUCH_CLIENT)
        _kill(client, victims)
        return OK
    filters, skip_me = _kill_filters(args)
    victims = [
        other
        for other in _reachable(client)
        if not (skip_me and other is client)
        and all(property_of(other) == value for property_of, value in filters.items())
    ]
    _kill(client, victims)
    return len(victims)


def _kill_filters(args: Args) -> tuple[Filters, bool]:
    """Properties that a connection must have to be closed, with their values; and whether the caller is spared.

    As in Redis, a filter that is given twice counts as it was given last.
    """
    filters: Filters = {}
    skip_me = True
    while len(args):
        option = args.option()
        value = args.next()
        match option:
            case b"ID":
                number = parse_int(value)
                if number is None or number <= 0:
                    raise CommandError(errors.CLIENT_ID_NOT_POSITIVE)
                filters[_id_of] = number
            case b"TYPE":
                filters[class_of] = _client_type(value)
            case b"ADDR":
                filters[_address_of] = value
            case b"LADDR":
                filters[_local_address_of] = value
            case b"USER":
                if value != b"default":
                    raise errors.no_such_user(value)
            case b"SKIPME":
                if value.upper() not in (b"YES", b"NO"):
                    raise WrongSyntax
                skip_me = value.upper() == b"YES"
            case _:
                raise WrongSyntax
    return filters, skip_me


def _id_of(client: Client) -> object:
    return client.id


def _address_of(client: Client) -> object:
    return client.transport.peer.encode("utf-8", "surrogateescape")


def _local_address_of(client: Client) -> object:
    return client.transport.local.encode("utf-8", "surrogateescape")


def _kill(killer: Client, victims: list[Client]) -> None:
    for victim in victims:
        if victim is killer:
            victim.finish()  # after it has got its reply
        else:
            victim.close()


@command("CLIENT UNBLOCK", "client-id [TIMEOUT | ERROR]", arity=-3, flags=CLIENT | ADMIN, since="5.0.0")
def client_unblock(client: Client, args: Args) -> Any:
    """End the wait of another connection in a blocking command: as if its time was up, or with an error."""
    number, reason = args.next(), b"TIMEOUT"
    if len(args):
        reason = args.option()
    if len(args):
        raise errors.unknown_call("CLIENT", args.argv[1])
    if reason not in (b"TIMEOUT", b"ERROR"):
        raise CommandError(errors.UNBLOCK_REASON)
    other = client.parts.registry.get(Args([number], 0).int())
    if other is None or other.wait is None or other.namespace is not client.namespace:
        return 0
    at_once = client.executing is not None
    return _unblocked(client.parts.waits.unblock(other.wait, with_error=reason == b"ERROR", at_once=at_once))


async def _unblocked(waited: Awaitable[bool]) -> Reply:
    return int(await waited)


@command("CLIENT PAUSE", "timeout [WRITE | ALL]", arity=-3, flags=CLIENT | ADMIN, since="3.0.0")
def client_pause(client: Client, args: Args) -> Reply:
    """Hold all commands back, or those that write, for some milliseconds."""
    only_writes = False
    timeout = args.next()
    if len(args):
        mode = args.option()
        if mode not in (b"WRITE", b"ALL"):
            raise CommandError(errors.BAD_PAUSE_MODE)
        only_writes = mode == b"WRITE"
    if len(args):
        raise errors.unknown_call("CLIENT", args.argv[1])
    now = client.parts.clock.now_ms()
    client.namespace.pause.begin(now + Args([timeout], 0).timeout_ms(now), only_writes)
    return OK


@command("CLIENT UNPAUSE", arity=2, flags=CLIENT | ADMIN, since="6.2.0")
def client_unpause(client: Client, args: Args) -> Reply:
    """Let held commands go."""
    client.namespace.pause.end()
    return OK
