"""CLIENT TRACKING, CACHING, TRACKINGINFO and GETREDIR: server-assisted caches in clients.

Everything else is in `respcache.server.services.tracking`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache import errors
from respcache.commands.table import LOADING, NOSCRIPT, STALE, family
from respcache.errors import CommandError, WrongSyntax
from respcache.resp.types import OK, Reply, SetReply
from respcache.server.services.tracking import Mode

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.server.clients.client import Client

command = family("connection")

CLIENT = NOSCRIPT | LOADING | STALE


@command(
    "CLIENT TRACKING",
    "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
    arity=-3,
    flags=CLIENT,
    since="6.0.0",
)
def client_tracking(client: Client, args: Args) -> Reply:
    """Tell this connection, or another one, when keys change that it has read, or that begin with prefixes."""
    status = args.option()
    mode, prefixes = _options(client, args)
    if status == b"ON":
        _check(client, mode, prefixes)
        mode.prefixes.update(prefixes or ([b""] if mode.bcast else []))
        client.parts.tracking.enable(client, mode)
    elif status == b"OFF":
        client.parts.tracking.disable(client)
    else:
        raise WrongSyntax
    client.update_plain()
    return OK


def _options(client: Client, args: Args) -> tuple[Mode, list[bytes]]:
    """What is asked for, and the prefixes as they came. Raises CommandError."""
    mode = Mode()
    prefixes: list[bytes] = []
    while len(args):
        match args.option():
            case b"REDIRECT" if len(args):
                if mode.redirect:
                    raise CommandError(errors.TRACKING_REDIRECTED_TWICE)
                mode.redirect = args.int()
                other = client.parts.registry.get(mode.redirect)
                if other is None or other.namespace is not client.namespace:
                    raise CommandError(errors.TRACKING_TO_NOBODY)
            case b"PREFIX" if len(args):
                prefixes.append(args.next())
            case b"BCAST":
                mode.bcast = True
            case b"OPTIN":
                mode.optin = True
            case b"OPTOUT":
                mode.optout = True
            case b"NOLOOP":
                mode.noloop = True
            case _:
                raise WrongSyntax
    return mode, prefixes


def _check(client: Client, mode: Mode, prefixes: list[bytes]) -> None:
    """Raises CommandError if the options do not go together, or with those that the client has."""
    old = client.tracking
    if prefixes and not mode.bcast:
        raise CommandError(errors.PREFIX_WITHOUT_BCAST)
    if old is not None and old.bcast is not mode.bcast:
        raise CommandError(errors.TRACKING_BCAST_SWITCHED)
    if mode.bcast and (mode.optin or mode.optout):
        raise CommandError(errors.OPT_WITH_BCAST)
    if mode.optin and mode.optout:
        raise CommandError(errors.OPTIN_AND_OPTOUT)
    if old is not None and ((mode.optin and old.optout) or (mode.optout and old.optin)):
        raise CommandError(errors.TRACKING_OPT_SWITCHED)
    _check_prefixes(prefixes, sorted(old.prefixes) if old is not None else [])


def _check_prefixes(prefixes: list[bytes], existing: list[bytes]) -> None:
    """Raises CommandError if a key could begin with two of them."""
    for at, prefix in enumerate(prefixes):
        for other in existing:
            if _overlap(prefix, other):
                raise errors.overlapping_prefixes(prefix, "an existing", other)
        for other in prefixes[at + 1 :]:
            if _overlap(prefix, other):
                raise errors.overlapping_prefixes(prefix, "another provided", other)


def _overlap(one: bytes, other: bytes) -> bool:
    return one.startswith(other) or other.startswith(one)


@command("CLIENT CACHING", "<YES | NO>", arity=3, flags=CLIENT, since="6.0.0")
def client_caching(client: Client, args: Args) -> Reply:
    """Say whether what the next command reads is tracked (OPTIN, OPTOUT)."""
    mode = client.tracking
    if mode is None:
        raise CommandError(errors.CACHING_WITHOUT_TRACKING)
    match args.option():
        case b"YES":
            if not mode.optin:
                raise CommandError(errors.CACHING_WITHOUT_OPTIN)
        case b"NO":
            if not mode.optout:
                raise CommandError(errors.CACHING_WITHOUT_OPTOUT)
        case _:
            raise WrongSyntax
    client.parts.tracking.cache_next(client)
    return OK


@command("CLIENT TRACKINGINFO", arity=2, flags=CLIENT, since="6.2.0")
def client_trackinginfo(client: Client, args: Args) -> Reply:
    """Describe what this connection tracks."""
    mode = client.tracking
    if mode is None:
        return {b"flags": SetReply([b"off"]), b"redirect": -1, b"prefixes": []}
    flags: list[tuple[bytes, bool]] = [
        (b"on", True),
        (b"bcast", mode.bcast),
        (b"optin", mode.optin),
        (b"caching-yes", mode.optin and mode.caching),
        (b"optout", mode.optout),
        (b"caching-no", mode.optout and mode.caching),
        (b"noloop", mode.noloop),
        (b"broken_redirect", mode.broken),
    ]
    names: list[Reply] = [name for name, there in flags if there]
    return {b"flags": SetReply(names), b"redirect": mode.redirect, b"prefixes": sorted(mode.prefixes)}


@command("CLIENT GETREDIR", arity=2, flags=CLIENT, since="6.0.0")
def client_getredir(client: Client, args: Args) -> Reply:
    """Return the id of the connection that gets the messages of this one; 0 if it is itself, -1 without tracking."""
    return -1 if client.tracking is None else client.tracking.redirect
