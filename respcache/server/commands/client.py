"""CLIENT: what a connection says and asks about itself. The rest of it is in `client_admin`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.commands.table import ADMIN, LOADING, NOSCRIPT, STALE, family
from respcache.commands.table.tips import ALL_NODES, RANDOM_OUTPUT
from respcache.errors import WrongSyntax, printable, unrecognized_option
from respcache.resp.types import OK, Reply
from respcache.server.clients.describe import check_name
from respcache.server.clients.dirty import described
from respcache.server.order.outbox import IN_A_SLOT

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.server.clients.client import Client

command = family("connection")
command.container("CLIENT", "Look at connections, and change their behaviour.", since="2.4.0", help_since="5.0.0")

CLIENT = NOSCRIPT | LOADING | STALE


@command("CLIENT ID", arity=2, flags=CLIENT, since="5.0.0")
def client_id(client: Client, args: Args) -> Reply:
    """Return the id of this connection."""
    return client.id


@command("CLIENT GETNAME", arity=2, flags=CLIENT, since="2.6.9")
def client_getname(client: Client, args: Args) -> Reply:
    """Return the name of this connection."""
    return client.name or None


@command("CLIENT SETNAME", "connection-name", arity=3, flags=CLIENT, since="2.6.9", tips=ALL_NODES)
def client_setname(client: Client, args: Args) -> Reply:
    """Name this connection."""
    name = args.next()
    check_name(name, "Client names")
    client.name = name
    return OK


@command("CLIENT SETINFO", "<LIB-NAME libname | LIB-VER libver>", arity=4, flags=CLIENT, since="7.2.0", tips=ALL_NODES)
def client_setinfo(client: Client, args: Args) -> Reply:
    """Say which library the client is written with."""
    attribute, value = args.next(), args.next()
    match attribute.lower():
        case b"lib-name":
            check_name(value, printable(attribute))
            client.library_name = value
        case b"lib-ver":
            check_name(value, printable(attribute))
            client.library_version = value
        case _:
            raise unrecognized_option(attribute)
    return OK


@command("CLIENT INFO", arity=2, flags=CLIENT, since="6.2.0", tips=RANDOM_OUTPUT)
def client_info(client: Client, args: Args) -> Any:
    """Describe this connection."""
    return described(client, [client], args.argv)


@command("CLIENT REPLY", "<ON | OFF | SKIP>", arity=3, flags=CLIENT, since="3.2.0")
def client_reply(client: Client, args: Args) -> Any:
    """Switch replies off and on, or leave out the next one."""
    mode = args.option()
    match mode:
        case b"ON":
            client.unmute()
            return OK
        case b"OFF" | b"SKIP":
            client.mute(mode)
        case _:
            raise WrongSyntax
    return IN_A_SLOT


@command("CLIENT NO-EVICT", "<ON | OFF>", arity=3, flags=CLIENT | ADMIN, since="7.0.0")
def client_no_evict(client: Client, args: Args) -> Reply:
    """Spare this connection when memory runs out."""
    client.no_evict = _switch(args)
    return OK


@command("CLIENT NO-TOUCH", "<ON | OFF>", arity=3, flags=CLIENT, since="7.2.0")
def client_no_touch(client: Client, args: Args) -> Reply:
    """Let this connection's commands leave the access times of keys alone."""
    client.count_access(not _switch(args))
    return OK


def _switch(args: Args) -> bool:
    word = args.option()
    if word not in (b"ON", b"OFF"):
        raise WrongSyntax
    return word == b"ON"
