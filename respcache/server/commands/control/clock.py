"""RESPCACHE CLOCK: time belongs to the test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache import errors
from respcache.clock import LAST_MS
from respcache.errors import CommandError
from respcache.server.commands.control.family import CONTROL, command, refuse_in_namespace

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from respcache.commands.args import Args
    from respcache.resp.types import Reply
    from respcache.server.clients.client import Client


@command(
    "RESPCACHE CLOCK",
    "<FREEZE | RESUME | ADVANCE milliseconds | SET unix-time-milliseconds | GET>",
    arity=-3,
    flags=CONTROL,
    since="7.2.0",
)
def respcache_clock(client: Client, args: Args) -> Any:
    """Move the clock of the whole server, or stop it; the time afterwards, in milliseconds since the epoch.

    It is the one time that everything follows: TTLs, TIME, ids of streams, idle times, blocking timeouts, CLIENT PAUSE.
    The answer comes when everything that is due has happened. If the clock is set back, whoever waits goes on waiting
    for as long as he would have; the deadlines of keys stay where they are. All namespaces share it, so within one it
    can only be read.
    """
    time = client.parts.time
    word = args.next()
    if word.upper() != b"GET":
        refuse_in_namespace(client, "RESPCACHE CLOCK")
    match word.upper():
        case b"FREEZE" if not len(args):
            return _later(client, time.freeze())
        case b"RESUME" if not len(args):
            return _later(client, time.resume())
        case b"GET" if not len(args):
            pass
        case b"ADVANCE" if len(args) == 1:
            return _later(client, time.advance(read_advance(client, args)))
        case b"SET" if len(args) == 1:
            milliseconds = args.int(low=1, high=LAST_MS, range_error=errors.OUT_OF_RANGE)
            return _later(client, time.set(milliseconds))
        case _:
            raise errors.unknown_call("RESPCACHE", word)
    return client.parts.clock.now_ms()


def read_advance(client: Client, args: Args) -> int:
    """Milliseconds by which the clock may be advanced. Raises CommandError."""
    milliseconds = args.int(low=0, range_error=errors.OUT_OF_RANGE)
    if client.parts.clock.now_ms() + milliseconds > LAST_MS:
        raise CommandError(errors.OUT_OF_RANGE)
    return milliseconds


async def _later(client: Client, moved: Coroutine[Any, Any, None]) -> Reply:
    await moved
    return client.parts.clock.now_ms()
