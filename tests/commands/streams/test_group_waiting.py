"""Clients that wait in XREADGROUP. As since Redis 7.2: what ends their waiting runs the command again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.commands.streams.test_groups import WRONG_TYPE, consumers_of
from tests.support.resp import Connection
from tests.support.transcript import Transcript

Block = Callable[..., Connection]

NO_GROUP = "NOGROUP No such key '{}' or consumer group 'g' in XREADGROUP with GROUP option"


def read(consumer: str, *keys: str, timeout: int = 0) -> tuple[object, ...]:
    return ("XREADGROUP", "GROUP", "g", consumer, "BLOCK", timeout, "STREAMS", *keys, *">" * len(keys))


def given(do: Transcript, key: str, *ids: str) -> Any:
    """What a client is given of one stream."""
    entries = [[id.encode(), [b"f", b"v"]] for id in ids]
    return {key.encode(): entries} if do.protocol == 3 else [[key.encode(), entries]]


@pytest.fixture
def groups(do: Transcript) -> Transcript:
    for key in ("s", "t", "other"):
        do("XGROUP", "CREATE", key, "g", "$", "MKSTREAM")
    return do


def test_what_is_added_is_given(groups: Transcript, block: Block) -> None:
    do = groups
    waiter = block(*read("a", "s"))
    do("XADD", "s", "1-0", "f", "v")
    assert waiter.read() == given(do, "s", "1-0")
    assert do("XPENDING", "s", "g") == [1, b"1-0", b"1-0", [[b"a", b"1"]]]


def test_first_come_first_served(groups: Transcript, block: Block) -> None:
    do = groups
    first, second, third = block(*read("a", "s")), block(*read("b", "s")), block(*read("c", "s"))
    do("XADD", "s", "1-0", "f", "v")
    assert first.read() == given(do, "s", "1-0")
    do.transaction(("XADD", "s", "2-0", "f", "v"), ("XADD", "s", "3-0", "f", "v"))
    assert second.read() == given(do, "s", "2-0", "3-0")
    do("XADD", "s", "4-0", "f", "v")
    assert third.read() == given(do, "s", "4-0")


def test_groups_do_not_take_from_each_other(groups: Transcript, block: Block) -> None:
    do = groups
    do("XGROUP", "CREATE", "s", "h", "$")
    first = block(*read("a", "s"))
    second = block("XREADGROUP", "GROUP", "h", "a", "BLOCK", 0, "STREAMS", "s", ">")
    third = block("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    do("XADD", "s", "1-0", "f", "v")
    assert first.read() == second.read() == third.read() == given(do, "s", "1-0")


def test_several_streams(groups: Transcript, block: Block) -> None:
    do = groups
    waiter = block(*read("a", "s", "t", "other"))
    do("XADD", "t", "1-0", "f", "v")
    assert waiter.read() == given(do, "t", "1-0")
    do("XADD", "s", "1-0", "f", "v")
    assert do(*read("a", "s", "t", "other")) == given(do, "s", "1-0")
    block(*read("a", "s", "t", "other"), on=waiter)
    do("XADD", "other", "1-0", "f", "v")
    assert waiter.read() == given(do, "other", "1-0")


@pytest.mark.since("7.2")
def test_a_transaction_that_adds_to_several_streams(groups: Transcript, block: Block) -> None:
    """Redis 7.0 serves one of them."""
    do = groups
    waiter = block(*read("a", "s", "t", "other"))
    do.transaction(("XADD", "other", "1-0", "f", "v"), ("XADD", "s", "2-0", "f", "v"))
    reply = waiter.read()
    if do.protocol == 3:
        assert reply == given(do, "s", "2-0") | given(do, "other", "1-0")
    else:
        assert reply == given(do, "s", "2-0") + given(do, "other", "1-0")
    assert do(*read("b", "s", "t", "other", timeout=1)) is None


@pytest.mark.since("7.2")
def test_an_entry_that_is_gone_again(groups: Transcript, block: Block) -> None:
    do = groups
    waiter = block(*read("a", "s"))
    do.transaction(("XADD", "s", "1-0", "f", "v"), ("XDEL", "s", "1-0"))
    do("XADD", "s", "2-0", "f", "v")
    assert waiter.read() == given(do, "s", "2-0")


def test_who_needs_no_acknowledgement(groups: Transcript, block: Block) -> None:
    do = groups
    waiter = block("XREADGROUP", "GROUP", "g", "a", "NOACK", "BLOCK", 0, "STREAMS", "s", ">")
    do("XADD", "s", "1-0", "f", "v")
    assert waiter.read() == given(do, "s", "1-0")
    assert do("XPENDING", "s", "g")[0] == 0


def test_time_is_up(groups: Transcript) -> None:
    do = groups
    assert do(*read("a", "s", timeout=1)) is None
    assert do(*read("a", "s", "t", timeout=1)) is None


@pytest.mark.since("7.2")
def test_the_consumer_exists_while_it_waits(groups: Transcript, block: Block) -> None:
    do = groups
    block(*read("a", "s"))
    assert list(consumers_of(do)) == [b"a"]
    block(*read("b", "t", "s", "other"))
    assert list(consumers_of(do)) == [b"a", b"b"]
    assert list(consumers_of(do, key="other")) == [b"b"]


@pytest.mark.since("7.2")
@pytest.mark.parametrize("keys", [("s",), ("t", "s", "other")], ids=["one key", "several keys"])
@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("DEL", "s"), NO_GROUP.format("s")),
        (("UNLINK", "s"), NO_GROUP.format("s")),
        (("XGROUP", "DESTROY", "s", "g"), NO_GROUP.format("s")),
        (("RENAME", "s", "elsewhere"), NO_GROUP.format("s")),
        (("PEXPIREAT", "s", 1), NO_GROUP.format("s")),
        (("SET", "s", "x"), WRONG_TYPE),
        (("COPY", "string", "s", "REPLACE"), WRONG_TYPE),
        (("RENAME", "string", "s"), WRONG_TYPE),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_the_group_is_gone(
    groups: Transcript, block: Block, keys: tuple[str, ...], words: tuple[object, ...], error: str
) -> None:
    do = groups
    do("SET", "string", "x")
    waiter, another = block(*read("a", *keys)), block(*read("b", "s"))
    do(*words)
    assert str(waiter.read()) == str(another.read()) == error


@pytest.mark.since("7.2")
def test_all_is_gone(groups: Transcript, block: Block) -> None:
    do = groups
    waiter = block(*read("a", "s"))
    do("FLUSHALL")
    assert str(waiter.read()) == NO_GROUP.format("s")
    do("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    block(*read("a", "s"), on=waiter)
    do("SWAPDB", 0, 1)
    assert str(waiter.read()) == NO_GROUP.format("s")


@pytest.mark.since("7.2")
def test_another_stream_takes_the_place(groups: Transcript, block: Block) -> None:
    do = groups
    do("XADD", "t", "5-0", "f", "v")
    waiter, another = block(*read("a", "s")), block(*read("b", "s"))
    do("RENAME", "t", "s")
    assert waiter.read() == given(do, "s", "5-0")
    do("XADD", "s", "6-0", "f", "v")
    assert another.read() == given(do, "s", "6-0")


@pytest.mark.since("7.2")
def test_another_group_is_destroyed(groups: Transcript, block: Block) -> None:
    do = groups
    do("XGROUP", "CREATE", "s", "h", "$")
    waiter = block(*read("a", "s"))
    do("XGROUP", "DESTROY", "s", "h")
    do("XADD", "s", "1-0", "f", "v")
    assert waiter.read() == given(do, "s", "1-0")


def test_who_only_reads_waits_on(groups: Transcript, block: Block) -> None:
    do = groups
    waiter = block("XREAD", "BLOCK", 0, "STREAMS", "s", "0")
    do("XGROUP", "DESTROY", "s", "g")
    do("DEL", "s")
    do("XADD", "s", "1-0", "f", "v")
    assert waiter.read() == given(do, "s", "1-0")


def test_an_id_that_is_set_back_serves_with_the_next_entry(groups: Transcript, block: Block) -> None:
    do = groups
    do("XADD", "s", "1-0", "f", "v")
    do("XGROUP", "SETID", "s", "g", "$")
    waiter = block(*read("a", "s"))
    do("XGROUP", "SETID", "s", "g", "0")
    do("XADD", "s", "2-0", "f", "v")
    assert waiter.read() == given(do, "s", "1-0", "2-0")
