"""For unittest: test cases that have a fresh server.

from respcache.testing import RespcacheTestCase

class VisitsTest(RespcacheTestCase):
    def test_counting(self):
        self.assertEqual(self.redis.incr("visits"), 1)
"""

from __future__ import annotations

import unittest
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from respcache.testing.kept import KeptClient
from respcache.testing.server import Server

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis

    _Base = unittest.TestCase
else:
    _Base = object

# The servers of this process, by their options. They end with it, however that ends.
_servers: dict[str, Server] = {}


class RespcacheMixin(_Base):
    """Gives the tests of a class a fresh server each, which classes with the same options share.

    For classes that have a base of their own: ``class SomeTest(RespcacheMixin, django.test.TestCase)``, or
    `IsolatedAsyncioTestCase`. Before each test the server is as at its start. If it dies in a test, that test fails.

    server_options: those of `Server`: ``{"shards": 2}``.
    client_options: those of `redis.Redis`, for `redis` and `async_redis`: ``{"decode_responses": True}``.
    server: the running server.
    redis: a client, a new one for each test.
    """

    server_options: ClassVar[Mapping[str, Any]] = {}
    client_options: ClassVar[Mapping[str, Any]] = {}
    server: ClassVar[Server]
    redis: Redis
    _kept: ClassVar[KeptClient]

    @classmethod
    def setUpClass(cls) -> None:
        """Start the server, unless it runs already."""
        super().setUpClass()
        cls.server = _obtain(cls.server_options)
        cls._kept = KeptClient(cls.server, **cls.client_options)
        cls.addClassCleanup(cls._kept.close)

    def setUp(self) -> None:
        """Let the server be fresh."""
        super().setUp()
        if not self.server.alive():  # a test has stopped it, or it died
            self._kept.close()
            self.server.stop()
            self.server.start()
        elif not self._kept.reset():
            self.server.reset()
        self.redis = self._kept.client()
        self.addCleanup(self._tell_death)

    @cached_property
    def async_redis(self) -> AsyncRedis:
        """A client for asyncio, for an `IsolatedAsyncioTestCase`. It is closed after the test."""
        if not isinstance(self, unittest.IsolatedAsyncioTestCase):
            raise TypeError("`async_redis` is for an IsolatedAsyncioTestCase: other tests call server.async_client()")
        client = self.server.async_client(**self.client_options)
        self.addAsyncCleanup(client.aclose)
        return client

    def _tell_death(self) -> None:
        death = self.server.death()
        if death is not None:
            self._kept.close()
            self.server.stop()
            self.fail(death)


class RespcacheTestCase(RespcacheMixin, unittest.TestCase):
    """`RespcacheMixin` for a class that needs no other base."""


def _obtain(options: Mapping[str, Any]) -> Server:
    key = repr(sorted(options.items()))
    server = _servers.get(key)
    if server is None:
        server = _servers[key] = Server(**options)
    if not server.running:
        server.start()
    return server
