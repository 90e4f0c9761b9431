"""redis-cli's own modes on respcache: what they print has the same shape as with a genuine server.

The programs are `redis-cli`, and newer ones beside it, on the PATH or in the directories of $RESPCACHE_REFERENCES.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from compat import targets
from compat.terminal import Terminal, plain
from compat.twin.tables import CHANGED, HERE, OUR_OWN
from tests.support.processes import StartedServer
from tests.support.resp import Connection

_PATH = os.pathsep.join(filter(None, [os.environ.get("PATH"), os.environ.get("RESPCACHE_REFERENCES")]))
CLIS = [path for name in ("redis-cli", "redis-cli-7", "redis-cli-8") if (path := shutil.which(name, path=_PATH))]
GENUINE = [target for target in targets.genuine() if target.is_redis]
OURS = targets.respcache((1, 3))

pytestmark = pytest.mark.skipif(not (CLIS and GENUINE), reason="no redis-cli, or no redis-server, is installed")


@pytest.fixture(scope="module")
def genuine() -> Iterator[StartedServer]:
    with GENUINE[-1].running() as server:
        yield server


@pytest.fixture(scope="module", params=OURS, ids=lambda target: target.label)
def ours(request: pytest.FixtureRequest) -> Iterator[StartedServer]:
    with request.param.running() as server:
        yield server


@pytest.fixture(params=CLIS, ids=os.path.basename)
def cli(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def _filled(ours: StartedServer, genuine: StartedServer) -> None:
    """Both have keys of all types, the largest of each known, and nothing else."""
    commands: list[tuple[Any, ...]] = [("FLUSHALL",), ("FUNCTION", "FLUSH")]
    for number in range(60):
        commands += [("SET", f"key:{number:02}", "value"), ("RPUSH", f"list:{number:02}", *"abc")]
    commands += [
        ("SET", "large", "x" * 1000),
        ("RPUSH", "long", *range(500)),
        ("HSET", "hash", *"abcdefghij"),
        ("HSET", "text", "quote", '"\\\n', "bytes", b"\xff\x00"),
        ("SADD", "set", *"abc"),
        ("ZADD", "zset", 1, "a", 2, "b"),
        ("XADD", "stream", "1-1", "f", "v"),
    ]
    for server in (ours, genuine):
        connection = Connection(server.port)
        connection.pipeline(*commands)
        connection.close()


# -- shapes of what is shown


def shape(text: str) -> list[str]:
    """Its lines without colours, numbers and superfluous spaces."""
    text = re.sub(r"\d+(\.\d+)?([KMGT]?B?\b)?", "N", plain(text).replace("\r", "\n"))
    return [" ".join(line.split()) for line in text.split("\n") if line.strip()]


def once(text: str) -> list[str]:
    """The different lines of its shape, in any order: how often they are shown depends on time."""
    return sorted(set(shape(text)))


def summary(numbers: Callable[[str], Any], text: str) -> list[str]:
    """What --bigkeys and its like say in the end, in any order, and what they say in the beginning."""
    lines = [line for line in text.split("\n") if "found so far" not in line]
    return sorted(filter(None, ("".join(numbers(line)) for line in lines)))


def in_any_order(text: str) -> list[str]:
    return sorted(text.split("\n"))


def a_range(text: str) -> str:
    """The line of --latency-history whose time is over, as it is in the end."""
    found: str = max(re.findall(r"min:[^:]*:[^:]*:[^:]* -- .*", shape(text)[-1]))
    return found


class Mode(NamedTuple):
    """Words for redis-cli, and how to compare what it shows."""

    words: tuple[str, ...]
    shape: Callable[[str], Any] = str
    # On a terminal it never ends, so it is ended as soon as this is shown.
    until: str = ""
    given: bytes = b""  # on standard input


def mode(words: str, shape: Callable[[str], Any] = str, until: str = "", given: bytes = b"") -> Mode:
    return Mode(tuple(words.split()), shape, until, given)


def show(cli: str, server: StartedServer, mode: Mode, **places: Path) -> Any:
    """What a mode shows with a server: the exit status, and the shape."""
    own = {"port": server.port} | places
    words = [cli, "-p", str(server.port), *(word.format(**own) for word in mode.words)]
    if mode.until:
        with Terminal(words) as terminal:
            found = terminal.read_until(lambda text: re.search(mode.until, plain(text)) is not None)
        return mode.shape(found)
    done = subprocess.run(words, input=mode.given, capture_output=True, timeout=60, check=False)
    said = (done.stdout + done.stderr).decode("utf-8", "backslashreplace")
    return done.returncode, mode.shape(said.replace(str(server.port), "PORT"))


PIPE = b"".join(b"*3\r\n$3\r\nSET\r\n$8\r\npipe:%03d\r\n$1\r\nv\r\n" % (number % 1000) for number in range(100_000))
A_LINE_OF_STATISTICS = r"\n *\d+ +[\d.]+[KM] .*\n.*\n"

MODES = {
    "stat": mode("--stat -i 0.1", once, A_LINE_OF_STATISTICS),
    "bigkeys": mode("--bigkeys", partial(summary, str)),
    "memkeys": mode("--memkeys", partial(summary, shape)),
    "latency": mode("--latency --raw -i 0.2", shape),
    "latency as csv": mode("--latency --csv -i 0.2", shape),
    "latency on a terminal": mode("--latency", lambda text: shape(text)[0], r"samples"),
    "latency-history": mode("--latency-history -i 0.2", a_range, r"(?s)seconds range.*seconds range"),
    "latency-dist": mode("--latency-dist -i 0.2", once, r"(?s)From 0 to 100%.*\n\..*\n"),
    "scan": mode("--scan", in_any_order),
    "scan with a pattern": mode("--scan --pattern key:1*", in_any_order),
    "pipe": mode("--pipe", str, given=PIPE),
    "pipe with errors": mode("--pipe", str, given=b"SET pipe:1 b\r\nLPUSH pipe:1 x\r\nNOSUCH\r\nGET pipe:1\r\n"),
    "eval": mode("--eval {script} list:01 , v"),
    "lru-test": mode("--lru-test 1000", lambda text: shape(text)[0], r"Misses"),
    "x": mode("-x set given", given=b"from standard input\n"),
    "X": mode("-X tag set given tag", given=b"from standard input\n"),
    "csv": mode("--csv hgetall hash"),
    "csv of text": mode("--csv hget text quote"),
    "json": mode("--json hgetall hash"),
    "json of a stream": mode("--json xrange stream - +"),
    "json in RESP2": mode("--json -2 zrange zset 0 -1 withscores"),
    "quoted json": mode("--quoted-json hget text bytes"),
    "raw": mode("hgetall text"),
    "not raw": mode("--no-raw hgetall text"),
    "RESP3": mode("-3 --no-raw hgetall text"),
    "scores in RESP3": mode("-3 --no-raw zrange zset 0 -1 withscores"),
    "exit status of errors": mode("-e nosuch"),
    "errors": mode("nosuch with arguments"),
    "repeated": mode("-r 3 -i 0.01 ping"),
    "delimiters": mode("-d , -D ; lrange list:01 0 -1"),
    "quoted input": mode(r'--quoted-input set "given\x00" "\xff"'),
    "another database": mode("-n 3 dbsize"),
    "of an address": mode("-u redis://127.0.0.1:{port}/2 dbsize"),
    "a password for nothing": mode("--user default --pass x ping"),
    "commands on standard input": mode("", given=b"set given 1\nincr given\nnosuch\nmulti\nget given\nexec\n"),
    "following redirections": mode("-c get key:01"),
    "cluster check": mode("--cluster check 127.0.0.1:{port}"),
    "cluster info": mode("--cluster info 127.0.0.1:{port}"),
    "cluster call": mode("--cluster call 127.0.0.1:{port} ping"),
    "keystats": mode("--keystats", lambda text: [line for line in once(text) if "total" in line.lower()]),
}


@pytest.mark.parametrize("name", MODES)
def test_as_with_a_genuine_server(
    name: str, cli: str, ours: StartedServer, genuine: StartedServer, tmp_path: Path
) -> None:
    script = tmp_path / "script.lua"
    script.write_text("return {KEYS[1], ARGV[1], redis.call('LLEN', KEYS[1]), {1, 'x'}}")
    assert show(cli, ours, MODES[name], script=script) == show(cli, genuine, MODES[name], script=script)


def test_intrinsic_latency(cli: str, ours: StartedServer) -> None:
    status, shown = show(cli, ours, mode("--intrinsic-latency 1", shape))
    assert status == 0
    assert shown[-1] == "Worst run took Nx longer than the average latency."


# -- what needs a command that may be missing


def commands(server: StartedServer) -> set[str]:
    """The names of all commands that a server has, and of their subcommands: ``config|get``."""
    connection = Connection(server.port)
    found = {name.decode() for name in connection.call("COMMAND", "LIST")}
    for container in connection.call("COMMAND"):
        found |= {subcommand[0].decode() for subcommand in container[9]}
    connection.close()
    return found


def test_hotkeys(cli: str, ours: StartedServer, genuine: StartedServer) -> None:
    found = []
    for server in (ours, genuine):
        connection = Connection(server.port)
        assert connection.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu") == "OK"
        connection.call("FLUSHALL")
        for name in ("hot", "cold"):
            connection.call("SET", name, "v")
        for _ in range(200):
            connection.call("GET", "hot")
        connection.close()
        status, shown = show(cli, server, mode("--hotkeys"))
        assert status == 0
        assert re.search(r'(?s)hot key found with counter: \d+\tkeyname: "hot"\n.*keyname: "cold"', shown)
        found.append([line for line in once(shown) if "found so far" not in line])
    assert found[0] == found[1]


def test_hotkeys_without_a_policy(cli: str, ours: StartedServer, genuine: StartedServer) -> None:
    for server in (ours, genuine):
        connection = Connection(server.port)
        assert connection.call("CONFIG", "SET", "maxmemory-policy", "noeviction") == "OK"
        connection.close()
    assert show(cli, ours, mode("--hotkeys", once)) == show(cli, genuine, mode("--hotkeys", once))


@pytest.mark.parametrize("protocol", ["-2", "-3"])
def test_monitor(cli: str, ours: StartedServer, genuine: StartedServer, protocol: str) -> None:
    found = []
    for server in (ours, genuine):
        words = [cli, "-p", str(server.port), protocol, "monitor"]
        with Terminal(words) as terminal:
            terminal.read_until(lambda text: "OK" in text)
            connection = Connection(server.port)
            connection.call("SET", "k", 'a "quoted"\n\xff')
            connection.call("EVAL", "return redis.call('GET', KEYS[1])", 1, "k")
            connection.call("PING", "the end")
            connection.close()
            found.append(shape(terminal.read_until(lambda text: "the end" in text)))
    assert found[0] == found[1]


@pytest.mark.parametrize("option", ["--rdb", "--functions-rdb"])
def test_rdb_is_refused(cli: str, ours: StartedServer, tmp_path: Path, option: str) -> None:
    """It ends with the status and the words with which it ends if a genuine server does not allow SYNC."""
    assert "sync" not in commands(ours), "compare it with a genuine server, as the other modes"
    path = tmp_path / "dump.rdb"
    status, shown = show(cli, ours, mode(f"{option} {{path}}"), path=path)
    assert status == 1
    assert (
        "ERR unknown command 'SYNC'" in shown or "Failed requesting functions only RDB from server, aborting" in shown
    )


def test_replica_is_refused(cli: str, ours: StartedServer) -> None:
    status, shown = show(cli, ours, mode("--replica"))
    assert status == 1
    assert "SYNC with master failed: -ERR unknown command 'SYNC'" in shown


def test_subscribe(cli: str, ours: StartedServer, genuine: StartedServer) -> None:
    found = []
    for server in (ours, genuine):
        with Terminal([cli, "-p", str(server.port), "-3", "subscribe", "channel", "other"]) as terminal:
            said = terminal.read_until(lambda text: text.count("subscribe") == 2)
            connection = Connection(server.port)
            assert connection.call("PUBLISH", "channel", "the message") == 1
            connection.close()
            found.append(shape(said + terminal.read_until(lambda text: "the message" in text)))
    assert found[0] == found[1]


# -- what it shows while a user types


class Session:
    """redis-cli waits for a line."""

    def __init__(self, cli: str, server: StartedServer) -> None:
        self._prompt = f"127.0.0.1:{server.port}> "
        self._terminal = Terminal([cli, "-p", str(server.port)], {"HOME": "/nonexistent"})
        self._terminal.read_until(lambda text: self._prompt in text)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._terminal.close()

    def hint(self, typed: str) -> str:
        """What is shown after the cursor, in grey."""
        line = self._prompt + typed
        self._terminal.write(typed)
        shown = self._terminal.read_until(lambda text: self._cursor(line) in text[max(text.rfind(line), 0) :])
        hint = shown[shown.rfind(line) + len(line) :]
        self._terminal.write("\x15")  # deletes the line
        self._terminal.read_until(lambda text: self._cursor(self._prompt) in text)
        return plain(hint).replace("\r", "")

    def _cursor(self, line: str) -> str:
        """Moves the cursor behind this; the last thing that is written for each character."""
        return f"\r\x1b[{len(line)}C"

    def enter(self, line: str) -> str:
        """What comes of a line, up to the next prompt, prompts included."""
        self._terminal.write(f"{line}\r")
        after = re.compile(r"\n(127\.0\.0\.1:\d+\S*?> ?)\r\x1b\[\d+C\Z|\n(127\.0\.0\.1:\d+\S*> )\Z")
        shown = self._terminal.read_until(lambda text: after.search(plain_line(text)) is not None)
        return plain(shown)


def plain_line(text: str) -> str:
    return text.replace("\x1b[0K", "")


def nameless(hint: str) -> str:
    """A hint without the names of its arguments."""
    return re.sub("[a-z][a-z0-9_-]*", "_", hint)


def test_hints(cli: str, ours: StartedServer, genuine: StartedServer) -> None:
    """They come of COMMAND DOCS: the same for every command, but for those that other versions describe differently."""
    names = sorted(name.replace("|", " ") for name in commands(ours) & commands(genuine))
    assert len(names) > 250
    changed = {row for since, rows in CHANGED.items() if (genuine.version < since) != (since > HERE) for row in rows}
    elsewhere = {row.split(", ")[1] for row in changed | set(OUR_OWN) if row.startswith("COMMAND DOCS")}
    with Session(cli, ours) as one, Session(cli, genuine) as other:
        hints = {name: (one.hint(f"{name} "), other.hint(f"{name} ")) for name in names}
    # Redis 7.2 gave many arguments other names.
    compared = nameless if genuine.version < (7, 2) else str
    different = {name for name, (one, other) in hints.items() if compared(one) != compared(other)}
    assert {name for name in different if name.replace(" ", "|") not in elsewhere} == set()
    assert hints["get"] == ("key", "key")
    # What was typed already is left out.
    with Session(cli, ours) as one, Session(cli, genuine) as other:
        for typed in ("set k ", "set k v ", "zadd k nx ", "config set ", "nosuch ", "client no-evict "):
            assert one.hint(typed) == other.hint(typed)
