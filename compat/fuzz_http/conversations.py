"""Clients that behave badly: what they send may be right, but they are slow, stop half-way, vanish, or never read."""

from __future__ import annotations

from collections.abc import Callable

from compat.fuzz_http import odd
from compat.fuzz_http.case import OK, REFUSED, Case, Closing, End, Maker, Want

Conversation = Callable[[Maker], Case]


def half_close(make: Maker) -> Case:
    """Requests cut off at any byte, then the end of input: whole ones are answered, the cut one is not carried out."""
    whole = [odd.plain(make) for _ in range(make.rng.randint(0, 4))]
    data = b"".join(request for request, _ in whole)
    wants = [want for _, want in whole]
    last, _ = odd.plain(make)
    cut = make.rng.randrange(0, len(last))
    if cut:
        wants.append(Want(REFUSED, Closing.ALWAYS, silence=True))
    return Case(
        "half-close",
        make.pieces(data + last[:cut]) if data or cut else [],
        wants,
        End.HALF,
        requests=len(whole) + bool(cut),
    )


def cut_off(make: Maker) -> Case:
    """The same with a connection that is closed or reset: what was whole may be carried out, the cut one is not."""
    whole = [odd.plain(make) for _ in range(make.rng.randint(0, 6))]
    last, _ = odd.plain(make)
    data = b"".join(request for request, _ in whole) + last[: make.rng.randrange(0, len(last))]
    end = make.one_of((End.VANISH, End.RESET))
    return Case("cut-off", make.pieces(data) if data else [], [want for _, want in whole], end, requests=len(whole) + 1)


def too_short(make: Maker) -> Case:
    """A body shorter than its length, and nothing more: answered within the time for a request, and not carried out."""
    key, value = make.key(), make.text()
    if make.rng.random() < 0.5:
        data = (
            make.head(
                b"POST", b"/set/" + key, headers=[b"Content-Length: %d" % (len(value) + make.rng.randint(1, 1000))]
            )
            + value
        )
    else:
        data = make.head(b"POST", b"/set/" + key, headers=[b"Transfer-Encoding: chunked"])
        data += b"%x\r\n%b" % (len(value) + make.rng.randint(0, 9), value)
    return Case("too-short", [data], [Want(REFUSED, Closing.ALWAYS, silence=True)], requests=1)


def slow(make: Maker) -> Case:
    """A head or a body that comes byte by byte, with pauses, and is never complete in time."""
    request, _ = odd.plain(make)
    start = make.rng.randrange(0, len(request) - 2)
    pieces: list[bytes | float] = [request[:start]] if start else []
    # Always another byte before the server gets impatient with a silent client, and never all of them.
    for at in range(start, len(request) - 1):
        pieces += [request[at : at + 1], make.site.seconds / 4]
        if at - start > 6:
            break
    return Case("slow", pieces, [Want(REFUSED, Closing.ALWAYS, silence=True)], requests=1)


def just_in_time(make: Maker) -> Case:
    """Slow, too, but complete within the time."""
    request, want = odd.plain(make)
    cuts = sorted(make.rng.sample(range(1, len(request)), 3))
    pieces: list[bytes | float] = []
    for begin, end in zip([0, *cuts], [*cuts, len(request)], strict=True):
        pieces += [request[begin:end], make.site.seconds / 20]
    return Case("just-in-time", pieces, [want], requests=1)


def silent(make: Maker) -> Case:
    """Connects, and leaves again without a word."""
    return Case("silent", [], [], make.one_of((End.HALF, End.VANISH, End.RESET)))


def blocked(make: Maker) -> Case:
    """A blocking command whose client vanishes, or gives up reading, while it waits."""
    key = b"list:" + make.tag
    request = make.one_of(
        (
            make.request(b"GET", b"/blpop/%b/0" % key),
            make.request(b"POST", b"/", odd.dump(["BRPOP", key.decode(), (key + b"2").decode(), 0])),
            make.request(b"POST", b"/pipeline", odd.dump([["ECHO", "a"], ["BLPOP", key.decode(), 0], ["ECHO", "b"]])),
            make.request(b"GET", b"/bzpopmin/%b/0" % key),
            make.request(b"GET", b"/xread/BLOCK/0/STREAMS/%b/$" % key),
        )
    )
    # What is behind it waits as well, and its client is gone before its turn.
    behind = make.canary() * make.rng.randint(0, 3)
    return Case(
        "blocked",
        [request + behind, 0.02],
        [],
        make.one_of((End.VANISH, End.RESET)),
        free=True,
        requests=1 + behind.count(b"GET"),
    )


def blocked_for_a_moment(make: Maker) -> Case:
    """A blocking command with a timeout of its own: null in the end, and the next request is served."""
    request = make.request(b"GET", b"/blpop/list:%b/0.05" % make.tag)
    after, want = odd.plain(make)
    return Case("blocked-for-a-moment", [request + after], [Want(OK, body={"result": None}), want], requests=2)


def events(make: Maker) -> Case:
    """Subscribers and monitors that vanish at once, or after the first event."""
    target = make.one_of((b"/subscribe/ch:" + make.tag, b"/psubscribe/ch:*", b"/subscribe/a/b/c", b"/monitor"))
    method = make.one_of((b"GET", b"POST"))
    request = make.request(method, target, headers=[b"Accept: text/event-stream"])
    end = make.one_of((End.READ, End.VANISH, End.RESET, End.HALF))
    wants = [] if end in (End.VANISH, End.RESET) else [Want(OK | REFUSED, Closing.MAYBE, silence=True, stream=True)]
    return Case(
        "events", [request, *([0.01] if make.rng.random() < 0.5 else [])], wants, end, free=not wants, requests=1
    )


def events_and_more(make: Maker) -> Case:
    """Requests behind an endless answer: their turn never comes."""
    request = make.request(b"POST", b"/subscribe/ch:" + make.tag, headers=[b"Accept: text/event-stream"])
    return Case(
        "events-and-more",
        [request, 0.02, make.canary(), 0.02, make.canary() * 3, 0.02],
        [],
        make.one_of((End.VANISH, End.RESET)),
        free=True,
        requests=5,
    )


def deaf(make: Maker) -> Case:
    """A pipeline with large answers that nobody reads."""
    value = "v" * 20_000
    first = make.request(b"POST", b"/", odd.dump(["ECHO", value]))
    count = make.rng.randint(20, 60)
    return Case("deaf", [first * count], [], End.DEAF, free=True, requests=count)


def flood(make: Maker) -> Case:
    """Far more small requests than can be answered at once, from a client that does not read."""
    request = make.request(b"GET", b"/echo/" + make.text())
    count = make.one_of((2_000, 20_000, 60_000))
    return Case("flood", [request * count], [], End.DEAF, free=True, requests=50)


def long_pipeline(make: Maker) -> Case:
    """Hundreds of requests in one go, each answered in its turn."""
    made = [odd.plain(make) for _ in range(make.one_of((50, 100, 300)))]
    return Case(
        "long-pipeline", make.pieces(b"".join(data for data, _ in made)), [want for _, want in made], requests=len(made)
    )


def waiting_for_continue(make: Maker) -> Case:
    """The body comes only when the server has asked for it, or never."""
    key, value = make.key(), make.text()
    head = make.head(b"POST", b"/set/" + key, value, headers=[b"Expect: 100-continue"])
    if make.rng.random() < 0.7:
        return Case(
            "waiting-for-continue", [head, 0.03, value], [Want(OK, Closing.MAYBE, writes={key: value})], requests=1
        )
    return Case("waiting-for-continue", [head], [Want(REFUSED, Closing.ALWAYS, silence=True)], End.HALF, requests=1)


def connection_close(make: Maker) -> Case:
    """Requests that say themselves that they are the last: nothing behind them counts."""
    key, value = make.key(), make.text()
    line = make.one_of((b"Connection: close", b"connection: Close", b"Connection: keep-alive, close"))
    old = make.rng.random() < 0.4
    version, headers = (b"HTTP/1.0", []) if old else (b"HTTP/1.1", [line])
    request = make.request(b"GET", b"/set/%b/%b" % (key, value), headers=headers, version=version)
    want = Want(OK, Closing.ALWAYS, writes={key: value})
    return Case("connection-close", make.pieces(request + make.canary()), [want], requests=2)


def http_to_resp(make: Maker) -> Case:
    """HTTP on the RESP port, as a page in a browser may send it, with commands in the body and in the headers."""
    tag = make.tag
    command = make.one_of(
        (b"SET canary:%b:p 1\r\n" % tag, b"*3\r\n$3\r\nSET\r\n$%d\r\ncanary:%b:q\r\n$1\r\n1\r\n" % (len(tag) + 9, tag))
    )
    data = make.one_of(
        (
            make.request(b"POST", b"/", command),
            make.request(b"GET", b"/x", headers=[b"X: y"]) + command,
            make.head(b"PUT", b"/", headers=[b"Transfer-Encoding: chunked"]) + odd.chunks(make, command),
        )
    )
    return Case("http-to-resp", make.pieces(data), [], End.READ, resp=True, requests=1)


CONVERSATIONS: dict[str, tuple[Conversation, int]] = {
    "half-close": (half_close, 24),
    "cut-off": (cut_off, 12),
    "too-short": (too_short, 3),
    "slow": (slow, 2),
    "just-in-time": (just_in_time, 3),
    "silent": (silent, 2),
    "blocked": (blocked, 6),
    "blocked-for-a-moment": (blocked_for_a_moment, 3),
    "events": (events, 6),
    "events-and-more": (events_and_more, 3),
    "deaf": (deaf, 1),
    "flood": (flood, 1),
    "long-pipeline": (long_pipeline, 3),
    "waiting-for-continue": (waiting_for_continue, 6),
    "connection-close": (connection_close, 6),
    "http-to-resp": (http_to_resp, 8),
}
