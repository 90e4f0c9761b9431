"""RESPCACHE JOURNAL: what clients have sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache import errors
from respcache.commands.args import INT64_MAX
from respcache.errors import WrongSyntax
from respcache.server.commands.control.family import CONTROL, command, refuse_in_namespace
from respcache.server.services.journal import MOST

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.resp.types import Reply
    from respcache.server.clients.client import Client
    from respcache.server.services.journal import Journal

# Records that one READ gives, unless it asks for fewer.
_PORTION = 1000


@command(
    "RESPCACHE JOURNAL",
    "<START [MAX records] | STOP | READ [SINCE id | LAST records] [COUNT records] | RESET>",
    arity=-3,
    flags=CONTROL,
    since="7.2.0",
)
def respcache_journal(client: Client, args: Args) -> Reply:
    """Record the commands of all clients, and read what was recorded.

    START, STOP and RESET answer with a map: `was-running` (1 if commands were recorded before this call), `first-id`
    and `last-id` (of the records that can be read; none if the first is greater), `dropped` (how many had to make room
    since the journal was empty) and `max`. START leaves what is there, and RESET does not stop. Ids never start over.

    READ answers with an array of records, the oldest first, a map each: `id`; `time`, the server's, which tests may
    move, and `real-time` (microseconds since the epoch); `client`, its `name` and `db`; `round-trip`, which counts for
    each client what it has sent before it waited; `words`, of which long ones are shortened, `cut-words` has their
    indexes and sizes, and `word-count` how many there were; `reply-kind` (none while there is none), `reply`, its first
    line or the beginning of a string, `reply-size` in bytes, and `microseconds`, how long it took. At most 1000 come at
    once: go on with SINCE and the last id until there are none. A gap between SINCE and the first id is what is lost.
    LAST begins so many records before the end.
    """
    journal = client.parts.journal
    word = args.next()
    refuse_in_namespace(client, "RESPCACHE JOURNAL")
    match word.upper():
        case b"READ":
            return _read(journal, args)
        case b"START":
            most = args.int(low=1, high=MOST, range_error=errors.OUT_OF_RANGE) if args.flag(b"MAX") else None
            args.end()
            before = journal.active
            journal.start(most)
        case b"STOP" if not len(args):
            before = journal.active
            journal.stop()
        case b"RESET" if not len(args):
            before = journal.active
            journal.clear()
        case _:
            raise errors.unknown_call("RESPCACHE", word)
    return {
        b"was-running": int(before),
        b"first-id": journal.first,
        b"last-id": journal.last,
        b"dropped": journal.dropped,
        b"max": journal.most,
    }


def _read(journal: Journal, args: Args) -> Reply:
    since, count = 0, _PORTION
    while len(args):
        match args.option():
            case b"SINCE":
                since = args.int(low=0, high=INT64_MAX, range_error=errors.OUT_OF_RANGE)
            case b"LAST":
                since = journal.last - args.int(low=1, high=MOST, range_error=errors.OUT_OF_RANGE)
            case b"COUNT":
                count = min(args.int(low=1, range_error=errors.OUT_OF_RANGE), _PORTION)
            case _:
                raise WrongSyntax
    return [record.fields() for record in journal.read(since, count)]
