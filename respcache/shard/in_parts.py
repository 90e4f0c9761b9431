"""One shard's part of a command that runs in parts; see `respcache.commands.table.InParts`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.args import Args
from respcache.commands.table import TABLE
from respcache.errors import CommandError
from respcache.resp.encode import encode
from respcache.store.waiting import Blocked

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.commands.table import InParts
    from respcache.resp.types import Argv
    from respcache.shard.serving import Details
    from respcache.store.shard import Shard


def check(shard: Shard, argv: Argv) -> list[tuple[bytes, str]] | str:
    """For each key the word to go on with in place of its id, and its error; or the one error of the whole command."""
    handlers = _handlers(argv)
    try:
        return handlers.check(shard, Args(argv))
    except CommandError as error:
        return error.text


def find(
    shard: Shard, details: Callable[[Argv, Blocked], Details], argv: Argv
) -> list[tuple[int, bytes, bytes]] | Details:
    """The number of each key that has something, its name in the reply, and its value there, encoded.

    If there is nothing, and the command may wait: what it waits for, by `details`.
    """
    handlers = _handlers(argv)
    try:
        found = handlers.find(shard, Args(argv))
    except Blocked as blocked:
        return details(argv, blocked)
    return [(number, key, encode(value, shard.protocol)) for number, key, value in found]


def _handlers(argv: Argv) -> InParts:
    """Those of the command. Its number of words is not checked again: a part may have fewer than a whole command."""
    handlers = TABLE[argv[0].upper()].in_parts
    assert handlers is not None
    return handlers
