"""One shard's part of a command that reads streams of several shards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from respcache.shard import wire
from tests.shard.conftest import Child, words

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
BAD_ID = "ERR Invalid stream ID specified as stream command argument"


@pytest.fixture
def child(children: Callable[[int], list[Child]]) -> Child:
    (child,) = children(1)
    child.run(
        "XADD s 1-0 f v",
        "XADD s 2-0 f v",
        "XGROUP CREATE s g 1",
        "XGROUP CREATE empty g $ MKSTREAM",
        "SET string x",
    )
    return child


def check(child: Child, command: str) -> Any:
    return child.ask(wire.check(child.caller, words(command)))[0][0]


def find(child: Child, command: str) -> Any:
    return child.ask(wire.find(child.caller, words(command)))[0][0]


def entries(*ids: bytes) -> bytes:
    each = b"*2\r\n$3\r\n%b\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"
    return b"*%d\r\n" % len(ids) + b"".join(each % id for id in ids)


def test_checking_gives_ids_to_go_on_with_and_errors(child: Child) -> None:
    assert check(child, "XREAD STREAMS s none string s s $ $ 0 x 1") == [
        (b"2-0", ""),
        (b"0-0", ""),
        (b"0", WRONG_TYPE),
        (b"x", BAD_ID),
        (b"1-0", ""),
    ]
    no_group = "NOGROUP No such key 'none' or consumer group 'g' in XREADGROUP with GROUP option"
    assert check(child, "XREADGROUP GROUP g c STREAMS s none string s > > > x") == [
        (b">", ""),
        (b">", no_group),
        (b">", WRONG_TYPE),
        (b"x", BAD_ID),
    ]
    assert check(child, "XREADGROUP GROUP g c NONSENSE STREAMS s >") == "ERR syntax error"
    # It has changed nothing.
    assert child.run("XINFO CONSUMERS s g") == [b"*0\r\n"]


def test_finding(child: Child) -> None:
    assert find(child, "XREAD STREAMS empty s none s 0 1 0 0") == [
        (1, b"s", entries(b"2-0")),
        (3, b"s", entries(b"1-0", b"2-0")),
    ]
    assert find(child, "XREADGROUP GROUP g c BLOCK 0 STREAMS empty s > >") == [(1, b"s", entries(b"2-0"))]
    assert find(child, "XREADGROUP GROUP g c STREAMS empty s > >") == []
    assert find(child, "XREADGROUP GROUP g c STREAMS empty s 0 0") == [
        (0, b"empty", b"*0\r\n"),
        (1, b"s", entries(b"2-0")),
    ]


@pytest.mark.parametrize(
    ("command", "on_removal"),
    [("XREADGROUP GROUP g c BLOCK 50 STREAMS empty s > >", True), ("XREAD BLOCK 50 STREAMS empty s 0 2-0", False)],
)
def test_what_waits(child: Child, command: str, on_removal: bool) -> None:
    child.run("XGROUP SETID s g $")
    argv, until, keys, types, removal = find(child, command)
    assert (argv, keys, types, removal) == (words(command), [b"empty", b"s"], [b"stream"], on_removal)
    assert until == (child.now + 50, 50)
