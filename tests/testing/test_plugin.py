"""The pytest plugin, as its users have it: fixtures, settings, and what it costs."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.pytests import SOURCE, Run


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
    assert "respcache_shards is not a number: " in run_pytest(test, ini="respcache_shards = many", status=1)


# -- settings


def test_text_in_place_of_bytes(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import asyncio

        def test_it(respcache, respcache_client, respcache_async):
            respcache.set("k", "v")
            assert respcache.get("k") == respcache_client().get("k") == "v"
            assert respcache_client(decode_responses=False).get("k") == b"v"
            assert respcache_client(db=1).get("k") is None
            assert asyncio.run(respcache_async.get("k")) == "v"
        """,
        ini="respcache_decode_responses = true",
    )
    assert "1 passed" in output


def test_a_url_for_the_session(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import pytest, redis

        @pytest.fixture(scope="session")
        def app(respcache_session_url):
            with redis.Redis.from_url(respcache_session_url) as client:
                yield client

        def test_set(app, respcache_url, respcache_session_url):
            assert respcache_url == respcache_session_url
            app.set("k", "v")

        def test_kept(app):
            assert app.get("k") == b"v"

        def test_gone(app, respcache):
            assert app.get("k") is None
        """
    )
    assert "3 passed" in output


@pytest.mark.parametrize(
    ("table", "args"),
    [("tool.pytest.ini_options", '["--databases", 3]'), ("tool.pytest", '["--databases", "3"]')],
)
def test_numbers_in_toml(run_pytest: Run, tmp_path: Path, table: str, args: str) -> None:
    """In `tool.pytest`, pytest itself insists that words are text."""
    if table == "tool.pytest" and pytest.version_tuple < (9,):
        pytest.skip(reason="pytest knows this table since 9.0")
    (tmp_path / "pyproject.toml").write_text(
        f"""
        [{table}]
        respcache_shards = 2
        respcache_args = {args}
        respcache_decode_responses = true
        """
    )
    output = run_pytest(
        """
        def test_it(respcache, respcache_server):
            assert respcache_server.shards == 2
            assert respcache.config_get("databases") == {"databases": "3"}
            assert respcache.echo("text") == "text"
        """,
        "-c",
        "pyproject.toml",
    )
    assert "1 passed" in output


def test_a_server_of_ones_own(run_pytest: Run) -> None:
    """The fixture `respcache_server` may be overridden: all others use that."""
    output = run_pytest(
        """
        import pytest
        from respcache.testing import Server

        @pytest.fixture(scope="session")
        def respcache_server():
            with Server(args=["--requirepass", "secret"]) as server:
                yield server

        @pytest.mark.parametrize("turn", [1, 2])
        def test_it(respcache, respcache_server, turn, pytestconfig):
            assert respcache.incr("n") == 1
            assert "secret" in respcache_server.url
        """
    )
    assert "2 passed" in output


def test_a_server_per_test(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import pytest
        from respcache.testing import Server

        pids = set()

        @pytest.fixture
        def options():
            return ["--databases", 3]

        @pytest.fixture
        def respcache_server(options):
            with Server(args=options) as server:
                yield server

        @pytest.mark.parametrize("turn", [1, 2])
        def test_it(respcache, respcache_server, turn):
            assert respcache.incr("n") == 1
            assert respcache.config_get("databases") == {"databases": "3"}
            pids.add(respcache_server.pid)
            assert len(pids) == turn
        """
    )
    assert "2 passed" in output


# -- what it costs


def test_no_server_is_started_without_need(run_pytest: Run, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        textwrap.dedent(
            """
            import respcache.testing.server as module

            class Counted(module.Server):
                def start_soon(self):
                    super().start_soon()
                    print("SERVER UP", self.pid)

                def stop(self):
                    if self.running:
                        print("SERVER DOWN", self.pid)
                    super().stop()

            module.Server = Counted
            """
        )
    )
    test = """
        def test_plain(): pass
        def test_redis(respcache): pass
    """
    assert "SERVER UP" not in run_pytest(test, "-s", "--collect-only")
    assert "SERVER UP" not in run_pytest("def test_plain(): pass", "-s")
    output = run_pytest(test, "-s", "-k", "plain")
    assert output.count("SERVER UP") == output.count("SERVER DOWN") <= 1
    output = run_pytest(test, "-s")
    assert output.count("SERVER UP") == output.count("SERVER DOWN") == 1
    assert output.index("SERVER UP") < output.index("collected 2 items")  # it starts while tests are collected


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
    for name in (
        "respcache_server",
        "respcache",
        "respcache_async",
        "respcache_url",
        "respcache_rest_url",
        "respcache_namespace",
    ):
        described = re.search(rf"^{name}(?: \[session scope\])? -- .*fixtures\.py:\d+\n    (.*)", output, re.MULTILINE)
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
