"""`@pytest.mark.respcache` with settings: tests that want another server, in a pytest of their own."""

from __future__ import annotations

import pytest

from tests.support.pytests import Run


def test_settings_of_one_test(run_pytest: Run) -> None:
    """Each setting has its server, which fixtures of any scope see, and the same settings are the same server."""
    output = run_pytest(
        """
        import pytest, redis

        pids = {}

        @pytest.fixture(scope="session")
        def app(respcache_session_url):
            with redis.Redis.from_url(respcache_session_url) as client:
                yield client

        def databases(client):
            return client.config_get("databases")["databases"]

        def test_usual(app, respcache, respcache_server):
            assert databases(app) == databases(respcache) == "16"
            pids["usual"] = respcache_server.pid

        @pytest.mark.respcache(args=["--databases", 3])
        @pytest.mark.parametrize("turn", [1, 2])
        def test_marked(app, respcache, respcache_server, turn):
            assert databases(app) == databases(respcache) == "3"
            assert respcache.dbsize() == 0
            app.set("k", "v", ex=60)
            respcache_server.advance(61)
            assert respcache.get("k") is None
            assert pids.setdefault("marked", respcache_server.pid) == respcache_server.pid != pids["usual"]

        @pytest.mark.respcache(shards=2, args="--maxmemory 10mb")
        class TestSharded:
            def test_it(self, respcache_url, respcache_server):
                assert respcache_server.shards == 2
                with redis.Redis.from_url(respcache_url) as client:
                    assert client.config_get("maxmemory") == {"maxmemory": "10485760"}

            @pytest.mark.respcache(args=())
            def test_nearest(self, respcache, respcache_server):
                assert respcache_server.shards == 2
                assert respcache.config_get("maxmemory") == {"maxmemory": "0"}

        @pytest.mark.respcache(args=["--databases", "4"])
        def test_found_out_on_the_way(request):
            assert databases(request.getfixturevalue("respcache")) == "4"

        @pytest.mark.respcache(own_server=True)
        def test_the_server_of_the_run_is_its_own(respcache_server):
            assert respcache_server.pid == pids["usual"]

        def test_usual_again(app, respcache_server):
            assert databases(app) == "16"
            assert respcache_server.pid == pids["usual"]
        """,
        "-v",
    )
    assert "8 passed" in output


def test_a_state_on_another_server(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import pytest

        made = []

        @pytest.fixture
        def catalogue(respcache):
            made.append(respcache.dbsize())
            respcache.set("book", "Dune")

        @pytest.mark.respcache(snapshot="catalogue", shards=2)
        @pytest.mark.parametrize("turn", range(3))
        def test_it(respcache, respcache_server, turn):
            assert respcache_server.shards == 2
            assert respcache.getdel("book") == b"Dune"
            assert made == [0]
        """
    )
    assert "3 passed" in output


def test_only_a_few_servers_are_kept(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import pytest

        servers = set()

        def look(server, count):
            servers.add(server)
            assert server.client().config_get("databases") == {"databases": str(count)}
            assert sum(each.running for each in servers) <= 3

        for number in range(2, 8):
            @pytest.mark.respcache(args=["--databases", number])
            def marked(respcache_server, number=number):
                look(respcache_server, number)
            globals()[f"test_{number}"] = marked
        """
    )
    assert "6 passed" in output


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        ("nonsense=1", "takes `snapshot=` or `keys=`"),
        ("'catalogue'", "takes `snapshot=` or `keys=`"),
        ("", "takes `snapshot=` or `keys=`"),
        ("snapshot='a', keys='b'", "takes `snapshot=` or `keys=`"),
        ("args=['--nonsense', '1']", "StartError: respcache ended with status 1"),
        ("shards='many'", "invalid literal for int"),
    ],
)
def test_wrong_marks(run_pytest: Run, mark: str, text: str) -> None:
    test = f"""
        import pytest

        @pytest.mark.respcache({mark})
        def test_it(respcache):
            pass
    """
    output = run_pytest(test, status=1)
    assert text in output
    assert "1 error" in output


def test_where_a_mark_cannot_give_another_server(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import unittest
        import pytest

        class Test(unittest.TestCase):
            @pytest.mark.respcache(shards=2)
            def test_it(self):
                pass
        """,
        status=1,
    )
    assert "methods of unittest cannot have another server by a mark" in output
    output = run_pytest(
        """
        import pytest
        from respcache.testing import Server

        @pytest.fixture(scope="session")
        def respcache_server():
            with Server() as server:
                yield server

        @pytest.mark.respcache(shards=2)
        def test_it(respcache):
            pass
        """,
        status=1,
    )
    assert "need the fixture `respcache_server` of respcache" in output


def test_servers_of_a_wider_scope(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import pytest

        kept = []

        @pytest.fixture(scope="class")
        def cluster(respcache_server_factory):
            server = respcache_server_factory(shards=2)
            kept.append(server)
            yield server
            server.stop()

        class TestIt:
            def test_once(self, cluster):
                assert cluster.client().incr("n") == 1

            def test_twice(self, cluster):
                assert cluster.client().incr("n") == 2

        def test_it_ended_with_the_class(respcache_server_factory):
            assert not kept[0].running
            assert respcache_server_factory().client().ping()
        """
    )
    assert "3 passed" in output
