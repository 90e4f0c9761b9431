"""FCALL and FCALL_RO, in a shard. Each shard has all libraries; main sees to it that they are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache import errors
from respcache.commands.scripting.scripts import FLAGS, READS, WRITES, keys_and_arguments
from respcache.commands.table import MAY_REPLICATE, READONLY, Reach, family
from respcache.errors import CommandError

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.resp.types import Reply
    from respcache.store.shard import Shard

command = family("scripting")


@command(
    "FCALL",
    "function numkeys [key [key ...]] [arg [arg ...]]",
    arity=-3,
    keys=WRITES,
    reach=Reach.SCRIPT,
    flags=FLAGS | MAY_REPLICATE,
    since="7.0.0",
)
def fcall(shard: Shard, args: Args) -> Reply:
    """Call a function."""
    return _call(shard, args, read_only=False)


@command(
    "FCALL_RO",
    "function numkeys [key [key ...]] [arg [arg ...]]",
    arity=-3,
    keys=READS,
    reach=Reach.SCRIPT,
    flags=FLAGS | READONLY,
    since="7.0.0",
)
def fcall_ro(shard: Shard, args: Args) -> Reply:
    """Call a function that must not write."""
    return _call(shard, args, read_only=True)


def _call(shard: Shard, args: Args, *, read_only: bool) -> Reply:
    argv = args.argv
    shard.scripting.called()
    function = shard.scripting.function(args.next())
    if function is None:
        raise CommandError(errors.NO_FUNCTION)
    keys, arguments = keys_and_arguments(args, errors.BAD_NUMBER_OF_KEYS)
    reply: Reply = shard.scripting.run_function(function, keys, arguments, argv, read_only=read_only)
    return reply
