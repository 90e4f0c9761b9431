"""Requests that are strange, and after which the connection goes on: each deserves an answer of its own.

Every function makes one request and says which answer it deserves. Bodies that nobody asked for hold a canary: a server
that answers without reading the body takes it for the next request.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote

from compat.fuzz_http.case import ANY, BAD, OK, REFUSED, Closing, Maker, Want, quoted, statuses

Odd = Callable[[Maker], tuple[bytes, Want]]
_SET = {"result": "OK"}
_NOT_ALLOWED = statuses(400, 405, 501)


def plain(make: Maker) -> tuple[bytes, Want]:
    """As real clients ask, in all the forms that there are."""
    key, value = make.key(), make.text()
    writes, number = {key: value}, make.rng.randrange(8)
    words = [["SET", key.decode(), value.decode()], ["GET", key.decode()]]
    if number == 0:
        return make.request(b"GET", b"/set/%b/%b" % (key, value)), Want(OK, body=_SET, writes=writes)
    if number == 1:
        return make.request(b"POST", b"/set/" + key, value), Want(OK, body=_SET, writes=writes)
    if number == 2:
        return make.request(b"POST", b"/", dump(words[0])), Want(OK, body=_SET, writes=writes)
    if number == 3:
        want = Want(OK, body=[_SET, {"result": value.decode()}], writes=writes)
        return make.request(b"POST", b"/pipeline", dump(words)), want
    if number == 4:
        want = Want(OK, body=[_SET, {"result": value.decode()}], writes=writes)
        return make.request(b"POST", b"/multi-exec", dump(words)), want
    if number == 5:
        return make.request(b"HEAD", b"/set/%b/%b" % (key, value)), Want(OK, head=True, writes=writes)
    if number == 6:
        return make.request(b"GET", b"/echo/" + value), Want(OK, body={"result": value.decode()})
    chunked = chunks(make, value)
    head = make.head(b"PUT", b"/set/" + key, headers=[b"Transfer-Encoding: chunked"])
    return head + chunked, Want(OK, body=_SET, writes=writes)


def chunks(make: Maker, body: bytes, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    """A body in chunks of random sizes."""
    parts = []
    while body:
        size = make.rng.randint(1, len(body))
        size_line = make.one_of((b"%x", b"%X", b"00%x")) % size
        parts.append(size_line + extension + b"\r\n" + body[:size] + b"\r\n")
        body = body[size:]
    return b"".join(parts) + b"0" + extension + b"\r\n" + trailers + b"\r\n"


def dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


# -- the target


def good_escapes(make: Maker) -> tuple[bytes, Want]:
    """Escapes stand for any byte, in keys and in values: slashes, NUL, CR LF and bytes that are no UTF-8 are data."""
    key = make.key()
    value = make.one_of(
        (b"\x00", b"a/b", b"a?b&c=d#e", b"\r\n\r\n", b"%41", b"+", b" ", b"\xff\xfe", "ü€😀".encode(), make.binary(8))
    )
    target = b"/set/%b/%b" % (quoted(key), quoted(value) if make.rng.random() < 0.5 else quote(value, safe="").encode())
    return make.request(b"GET", target), Want(OK, body=_SET, writes={key: value})


def injected_lines(make: Maker) -> tuple[bytes, Want]:
    """Escaped line ends in the target and canaries behind them: one value, and no second command or header."""
    key, inner = make.key(), b"\r\nSET canary:%b:x 1\r\n" % make.tag
    if make.rng.random() < 0.5:
        inner = b" HTTP/1.1\r\nHost: x\r\n\r\n" + make.canary()
    return make.request(b"GET", b"/set/%b/%b" % (key, quoted(inner))), Want(OK, body=_SET, writes={key: inner})


def bad_escapes(make: Maker) -> tuple[bytes, Want]:
    """No escapes at all: refused, or taken literally; nothing in between."""
    key = make.key()
    bad = make.one_of((b"%", b"%G1", b"%1", b"%1G", b"%%", b"%u0041", b"%-1", b"%+1", b"%0x", b"%_1", b"a%", b"%2"))
    if make.rng.random() < 0.3:
        return make.request(b"GET", b"/echo/x?" + bad + b"=" + bad), Want(OK | BAD)
    if make.rng.random() < 0.3:
        return make.request(b"HEAD", b"/echo/" + bad), Want(OK | BAD, head=True)
    return make.request(b"GET", b"/set/%b/%b" % (key, bad)), Want(OK | BAD, writes={key: bad})


def odd_paths(make: Maker) -> tuple[bytes, Want]:
    """Paths that lead nowhere, or that other servers normalise."""
    target = make.one_of(
        (
            b"/", b"//", b"///", b"/.", b"/..", b"/../../etc/passwd", b"/echo", b"/echo/", b"/echo//", b"/echo/a//b",
            b"//echo/a", b"/./echo/a", b"/echo/a/", b"/echo/a/../b", b"/echo;x=y/a", b"/echo/a?", b"/echo/a?&&&", b"/?",
            b"/echo/a?=", b"/echo/a?a=b=c", b"/echo/a?_token=", b"/%65cho/a", b"/%00/a", b"/%20/a", b"/pipeline",
            b"/pipeline/", b"/pipeline/x", b"/multi-exec/x", b"/PIPELINE", b"/subscribe", b"/subscribe/", b"/monitor/x",
            b"/favicon.ico", b"/robots.txt", b"/index.html", b"/nosuchcommand/a/b", b"/client", b"/client/nosuch",
            b"/echo/" + b"a/" * 200, b"/mset/" + b"/".join([make.text(3)] * 3), b"/object/help", b"/echo/a#fragment",
        )
    )  # fmt: skip
    return make.request(b"GET", target), Want(ANY)


def long_targets(make: Maker) -> tuple[bytes, Want]:
    """From a few thousand bytes to far too many."""
    key, size = make.key(), make.one_of((1000, 4000, 7000, 15000, 60000, 200000))
    value = b"v" * size
    request = make.request(b"GET", b"/set/%b/%b" % (key, value))
    if size > 4000:
        return request, Want(OK | REFUSED, Closing.MAYBE, silence=size > 15000, writes={key: value})
    return request, Want(OK, body=_SET, writes={key: value})


def other_forms(make: Maker) -> tuple[bytes, Want]:
    """Absolute form, which servers must understand; authority and asterisk form, which are for proxies and OPTIONS."""
    key = make.key()
    number = make.rng.randrange(5)
    path = b"/set/%b/1" % key
    if number == 0:
        return make.request(b"GET", b"http://%b%b" % (make.site.host, path)), Want(OK | BAD, writes={key: b"1"})
    if number == 1:  # the host of the target counts, not the header's
        return make.request(b"GET", b"http://evil.example" + path), Want(OK | REFUSED, writes={key: b"1"})
    if number == 2:
        return make.request(b"GET", make.one_of((b"*", make.site.host, b"echo/a", b"?x", b"#"))), Want(REFUSED)
    if number == 3:
        return make.request(b"OPTIONS", b"*"), Want(ANY, Closing.MAYBE)
    scheme = make.one_of((b"ftp", b"https", b"file", b"HTTP", b"javascript", b"ws"))
    return make.request(b"GET", b"%b://%b%b" % (scheme, make.site.host, path)), Want(ANY, writes={key: b"1"})


# -- methods, versions, headers


def odd_methods(make: Maker) -> tuple[bytes, Want]:
    """Methods that the door does not know, with a canary as their body."""
    method = make.one_of(
        (b"DELETE", b"PATCH", b"TRACE", b"BREW", b"get", b"Post", b"PROPFIND", b"X", b"M" * 50, b"QUERY")
    )
    target = b"/set/canary:%b:m/1" % make.tag
    body = make.canary() if make.rng.random() < 0.6 and method != b"TRACE" else None
    return make.request(method, target, body), Want(_NOT_ALLOWED, Closing.MAYBE)


def options(make: Maker) -> tuple[bytes, Want]:
    """What browsers ask before they send; allowed or not, nothing is carried out."""
    headers = [b"Origin: http://evil.example", b"Access-Control-Request-Method: POST"]
    target = b"/set/canary:%b:o/1" % make.tag
    return make.request(b"OPTIONS", target, headers=headers), Want(ANY, Closing.MAYBE)


def unread_bodies(make: Maker) -> tuple[bytes, Want]:
    """A body where none is read, with a canary in it, in both framings."""
    body, value = make.canary(), make.text()
    method, target, want = make.one_of(
        (
            (b"GET", b"/echo/" + value, Want(OK | REFUSED, Closing.MAYBE)),
            (b"HEAD", b"/echo/" + value, Want(OK | REFUSED, Closing.MAYBE, head=True)),
            (b"POST", b"/nosuchcommand", Want(REFUSED, Closing.MAYBE)),
            (b"PUT", b"/pipeline", Want(REFUSED, Closing.MAYBE)),
            (b"POST", b"/multi-exec", Want(REFUSED, Closing.MAYBE)),
            (b"POST", b"/", Want(REFUSED, Closing.MAYBE)),
            (b"POST", b"/client/reply/off", Want(REFUSED, Closing.MAYBE)),
            (b"DELETE", b"/echo/" + value, Want(_NOT_ALLOWED, Closing.MAYBE)),
            (b"OPTIONS", b"/echo/" + value, Want(ANY, Closing.MAYBE)),
            (b"POST", b"/favicon.ico", Want(REFUSED, Closing.MAYBE)),
            (b"GET", b"/get/%", Want(OK | BAD, Closing.MAYBE)),
            (b"GET", b"*", Want(REFUSED, Closing.MAYBE)),
        )
    )
    if make.rng.random() < 0.5:
        return make.request(method, target, body), want
    head = make.head(method, target, headers=[b"Transfer-Encoding: chunked"])
    return head + chunks(make, body), want


def odd_headers(make: Maker) -> tuple[bytes, Want]:
    """Headers that change nothing, or deserve a refusal, but never harm."""
    line = make.one_of(
        (
            b"X-Empty:", b"X-Tab:\tx\t", b"x-lower: 1", b"X-Long: " + b"x" * 3000,
            b"Upgrade: h2c\r\nConnection: Upgrade",
            b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            b"Connection: keep-alive", b"Connection: x, y, z", b"Keep-Alive: timeout=5", b"Range: bytes=0-1",
            b"Cookie: a=b",
            b"If-None-Match: *", b"Accept: text/event-stream", b"Accept: application/nothing",
            b"Accept-Encoding: gzip, br",
            b"X-Forwarded-For: 1.2.3.4", b"X-Http-Method-Override: DELETE", b"Content-Type: text/plain; charset=utf-7",
            b"Transfer_Encoding: chunked", b"TE: trailers", b"X-Latin: \xe4\xf6\xfc", b"X-Control: \x01\x7f",
            b"Expect:",
            b"Upstash-Encoding: base65", b"Upstash-Response-Format: xml", b"Date: yesterday",
            b"Upstash-Encoding: base64\r\nUpstash-Response-Format: resp2", b"Upstash-Sync-Token: " + b"t" * 500,
        )
    )  # fmt: skip
    value = make.text()
    refusable = (b"Upstash", b"Expect", b"X-Latin", b"X-Control", b"Accept: text")
    statuses_ = OK | REFUSED if line.startswith(refusable) else OK
    return make.request(b"GET", b"/echo/" + value, headers=[line]), Want(statuses_, Closing.MAYBE)


def many_headers(make: Maker) -> tuple[bytes, Want]:
    """Few, many and far too many of them."""
    count = make.one_of((50, 90, 200, 1000, 5000))
    headers = [b"X-%d: %b" % (number, make.text(3)) for number in range(count)]
    request = make.request(b"GET", b"/echo/a", headers=headers)
    if count < 100:
        return request, Want(OK, body={"result": "a"})
    return request, Want(OK | REFUSED, Closing.MAYBE, silence=True)


def expectations(make: Maker) -> tuple[bytes, Want]:
    """The body comes along with `Expect: 100-continue`, or the expectation is one that nobody knows."""
    key, value = make.key(), make.text()
    line = make.one_of(
        (b"Expect: 100-continue", b"Expect: 100-Continue", b"Expect: the-impossible", b"Expect: 100-continue, x")
    )
    want = Want(OK if b"00-" in line and b"," not in line else OK | REFUSED, Closing.MAYBE, writes={key: value})
    return make.request(b"POST", b"/set/" + key, value, headers=[line]), want


def strangers(make: Maker) -> tuple[bytes, Want]:
    """What browsers send on behalf of other people's pages, and names that point here. With a token it is all right."""
    target = b"/set/canary:%b:s/1" % make.tag
    body = make.canary() if make.rng.random() < 0.5 else None
    number = make.rng.randrange(3)
    if number == 0:
        host = make.one_of(
            (b"evil.example", b"evil.example:80", b"127.0.0.1.evil.example", b"localhost.evil.example", b"xn--l.com")
        )
        request = make.request(b"GET", target, host=host)
    elif number == 1:
        origin = make.one_of(
            (b"http://evil.example", b"null", b"https://127.0.0.1.evil.example", b"file://", b"chrome://x")
        )
        request = make.request(b"GET", target, body, headers=[b"Origin: " + origin])
    else:
        site = make.one_of((b"cross-site", b"same-site"))
        request = make.request(b"POST" if body else b"GET", target, body, headers=[b"Sec-Fetch-Site: " + site])
    if make.site.token:  # the same without the token; with it they would be right to ask
        request = request.replace(b"Authorization: Bearer " + make.site.token, make.one_of(_WRONG_TOKENS), 1)
    return request, Want(statuses(400, 401, 403), Closing.MAYBE)


_WRONG_TOKENS = (
    b"X-Nothing: 1", b"Authorization: Bearer wrong", b"Authorization: Bearer", b"Authorization: Basic OnB3",
    b"Authorization:", b"Authorization: Bearer \xff\xfe", b"Authorization: Bearer %00", b"authorization: bearer a b c",
)  # fmt: skip


def wrong_tokens(make: Maker) -> tuple[bytes, Want]:
    """Where a password is set: nothing without it. Where none is, any token is right."""
    target = b"/set/canary:%b:t/1" % make.tag
    body = make.canary() if make.rng.random() < 0.5 else None
    request = make.request(b"POST" if body else b"GET", target, body)
    if not make.site.token:
        key = make.key()
        return make.request(b"GET", b"/set/%b/1" % key, headers=[make.one_of(_WRONG_TOKENS)]), Want(
            OK | statuses(400, 401), Closing.MAYBE, writes={key: b"1"}
        )
    request = request.replace(b"Authorization: Bearer " + make.site.token, make.one_of(_WRONG_TOKENS), 1)
    if make.rng.random() < 0.2:
        request = request.replace(b"/1 HTTP", b"/1?_token=wrong HTTP", 1)
    return request, Want(statuses(400, 401, 403), Closing.MAYBE)


# -- bodies


def binary_bodies(make: Maker) -> tuple[bytes, Want]:
    """The body is the last argument, whatever bytes it holds; canaries in it are data."""
    key = make.key()
    value = make.one_of(
        (make.binary(200), b"\x00", b"\xff" * 10, b"\r\n\r\n", make.canary(), b"0\r\n\r\n" + make.canary())
    )
    if make.rng.random() < 0.5:
        return make.request(b"POST", b"/set/" + key, value), Want(OK, body=_SET, writes={key: value})
    trailers = make.one_of((b"", b"X-Trailer: 1\r\n", b"Content-Length: 5\r\n", b"Authorization: Bearer x\r\n"))
    extension = make.one_of((b"", b";a=b", b";a", b';a="b c"', b";" + b"x" * 500))
    head = make.head(b"POST", b"/set/" + key, headers=[b"Transfer-Encoding: chunked"])
    if trailers or extension:
        want = Want(OK | REFUSED, Closing.MAYBE, silence=True, writes={key: value})
    else:
        want = Want(OK, body=_SET, writes={key: value})
    return head + chunks(make, value, extension, trailers), want


def large_bodies(make: Maker) -> tuple[bytes, Want]:
    """Up to the limit they are taken."""
    key, value = make.key(), make.rng.randbytes(1) * make.one_of((10_000, 70_000, 300_000))
    if make.rng.random() < 0.5:
        return make.request(b"POST", b"/set/" + key, value), Want(OK, body=_SET, writes={key: value})
    head = make.head(b"POST", b"/set/" + key, headers=[b"Transfer-Encoding: chunked"])
    return head + chunks(make, value), Want(OK, body=_SET, writes={key: value})


_SCALARS = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1" * 400, b"1" * 5000, b"0." + b"1" * 2000, b"1e-999",
    b"-0",
    b"-0.0", b"1.0", b"1e400", b"01", b"+1", b"0x10", b".5", b"5.", b"1_000", b"null", b"true", b"false", b"None",
    b"undefined",
    b"{}", b"[]", b'{"a":1,"a":2}', b'{"__proto__":{}}', b'[["a"]]', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u0000"',
    b'"\\x41"',
    b'"\\', b'"a\nb"', b'"a\x00b"', b'"\xff"', b'"\xed\xa0\x80"', b"'a'", b'"a" "b"', b",", b"", b'"a",', b"// x\n1",
)  # fmt: skip


def odd_json(make: Maker) -> tuple[bytes, Want]:
    """Values that JSON allows and Redis does not know, values that it does not allow, and bytes that are no text."""
    scalar = make.one_of(_SCALARS)
    path, body = make.one_of(
        (
            (b"/", b'["ECHO",%b]' % scalar),
            (b"/", b"[%b]" % scalar),
            (b"/", scalar),
            (b"/pipeline", b'[["ECHO",%b]]' % scalar),
            (b"/pipeline", b"[%b]" % scalar),
            (b"/pipeline", b'[["ECHO","a"],%b]' % scalar),
            (b"/multi-exec", b'[["ECHO",%b]]' % scalar),
            (b"/multi-exec", b"[[],%b]" % scalar),
            (b"/pipeline", scalar),
        )
    )
    return make.request(b"POST", path, body), Want(OK | BAD)


def broken_json(make: Maker) -> tuple[bytes, Want]:
    """JSON cut off or with garbage around it: refused as a whole, without its first commands."""
    commands = [["SET", f"canary:{make.tag.decode()}:j{number}", "1"] for number in range(3)]
    whole = dump(commands)
    broken = make.one_of(
        (
            whole[: make.rng.randrange(1, len(whole))], whole + b"x", whole + b"]", whole[:-1] + b",]", b"\xff" + whole,
            whole + whole, whole.replace(b'"', b"'"), whole.decode().encode("utf-16-le"),
            b"\x00" + whole, whole[:-1] + b"\x00]",
            whole.replace(b'"1"', b'"\xff"', 1), whole[:-1] + b',["SET"', b"", b"   ", b"[" + whole, whole[:-1] + b"}",
        )
    )  # fmt: skip
    return make.request(b"POST", make.one_of((b"/pipeline", b"/multi-exec")), broken), Want(BAD)


def deep_json(make: Maker) -> tuple[bytes, Want]:
    """Brackets in brackets, closed or not, and arrays that are wide."""
    depth = make.one_of((10, 100, 990, 1100, 5000, 50_000))
    body = make.one_of(
        (b"[" * depth, b"[" * depth + b"]" * depth, b'{"a":' * depth, b'{"a":' * depth + b"1" + b"}" * depth)
    )
    if make.rng.random() < 0.3:
        body = b'["ECHO",' + body + b"]"
    # Where Python still reads them, rows of a pipeline have each an error of their own.
    want = Want(OK | BAD if b"]]]" in body and depth < 5000 else BAD)
    return make.request(b"POST", make.one_of((b"/", b"/pipeline", b"/multi-exec")), body), want


def wide_json(make: Maker) -> tuple[bytes, Want]:
    """Thousands of arguments, of commands, or of empty commands."""
    count = make.one_of((1000, 5000))
    number = make.rng.randrange(4)
    if number == 0:
        return make.request(b"POST", b"/", dump(["ECHO"] + ["a"] * count)), Want(BAD)
    if number == 1:
        body = dump([["ECHO", str(index)] for index in range(count)])
        want = Want(OK, body=[{"result": str(index)} for index in range(count)])
        return make.request(b"POST", b"/pipeline", body), want
    if number == 2:
        return make.request(b"POST", make.one_of((b"/pipeline", b"/multi-exec")), dump([[]] * count)), Want(OK | BAD)
    return make.request(b"POST", b"/pipeline", dump([["NOSUCH", "a" * 50]] * count)), Want(OK | BAD)


def odd_arguments(make: Maker) -> tuple[bytes, Want]:
    """Numbers, booleans and null among the words, which the clients of this API send unquoted."""
    key = make.key()
    value, stored = make.one_of(
        ((1, b"1"), (-5, b"-5"), (True, b"true"), (False, b"false"), ("", b""), ("ü", "ü".encode()))
    )
    return make.request(b"POST", b"/", dump(["SET", key.decode(), value])), Want(OK, body=_SET, writes={key: stored})


def not_over_http(make: Maker) -> tuple[bytes, Want]:
    """Commands that only make sense on a connection: refused, and they leave nothing behind."""
    words = make.one_of(
        (
            ["MULTI"], ["EXEC"], ["DISCARD"], ["WATCH", "a"], ["UNWATCH"], ["HELLO", "3"], ["QUIT"], ["RESET"],
            ["CLIENT", "REPLY", "OFF"], ["CLIENT", "REPLY", "SKIP"], ["SUBSCRIBE", "c"], ["PSUBSCRIBE", "c*"],
            ["MONITOR"],
            ["SSUBSCRIBE", "c"], ["SYNC"], ["PSYNC", "?", "-1"], ["AUTH", "wrong"], ["UNSUBSCRIBE"],
        )
    )  # fmt: skip
    number = make.rng.randrange(3)
    if number == 0 and words[0] not in ("SUBSCRIBE", "PSUBSCRIBE", "MONITOR"):  # which are asked for like that
        return make.request(b"GET", b"/" + "/".join(words).encode()), Want(BAD | statuses(401, 403))
    if number == 1:
        return make.request(b"POST", b"/pipeline", dump([words, ["ECHO", "a"]])), Want(OK | BAD | statuses(401))
    return make.request(b"POST", b"/multi-exec", dump([words, ["ECHO", "a"]])), Want(OK | BAD | statuses(401))


def states(make: Maker) -> tuple[bytes, Want]:
    """What a request does to its client ends with the request: the next ones are in database 0 again."""
    words = make.one_of(
        (["SELECT", "5"], ["CLIENT", "SETNAME", "x"], ["CLIENT", "NO-TOUCH", "ON"], ["CLIENT", "NO-EVICT", "ON"])
    )
    return make.request(b"POST", b"/", dump(words)), Want(OK | BAD)


ODD: dict[str, tuple[Odd, int]] = {
    "plain": (plain, 12),
    "good-escapes": (good_escapes, 6),
    "injected-lines": (injected_lines, 4),
    "bad-escapes": (bad_escapes, 8),
    "odd-paths": (odd_paths, 8),
    "long-targets": (long_targets, 1),
    "other-forms": (other_forms, 6),
    "odd-methods": (odd_methods, 6),
    "options": (options, 2),
    "unread-bodies": (unread_bodies, 10),
    "odd-headers": (odd_headers, 8),
    "many-headers": (many_headers, 1),
    "expectations": (expectations, 4),
    "strangers": (strangers, 6),
    "wrong-tokens": (wrong_tokens, 4),
    "binary-bodies": (binary_bodies, 10),
    "large-bodies": (large_bodies, 1),
    "odd-json": (odd_json, 12),
    "broken-json": (broken_json, 8),
    "deep-json": (deep_json, 2),
    "wide-json": (wide_json, 1),
    "odd-arguments": (odd_arguments, 4),
    "not-over-http": (not_over_http, 6),
    "states": (states, 3),
}
