"""The fuzzer notices bugs: some are planted in the codec, and each is found within a few thousand cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from compat.fuzz_rdb.judge import Judge
from compat.fuzz_rdb.mutations import case
from compat.fuzz_rdb.seeds import seed
from compat.values import NEWER, OLDER
from respcache.commands.keys import dump
from respcache.datatypes.limits import Limits
from respcache.datatypes.stream import Stream
from respcache.rdb import listpack, stream_nodes, strings, writing
from respcache.rdb.payload import FOOTER
from respcache.rdb.payload import dump as dumped
from respcache.store.shard import Shard

SEEDS = [seed(name, body, version) for name, (version, body) in OLDER.items()]
SEEDS += [seed(name, body, version) for name, (version, body, _) in NEWER.items()]
CASES = 1200


def _long_stream() -> bytes:
    stream = Stream(Limits())
    for number in range(1, 30):
        stream.append(number << 64, [b"field", b"value %d" % number])
    return dumped(stream, writing.Writer(compressed=False))[:-FOOTER]


SEEDS += [seed("a long stream", _long_stream(), writing.OF_7_0)] * 8


def _found() -> list[str]:
    judge = Judge()
    return [wrong for number in range(CASES) if (wrong := judge.judge(case(SEEDS, 1, number).payload)[1])]


def _written_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long integers lose their last bit."""
    original = listpack.integer_entry
    monkeypatch.setattr(listpack, "integer_entry", lambda number: original(number & ~1 if number > 4096 else number))


def _another_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is cut off is an IndexError."""

    def byte(reader: Any) -> int:
        reader.at += 1
        return int(reader._data[reader.at - 1])

    monkeypatch.setattr(strings.Reader, "byte", byte)


def _out_of_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries of streams may be out of order."""
    monkeypatch.setattr(stream_nodes, "pairwise", lambda _: ())


def _forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a group has read is not written."""
    original = writing.Writer._group

    def group(writer: Any, value: Any) -> bytes:
        read, value.entries_read = value.entries_read, None
        written = original(writer, value)
        value.entries_read = read
        return written

    monkeypatch.setattr(writing.Writer, "_group", group)


def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old key goes before the payload is read."""
    original = dump._value

    def value(shard: Shard, payload: bytes) -> Any:
        shard.delete(b"other")
        return original(shard, payload)

    monkeypatch.setattr(dump, "_value", value)


def test_nothing_is_found_without_a_bug() -> None:
    assert _found() == []


@pytest.mark.parametrize(
    ("plant", "says"),
    [
        (_written_wrongly, "dumps to another value"),
        (_another_exception, "IndexError"),
        (_out_of_order, "out of order"),
        (_forgetful, "dumps to another value"),
        (_hasty, "something has changed"),
    ],
)
def test_bugs_are_found(
    plant: Callable[[pytest.MonkeyPatch], None], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    assert any(says in wrong for wrong in _found()), _found()[:3]
