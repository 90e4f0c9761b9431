"""For whom a command runs, and when: the circumstances that handlers may ask about.

A `Caller` travels by value, from main through the pipe to the shard. `Call` is what the shard makes
of it for the command that is running now. A shard never reads a clock: main stamps each frame, and `now` is that stamp.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from respcache.store.databases import Databases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from respcache.store.accesses import Accesses


class Caller(NamedTuple):
    """Who a command runs for."""

    db: int  # the selected database, by its number in shards (`respcache.store.databases`)
    protocol: int  # of the replies: 2 or 3
    client: int  # the client's id; 0 is main itself
    touch: bool  # False after CLIENT NO-TOUCH: reads do not count as accesses


class Call:
    """The circumstances of the running command. `Shard` adds the doors to the data.

    Handlers read these fields for every command, which is why they are fields of the shard itself.
    """

    def __init__(self, databases: int, accesses: Accesses) -> None:
        # All databases of the shard, those of all namespaces; `databases` is how many a client sees.
        self.databases = Databases(databases, accesses)
        # The selected database, and its number.
        self.db = self.databases[0]
        self.db_index = 0
        # The time of the running command: milliseconds since the epoch, and the same in seconds, as access times are.
        self.now = 0
        self.now_seconds = 0
        # The rest of the running command's `Caller`.
        self.protocol = 2
        self.client = 0
        self.touch = True

    def set_time(self, now: int) -> None:
        """Let everything that follows happen at this time, in milliseconds since the epoch."""
        self.now = now
        self.now_seconds = now // 1000

    def enter(self, db: int, protocol: int, client: int, touch: bool) -> None:
        """Run what follows for another caller (its fields, as they come from the wire)."""
        self.db_index = db
        self.db = self.databases[db]
        self.protocol = protocol
        self.client = client
        self.touch = touch

    def select(self, index: int) -> None:
        """Make another database the selected one."""
        self.db_index = index
        self.db = self.databases[index]

    def database(self, number: int) -> int:
        """What the caller knows as database `number`. Raises CommandError if there is none."""
        return self.databases.number(number, self.db_index)

    @property
    def namespace(self) -> int:
        """The number of the caller's namespace."""
        return self.db_index // self.databases.each

    @contextmanager
    def within(self, index: int) -> Iterator[None]:
        """Select another database for the length of a `with` block (MOVE, COPY)."""
        home = self.db_index
        self.select(index)
        try:
            yield
        finally:
            self.select(home)
