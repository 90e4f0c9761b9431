"""Another server, as a client of it sees it: the one that MIGRATE sends keys to.

Whatever it does, it costs no more than `timeout` per step, and no more memory than one line.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import trio

from respcache.resp.encode import encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from respcache.resp.types import Argv

# Sent and received at once, each within `timeout`.
_CHUNK = 64 << 10
# The longest line of a reply.
_LONGEST_LINE = 64 << 10


class TargetError(Exception):
    """It does not do in time what a server does: take a connection, read what it is sent, or answer in RESP."""


class UnknownTarget(TargetError):
    """There is no such address, or it does not answer at all."""


class Target:
    """A connection. `timeout`: the most seconds that each step may take.

    Use it in `async with`: that closes it, whatever happens. Cancellation is safe everywhere; the other server may have
    carried out what it was sent.
    """

    def __init__(self, stream: trio.SocketStream, timeout: float) -> None:
        self._stream = stream
        self._timeout = timeout
        # Received and not yet read.
        self._buffer = bytearray()

    @classmethod
    async def connect(cls, host: str, port: int, timeout: float) -> Target:
        """Raises TargetError; UnknownTarget if nobody has refused the connection."""
        try:
            with trio.fail_after(timeout):
                return cls(await trio.open_tcp_stream(host, port), timeout)
        # ValueError: a host that is no name at all.
        except (socket.gaierror, ValueError, trio.TooSlowError) as error:
            raise UnknownTarget from error
        except OSError as error:
            raise TargetError from error

    async def __aenter__(self) -> Target:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def send(self, commands: Iterable[Argv]) -> None:
        """Raises TargetError."""
        data = memoryview(b"".join(encode(command, 2) for command in commands))
        try:
            for start in range(0, len(data), _CHUNK):
                with trio.fail_after(self._timeout):
                    await self._stream.send_all(data[start : start + _CHUNK])
        except (trio.BrokenResourceError, trio.TooSlowError) as error:
            raise TargetError from error

    async def refusal(self) -> bytes | None:
        """The next reply, which is a status: None, or the line of an error without its mark. Raises TargetError."""
        with trio.move_on_after(self._timeout):
            line = await self._line()
            if line.startswith(b"+"):
                return None
            if line.startswith(b"-"):
                return line[1:]
        raise TargetError

    async def _line(self) -> bytes:
        """Without its end."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            try:
                data = await self._stream.receive_some(_CHUNK)
            except trio.BrokenResourceError as error:
                raise TargetError from error
            if not data or searched > _LONGEST_LINE:
                raise TargetError
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")
