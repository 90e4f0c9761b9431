"""SCRIPT and FUNCTION: the scripts and the libraries that the server knows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from respcache import errors
from respcache.commands.table import ALLOW_BUSY, DENYOOM, NOSCRIPT, STALE, WRITE, family
from respcache.commands.table.tips import ALL_NODES, ALL_SHARDS_MERGED, RANDOM_ORDER
from respcache.errors import CommandError
from respcache.glob import compile_glob
from respcache.rdb.functions import BadPayload, dump, restore
from respcache.resp.types import OK, Reply, SetReply, Status
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.commands.args import Args
    from respcache.server.clients.client import Client
    from respcache.server.order.libraries import Libraries, Library
    from respcache.server.order.scripts import Script

command = family("scripting")
command.container("SCRIPT", "Manage the scripts that the server knows.", since="2.6.0", help_since="5.0.0")

_BY_ALL = ("request_policy:all_shards", "response_policy:agg_logical_and")
_BY_ONE = ("request_policy:all_shards", "response_policy:one_succeeded")


@command("SCRIPT LOAD", "script", arity=3, flags=NOSCRIPT | STALE, since="2.6.0", tips=ALL_NODES)
def script_load(client: Client, args: Args) -> Any:
    """Let the server know a script, without running it."""
    return _load(client, args.next())


def _passing(client: Client) -> bool:
    """True within EXEC, which holds up the queues of all shards then."""
    return client.executing is not None


async def _load(client: Client, text: bytes) -> Reply:
    await client.parts.links[0].ask(wire.compile_script(text), passing=_passing(client)).result()
    return client.namespace.scripts.load(text).sha


@command("SCRIPT EXISTS", "sha1 [sha1 ...]", arity=-3, flags=NOSCRIPT, since="2.6.0", tips=_BY_ALL)
def script_exists(client: Client, args: Args) -> Any:
    """Tell for each SHA whether the server knows the script."""
    found = [client.namespace.scripts.find(sha) for sha in args.rest()]
    if all(script is None or script.compiled for script in found):
        return [int(script is not None) for script in found]
    return _exist(client, found)


async def _exist(client: Client, found: list[Script | None]) -> Reply:
    """Perhaps some are known only because EVAL runs at this moment, and will find that they cannot be compiled."""
    for script in found:
        if script is not None and not script.compiled:
            try:
                await client.parts.links[0].ask(wire.compile_script(script.text), passing=_passing(client)).result()
                script.compiled = True
            except CommandError:
                client.namespace.scripts.drop(script.sha)
    return [int(script is not None and script.compiled) for script in found]


@command("SCRIPT FLUSH", "[ASYNC | SYNC]", arity=-2, flags=NOSCRIPT, since="2.6.0", tips=ALL_NODES)
def script_flush(client: Client, args: Args) -> Reply:
    """Forget all scripts."""
    if len(args) > 1 or (len(args) and args.option() not in (b"ASYNC", b"SYNC")):
        raise CommandError(errors.BAD_SCRIPT_FLUSH)
    client.namespace.scripts.flush()
    for link in client.parts.links:
        link.ask(wire.forget_scripts(), passing=_passing(client))
    return OK


@command("SCRIPT DEBUG", "<YES | SYNC | NO>", arity=3, flags=NOSCRIPT, since="3.2.0")
def script_debug(client: Client, args: Args) -> Reply:
    """There is no debugger: only NO is accepted."""
    match args.option():
        case b"NO":
            client.wants_debugger = False
            return OK
        case b"YES" | b"SYNC":
            if client.executing is not None:
                raise CommandError(errors.SCRIPT_DEBUG_IN_PIPELINE)
            client.wants_debugger = True
            raise CommandError(errors.NO_SCRIPT_DEBUG)
        case _:
            raise CommandError(errors.BAD_SCRIPT_DEBUG)


@command("SCRIPT KILL", arity=2, flags=NOSCRIPT | ALLOW_BUSY, since="2.6.0", tips=_BY_ONE)
def script_kill(client: Client, args: Args) -> Any:
    """End the script that is running, if it has not written anything."""
    return _kill(client, function=False)


async def _kill(client: Client, *, function: bool) -> Reply:
    await client.parts.busy.kill(function, passing=client.executing is not None)
    return OK


# -- FUNCTION

command.container("FUNCTION", "Manage libraries of functions.", since="7.0.0", help_since="7.0.0")

_WRITES = WRITE | NOSCRIPT
_ALL_SHARDS = ("request_policy:all_shards", "response_policy:all_succeeded")


@command("FUNCTION LOAD", "[REPLACE] function-code", arity=-3, flags=_WRITES | DENYOOM, since="7.0.0", tips=_ALL_SHARDS)
def function_load(client: Client, args: Args) -> Any:
    """Load a library."""
    replace = False
    while len(args) > 1:
        word = args.next()
        if word.upper() != b"REPLACE":
            raise errors.unknown_load_option(word)
        replace = True
    code = args.next()
    return _change_libraries(client, lambda libraries: libraries.load(code, replace=replace))


def _change_libraries(client: Client, change: Callable[[Libraries], Any]) -> Any:
    """What `change` does with the libraries, or a coroutine of it, is one step of the order."""
    return client.parts.executor.change_libraries(client, partial(change, client.namespace.libraries))


@command("FUNCTION DELETE", "library-name", arity=3, flags=_WRITES, since="7.0.0", tips=_ALL_SHARDS)
def function_delete(client: Client, args: Args) -> Any:
    """Remove a library and its functions."""
    name = args.next()
    return _change_libraries(client, lambda libraries: libraries.delete(name))


@command("FUNCTION FLUSH", "[ASYNC | SYNC]", arity=-2, flags=_WRITES, since="7.0.0", tips=_ALL_SHARDS)
def function_flush(client: Client, args: Args) -> Any:
    """Remove all libraries."""
    if len(args) > 1:
        raise errors.unknown_call("FUNCTION", args.argv[1])
    if len(args) and args.option() not in (b"ASYNC", b"SYNC"):
        raise CommandError(errors.BAD_FUNCTION_FLUSH)
    return _change_libraries(client, lambda libraries: libraries.flush())


@command(
    "FUNCTION LIST",
    "[LIBRARYNAME library-name-pattern] [WITHCODE]",
    arity=-2,
    flags=NOSCRIPT,
    since="7.0.0",
    tips=RANDOM_ORDER,
)
def function_list(client: Client, args: Args) -> Reply:
    """Describe libraries and their functions."""
    pattern, with_code = None, False
    while len(args):
        word = args.next()
        if not with_code and word.upper() == b"WITHCODE":
            with_code = True
        elif pattern is None and word.upper() == b"LIBRARYNAME":
            if not len(args):
                raise CommandError(errors.NO_LIBRARY_PATTERN)
            pattern = args.next()
        else:
            raise errors.unknown_list_argument(word)
    matches = None if pattern is None else compile_glob(pattern, ignore_case=True)
    return [
        _described(library, with_code)
        for library in client.namespace.libraries.all()
        if matches is None or matches(library.name)
    ]


def _described(library: Library, with_code: bool) -> Reply:
    functions: list[Reply] = [
        {b"name": function.name, b"description": function.description, b"flags": SetReply(map(Status, function.flags))}
        for function in library.functions
    ]
    described: dict[bytes, Reply] = {b"library_name": library.name, b"engine": b"LUA", b"functions": functions}
    if with_code:
        described[b"library_code"] = library.code
    return described


@command("FUNCTION DUMP", arity=2, flags=NOSCRIPT, since="7.0.0")
def function_dump(client: Client, args: Args) -> Reply:
    """Return all libraries as a payload."""
    return dump(client.namespace.libraries.codes().values(), compressed=client.parts.config.rdbcompression)


@command(
    "FUNCTION RESTORE",
    "serialized-value [FLUSH | APPEND | REPLACE]",
    arity=-3,
    flags=_WRITES | DENYOOM,
    since="7.0.0",
    tips=_ALL_SHARDS,
)
def function_restore(client: Client, args: Args) -> Any:
    """Load the libraries of a payload."""
    if len(args) > 2:
        raise errors.unknown_call("FUNCTION", args.argv[1])
    payload = args.next()
    policy = args.option() if len(args) else b"APPEND"
    if policy not in (b"FLUSH", b"APPEND", b"REPLACE"):
        raise CommandError(errors.BAD_RESTORE_POLICY)
    try:
        codes = restore(payload)
    except BadPayload as error:
        raise CommandError(str(error)) from None
    return _change_libraries(client, lambda libraries: libraries.restore(codes, policy=policy))


@command("FUNCTION STATS", arity=2, flags=NOSCRIPT | ALLOW_BUSY, since="7.0.0", tips=ALL_SHARDS_MERGED)
def function_stats(client: Client, args: Args) -> Reply:
    """Tell which function runs for too long, and how many there are."""
    busy = client.parts.busy
    libraries = client.namespace.libraries
    running: Reply = None
    for script in busy.scripts.values():
        if script.function is None:
            raise busy.error()
        caller = client.parts.registry.get(script.client)
        if caller is not None and caller.namespace is not client.namespace:
            continue
        running = {b"name": script.function, b"command": script.argv, b"duration_ms": script.duration}
        break
    counts = {b"libraries_count": len(libraries.all()), b"functions_count": libraries.functions}
    return {b"running_script": running, b"engines": {b"LUA": counts}}


@command("FUNCTION KILL", arity=2, flags=NOSCRIPT | ALLOW_BUSY, since="7.0.0", tips=_BY_ONE)
def function_kill(client: Client, args: Args) -> Any:
    """End the function that is running, if it has not written anything."""
    return _kill(client, function=True)
