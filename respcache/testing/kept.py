"""A client whose connection is kept from test to test: for redis-py, connecting is more work than a small test.

Each test gets a client object of its own, on the pool of the test before. What a test may have left on the connection
(a database, MULTI, subscriptions, another protocol) is undone in the same round trip that resets the server. A pool
with a connection that is still in use somewhere is given up.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import redis

    from respcache.testing.server import Server


class KeptClient:
    """Makes clients of one server, all with the same options, on one pool of connections."""

    def __init__(self, server: Server, **options: Any) -> None:
        self.server = server
        self._options = options
        self._pool: redis.ConnectionPool | None = None
        self._first: redis.Redis  # on that pool; tests get others that are like it

    def client(self) -> redis.Redis:
        """A client for the next test. Closing it leaves the connection open."""
        import redis

        if self._pool is None:
            self._pool = self.server.client(**self._options).connection_pool
            self._first = redis.Redis(connection_pool=self._pool)
        return _twin(self._first)

    def reset(self, journal: int = 0) -> bool:
        """Put server and connection back as at their start. False if no connection is of use for that.

        journal: start a journal as well, which keeps so many calls.
        """
        import redis

        if self._pool is None:
            return False
        try:
            connection = _idle_connection(self._pool)
            if connection is not None:
                _reset_by(connection, journal)
        except (redis.RedisError, OSError, AttributeError):
            self.close()
            return False
        return connection is not None

    def close(self) -> None:
        """Close all connections, those in use included. The next client has new ones."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.disconnect()


def _twin(client: redis.Redis) -> redis.Redis:
    """A new client on the pool of another one, which was never used.

    redis-py fills the table of callbacks one by one, through a method: that takes longer than a command.
    """
    twin = copy(client)
    callbacks = client.response_callbacks
    twin.response_callbacks = type(callbacks)({})
    dict.update(twin.response_callbacks, callbacks)
    return twin


def _idle_connection(pool: redis.ConnectionPool) -> redis.Connection | None:
    """The one connection that is kept. The pool must not connect now: CLIENT PAUSE may hold that up.

    Raises ConnectionError if a connection is in use. redis-py has no public names for this; where it has others
    (AttributeError), no connection is kept.
    """
    import redis

    if pool._in_use_connections:
        raise redis.ConnectionError("a connection is in use")
    connected: list[redis.Connection] = [idle for idle in pool._available_connections if idle._sock is not None]
    for connection in connected[1:]:
        connection.disconnect()  # type: ignore[no-untyped-call]  # redis-py gives it no types
    return connected[0] if connected else None


def _reset_by(connection: redis.Connection, journal: int) -> None:
    """Raises RedisError, or OSError."""
    import redis

    if connection.can_read(timeout=0):
        raise redis.ConnectionError("there are answers that nobody has read")
    commands: list[tuple[str | int, ...]] = [("RESPCACHE", "RESET"), ("HELLO", int(connection.protocol or 2))]
    if journal:
        commands.append(("RESPCACHE", "JOURNAL", "START", "MAX", journal))
    packed = connection.pack_commands(commands)  # type: ignore[no-untyped-call]  # redis-py gives it no types
    connection.send_packed_command(packed, check_health=False)  # type: ignore[no-untyped-call]  # as above
    answers = [connection.read_response() for _ in commands]
    if answers[0] not in (b"OK", "OK"):
        raise redis.ConnectionError(f"RESPCACHE RESET was answered by {answers[0]!r}")
