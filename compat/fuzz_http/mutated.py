"""Streams of good requests with bytes changed at random: no answer is expected in particular, but order is.

The answers have to be HTTP, the connection has to end, and no canary may be set, unless `reference` finds its request
in the mutated bytes, too.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from compat.fuzz_http import odd
from compat.fuzz_http.case import Case, End, Maker
from compat.fuzz_http.reference import targets

_MAGIC = (
    b"\r\n", b"\n", b"\r", b"\x00", b" ", b"\t", b":", b",", b";", b"0", b"-", b"+", b"_", b"%", b"%00", b"\xff",
    b"\r\n\r\n", b"0\r\n\r\n",
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n",
    b"HTTP/1.0",
    b"Expect: 100-continue\r\n", b"Transfer-Encoding: identity\r\n", b"ffffffff", b"[", b'"', b"]", b"{", b"\\",
    b"\\ud800",
)  # fmt: skip


def mutated(make: Maker) -> Case:
    """One connection; `Case.name` is "mutated"."""
    rng = make.rng
    requests = [_base(make) for _ in range(rng.randint(1, 6))]
    data = bytearray(b"".join(requests))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5, 10))):
        _mutate(make, data)
    if rng.random() < 0.3:  # with all of it sent, a server that waits for more is not at fault
        end = make.one_of((End.VANISH, End.RESET))
    else:
        end = End.HALF
    return Case("mutated", make.pieces(bytes(data)) if data else [], [], end, free=True, requests=len(requests))


def permitted(stream: bytes) -> set[bytes]:
    """The canaries that the stream asks for by a permitted reading."""
    # In the path, "&" and "=" are letters like any other.
    splits = (rb"[/?#]", rb"[/?&=#]")
    words = {unquote_to_bytes(word) for target in targets(stream) for by in splits for word in re.split(by, target)}
    return {word for word in words if word.startswith(b"canary:")}


def _base(make: Maker) -> bytes:
    """A request whose body, if it has one, is another request."""
    number = make.rng.randrange(6)
    if number == 0:
        request, want = odd.plain(make)
        return request if not want.head else _base(make)  # how long its answer is, would depend on the mutations
    if number == 1:
        return odd.odd_json(make)[0]
    if number == 2:
        return make.request(b"POST", b"/set/" + make.key(), make.canary())
    if number == 3:
        head = make.head(b"POST", b"/set/" + make.key(), headers=[b"Transfer-Encoding: chunked"])
        return head + odd.chunks(make, make.canary())
    if number == 4:
        return odd.binary_bodies(make)[0]
    return make.request(b"GET", b"/echo/" + make.text())


def _mutate(make: Maker, data: bytearray) -> None:
    rng = make.rng
    if not data:
        return
    at = rng.randrange(len(data))
    to = min(len(data), at + rng.choice((1, 1, 2, 4, 16, 60)))
    kind = rng.randrange(8)
    if kind == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        data[at] = rng.randrange(256)
    elif kind == 2:
        data[at:at] = make.one_of(_MAGIC)
    elif kind == 3:
        data[at:to] = make.one_of(_MAGIC)
    elif kind == 4:
        del data[at:to]
    elif kind == 5:
        data[at:at] = data[at:to]
    elif kind == 6:  # into the head of some request, where it matters most
        heads = [found.end() for found in re.finditer(rb"\r\n", data)]
        where = make.one_of(heads) if heads else at
        data[where:where] = make.one_of(_MAGIC)
    else:
        digits = [found.start() for found in re.finditer(rb"(?<=Length: )\d|\n[0-9a-f](?=[0-9a-f]?\r)", data)]
        where = make.one_of(digits) if digits else at
        data[where] = make.one_of(b"0123456789abcdef+-_ ")
