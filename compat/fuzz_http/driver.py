"""Many connections at once, each playing its case against the server, from one thread over one selector."""

from __future__ import annotations

import errno
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterator

from compat.fuzz_http.case import Case, End
from compat.fuzz_http.judge import complete
from compat.fuzz_http.reader import Malformed, Reader

_LINGER_NOT = struct.pack("ii", 1, 0)
_DEAF_FOR = 0.5
_RECEIVE = 1 << 18

# What to do with a case that is over: how it ended, and what was wrong with the answers as HTTP.
Over = Callable[[Case, Reader, str, str], None]


class Driver:
    """`play` plays cases, at most `many` at a time."""

    def __init__(self, http_port: int, resp_port: int, many: int, over: Over) -> None:
        self._ports = (http_port, resp_port)
        self._many = many
        self._over = over
        self._selector = selectors.DefaultSelector()
        self._playing: set[_Play] = set()
        # Port of this end of a connection -> the number of its case.
        self.numbers: dict[int, int] = {}
        self.slowest = 0.0
        self.slowest_case = -1

    def play(self, cases: Iterator[Case]) -> None:
        """Play all of them to their ends."""
        more = True
        looked = time.monotonic()
        while more or self._playing:
            while more and len(self._playing) < self._many:
                case = next(cases, None)
                if case is None:
                    more = False
                else:
                    self._begin(case)
            for key, events in self._selector.select(0.01):
                self._go_on(key.data, events)
            now = time.monotonic()
            if now - looked > 0.005:
                looked = now
                for play in list(self._playing):
                    if now >= play.wake:
                        play.wake = float("inf")
                        self._go_on(play, selectors.EVENT_WRITE)
                    elif now > play.deadline:
                        self._end(play, "hang")

    def close(self) -> None:
        """To be called when nothing is played any more."""
        self._selector.close()

    def _begin(self, case: Case) -> None:
        play = _Play(case)
        self._playing.add(play)
        try:
            try:
                play.socket.connect(("127.0.0.1", self._ports[case.resp]))
            except BlockingIOError:
                pass
            self.numbers[play.socket.getsockname()[1]] = case.number
        except OSError as error:
            play.malformed = f"no connection: {error}"
            self._end(play, "closed", registered=False)
            return
        self._selector.register(play.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, play)
        play.events = selectors.EVENT_READ | selectors.EVENT_WRITE

    def _go_on(self, play: _Play, events: int) -> None:
        if play not in self._playing:
            return
        try:
            ended = play.write() if events & selectors.EVENT_WRITE else ""
            if not ended and events & selectors.EVENT_READ:
                ended = play.read()
        except Malformed as error:
            play.malformed = str(error)
            ended = "closed"
        if not ended and play.sent_all and complete(play.case, play.reader):
            ended = "left"
        if ended:
            self._end(play, ended)
            return
        wanted = play.wanted()
        if wanted != play.events:
            if not wanted:
                self._selector.unregister(play.socket)
            elif not play.events:
                self._selector.register(play.socket, wanted, play)
            else:
                self._selector.modify(play.socket, wanted, play)
            play.events = wanted

    def _end(self, play: _Play, ended: str, registered: bool = True) -> None:
        self._playing.discard(play)
        if registered and play.events:
            self._selector.unregister(play.socket)
        if not play.case.number % 2 and ended == "left" and play.case.end is not End.VANISH:
            play.linger_not()  # every other time, lest the system run out of ports
        play.socket.close()
        took = time.monotonic() - play.began - play.waited
        if took > self.slowest and play.case.end is not End.DEAF:
            self.slowest, self.slowest_case = took, play.case.number
        self._over(play.case, play.reader, ended, play.malformed)


class _Play:
    """One connection that plays its case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if case.end is End.DEAF:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.reader = Reader([want.head for want in case.wants])
        self.malformed = ""
        self.events = 0
        self.began = time.monotonic()
        self.deadline = self.began + case.within
        self.wake = float("inf")  # when to go on after a pause
        self.waited = 0.0
        self.sent_all = False
        self._deaf = False
        self._left = list(case.pieces)[::-1]  # the next piece is the last one
        self._broken = False  # the server has closed; what it said before is still read

    def wanted(self) -> int:
        """The events of interest."""
        reading = 0 if self.case.end is End.DEAF else selectors.EVENT_READ
        writing = not self.sent_all and self.wake == float("inf")
        return reading | (selectors.EVENT_WRITE if writing else 0)

    def write(self) -> str:
        """Send the next piece. Returns how it ended, if it did."""
        if self.sent_all:
            return "left" if self._deaf else ""
        left = self._left
        try:
            if left and isinstance(left[-1], bytes):
                piece = left.pop()
                assert isinstance(piece, bytes)
                sent = self.socket.send(piece)
                if sent < len(piece):
                    left.append(piece[sent:])
                    self._stop_if_deaf()
            elif left:
                pause = left.pop()
                assert isinstance(pause, float)
                self.wake = time.monotonic() + pause
                self.waited += pause
                return ""
        except BlockingIOError:
            assert isinstance(piece, bytes)
            left.append(piece)
            self._stop_if_deaf()
            return ""
        except OSError:
            # The server does not want more. What it has said may still be there.
            self._left = left = []
            self._broken = True
        if left:
            return ""
        self.sent_all = True
        self.case.sending = time.monotonic() - self.began
        return self._after_sending()

    def _after_sending(self) -> str:
        end = self.case.end
        if end is End.RESET:
            self.linger_not()
        if end in (End.VANISH, End.RESET):
            return "left"
        if end is End.HALF and not self._broken:
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        self._stop_if_deaf()
        return ""

    def _stop_if_deaf(self) -> None:
        """There may never be room for the rest, as nothing is read."""
        if self.case.end is End.DEAF:
            self.sent_all = self._deaf = True
            self.wake = time.monotonic() + _DEAF_FOR

    def read(self) -> str:
        """Take what has come. Returns how it ended, if it did. Errors: Malformed."""
        try:
            data = self.socket.recv(_RECEIVE)
        except BlockingIOError:
            return ""
        except OSError as error:
            return "reset" if error.errno in (errno.ECONNRESET, errno.EPIPE) else "refused"
        if self.case.resp:
            return "" if data else "closed"
        if not data:
            self.reader.end()
            return "closed"
        self.reader.feed(data)
        self.deadline = time.monotonic() + self.case.within  # something happens
        return ""

    def linger_not(self) -> None:
        """Have `close` reset the connection."""
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        except OSError:
            pass
