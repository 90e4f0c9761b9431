"""What a session owes its client, on its way out: slots in the order of the commands, sent as far as they are filled.

A slot is a `Batch`, which shards fill in any order. Nothing is sent before the end of the poller's round: all that a
client gets out of a round is one write.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from respcache.logs import log
from respcache.server.replies import Batch

if TYPE_CHECKING:
    from respcache.server.session import Session


class Outbox:
    """The replies of one session. `unanswered` counts the commands in `slots`, `bytes_out` what was given to send."""

    def __init__(self, session: Session) -> None:
        self.slots: deque[Batch] = deque()
        self.unanswered = 0
        self.bytes_out = 0
        self._session = session
        self._flush_due = False
        self._over_limit_since: int | None = None  # the soft limit

    def expect(self, batch: Batch) -> None:
        """Take the next slot for replies that come now or later."""
        self.slots.append(batch)
        self.unanswered += batch.count

    def push(self, data: bytes) -> None:
        """Send out-of-band data: after the replies that are under way, as the order of things was."""
        if self.slots:
            self.expect(Batch(self._session, 0, 0, data))
            self.answered()
        else:
            self._send(data)

    def answered(self) -> None:
        """Some batch is complete: send what can be sent, at the end of this round of the poller."""
        if not self._flush_due:
            self._flush_due = True
            self._session.server.flush_soon(self)

    def flush(self) -> None:
        """Send the replies of all batches that are complete, up to the first that is not."""
        self._flush_due = False
        slots = self.slots
        if self._session.closed:
            slots.clear()
            self.unanswered = 0
            return
        if slots and not slots[0].missing:
            data = self._take()
            if slots and not slots[0].missing:
                pieces = [data]
                while slots and not slots[0].missing:
                    pieces.append(self._take())
                data = b"".join(pieces)
            self._send(data)
        self._session.flushed()

    def _take(self) -> bytes:
        batch = self.slots.popleft()
        self.unanswered -= batch.count
        return batch.output()

    def _send(self, data: bytes) -> None:
        transport = self._session.transport
        self.bytes_out += len(data)
        transport.write(data)
        if transport.unsent:
            self._check_limits(transport.unsent)

    def _check_limits(self, unsent: int) -> None:
        """Cut off a client that leaves too much unread: at once over the hard limit, after some time over the soft one.

        The limits are those of its class, see ``client-output-buffer-limit``; 0 is none.
        """
        session = self._session
        server = session.server
        hard, soft, seconds = server.config.client_output_buffer_limit["pubsub" if session.subscriptions else "normal"]
        now = server.clock.last_ms
        if not soft or unsent <= soft:
            self._over_limit_since = None
        elif self._over_limit_since is None:
            self._over_limit_since = now
        too_long = self._over_limit_since is not None and now - self._over_limit_since > seconds * 1000
        if (hard and unsent > hard) or too_long:
            log.warning(
                f"Client id={session.id} addr={session.transport.peer} closed: it leaves too many replies unread",
                kind="output limit",
            )
            server.stats.output_limit_disconnections += 1
            session.close()
