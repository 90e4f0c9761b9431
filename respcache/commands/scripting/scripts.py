"""EVAL and its kin, in a shard.

Main puts the text of a script in the place of its SHA; or if it does not know the script the SHA after `UNKNOWN`, which
no Lua begins with: which error comes first is decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache import errors
from respcache.commands.table import (
    MAY_REPLICATE,
    NOSCRIPT,
    READONLY,
    SKIP_MONITOR,
    STALE,
    Flag,
    NumKeys,
    Reach,
    family,
)
from respcache.errors import CommandError

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.resp.types import Reply
    from respcache.scripting.interpreter import Script
    from respcache.store.shard import Shard

command = family("scripting")

# Before a SHA that main does not know.
UNKNOWN = b"?"
_SHA = 40  # digits

FLAGS = NOSCRIPT | STALE | SKIP_MONITOR | Flag.NO_MANDATORY_KEYS
WRITES = NumKeys(2, access="RW ACCESS UPDATE")
READS = NumKeys(2, access="RO ACCESS")


def keys_and_arguments(args: Args, error: str = errors.NOT_AN_INTEGER) -> tuple[list[bytes], list[bytes]]:
    """What follows the number of keys. Raises CommandError."""
    count = args.int(error)
    if count > len(args):
        raise CommandError(errors.TOO_FEW_KEYS)
    if count < 0:
        raise CommandError(errors.NUMKEYS_NEGATIVE)
    words = args.rest()
    return words[:count], words[count:]


@command(
    "EVAL",
    "script numkeys [key [key ...]] [arg [arg ...]]",
    arity=-3,
    keys=WRITES,
    reach=Reach.SCRIPT,
    flags=FLAGS | MAY_REPLICATE,
    since="2.6.0",
)
def eval_(shard: Shard, args: Args) -> Reply:
    """Run a script."""
    return _eval(shard, args, read_only=False)


@command(
    "EVAL_RO",
    "script numkeys [key [key ...]] [arg [arg ...]]",
    arity=-3,
    keys=READS,
    reach=Reach.SCRIPT,
    flags=FLAGS | READONLY,
    since="7.0.0",
)
def eval_ro(shard: Shard, args: Args) -> Reply:
    """Run a script that must not write."""
    return _eval(shard, args, read_only=True)


def _eval(shard: Shard, args: Args, *, read_only: bool) -> Reply:
    text = args.next()
    shard.scripting.called()
    keys, arguments = keys_and_arguments(args)
    return _run(shard, shard.scripting.compile(text), keys, arguments, read_only=read_only)


@command(
    "EVALSHA",
    "sha1 numkeys [key [key ...]] [arg [arg ...]]",
    arity=-3,
    keys=WRITES,
    reach=Reach.SCRIPT,
    flags=FLAGS | MAY_REPLICATE,
    since="2.6.0",
)
def evalsha(shard: Shard, args: Args) -> Reply:
    """Run a script that the server knows."""
    return _evalsha(shard, args, read_only=False)


@command(
    "EVALSHA_RO",
    "sha1 numkeys [key [key ...]] [arg [arg ...]]",
    arity=-3,
    keys=READS,
    reach=Reach.SCRIPT,
    flags=FLAGS | READONLY,
    since="7.0.0",
)
def evalsha_ro(shard: Shard, args: Args) -> Reply:
    """Run a script that the server knows, and that must not write."""
    return _evalsha(shard, args, read_only=True)


def _evalsha(shard: Shard, args: Args, *, read_only: bool) -> Reply:
    text = args.next()
    unknown = text.startswith(UNKNOWN)
    shard.scripting.called()
    if unknown and len(text) != len(UNKNOWN) + _SHA:
        raise CommandError(errors.NO_SCRIPT)
    keys, arguments = keys_and_arguments(args)
    if unknown:
        raise CommandError(errors.NO_SCRIPT)
    try:
        script = shard.scripting.compile(text)
    except CommandError:  # main has just heard of it by an EVAL that has failed since
        raise CommandError(errors.NO_SCRIPT) from None
    return _run(shard, script, keys, arguments, read_only=read_only)


def _run(shard: Shard, script: Script, keys: list[bytes], arguments: list[bytes], *, read_only: bool) -> Reply:
    reply: Reply = shard.scripting.run(script, keys, arguments, read_only=read_only)
    return reply
