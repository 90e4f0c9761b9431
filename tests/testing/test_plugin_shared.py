"""`respcache_shared`: workers of pytest-xdist share a server, and each has it for itself."""

from __future__ import annotations

import pytest

from tests.support.pytests import Run

pytest.importorskip("xdist")

SHARED = "respcache_shared = true"


def test_workers_see_only_their_own(run_pytest: Run) -> None:
    """Data, channels, keyspace events, waiters, clients: workers run the same tests at the same time on one server."""
    output = run_pytest(
        """
        import threading
        import pytest

        @pytest.mark.parametrize("turn", range(40))
        def test_alone(respcache, respcache_client, respcache_server, worker_id, turn):
            assert respcache_server.name == worker_id
            assert respcache.dbsize() == 0
            me = f"{worker_id} {turn}".encode()
            with respcache.pubsub() as pubsub:
                pubsub.subscribe("news", "__keyspace@0__:key")
                for _ in range(2):
                    assert pubsub.get_message(timeout=10)["type"] == "subscribe"
                assert respcache.publish("news", me) == 1
                respcache.set("key", me)
                respcache.delete("key")
                messages = [pubsub.get_message(timeout=10)["data"] for _ in range(3)]
                assert messages == [me, b"set", b"del"]
                assert pubsub.get_message(timeout=0) is None
            waiter = respcache_client()
            got = []
            thread = threading.Thread(target=lambda: got.append(waiter.blpop("queue", 10)))
            thread.start()
            respcache.rpush("queue", me)
            thread.join()
            assert got == [(b"queue", me)]
            assert respcache.incr("n") == 1
            assert len(respcache.client_list()) <= 3
            assert respcache.script_exists(respcache.script_load("return 1")) == [True]
            if turn % 5 == 0:
                respcache.flushall()

        @pytest.mark.parametrize("turn", range(4))
        def test_one_process(respcache, turn, request):
            print("process", respcache.info("server")["process_id"])
        """,
        "-n",
        "2",
        "-rP",
        ini=f"""
        {SHARED}
        respcache_args = --notify-keyspace-events KA
        """,
    )
    assert "44 passed" in output
    assert len({line for line in output.splitlines() if line.startswith("process ")}) == 1


def test_what_a_namespace_cannot_give(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import pytest, redis

        @pytest.mark.parametrize("name", [
            "clock", "async_clock", "advance", "faults", "snapshots", "journal", "lint", "start", "pid", "process",
            "open_http", "rest_url", "unixsocket",
        ])
        def test_it_says_what_to_do(respcache_server, name):
            with pytest.raises(RuntimeError, match=rf"`{name}` concerns the whole server.*mark.respcache\\(own_server"):
                getattr(respcache_server, name)

        def test_nonsense(respcache_server):
            with pytest.raises(AttributeError):
                respcache_server.nonsense

        @pytest.mark.parametrize("words", [
            "CONFIG SET maxclients 5", "RESPCACHE CLOCK FREEZE", "RESPCACHE FAULT LIST", "RESPCACHE JOURNAL START",
            "RESPCACHE SNAPSHOT s", "SHUTDOWN",
        ])
        def test_commands(respcache, words):
            with pytest.raises(redis.ResponseError, match="concerns the whole server"):
                respcache.execute_command(*words.split())

        @pytest.mark.respcache(own_server=True)
        def test_with_a_server_of_its_own(respcache, respcache_server):
            respcache.set("k", "v", ex=60)
            respcache_server.advance(61)
            assert respcache.get("k") is None
            assert respcache.config_set("maxclients", 5)

        @pytest.fixture
        def catalogue(respcache):
            respcache.set("book", "Dune")

        @pytest.mark.respcache(snapshot="catalogue")
        def test_a_snapshot_means_a_server_of_its_own(respcache, respcache_server):
            assert respcache.get("book") == b"Dune"
            assert respcache_server.snapshots.list()

        @pytest.mark.respcache(keys="keys.json")
        @pytest.mark.parametrize("turn", [1, 2])
        def test_keys_do_not(respcache, respcache_server, turn):
            assert respcache.getdel("book") == b"Ubik"
            assert respcache_server.shared
        """,
        "-n",
        "2",
        ini=SHARED,
        files={"keys.json": '{"book": "Ubik"}'},
    )
    assert "24 passed" in output


def test_what_there_is(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import asyncio
        import redis

        def test_url(respcache_url, respcache_server, worker_id):
            with redis.Redis.from_url(respcache_url) as client:
                client.set("k", worker_id)
            assert f"ns.{worker_id}:" in respcache_url
            with respcache_server.client() as client:
                assert client.get("k") == worker_id.encode()
            respcache_server.flush()
            with redis.Redis(**respcache_server.connection_kwargs) as client:
                assert client.dbsize() == 0
            assert respcache_server.load_keys({"a": "1"}, db=2) == 1
            with respcache_server.client(db=2) as client:
                assert client.get("a") == b"1"
            respcache_server.reset()
            assert respcache_server.alive() and respcache_server.log() == "" and respcache_server.running

        def test_async(respcache_async):
            async def main():
                async with respcache_async:
                    assert await respcache_async.incr("n") == 1
            asyncio.run(main())

        def test_namespaces(respcache, respcache_namespace, respcache_server):
            with respcache_namespace.client() as client, respcache_server.namespace("x") as other:
                client.set("k", "v")
                assert respcache.dbsize() == 0
                with other.client() as another:
                    assert another.dbsize() == 0
        """,
        "-n",
        "2",
        ini=f"""
        {SHARED}
        respcache_args = --requirepass secret
        """,
    )
    assert "3 passed" in output


def test_when_the_server_dies(run_pytest: Run) -> None:
    output = run_pytest(
        """
        import os, signal
        import pytest

        def test_kills(respcache):
            os.kill(respcache.info("server")["process_id"], signal.SIGKILL)

        @pytest.mark.parametrize("turn", range(3))
        def test_after(respcache, turn):
            pass
        """,
        "-n",
        "1",
        ini=SHARED,
        status=1,
    )
    assert "the server that the workers of pytest-xdist share does not answer" in output
    assert "The server that the workers shared is dead: the server died: it was killed by SIGKILL; its log:" in output


def test_without_workers_nothing_is_shared(run_pytest: Run) -> None:
    output = run_pytest("def test_it(respcache_server): respcache_server.advance(1)", ini=SHARED)
    assert "1 passed" in output


def test_namespaces_for_tests_at_the_same_time(run_pytest: Run) -> None:
    """In one process: each test has its own, and it is gone afterwards."""
    output = run_pytest(
        """
        import asyncio
        import pytest

        @pytest.mark.parametrize("turn", range(2))
        def test_it(respcache_namespace, turn):
            async def main():
                async with respcache_namespace.async_client() as client:
                    assert await client.incr("n") == 1
            asyncio.run(main())

        def test_they_are_gone(respcache_server):
            assert respcache_server.namespaces() == []
        """
    )
    assert "3 passed" in output


@pytest.mark.parametrize(("name", "value"), [("lint", "report"), ("journal", "true")])
def test_what_workers_cannot_share(run_pytest: Run, name: str, value: str) -> None:
    ini = f"""
        {SHARED}
        respcache_{name} = {value}
        """
    output = run_pytest("def test_it(respcache): pass", "-n", "1", ini=ini, status=4)
    assert f"respcache_{name} needs a server for each worker: switch respcache_shared off" in output
    assert "1 passed" in run_pytest("def test_it(respcache): pass", ini=ini)
