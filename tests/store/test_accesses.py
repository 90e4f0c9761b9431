"""Records of accesses: what the numbers mean, with each policy and after it has changed."""

from __future__ import annotations

from array import array
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respcache.store.accesses import INITIAL, Accesses, Frequencies, frequency, store
from respcache.store.shard import Event, Shard
from tests.support.cost import calls_in

NOW = 1_800_000_000
MINUTE = 60


def accesses(*, counting: bool = True, log_factor: int = 0, decay_minutes: int = 1) -> Accesses:
    made = Accesses(Random(1))
    made.counting, made.log_factor, made.decay_minutes = counting, log_factor, decay_minutes
    return made


def test_times() -> None:
    recording = accesses(counting=False)
    records = recording.records()
    records.append(NOW)
    records[0] = NOW + 5
    assert list(records) == [NOW + 5]
    assert recording.idle_seconds(records[0], NOW + 12) == 7
    assert recording.idle_seconds(records[0], NOW) == 0  # the clock was set back


def test_frequencies() -> None:
    recording = accesses()
    records = recording.records()
    records.append(NOW)
    assert recording.counter(records[0], NOW) == INITIAL
    for _ in range(300):
        records[0] = NOW
    assert recording.counter(records[0], NOW) == 255
    assert recording.counter(records[0], NOW + 100 * MINUTE) == 155
    assert recording.counter(records[0], NOW + 300 * MINUTE) == 0
    # Moving a record is no access.
    store(records, 0, records[0])
    records[0] = NOW + 100 * MINUTE
    assert recording.counter(records[0], NOW + 100 * MINUTE) == 156


@given(st.integers(0, 255), st.integers(0, 1 << 32), st.integers(0, 70_000), st.integers(0, 500))
def test_counters_fall_by_one_in_each_decay_time(counter: int, seconds: int, minutes: int, decay: int) -> None:
    recording = accesses(decay_minutes=decay)
    found = recording.counter(frequency(counter, seconds), seconds + minutes * MINUTE)
    # The minute has 16 bits; when it begins anew, Redis counts one minute too few.
    fallen = {passed // decay if decay else 0 for passed in (minutes % 65536, minutes % 65536 - 1)}
    assert found in {max(counter - each, 0) for each in fallen}


@pytest.mark.parametrize(("log_factor", "low", "high"), [(0, 255, 255), (1, 60, 200), (10, 20, 80), (100, 8, 30)])
def test_counters_grow_like_a_logarithm(log_factor: int, low: int, high: int) -> None:
    """The figures that redis.conf tells for 10,000 accesses are between 10 (factor 100) and 255 (factor 0)."""
    recording = accesses(log_factor=log_factor)
    records = recording.records()
    records.append(NOW)
    for _ in range(10_000):
        records[0] = NOW
    assert low <= recording.counter(records[0], NOW) <= high


def test_the_bits_stay_when_the_policy_changes() -> None:
    recording = accesses(counting=False)
    times = recording.records()
    times.append(NOW)
    recording.counting = True
    frequencies = recording.adapted(times)
    assert isinstance(frequencies, Frequencies)
    assert list(frequencies) == [NOW]
    assert recording.counter(NOW, (NOW >> 8 & 0xFFFF) * MINUTE) == NOW & 255
    frequencies[0] = NOW
    recording.counting = False
    assert type(recording.adapted(frequencies)) is array
    # 24 bits of the time: the minute and the counter are taken for seconds.
    idle = recording.idle_seconds(frequencies[0], NOW)
    assert idle == ((NOW & 0xFFFFFF) - (frequencies[0] & 0xFFFFFF)) % 0xFFFFFF


def test_an_array_of_the_right_policy_is_kept() -> None:
    """So snapshots take it back in no time."""
    for counting in (False, True):
        recording = accesses(counting=counting)
        records = recording.records_of_new_keys(1000, NOW)
        assert recording.adapted(records) is records
        assert set(records) == {recording.of_new_key(NOW)}


def shard(*, counting: bool) -> Shard:
    made = Shard()
    made.set_time(NOW * 1000)
    made.databases.count_accesses(counting)
    for key in (b"a", b"b", b"c"):
        made.put(key, b"v", Event.STRING, b"set")
    return made


def test_doors_of_the_shard_with_times() -> None:
    holder = shard(counting=False)
    holder.set_idle(b"a", 100)
    holder.set_frequency(b"a", 7)  # nothing happens
    assert [holder.idle_seconds(key) for key in (b"a", b"b")] == [100, 0]
    holder.set_idle(b"b", 1 << 62)
    assert holder.idle_seconds(b"b") == NOW
    holder.look(b"a")
    assert holder.idle_seconds(b"a") == 0


def test_doors_of_the_shard_with_frequencies() -> None:
    holder = shard(counting=True)
    holder.set_frequency(b"a", 200)
    holder.set_idle(b"a", 100)  # nothing happens
    assert [holder.frequency(key) for key in (b"a", b"b")] == [200, INITIAL]
    holder.delete(b"a")
    holder.put(b"a", b"v", Event.STRING, b"set")
    assert [holder.frequency(key) for key in (b"a", b"b", b"c")] == [INITIAL] * 3


def test_records_stay_with_their_keys() -> None:
    """Keys change places when others go, and while a cursor walks."""
    holder = shard(counting=True)
    keys = [b"key:%d" % number for number in range(200)]
    for number, key in enumerate(keys):
        holder.put(key, b"v", Event.STRING, b"set")
        holder.set_frequency(key, number)
    holder.db.scan(0, 50)
    kept = {}
    for number, key in enumerate(keys):
        if number % 3:
            holder.delete(key)
        else:
            kept[key] = number
    assert {key: holder.frequency(key) for key in kept} == kept


def test_the_default_policy_calls_nothing() -> None:
    """An access is one assignment to an array."""
    holder = shard(counting=False)
    looks = calls_in(lambda: [holder.look(b"a") for _ in range(100)])
    holder.databases.count_accesses(True)
    assert calls_in(lambda: [holder.look(b"a") for _ in range(100)]) > looks + 300
    assert looks < 310
