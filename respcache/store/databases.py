"""All databases of one shard, by number. Each is made when it is first used.

Namespaces (`RESPCACHE NAMESPACE`) are servers within the server, each with its own databases. So the numbers here are
not those that clients know: namespace `n` has the block of numbers from ``n * each`` on, where `each` is how many
databases a client sees. The default namespace is number 0, and there the two are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.errors import DB_OUT_OF_RANGE, CommandError
from respcache.store.keyspace import Keyspace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from respcache.store.accesses import Accesses


class Databases(dict[int, Keyspace]):
    """A database that is not there yet is made when it is asked for: there may be many that nobody uses."""

    def __init__(self, each: int, accesses: Accesses) -> None:
        super().__init__()
        # How accesses are recorded.
        self._accesses = accesses
        # How many databases a namespace has.
        self.each = each
        # The numbers of databases that may have deadlines: all that have, and some that had.
        self.expiring: set[int] = set()

    def __missing__(self, index: int) -> Keyspace:
        db = self[index] = Keyspace(index, self.expiring, self._accesses)
        return db

    def block(self, namespace: int) -> Iterable[int]:
        """The numbers of the databases of a namespace, as far as they were used."""
        first = namespace * self.each
        return [index for index in range(first, first + self.each) if index in self]

    def number(self, index: int, beside: int) -> int:
        """The number here of what a client knows as database `index`, who uses database `beside` (a number here).

        Raises CommandError if there is no such database.
        """
        if not 0 <= index < self.each:
            raise CommandError(DB_OUT_OF_RANGE)
        return beside - beside % self.each + index

    def exchange(self, first: int, second: int) -> None:
        """Let two databases change places."""
        self[first], self[second] = self[second], self[first]
        for index in (first, second):
            self[index].index = index
            if self[index].deadlines:
                self.expiring.add(index)

    def count_accesses(self, counting: bool) -> None:
        """Record from now on how often keys are accessed, or else when they were last."""
        if counting != self._accesses.counting:
            self._accesses.counting = counting
            for db in self.values():
                db.record_by_policy(db.accessed)

    def drop(self, namespace: int) -> None:
        """Forget the databases of a namespace. They are empty."""
        for index in self.block(namespace):
            del self[index]
            self.expiring.discard(index)
