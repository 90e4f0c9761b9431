"""HELLO, AUTH, PING, ECHO, SELECT, QUIT, RESET."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from respcache import REDIS_VERSION, errors
from respcache.commands.table import ALLOW_BUSY, FAST, LOADING, NO_AUTH, NOSCRIPT, STALE, family
from respcache.commands.table.tips import ALL_SHARDS
from respcache.errors import CommandError, WrongSyntax
from respcache.resp.types import OK, PONG, Reply, Status
from respcache.server.clients.describe import check_name

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.server.clients.client import Client

command = family("connection")

# How names of users begin that say which namespace their connections use.
_OF_NAMESPACE = b"ns."

GREET = NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY


@command("PING", "[message]", arity=-1, flags=FAST, since="1.0.0", tips=ALL_SHARDS)
def ping(client: Client, args: Args) -> Reply:
    """Answer PONG, or the message."""
    if len(args) > 1:
        raise errors.wrong_arity("ping")
    message = args.next() if len(args) else None
    if len(client.subscriptions) and client.protocol == 2:
        return [b"pong", message or b""]
    return PONG if message is None else message


@command("ECHO", "message", arity=2, flags=LOADING | STALE | FAST, since="1.0.0")
def echo(client: Client, args: Args) -> Reply:
    """Return the message."""
    return args.next()


@command("SELECT", "index", arity=2, flags=LOADING | STALE | FAST, since="1.0.0")
def select(client: Client, args: Args) -> Reply:
    """Change the database of this connection."""
    index = args.int(low=-(1 << 31), high=(1 << 31) - 1, range_error=errors.NOT_AN_INT32)
    if not 0 <= index < client.parts.config.databases:
        raise CommandError(errors.DB_OUT_OF_RANGE)
    client.select(index)
    return OK


@command("QUIT", arity=-1, flags=ALLOW_BUSY | NOSCRIPT | LOADING | STALE | FAST | NO_AUTH, since="1.0.0")
def quit_(client: Client, args: Args) -> Reply:
    """Close the connection, after what was asked before is answered."""
    client.finish()
    return OK


@command("RESET", arity=1, flags=GREET, since="6.2.0")
def reset(client: Client, args: Args) -> Reply:
    """Put the connection back into the state of a new one."""
    client.reset()
    return Status(b"RESET")


# -- logging in


def _log_in(client: Client, username: bytes, password: bytes) -> None:
    """Raises CommandError when the name or the password is wrong.

    The name ``ns.NAME`` is that of the default user, who goes to a namespace: so tests can say by a URL where they run.
    """
    config = client.parts.config
    wanted = config.requirepass.encode("utf-8", "surrogateescape")
    elsewhere = username.startswith(_OF_NAMESPACE) and client.is_among(config.enable_test_commands)
    known = (username == b"default" or elsewhere) and (not wanted or hmac.compare_digest(wanted, password))
    if not known:
        raise CommandError(errors.WRONG_PASS)
    if elsewhere:
        if client.executing is not None:  # its commands would run in one namespace or the other
            raise CommandError(errors.NOT_IN_MULTI)
        client.enter(client.parts.namespaces.obtain(username[len(_OF_NAMESPACE) :]))
    client.log_in(True)


@command("AUTH", "[username] password", arity=-2, flags=GREET, since="1.0.0", categories=("connection",))
def auth(client: Client, args: Args) -> Reply:
    """Log in with the server's password."""
    if len(args) > 2:
        raise WrongSyntax
    if len(args) == 1:
        if not client.parts.config.requirepass:
            raise CommandError(errors.NO_PASSWORD_SET)
        _log_in(client, b"default", args.next())
    else:
        _log_in(client, args.next(), args.next())
    return OK


@command("HELLO", "[protover [AUTH username password] [SETNAME clientname]]", arity=-1, flags=GREET, since="6.0.0")
def hello(client: Client, args: Args) -> Reply:
    """Agree on the protocol, log in, and introduce the server."""
    protocol = client.protocol
    credentials = name = None
    if len(args):
        protocol = args.int(errors.PROTO_NOT_AN_INTEGER)
        if protocol not in (2, 3):
            raise CommandError(errors.NO_PROTO)
    while len(args):
        word = args.next()
        option = word.upper()
        if option == b"AUTH" and len(args) >= 2:
            credentials = (args.next(), args.next())
        elif option == b"SETNAME" and len(args):
            name = args.next()
            check_name(name, "Client names")
        else:
            raise errors.bad_hello_option(word)
    if credentials is not None:
        _log_in(client, *credentials)
    if not client.authenticated:
        raise CommandError(errors.NO_AUTH_FOR_HELLO)
    if name is not None:
        client.name = name
    client.speak(protocol)
    return {
        b"server": b"redis",
        b"version": REDIS_VERSION.encode(),
        b"proto": protocol,
        b"id": client.id,
        b"mode": b"standalone",
        b"role": b"master",
        b"modules": [],
    }
