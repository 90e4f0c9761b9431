"""MONITOR: what monitors see, in which order, and what they may send themselves."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.processes import RespcacheServer, StartedServer
from tests.support.resp import Connection, ReplyError, Simple
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

Connect = Callable[..., Connection]
Monitor = Callable[[], "Monitoring"]

LINE = re.compile(r"(\d+\.\d{6}) \[(\d+) ([^\]]+)\] (.*)")
END = "end of what is expected"


class Monitoring:
    """A connection in monitor mode. `seen` is what it has been shown up to now, without times and addresses."""

    def __init__(self, connection: Connection, do: Transcript) -> None:
        self.connection = connection
        self._do = do
        assert connection.call("MONITOR") == "OK"

    def lines(self) -> list[tuple[float, int, str, str]]:
        """Time, database, address and words of all that `do`'s server has shown since the last time."""
        assert self._do("ECHO", END) == END.encode()
        lines = []
        while True:
            line = self.connection.read()
            assert isinstance(line, Simple)
            found = LINE.fullmatch(line)
            assert found is not None, line
            if END in found[4]:
                return lines
            lines.append((float(found[1]), int(found[2]), found[3], found[4]))

    def seen(self) -> list[str]:
        """Who and what: ``3 lua "GET" "x"``; clients are not named."""
        return [f"{db} lua {words}" if who == "lua" else f"{db} {words}" for _, db, who, words in self.lines()]


@pytest.fixture
def monitor(do: Transcript, connect: Connect) -> Monitor:
    """Begin to monitor: `watching = monitor()`."""
    return lambda: Monitoring(connect(do.protocol), do)


class TestLines:
    def test_time_database_address_words(self, do: Transcript, monitor: Monitor) -> None:
        watching = monitor()
        before = time.time()
        do("SET", "k", "v")
        ((moment, db, who, words),) = watching.lines()
        assert before - 5 < moment < time.time() + 5
        host, port = do.connection.socket.getsockname()
        assert (db, who, words) == (0, f"{host}:{port}", '"SET" "k" "v"')

    @pytest.mark.respcache_only(reason="genuine servers have no clock that stands")
    def test_the_time_is_the_servers(self, do: Transcript, monitor: Monitor) -> None:
        do("RESPCACHE", "CLOCK", "FREEZE")
        do("RESPCACHE", "CLOCK", "SET", 86_400_123)
        watching = monitor()
        do("PING")
        do("EVAL", "return redis.call('PING')", 0)
        assert [moment for moment, *_ in watching.lines()] == [pytest.approx(86400.123, abs=0.001)] * 3

    def test_names_are_shown_as_they_were_spelt(self, do: Transcript, monitor: Monitor) -> None:
        watching = monitor()
        do("sEt", "k", "v")
        assert watching.seen() == ['0 "sEt" "k" "v"']

    def test_every_byte(self, do: Transcript, monitor: Monitor) -> None:
        watching = monitor()
        do("SET", b'\x00\x07\x08\t\n\x0b\r\x1b "\\~\x7f\x80\xff', "")
        assert watching.seen() == [r'0 "SET" "\x00\a\b\t\n\x0b\r\x1b \"\\~\x7f\x80\xff" ""']

    def test_select_shows_the_database_that_it_selects(self, do: Transcript, monitor: Monitor) -> None:
        watching = monitor()
        do("SELECT", 3)
        do.error("SELECT", 99)
        do("PING")
        do("SELECT", 0)
        assert watching.seen() == ['3 "SELECT" "3"', '3 "SELECT" "99"', '3 "PING"', '0 "SELECT" "0"']

    @pytest.mark.respcache_only(reason="it needs a server of its own")
    @pytest.mark.parametrize("protocol", [2], ids=["RESP2"])
    def test_unix_sockets(self, do: Transcript, tmp_path: Path) -> None:  # noqa: ARG002 - for its marks
        path = str(tmp_path / "s")
        server = RespcacheServer("--unixsocket", path)
        try:
            monitoring = Connection(server.port)
            assert monitoring.call("MONITOR") == "OK"
            with redis.Redis(unix_socket_path=path) as client:
                client.get("k")
            while '"GET" "k"' not in (line := monitoring.read()):
                pass
            assert f'[0 unix:{path}] "GET" "k"' in line
            monitoring.close()
        finally:
            server.stop()


class TestWhatIsShown:
    def test_errors_are_shown_and_refusals_are_not(self, do: Transcript, monitor: Monitor) -> None:
        do("SET", "k", "v")
        watching = monitor()
        do.error("INCR", "k")
        do.error("NOSUCH", "k")
        do.error("GET")
        assert watching.seen() == ['0 "INCR" "k"']

    def test_passwords_are_not_shown(self, do: Transcript, monitor: Monitor) -> None:
        watching = monitor()
        do.error("AUTH", "secret")
        do.error("AUTH", "me", "secret")
        do.error("HELLO", 3, "AUTH", "me", "secret")
        assert watching.seen() == [
            '0 "AUTH" "(redacted)"',
            '0 "AUTH" "(redacted)" "(redacted)"',
            '0 "HELLO" "3" "AUTH" "(redacted)" "(redacted)"',
        ]

    def test_administration_is_not_shown(self, do: Transcript, monitor: Monitor) -> None:
        watching = monitor()
        do("CONFIG", "GET", "port")
        do("CLIENT", "LIST")
        do("DEBUG", "SLEEP", 0)
        do("CLIENT", "ID")
        assert watching.seen() == ['0 "CLIENT" "ID"']

    def test_commands_over_several_shards_once(self, do: Transcript, monitor: Monitor) -> None:
        watching = monitor()
        do("MSET", "a", 1, "b", 2, "c", 3)
        do("DEL", "a", "b", "c")
        do("DBSIZE")
        do("SCAN", 0)
        do("SUNIONSTORE", "to", "x", "y", "z")
        assert watching.seen() == [
            '0 "MSET" "a" "1" "b" "2" "c" "3"',
            '0 "DEL" "a" "b" "c"',
            '0 "DBSIZE"',
            '0 "SCAN" "0"',
            '0 "SUNIONSTORE" "to" "x" "y" "z"',
        ]

    def test_a_pipeline_in_its_order(self, do: Transcript, monitor: Monitor) -> None:
        watching = monitor()
        keys = [f"k{number}" for number in range(200)]
        do.connection.pipeline(*[("SET", key, 1) for key in keys])
        assert watching.seen() == [f'0 "SET" "{key}" "1"' for key in keys]

    def test_blocking_commands_once(self, do: Transcript, monitor: Monitor, block: Callable[..., Connection]) -> None:
        watching = monitor()
        waiter = block("BLPOP", "l", "m", 0)
        do("RPUSH", "l", "x")
        assert waiter.read() == [b"l", b"x"]
        shown = [line for line in watching.seen() if "INFO" not in line and "HELLO" not in line]
        assert shown == ['0 "BLPOP" "l" "m" "0"', '0 "RPUSH" "l" "x"']

    def test_held_commands_when_they_run(self, do: Transcript, monitor: Monitor, connect: Connect) -> None:
        other = connect()
        watching = monitor()
        do("CLIENT", "PAUSE", 100_000, "WRITE")
        other.send("SET", "k", "v")
        assert eventually(lambda: b"blocked_clients:1" in _bytes(do("INFO", "clients")))
        do("GET", "k")
        do("CLIENT", "UNPAUSE")
        assert other.read() == "OK"
        assert [line for line in watching.seen() if "INFO" not in line] == ['0 "GET" "k"', '0 "SET" "k" "v"']


class TestTransactions:
    def test_commands_are_shown_when_they_run(self, do: Transcript, monitor: Monitor, connect: Connect) -> None:
        watching = monitor()
        do("MULTI")
        do("SET", "a", 1)
        do("SELECT", 4)
        do("CONFIG", "GET", "port")
        do("SET", "b", 1)
        connect().call("SET", "between", 1)
        do("EXEC")
        assert watching.seen() == [
            '0 "MULTI"',
            '0 "SET" "between" "1"',
            '0 "SET" "a" "1"',
            '4 "SELECT" "4"',
            '4 "SET" "b" "1"',
            '4 "EXEC"',
        ]

    def test_on_one_shard(self, do: Transcript, monitor: Monitor) -> None:
        watching = monitor()
        do.transaction(("SET", "a", 1), ("INCR", "a"))
        assert watching.seen() == ['0 "MULTI"', '0 "SET" "a" "1"', '0 "INCR" "a"', '0 "EXEC"']

    def test_discard(self, do: Transcript, monitor: Monitor) -> None:
        watching = monitor()
        do("MULTI")
        do("SET", "a", 1)
        do("DISCARD")
        do.error("EXEC")
        assert watching.seen() == ['0 "MULTI"', '0 "DISCARD"', '0 "EXEC"']

    def test_refused(self, do: Transcript, monitor: Monitor) -> None:
        watching = monitor()
        do("MULTI")
        do("SET", "a", 1)
        do.error("GET")
        do.error("EXEC")
        assert watching.seen() == ['0 "MULTI"', '0 "EXEC"']

    @pytest.mark.parametrize("others", [(), (("SET", "other", 1), ("PING",))], ids=["one shard", "several"])
    def test_watched_keys(
        self, do: Transcript, monitor: Monitor, connect: Connect, others: tuple[tuple[object, ...], ...]
    ) -> None:
        watching = monitor()
        do("WATCH", "k")
        assert do.transaction(("SET", "k", 1), *others) is not None
        do("WATCH", "k")
        connect().call("SET", "k", 2)
        assert do.transaction(("SET", "k", 3), *others) is None
        shown = ['0 "' + '" "'.join(map(str, words)) + '"' for words in others]
        assert watching.seen() == [
            '0 "WATCH" "k"',
            '0 "MULTI"',
            '0 "SET" "k" "1"',
            *shown,
            '0 "EXEC"',
            '0 "WATCH" "k"',
            '0 "SET" "k" "2"',
            '0 "MULTI"',
            '0 "EXEC"',
        ]


class TestScripts:
    def test_calls_follow_the_script(self, do: Transcript, monitor: Monitor) -> None:
        watching = monitor()
        text = "redis.call('SET', KEYS[1], ARGV[1]); return redis.pcall('LPUSH', KEYS[1], 'x').err"
        do("EVAL", text, 1, "k", "v")
        assert watching.seen() == [
            f'0 "EVAL" "{text}" "1" "k" "v"',
            '0 lua "SET" "k" "v"',
            '0 lua "LPUSH" "k" "x"',
        ]

    def test_calls_of_other_shards(self, do: Transcript, monitor: Monitor) -> None:
        watching = monitor()
        text = "for i = 1, 6 do redis.call('INCR', 'k' .. i) end redis.call('SELECT', 5) return redis.call('DBSIZE')"
        do("EVAL", text, 0)
        shown = [f'0 lua "INCR" "k{number}"' for number in range(1, 7)]
        assert watching.seen() == [f'0 "EVAL" "{text}" "0"', *shown, '5 lua "SELECT" "5"', '5 lua "DBSIZE"']

    def test_refused_calls_are_not_shown(self, do: Transcript, monitor: Monitor) -> None:
        watching = monitor()
        do("EVAL", "redis.pcall('nosuch'); redis.pcall('GET'); redis.pcall('SUBSCRIBE', 'x'); redis.pcall('PING')", 0)
        assert watching.seen()[1:] == ['0 lua "PING"']

    def test_by_sha_as_it_was_sent(self, do: Transcript, monitor: Monitor) -> None:
        sha = do("SCRIPT", "LOAD", "return redis.call('PING')").decode()
        watching = monitor()
        do("EVALSHA", sha, 0)
        do.error("EVALSHA", "f" * 40, 0)
        assert watching.seen() == [f'0 "EVALSHA" "{sha}" "0"', '0 lua "PING"', f'0 "EVALSHA" "{"f" * 40}" "0"']

    def test_functions(self, do: Transcript, monitor: Monitor) -> None:
        code = "#!lua name=lib\nredis.register_function('f', function(keys) return redis.call('GET', keys[1]) end)"
        do("FUNCTION", "LOAD", "REPLACE", code)
        watching = monitor()
        do("FCALL", "f", 1, "k")
        assert watching.seen() == ['0 "FCALL" "f" "1" "k"', '0 lua "GET" "k"']
        do("FUNCTION", "FLUSH")

    def test_in_transactions(self, do: Transcript, monitor: Monitor) -> None:
        """Each script's calls behind it, also where one fails before it calls anything."""
        watching = monitor()
        do.transaction(
            ("SET", "a", 1),
            ("EVALSHA", "f" * 40, 0),
            ("EVAL", "return redis.call('GET', KEYS[1])", 1, "b"),
            ("EVAL", "return 1", "none"),
            ("EVAL", "return redis.call('GET', 'c')", 0),
            ("SET", "d", 1),
        )
        assert watching.seen() == [
            '0 "MULTI"',
            '0 "SET" "a" "1"',
            f'0 "EVALSHA" "{"f" * 40}" "0"',
            '''0 "EVAL" "return redis.call('GET', KEYS[1])" "1" "b"''',
            '0 lua "GET" "b"',
            '0 "EVAL" "return 1" "none"',
            '''0 "EVAL" "return redis.call('GET', 'c')" "0"''',
            '0 lua "GET" "c"',
            '0 "SET" "d" "1"',
            '0 "EXEC"',
        ]

    def test_nothing_comes_between(self, monitor: Monitor, connect: Connect) -> None:
        """What others send while scripts are under way is shown after the calls of those before it."""
        watching = monitor()
        others = [connect() for _ in range(3)]
        script = ("EVAL", "for i = 1, 3 do redis.call('INCR', KEYS[1]) end", 1)
        for number in range(40):
            for key, other in zip("abc", others, strict=True):
                other.send(*script, key) if number % 3 else other.send("GET", key)
        for _ in range(40):
            for other in others:
                assert not isinstance(other.read(), ReplyError)
        seen = watching.seen()
        for at, line in enumerate(seen):
            if '"EVAL"' in line:
                key = line[-3:]
                assert seen[at + 1 : at + 4] == [f'0 lua "INCR" {key}'] * 3
        assert len(seen) == 3 * (14 + 26 * 4)

    @pytest.mark.respcache_only(reason="a genuine server has no shards")
    @pytest.mark.parametrize("protocol", [2], ids=["RESP2"])
    def test_a_shard_that_was_restarted(self, do: Transcript) -> None:  # noqa: ARG002 - for its marks
        server = RespcacheServer()
        try:
            connection, monitoring = Connection(server.port), Connection(server.port)
            assert monitoring.call("MONITOR") == "OK"
            ((_, pid, _, _),) = connection.call("DEBUG", "SHARDS")
            os.kill(pid, signal.SIGKILL)
            assert eventually(lambda: connection.call("DEBUG", "SHARDS")[0][2] == 1)
            assert connection.call("EVAL", "return redis.call('DBSIZE')", 0) == 0
            assert monitoring.read().endswith('"0"')
            assert monitoring.read().endswith('[0 lua] "DBSIZE"')
            connection.close()
            monitoring.close()
        finally:
            server.stop()

    def test_very_many_calls(self, do: Transcript, monitor: Monitor) -> None:
        watching = monitor()
        do("EVAL", "for i = 1, 30 do redis.call('ECHO', string.rep('x', 100000)) end", 0)
        assert len(watching.seen()) == 31


class TestMonitors:
    def test_it_sees_its_own_commands_after_their_replies(self, do: Transcript, connect: Connect) -> None:
        monitoring = connect(do.protocol)
        assert monitoring.call("MONITOR") == "OK"
        monitoring.send("MONITOR")  # not answered, as in Redis
        assert monitoring.call("PING") == "PONG"
        assert monitoring.read().endswith('"PING"')

    def test_what_it_may_not_send(self, do: Transcript, connect: Connect) -> None:
        monitoring = connect(do.protocol)
        assert monitoring.call("MONITOR") == "OK"
        for words in (("GET", "k"), ("SET", "k", 1), ("PUBLISH", "c", "m"), ("DBSIZE",), ("EVAL", "return 1", 0)):
            assert str(monitoring.call(*words)) == "ERR Replica can't interact with the keyspace"

    def test_flag_and_type(self, do: Transcript, connect: Connect) -> None:
        monitoring = connect(do.protocol)
        number = monitoring.call("CLIENT", "ID")
        monitoring.call("MONITOR")
        assert b" flags=O " in _bytes(do("CLIENT", "LIST", "ID", number))
        assert b"id=%d " % number in _bytes(do("CLIENT", "LIST", "TYPE", "NORMAL"))
        assert do("CLIENT", "KILL", "TYPE", "REPLICA") == 0
        assert do("CLIENT", "KILL", "TYPE", "NORMAL") >= 1
        monitoring.rest()  # up to its end

    def test_reset_ends_it(self, do: Transcript, connect: Connect) -> None:
        monitoring = connect()
        number = monitoring.call("CLIENT", "ID")
        monitoring.call("MONITOR")
        assert monitoring.call("RESET") == "RESET"
        do("PING")
        assert monitoring.call("GET", "k") is None
        assert b" flags=N " in _bytes(do("CLIENT", "LIST", "ID", number))

    def test_quit_ends_it(self, do: Transcript, connect: Connect) -> None:
        monitoring = connect(do.protocol)
        monitoring.call("MONITOR")
        assert monitoring.call("QUIT") == "OK"
        assert monitoring.rest() == b""
        assert do("PING") == "PONG"

    def test_replies_off(self, do: Transcript, connect: Connect) -> None:
        monitoring = connect(do.protocol)
        monitoring.call("MONITOR")
        monitoring.send("CLIENT", "REPLY", "OFF")
        monitoring.send("PING")
        assert monitoring.call("CLIENT", "REPLY", "ON") == "OK"
        assert monitoring.read().endswith('"CLIENT" "REPLY" "ON"')

    def test_a_pause_does_not_hold_it_up(self, do: Transcript, connect: Connect) -> None:
        monitoring = connect(do.protocol)
        monitoring.call("MONITOR")
        other = connect()
        other.call("CLIENT", "PAUSE", 100)
        assert monitoring.call("PING") == "PONG"

    def test_not_in_transactions_or_scripts(self, do: Transcript) -> None:
        (error,) = do.transaction(("MONITOR",)) or ()
        assert str(error) == "ERR MONITOR isn't allowed for DENY BLOCKING client"
        assert "not allowed from script" in do.error("EVAL", "return redis.call('MONITOR')", 0)

    def test_errors(self, do: Transcript) -> None:
        assert do.error("MONITOR", "x") == "ERR wrong number of arguments for 'monitor' command"

    @pytest.mark.respcache_only(reason="it needs a configuration of its own")
    def test_one_that_never_reads_is_cut_off(self, do: Transcript, connect: Connect, monitor: Monitor) -> None:
        watching = monitor()
        deaf = connect()
        do("CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0")
        assert deaf.call("MONITOR") == "OK"
        number = deaf.call("CLIENT", "ID")
        seen = 0

        def cut_off() -> bool:
            nonlocal seen
            do("SET", "k", "x" * 500_000)
            seen += len(watching.seen())
            return not _bytes(do("CLIENT", "LIST", "ID", number)).strip().removeprefix(b"txt:")

        assert eventually(cut_off)
        assert seen >= 2
        assert do("GET", "k")

    @pytest.mark.respcache_only(reason="RESPCACHE is respcache's own command")
    def test_namespaces_see_their_own(self, do: Transcript, connect: Connect, monitor: Monitor) -> None:
        watching = monitor()
        there = connect(do.protocol)
        assert there.call("RESPCACHE", "NAMESPACE", "a") == "OK"
        inside = connect(do.protocol)
        assert inside.call("RESPCACHE", "NAMESPACE", "a") == "OK"
        assert there.call("MONITOR") == "OK"
        do("SET", "k", "outside")
        inside.call("EVAL", "return redis.call('SET', KEYS[1], 'inside')", 1, "k")
        assert [line for line in watching.seen() if "HELLO" not in line] == ['0 "SET" "k" "outside"']
        assert there.read().endswith('"1" "k"')
        assert there.read().endswith('[0 lua] "SET" "k" "inside"')
        for each in (inside, there):
            each.close()

    def test_it_ends_with_its_connection(self, do: Transcript, connect: Connect) -> None:
        monitoring = connect(do.protocol)
        monitoring.call("MONITOR")
        monitoring.close()
        for _ in range(3):
            do("SET", "k", "v")
        assert do("GET", "k") == b"v"


class TestPrograms:
    @pytest.mark.parametrize("protocol", [2, 3], ids=["RESP2", "RESP3"])
    def test_redis_cli(self, server: StartedServer, do: Transcript, protocol: int) -> None:
        program = shutil.which("redis-cli")
        if program is None:
            pytest.skip(reason="no redis-cli found")
        command = [program, "-p", str(server.port), *(["-3"] if protocol == 3 else []), "monitor"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as cli:
            assert cli.stdout is not None
            assert cli.stdout.readline() == "OK\n"
            do("SET", "k", 'a"b')
            assert re.fullmatch(r'\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "SET" "k" "a\\"b"\n', cli.stdout.readline())
            cli.kill()

    def test_redis_py(self, server: StartedServer, do: Transcript, protocol: int) -> None:
        client = redis.Redis(port=server.port, protocol=protocol)
        with client.monitor() as monitoring:
            do("SET", "k", "v 1")
            do("EVAL", "return redis.call('GET', KEYS[1])", 1, "k")
            seen = [_next_of(monitoring) for _ in range(3)]
        assert [line["command"] for line in seen] == [
            "SET k v 1",
            "EVAL return redis.call('GET', KEYS[1]) 1 k",
            "GET k",
        ]
        assert [line["client_type"] for line in seen] == ["tcp", "tcp", "lua"]
        client.close()


def _next_of(monitoring: Any) -> dict[str, Any]:
    """The next command that is not of redis-py's own connections."""
    lines: Iterator[dict[str, Any]] = monitoring.listen()
    return next(line for line in lines if not line["command"].startswith(("CLIENT", "HELLO")))


def _bytes(reply: Any) -> bytes:
    return reply if isinstance(reply, bytes) else str(reply).encode()
