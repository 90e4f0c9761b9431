"""What the plugin shows when something goes wrong, in a pytest of its own."""

from __future__ import annotations

import time

import pytest

import respcache.commands.all
import respcache.server.commands  # noqa: F401 - both fill the table
from respcache.commands.table import TABLE
from respcache.redis_commands import REDIS_COMMANDS
from tests.support.pytests import Run


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


def test_failing_tests_show_what_clients_have_sent(run_pytest: Run) -> None:
    test = """
        def test_passes(respcache):
            respcache.set("unseen", 1)

        def test_fails(respcache, respcache_client):
            respcache.set("user:1", "Ada")
            assert respcache_client().get("user:1") == b"Grace"

        def test_fails_too(respcache, respcache_server):
            with respcache_server.journal() as calls:
                respcache.get("other")
            respcache.get("later")
            calls.assert_no("GET")

        def test_many(respcache):
            with respcache.pipeline(transaction=False) as pipe:
                for number in range(2000):
                    pipe.incr(f"n{number}.")
                pipe.execute()
            assert 0
    """
    output = run_pytest(test, ini="respcache_journal = true", status=1)
    first, second, third = output.split("respcache journal")[1:]
    assert "> SET user:1 Ada\nOK\n" in first
    assert '> GET user:1\n"Ada"' in first
    assert "unseen" not in output
    assert "> GET other\n(nil)" in second
    assert "> GET later\n(nil)" in second
    assert "... earlier calls ..." in third
    assert "> INCRBY n1999. 1\n(integer) 1" in third
    assert "n1900." not in third
    assert "respcache journal" not in run_pytest(test, status=1)
