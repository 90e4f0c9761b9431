"""Rules that look at several commands: N+1 round trips, and scripts that are sent over and over."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha1
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from respcache.server.services.lint.calls import pattern_of
from respcache.server.services.lint.findings import Sight

if TYPE_CHECKING:
    from respcache.server.services.lint.calls import Call

# How many kinds of commands a loop may send in turns: GET user:1, GET cart:1, GET user:2, ...
_KINDS = 4
# Milliseconds after which a command is not part of a loop any more.
_PAUSE = 5000
# What is kept of a key.
_LONGEST_KEY = 512
# Scripts that are counted.
_SCRIPTS = 500


class _Loop:
    """Commands of one kind, each a round trip, each on another key."""

    __slots__ = ("count", "first_key", "last_key", "round", "time")

    def __init__(self, key: bytes, round: int, time: int) -> None:
        self.first_key = self.last_key = key
        self.round = round  # of its last command
        self.time = time  # of that
        self.count = 1


class _Rounds:
    """The round trips of one client: how many, and the loops that may go on."""

    __slots__ = ("loops", "number")

    def __init__(self) -> None:
        self.number = 0
        self.loops: OrderedDict[tuple[str, bytes], _Loop] = OrderedDict()


class RoundTrips:
    """Finds loops that send one command at a time and wait for its reply.

    A command is a round trip of its own if it comes when the client has all replies, and nothing comes with it. That
    is known when the next one comes; a pipeline ends all loops.
    """

    def __init__(self) -> None:
        self._of_clients: WeakKeyDictionary[Any, _Rounds] = WeakKeyDictionary()

    def clear(self) -> None:
        self._of_clients = WeakKeyDictionary()

    def look(self, call: Call, now: int) -> tuple[Sight, int] | None:
        """What a command adds to a loop that is long enough: how many round trips to be counted now."""
        rounds = self._of_clients.get(call.client)
        if rounds is None:
            rounds = self._of_clients[call.client] = _Rounds()
        if call.client.outbox.slots or call.row.blocking:
            rounds.loops.clear()
            return None
        rounds.number += 1
        if not call.keys:
            return None
        key = call.keys[0][:_LONGEST_KEY]
        pattern = pattern_of(key)
        if pattern == key:
            return None
        return self._continue(rounds, (call.name, pattern), key, now, call.config.lint_repeats)

    def _continue(
        self, rounds: _Rounds, kind: tuple[str, bytes], key: bytes, now: int, threshold: int
    ) -> tuple[Sight, int] | None:
        loop = rounds.loops.get(kind)
        if loop is None or rounds.number - loop.round > _KINDS or abs(now - loop.time) > _PAUSE:
            rounds.loops[kind] = _Loop(key, rounds.number, now)
            rounds.loops.move_to_end(kind)
            if len(rounds.loops) > _KINDS:
                rounds.loops.popitem(last=False)
            return None
        loop.round, loop.time = rounds.number, now
        if key == loop.last_key:
            return None
        loop.last_key = key
        loop.count += 1
        if loop.count < threshold:
            return None
        command, _ = kind
        detail = f"{command} sent {threshold} times or more, one after the other"
        if loop.count > threshold:
            return Sight(detail, key), 1
        return Sight(detail, loop.first_key, last_key=key), threshold


class RepeatedScripts:
    """Counts how often the text of each script was sent."""

    def __init__(self) -> None:
        self._counts: OrderedDict[bytes, int] = OrderedDict()  # by SHA, the latest last

    def clear(self) -> None:
        self._counts.clear()

    def look(self, call: Call) -> tuple[Sight, int] | None:
        """What one more call of a script adds, if it was sent often enough."""
        if call.name not in ("EVAL", "EVAL_RO"):
            return None
        sha = sha1(call.argv[1], usedforsecurity=False).digest()
        count = self._counts[sha] = self._counts.pop(sha, 0) + 1
        if len(self._counts) > _SCRIPTS:
            self._counts.popitem(last=False)
        threshold = call.config.lint_repeats
        if count < threshold:
            return None
        name = sha.hex()[:8]
        detail = f"the text of script {name}, {len(call.argv[1])} bytes, sent {threshold} times or more"
        return Sight(detail, pattern=name.encode()), threshold if count == threshold else 1
