"""What is known of tracking: CLIENT TRACKINGINFO, GETREDIR, CLIENT LIST, INFO; and errors."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.invocations import KEYS
from tests.support.resp import Connection
from tests.support.tracking import Cache, figures
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

Connect = Callable[..., Connection]

ONE, TWO, THREE = KEYS  # on three different shards


class TestState:
    def test_info_without_tracking(self, do: Transcript) -> None:
        info = do.as_map(do("CLIENT", "TRACKINGINFO"))
        assert info == {b"flags": [b"off"], b"redirect": -1, b"prefixes": []}
        assert do("CLIENT", "GETREDIR") == -1
        assert do("CLIENT", "TRACKING", "OFF") == "OK"

    @pytest.mark.parametrize(
        ("options", "flags"),
        [
            ("", "on"),
            ("NOLOOP", "on noloop"),
            ("optin noloop", "on optin noloop"),
            ("OPTOUT", "on optout"),
            ("BCAST PREFIX b PREFIX a NOLOOP", "on bcast noloop"),
            ("BCAST", "on bcast"),
        ],
    )
    def test_info(self, do: Transcript, options: str, flags: str) -> None:
        do("CLIENT", "TRACKING", "ON", *options.split())
        info = do.as_map(do("CLIENT", "TRACKINGINFO"))
        assert info[b"flags"] == flags.encode().split()
        assert info[b"redirect"] == do("CLIENT", "GETREDIR") == 0
        assert info[b"prefixes"] == ([b"a", b"b"] if "PREFIX" in options else [b""] if "BCAST" in options else [])
        shown = "flags=tB " if "BCAST" in options else "flags=t "
        assert shown in str(do("CLIENT", "INFO"))
        assert " redir=0 " in str(do("CLIENT", "INFO"))
        if "optin" in options or "OPTOUT" in options:
            do("CLIENT", "CACHING", "YES" if "optin" in options else "NO")
            caching = b"caching-yes" if "optin" in options else b"caching-no"
            assert do.as_map(do("CLIENT", "TRACKINGINFO"))[b"flags"][2] == caching

    def test_switching(self, do: Transcript) -> None:
        do("CLIENT", "TRACKING", "ON", "NOLOOP", "OPTIN")
        do("CLIENT", "TRACKING", "ON")
        assert do.as_map(do("CLIENT", "TRACKINGINFO"))[b"flags"] == [b"on"]
        do("CLIENT", "TRACKING", "ON", "OPTOUT")
        assert do.as_map(do("CLIENT", "TRACKINGINFO"))[b"flags"] == [b"on", b"optout"]

    def test_reset(self, do: Transcript, connect: Connect) -> None:
        for options in ((), ("BCAST",)):
            reader = connect(protocol=3)
            reader.call("CLIENT", "TRACKING", "ON", *options)
            reader.call("GET", "k")
            assert reader.call("RESET") == "RESET"
            assert reader.call("CLIENT", "GETREDIR") == -1
            reader.call("HELLO", 3)
            do("SET", "k", 1)
            assert reader.call("PING") == "PONG"

    def test_figures(self, do: Transcript, connect: Connect) -> None:
        before = figures(do)["clients"]
        readers = [Cache(connect, 3) for _ in range(3)]
        connect(protocol=3).call("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "a", "PREFIX", "b")
        connect(protocol=3).call("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "a")
        readers[0]("MGET", ONE, TWO)
        readers[1]("MGET", TWO, THREE)
        readers[2]("GET", TWO)
        expected = {"clients": before + 5, "total_keys": 3, "total_items": 5, "total_prefixes": 2}
        assert figures(do) == expected
        do("SET", TWO, 1)
        assert figures(do) == expected | {"total_keys": 2, "total_items": 2}
        readers[0]("CLIENT", "TRACKING", "OFF")
        assert figures(do) == expected | {"clients": before + 4, "total_keys": 2, "total_items": 2}
        do("FLUSHDB")
        assert figures(do) == expected | {"clients": before + 4, "total_keys": 0, "total_items": 0}

    def test_the_limit_of_the_table(self, do: Transcript, connect: Connect) -> None:
        reader = Cache(connect, 3)
        keys = [f"k{number}" for number in range(300)]
        try:
            do("CONFIG", "SET", "tracking-table-max-keys", 100)
            for key in keys:
                reader("GET", key)
            assert eventually(lambda: figures(do)["total_keys"] == 100)
            told = reader.keys()
            assert len(told) == len(set(told)) == 200
            do("CONFIG", "SET", "tracking-table-max-keys", 10)
            assert eventually(lambda: figures(do)["total_keys"] == 10)
            more = reader.keys()
            assert len(set(told + more)) == 290
            # What is still remembered is what they were not told of.
            do("MSET", *[word for key in keys for word in (key, 1)])
            assert sorted(set(keys).difference(told, more)) == reader.keys()
            do("CONFIG", "SET", "tracking-table-max-keys", 0)
            reader("MGET", *keys)
            assert figures(do)["total_keys"] == 300
        finally:
            do("CONFIG", "SET", "tracking-table-max-keys", 1_000_000)


ON_OR_OFF = (
    "ERR You can't switch {} before disabling tracking for this client, and then re-enabling it with a different mode."
)
NO_CACHING = (
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
)


class TestErrors:
    @pytest.mark.parametrize(
        ("line", "error"),
        [
            ("TRACKING", "ERR wrong number of arguments for 'client|tracking' command"),
            ("TRACKING maybe", "ERR syntax error"),
            ("TRACKING ON NOSUCH", "ERR syntax error"),
            ("TRACKING ON REDIRECT", "ERR syntax error"),
            ("TRACKING ON BCAST PREFIX", "ERR syntax error"),
            ("TRACKING ON REDIRECT x", "ERR value is not an integer or out of range"),
            ("TRACKING ON REDIRECT 0", "ERR The client ID you want redirect to does not exist"),
            ("TRACKING ON REDIRECT 999999", "ERR The client ID you want redirect to does not exist"),
            ("TRACKING maybe REDIRECT 999999", "ERR The client ID you want redirect to does not exist"),
            ("TRACKING ON PREFIX a", "ERR PREFIX option requires BCAST mode to be enabled"),
            ("TRACKING OFF PREFIX a NOSUCH", "ERR syntax error"),
            ("TRACKING ON BCAST OPTIN OPTOUT", "ERR OPTIN and OPTOUT are not compatible with BCAST"),
            ("TRACKING ON OPTIN OPTOUT", "ERR You can't specify both OPTIN mode and OPTOUT mode"),
            ("TRACKING ON OPTIN PREFIX a", "ERR PREFIX option requires BCAST mode to be enabled"),
            ("CACHING", "ERR wrong number of arguments for 'client|caching' command"),
            ("CACHING YES", NO_CACHING),
            ("CACHING maybe", NO_CACHING),
            ("TRACKINGINFO x", "ERR wrong number of arguments for 'client|trackinginfo' command"),
            ("GETREDIR x", "ERR wrong number of arguments for 'client|getredir' command"),
        ],
    )
    def test_without_tracking(self, do: Transcript, line: str, error: str) -> None:
        assert do.error("CLIENT", *line.split()) == error
        assert do("CLIENT", "GETREDIR") == -1

    @pytest.mark.parametrize(
        ("first", "line", "error"),
        [
            ("", "TRACKING ON BCAST", ON_OR_OFF.format("BCAST mode on/off")),
            ("BCAST", "TRACKING ON", ON_OR_OFF.format("BCAST mode on/off")),
            ("BCAST", "TRACKING ON OPTIN PREFIX x", "ERR PREFIX option requires BCAST mode to be enabled"),
            ("", "TRACKING ON BCAST OPTIN", ON_OR_OFF.format("BCAST mode on/off")),
            ("OPTIN", "TRACKING ON OPTOUT", ON_OR_OFF.format("OPTIN/OPTOUT mode")),
            ("OPTOUT", "TRACKING ON OPTIN", ON_OR_OFF.format("OPTIN/OPTOUT mode")),
            ("OPTOUT", "CACHING YES", "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."),
            ("OPTIN", "CACHING NO", "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."),
            ("BCAST", "CACHING YES", "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."),
            ("OPTIN", "CACHING maybe", "ERR syntax error"),
        ],
    )
    def test_with_tracking(self, do: Transcript, first: str, line: str, error: str) -> None:
        do("CLIENT", "TRACKING", "ON", *first.split())
        flags = do.as_map(do("CLIENT", "TRACKINGINFO"))[b"flags"]
        assert do.error("CLIENT", *line.split()) == error
        assert do.as_map(do("CLIENT", "TRACKINGINFO"))[b"flags"] == flags

    @pytest.mark.parametrize(
        ("first", "then", "error"),
        [
            ("", "ab a", "Prefix 'ab' overlaps with another provided prefix 'a'."),
            ("", "a ab", "Prefix 'a' overlaps with another provided prefix 'ab'."),
            ("b a", "ax", "Prefix 'ax' overlaps with an existing prefix 'a'."),
            ("bb aa", "c a b", "Prefix 'a' overlaps with an existing prefix 'aa'."),
            ("a", "a", "Prefix 'a' overlaps with an existing prefix 'a'."),
            ("a", "bc b a", "Prefix 'bc' overlaps with another provided prefix 'b'."),
        ],
    )
    def test_prefixes(self, do: Transcript, first: str, then: str, error: str) -> None:
        def options(prefixes: str) -> list[str]:
            return [word for prefix in prefixes.split() for word in ("PREFIX", prefix)]

        if first:
            do("CLIENT", "TRACKING", "ON", "BCAST", *options(first))
        whole = f"ERR {error} Prefixes for a single client must not overlap."
        assert do.error("CLIENT", "TRACKING", "ON", "BCAST", *options(then)) == whole
        assert do.as_map(do("CLIENT", "TRACKINGINFO"))[b"prefixes"] == sorted(first.encode().split())

    def test_redirected_twice(self, do: Transcript) -> None:
        own = do("CLIENT", "ID")
        words = ["CLIENT", "TRACKING", "ON", "REDIRECT", own, "REDIRECT", 999_999]
        assert do.error(*words) == "ERR A client can only redirect to a single other client"
