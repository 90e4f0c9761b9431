"""HELLO, AUTH, PING, SELECT and all of CLIENT."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

from respcache import REDIS_VERSION, errors
from respcache.commands.args import INT64_MAX, parse_int
from respcache.commands.table import (
    ADMIN,
    ALLOW_BUSY,
    FAST,
    LOADING,
    NO_AUTH,
    NOSCRIPT,
    STALE,
    command,
    container,
)
from respcache.commands.table.help import help_of
from respcache.errors import CommandError, WrongSyntax, printable
from respcache.resp.types import OK, PONG, Reply, Status, Verbatim
from respcache.server.clients import client_type, describe
from respcache.server.replies import IN_A_SLOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.commands.args import Args
    from respcache.server.session import Session

GREET = NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY
CLIENT = NOSCRIPT | LOADING | STALE
EVERYWHERE = ("request_policy:all_nodes", "response_policy:all_succeeded")  # how a cluster client sends it
TYPES = (b"NORMAL", b"MASTER", b"REPLICA", b"SLAVE", b"PUBSUB")


@command("PING", arity=-1, flags=FAST, since="1.0.0", group="connection", syntax="[message]",
         tips=("request_policy:all_shards", "response_policy:all_succeeded"))  # fmt: skip
def ping(session: Session, args: Args) -> Reply:
    """Answer PONG, or the message."""
    if len(args) > 1:
        raise errors.wrong_arity("ping")
    message = args.next() if len(args) else None
    if session.subscriptions and session.protocol == 2:
        return [b"pong", message or b""]
    return PONG if message is None else message


@command("ECHO", arity=2, flags=LOADING | STALE | FAST, since="1.0.0", group="connection", syntax="message")
def echo(session: Session, args: Args) -> Reply:
    """Return the message."""
    return args.next()


@command("SELECT", arity=2, flags=LOADING | STALE | FAST, since="1.0.0", group="connection", syntax="index")
def select(session: Session, args: Args) -> Reply:
    """Change the database of this connection."""
    index = args.int(low=-(1 << 31), high=(1 << 31) - 1, range_error=errors.NOT_AN_INT32)
    if not 0 <= index < session.server.config.databases:
        raise CommandError(errors.DB_OUT_OF_RANGE)
    session.db = index
    return OK


@command("QUIT", arity=-1, flags=ALLOW_BUSY | NOSCRIPT | LOADING | STALE | FAST | NO_AUTH, since="1.0.0",
         group="connection")  # fmt: skip
def quit_(session: Session, args: Args) -> Reply:
    """Close the connection, after what was asked before is answered."""
    session.closing = True
    return OK


@command("RESET", arity=1, flags=GREET, since="6.2.0", group="connection")
def reset(session: Session, args: Args) -> Reply:
    """Put the connection back into the state of a new one."""
    session.transaction = None
    session.server.sequencer.unwatch(session)
    session.server.pubsub.forget(session)
    session.db = 0
    session.protocol = 2
    session.name = b""
    session.touch = True
    session.no_evict = False
    session.reply_mode = b"ON"
    session.heard = True
    session.log_in(not session.server.config.requirepass)
    return Status(b"RESET")


# -- logging in


def _log_in(session: Session, username: bytes, password: bytes) -> None:
    """Raises CommandError when the name or the password is wrong."""
    wanted = session.server.config.requirepass.encode("utf-8", "surrogateescape")
    known = username == b"default" and (not wanted or hmac.compare_digest(wanted, password))
    if not known:
        raise CommandError(errors.WRONG_PASS)
    session.log_in(True)


@command("AUTH", arity=-2, flags=GREET, since="1.0.0", group="connection", syntax="[username] password",
         categories=("connection",))  # fmt: skip
def auth(session: Session, args: Args) -> Reply:
    """Log in with the server's password."""
    if len(args) > 2:
        raise WrongSyntax
    if len(args) == 1:
        if not session.server.config.requirepass:
            raise CommandError(
                "ERR AUTH <password> called without any password configured for the default user. "
                "Are you sure your configuration is correct?"
            )
        _log_in(session, b"default", args.next())
    else:
        _log_in(session, args.next(), args.next())
    return OK


@command("HELLO", arity=-1, flags=GREET, since="6.0.0", group="connection",
         syntax="[protover [AUTH username password] [SETNAME clientname]]")  # fmt: skip
def hello(session: Session, args: Args) -> Reply:
    """Agree on the protocol, log in, and introduce the server."""
    protocol = session.protocol
    credentials = name = None
    if len(args):
        protocol = args.int("ERR Protocol version is not an integer or out of range")
        if protocol not in (2, 3):
            raise CommandError(errors.NO_PROTO)
    while len(args):
        word = args.next()
        option = word.upper()
        if option == b"AUTH" and len(args) >= 2:
            credentials = (args.next(), args.next())
        elif option == b"SETNAME" and len(args):
            name = args.next()
            _check_name(name, "Client names")
        else:
            raise CommandError(f"ERR Syntax error in HELLO option '{printable(word)}'")
    if credentials is not None:
        _log_in(session, *credentials)
    if not session.authenticated:
        raise CommandError(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH "
            "<user> <pass> option can be used to authenticate the client and select the RESP protocol version at "
            "the same time"
        )
    if name is not None:
        session.name = name
    session.protocol = protocol
    session.update_plain()
    return {
        b"server": b"redis",
        b"version": REDIS_VERSION.encode(),
        b"proto": protocol,
        b"id": session.id,
        b"mode": b"standalone",
        b"role": b"master",
        b"modules": [],
    }


# -- CLIENT


@container("CLIENT", since="2.4.0", group="connection")
def client(session: Session, args: Args) -> None:
    """Look at connections, and change their behaviour."""


@command("CLIENT HELP", arity=2, flags=LOADING | STALE, since="5.0.0", group="connection")
def client_help(session: Session, args: Args) -> Reply:
    """List the subcommands."""
    return help_of("CLIENT")


def _check_name(name: bytes, what: str) -> None:
    if any(not 33 <= byte <= 126 for byte in name):
        raise CommandError(f"ERR {what} cannot contain spaces, newlines or special characters.")


@command("CLIENT ID", arity=2, flags=CLIENT, since="5.0.0", group="connection")
def client_id(session: Session, args: Args) -> Reply:
    """Return the id of this connection."""
    return session.id


@command("CLIENT GETNAME", arity=2, flags=CLIENT, since="2.6.9", group="connection")
def client_getname(session: Session, args: Args) -> Reply:
    """Return the name of this connection."""
    return session.name or None


@command("CLIENT SETNAME", arity=3, flags=CLIENT, since="2.6.9", group="connection", syntax="connection-name",
         tips=EVERYWHERE)  # fmt: skip
def client_setname(session: Session, args: Args) -> Reply:
    """Name this connection."""
    name = args.next()
    _check_name(name, "Client names")
    session.name = name
    return OK


@command("CLIENT SETINFO", arity=4, flags=CLIENT, since="7.2.0", group="connection",
         syntax="<LIB-NAME libname | LIB-VER libver>", tips=EVERYWHERE)  # fmt: skip
def client_setinfo(session: Session, args: Args) -> Reply:
    """Say which library the client is written with."""
    attribute, value = args.next(), args.next()
    match attribute.lower():
        case b"lib-name":
            _check_name(value, printable(attribute))
            session.library_name = value
        case b"lib-ver":
            _check_name(value, printable(attribute))
            session.library_version = value
        case _:
            raise CommandError(f"ERR Unrecognized option '{printable(attribute)}'")
    return OK


@command("CLIENT INFO", arity=2, flags=CLIENT, since="6.2.0", group="connection", tips=("nondeterministic_output",))
def client_info(session: Session, args: Args) -> Reply:
    """Describe this connection."""
    return Verbatim(describe(session, args.argv) + b"\n")


@command("CLIENT LIST", arity=-2, flags=CLIENT | ADMIN, since="2.4.0", group="connection",
         syntax="[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
         tips=("nondeterministic_output",))  # fmt: skip
def client_list(session: Session, args: Args) -> Reply:
    """Describe connections: all, or those of a type or with given ids."""
    sessions = session.server.clients.all()
    if len(args) == 2 and args.flag(b"TYPE"):
        kind = _client_type(args.next())
        sessions = [other for other in sessions if client_type(other) == kind]
    elif len(args) >= 2 and args.flag(b"ID"):
        ids = {args.int("ERR Invalid client ID") for _ in range(len(args))}
        sessions = [other for other in sessions if other.id in ids]
    elif len(args):
        raise WrongSyntax
    lines = [describe(other, args.argv if other is session else ()) for other in sessions]
    return Verbatim(b"".join(line + b"\n" for line in lines))


def _client_type(word: bytes) -> str:
    if word.upper() not in TYPES:
        raise CommandError(f"ERR Unknown client type '{printable(word)}'")
    return word.lower().decode()


@command("CLIENT KILL", arity=-3, flags=CLIENT | ADMIN, since="2.4.0", group="connection",
         syntax="<ip:port | <[ID client-id] | [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | "
                "[USER username] | "
                "[ADDR ip:port] | [LADDR ip:port] | [SKIPME <YES | NO>]> ...>")  # fmt: skip
def client_kill(session: Session, args: Args) -> Reply:
    """Close connections: the one with an address, or all that match every filter."""
    if len(args) == 1:
        address = args.next().decode("latin-1")
        victims = [other for other in session.server.clients.all() if other.transport.peer == address]
        if not victims:
            raise CommandError("ERR No such client")
        _kill(session, victims)
        return OK
    filters, skip_me = _kill_filters(args)
    victims = [
        other
        for other in session.server.clients.all()
        if not (skip_me and other is session) and all(property_of(other) == value for property_of, value in filters)
    ]
    _kill(session, victims)
    return len(victims)


def _kill_filters(args: Args) -> tuple[list[tuple[Callable[[Session], object], object]], bool]:
    """Properties that a connection must have to be closed, with their values; and whether the caller is spared."""
    filters: list[tuple[Callable[[Session], object], object]] = []
    skip_me = True
    while len(args):
        option = args.option()
        value = args.next()
        match option:
            case b"ID":
                number = parse_int(value)
                if number is None or number <= 0:
                    raise CommandError("ERR client-id should be greater than 0")
                filters.append((lambda other: other.id, number))
            case b"TYPE":
                filters.append((client_type, _client_type(value)))
            case b"ADDR":
                filters.append((lambda other: other.transport.peer.encode(), value))
            case b"LADDR":
                filters.append((lambda other: other.transport.local.encode(), value))
            case b"USER":
                if value != b"default":
                    raise CommandError(f"ERR No such user '{printable(value)}'")
            case b"SKIPME":
                if value.upper() not in (b"YES", b"NO"):
                    raise WrongSyntax
                skip_me = value.upper() == b"YES"
            case _:
                raise WrongSyntax
    return filters, skip_me


def _kill(killer: Session, victims: list[Session]) -> None:
    for victim in victims:
        if victim is killer:
            victim.closing = True  # after it has got its reply
        else:
            victim.close()


@command("CLIENT REPLY", arity=3, flags=CLIENT, since="3.2.0", group="connection", syntax="<ON | OFF | SKIP>")
def client_reply(session: Session, args: Args) -> Any:
    """Switch replies off and on, or leave out the next one."""
    mode = args.option()
    match mode:
        case b"ON":
            session.reply_mode = b"ON"
            session.heard = True
            session.update_plain()
            return OK
        case b"OFF":
            session.reply_mode = b"OFF"
        case b"SKIP":
            if session.reply_mode == b"ON":
                session.reply_mode = b"SKIP"
        case _:
            raise WrongSyntax
    session.update_plain()
    return IN_A_SLOT


@command("CLIENT NO-EVICT", arity=3, flags=CLIENT | ADMIN, since="7.0.0", group="connection", syntax="<ON | OFF>")
def client_no_evict(session: Session, args: Args) -> Reply:
    """Spare this connection when memory runs out."""
    session.no_evict = _switch(args)
    return OK


@command("CLIENT NO-TOUCH", arity=3, flags=CLIENT, since="7.2.0", group="connection", syntax="<ON | OFF>")
def client_no_touch(session: Session, args: Args) -> Reply:
    """Let this connection's commands leave the access times of keys alone."""
    session.touch = not _switch(args)
    return OK


def _switch(args: Args) -> bool:
    word = args.option()
    if word not in (b"ON", b"OFF"):
        raise WrongSyntax
    return word == b"ON"


@command("CLIENT PAUSE", arity=-3, flags=CLIENT | ADMIN, since="3.0.0", group="connection",
         syntax="timeout [WRITE | ALL]")  # fmt: skip
def client_pause(session: Session, args: Args) -> Reply:
    """Hold all commands back, or those that write, for some milliseconds."""
    only_writes = False
    timeout = args.next()
    if len(args):
        mode = args.option()
        if mode not in (b"WRITE", b"ALL"):
            raise CommandError("ERR CLIENT PAUSE mode must be WRITE or ALL")
        only_writes = mode == b"WRITE"
    if len(args):
        raise errors.unknown_call("CLIENT", args.argv[1])
    milliseconds = parse_int(timeout)
    if milliseconds is None:
        raise CommandError("ERR timeout is not an integer or out of range")
    if milliseconds < 0:
        raise CommandError("ERR timeout is negative")
    until = session.server.clock.now_ms() + milliseconds
    if until > INT64_MAX:
        raise CommandError("ERR timeout is out of range")
    session.server.clients.pause(until, only_writes)
    return OK


@command("CLIENT UNPAUSE", arity=2, flags=CLIENT | ADMIN, since="6.2.0", group="connection")
def client_unpause(session: Session, args: Args) -> Reply:
    """Let held commands go."""
    session.server.clients.unpause()
    return OK
