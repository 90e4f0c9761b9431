"""Commands that read streams of several shards: each shard reads its own, under a barrier, and no key travels.

Nothing is read if anything is wrong with any of the keys, as in Redis. So all shards check their parts first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.commands.table import StreamKeys
from respcache.errors import CommandError
from respcache.resp.encode import encode
from respcache.resp.types import NULL_ARRAY, Encoded, PairedMap
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from respcache.commands.table import Command
    from respcache.resp.types import Argv
    from respcache.server.shards.link import ShardLink
    from respcache.shard.wire import Until
    from respcache.store.call import Caller

# What a command waits for that has found nothing: see `attempt` in `respcache.shard.wire`.
Lacking = tuple["Argv", "Until", list[bytes], list[bytes], bool]


async def run_in_parts(
    links: Sequence[ShardLink],
    caller: Caller,
    row: Command,
    argv: Argv,
    positions: dict[int, list[int]],
    took: Callable[[int], None],
) -> tuple[bytes, Lacking | None]:
    """The encoded reply of a command whose row has `InParts`; and if there is nothing, what it waits for if it may.

    `positions` are those of its plan: shard -> indexes into `argv` of the keys that live there. The caller holds a
    barrier over these shards, and it has been reached. Raises CommandError if anything is wrong, or a shard dies.
    `took` is told how many nanoseconds each part took.
    """
    (keys,) = row.keys
    assert isinstance(keys, StreamKeys)

    async def ask(item: Callable[[Caller, Argv], wire.Item], argv: Argv) -> list[tuple[list[int], Any]]:
        """The answers of all shards to their parts, with the positions of their keys."""
        calls = [
            (indexes, links[shard].call(item(caller, keys.part(argv, indexes)))) for shard, indexes in positions.items()
        ]
        answers = []
        for indexes, call in calls:
            answer, nanoseconds = await call.result()
            took(nanoseconds)
            answers.append((indexes, answer))
        return answers

    argv = _checked(keys, argv, await ask(wire.check, argv))
    found: list[tuple[int, bytes, bytes]] = []
    lacking: Lacking | None = None
    for indexes, answer in await ask(wire.find, argv):
        if isinstance(answer, list):
            found += [(indexes[number], key, value) for number, key, value in answer]
        else:
            _, until, _, types, on_removal = answer
            lacking = argv, until, [argv[at] for at in keys.positions(argv)], types, on_removal
    if not found:
        return encode(NULL_ARRAY, caller.protocol), lacking
    return encode(PairedMap((key, Encoded(value)) for _, key, value in sorted(found)), caller.protocol), None


def _checked(keys: StreamKeys, argv: Argv, answers: list[tuple[list[int], Any]]) -> Argv:
    """The words with the ids to go on with. Raises the error of the first key that has one."""
    words: dict[int, bytes] = {}
    wrong: dict[int, str] = {}
    for indexes, answer in answers:
        if isinstance(answer, str):
            raise CommandError(answer)
        for at, (word, error) in zip(indexes, answer, strict=True):
            words[at] = word
            if error:
                wrong[at] = error
    if wrong:
        raise CommandError(wrong[min(wrong)])
    return keys.with_ids(argv, [words[at] for at in sorted(words)])
