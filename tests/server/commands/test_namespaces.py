"""RESPCACHE NAMESPACE: clients of one server that see nothing of each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from tests.support.processes import RespcacheServer
from tests.support.resp import Closed, Connection, ReplyError, pack
from tests.support.transcript import Transcript

pytestmark = pytest.mark.respcache_only(reason="RESPCACHE is respcache's own command")

Enter = Callable[..., Transcript]


@pytest.fixture
def enter(do: Transcript, connect: Callable[..., Connection]) -> Iterator[Enter]:
    """A session in a namespace: `enter("a")`; in the default one: `enter("")`. All are dropped with the test."""

    def enter(name: str) -> Transcript:
        session = Transcript(connect(do.protocol), do.server)
        assert session("RESPCACHE", "NAMESPACE", name) == "OK"
        return session

    yield enter
    last = Connection(do.server.port)
    last.call("RESPCACHE", "RESET")
    for _, name, *_ in last.call("RESPCACHE", "NAMESPACES")[1:]:
        assert last.call("RESPCACHE", "NAMESPACE", "DROP", name) == "OK"
    last.close()


def names(do: Transcript) -> list[bytes]:
    return [do.as_map(each)[b"name"] for each in do("RESPCACHE", "NAMESPACES")]


def text(reply: object) -> str:
    return reply.decode() if isinstance(reply, bytes) else str(reply)


class TestEntering:
    def test_a_new_connection_is_in_the_default_namespace(self, do: Transcript) -> None:
        assert do("RESPCACHE", "NAMESPACE") is None

    def test_enter_and_leave(self, do: Transcript, enter: Enter) -> None:
        a = enter("a")
        assert a("RESPCACHE", "NAMESPACE") == b"a"
        a("SET", "k", "in a")
        assert do("GET", "k") is None
        a("RESPCACHE", "NAMESPACE", "")
        assert a("GET", "k") is None
        a("RESPCACHE", "NAMESPACE", "a")
        assert a("GET", "k") == b"in a"

    def test_the_connection_is_as_a_new_one_there(self, enter: Enter) -> None:
        a = enter("a")
        a("SELECT", 5)
        a("WATCH", "k")
        if a.protocol == 3:
            a("SUBSCRIBE", "c")
        a("RESPCACHE", "NAMESPACE", "b")
        assert " db=0 sub=0 " in text(a("CLIENT", "INFO"))
        back = enter("a")
        back("SELECT", 5)
        back("SET", "k", 1)
        assert back("PUBLISH", "c", "nobody") == 0
        a("RESPCACHE", "NAMESPACE", "a")
        assert a.transaction(("GET", "k")) == [None]  # not watched, and in database 0

    def test_staying_changes_nothing(self, enter: Enter) -> None:
        a = enter("a")
        a("SELECT", 5)
        a("RESPCACHE", "NAMESPACE", "a")
        assert " db=5 " in text(a("CLIENT", "INFO"))

    def test_reset_stays(self, enter: Enter) -> None:
        """It is another state of the connection, not another server."""
        a = enter("a")
        a("SELECT", 5)
        assert a("RESET") == "RESET"
        a.protocol = 2
        assert a("RESPCACHE", "NAMESPACE") == b"a"
        assert " db=0 " in text(a("CLIENT", "INFO"))

    def test_in_a_pipeline(self, do: Transcript, enter: Enter) -> None:
        enter("a")
        replies = do.connection.pipeline(
            ("SET", "k", "default"),
            ("RESPCACHE", "NAMESPACE", "a"),
            ("GET", "k"),
            ("SET", "k", "a"),
            ("RESPCACHE", "NAMESPACE", ""),
            ("GET", "k"),
        )
        assert replies == ["OK", "OK", None, "OK", "OK", b"default"]

    def test_they_are_listed(self, do: Transcript, enter: Enter) -> None:
        a, _, other = enter("a"), enter("b"), enter("a")
        other("SELECT", 3)
        other("MSET", "x", 1, "y", 2, "z", 3)
        a("SET", "x", 1)
        default, *rest = map(do.as_map, do("RESPCACHE", "NAMESPACES"))
        assert (default[b"name"], default[b"keys"]) == (b"", 0)
        assert rest == [
            {b"name": b"a", b"clients": 2, b"keys": 4},
            {b"name": b"b", b"clients": 1, b"keys": 0},
        ]

    def test_errors(self, do: Transcript, enter: Enter) -> None:
        enter("a")
        special = "ERR Namespace names cannot contain spaces, newlines or special characters."
        assert do.error("RESPCACHE", "NAMESPACE", "a b") == special
        assert do.error("RESPCACHE", "NAMESPACE", b"\xff") == special
        assert do("RESPCACHE", "NAMESPACE", "n" * 128) == "OK"
        assert do.error("RESPCACHE", "NAMESPACE", "n" * 129) == "ERR Namespace names have at most 128 bytes"
        unknown = "ERR unknown subcommand or wrong number of arguments for 'a'. Try RESPCACHE HELP."
        assert do.error("RESPCACHE", "NAMESPACE", "a", "b") == unknown
        assert do.error("RESPCACHE", "NAMESPACE", "drop") == unknown.replace("'a'", "'drop'")
        assert do.error("RESPCACHE", "NAMESPACE", "DROP", "no") == "ERR No such namespace"
        assert do.error("RESPCACHE", "NAMESPACE", "DROP", "") == "ERR The default namespace cannot be dropped"
        assert do("RESPCACHE", "NAMESPACE") == b"n" * 128
        do("MULTI")
        assert do.error("RESPCACHE", "NAMESPACE", "a") == "ERR Command not allowed inside a transaction"
        assert do.error("EXEC").startswith("EXECABORT")

    def test_their_number_is_bounded(self, do: Transcript, enter: Enter) -> None:
        do("CONFIG", "SET", "max-namespaces", 2)
        enter("a")
        enter("b")
        assert do.error("RESPCACHE", "NAMESPACE", "c") == "ERR max number of namespaces reached"
        assert do.error("AUTH", "ns.c", "") == "ERR max number of namespaces reached"
        do("RESPCACHE", "NAMESPACE", "DROP", "a")
        enter("c")


class TestLoggingIn:
    @pytest.mark.usefixtures("enter")
    @pytest.mark.parametrize("password", ["", "any"])
    def test_by_auth(self, do: Transcript, password: str) -> None:
        assert do("AUTH", "ns.a", password) == "OK"
        assert do("RESPCACHE", "NAMESPACE") == b"a"
        assert do("AUTH", "ns.b", password) == "OK"
        assert do("RESPCACHE", "NAMESPACE") == b"b"
        assert do("AUTH", "default", "any") == "OK"  # that is no other server
        assert do("RESPCACHE", "NAMESPACE") == b"b"
        assert do("AUTH", "ns.", password) == "OK"
        assert do("RESPCACHE", "NAMESPACE") is None

    @pytest.mark.usefixtures("enter")
    def test_by_hello(self, do: Transcript) -> None:
        hello = do.as_map(do("HELLO", do.protocol, "AUTH", "ns.a", "any", "SETNAME", "me"))
        assert hello[b"proto"] == do.protocol
        assert do("RESPCACHE", "NAMESPACE") == b"a"
        assert do("CLIENT", "GETNAME") == b"me"

    @pytest.mark.usefixtures("enter")
    def test_the_password_is_that_of_the_default_user(self, do: Transcript, connect: Callable[..., Connection]) -> None:
        do("CONFIG", "SET", "requirepass", "secret")
        stranger = connect()
        wrong = ReplyError("WRONGPASS invalid username-password pair or user is disabled.")
        assert stranger.call("AUTH", "ns.a", "wrong") == wrong
        assert stranger.call("AUTH", "ns.a", "") == wrong
        assert str(stranger.call("PING")).startswith("NOAUTH")
        assert stranger.call("RESPCACHE", "NAMESPACE") is None
        assert stranger.call("AUTH", "ns.a", "secret") == "OK"
        assert stranger.call("PING") == "PONG"
        assert stranger.call("RESPCACHE", "NAMESPACE") == b"a"

    def test_other_users_are_unknown(self, do: Transcript) -> None:
        assert do.error("AUTH", "nsa", "").startswith("WRONGPASS")

    def test_not_in_the_middle_of_a_transaction(self, do: Transcript, enter: Enter) -> None:
        """Its commands would run in one namespace or the other."""
        enter("a")
        replies = do.transaction(("SET", "k", 1), ("AUTH", "ns.a", ""), ("SET", "l", 1))
        assert replies == ["OK", ReplyError("ERR Command not allowed inside a transaction"), "OK"]
        assert do("EXISTS", "k", "l") == 2

    def test_only_where_test_commands_are_allowed(self) -> None:
        server = RespcacheServer("--enable-test-commands", "no")
        connection = Connection(server.port)
        for words in (("AUTH", "ns.a", ""), ("HELLO", 3, "AUTH", "ns.a", "")):
            assert str(connection.call(*words)).startswith("WRONGPASS")
        for words in (("RESPCACHE", "NAMESPACE", "a"), ("RESPCACHE", "NAMESPACE"), ("RESPCACHE", "NAMESPACES")):
            assert str(connection.call(*words)).startswith("ERR RESPCACHE command not allowed.")
        assert str(connection.call("RESPCACHE", "NAMESPACE", "DROP", "a")).startswith("ERR RESPCACHE command not")
        connection.close()
        server.stop()


class TestData:
    def test_databases(self, do: Transcript, enter: Enter) -> None:
        a = enter("a")
        for index in (0, 7, 15):
            for session in (do, a):
                session("SELECT", index)
                session("SET", f"k{index}", "a" if session is a else "default")
        for session in (do, a):
            assert session("GET", "k15") == (b"a" if session is a else b"default")
            assert session.error("SELECT", 16) == "ERR DB index is out of range"
            assert session.error("SELECT", -1) == "ERR DB index is out of range"
            assert session("KEYS", "*") == [b"k15"]
            assert session("RANDOMKEY") == b"k15"
            assert re.findall(r"db\d+:keys=\d+", text(session("INFO", "keyspace"))) == [
                f"db{index}:keys=1" for index in (0, 7, 15)
            ]

    def test_flushall(self, do: Transcript, enter: Enter) -> None:
        a, b = enter("a"), enter("b")
        for session in (do, a, b):
            for index in (0, 9):
                session("SELECT", index)
                session("MSET", "x", 1, "y", 2, "z", 3)
        a("FLUSHALL")
        b("FLUSHDB")
        assert [session("DBSIZE") for session in (do, a, b)] == [3, 0, 0]
        for session in (do, a, b):
            session("SELECT", 0)
        assert [session("DBSIZE") for session in (do, a, b)] == [3, 0, 3]

    def test_swapdb(self, do: Transcript, enter: Enter) -> None:
        a = enter("a")
        for session in (do, a):
            session("SET", "k", "zero")
        a("SWAPDB", 0, 1)
        assert a("GET", "k") is None
        assert do("GET", "k") == b"zero"
        a("SELECT", 1)
        do("SELECT", 1)
        assert a("GET", "k") == b"zero"
        assert do("GET", "k") is None
        assert a.error("SWAPDB", 0, 16) == "ERR DB index is out of range"

    def test_move_and_copy(self, do: Transcript, enter: Enter) -> None:
        a = enter("a")
        a("SET", "k", "v", "EX", 100)
        assert a("MOVE", "k", 3) == 1
        assert a.error("MOVE", "k", 16) == "ERR DB index is out of range"
        a("SELECT", 3)
        for number in range(8):  # on all shards
            assert a("COPY", "k", f"copy{number}", "DB", 2) == 1
        assert a.error("COPY", "k", "l", "DB", 16) == "ERR DB index is out of range"
        assert a("TTL", "k") == 100
        a("SELECT", 2)
        assert a("DBSIZE") == 8
        assert {a("TTL", f"copy{number}") for number in range(8)} == {100}
        for index in (0, 2, 3):
            do("SELECT", index)
            assert do("DBSIZE") == 0

    def test_commands_with_keys_on_several_shards(self, do: Transcript, enter: Enter) -> None:
        a = enter("a")
        for session, member in ((do, "d"), (a, "a")):
            for key in "xyzuvw":
                session("SADD", key, member, key)
        a("SUNIONSTORE", "all", *"xyzuvw")
        assert sorted(a("SMEMBERS", "all")) == sorted(map(str.encode, "axyzuvw"))
        assert do("EXISTS", "all") == 0
        a("RENAME", "x", "renamed")
        assert do("SISMEMBER", "x", "d") == 1
        assert a.transaction(*(("SADD", key, "more") for key in "yzuvw")) == [1] * 5
        assert do("SISMEMBER", "y", "more") == 0
        assert a("DEL", *"yzuvw") == 5
        assert do("EXISTS", *"xyzuvw") == 6

    def test_scan(self, do: Transcript, enter: Enter) -> None:
        a = enter("a")
        for number in range(100):
            do("SET", f"d{number}", 1)
            a("SET", f"a{number}", 1)
        cursor, found = b"0", []
        while True:
            cursor, keys = a("SCAN", cursor, "COUNT", 7)
            found += keys
            if cursor == b"0":
                break
        assert sorted(found) == sorted(b"a%d" % number for number in range(100))

    def test_watch(self, do: Transcript, enter: Enter) -> None:
        a = enter("a")
        for session in (do, a):
            session("SET", "k", "old")
        a("WATCH", "k", "l")
        do("SET", "k", "new")
        do("FLUSHALL")
        assert a.transaction(("GET", "k")) == [b"old"]
        a("WATCH", "k")
        enter("a")("SET", "k", "newer")
        assert a.transaction(("GET", "k")) is None

    @pytest.mark.parametrize("keys", [("l",), ("l", "m", "n")])
    def test_waiters(
        self, do: Transcript, enter: Enter, block: Callable[..., Connection], keys: tuple[str, ...]
    ) -> None:
        a, waiting = enter("a"), enter("a")
        waiting.connection.send("BLPOP", *keys, 0)
        default = block("BLPOP", *keys, 0)
        assert "blocked_clients:1" in text(do("INFO", "clients"))
        do("RPUSH", "l", "for the default namespace")
        assert default.read() == [b"l", b"for the default namespace"]
        a("RPUSH", "l", "for a")
        assert waiting.connection.read() == [b"l", b"for a"]
        assert [session("EXISTS", "l") for session in (do, a)] == [0, 0]


class TestScripts:
    def test_what_they_see(self, do: Transcript, enter: Enter) -> None:
        a = enter("a")
        script = """
            redis.call('select', ARGV[1])
            redis.call('set', 'from ' .. KEYS[1], ARGV[1])
            return redis.call('dbsize')
        """
        assert a("EVAL", script, 1, "k", 4) == 1
        assert "ERR DB index is out of range" in a.error("EVAL", script, 1, "k", 16)
        for session in (do, a):
            session("SELECT", 4)
        assert do("DBSIZE") == 0
        assert a("KEYS", "*") == [b"from k"]
        assert a("EVAL", "return redis.call('flushall')", 0) == "OK"
        do("SET", "k", 1)
        a("EVAL", "redis.call('swapdb', 4, 5)", 0)
        assert do("DBSIZE") == 1

    def test_each_has_its_own(self, do: Transcript, enter: Enter) -> None:
        a = enter("a")
        sha = do("SCRIPT", "LOAD", "return 1")
        assert do("SCRIPT", "EXISTS", sha) == [1]
        assert a("SCRIPT", "EXISTS", sha) == [0]
        assert a.error("EVALSHA", sha, 0).startswith("NOSCRIPT")
        assert a("EVAL", "return 1", 0) == 1
        assert a.transaction(("EVALSHA", sha, 0)) == [1]
        do("SCRIPT", "FLUSH")
        assert a("EVALSHA", sha, 0) == 1
        assert do.error("EVALSHA", sha, 0).startswith("NOSCRIPT")
        assert [re.search(r"cached_scripts:(\d)", text(s("INFO", "memory")))[1] for s in (do, a)] == ["0", "1"]

    def test_functions(self, do: Transcript, enter: Enter) -> None:
        a = enter("a")
        for session, value in ((do, "default"), (a, "a")):
            body = f"return redis.call('get', keys[1]) .. '{value}'"
            code = f"#!lua name=lib\nredis.register_function('f', function(keys) {body} end)"
            assert session("FUNCTION", "LOAD", code) == b"lib"
            session("SET", "k", "in ")
        assert do("FCALL", "f", 1, "k") == b"in default"
        assert a("FCALL", "F", 1, "k") == b"in a"
        assert enter("b").error("FCALL", "f", 1, "k") == "ERR Function not found"
        assert do("FUNCTION", "FLUSH") == "OK"
        assert a("FCALL", "f", 1, "k") == b"in a"
        assert do("FUNCTION", "LIST") == []
        assert a.transaction(("FUNCTION", "DELETE", "lib"), ("FUNCTION", "LIST")) == ["OK", []]
        assert a.error("FCALL", "f", 1, "k") == "ERR Function not found"


class TestMessages:
    def test_channels(self, do: Transcript, enter: Enter) -> None:
        a, b, subscriber = enter("a"), enter("b"), enter("a")
        subscriber("SUBSCRIBE", "c")
        subscriber("PSUBSCRIBE", "p*")
        subscriber("SSUBSCRIBE", "s")
        for session in (do, b):
            assert session("PUBLISH", "c", "x") == session("PUBLISH", "px", "x") == session("SPUBLISH", "s", "x") == 0
            assert session("PUBSUB", "CHANNELS") == session("PUBSUB", "SHARDCHANNELS") == []
            assert session("PUBSUB", "NUMPAT") == 0
            assert session("PUBSUB", "NUMSUB", "c") == [b"c", 0]
            assert session("PUBSUB", "SHARDNUMSUB", "s") == [b"s", 0]
            assert "pubsub_channels:0" in text(session("INFO", "stats"))
        assert a("PUBSUB", "CHANNELS") == [b"c"]
        assert a("PUBSUB", "SHARDCHANNELS") == [b"s"]
        assert a("PUBSUB", "NUMPAT") == 1
        assert a("PUBSUB", "NUMSUB", "c") == [b"c", 1]
        assert a("PUBLISH", "c", "1") == a("PUBLISH", "px", "2") == a("SPUBLISH", "s", "3") == 1
        assert [subscriber.connection.read() for _ in range(3)] == [
            [b"message", b"c", b"1"],
            [b"pmessage", b"p*", b"px", b"2"],
            [b"smessage", b"s", b"3"],
        ]

    def test_a_subscriber_that_leaves(self, enter: Enter) -> None:
        a, subscriber = enter("a"), enter("a")
        subscriber("SUBSCRIBE", "c")
        assert a("CLIENT", "KILL", "TYPE", "pubsub") == 1
        assert subscriber.connection.rest() == b""
        assert a("PUBLISH", "c", "nobody") == 0

    def test_keyspace_events(self, do: Transcript, enter: Enter) -> None:
        do("CONFIG", "SET", "notify-keyspace-events", "KEA")
        a, listening, default = enter("a"), enter("a"), enter("")
        for subscriber in (listening, default):
            subscriber("PSUBSCRIBE", "__key*__:*")
        a("SELECT", 3)
        a("SET", "k", "v")
        do("SET", "l", "v")
        assert [listening.connection.read()[2:] for _ in range(2)] == [
            [b"__keyspace@3__:k", b"set"],
            [b"__keyevent@3__:set", b"k"],
        ]
        assert default.connection.read()[2:] == [b"__keyspace@0__:l", b"set"]
        a("PEXPIRE", "k", 10)
        do.advance(20)
        events = [listening.connection.read()[2:] for _ in range(4)]
        assert events[2:] == [[b"__keyspace@3__:k", b"expired"], [b"__keyevent@3__:expired", b"k"]]
        assert default.connection.read()[2:] == [b"__keyevent@0__:set", b"l"]
        do("SET", "end", "v")
        assert default.connection.read()[2:] == [b"__keyspace@0__:end", b"set"]


class TestClients:
    def ids(self, do: Transcript) -> list[int]:
        return [int(number) for number in re.findall(r"^(?:txt:)?id=(\d+)", text(do("CLIENT", "LIST")), re.MULTILINE)]

    def test_list(self, do: Transcript, enter: Enter) -> None:
        a, other = enter("a"), enter("a")
        own = [a("CLIENT", "ID"), other("CLIENT", "ID")]
        assert self.ids(a) == own
        assert not set(self.ids(do)) & set(own)
        assert do("CLIENT", "LIST", "ID", own[0]) in (b"", "txt:")
        assert "connected_clients:2" in text(a("INFO", "clients"))
        a("SELECT", 9)
        assert " db=9 " in text(other("CLIENT", "LIST", "ID", own[0]))

    def test_kill_and_unblock_do_not_reach_others(self, do: Transcript, enter: Enter) -> None:
        a, b, waiting = enter("a"), enter("b"), enter("a")
        victim, address = a("CLIENT", "ID"), re.search(r" addr=(\S+)", text(a("CLIENT", "INFO")))[1]
        waiter = waiting("CLIENT", "ID")
        waiting.connection.send("BLPOP", "l", 0)
        for session in (do, b):
            assert session("CLIENT", "KILL", "ID", victim) == 0
            assert session("CLIENT", "KILL", "ADDR", address) == 0
            assert session.error("CLIENT", "KILL", address) == "ERR No such client"
            assert session("CLIENT", "UNBLOCK", waiter) == 0
            session("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        b = enter("b")
        assert b("CLIENT", "KILL", "USER", "default", "SKIPME", "yes") == 1
        while " flags=b " not in text(a("CLIENT", "LIST", "ID", waiter)):
            pass
        assert a("CLIENT", "UNBLOCK", waiter) == 1
        assert waiting.connection.read() is None
        assert a("CLIENT", "KILL", "ID", waiter) == 1
        assert waiting.connection.rest() == b""

    def test_pause(self, do: Transcript, enter: Enter) -> None:
        a, b, held = enter("a"), enter("b"), enter("a")
        for session in (do, a, b):
            session("SET", "k", "v", "PX", 5_000)
        a("CLIENT", "PAUSE", 1_000_000, "ALL")
        held.connection.send("PING")
        do.advance(5_000)
        assert do("DBSIZE") == b("DBSIZE") == 0
        assert "blocked_clients:0" in text(do("INFO", "clients"))
        b("CLIENT", "UNPAUSE")  # not of its namespace
        assert [do.as_map(each)[b"keys"] for each in do("RESPCACHE", "NAMESPACES")] == [0, 1, 0]  # kept for the pause
        do.advance(1_000_000)
        assert held.connection.read() == "PONG"
        assert a("DBSIZE") == 0


class TestReset:
    def test_it_is_of_the_namespace(self, do: Transcript, enter: Enter) -> None:
        a, b, held = enter("a"), enter("b"), enter("a")
        sha = ""
        for session in (do, a, b):
            session("MSET", "x", 1, "y", 2, "z", 3)
            sha = session("SCRIPT", "LOAD", "return 1")
            session("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
        do("CONFIG", "SET", "hash-max-listpack-entries", 7)
        do.advance(1_000_000)
        now = do("RESPCACHE", "CLOCK", "GET")
        a("SELECT", 7)
        a("CLIENT", "PAUSE", 1_000_000, "WRITE")
        held.connection.send("SET", "k", 1)
        assert a("RESPCACHE", "RESET") == "OK"
        assert held.connection.read() == "OK"
        assert a("RESPCACHE", "NAMESPACE") == b"a"
        assert a("SCRIPT", "EXISTS", sha) == [0]
        assert a("FUNCTION", "LIST") == []
        assert a("KEYS", "*") in ([], [b"k"])
        for session in (do, b):
            assert session("DBSIZE") == 3
            assert session("SCRIPT", "EXISTS", sha) == [1]
            assert session("FCALL", "f", 0) == 1
        assert do.as_map(do("CONFIG", "GET", "hash-max-listpack-entries"))[b"hash-max-listpack-entries"] == b"7"
        assert now <= do("RESPCACHE", "CLOCK", "GET") < now + 900_000

    def test_that_of_the_default_one_leaves_others_alone(self, do: Transcript, enter: Enter) -> None:
        a = enter("a")
        a("SET", "k", "v")
        sha = a("SCRIPT", "LOAD", "return 1")
        do("SET", "k", "v")
        assert do("RESPCACHE", "RESET") == "OK"
        assert do("DBSIZE") == 0
        assert a("GET", "k") == b"v"
        assert a("EVALSHA", sha, 0) == 1


class TestWholeServer:
    def test_a_snapshot_is_of_the_default_namespace(self, do: Transcript, enter: Enter) -> None:
        a = enter("a")
        do("SET", "k", "default", "EX", 100)
        a("SET", "k", "a", "EX", 100)
        do("RESPCACHE", "SNAPSHOT", "s")
        do("FLUSHALL")
        do("SWAPDB", 0, 1)
        a("SWAPDB", 0, 1)
        a("SET", "k", "later", "EX", 200)
        do("RESPCACHE", "RESTORE", "s")
        assert (do("GET", "k"), a("GET", "k")) == (b"default", b"later")
        assert do("TTL", "k") <= 100 < a("TTL", "k")
        do("RESPCACHE", "CLOCK", "ADVANCE", 150_000)
        assert (do("GET", "k"), a("GET", "k")) == (None, b"later")
        a("FLUSHALL")
        do("RESPCACHE", "RESTORE", "s")
        assert (do("GET", "k"), a("GET", "k")) == (b"default", None)
        do("RESPCACHE", "DROP", "s")
        do("RESPCACHE", "RESET")

    def test_what_concerns_all_is_refused(self, do: Transcript, enter: Enter) -> None:
        a = enter("a")
        for name, words in (
            ("RESPCACHE CLOCK", ("FREEZE",)),
            ("RESPCACHE CLOCK", ("RESUME",)),
            ("RESPCACHE CLOCK", ("ADVANCE", 5)),
            ("RESPCACHE CLOCK", ("SET", 5)),
            ("DEBUG ADVANCE-CLOCK", (5,)),
            ("CONFIG SET", ("maxclients", 50)),
            ("CONFIG RESETSTAT", ()),
            ("CONFIG REWRITE", ()),
            ("RESPCACHE FAULT", ("ADD", "f", "ERROR", "ERR no")),
            ("RESPCACHE FAULT", ("LIST",)),
            ("RESPCACHE JOURNAL", ("START",)),
            ("RESPCACHE JOURNAL", ("READ",)),
            ("RESPCACHE LINT RESET", ()),
            ("RESPCACHE SNAPSHOT", ("s",)),
            ("RESPCACHE RESTORE", ("s",)),
            ("RESPCACHE DROP", ("s",)),
            ("SHUTDOWN", ()),
            ("SHUTDOWN", ("NOSAVE",)),
        ):
            refused = f"ERR {name} is not allowed within a namespace: it concerns the whole server"
            assert a.error(*name.split(), *words) == refused
        assert a("RESPCACHE", "CLOCK", "GET") >= do("RESPCACHE", "CLOCK", "GET") - 1000


class TestDrop:
    def test_everything_is_gone(self, do: Transcript, enter: Enter) -> None:
        a, waiting, subscriber = enter("a"), enter("a"), enter("a")
        sha = a("SCRIPT", "LOAD", "return 1")
        a("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
        a("SELECT", 15)
        a("MSET", "x", 1, "y", 2, "z", 3)
        a("CLIENT", "PAUSE", 1_000_000, "WRITE")
        a("WATCH", "x")
        waiting.connection.send("BRPOP", "l", "m", "n", 0)
        subscriber("SUBSCRIBE", "c")
        assert do("RESPCACHE", "NAMESPACE", "DROP", "a") == "OK"
        assert names(do) == [b""]
        for session in (a, waiting, subscriber):
            with pytest.raises(Closed):
                session.connection.read()
        a = enter("a")
        assert a("SCRIPT", "EXISTS", sha) == [0]
        assert a("FUNCTION", "LIST") == a("PUBSUB", "CHANNELS") == []
        assert a("SET", "k", "v") == "OK"
        a("SELECT", 15)
        assert a("DBSIZE") == 0

    def test_its_own(self, do: Transcript, enter: Enter) -> None:
        """The answer comes; then the connection ends, as all others of the namespace."""
        a = enter("a")
        a.connection.send("RESPCACHE", "NAMESPACE", "DROP", "a")
        a.connection.send("SET", "after", "it")
        assert a.connection.read() == "OK"
        assert a.connection.rest() == b""
        assert names(do) == [b""]
        assert do("DBSIZE") == 0

    def test_another_one_has_nothing_of_it(self, do: Transcript, enter: Enter) -> None:
        """Shards may still be at work for it when its number has a new owner."""
        do("CONFIG", "SET", "notify-keyspace-events", "KEA")
        for number in range(30):
            a = enter("a")
            a.connection.send_raw(b"".join(pack(("SET", f"k{key}", "v")) for key in range(500)))
            a.connection.send("EVAL", "for n = 1, 100 do redis.call('set', 'e' .. n, 1) end", 0)
            assert do("RESPCACHE", "NAMESPACE", "DROP", "a") == "OK"
            b = enter("b")
            b("PSUBSCRIBE", "*")
            other = enter("b")
            assert other("DBSIZE") == 0
            assert other("PUBLISH", "c", str(number)) == 1
            assert b.connection.read() == [b"pmessage", b"*", b"c", b"%d" % number]
            assert do("RESPCACHE", "NAMESPACE", "DROP", "b") == "OK"
