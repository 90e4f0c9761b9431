"""RESP2 to the body of a response: in any pieces, the same as a plain conversion of the whole."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respcache.server.doors.http import replies
from respcache.server.doors.http.replies import (
    Events,
    JsonReplies,
    RawReplies,
    Replies,
    StatusText,
    TransactionReplies,
)
from tests.support.cost import seconds_of

# A reply: (kind, value). The kinds are those of RESP2.
Tree = tuple[str, Any]


@pytest.fixture(
    params=[1 << 16, 3, 0],
    ids=["strings whole", "strings of 3 bytes whole", "no string whole"],
    autouse=True,
    scope="module",
)
def _what_is_long(request: pytest.FixtureRequest) -> Iterator[None]:
    """Strings over this length are written as they come, in the same way."""
    usual, replies._LONG = replies._LONG, request.param
    yield
    replies._LONG = usual


lines = st.binary(max_size=12).filter(lambda line: b"\r" not in line and b"\n" not in line)
simple = st.one_of(
    st.tuples(st.just("string"), st.binary(max_size=20)),
    st.tuples(st.just("string"), st.sampled_from([b"OK", b"\r\n", b"$5\r\nhello\r\n", b"\xe2\x82", "😀".encode()])),
    st.tuples(st.just("status"), st.one_of(lines, st.just(b"OK"))),
    st.tuples(st.just("integer"), st.integers()),
    st.tuples(st.just("null"), st.sampled_from([b"$-1\r\n", b"*-1\r\n"])),
)
errors = st.tuples(st.just("error"), lines)
trees = st.recursive(
    st.one_of(simple, errors), lambda inner: st.tuples(st.just("array"), st.lists(inner, max_size=4)), max_leaves=12
)
cuts = st.lists(st.integers(0, 400), max_size=12)


def packed(tree: Tree) -> bytes:
    kind, value = tree
    match kind:
        case "string":
            return b"$%d\r\n%b\r\n" % (len(value), value)
        case "status":
            return b"+%b\r\n" % value
        case "error":
            return b"-%b\r\n" % value
        case "integer":
            return b":%d\r\n" % value
        case "array":
            return b"*%d\r\n%b" % (len(value), b"".join(map(packed, value)))
    assert isinstance(value, bytes)
    return value


def text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def plain(tree: Tree, base64: bool, *, whole: bool = False) -> Any:
    """What JSON has in place of a reply; `whole`: it is the result itself."""
    kind, value = tree
    match kind:
        case "status" if whole and value == b"OK":
            return "OK"
        case "string" | "status":
            return b64encode(value).decode() if base64 else text(value)
        case "error":
            return {"error": text(value)}
        case "array":
            return [plain(element, base64) for element in value]
        case "null":
            return None
    return value


def item(tree: Tree, base64: bool) -> dict[str, Any]:
    if tree[0] == "error":
        return {"error": text(tree[1])}
    return {"result": plain(tree, base64, whole=True)}


def fed(replies: Replies, data: bytes, at: list[int]) -> bytes:
    """The body, where the replies come in pieces."""
    places = [0, *sorted(place for place in at if place < len(data)), len(data)]
    body = replies.feed(b"")  # what there is before any reply
    for start, end in pairwise(places):
        assert not replies.done or start == end
        body += replies.feed(data[start:end])
    return body


@given(trees, st.booleans(), cuts)
def test_one_reply(tree: Tree, base64: bool, at: list[int]) -> None:
    replies = JsonReplies(base64=base64)
    assert json.loads(fed(replies, packed(tree), at)) == item(tree, base64)
    assert replies.done
    assert replies.status == (400 if tree[0] == "error" else 200)


@given(st.lists(st.one_of(trees, st.text(max_size=5)), max_size=6), st.booleans(), cuts)
def test_several_with_refused_ones_among_them(asked: list[Tree | str], base64: bool, at: list[int]) -> None:
    """A text stands for a command that is refused."""
    answered = [tree for tree in asked if not isinstance(tree, str)]
    refused = {index: tree for index, tree in enumerate(asked) if isinstance(tree, str)}
    replies = JsonReplies(len(answered), refused, base64=base64, several=True)
    body = fed(replies, b"".join(map(packed, answered)), at)
    assert json.loads(body) == [{"error": one} if isinstance(one, str) else item(one, base64) for one in asked]
    assert replies.done
    assert replies.status == 200


@given(st.lists(trees, max_size=5), st.booleans(), cuts)
def test_a_transaction(results: list[Tree], base64: bool, at: list[int]) -> None:
    replies = TransactionReplies(len(results), base64=base64)
    data = b"+OK\r\n" + b"+QUEUED\r\n" * len(results) + packed(("array", results))
    assert json.loads(fed(replies, data, at)) == [item(tree, base64) for tree in results]
    assert replies.done
    assert replies.status == 200


@given(cuts)
def test_a_discarded_transaction_tells_the_first_reason(at: list[int]) -> None:
    replies = TransactionReplies(3, base64=True)
    data = b"+OK\r\n+QUEUED\r\n-ERR one\r\n-ERR two\r\n-EXECABORT Transaction discarded because of previous errors.\r\n"
    assert json.loads(fed(replies, data, at)) == {"error": "EXECABORT Transaction discarded because of: one"}
    assert replies.done
    assert replies.status == 400


@given(st.lists(st.one_of(trees, lines.map(lambda line: line.decode("latin-1"))), max_size=5), cuts)
def test_raw_replies_stay_as_they_are(asked: list[Tree | str], at: list[int]) -> None:
    answered = [tree for tree in asked if not isinstance(tree, str)]
    refused = {index: tree for index, tree in enumerate(asked) if isinstance(tree, str)}
    replies = RawReplies(len(answered), refused, several=True)
    body = fed(replies, b"".join(map(packed, answered)), at)
    assert body == b"".join(b"-%b\r\n" % one.encode() if isinstance(one, str) else packed(one) for one in asked)
    assert replies.done
    assert replies.status == 200


@given(trees, cuts)
def test_one_raw_reply(tree: Tree, at: list[int]) -> None:
    replies = RawReplies()
    assert fed(replies, packed(tree), at) == packed(tree)
    assert replies.status == (400 if tree[0] == "error" else 200)


def read_events(stream: bytes) -> list[bytes]:
    """As a browser does it: lines that begin with `data: ` up to an empty one, joined with line feeds."""
    events, current = [], []
    for line in stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        if line:
            name, _, value = line.partition(b": ")
            assert name == b"data"
            current.append(value)
        elif current:
            events.append(b"\n".join(current))
            current = []
    assert not current
    return events


@given(st.lists(st.lists(st.binary(max_size=12), min_size=1, max_size=3), min_size=1, max_size=4), cuts)
def test_events(messages: list[list[bytes]], at: list[int]) -> None:
    """A line break at the end of a message, and an empty message, come through as well."""
    replies = Events()
    data = b"".join(packed(("array", [("string", part) for part in message])) for message in messages)
    expected = [text(b",".join(message)).replace("\r\n", "\n").replace("\r", "\n").encode() for message in messages]
    assert read_events(fed(replies, data, at)) == expected
    assert not replies.done
    assert replies.status == 200


def test_a_stream_that_is_refused_is_an_error() -> None:
    replies = Events()
    assert replies.feed(b"-ERR no\r\n") == b'{"error":"ERR no"}'
    assert (replies.done, replies.status, replies.content_type) == (True, 400, b"application/json")


def test_what_is_not_utf8_becomes_the_replacement_character() -> None:
    assert JsonReplies().feed(packed(("string", b"a\xffb\xc3"))) == '{"result":"a\ufffdb\ufffd"}'.encode()


def test_control_characters_are_escaped() -> None:
    body = JsonReplies().feed(packed(("string", bytes(range(32)) + b'"\\\x7f')))
    assert json.loads(body)["result"] == bytes(range(32)).decode() + '"\\\x7f'
    assert min(body) >= 32


def test_the_text_of_a_status() -> None:
    assert StatusText().feed(b"+OK\r\n") == b"OK"
    failed = StatusText()
    assert (failed.feed(b"-ERR no\r\n"), failed.status) == (b"ERR no", 400)


@pytest.mark.parametrize("make", [JsonReplies, lambda: JsonReplies(base64=True), RawReplies])
def test_a_large_string_costs_no_more_in_pieces(make: Callable[[], Replies]) -> None:
    """Each piece looked at again with each one that follows: 256 pieces, 128 times the cost."""

    def feed(data: bytes, step: int) -> None:
        replies = make()
        for at in range(0, len(data), step):
            replies.feed(data[at : at + step])
        assert replies.done

    data = packed(("string", b"x" * (16 << 20)))
    assert seconds_of(lambda: feed(data, 1 << 16)) < 5 * seconds_of(lambda: feed(data, len(data))) + 0.05


@pytest.mark.parametrize("make", [JsonReplies, RawReplies, lambda: TransactionReplies(0, base64=False)])
def test_many_elements_cost_what_their_number_does(make: Callable[[], Replies]) -> None:
    def feed(count: int) -> None:
        replies = make()
        multi = b"+OK\r\n" if isinstance(replies, TransactionReplies) else b""
        data = multi + b"*%d\r\n" % count + b":1\r\n" * count
        for at in range(0, len(data), 1 << 16):
            replies.feed(data[at : at + (1 << 16)])
        assert replies.done

    assert seconds_of(lambda: feed(200_000)) < 50 * seconds_of(lambda: feed(10_000)) + 0.05
