"""A shard without a process: items in, answers out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pytest

import respcache.commands.all  # noqa: F401 - fills the table
from respcache.shard import channel, wire
from respcache.shard.worker import Worker
from respcache.store.call import Caller
from respcache.store.shard import Shard

NOW = 1_000_000_000_000


class Frame(NamedTuple):
    """The payload of one answer frame."""

    next_deadline: int
    results: list[Any]
    reports: list[tuple[Any, ...]]


class FakeMain:
    """The channel of a worker without pipes: what it is asked, and the frames that come meanwhile."""

    def __init__(self) -> None:
        self.frames: deque[channel.Frame] = deque()  # what the worker receives next
        self.sent: list[Frame] = []  # by the worker, in the middle of an item

    def send(self, payload: Any) -> None:
        self.sent += [Frame(*answer) for answer in wire.FrameReader().feed(wire.pack(payload))]

    def receive(self) -> channel.Frame | None:
        return self.frames.popleft() if self.frames else None

    def poll(self) -> deque[channel.Frame]:
        return self.frames

    def put_back(self, frames: Iterable[channel.Frame]) -> None:
        self.frames.extendleft(reversed([*frames]))


class Child:
    """A worker without pipes: items and answers are encoded as on a real pipe."""

    def __init__(self, index: int = 0, shards: int = 1) -> None:
        self.shard = Shard(16, seed=1, index=index, shards=shards)
        self.main = FakeMain()
        self.worker = Worker(self.shard, self.main)
        self.now = NOW
        self.caller = Caller(db=0, protocol=2, client=7, touch=True)

    def send(self, *items: wire.Item) -> list[Frame]:
        """Send one frame of items. Returns the frames of answers."""
        ((now, received),) = wire.FrameReader().feed(wire.pack((self.now, items)))
        answers = b"".join(wire.pack(answer) for answer in self.worker.answers(now, received))
        return [Frame(*payload) for payload in wire.FrameReader().feed(answers)]

    def ask(self, *items: wire.Item) -> list[Any]:
        """Send items that are answered in one frame, without failures. Returns their results."""
        (frame,) = self.send(*items)
        assert not [report for report in frame.reports if report[0] != wire.EVENT]
        assert len(frame.results) == len(items)
        return frame.results

    def run(self, *commands: str, caller: Caller | None = None) -> list[bytes]:
        """Run commands, given as in redis-cli. Returns their encoded replies."""
        (replies,) = self.ask(wire.run(caller or self.caller, [words(command) for command in commands], False))
        assert isinstance(replies, list)
        return replies


def words(command: str) -> list[bytes]:
    return command.encode().split()


@pytest.fixture
def child() -> Child:
    return Child()


@pytest.fixture
def children() -> Callable[[int], list[Child]]:
    """Makes all shards of a server with a given number of shards."""
    return lambda shards: [Child(index, shards) for index in range(shards)]
