"""Requests whose end is in doubt. Each is the last one that a correct server sees on its connection.

A canary stands wherever another reading of the lengths would find a request. The answer is a refusal or nothing, or,
where the RFC leaves the choice, the request is carried out by the one reading that is allowed; then the connection is
closed. Sections are those of RFC 9112.
"""

from __future__ import annotations

from collections.abc import Callable

from compat.fuzz_http.case import OK, REFUSED, Closing, Maker, Want
from compat.fuzz_http.odd import chunks

# Bytes to send, and what the (last) request deserves.
Framing = Callable[[Maker], tuple[bytes, Want]]


def _head(make: Maker, key: bytes, lines: list[bytes]) -> bytes:
    """The head of a SET; now and then one that is refused for another reason before its body is looked at."""
    if make.rng.random() < 0.85:
        return make.head(b"POST", b"/set/" + key, headers=lines)
    method, target = make.one_of(
        ((b"BREW", b"/set/" + key), (b"PUT", b"/set/%G1"), (b"POST", b"*"), (b"GET", b"/set/%"))
    )
    return make.head(method, target, headers=lines)


def _refusal() -> Want:
    return Want(REFUSED, Closing.ALWAYS, silence=True)


def length_and_chunks(make: Maker) -> tuple[bytes, Want]:
    """Content-Length and Transfer-Encoding together (6.1): refused, or read by chunks; closed in any case."""
    key, value = make.key(), make.text()
    canary = make.canary()
    by_chunks = chunks(make, value)
    length = make.one_of((len(by_chunks), 0, 5, len(by_chunks) + len(canary), 3, 10**9, 1))
    lines = [b"Content-Length: %d" % length, b"Transfer-Encoding: " + make.one_of((b"chunked", b"Chunked", b"CHUNKED"))]
    if make.rng.random() < 0.5:
        lines.reverse()
    if make.rng.random() < 0.2:
        lines.insert(1, b"X: y")
    head = _head(make, key, lines)
    return head + by_chunks + canary, Want(OK | REFUSED, Closing.ALWAYS, silence=True, writes={key: value})


def several_lengths(make: Maker) -> tuple[bytes, Want]:
    """Content-Length twice, with different values, in one line or in two (6.3)."""
    key, canary = make.key(), make.canary()
    lengths = [0, len(canary), 5, 1]
    make.rng.shuffle(lengths)
    first, second = lengths[:2]
    if make.rng.random() < 0.5:
        lines = [b"Content-Length: %d" % first, b"Content-Length: %d" % second]
    else:
        lines = [b"Content-Length: %d, %d" % (first, second)]
    return _head(make, key, lines) + canary + make.canary(), _refusal()


def same_lengths(make: Maker) -> tuple[bytes, Want]:
    """The same length twice: refused, or taken as one (6.3)."""
    key, value = make.key(), make.text()
    size = len(value)
    lines = make.one_of(([b"Content-Length: %d" % size] * 2, [b"Content-Length: %d, %d" % (size, size)]))
    request = make.head(b"POST", b"/set/" + key, headers=lines) + value
    return request, Want(OK | REFUSED, Closing.MAYBE, silence=True, writes={key: value})


_NO_LENGTHS = (
    b"+%d", b"-%d", b"%d_0", b"0x%x", b"%d.0", b"%de0", b'"%d"', b"%d;", b"%d a", b"\x0b%d", b"%d\x00", b"\xd9\xa3%d",
    b" ,%d",
    b"%d,", b"-0%d", b"1%d_", b"%d\xa0", b"0b%d", b"0o%d", b"%d L", b"\xef\xbc\x95%d",
)  # fmt: skip


def no_lengths(make: Maker) -> tuple[bytes, Want]:
    """A Content-Length that is no number, however `int()` or `strtol()` may see it."""
    key, canary = make.key(), make.canary()
    line = b"Content-Length: " + make.one_of(_NO_LENGTHS) % make.one_of((len(canary), 0, 5))
    return _head(make, key, [line]) + canary + make.canary(), _refusal()


def overlong_lengths(make: Maker) -> tuple[bytes, Want]:
    """Numbers beyond what a body may have, and beyond what 64 bits hold."""
    key, canary = make.key(), make.canary()
    number = make.one_of((10**10, 2**63, 2**64, 2**64 + len(canary), 2**32 * 1000 + 5, 10**19, 10**30, 10**4500))
    line = b"Content-Length: " + str_of(number)
    return _head(make, key, [line]) + canary, _refusal()


def str_of(number: int) -> bytes:
    """Also of numbers that `str` refuses."""
    return b"1" + b"0" * 4500 if number > 10**4000 else b"%d" % number


_CODINGS = (
    b"xchunked", b"chunkedx", b"chunked, identity", b"identity", b"gzip", b"chunked, gzip", b"chunked, chunked",
    b"gzip, chunked",
    b"chunked;q=1", b'"chunked"', b"chunk", b",chunked", b"chunked,", b"", b"\x0bchunked", b"chunked\x00",
    b"chunked\xa0",
    b"cow", b"chunked identity", b"identity, chunked, identity", b"\x00chunked", b"ch\xd5\xb8nked",
)  # fmt: skip


def obscure_codings(make: Maker) -> tuple[bytes, Want]:
    """Transfer-Encoding with something else than `chunked`, with and without a length beside it."""
    key, canary = make.key(), make.canary()
    body = b"0\r\n\r\n" + canary
    coding = make.one_of(_CODINGS)
    lines = [b"Transfer-Encoding: " + coding]
    if make.rng.random() < 0.5:
        lines.insert(make.rng.randrange(2), b"Content-Length: %d" % make.one_of((len(body), 0, 5)))
    elif make.rng.random() < 0.5:
        lines.insert(make.rng.randrange(2), b"Transfer-Encoding: chunked")
    want = _refusal()
    if coding in (b",chunked", b"chunked,"):  # an empty element of a list may be ignored (RFC 9110, 5.6.1)
        want = Want(OK | REFUSED, Closing.ALWAYS, silence=True, writes={key: b""})
        if len(lines) == 1:
            body, want = b"0\r\n\r\n", Want(OK | REFUSED, Closing.MAYBE, silence=True, writes={key: b""})
    return _head(make, key, lines) + body, want


_NO_HEADERS = (
    b"Transfer-Encoding : chunked", b" Transfer-Encoding: chunked", b"Transfer-Encoding\t: chunked",
    b"Content-Length : 5",
    b": 5", b"No colon", b"Transfer-Encoding\x00: chunked", b"Content\x00-Length: 5", b"X: a\x00b", b"X\xff: a",
    b"\x00: a",
    b"X: a\rTransfer-Encoding: chunked", b"(X): a", b"X Y: a", b'"X": a', b"Content-Length", b"X@: a", b"X: a\r",
    b"\tX: y",
)  # fmt: skip


def no_headers(make: Maker) -> tuple[bytes, Want]:
    """Lines that are no header, among them spaces before the colon (5.1) and NUL, CR and controls inside."""
    key, canary = make.key(), make.canary()
    line = make.one_of(_NO_HEADERS)
    lines = [line] if make.rng.random() < 0.5 else [b"Content-Length: %d" % len(canary), line]
    if make.rng.random() < 0.3:
        lines.reverse()
    request = make.head(b"POST", b"/set/" + key, headers=lines) + canary + make.canary()
    if line in (b" Transfer-Encoding: chunked", b"\tX: y"):
        # It continues the line before (5.2): refused, or part of that value. Without a length the canary would be a
        # request of its own, so there is one.
        head = make.head(b"POST", b"/set/" + key, headers=[b"Content-Length: 2", b"X: y", line])
        return head + b"ab", Want(OK | REFUSED, Closing.MAYBE, silence=True, writes={key: b"ab"})
    return request, _refusal()


def folded_lengths(make: Maker) -> tuple[bytes, Want]:
    """Lengths and codings on continued lines (5.2), which some see and others do not."""
    key, canary = make.key(), make.canary()
    line = make.one_of(
        (b"Content-Length:\r\n %d" % len(canary), b"Content-Length: 1\r\n 2", b"Transfer-Encoding:\r\n\tchunked, x")
    )
    want = _refusal()
    if line.startswith(b"Content-Length:\r"):
        want = Want(OK | REFUSED, Closing.MAYBE, silence=True, writes={key: canary})
    return make.head(b"POST", b"/set/" + key, headers=[line]) + canary, want


_NO_SIZES = (
    b"+%x", b"-%x", b"%x_0", b"0x%x", b" %x", b"%x h", b"", b"g%x", b"%x\x00", b"\t%x", b"%x.0", b"-0%x",
    b"\xd9\xa3%x", b"%x,%x",
    b"'%x'", b"%x:a", b"0X%x", b"ffffffffffffffff%x", b"1000000000000000%x", b"8000000000000000", b"f" * 100, b"-1",
    b"+0", b"0_0",
    b"00000000000000000000000000%x\x0b", b"\r\n%x",
)  # fmt: skip


def no_sizes(make: Maker) -> tuple[bytes, Want]:
    """Sizes of chunks that are no hexadecimal number, or one beyond all bounds (7.1)."""
    key, canary = make.key(), make.canary()
    pattern = make.one_of(_NO_SIZES)
    count = pattern.count(b"%x")
    size = pattern % ((make.one_of((5, len(canary), 0)),) * count)
    head = _head(make, key, [b"Transfer-Encoding: chunked"])
    first = b"" if make.rng.random() < 0.5 else b"3\r\nabc\r\n"
    return head + first + size + b"\r\nhello\r\n0\r\n\r\n" + canary, _refusal()


def wrong_chunk_ends(make: Maker) -> tuple[bytes, Want]:
    """Data of chunks longer or shorter than said, or ended by something else than CR LF."""
    key, canary = make.key(), make.canary()
    body = make.one_of(
        (
            b"5\r\nhelloXX0\r\n\r\n", b"5\r\nhello\n\n0\r\n\r\n", b"5\r\nhel\r\n0\r\n\r\n",
            b"5\r\nhello world\r\n0\r\n\r\n",
            b"5\r\nhello0\r\n\r\n", b"5\r\nhello\r\r0\r\n\r\n", b"5\r\rhello\r\n0\r\n\r\n",
            b"5;a\r\rhello\r\n0\r\n\r\n",
            b"3\r\nabcd5\r\n0\r\n\r\n" + make.canary() + b"\r\n0\r\n\r\n", b"0\r\nX: y\r\n: bad\r\n\r\n",
            b"0\r\nX\x00: y\r\n\r\n",
            b"2\r\nab\r\n0\r\nX : y\r\n\r\n",
        )
    )  # fmt: skip
    head = _head(make, key, [b"Transfer-Encoding: chunked"])
    return head + body + canary, _refusal()


def bare_line_feeds(make: Maker) -> tuple[bytes, Want]:
    """LF alone where CR LF belongs: refused, or read as a line end (2.2), but by one reading throughout."""
    key, number = make.key(), make.rng.randrange(4)
    maybe = Want(OK | REFUSED, Closing.MAYBE, silence=True, writes={key: b"hello"})
    if number == 0:
        head = make.head(b"POST", b"/set/" + key, headers=[b"Content-Length: 5"])
        return head.replace(b"\r\n", b"\n") + b"hello", maybe
    if number == 1:
        head = make.head(b"POST", b"/set/" + key, headers=[b"Content-Length: 5"])
        return head.replace(b"\r\n", b"\n", make.rng.randint(1, 3)) + b"hello", maybe
    head = make.head(b"POST", b"/set/" + key, headers=[b"Transfer-Encoding: chunked"])
    if number == 2:  # read by LF it is a chunk of 5 bytes
        return head + b"5\nhello\r\n0\r\n\r\n", maybe
    # The extension goes on up to CR LF, or ends at LF: then other bytes are data (CVE-2025-22871).
    canary = make.canary()
    body = b"2;\nxx\r\n%x\r\n0\r\n\r\n%b\r\n0\r\n\r\n" % (len(canary) + 5, canary)
    return head + body, _refusal()


def old_chunks(make: Maker) -> tuple[bytes, Want]:
    """Chunks in HTTP/1.0, which does not know them (6.1): closed afterwards, whatever it makes of them."""
    key, value = make.key(), make.text()
    lines = [b"Transfer-Encoding: chunked"]
    if make.rng.random() < 0.7:
        lines.append(b"Connection: keep-alive")
    head = make.head(b"POST", b"/set/" + key, headers=lines, version=b"HTTP/1.0")
    want = Want(OK | REFUSED, Closing.ALWAYS, silence=True, writes={key: value})
    return head + chunks(make, value) + make.canary(), want


def odd_hosts(make: Maker) -> tuple[bytes, Want]:
    """No Host, two of them, or one that is none (3.2)."""
    target = b"/set/canary:%b:h/1" % make.tag
    number = make.rng.randrange(3)
    if number == 0:
        request = make.request(b"GET", target).replace(b"Host: ", b"X-Host: ", 1)
    elif number == 1:
        request = make.request(b"GET", target, headers=[b"Host: " + make.one_of((make.site.host, b"evil.example"))])
    else:
        request = make.request(
            b"GET", target, host=make.one_of((b"a b", b"127.0.0.1\x00", b"@@", b"[::1", b"a/b", b"127.0.0.1 evil"))
        )
        if make.site.token:  # which spellings of a host are wrong matters only where the host decides
            request = request.replace(make.site.token, b"wrong", 1)
    return request, Want(REFUSED, Closing.MAYBE, silence=True)


_NO_REQUESTS = (
    b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1 \r\n\r\n",
    b" GET / HTTP/1.1\r\n\r\n",
    b"\x00GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\x00\r\n\r\n", b"GET /\x00 HTTP/1.1\r\n\r\n",
    b"GET /a b HTTP/1.1\r\n\r\n",
    b"G\xc3\xa9T / HTTP/1.1\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", b"GET / HTTP/2.0\r\n\r\n", b"GET / HTTP/3\r\n\r\n",
    b"GET / HTTP/1\r\n\r\n", b"GET / HTTP/1.1.1\r\n\r\n", b"GET / http/1.1\r\n\r\n", b"GET / HTTPS/1.1\r\n\r\n",
    b"GET / HTTP/1.\r\n\r\n",
    b"GET / HTTP/-1.1\r\n\r\n", b"GET / HTTP/11.1\r\n\r\n", b"GET\t/\tHTTP/1.1\r\n\r\n", b"(GET) / HTTP/1.1\r\n\r\n",
    b"\r\r\n\r\n",
    b"GET / HTTP/1.1\r\r\n\r\n", b": : :\r\n\r\n", b"{}\r\n\r\n", b"\xef\xbb\xbfGET / HTTP/1.1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", b"GET / HTTP/0.9\r\n\r\n",
    b"G" * 70_000 + b"\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2, b"\x80\x2e\x01\x00\x02",
    b"*1\r\n$4\r\nPING\r\n",
    b"\r\n" * 1000 + b"x\r\n", b"\x00" * 1000, b"\xff" * 100, b"SSH-2.0-x\r\n", b"\x05\x01\x00", b"PING\r\n",
    b"QUIT\r\n", b"\n\n\n\n:",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
)  # fmt: skip


def no_requests(make: Maker) -> tuple[bytes, Want]:
    """Other protocols (TLS, RESP, HTTP/2, HTTP/0.9 ...) and lines that only look like a request."""
    number = make.rng.randrange(4)
    tag = make.tag
    if number == 0:
        data: bytes = make.one_of(
            (
                b"GET /set/canary:%b:9/1\r\n" % tag,  # HTTP/0.9
                b"*3\r\n$3\r\nSET\r\n$%d\r\ncanary:%b:r\r\n$1\r\n1\r\n" % (9 + len(tag), tag),
                b"SET canary:%b:i 1\r\n" % tag,
                b"GET /set/canary:%b:v/1 HTTP/%b\r\nHost: x\r\n\r\n"
                % (tag, make.one_of((b"2.0", b"0.9", b"9.9", b"1.1a", b"x"))),
            )
        )
    else:
        data = make.one_of(_NO_REQUESTS)
    return data + make.canary(), _refusal()


def connect(make: Maker) -> tuple[bytes, Want]:
    """CONNECT asks for a tunnel: there is none, so nothing behind it counts."""
    return make.request(
        b"CONNECT", make.one_of((make.site.host, b"evil.example:443", b"/set/canary:%b:c/1" % make.tag))
    ), Want(REFUSED, Closing.MAYBE, silence=True)


def too_large(make: Maker) -> tuple[bytes, Want]:
    """Bodies and heads over the limit, with a canary behind."""
    key, number, size = make.key(), make.rng.randrange(4), make.site.body_limit
    if number == 0:
        head = _head(make, key, [b"Content-Length: %d" % (size * 4)])
        return head + make.canary() * 20, _refusal()
    if number == 1:
        head = _head(make, key, [b"Transfer-Encoding: chunked"])
        return head + (b"%x\r\n" % 65536 + b"x" * 65536 + b"\r\n") * (size // 65536 + 2) + make.canary(), _refusal()
    if number == 2:
        return make.head(b"GET", b"/echo/a", headers=[b"X: " + b"x" * 300_000]) + make.canary(), _refusal()
    head = _head(make, key, [b"Transfer-Encoding: chunked"])
    return head + b"1;" + b"x" * 200_000 + b"\r\na\r\n0\r\n\r\n" + make.canary(), _refusal()


FRAMING: dict[str, tuple[Framing, int]] = {
    "length-and-chunks": (length_and_chunks, 10),
    "several-lengths": (several_lengths, 6),
    "same-lengths": (same_lengths, 3),
    "no-lengths": (no_lengths, 8),
    "overlong-lengths": (overlong_lengths, 4),
    "obscure-codings": (obscure_codings, 10),
    "no-headers": (no_headers, 10),
    "folded-lengths": (folded_lengths, 4),
    "no-sizes": (no_sizes, 10),
    "wrong-chunk-ends": (wrong_chunk_ends, 8),
    "bare-line-feeds": (bare_line_feeds, 6),
    "old-chunks": (old_chunks, 5),
    "odd-hosts": (odd_hosts, 5),
    "no-requests": (no_requests, 12),
    "connect": (connect, 3),
    "too-large": (too_large, 1),
}
