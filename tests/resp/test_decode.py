"""Bytes to commands: each case whole, byte by byte, and with more input after it.

The texts of errors, and what is an error at all, are those of a genuine server: `tests/test_protocol.py` sends the same
bytes to one.
"""

from __future__ import annotations

import tracemalloc

import hiredis
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from respcache.errors import ProtocolError
from respcache.resp.decode import MAX_INLINE, Decoder
from respcache.resp.types import Argv
from tests.support.resp import pack

PING = [b"PING"]

# Bytes of complete commands -> the commands.
COMPLETE = {
    "array": (b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", [[b"GET", b"k"]]),
    "empty word": (b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n", [[b"GET", b""]]),
    "binary word": (b"*2\r\n$4\r\nECHO\r\n$4\r\n\0\xff\r\n\r\n", [[b"ECHO", b"\0\xff\r\n"]]),
    "words like headers": (b"*2\r\n$2\r\n$1\r\n$8\r\nx\r\n*1\r\n$\r\n", [[b"$1", b"x\r\n*1\r\n$"]]),
    "word like a command": (pack(("ECHO", b"*1\r\n$4\r\nPING\r\n")), [[b"ECHO", b"*1\r\n$4\r\nPING\r\n"]]),
    "negative number": (b"*2\r\n$4\r\nECHO\r\n$2\r\n-1\r\n", [[b"ECHO", b"-1"]]),
    "pipeline": (b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$1\r\na\r\n", [PING, [b"ECHO", b"a"]]),
    "no words": (b"*0\r\n*1\r\n$4\r\nPING\r\n", [PING]),
    "null array": (b"*-1\r\n*1\r\n$4\r\nPING\r\n", [PING]),
    "eleven words": (pack(("DEL", *"0123456789")), [[b"DEL", *(b"%d" % digit for digit in range(10))]]),
    "inline": (b"PING\r\n", [PING]),
    "inline, bare newline": (b"PING\n", [PING]),
    "inline words": (b"  SET k\tv  \r\n", [[b"SET", b"k", b"v"]]),
    "inline, odd blanks": (b"ECHO \v\fa\vb\r\n", [[b"ECHO", b"a\vb"]]),
    "inline, carriage returns": (b"PING\r\r\n", [PING]),
    "inline after array": (b"*1\r\n$4\r\nPING\r\nECHO a\r\n", [PING, [b"ECHO", b"a"]]),
    "array after inline": (b"ECHO a\r\n*1\r\n$4\r\nPING\r\n", [[b"ECHO", b"a"], PING]),
    "empty lines": (b"\r\n\n   \r\nPING\r\n", [PING]),
    "double quotes": (b'ECHO "a b\\n\\x41\\"\\q"\r\n', [[b"ECHO", b'a b\nA"q']]),
    "single quotes": (b"ECHO 'a\\n\\'b'\r\n", [[b"ECHO", b"a\\n'b"]]),
    "quotes inside a word": (b'ECHO a"b c"\r\n', [[b"ECHO", b"ab c"]]),
    "empty quotes": (b'ECHO ""\r\n', [[b"ECHO", b""]]),
    "RESP3 type as inline": (b"%1\r\n", [[b"%1"]]),
    # To a parser of replies, this is an empty array and a map from PING to null.
    "map between arrays": (b"*0\r\n%1\r\n$4\r\nPING\r\n*-1\r\n", [[b"%1"], [b"$4"], PING]),
    "word with a line break": (pack(("SET", "k", "a\r\nb")) * 2, [[b"SET", b"k", b"a\r\nb"]] * 2),
    "long word": (pack(("SET", "k", "v" * 5000)) * 2, [[b"SET", b"k", b"v" * 5000]] * 2),
    "long word with a line break": (pack(("GET", "v" * 5000 + "\r\n")) * 2, [[b"GET", b"v" * 5000 + b"\r\n"]] * 2),
    "many words": (pack(("DEL", *["k"] * 2000)), [[b"DEL", *[b"k"] * 2000]]),
    "different numbers of words": (
        pack(("GET", "k")) + pack(PING) + pack(("GET", "l")),
        [[b"GET", b"k"], PING, [b"GET", b"l"]],
    ),
    # Redis does not look at the line feed of a header, nor at the line break after a word.
    "sloppy header": (b"*1\rX$4\r\nPING\r\n", [PING]),
    "sloppy word": (b"*1\r\n$4\r\nPINGXY*1\r\n$4\r\nPING\r\n", [PING, PING]),
}
# Bytes -> the commands before the error, and its text.
BROKEN: dict[str, tuple[bytes, list[Argv], str]] = {
    "count is no number": (b"*a\r\n", [], "invalid multibulk length"),
    "count is missing": (b"*\r\n", [], "invalid multibulk length"),
    "count has a sign": (b"*+1\r\n", [], "invalid multibulk length"),
    "count has a zero in front": (b"*01\r\n", [], "invalid multibulk length"),
    "count is minus zero": (b"*-0\r\n", [], "invalid multibulk length"),
    "count has a blank": (b"* 1\r\n", [], "invalid multibulk length"),
    "count has only a line feed": (b"*3\n$1\r\n", [], "invalid multibulk length"),
    "count too large": (b"*2147483648\r\n", [], "invalid multibulk length"),
    "count of 21 digits": (b"*999999999999999999999\r\n", [], "invalid multibulk length"),
    "count below 64 bits": (b"*-9223372036854775809\r\n", [], "invalid multibulk length"),
    "number for a word": (b"*1\r\n:4\r\n", [], "expected '$', got ':'"),
    "status for a word": (b"*1\r\n+PING\r\n", [], "expected '$', got '+'"),
    "array for a word": (b"*1\r\n*1\r\n$4\r\nPING\r\n", [], "expected '$', got '*'"),
    "nothing for a word": (b"*1\r\n\r\n", [], "expected '$', got '\r'"),
    "null for a word": (b"*1\r\n$-1\r\n", [], "invalid bulk length"),
    "length is no number": (b"*1\r\n$a\r\n", [], "invalid bulk length"),
    "length is missing": (b"*1\r\n$\r\n", [], "invalid bulk length"),
    "length too large": (b"*1\r\n$536870913\r\n", [], "invalid bulk length"),
    "length much too large": (b"*1\r\n$9223372036854775808\r\n", [], "invalid bulk length"),
    "double quotes open": (b'ECHO "a\r\n', [], "unbalanced quotes in request"),
    "single quotes open": (b"ECHO 'a\r\n", [], "unbalanced quotes in request"),
    "text after quotes": (b'ECHO "a"b\r\n', [], "unbalanced quotes in request"),
    "after a command": (b"*1\r\n$4\r\nPING\r\n*x\r\n", [PING], "invalid multibulk length"),
    "after an inline command": (b"PING\r\n*1\r\n:1\r\n", [PING], "expected '$', got ':'"),
    # What a count of headers alone would take for commands: words that are no bulk strings, made up for by a value.
    "number, and a value like a header": (b"*2\r\n:1\r\n$4\r\na\r\n$\r\n", [], "expected '$', got ':'"),
    "error, and a value like a header": (b"*2\r\n$3\r\n\r\n$\r\n-ERR x\r\n", [], "expected '$', got '-'"),
    "number after a sloppy word": (b"*3\r\n$3\r\nSETXY:1\r\n$2\r\n$1\r\n", [], "expected '$', got ':'"),
}


def parsed(decoder: Decoder, *chunks: bytes) -> list[Argv]:
    """All commands, without the empty ones that a conversation ignores."""
    return [argv for chunk in chunks for argv in decoder.feed(chunk) if argv]


def single_bytes(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize(("data", "commands"), COMPLETE.values(), ids=COMPLETE)
class TestComplete:
    def test_whole(self, data: bytes, commands: list[Argv]) -> None:
        decoder = Decoder()
        assert parsed(decoder, data) == commands
        assert decoder.error is None
        assert decoder.buffered == 0

    def test_byte_by_byte(self, data: bytes, commands: list[Argv]) -> None:
        decoder = Decoder()
        assert parsed(decoder, *single_bytes(data)) == commands
        assert decoder.buffered == 0

    def test_followed_by_half_a_command(self, data: bytes, commands: list[Argv]) -> None:
        decoder = Decoder()
        assert parsed(decoder, data + b"*2\r\n$4\r\nECHO\r\n$3\r\nx") == commands
        assert decoder.buffered > 0
        assert parsed(decoder, b"yz\r\n") == [[b"ECHO", b"xyz"]]
        assert decoder.buffered == 0

    def test_twice(self, data: bytes, commands: list[Argv]) -> None:
        assert parsed(Decoder(), data + data) == commands + commands


@pytest.mark.parametrize(("data", "commands", "text"), BROKEN.values(), ids=BROKEN)
class TestBroken:
    def test_whole(self, data: bytes, commands: list[Argv], text: str) -> None:
        decoder = Decoder()
        assert parsed(decoder, data) == commands
        assert isinstance(decoder.error, ProtocolError)
        assert decoder.error.text == text

    def test_byte_by_byte(self, data: bytes, commands: list[Argv], text: str) -> None:
        decoder = Decoder()
        assert parsed(decoder, *single_bytes(data)) == commands
        assert decoder.error is not None
        assert decoder.error.text == text

    def test_nothing_is_taken_afterwards(self, data: bytes, commands: list[Argv], text: str) -> None:
        decoder = Decoder()
        assert parsed(decoder, data + b"*1\r\n$4\r\nPING\r\n") == commands
        assert parsed(decoder, b"*1\r\n$4\r\nPING\r\n", b"PING\r\n") == []
        assert decoder.error is not None
        assert decoder.error.text == text


@pytest.mark.parametrize("data", [data for data, _, _ in BROKEN.values()], ids=BROKEN)
def test_nothing_is_held_after_an_error(data: bytes) -> None:
    decoder = Decoder()
    parsed(decoder, data + b"x" * 1000)
    assert decoder.buffered == 0


@pytest.mark.parametrize(
    ("start", "text"),
    [
        (b"", "too big inline request"),
        (b"*", "too big mbulk count string"),
        (b"*1\r\n", "too big bulk count string"),
        (b"*1\r\n$", "too big bulk count string"),
    ],
)
def test_a_line_without_end(start: bytes, text: str) -> None:
    decoder = Decoder()
    assert parsed(decoder, start + b"1" * (MAX_INLINE - 1)) == []
    assert decoder.error is None
    assert parsed(decoder, b"11") == []
    assert decoder.error is not None
    assert decoder.error.text == text


class TestBeforeAuthentication:
    """A client that has not logged in gets ten words of 16 KB: enough for HELLO and AUTH."""

    @pytest.fixture
    def decoder(self) -> Decoder:
        decoder = Decoder()
        decoder.authenticated = False
        return decoder

    def test_small_commands(self, decoder: Decoder) -> None:
        assert parsed(decoder, pack(("AUTH", "x" * 16384)), b"PING\r\n") == [[b"AUTH", b"x" * 16384], PING]

    def test_eleven_words(self, decoder: Decoder) -> None:
        parsed(decoder, b"*11\r\n")
        assert decoder.error is not None
        assert decoder.error.text == "unauthenticated multibulk length"

    def test_a_long_word(self, decoder: Decoder) -> None:
        parsed(decoder, b"*2\r\n$4\r\nAUTH\r\n$16385\r\n")
        assert decoder.error is not None
        assert decoder.error.text == "unauthenticated bulk length"

    @pytest.mark.parametrize(
        "rest",
        [
            pytest.param(pack(("DEL", *range(20))), id="eleven words"),
            pytest.param(pack(("ECHO", "x" * 20_000)), id="a long word"),
            pytest.param(b"*2\r\n$4\r\nECHO\r\n$20000\r\nxx", id="the header of a long word"),
            pytest.param(b"*1\r\n:1\r\n", id="no command at all"),
            pytest.param(b"ECHO " + b"x" * 70_000, id="a long line"),
        ],
    )
    def test_what_follows_a_command_is_not_judged_with_it(self, decoder: Decoder, rest: bytes) -> None:
        """AUTH may be held back, by CLIENT PAUSE for one: the limits that it lifts cannot be applied until it ran."""
        assert decoder.feed(pack(("AUTH", "secret")) + rest) == [[b"AUTH", b"secret"]]
        assert decoder.error is None
        assert decoder.buffered == len(rest)

    def test_the_limits_are_gone_for_what_has_been_received(self, decoder: Decoder) -> None:
        large = pack(("DEL", *range(20)))
        assert decoder.feed(pack(("AUTH", "secret")) + large + large) == [[b"AUTH", b"secret"]]
        decoder.authenticated = True
        assert len(decoder.feed(b"")) == 2
        assert decoder.error is None
        assert decoder.buffered == 0

    def test_each_call_gives_one_command(self, decoder: Decoder) -> None:
        assert decoder.feed(b"PING\r\n" * 3) == [PING]
        assert [decoder.feed(b""), decoder.feed(b""), decoder.feed(b"")] == [[PING], [PING], []]


def test_the_limit_on_words_is_configurable() -> None:
    assert Decoder(max_bulk=4).feed(b"*1\r\n$4\r\nPING\r\n") == [PING]
    decoder = Decoder(max_bulk=4)
    parsed(decoder, b"*2\r\n$4\r\nECHO\r\n$5\r\n")
    assert decoder.error is not None
    assert decoder.error.text == "invalid bulk length"


def test_a_large_count_costs_nothing_until_the_words_come() -> None:
    decoder = Decoder()
    assert parsed(decoder, b"*2147483647\r\n") == []
    assert decoder.buffered == 0
    assert decoder.error is None


def test_words_of_an_unfinished_command_count_as_buffered() -> None:
    """`client-query-buffer-limit` is about them too: a client cannot hide bytes in an array that never ends."""
    decoder = Decoder()
    assert parsed(decoder, b"*3\r\n$4\r\nECHO\r\n$1000\r\n" + b"x" * 1000 + b"\r\n") == []
    assert decoder.buffered == 1004
    assert parsed(decoder, b"$1\r\ny\r\n") == [[b"ECHO", b"x" * 1000, b"y"]]
    assert decoder.buffered == 0


@pytest.mark.parametrize("held", [b"*2\r\n$3\r\nGET\r\n$99\r\nx", b"GET", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n", b"*"])
def test_clear(held: bytes) -> None:
    decoder = Decoder()
    parsed(decoder, pack(("GET", "a")) + pack(("GET", "b")) + held)
    assert decoder.buffered > 0
    decoder.clear()
    assert decoder.buffered == 0
    assert decoder.columns == []
    assert parsed(decoder, b"*1\r\n$4\r\nPING\r\n") == [PING]


def test_what_was_held_is_freed() -> None:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        decoder = Decoder()
        for word, times in ((b"x", 5_000_000), (b"x", 200_000), (b"\r\n", 50_000)):
            parsed(decoder, pack(("SET", "k", word * times)), pack(("SET", "k", word * times))[:-3])
            decoder.clear()
        parsed(decoder, pack(("SET", "k", "x" * 100_000)) * 2)
        decoder.clear()
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()


def test_columns() -> None:
    """They are the commands of the last call, or empty."""
    decoder = Decoder()
    sets, gets = pack(("SET", "a", "1")) + pack(("SET", "b", "2")), pack(("GET", "a"))
    assert decoder.feed(sets) == [[b"SET", b"a", b"1"], [b"SET", b"b", b"2"]]
    assert decoder.columns == [[b"SET", b"SET"], [b"a", b"b"], [b"1", b"2"]]
    assert len(decoder.feed(sets + gets)) == 3
    assert decoder.columns == []
    assert len(decoder.feed(sets + gets[:-1])) == 2
    assert decoder.columns == [[b"SET", b"SET"], [b"a", b"b"], [b"1", b"2"]]
    assert len(decoder.feed(gets[-1:] + sets)) == 3
    assert decoder.columns == []
    assert len(decoder.feed(sets + b"PING\r\n")) == 3
    assert decoder.columns == []


def test_many_words_in_many_chunks() -> None:
    """Each chunk costs its own length, not that of all words before it: 200,000 words would show."""
    data = pack(("DEL", *range(200_000)))
    decoder = Decoder()
    commands = parsed(decoder, *(data[at : at + 4096] for at in range(0, len(data), 4096)))
    assert [len(argv) for argv in commands] == [200_001]


UNFINISHED = [b"~1\r\n", b">1\r\n", b"%1\r\n", b"|1\r\n", b"*2\r\n", b"$9\r\nx\r\n", b"=9\r\ntxt:\r\n"]


@pytest.mark.parametrize("start", UNFINISHED)
@pytest.mark.parametrize("ending", [b"\r\n", b"XY"])
def test_what_one_client_leaves_unfinished_is_no_part_of_another_ones(start: bytes, ending: bytes) -> None:
    parsed(Decoder(), b"*1\r\n$4\r\nPING" + ending + start)
    other = Decoder()
    assert parsed(other, b"*1\r\n$4\r\nPING\r\n", b"*2\r\n$4\r\nECHO\r\n$1\r\na\r\n") == [PING, [b"ECHO", b"a"]]
    assert other.error is None


# -- what a header promises costs nothing until it comes

SIZE = b"9999999\r\n"
HOSTILE = {
    "array for a word": b"*1\r\n*" + SIZE,
    "set for a word": b"*1\r\n~" + SIZE,
    "map for a word": b"*1\r\n%" + SIZE,
    "push for a word": b"*1\r\n>" + SIZE,
    "attribute for a word": b"*1\r\n|" + SIZE,
    "array": b"*0\r\n*" + SIZE,
    "push after a command": b"*0\r\n*1\r\n$4\r\nPING\r\n>" + SIZE,
    "push where a wrong length leads to": b"*2\r\n$0\r\nab>" + SIZE + b"$0\r\n\r\n",
    "array where a wrong length leads to": b"*2\r\n$0\r\nab*" + SIZE + b"$0\r\n\r\n",
    "arrays in arrays": b"*0\r\n" + b"*99999\r\n" * 100,
    "small arrays in arrays": b"*0\r\n" + b"*99\r\n" * 5000,
    "pushes in pushes": b"*1\r\n" + b">99\r\n" * 5000,
    "arrays of one array": b"*0\r\n" + b"*1\r\n" * 10000,
    "arrays with a word each": b"*0\r\n" + b"*99\r\n$1\r\na\r\n" * 3000,
    "large number": b"*1\r\n(" + b"9" * 5000 + b"\r\n",
    "error that is no text": b"*1\r\n-\xff\xfe\r\n",
}


def peak_of(data: bytes) -> int:
    """The most memory that was in use while `data` was decoded."""
    decoder = Decoder()
    tracemalloc.start()
    try:
        parsed(decoder, data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_memory_follows_what_came_not_what_was_promised(data: bytes) -> None:
    parsed(Decoder(), data)  # what is allocated once
    assert peak_of(data) < 32 * len(data) + 8192
    assert parsed(Decoder(), b"*1\r\n$4\r\nPING\r\n") == [PING]


@pytest.mark.parametrize("failure", [MemoryError, ValueError, TypeError, hiredis.ProtocolError])
def test_if_hiredis_fails_the_chunk_is_parsed_all_the_same(
    monkeypatch: pytest.MonkeyPatch, failure: type[Exception]
) -> None:
    class Reader:
        def __init__(self, **options: object) -> None:
            pass

        def feed(self, _: bytes) -> None:
            raise failure

    monkeypatch.setattr(hiredis, "Reader", Reader)
    data = pack(("SET", "k", "a\r\nb"))
    assert parsed(Decoder(), data, data) == [[b"SET", b"k", b"a\r\nb"]] * 2


# -- any input, any chunks

LIKE_HEADERS = [b"$1", b"*1", b"\r\n$3", b"x\r\n*1\r\n", b"-1", b"=x", b"~"]
WORDS = st.one_of(st.binary(max_size=20), st.sampled_from([b"GET", *LIKE_HEADERS]))
COMMANDS = st.lists(st.lists(WORDS, min_size=1, max_size=5), max_size=8)
# Pieces that make protocols go wrong: junk made of them gets much further than random bytes.
BREAKS = [b"\r\n", b"\r", b"\n", b"XY", b"\0", b"\xff", b" ", b'"', b"'", b"\\", b"*", b"$", b"99"]
HEADERS = [b"*0\r\n", b"*1\r\n", b"*2\r\n", b"*-1\r\n", b"$0\r\n", b"$1\r\n", b"$3\r\n", b"$-1\r\n"]
PIECES = [
    b"PING\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"*1\r\n$4\r\nPINGXY",
    b"$1\r\na\r\n",
    b"$3\r\n\r\n$\r\n",
    b"$1\r\n$\r\n",
]
TYPES = [b":1\r\n", b":0\r\n", b"+a\r\n", b"-e\r\n", b"_\r\n", b"#f\r\n", b",1\r\n", b"(1\r\n", b"=5\r\ntxt:a\r\n"]
AGGREGATES = [b"~1\r\n", b"%1\r\n", b">1\r\n", b"|1\r\n"]
TOKENS = st.sampled_from(BREAKS + HEADERS + PIECES + TYPES + AGGREGATES)
JUNK = st.one_of(st.lists(TOKENS, max_size=20).map(b"".join), st.binary(max_size=200))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in chunks, cut at `places` (modulo its length)."""
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@settings(deadline=None)
@given(COMMANDS, st.lists(st.integers(0, 1 << 16), max_size=10))
def test_any_chunking_gives_the_same_commands(commands: list[Argv], places: list[int]) -> None:
    data = b"".join(pack(tuple(argv)) for argv in commands)
    decoder = Decoder()
    assert parsed(decoder, *cut(data, places)) == commands
    assert decoder.error is None
    assert decoder.buffered == 0


@settings(deadline=None)
@given(JUNK, st.lists(st.integers(0, 1 << 16), max_size=10))
@example(b"*1\r\n$4\r\nPINGXY~1\r\n", [])
@example(b"*2\r\n+GET\r\n$4\r\na\r\n$\r\n", [])
@example(b"*1\r\n+PING\r\n:0\r\n", [])
@example(b"*0\r\n%1\r\n$4\r\nPING\r\n*-1\r\n", [])
def test_junk_gives_commands_or_a_protocol_error(data: bytes, places: list[int]) -> None:
    whole = Decoder()
    commands = parsed(whole, data)
    assert all(type(word) is bytes for argv in commands for word in argv)
    in_chunks = Decoder()
    assert parsed(in_chunks, *cut(data, places)) == commands
    assert (whole.error is None) == (in_chunks.error is None)
    if whole.error is not None and in_chunks.error is not None:
        assert whole.error.text == in_chunks.error.text


@settings(deadline=None)
@given(JUNK)
def test_junk_takes_no_more_memory_than_a_multiple_of_itself(data: bytes) -> None:
    assert peak_of(data) < 32 * len(data) + 8192
