"""Blocking commands in a shard: they wait beside the data, and are served between two commands of anybody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.shard.wire import ANSWER_BYTES
from respcache.store.call import Caller
from respcache.store.waiting import Blocked, Waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from respcache.resp.types import Argv
    from respcache.store.keyspace import Place
    from respcache.store.shard import Shard


class Serving:
    """Runs blocking commands, again and again until there is something for them.

    run: runs one command for the caller that the shard has entered, and returns its encoded reply. Raises Blocked.
    """

    def __init__(self, shard: Shard, run: Callable[[Argv], bytes]) -> None:
        self._shard = shard
        self._run = run
        # Bytes of replies that were reported in the frame that is being made, and not counted by the worker yet.
        self._reported = 0

    def wait(self, db: int, protocol: int, client: int, touch: bool, number: int, argv: Argv) -> bytes | int:
        """See `respcache.shard.wire.wait`."""
        shard = self._shard
        shard.enter(db, protocol, client, touch)
        try:
            return self._run(argv)
        except Blocked as blocked:
            shard.waiting.add(Waiter(number, Caller(db, protocol, client, touch), argv, blocked))
            return shard.now + blocked.timeout if blocked.timeout else 0

    def serve(self) -> None:
        """Run the words of those again for whom something has become ready, and report their replies.

        Afterwards the shard has entered nobody in particular.
        """
        for waiter in self._shard.waiting.due(self._look):
            self._serve_one(waiter)

    def _serve_one(self, waiter: Waiter) -> None:
        shard = self._shard
        shard.enter(*waiter.caller)
        try:
            reply = self._run(waiter.argv)
        except Blocked:
            shard.waiting.add(waiter)
            return
        shard.reports.served(waiter.number, reply)
        self._reported += len(reply)

    def _look(self, place: Place) -> Any:
        index, key = place
        self._shard.select(index)
        return self._shard.peek(key)

    def between(self, commands: Iterator[Argv], caller: Caller) -> Iterator[Argv]:
        """The commands of a run, while others are served in between. Ends early when the frame is full of replies."""
        shard = self._shard
        ready = shard.waiting.ready
        while True:
            if ready:
                self.serve()
                shard.enter(*caller)
                if self._reported > ANSWER_BYTES:
                    return
            argv = next(commands, None)
            if argv is None:
                return
            yield argv

    def take_reported(self) -> int:
        """How many bytes were reported since this was asked before."""
        reported, self._reported = self._reported, 0
        return reported
