"""Blocking commands in a shard: they wait beside the data, and are served between two commands of anybody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.datatypes.types import TYPE_NAMES
from respcache.logs import log_exception
from respcache.shard.wire import ANSWER_BYTES, CLAIM, HOLD, YES
from respcache.store.call import Caller
from respcache.store.waiting import Blocked, Waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from respcache.resp.types import Argv
    from respcache.shard.wire import Until
    from respcache.store.keyspace import Place
    from respcache.store.shard import Shard

# Words to run again, end of its time (0: never), keys, names of types, on_removal.
Details = tuple["Argv", "Until", list[bytes], list[bytes], bool]

_KINDS = {name: kind for kind, name in TYPE_NAMES.items()}


class Serving:
    """Runs blocking commands, again and again until there is something for them.

    run: runs one command for the caller that the shard has entered, and returns its encoded reply. Raises Blocked.
    ask: asks main something, and waits for the answer; `Worker.ask`.
    send: sends what is reported, in the middle of an item.
    """

    def __init__(
        self, shard: Shard, run: Callable[[Argv], bytes], ask: Callable[..., Any], send: Callable[[], None]
    ) -> None:
        self._shard = shard
        self._run = run
        self._ask = ask
        self._send = send
        # Bytes of replies that were reported in the frame that is being made, and not counted by the worker yet.
        self._reported = 0
        # Within `settle`: those that were held.
        self._held: list[int] | None = None

    # -- items

    def wait(self, db: int, protocol: int, client: int, touch: bool, number: int, argv: Argv) -> bytes | Until:
        """See `respcache.shard.wire.wait`."""
        shard = self._shard
        shard.enter(db, protocol, client, touch)
        try:
            return self._run(argv)
        except Blocked as blocked:
            words = argv if blocked.argv is None else blocked.argv
            caller = Caller(db, protocol, client, touch)
            shard.waiting.add(Waiter(number, caller, words, blocked.keys, blocked.kinds, blocked.on_removal))
            return self._until(blocked)

    def _until(self, blocked: Blocked) -> Until:
        """When a wait ends, and how long it is from now: main may set its clock before it has the answer."""
        return (self._shard.now + blocked.timeout if blocked.timeout else 0), blocked.timeout

    def details(self, argv: Argv, blocked: Blocked) -> Details:
        """What a command waits for, as it travels."""
        words = argv if blocked.argv is None else blocked.argv
        return (
            words,
            self._until(blocked),
            list(blocked.keys),
            [TYPE_NAMES[kind] for kind in blocked.kinds],
            blocked.on_removal,
        )

    def enlist(
        self,
        db: int,
        protocol: int,
        client: int,
        touch: bool,
        number: int,
        argv: Argv,
        keys: Sequence[bytes],
        types: Sequence[bytes],
        on_removal: bool,
    ) -> None:
        """See `respcache.shard.wire.enlist`."""
        caller, kinds = Caller(db, protocol, client, touch), tuple(_KINDS[name] for name in types)
        self._shard.waiting.add(Waiter(number, caller, argv, keys, kinds, on_removal, shared=True))

    def exist(self, places: Sequence[Place]) -> list[bool]:
        """See `respcache.shard.wire.exist`."""
        return [self._look(place) is not None for place in places]

    def settle(self) -> list[int]:
        """See `respcache.shard.wire.settle`."""
        self._held = []
        self.serve()
        held, self._held = self._held, None
        return held

    # -- serving

    def serve(self) -> None:
        """Run the words of those again for whom something has become ready, and report their replies.

        Afterwards the shard has entered nobody in particular.
        """
        try:
            for waiter in self._shard.waiting.due(self._look):
                self._report_spoilt()
                if not waiter.shared or self._may_serve(waiter):
                    self._serve_one(waiter)
            self._report_spoilt()
        except Exception:
            # A bug. The command before it is done, and its reply is not to be lost.
            log_exception("clients that wait could not be served")

    def _may_serve(self, waiter: Waiter) -> bool:
        """Whether a waiter that other shards have, too, is to be served here and now. It does not wait here then."""
        if self._held is not None:
            self._held.append(waiter.number)
            waiter.held = True
            return False
        verdict = self._ask(CLAIM, waiter.number, nested=False)
        if verdict == HOLD:
            waiter.held = True
        else:
            self._shard.waiting.forget(waiter.number)
        return bool(verdict == YES)

    def _serve_one(self, waiter: Waiter) -> None:
        shard = self._shard
        shard.enter(*waiter.caller)
        try:
            reply = self._run(waiter.argv)
        except Blocked:
            assert not waiter.shared, "main has agreed to serve it, and there was something"
            shard.waiting.add(waiter)
            return
        shard.reports.served(waiter.number, reply)
        self._reported += len(reply)
        if self._reported > ANSWER_BYTES:  # one large entry for many readers
            self._send()
            self._reported = 0

    def _report_spoilt(self) -> None:
        waiting = self._shard.waiting
        if waiting.spoilt:
            for waiter in waiting.spoilt:
                self._shard.reports.spoilt(waiter.number)
            waiting.spoilt.clear()

    def _look(self, place: Place) -> Any:
        index, key = place
        self._shard.client = 0  # a key that has expired goes by itself
        self._shard.select(index)
        return self._shard.peek(key)

    def between(self, commands: Iterator[Argv], caller: Caller) -> Iterator[Argv]:
        """The commands of a run, while others are served in between."""
        shard = self._shard
        ready = shard.waiting.ready
        while True:
            if ready:  # perhaps since the frame before
                self.serve()
                shard.enter(*caller)
            argv = next(commands, None)
            if argv is None:
                return
            yield argv

    def take_reported(self) -> int:
        """How many bytes were reported since this was asked before."""
        reported, self._reported = self._reported, 0
        return reported
