"""`@pytest.mark.respcache`: tests that start from a prepared state, in a pytest of their own."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.pytests import Run

CATALOGUE = """
        import pytest

        made = []

        @pytest.fixture
        def catalogue(respcache):
            made.append(1)
            respcache.set("book", "Dune", ex=60)
            respcache.rpush("queue", "a", "b")
"""


def test_the_fixture_of_that_name_prepares_the_state_once(run_pytest: Run) -> None:
    output = run_pytest(
        CATALOGUE
        + """
        @pytest.mark.respcache(snapshot="catalogue")
        @pytest.mark.parametrize("turn", range(5))
        def test_it(respcache, respcache_server, turn):
            assert respcache.get("book") == b"Dune"
            assert respcache.ttl("book") == 60
            assert respcache.lpop("queue") == b"a"
            assert respcache.dbsize() == 2
            respcache.set("mine", turn)
            respcache_server.advance(30)
            assert len(made) == 1

        def test_without(respcache):
            assert respcache.dbsize() == 0

        @pytest.mark.respcache(snapshot="catalogue")
        def test_that_flushes(respcache):
            respcache.flushall()

        @pytest.mark.respcache(snapshot="catalogue")
        class TestMore:
            @pytest.fixture(autouse=True)
            def own(self, respcache):
                assert respcache.get("book")

            def test_url(self, respcache_url):
                assert len(made) == 1
        """
    )
    assert "8 passed" in output


def test_a_snapshot_that_a_fixture_of_the_session_takes(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import pytest

        @pytest.fixture(scope="session", autouse=True)
        def prepared(respcache_server):
            with respcache_server.client() as client:
                client.set("k", "v")
            respcache_server.snapshots.take("mine")

        @pytest.mark.respcache(snapshot="mine")
        @pytest.mark.parametrize("turn", range(2))
        def test_it(respcache, turn):
            assert respcache.getdel("k") == b"v"
        """
    )
    assert "2 passed" in output


def test_keys_from_a_file(run_pytest: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "keys.json").write_text(json.dumps({"k": "v", "l": ["a", "b"]}))
    output = run_pytest(
        """
        import pytest

        pytestmark = pytest.mark.respcache(keys="data/keys.json")

        @pytest.mark.parametrize("turn", range(3))
        def test_it(respcache, turn):
            assert respcache.get("k") == b"v"
            assert respcache.lpop("l", 2) == [b"a", b"b"]

        def test_settings_and_time(respcache, respcache_server):
            assert len(respcache_server.snapshots.list()) == 1
        """
    )
    assert "4 passed" in output


def test_a_server_that_lost_the_snapshot(run_pytest: Run) -> None:
    """With a shard, or as a whole."""
    output = run_pytest(
        CATALOGUE
        + """
        import os, signal

        @pytest.mark.respcache(snapshot="catalogue")
        def test_first(respcache, respcache_server):
            os.kill(respcache.execute_command("DEBUG", "SHARDS")[0][1], signal.SIGKILL)
            while respcache.execute_command("DEBUG", "SHARDS")[0][2] == 0:
                pass

        @pytest.mark.respcache(snapshot="catalogue")
        def test_second(respcache, respcache_server):
            assert respcache.get("book") == b"Dune"
            respcache_server.stop()

        @pytest.mark.respcache(snapshot="catalogue")
        def test_third(respcache):
            assert respcache.get("book") == b"Dune"
            assert len(made) == 3
        """
    )
    assert "3 passed" in output


def test_with_the_clock_and_settings(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import pytest
        from datetime import datetime, UTC

        @pytest.fixture
        def new_year(respcache, respcache_server):
            respcache_server.clock.freeze()
            respcache_server.clock.set(datetime(2030, 1, 1, tzinfo=UTC))
            respcache.config_set("timeout", 7)

        @pytest.mark.respcache(snapshot="new_year", clock=True, config=True)
        @pytest.mark.parametrize("turn", range(2))
        def test_it(respcache, respcache_server, turn):
            assert respcache_server.clock.now() == datetime(2030, 1, 1, tzinfo=UTC)
            assert respcache.config_get("timeout") == {"timeout": "7"}
            respcache_server.clock.advance(100)
        """
    )
    assert "2 passed" in output


def test_mistakes(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import pytest

        @pytest.mark.respcache(snapshot="nothing")
        def test_no_fixture(respcache):
            pass

        @pytest.mark.respcache("catalogue")
        def test_no_name(respcache):
            pass

        @pytest.mark.respcache(keys="nothing.json")
        def test_no_file(respcache):
            pass
        """,
        status=1,
    )
    assert "there is no snapshot 'nothing', and no fixture of that name that would prepare the state" in output
    assert "@pytest.mark.respcache takes `snapshot=` or `keys=`, `config=` and `clock=`" in output
    assert "No such file or directory" in output
    assert "3 errors" in output


def test_the_mark_is_known(run_pytest: Run) -> None:
    assert "@pytest.mark.respcache(snapshot=None, keys=None" in run_pytest("", "--markers")
