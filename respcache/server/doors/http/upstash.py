"""The dialect of Upstash's REST API: https://upstash.com/docs/redis/features/restapi."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache import errors
from respcache.errors import CommandError, exec_aborted_by
from respcache.server.doors.http import bodies
from respcache.server.doors.http.exchange import Exchange
from respcache.server.doors.http.replies import Events, JsonReplies, RawReplies, TransactionReplies
from respcache.server.doors.http.requests import BadRequest, not_allowed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from respcache.resp.types import Argv
    from respcache.server.doors.http.exchange import Work
    from respcache.server.doors.http.observation import Observation
    from respcache.server.doors.http.replies import Replies
    from respcache.server.doors.http.requests import Request
    from respcache.server.parts import Parts

# What these change lasts as long as a connection, and a request has none of its own; or their answers have no end.
_OF_CONNECTIONS = frozenset(
    (
        b"AUTH",
        b"DISCARD",
        b"EXEC",
        b"HELLO",
        b"MONITOR",
        b"MULTI",
        b"PSUBSCRIBE",
        b"PSYNC",
        b"PUNSUBSCRIBE",
        b"QUIT",
        b"RESET",
        b"SSUBSCRIBE",
        b"SUBSCRIBE",
        b"SUNSUBSCRIBE",
        b"SYNC",
        b"UNSUBSCRIBE",
        b"UNWATCH",
        b"WATCH",
    )
)
# Subcommands of CLIENT for which that holds.
_OF_CLIENTS = frozenset((b"CACHING", b"REPLY", b"TRACKING"))
_STREAMS = frozenset((b"monitor", b"psubscribe", b"subscribe"))
_WITH_BODY = (b"POST", b"PUT")


class Upstash:
    """A `Dialect`."""

    methods = (b"GET", b"HEAD", b"POST", b"PUT")

    def __init__(self, parts: Parts, observation: Observation) -> None:
        self._observe = observation.route
        self._run_id = parts.run_id[:12].encode()
        self._responses = 0
        self._lists: dict[bytes, Callable[[Request], Work]] = {
            b"pipeline": _pipeline,
            b"multi-exec": _transaction,
        }

    def route(self, request: Request) -> Work:
        observed = self._observe(request)
        if observed is not None:
            return observed
        first = request.path[0].lower() if request.path else b""
        if first in self._lists and len(request.path) == 1:
            if request.method not in _WITH_BODY:
                raise not_allowed("ERR the commands must be the body of a POST or PUT request", _WITH_BODY)
            return self._lists[first](request)
        if first in _STREAMS:
            if request.method == b"HEAD":
                raise not_allowed("ERR a stream of events has no end", (b"GET", *_WITH_BODY))
            # A client may send a body all the same; it says nothing.
            return Exchange([[first, *request.path[1:], *_parameters(request)]], Events(), endless=True)
        return _one(request)

    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """A client sends the latest token with its next request, so that a replica can wait for what it has written.
        Here is only one copy, which is never behind.
        """
        self._responses += 1
        return ((b"upstash-sync-token", b"%b-%d" % (self._run_id, self._responses)),)


def _one(request: Request) -> Exchange:
    if request.path:
        body = [request.body] if request.body and request.method in _WITH_BODY else []
        argv = [*request.path, *body, *_parameters(request)]
    elif request.body:
        argv = bodies.command(request.body)
    else:
        raise BadRequest(400, "ERR empty command")
    if (error := _refusal(argv)) is not None:
        raise BadRequest(400, error.text)
    return Exchange([argv], _writer(request))


def _pipeline(request: Request) -> Exchange:
    rows = bodies.commands(request.body)
    asked: list[Argv] = []
    refused: dict[int, str] = {}
    for index, row in enumerate(rows):
        error = row if isinstance(row, CommandError) else _refusal(row)
        if error is not None:
            refused[index] = error.text
        elif not isinstance(row, CommandError):
            asked.append(row)
    replies = _writer(request, len(asked), refused, several=True)
    return Exchange(asked, replies, refused=tuple(refused.values()))


def _transaction(request: Request) -> Exchange:
    if request.header(b"upstash-response-format").lower() not in (b"", b"json"):
        raise BadRequest(400, "ERR transactions are answered in JSON only")
    rows = bodies.commands(request.body)
    asked: list[Argv] = []
    for row in rows:
        error = row if isinstance(row, CommandError) else _refusal(row) or _refusal_in_multi(row)
        if error is not None:
            raise BadRequest(400, exec_aborted_by(error).text)
        assert not isinstance(row, CommandError)
        asked.append(row)
    replies = TransactionReplies(len(asked), base64=_wants_base64(request))
    return Exchange([[b"MULTI"], *asked, [b"EXEC"]], replies)


def _writer(
    request: Request, expected: int = 1, refused: dict[int, str] | None = None, *, several: bool = False
) -> Replies:
    """What writes the replies in the format that the request asks for."""
    base64 = _wants_base64(request)
    format = request.header(b"upstash-response-format").lower()
    if format in (b"", b"json"):
        return JsonReplies(expected, refused, base64=base64, several=several)
    if format != b"resp2":
        raise BadRequest(400, "ERR the response format must be json or resp2")
    if base64:
        raise BadRequest(400, "ERR base64 is an encoding of JSON, not of RESP2")
    return RawReplies(expected, refused, several=several)


def _wants_base64(request: Request) -> bool:
    return request.header(b"upstash-encoding").lower() == b"base64"


def _parameters(request: Request) -> list[bytes]:
    """The words of the query: ``?EX=100&NX`` stands for EX, 100 and NX."""
    words = []
    for name, value in request.query:
        if name != b"_token":
            words.append(name)
            if value is not None:
                words.append(value)
    return words


def _refusal(argv: Argv) -> CommandError | None:
    name = argv[0].upper()
    if name in _OF_CONNECTIONS:
        return CommandError(f"ERR {name.decode()} is not available over HTTP")
    if name == b"CLIENT" and len(argv) > 1 and argv[1].upper() in _OF_CLIENTS:
        return CommandError(f"ERR CLIENT {argv[1].upper().decode()} is not available over HTTP")
    return None


def _refusal_in_multi(argv: Argv) -> CommandError | None:
    """RESPCACHE RESET ends a MULTI, and what follows it would be carried out by itself."""
    return CommandError(errors.NOT_IN_MULTI) if argv[0].upper() == b"RESPCACHE" else None
