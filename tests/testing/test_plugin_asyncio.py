"""The clients for asyncio that fixtures make, in a pytest of their own."""

from __future__ import annotations

import importlib.util

import pytest

from tests.support.pytests import Run


def test_async_client_with_asyncio_run(run_pytest: Run) -> None:
    # The second test leaves its connections open when its event loop ends: the fixture sees to them.
    output = run_pytest(
        """
        import asyncio, gc

        def test_closed(respcache_async):
            async def main():
                async with respcache_async:
                    await respcache_async.set("k", "v")
                    assert await respcache_async.get("k") == b"v"

            asyncio.run(main())

        def test_left_open(respcache_async):
            async def main():
                assert await respcache_async.dbsize() == 0
                assert sorted(await asyncio.gather(*[respcache_async.incr("n") for _ in range(5)])) == [1, 2, 3, 4, 5]

            asyncio.run(main())

        def test_never_used(respcache_async):
            pass

        def test_no_warning_comes_late():
            gc.collect()
        """
    )
    assert "4 passed" in output


@pytest.mark.skipif(not importlib.util.find_spec("pytest_asyncio"), reason="pytest-asyncio is not installed")
def test_async_client_with_pytest_asyncio(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import gc, pytest

        @pytest.mark.asyncio
        @pytest.mark.parametrize("turn", [1, 2])
        async def test_it(respcache_async, turn):
            assert await respcache_async.incr("n") == 1
            async with respcache_async.pubsub() as pubsub:
                await pubsub.subscribe("channel")
                await respcache_async.publish("channel", "hello")

        def test_no_warning_comes_late():
            gc.collect()
        """,
        ini="asyncio_default_fixture_loop_scope = function",
        plugins=["asyncio"],
    )
    assert "3 passed" in output


@pytest.mark.skipif(not importlib.util.find_spec("pytest_trio"), reason="pytest-trio is not installed")
def test_async_client_under_trio_says_what_is_wrong(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import pytest

        @pytest.mark.trio
        async def test_it(respcache_async):
            await respcache_async.get("k")
        """,
        status=1,
        plugins=["trio"],
    )
    assert "RuntimeError: this is redis-py's client for asyncio, and it runs under trio: use a synchronous" in output
