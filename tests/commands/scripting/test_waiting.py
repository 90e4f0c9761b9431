"""A script is one unit for those who wait: they are served when it is over, by what it has left."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.resp import Connection
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

Connect = Callable[..., Connection]

# The same on the shard of the key, and under a barrier.
CLOSED = "redis.call('rpush', KEYS[1], 'first', 'second') {} return 'done'"
OPEN = "local key = ARGV[1] redis.call('rpush', key, 'first', 'second') {} return 'done'"


@pytest.fixture
def waiting(do: Transcript, connect: Connect) -> Iterator[Connection]:
    """A client that waits for the list `l`."""
    client = connect()
    client.send("BLPOP", "l", 0)
    assert eventually(lambda: _blocked(do) == 1)
    return client


def _blocked(do: Transcript) -> int:
    info = do("INFO", "clients")
    info = info.decode() if isinstance(info, bytes) else info
    return int(info.partition("blocked_clients:")[2].split()[0])


@pytest.mark.parametrize("script", [CLOSED, OPEN], ids=["closed", "open"])
def test_what_a_script_has_left(do: Transcript, waiting: Connection, script: str) -> None:
    then = "redis.call('lpop', {0}) redis.call('rpush', {0}, 'third')".format("KEYS[1]" if script is CLOSED else "key")
    assert do("EVAL", script.format(then), 1, "l", "l") == b"done"
    assert waiting.read() == [b"l", b"second"]
    assert do("LRANGE", "l", 0, -1) == [b"third"]


@pytest.mark.parametrize("script", [CLOSED, OPEN], ids=["closed", "open"])
def test_what_a_script_takes_back(do: Transcript, waiting: Connection, script: str) -> None:
    then = "redis.call('del', {})".format("KEYS[1]" if script is CLOSED else "key")
    assert do("EVAL", script.format(then), 1, "l", "l") == b"done"
    assert _blocked(do) == 1
    do("RPUSH", "l", "later")
    assert waiting.read() == [b"l", b"later"]


@pytest.mark.parametrize("script", [CLOSED, OPEN], ids=["closed", "open"])
def test_an_error_after_the_push(do: Transcript, waiting: Connection, script: str) -> None:
    do.error("EVAL", script.format("error('no')"), 1, "l", "l")
    assert waiting.read() == [b"l", b"first"]


@pytest.mark.since("7.2")
def test_waiting_for_several_keys(do: Transcript, connect: Connect) -> None:
    """The first key of the waiting command counts, not the first push of the script."""
    client = connect()
    client.send("BLPOP", "a", "b", "c", 0)
    assert eventually(lambda: _blocked(do) == 1)
    do("EVAL", "for _, key in ipairs({'c', 'b', 'a'}) do redis.call('rpush', key, 'from ' .. key) end", 0)
    assert client.read() == [b"a", b"from a"]
    assert do("EXISTS", "a", "b", "c") == 2


def test_a_script_before_the_next_command(do: Transcript, waiting: Connection) -> None:
    """What comes after it in the pipeline finds what the waiting client has left."""
    replies = do.connection.pipeline(
        ("EVAL", OPEN.format(""), 1, "b", "l"), ("LPOP", "l"), ("EVAL", "return redis.call('llen', KEYS[1])", 1, "l")
    )
    assert replies == [b"done", b"second", 0]
    assert waiting.read() == [b"l", b"first"]
