"""One shard's part of a command that runs in parts; see `respcache.commands.table.InParts`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.args import Args
from respcache.commands.table import lookup
from respcache.errors import CommandError
from respcache.resp.encode import encode

if TYPE_CHECKING:
    from respcache.resp.types import Argv
    from respcache.store.shard import Shard


def check(shard: Shard, argv: Argv) -> list[tuple[bytes, str]] | str:
    """For each key the word to go on with in place of its id, and its error; or the one error of the whole command."""
    row = lookup(argv)
    assert row.in_parts is not None
    try:
        return row.in_parts.check(shard, Args(argv))
    except CommandError as error:
        return error.text


def find(shard: Shard, argv: Argv) -> list[tuple[int, bytes, bytes]]:
    """The number of each key for which there is something, its name in the reply, and its value there, encoded."""
    row = lookup(argv)
    assert row.in_parts is not None
    found = row.in_parts.find(shard, Args(argv))
    return [(number, key, encode(value, shard.protocol)) for number, key, value in found]
