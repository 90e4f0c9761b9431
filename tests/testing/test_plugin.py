"""The pytest plugin, as its users have it: a pytest of its own on small test files."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import respcache
import respcache.commands.all
import respcache.server.commands
from respcache.commands.table import TABLE
from respcache.redis_commands import REDIS_COMMANDS

SOURCE = Path(respcache.__file__).parents[1]
Run = Callable[..., str]

# They want settings of their own, and warn without; each is on in the tests that name it.
OTHER_PLUGINS = ("asyncio", "anyio", "trio", "django")


@pytest.fixture
def run_pytest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Write a test file, run pytest on it with warnings as errors, and return its output; it must succeed."""
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    # Installed, the plugin is there by itself.
    plugin = [] if entry_points(group="pytest11", name="respcache") else ["-p", "respcache.testing.plugin"]

    def run(test: str, *options: str, ini: str = "", status: int = 0, plugins: Sequence[str] = ()) -> str:
        (tmp_path / "test_it.py").write_text(textwrap.dedent(test))
        (tmp_path / "pytest.ini").write_text("[pytest]\n" + textwrap.dedent(ini))
        command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *plugin, *options]
        for name in set(OTHER_PLUGINS) - set(plugins):
            command += ["-p", f"no:{name}"]
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


HTTP = """
        import json, urllib.request

        def ask(url, token, *path):
            headers = {"Authorization": f"Bearer {token}"}
            request = urllib.request.Request("/".join([url, *path]), headers=headers)
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.load(response)["result"]
"""


def test_the_http_door(run_pytest: Run) -> None:
    """It is opened for the first test that wants it, and each test finds an empty server."""
    output = run_pytest(
        HTTP
        + """
        import pytest

        urls = set()

        def test_not_open_yet(respcache):
            assert "listener3" not in respcache.info("server")

        @pytest.mark.parametrize("turn", [1, 2])
        def test_it(respcache, respcache_server, respcache_rest_url, respcache_rest_token, turn):
            urls.add(respcache_rest_url)
            assert respcache_rest_token == respcache_server.rest_token == "secret"
            assert ask(respcache_rest_url, respcache_rest_token, "dbsize") == 0
            assert ask(respcache_rest_url, respcache_rest_token, "set", "k", "v", "ex", "60") == "OK"
            assert respcache.get("k") == b"v"
            respcache_server.advance(61)
            assert ask(respcache_rest_url, respcache_rest_token, "get", "k") is None
            assert ask(respcache_rest_url, respcache_rest_token, "set", "k", "v") == "OK"

        def test_alone(respcache_rest_url, respcache_rest_token):
            assert ask(respcache_rest_url, respcache_rest_token, "dbsize") == 0

        def test_found_out_on_the_way(request, respcache):
            respcache.set("k", "v")
            assert ask(request.getfixturevalue("respcache_rest_url"), "secret", "get", "k") == "v"

        def test_stopped(respcache_server, respcache_rest_url):
            respcache_server.stop()

        def test_the_same_address(respcache_rest_url):
            assert urls == {respcache_rest_url}
            assert ask(respcache_rest_url, "secret", "ping") == "PONG"
        """,
        ini="respcache_args = --requirepass secret",
    )
    assert "7 passed" in output


def test_the_http_door_of_a_server_of_ones_own(run_pytest: Run) -> None:
    output = run_pytest(
        HTTP
        + """
        import pytest
        from respcache.testing import Server

        @pytest.fixture(scope="session")
        def respcache_server():
            with Server(shards=2) as server:
                yield server

        def test_it(respcache_rest_url, respcache_rest_token):
            assert ask(respcache_rest_url, respcache_rest_token, "ping") == "PONG"
        """
    )
    assert "1 passed" in output


def test_the_http_door_without_h11(run_pytest: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "packages").mkdir()
    missing = 'raise ModuleNotFoundError("No module named \'h11\'", name="h11")\n'
    (tmp_path / "packages" / "h11.py").write_text(missing)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "packages"), str(SOURCE)]))
    output = run_pytest(
        """
        def test_without(respcache):
            assert respcache.ping()

        def test_with(respcache_rest_url):
            pass
        """,
        status=1,
    )
    assert "1 passed, 1 error" in output
    assert "ERR The HTTP door needs the package h11" in output
    assert "During handling" not in output
    assert "Traceback" not in output


def test_wrong_ini_option(run_pytest: Run) -> None:
    test = "def test_it(respcache): pass"
    assert "respcache_shards is not a number: " in run_pytest(test, ini="respcache_shards = many", status=1)


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


# -- fresh for each test, once


def test_what_fixtures_store_is_kept(run_pytest: Run) -> None:
    """Whatever a test asks for, and in whatever order: the server is emptied once, before all of it."""
    output = run_pytest(
        """
        import pytest, redis

        @pytest.fixture
        def seeded(respcache):
            respcache.set("seeded by", "a client")

        @pytest.fixture
        def seeded_by_handle(respcache_server):
            with respcache_server.client() as client:
                client.set("seeded by", "a client of its own")

        @pytest.fixture
        def app(respcache_url):
            with redis.Redis.from_url(respcache_url) as client:
                yield client

        def test_seeded_first(seeded, app):
            assert app.get("seeded by") == b"a client"

        def test_seeded_last(app, seeded, respcache_async, respcache_client, respcache_url):
            assert app.get("seeded by") == b"a client"

        def test_empty_again(app):
            assert app.get("seeded by") is None

        def test_seeded_by_handle(seeded_by_handle, respcache):
            assert respcache.get("seeded by") == b"a client of its own"
        """
    )
    assert "4 passed" in output


def test_everything_is_as_at_the_start(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import time
        import pytest

        def check(server):
            with server.client() as client:
                assert client.dbsize() == 0
                assert client.config_get("maxclients", "requirepass") == {"maxclients": "50", "requirepass": ""}
                assert abs(client.time()[0] - time.time()) < 1000
                client.set("k", "v", px=1)
                server.advance(1)
                assert client.dbsize() == 0
                client.set("k", "v")

        def spoil(server):
            server.advance(100_000)
            with server.client() as client, server.client(db=5) as other:
                other.set("k", "v")
                client.config_set("maxclients", 49)
                client.config_set("notify-keyspace-events", "KEA")
                client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", 0)
                client.client_kill_filter(skipme=True, _type="normal")
                client.config_set("requirepass", "secret")
                client.client_pause(3_600_000)

        @pytest.mark.parametrize(
            "fixture", ["respcache", "respcache_client", "respcache_url", "respcache_async", "respcache"]
        )
        def test_it(fixture, request, respcache_server):
            request.getfixturevalue(fixture)
            check(respcache_server)
            spoil(respcache_server)
        """,
        ini="respcache_args = --maxclients 50",
    )
    assert "5 passed" in output


def test_the_connection_is_kept_and_clean(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import pytest, redis

        ids = set()
        LEAVE = {
            "a database": lambda client: client.execute_command("SELECT", 3),
            "a transaction": lambda client: client.execute_command("MULTI"),
            "watches": lambda client: client.execute_command("WATCH", "k"),
            "a name": lambda client: client.client_setname("me"),
            "RESP2": lambda client: client.execute_command("HELLO", 2),
            "RESP3": lambda client: client.execute_command("HELLO", 3),
            "callbacks": lambda client: client.set_response_callback("GET", lambda reply: 1 / 0),
            "a closed client": lambda client: client.close(),
            "nothing": lambda client: None,
        }

        def check(client):
            assert client.get("k") is None
            assert client.client_getname() is None
            assert client.hset("h", "f", "v") == 1
            assert client.hgetall("h") == {b"f": b"v"}
            with client.pipeline() as pipe:
                assert pipe.set("k", "v").get("k").execute() == [True, b"v"]
            assert client.client_info()["db"] in (0, "0")

        @pytest.mark.parametrize("left", LEAVE)
        def test_it(respcache, left):
            check(respcache)
            ids.add(respcache.client_id())
            LEAVE[left](respcache)

        def test_only_one_was_needed(respcache):
            check(respcache)
            ids.add(respcache.client_id())
            assert len(ids) == 1
        """
    )
    assert "10 passed" in output


def test_a_connection_that_is_no_good_is_not_kept(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import pytest

        kept = []

        def in_use(client, server):
            kept.append(client.pubsub())
            kept[-1].subscribe("c")

        def broken(client, server):
            with server.client() as other:
                other.client_kill_filter(skipme=True, _type="normal")

        def several(client, server):
            taken = [client.connection_pool.get_connection() for _ in range(3)]
            for connection in taken:
                connection.send_command("MULTI")
                assert connection.read_response() in (b"OK", "OK")
                client.connection_pool.release(connection)

        def unread(client, server):
            connection = client.connection_pool.get_connection()
            connection.send_command("ECHO", "an answer that nobody reads")
            assert connection.can_read(timeout=10)
            client.connection_pool.release(connection)

        def muted(client, server):
            connection = client.connection_pool.get_connection()
            connection.send_command("CLIENT", "REPLY", "SKIP")
            client.connection_pool.release(connection)

        def restarted(client, server):
            server.stop()
            server.start()

        def stopped(client, server):
            server.stop()

        def full(client, server):
            client.config_set("maxclients", 1)
            client.connection_pool.disconnect()
            client.ping()
            kept.append(client.connection_pool.get_connection())

        def password(client, server):
            client.config_set("requirepass", "secret")
            client.connection_pool.disconnect()

        WAYS = [in_use, broken, several, unread, muted, restarted, stopped, full, password, in_use]

        @pytest.mark.parametrize("spoil", WAYS)
        def test_it(respcache, respcache_server, spoil):
            respcache.ping()
            assert respcache.dbsize() == 0
            respcache.set("k", "v")
            spoil(respcache, respcache_server)

        def test_no_subscriber_is_left(respcache):
            assert respcache.dbsize() == 0
            assert respcache.pubsub_numsub("c") == [(b"c", 0)]
        """
    )
    assert "11 passed" in output


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


# -- when something goes wrong


def test_failing_tests_show_the_log_of_their_time(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import os, signal

        def kill_shard(client):
            for index, pid, restarts, unanswered in client.execute_command("DEBUG", "SHARDS"):
                os.kill(pid, signal.SIGKILL)
            while not client.execute_command("DEBUG", "SHARDS")[0][2]:
                pass

        def test_passes(respcache):
            kill_shard(respcache)

        def test_fails(respcache):
            os.kill(respcache.execute_command("DEBUG", "SHARDS")[0][1], signal.SIGKILL)
            while respcache.execute_command("DEBUG", "SHARDS")[0][2] < 2:
                pass
            assert False

        def test_fails_without_a_server():
            assert False
        """,
        status=1,
    )
    assert "2 failed, 1 passed" in output
    assert output.count("respcache log") == 1
    assert output.count("shard 0 died") == 1
    assert "Ready to accept connections" not in output


def test_a_server_that_dies_is_told_at_once_and_replaced(run_pytest: Run) -> None:
    started = time.monotonic()
    output = run_pytest(
        """
        import os, signal
        import pytest, redis

        def kill(server):
            os.kill(server.pid, signal.SIGKILL)
            while server.alive():
                pass

        def test_that_kills(respcache, respcache_server):
            kill(respcache_server)

        def test_that_needs_it(respcache, respcache_server):
            kill(respcache_server)
            respcache.get("k")

        @pytest.mark.parametrize("turn", range(3))
        def test_after(respcache, respcache_session_url, respcache_server, turn):
            assert respcache.incr("n") == 1
            assert respcache_server.url == respcache_session_url

        def test_that_kills_unwatched(respcache_server):
            kill(respcache_server)

        def test_that_finds_it_dead(respcache_server):
            assert False, "not reached"

        def test_after_all(respcache_server):
            with respcache_server.client() as client:
                assert client.ping() is True
        """,
        status=1,
    )
    assert "1 failed, 6 passed, 2 errors" in output
    assert "ConnectionError: the server died: it was killed by SIGKILL; its log:" in output
    assert "before this test, the server died: it was killed by SIGKILL; its log:" in output
    assert "ERROR at teardown of test_that_kills " in output
    assert time.monotonic() - started < 20


def test_a_server_that_does_not_start(run_pytest: Run) -> None:
    test = """
        def test_it(respcache): pass
        def test_too(respcache): pass
    """
    output = run_pytest(test, ini="respcache_args = --no-such-directive 1", status=1)
    assert "2 errors" in output
    assert "StartError: respcache ended with status 1 when it was started; its log:" in output


def test_missing_commands_are_listed_at_the_end(run_pytest: Run) -> None:
    missing = [name for name in REDIS_COMMANDS if " " not in name and name.encode() not in TABLE][-2:]
    if not missing:
        pytest.skip(reason="respcache has all commands of Redis")
    test = f"""
        import pytest, redis

        @pytest.mark.parametrize("name", {missing!r})
        def test_it(respcache, respcache_server, name):
            with pytest.raises(redis.ResponseError, match="unknown command"):
                respcache.execute_command(name)
            with pytest.raises(redis.ResponseError, match="unknown command"):
                respcache.execute_command("NONSENSE")
            respcache_server.stop()
    """
    line = f"Called, but not in respcache yet: {', '.join(missing)}\n"
    assert line in run_pytest(test)
    assert line in run_pytest(test, "-n", "2")
    assert "not in respcache yet" not in run_pytest("def test_it(respcache): pass")


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
    for name in ("respcache_server", "respcache", "respcache_async", "respcache_url", "respcache_rest_url"):
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
