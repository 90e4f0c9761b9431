"""One HTTP connection, without I/O: bytes in through `feed`, bytes out through the transport, nothing awaited.

To its transport a session is what a RESP conversation is, a `Receiver`. To its conversation, which carries the commands
out, it is the `Transport`: the replies that the conversation writes become the body of the response.

| state     | begins with                         | ends with                                                       |
|-----------|-------------------------------------|-----------------------------------------------------------------|
| idle      | the connection, or a response       | the first byte of a request                                     |
| reading   | the first byte of a request         | the request is complete, is refused, or takes too long          |
| answering | the request is complete             | the response is complete                                        |
| leaving   | a response that is the last one     | the client hangs up, or has had the time to read the response   |

One request is carried out at a time; what the client sends meanwhile waits, a little here, the rest in the kernel.
"""

from __future__ import annotations

from inspect import iscoroutine
from typing import TYPE_CHECKING, Any

import h11

from respcache import errors
from respcache.errors import CommandError
from respcache.logs import log_exception
from respcache.server.clients.conversation import Conversation
from respcache.server.doors.http.blocking import BlockingLimit
from respcache.server.doors.http.exchange import Exchange
from respcache.server.doors.http.portions import Portions
from respcache.server.doors.http.requests import BadRequest, Request, check_framing
from respcache.server.doors.http.responses import Response, refused
from respcache.server.doors.http.writer import ResponseWriter
from respcache.server.order.sequencer import size_of_words

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from respcache.alarms import Alarm
    from respcache.server.clients.conversation import FastRow
    from respcache.server.doors.http.exchange import Dialect, Work
    from respcache.server.doors.http.guard import Guard
    from respcache.server.io.transport import SocketTransport
    from respcache.server.parts import Parts


# Bytes that the head of a request may have.
_HEAD = 1 << 16
# How much of the replies becomes a body in one round, so that others have their turns.
_PORTION = 1 << 16
# A body of this size is not held until its length is known, and replies wait while so much of the response is unsent.
_HELD = 1 << 16
_UNSENT = 1 << 20
# How much of further requests is kept while one is answered. The client is read from until then, so that its end shows.
_KEPT = 1 << 16
# How long a client that was refused may go on sending (milliseconds, and bytes): hung up on at once, it would not get
# to see why.
_LEAVING, _DROPPED = 2000, 1 << 20


class HttpSession:
    """The `Receiver` of a connection, the `Transport` of its conversation, and the `Input` of its client."""

    def __init__(
        self,
        parts: Parts,
        transport: SocketTransport,
        client_id: int,
        fast: dict[bytes, FastRow],
        dialect: Dialect,
        guard: Guard | None,
    ) -> None:
        """`guard`: None lets everybody in."""
        self._parts = parts
        self._transport = transport
        self._dialect = dialect
        self._guard = guard
        self.peer, self.local, self.fd = transport.peer, transport.local, transport.fd
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD)
        self._conversation = Conversation(parts, self, client_id, fast)
        self.client = self._conversation.client
        self.client.input = self
        self._writer = ResponseWriter(
            parts, self._http, transport, dialect, guard
        )  # knows the request, and if it is the last
        self._exchange: Exchange | None = None  # while its commands are carried out
        self._answering = False
        self._body = bytearray()  # of the request
        self._kept = 0  # bytes of further requests, which came while one was carried out
        self._replies = Portions(_PORTION)  # that are not part of a body yet
        self._response_body = bytearray()  # that is held until its length is known
        self._pumping = False  # `_pump` is called by the next round
        self._input_ended = False
        self._leaving = False
        self._streaming = False  # events, without an end
        self._dropped = 0  # bytes that came since either
        self._held_back = False  # by the conversation
        self._too_late: Alarm | None = None  # the request takes too long, or the client to leave
        self._blocking_limit = BlockingLimit(self.client)

    # -- input: the `Receiver`

    def feed(self, data: bytes) -> None:
        """Take what the client sent."""
        stats = self._parts.stats
        stats.bytes_in += len(data)
        stats.reads += 1
        self.client.last_active = self._parts.clock.last_ms
        if self._leaving or self._streaming:
            self._drop(data)
            return
        self._http.receive_data(data)
        if self._answering:
            self._kept += len(data)
        else:
            self._read()
        if self._kept:
            self._choose_to_read()

    def end_of_input(self) -> None:
        """The client will send nothing more: answer what it has asked, then close."""
        self._input_ended = True
        if self._leaving:
            self.close(after_writing=True)
        elif self.client.blocked or self.client.silenced or (self._exchange is not None and self._exchange.endless):
            self.close()
        elif not self._answering:
            self._read()
            self._close_at_end_of_input()

    def _close_at_end_of_input(self) -> None:
        """Nothing more will come: close, unless there is something to answer."""
        if self._input_ended and not self._answering and not self._kept:
            self.close(after_writing=True)

    def room(self) -> None:
        """The client has taken some of what was unsent."""
        if self._replies.size:
            self._pump_if_room()
        self._conversation.room()
        if self._kept and not self._answering and self._transport.unsent <= _UNSENT:
            self._parts.poller.next_round(self._go_on)

    def disconnected(self) -> None:
        """The socket is closed."""
        self._forget_alarms()
        self._conversation.disconnected()
        self._writer.request = self._exchange = None
        self._replies.clear()
        self._body, self._response_body = bytearray(), bytearray()
        self._kept = 0

    # -- input: requests

    def _read(self) -> None:
        """Take what has come of requests, and carry them out, up to one that is not answered at once."""
        self._kept = 0
        self._take_requests()
        if self._answering or not (self._leaving or self._writer.last):
            self._kept = self._stopped_before()

    def _stopped_before(self) -> int:
        """How many bytes were left alone, since they are not of the request that is being read or answered."""
        if self._answering or self._transport.unsent > _UNSENT:
            return len(self._http.trailing_data[0])
        return 0

    def _take_requests(self) -> None:
        # One who does not take the responses is not to have more of them made.
        while not (self._answering or self._leaving or self._writer.last) and self._transport.unsent <= _UNSENT:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                self._refuse_last(refused(error.error_status_hint, f"ERR {error}"))
                return
            if event is h11.NEED_DATA:
                self._wait_for_more()
                return
            if isinstance(event, h11.Request):
                self._begin(event)
            elif isinstance(event, h11.Data):
                self._add_to_body(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self._carry_out()
            else:  # PAUSED or ConnectionClosed: nothing that could be answered
                self.close(after_writing=True)
                return

    def _wait_for_more(self) -> None:
        """The request is not complete. If it has begun, it has to be within a time."""
        if self._writer.request is None:
            head = bytes(self._http.trailing_data[0])
            if not head:
                return
            line, ended, _ = head.partition(b"\n")
            if ended and b" HTTP/" not in line:
                self._refuse_last(refused(400, "ERR this port speaks HTTP"))
                return
        elif self._http.they_are_waiting_for_100_continue:
            self._writer.go_on()
        seconds = self._parts.config.http_request_timeout
        if self._too_late is None and seconds:
            self._too_late = self._parts.alarms.after(seconds * 1000, self._on_too_late)

    def _on_too_late(self) -> None:
        self._too_late = None
        self._refuse_last(refused(408, "ERR the request was not complete in time"))

    def _begin(self, event: h11.Request) -> None:
        """The head of a request is there. What is refused for it is refused before its body comes."""
        self._writer.without_body = event.method == b"HEAD"
        try:
            check_framing(event)
        except BadRequest as error:  # where the next request begins is anybody's guess
            self._refuse_last(refused(error.status, error.text))
            return
        self._writer.request = request = Request(event)
        try:
            request.read_target(event.target)
            refusal = self._look_at_head(request)
        except BadRequest as error:
            refusal = refused(error.status, error.text, *error.headers)
        if refusal is not None:
            self._refuse_head(refusal)

    def _look_at_head(self, request: Request) -> Response | None:
        """The answer to a request that is not carried out. Raises BadRequest."""
        if self._guard is not None:
            preflight = self._guard.preflight(request)
            if preflight is not None:
                return preflight
        if request.method not in self._dialect.methods:
            allow = (b"allow", b", ".join(self._dialect.methods))
            return refused(405, "ERR the method is not allowed", allow)
        refusal = self._guard.refusal(request) if self._guard is not None else None
        if refusal is None:
            length = request.header(b"content-length")
            if length and int(length) > self._largest_body():
                raise BadRequest(413, "ERR the body is too large")
        return refusal

    def _refuse_head(self, refusal: Response) -> None:
        """Answer before the body has come. If there is one the connection has to end: nobody reads it."""
        if self._http.their_state is h11.SEND_BODY and not self._has_ended():
            self._refuse_last(refusal)
            return
        self._forget_alarms()
        self._answering = True
        self._answer(refusal)

    def _has_ended(self) -> bool:
        """True if the request has no body: then its end is there already."""
        try:
            return isinstance(self._http.next_event(), h11.EndOfMessage)
        except h11.RemoteProtocolError:
            return False

    def _largest_body(self) -> int:
        config = self._parts.config
        return min(config.client_query_buffer_limit, config.proto_max_bulk_len)

    def _add_to_body(self, data: bytes) -> None:
        self._body += data
        if len(self._body) > self._largest_body():
            self._refuse_last(refused(413, "ERR the body is too large"))

    def _carry_out(self) -> None:
        """The request is complete."""
        request = self._writer.request
        assert request is not None
        self._forget_alarms()
        self._answering = True
        if self._body:
            request.body, self._body = bytes(self._body), bytearray()
        try:
            work: Work = self._dialect.route(request)
        except BadRequest as error:
            work = refused(error.status, error.text, *error.headers)
        if isinstance(work, Response):
            self._answer(work)
        elif iscoroutine(work):
            self._parts.spawn(self._answer_later, work)
        else:
            assert isinstance(work, Exchange)
            self._run(work)

    async def _answer_later(self, work: Coroutine[Any, Any, Response]) -> None:
        """A task: answer with what a coroutine finds out. Cancelled only when the server ends."""
        try:
            response = await work
        except CommandError as error:
            response = refused(503, error.text)
        except Exception:
            log_exception("an HTTP request failed")
            response = refused(500, errors.INTERNAL)
        with self._parts.poller.round():
            if self.client.closed:
                return
            try:
                self._answer(response)
            except Exception:  # nor may it end the server
                log_exception("an HTTP session failed")
                self._transport.close()

    def _run(self, exchange: Exchange) -> None:
        """Hand the commands over to the conversation."""
        self._exchange = exchange
        self.client.log_in(True)  # the guard has seen its token
        for text in exchange.refused:
            self._parts.stats.count_error(CommandError(text))
        self._blocking_limit.begin(exchange.commands)
        if exchange.commands:
            size = sum(map(size_of_words, exchange.commands))
            self._conversation.carry_out(exchange.commands, size)
        else:
            self._pump()

    # -- output: the `Transport`

    @property
    def unsent(self) -> int:
        """Bytes that the client has not taken yet, or that have not become a response yet."""
        return self._transport.unsent + self._replies.size

    def write(self, data: bytes) -> None:
        """Replies of the conversation."""
        self._parts.stats.bytes_out -= len(data)  # what is sent instead is counted there
        if self._exchange is None or not data:
            return  # nobody has asked for it: why the connection ends, above all
        self._replies.add(data)
        self._pump_if_room()

    def write_last(self, data: bytes) -> None:
        """The last replies: the response is the last one."""
        self._writer.last = True
        self.write(data)
        self.close(after_writing=True)

    def peek(self) -> bool:
        """See `Transport`."""
        return self._transport.peek()

    def pause_reading(self, paused: bool) -> None:
        """For the conversation: stop or resume reading."""
        self._held_back = paused
        self._choose_to_read()

    def close(self, *, after_writing: bool = False) -> None:
        """Hang up; with `after_writing`, once the client has taken what it is owed."""
        exchange = self._exchange
        if after_writing and exchange is not None and not exchange.replies.done:
            if self._replies.size:
                self._writer.last = True  # `_pump` closes
                return
            if exchange.endless and exchange.started:
                if self._writer.in_parts:  # while the client takes the rest, it is told to close again
                    self._writer.end()
            else:
                after_writing = False  # the rest of the response will not come
        self._transport.close(after_writing=after_writing)

    def _choose_to_read(self) -> None:
        self._transport.pause_reading(self._held_back or self._kept >= _KEPT)

    def _pump_if_room(self) -> None:
        """Write a portion of the body, unless the client has enough that it does not take: `room` goes on then."""
        if not self._pumping and self._transport.unsent <= _UNSENT:
            self._pump()

    def _pump_on(self) -> None:
        """The next round: write the next portion. The conversation may have waited for that."""
        self._pumping = False
        self._pump()
        self._conversation.room()

    def _pump(self) -> None:
        exchange = self._exchange
        if exchange is None or self._transport.closed:
            return
        try:
            self._write_portion(exchange)
        except Exception:
            log_exception("a reply could not be written as HTTP")
            self._transport.close()

    def _write_portion(self, exchange: Exchange) -> None:
        """Write as much of the body as a portion of the replies at hand makes."""
        self._response_body += exchange.replies.feed(self._replies.take())
        if exchange.replies.done:
            self._end_exchange(exchange)
            return
        if self._response_body and (exchange.endless or len(self._response_body) > _HELD):
            self._send_body(exchange)
        if self._replies.size:
            if self._transport.unsent <= _UNSENT:
                self._pumping = True
                self._parts.poller.next_round(self._pump_on)
        elif self._writer.last:
            self.close(after_writing=True)

    def _send_body(self, exchange: Exchange) -> None:
        """Send a part of the body, whose length is not known."""
        body = bytes(self._response_body)
        self._response_body.clear()
        if exchange.started:
            self._writer.part(body)
            return
        exchange.started = True
        if exchange.endless:
            # No further request has its turn. The client is read from all the same, to see it leave.
            self._streaming, self._kept = True, 0
            self._choose_to_read()
        self._writer.start(exchange.replies.status, exchange.replies.content_type, body)

    def _end_exchange(self, exchange: Exchange) -> None:
        body = bytes(self._response_body)
        self._response_body.clear()
        self._exchange = None
        self._replies.clear()
        self._blocking_limit.end()
        if exchange.started:
            self._writer.end(body)
            self._next_request()
        else:
            self._answer(Response(exchange.replies.status, body, exchange.replies.content_type))

    def _answer(self, response: Response) -> None:
        """Send a whole response; then comes the next request."""
        if response.error:
            self._parts.stats.count_error(CommandError(response.error))
        self._writer.whole(response)
        self._next_request()

    # -- the end of a request

    def _next_request(self) -> None:
        """The response is complete. The next request finds the client as the first one did."""
        self._writer.request = None
        self._answering = self._writer.without_body = False
        if self._leaving or self._transport.closed:
            return
        if self._writer.last or self.client.closing or self._writer.must_close:
            self._writer.last = True
            self._transport.close(after_writing=True)
            return
        if not self.client.closed:
            self.client.enter(self._parts.namespaces.default)
            self.client.start_over()
        self._http.start_next_cycle()
        if self._kept or self._input_ended:
            self._parts.poller.next_round(self._go_on)

    def _go_on(self) -> None:
        """Take what has come while the last request was carried out."""
        if self._transport.closed or self._answering:
            return
        try:
            self._read()
            self._close_at_end_of_input()
            self._choose_to_read()
        except Exception:
            log_exception("an HTTP session failed")
            self._transport.close()

    def _refuse_last(self, refusal: Response) -> None:
        """Answer what is no whole request, and take no other one."""
        self._writer.last = True
        self._leaving = True
        self._forget_alarms()
        if not self._writer.may_begin:
            self._transport.close()
            return
        self._answer(refusal)
        self._body = bytearray()
        if self._input_ended:
            self._transport.close(after_writing=True)
        else:
            self._transport.end_output()
            self._too_late = self._parts.alarms.after(_LEAVING, self._transport.close)

    def _drop(self, data: bytes) -> None:
        self._dropped += len(data)
        if self._dropped > _DROPPED:
            self._transport.close()

    def _forget_alarms(self) -> None:
        self._blocking_limit.end()
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None

    # -- the `Input` of the client

    @property
    def buffered(self) -> int:
        """Bytes that were received and not carried out."""
        return self._conversation.buffered + len(self._body) + self._kept

    @property
    def waiting(self) -> bool:
        """True if there may be whole commands among them, or a response that is not complete."""
        endless = self._exchange is not None and self._exchange.endless
        return self._conversation.waiting or (not endless and (self._answering or bool(self._kept)))

    @property
    def ended(self) -> bool:
        """True if nothing more will come."""
        return self._input_ended

    def proceed(self) -> None:
        """Go on with what was kept while the client was suspended."""
        self._conversation.proceed()

    def has_more(self) -> bool:
        """True if some commands of the request were not carried out. Another request is another matter."""
        return self._conversation.waiting
