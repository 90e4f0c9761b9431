"""Fixtures under anyio and trio: the handle has twins for both, and redis-py a client for asyncio."""

from __future__ import annotations

import pytest

from tests.support.pytests import Run

TEST = """
        import pytest

        @pytest.mark.{mark}
        async def test_handle(respcache_server, respcache):
            respcache.set("k", "v", ex=60)
            await respcache_server.async_clock.advance(60)
            assert respcache.get("k") is None
            async with respcache_server.async_journal() as calls:
                respcache.get("k")
            calls.assert_called("GET", "k", times=1)
            await respcache_server.async_snapshots.take("s")
            async with respcache_server.async_faults.error("ERR no", command="GET"):
                with pytest.raises(Exception, match="no"):
                    respcache.get("k")
            async with respcache_server.namespace() as namespace:
                assert namespace.url
"""


def test_anyio(run_pytest: Run) -> None:
    """On both of its event loops."""
    pytest.importorskip("anyio")
    output = run_pytest(
        TEST.format(mark="anyio")
        + """
        @pytest.mark.anyio
        async def test_client(respcache_async, anyio_backend_name):
            if anyio_backend_name == "asyncio":
                assert await respcache_async.incr("n") == 1
            else:
                with pytest.raises(RuntimeError, match="use a synchronous client in a thread"):
                    await respcache_async.incr("n")

        @pytest.mark.anyio
        async def test_synchronous_client_in_a_thread(respcache):
            import anyio
            assert await anyio.to_thread.run_sync(respcache.incr, "n") == 1
        """,
        plugins=["anyio"],
    )
    assert "6 passed" in output


def test_trio(run_pytest: Run) -> None:
    pytest.importorskip("pytest_trio")
    assert "1 passed" in run_pytest(TEST.format(mark="trio"), plugins=["trio"])


def test_tests_that_run_at_the_same_time(run_pytest: Run) -> None:
    """A namespace each, in one event loop."""
    output = run_pytest(
        """
        import asyncio

        async def a_test(namespace):
            async with namespace.async_client() as client, client.pubsub() as pubsub:
                await pubsub.subscribe("news")
                assert await client.incr("n") == 1
                assert await client.publish("news", "hello") == 1
                assert await client.dbsize() == 1
                await client.flushall()

        def test_all(respcache_server):
            async def main():
                async with asyncio.TaskGroup() as group:
                    for _ in range(20):
                        group.create_task(a_test(respcache_server.namespace()))
            asyncio.run(main())
        """
    )
    assert "1 passed" in output
