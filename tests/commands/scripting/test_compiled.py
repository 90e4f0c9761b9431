"""Compiled scripts that a shard keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.scripting.running import Scripting
from respcache.store.shard import Shard

if TYPE_CHECKING:
    from respcache.resp.types import Argv

MEMORY = 8 << 20


class EndlessPatience:
    wrote = False
    threshold = 0.0

    def begin(self, function: bytes | None, argv: Argv) -> None:
        pass

    def look(self) -> None:
        pass

    def end(self) -> None:
        pass


def test_they_leave_memory_for_others() -> None:
    scripting = Scripting(Shard(), EndlessPatience(), lambda *_: None, lambda _: None, MEMORY)
    # Hardly any text takes more memory than this: each function is an object of its own.
    functions = b",".join([b"function() end"] * 700)
    for number in range(80):
        script = scripting.compile(b"local number, functions = %d, {%b} return #ARGV[1]" % (number, functions))
        assert scripting.run(script, [], [b"x" * (MEMORY // 8)], read_only=False) == MEMORY // 8
