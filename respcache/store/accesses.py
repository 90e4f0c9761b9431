"""When each key of a database was last accessed, or, with an LFU policy, how often.

Either is one number of 32 bits per key, in an array beside the keys, and commands record an access by assigning its
time: ``db.accessed[slot] = seconds``. By default the array holds those times. While `maxmemory-policy` is one of
``*-lfu`` it is a `Frequencies`, which counts the assignment instead. So what few servers need costs the others nothing.

A frequency is what Redis has: a counter of 8 bits that grows more and more rarely (its value is about the logarithm of
the number of accesses) and falls by 1 in each `lfu-decay-time`; and the minute of the last access, from which the fall
is worked out when it matters. The counter has the lowest 8 bits, and the minute the 16 above them.

When the policy changes, Redis takes the bits that it finds for the other kind: nothing is converted, and keys that are
accessed put themselves right. Here it is the same, but for times, which have more bits here than the 24 of Redis.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    Records = array[int]
else:
    Records = array  # not to be subscripted before Python 3.12

# The counter of a new key: it must not be the first to go before it had a chance.
INITIAL = 5
_HIGHEST = 255

# What tells a frequency from a time: times are as large as this from 2105 on.
_FREQUENCY = 0xFF << 24
# The bits that Redis has for either.
_BITS = (1 << 24) - 1
_MINUTES = (1 << 16) - 1

# Stores an element without counting an access.
store = array.__setitem__


class Accesses:
    """How the databases of one shard record accesses: the policy, and how frequencies rise and fall."""

    __slots__ = ("_random", "counting", "decay_minutes", "log_factor")

    def __init__(self, random: Random) -> None:
        self._random = random
        # An LFU policy is selected.
        self.counting = False
        # `lfu-decay-time`: the minutes after which a counter falls by 1; 0 means never.
        self.decay_minutes = 1
        # `lfu-log-factor`: the higher it is, the more accesses a counter tells apart.
        self.log_factor = 10

    def records(self) -> array[int]:
        """An empty array."""
        return self.adapted(array("I"))

    def adapted(self, found: array[int]) -> array[int]:
        """An array for this policy, with what that one has recorded: itself, unless it is of another policy."""
        if self.counting == (type(found) is Frequencies):
            return found
        if not self.counting:
            return array("I", found)
        frequencies = Frequencies("I", found)
        frequencies.accesses = self
        return frequencies

    def records_of_new_keys(self, count: int, seconds: int) -> array[int]:
        """The array of a database of so many keys that are made at this time."""
        return self.adapted(array("I", [self.of_new_key(seconds)]) * count)

    def of_new_key(self, seconds: int) -> int:
        """What is recorded for a key that is made at this time."""
        return frequency(INITIAL, seconds) if self.counting else seconds

    def counter(self, record: int, seconds: int) -> int:
        """The counter of a record at this time: it has fallen since the last access."""
        minute, now = record >> 8 & _MINUTES, seconds // 60 & _MINUTES
        elapsed = now - minute if now >= minute else now - minute + _MINUTES
        fallen = elapsed // self.decay_minutes if self.decay_minutes else 0
        return max((record & _HIGHEST) - fallen, 0)

    def grown(self, counter: int) -> int:
        """A counter after an access, which adds 1 or nothing; the higher it is, the less probably 1."""
        if counter == _HIGHEST:
            return counter
        above = max(counter - INITIAL, 0)
        return counter + (self._random.random() * (above * self.log_factor + 1) < 1)

    def idle_seconds(self, record: int, seconds: int) -> int:
        """How long before this time the last access was."""
        if record < _FREQUENCY:
            return max(seconds - record, 0)
        # Recorded under another policy: as in Redis, the bits count as a time that repeats every 194 days.
        now, then = seconds & _BITS, record & _BITS
        return now - then if now >= then else now - then + _BITS


class Frequencies(Records):
    """Records that are frequencies. Assigned is the time of an access, in seconds; what is read is a record."""

    __slots__ = ("accesses",)

    # Whose records they are; set by the maker, as `array` makes its objects by itself.
    accesses: Accesses

    def __setitem__(self, slot: int, seconds: int) -> None:  # type: ignore[override]  # no slices: nobody needs them
        accesses = self.accesses
        counter = accesses.grown(accesses.counter(self[slot], seconds))
        store(self, slot, frequency(counter, seconds))

    def append(self, seconds: int) -> None:
        """A key is made."""
        super().append(frequency(INITIAL, seconds))


def frequency(counter: int, seconds: int) -> int:
    """The record of a key that has this counter at this time."""
    return _FREQUENCY | (seconds // 60 & _MINUTES) << 8 | counter
