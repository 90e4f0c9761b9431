"""One shard's part of a command that runs in parts; see `respcache.commands.table.InParts`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.args import Args
from respcache.commands.table import lookup
from respcache.errors import CommandError
from respcache.resp.encode import encode
from respcache.store.waiting import Blocked

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.resp.types import Argv
    from respcache.shard.serving import Details
    from respcache.store.shard import Shard


def check(shard: Shard, argv: Argv) -> list[tuple[bytes, str]] | str:
    """For each key the word to go on with in place of its id, and its error; or the one error of the whole command."""
    row = lookup(argv)
    assert row.in_parts is not None
    try:
        return row.in_parts.check(shard, Args(argv))
    except CommandError as error:
        return error.text


def find(
    shard: Shard, details: Callable[[Argv, Blocked], Details], argv: Argv
) -> list[tuple[int, bytes, bytes]] | Details:
    """The number of each key that has something, its name in the reply, and its value there, encoded.

    If there is nothing, and the command may wait: what it waits for, by `details`.
    """
    row = lookup(argv)
    assert row.in_parts is not None
    try:
        found = row.in_parts.find(shard, Args(argv))
    except Blocked as blocked:
        return details(argv, blocked)
    return [(number, key, encode(value, shard.protocol)) for number, key, value in found]
