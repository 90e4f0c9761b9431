"""Bytes to commands: each case whole, byte by byte, and with something behind it.

The texts of errors, and what is an error at all, are those of a genuine server: `tests/test_protocol.py` sends the same
bytes to one.
"""

from __future__ import annotations

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
    # Redis does not look at the line feed of a header, nor at the line break behind a word.
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
    "text behind quotes": (b'ECHO "a"b\r\n', [], "unbalanced quotes in request"),
    "after a command": (b"*1\r\n$4\r\nPING\r\n*x\r\n", [PING], "invalid multibulk length"),
    "after an inline command": (b"PING\r\n*1\r\n:1\r\n", [PING], "expected '$', got ':'"),
    # What a count of headers alone would take for commands: words that are no bulk strings, made up for by a value.
    "number, and a value like a header": (b"*2\r\n:1\r\n$4\r\na\r\n$\r\n", [], "expected '$', got ':'"),
    "error, and a value like a header": (b"*2\r\n$3\r\n\r\n$\r\n-ERR x\r\n", [], "expected '$', got '-'"),
    "number after a sloppy word": (b"*3\r\n$3\r\nSETXY:1\r\n$2\r\n$1\r\n", [], "expected '$', got ':'"),
}


def parsed(decoder: Decoder, *chunks: bytes) -> list[Argv]:
    """All commands, without the empty ones that the session ignores."""
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

    def test_with_half_a_command_behind_it(self, data: bytes, commands: list[Argv]) -> None:
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
    """Who has not logged in gets ten words of 16 KB; that is enough for HELLO and AUTH."""

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
def test_junk_gives_commands_or_a_protocol_error(data: bytes, places: list[int]) -> None:
    whole = Decoder()
    commands = parsed(whole, data)
    assert all(type(word) is bytes for argv in commands for word in argv)
    in_chunks = Decoder()
    assert parsed(in_chunks, *cut(data, places)) == commands
    assert (whole.error is None) == (in_chunks.error is None)
    if whole.error is not None and in_chunks.error is not None:
        assert whole.error.text == in_chunks.error.text
