"""Tracking with namespaces, snapshots and RESPCACHE RESET."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.support.resp import Closed, Connection
from tests.support.tracking import Cache, figures, push
from tests.support.transcript import Transcript

Connect = Callable[..., Connection]


def read_on(connection: Connection) -> None:
    """Read until the connection is closed. Raises what says so."""
    while True:
        connection.read()


@pytest.mark.respcache_only(reason="namespaces, snapshots, RESPCACHE RESET")
class TestRespcache:
    def test_namespaces(self, do: Transcript, connect: Connect) -> None:
        """Clients are told of what happens in their own, and can be redirected there only."""
        here, listener = Cache(connect, 3), Cache(connect, 3, "BCAST")
        others = []
        for options in ((), ("BCAST",)):
            other = connect(protocol=3)
            other.call("RESPCACHE", "NAMESPACE", "elsewhere")
            other.call("CLIENT", "TRACKING", "ON", *options)
            other.call("GET", "k")
            others.append(other)
        here("GET", "k")
        do("SET", "k", 1)
        assert here.told() == listener.told() == [["k"]]
        assert [other.call("PING") for other in others] == ["PONG", "PONG"]
        here("GET", "k")
        writer = connect()
        writer.call("RESPCACHE", "NAMESPACE", "elsewhere")
        writer.call("SET", "k", 1)
        assert [other.read() for other in others] == [push(b"invalidate", [b"k"])] * 2
        writer.call("FLUSHALL")
        assert [other.read() for other in others] == [push(b"invalidate", None)] * 2
        assert here.told() == listener.told() == []
        number = here("CLIENT", "ID")
        assert "does not exist" in str(writer.call("CLIENT", "TRACKING", "ON", "REDIRECT", number))
        counted = re.findall(r"tracking_\w+:(\d+)", str(writer.call("INFO")))
        assert counted == ["2", "0", "0", "1"]
        do("RESPCACHE", "NAMESPACE", "DROP", "elsewhere")

    def test_leaving_a_namespace_ends_it(self, do: Transcript, connect: Connect) -> None:
        for options in ((), ("BCAST",)):
            reader = connect(protocol=3)
            reader.call("CLIENT", "TRACKING", "ON", *options)
            reader.call("GET", "k")
            reader.call("RESPCACHE", "NAMESPACE", "elsewhere")
            assert reader.call("CLIENT", "GETREDIR") == -1
            do("SET", "k", 1)
            assert reader.call("PING") == "PONG"
        do("RESPCACHE", "NAMESPACE", "DROP", "elsewhere")

    def test_reset(self, do: Transcript, connect: Connect) -> None:
        """Others are told that everything may have changed; the client itself tracks no more."""
        other, own = Cache(connect, do.protocol), Cache(connect, do.protocol)
        other("GET", "k")
        own("RESPCACHE", "RESET")
        assert own("CLIENT", "GETREDIR") == -1
        assert other.told() == [None]
        assert own.told() == []

    def test_restore(self, do: Transcript, connect: Connect) -> None:
        do("SET", "k", 1)
        do("RESPCACHE", "SNAPSHOT", "s")
        do("SET", "k", 2)
        reader, listener = Cache(connect, do.protocol), Cache(connect, do.protocol, "BCAST")
        reader("GET", "k")
        do("RESPCACHE", "RESTORE", "s")
        assert reader.told() == listener.told() == [None]
        reader("GET", "k")
        do("SET", "k", 3)
        assert reader.told() == listener.told() == [["k"]]
        do("RESPCACHE", "DROP", "s")

    def test_the_bytes_of_the_table_are_bounded(self, do: Transcript, connect: Connect) -> None:
        """Keys may be as long as values: then fewer of them are remembered."""
        reader = Cache(connect, 3)
        size = 60 << 20
        for number in range(10):
            reader("EXISTS", f"{number}{{x}}" + "k" * size)
        kept = figures(do)["total_keys"]
        shards = do.server.shards  # type: ignore[attr-defined]  # it is one of ours
        assert 1 <= kept <= (512 << 20) // shards // size
        assert len(reader.keys()) == 10 - kept

    @pytest.mark.parametrize("redirected", [True, False])
    def test_a_client_that_does_not_read_is_cut_off(self, do: Transcript, connect: Connect, redirected: bool) -> None:
        """By the limit of its class: that of subscribers for a connection that is subscribed."""
        keys = [f"{number:04}" + "k" * 10_000 for number in range(40)]
        victim, other = Cache(connect, 2 if redirected else 3, *["BCAST"] * (not redirected)), Cache(connect, 3)
        gone = victim.redirect if redirected else victim("CLIENT", "ID")
        do("CONFIG", "SET", "client-output-buffer-limit", ("pubsub" if redirected else "normal") + " 1mb 0 0")
        for _ in range(100):
            if redirected:
                victim("EXISTS", *keys)
            other("EXISTS", *keys)
            do("MSET", *[word for key in keys for word in (key, 1)])
            assert other.keys() == keys
            if f"id={gone} " not in str(do("CLIENT", "LIST")):
                break
        else:
            raise AssertionError("it was not cut off")
        with pytest.raises((Closed, ConnectionResetError)):
            read_on(victim.listener)
        if redirected:
            assert victim("EXISTS", keys[0]) == 1
