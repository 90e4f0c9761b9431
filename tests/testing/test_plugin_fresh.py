"""Each test finds a fresh server, once: in a pytest of their own."""

from __future__ import annotations

from tests.support.pytests import Run


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
