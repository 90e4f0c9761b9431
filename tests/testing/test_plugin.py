"""The pytest plugin, as its users have it: a pytest of its own on small test files."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import respcache

SOURCE = Path(respcache.__file__).parents[1]
Run = Callable[..., str]


@pytest.fixture
def run_pytest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Write a test file, run pytest on it with warnings as errors, and return its output; it must succeed."""
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    # Installed, the plugin is there by itself.
    plugin = [] if entry_points(group="pytest11", name="respcache") else ["-p", "respcache.testing.plugin"]

    def run(test: str, *options: str, ini: str = "", status: int = 0) -> str:
        (tmp_path / "test_it.py").write_text(textwrap.dedent(test))
        (tmp_path / "pytest.ini").write_text("[pytest]\n" + textwrap.dedent(ini))
        # pytest-asyncio, where it is installed, warns unless it is configured.
        others = [] if "asyncio_" in ini else ["-p", "no:asyncio"]
        command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *plugin, *others, *options]
        done = subprocess.run(
            command, cwd=tmp_path, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    return run


def test_each_test_finds_an_empty_server(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import pytest, redis

        @pytest.mark.parametrize("turn", [1, 2])
        def test_client(respcache, turn):
            assert isinstance(respcache, redis.Redis)
            assert respcache.dbsize() == 0
            respcache.set("k", "v")
            assert respcache.get("k") == b"v"

        def test_url(respcache_url):
            with redis.Redis.from_url(respcache_url) as client:
                assert client.dbsize() == 0
        """
    )
    assert "3 passed" in output


def test_one_server_for_all_tests(run_pytest: Run) -> None:
    output = run_pytest(
        """
        pids = set()

        def test_once(respcache_server):
            pids.add(respcache_server.pid)
            respcache_server.client().set("kept", "by the server fixture")

        def test_twice(respcache_server):
            pids.add(respcache_server.pid)
            assert len(pids) == 1
            assert respcache_server.client().get("kept")

        def test_time(respcache, respcache_server):
            respcache.set("k", "v", ex=60)
            respcache_server.advance(61)
            assert respcache.get("k") is None
        """
    )
    assert "3 passed" in output


def test_ini_options(run_pytest: Run) -> None:
    output = run_pytest(
        """
        def test_settings(respcache):
            assert respcache.config_get("maxmemory") == {"maxmemory": "10485760"}
            assert respcache.config_get("databases") == {"databases": "3"}

        def test_shards(respcache_server):
            assert respcache_server.shards == 2
        """,
        ini="""
        respcache_shards = 2
        respcache_args = --maxmemory 10mb --databases 3
        """,
    )
    assert "2 passed" in output


def test_wrong_ini_option(run_pytest: Run) -> None:
    test = "def test_it(respcache): pass"
    assert "respcache_shards: 'many' is not a number" in run_pytest(test, ini="respcache_shards = many", status=1)


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
    )
    assert "3 passed" in output


def test_with_xdist_each_worker_has_a_server(run_pytest: Run) -> None:
    pytest.importorskip("xdist")
    output = run_pytest(
        """
        import pytest

        @pytest.mark.parametrize("turn", range(20))
        def test_alone(respcache, turn):
            assert respcache.dbsize() == 0
            assert respcache.incr("n") == 1
        """,
        "-n",
        "2",
    )
    assert "20 passed" in output


def test_fixtures_are_listed_with_their_descriptions(run_pytest: Run) -> None:
    output = run_pytest("", "--fixtures")
    for name in ("respcache_server", "respcache", "respcache_async", "respcache_url"):
        described = re.search(rf"^{name}(?: \[session scope\])? -- .*plugin\.py:\d+\n    (.*)", output, re.MULTILINE)
        assert described is not None, output
        assert "no docstring" not in described[1]


def test_the_plugin_alone_imports_nothing_heavy() -> None:
    script = """
import sys
import pytest
before = set(sys.modules)
import respcache.testing.plugin
print(*sorted(set(sys.modules) - before))
"""
    environment = {"PYTHONPATH": str(SOURCE)}
    loaded = subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True)
    packages = {name.split(".")[0] for name in loaded.stdout.decode().split()}
    assert "respcache" in packages
    assert not packages & {"redis", "trio", "hiredis", "asyncio", "sortedcontainers", "lupa"}
