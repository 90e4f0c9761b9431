"""Test cases for unittest, run by unittest and by pytest in processes of their own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

from tests.support.pytests import Run, environment

CASES = """
    import asyncio
    import unittest
    from respcache.testing import RespcacheMixin, RespcacheTestCase

    pids = set()

    class Visits(RespcacheTestCase):
        client_options = {"decode_responses": True}

        def setUp(self):
            super().setUp()
            pids.add(self.server.pid)
            self.redis.set("from setUp", "yes")

        def test_fresh(self):
            self.assertEqual(self.redis.dbsize(), 1)
            self.redis.set("k", "v", ex=60)
            self.server.clock.advance(60)
            self.assertIsNone(self.redis.get("k"))
            self.redis.select(3)
            self.redis.set("k", "v")

        def test_fresh_again(self):
            self.assertEqual(self.redis.keys(), ["from setUp"])
            self.redis.config_set("maxclients", 50)

        def test_stopped(self):
            self.server.stop()

    class More(RespcacheMixin, unittest.TestCase):
        def test_the_same_server(self):
            pids.add(self.server.pid)
            self.assertEqual(self.redis.config_get("maxclients"), {"maxclients": "10000"})
            self.assertEqual(self.redis.dbsize(), 0)

        def test_sync_tests_have_no_async_client(self):
            with self.assertRaisesRegex(TypeError, "IsolatedAsyncioTestCase"):
                self.async_redis

    class Sharded(RespcacheTestCase):
        server_options = {"shards": 2}

        def test_it(self):
            self.assertEqual(self.server.shards, 2)
            self.assertNotIn(self.server.pid, pids)

    class Async(RespcacheMixin, unittest.IsolatedAsyncioTestCase):
        async def asyncSetUp(self):
            await self.async_redis.set("from asyncSetUp", "yes")

        async def test_fresh(self):
            self.assertEqual(await self.async_redis.dbsize(), 1)
            await self.async_redis.set("k", "v", ex=60)
            await self.server.async_clock.advance(60)
            self.assertIsNone(await self.async_redis.get("k"))
            self.assertEqual(self.redis.dbsize(), 1)

        async def test_fresh_again(self):
            self.assertEqual(await self.async_redis.dbsize(), 1)
"""


def unittest(directory: Path, test: str, status: int = 0) -> str:
    (directory / "test_cases.py").write_text(textwrap.dedent(test))
    command = [sys.executable, "-W", "error", "-m", "unittest", "-v"]
    done = subprocess.run(
        command, cwd=directory, env=environment(), check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == status, done.stderr
    return done.stderr


def test_under_unittest(tmp_path: Path) -> None:
    output = unittest(tmp_path, CASES)
    assert "Ran 8 tests" in output
    assert "Warning" not in output


def test_under_pytest(run_pytest: Run) -> None:
    assert "8 passed" in run_pytest(CASES)


def test_a_server_that_dies(tmp_path: Path) -> None:
    output = unittest(
        tmp_path,
        """
        import os, signal
        from respcache.testing import RespcacheTestCase

        class Dying(RespcacheTestCase):
            def test_a(self):
                os.kill(self.server.pid, signal.SIGKILL)
                self.server.wait_for_end(10)

            def test_b(self):
                self.assertEqual(self.redis.dbsize(), 0)
        """,
        status=1,
    )
    assert "FAILED (failures=1)" in output
    assert "the server died: it was killed by SIGKILL; its log:" in output
