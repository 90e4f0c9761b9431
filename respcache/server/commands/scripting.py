"""SCRIPT: the scripts that the server knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache import errors
from respcache.commands.table import ALLOW_BUSY, NOSCRIPT, STALE, family
from respcache.commands.table.tips import ALL_NODES
from respcache.errors import CommandError
from respcache.resp.types import OK, Reply
from respcache.shard import wire

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.server.clients.client import Client
    from respcache.server.order.scripts import Script

command = family("scripting")
command.container("SCRIPT", "Manage the scripts that the server knows.", since="2.6.0", help_since="5.0.0")

_BY_ALL = ("request_policy:all_shards", "response_policy:agg_logical_and")
_BY_ONE = ("request_policy:all_shards", "response_policy:one_succeeded")


@command("SCRIPT LOAD", "script", arity=3, flags=NOSCRIPT | STALE, since="2.6.0", tips=ALL_NODES)
def script_load(client: Client, args: Args) -> Any:
    """Let the server know a script, without running it."""
    return _load(client, args.next())


async def _load(client: Client, text: bytes) -> Reply:
    await client.parts.links[0].call(wire.compile_script(text)).result()
    return client.parts.scripts.load(text).sha


@command("SCRIPT EXISTS", "sha1 [sha1 ...]", arity=-3, flags=NOSCRIPT, since="2.6.0", tips=_BY_ALL)
def script_exists(client: Client, args: Args) -> Any:
    """Tell for each SHA whether the server knows the script."""
    found = [client.parts.scripts.find(sha) for sha in args.rest()]
    if all(script is None or script.compiled for script in found):
        return [int(script is not None) for script in found]
    return _exist(client, found)


async def _exist(client: Client, found: list[Script | None]) -> Reply:
    """Perhaps some are known only because EVAL runs at this moment, and will find that they cannot be compiled."""
    for script in found:
        if script is not None and not script.compiled:
            try:
                await client.parts.links[0].call(wire.compile_script(script.text)).result()
                script.compiled = True
            except CommandError:
                client.parts.scripts.drop(script.sha)
    return [int(script is not None and script.compiled) for script in found]


@command("SCRIPT FLUSH", "[ASYNC | SYNC]", arity=-2, flags=NOSCRIPT, since="2.6.0", tips=ALL_NODES)
def script_flush(client: Client, args: Args) -> Reply:
    """Forget all scripts."""
    if len(args) > 1 or (len(args) and args.option() not in (b"ASYNC", b"SYNC")):
        raise CommandError(errors.BAD_SCRIPT_FLUSH)
    client.parts.scripts.flush()
    return OK


@command("SCRIPT DEBUG", "<YES | SYNC | NO>", arity=3, flags=NOSCRIPT, since="3.2.0")
def script_debug(client: Client, args: Args) -> Reply:
    """There is no debugger: only NO is accepted."""
    match args.option():
        case b"NO":
            return OK
        case b"YES" | b"SYNC":
            raise CommandError(errors.NO_SCRIPT_DEBUG)
        case _:
            raise CommandError(errors.BAD_SCRIPT_DEBUG)


@command("SCRIPT KILL", arity=2, flags=NOSCRIPT | ALLOW_BUSY, since="2.6.0", tips=_BY_ONE)
def script_kill(client: Client, args: Args) -> Any:
    """End the script that is running, if it has not written anything."""
    return _kill(client, function=False)


async def _kill(client: Client, *, function: bool) -> Reply:
    await client.parts.busy.kill(function)
    return OK
