"""The fixtures for HTTP, in a pytest of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.pytests import SOURCE, Run

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
