"""`respcache run`: a command with a server of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import redis

from tests.support.node import CLIENTS, packages_of
from tests.support.pytests import environment

PROGRAM = [sys.executable, "-m", "respcache", "run"]
# What says that it is there, and then waits for a line or a signal.
WAITING = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(41))
signal.signal(signal.SIGINT, lambda *_: sys.exit(42))
signal.signal(signal.SIGUSR1, lambda *_: print("usr1", flush=True))
print(os.environ["REDIS_URL"], os.getpid(), flush=True)
while True: time.sleep(60)
"""


def run(*words: str, status: int = 0) -> tuple[str, str]:
    done = subprocess.run(
        [*PROGRAM, *words], env=environment(), check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr


def python(code: str) -> list[str]:
    return ["--", sys.executable, "-c", code]


def start() -> tuple[subprocess.Popen[str], str, int]:
    """A running `respcache run`, the URL of its server, and the process of its command."""
    process = subprocess.Popen(
        [*PROGRAM, *python(WAITING)], env=environment(), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    url, pid = process.stdout.readline().split()
    return process, url, int(pid)


def test_the_command_finds_the_server() -> None:
    code = """
import os, redis
client = redis.Redis.from_url(os.environ["REDIS_URL"])
assert client.incr("n") == 1
assert os.environ["VALKEY_URL"] == os.environ["REDIS_URL"]
assert redis.Redis(os.environ["REDIS_HOST"], int(os.environ["REDIS_PORT"])).get("n") == b"1"
client.set("k", "v", ex=60)
client.execute_command("RESPCACHE", "CLOCK", "ADVANCE", 60_000)
assert client.get("k") is None
assert client.config_get("databases") == {b"databases": b"3"} or client.config_get("databases") == {"databases": "3"}
print(client.info("shards")["shards"])
"""
    output, _ = run("--databases", "3", "--shards", "2", *python(code))
    assert output == "2\n"


def test_a_fixed_port() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    output, _ = run("--port", str(port), *python("import os; print(os.environ['REDIS_URL'])"))
    assert output == f"redis://127.0.0.1:{port}/0\n"


def test_a_configuration_file(tmp_path: Path) -> None:
    (tmp_path / "redis.conf").write_text("requirepass secret\n")
    code = "import os; print(os.environ['REDIS_URL'])"
    output, _ = run(str(tmp_path / "redis.conf"), *python(code))
    assert output.startswith("redis://:secret@127.0.0.1:")


@pytest.mark.skipif(not find_spec("h11"), reason="h11 is not installed")
def test_the_http_door() -> None:
    code = """
import os, urllib.request
request = urllib.request.Request(os.environ["UPSTASH_REDIS_REST_URL"] + "/incr/n")
request.add_header("Authorization", "Bearer " + os.environ["UPSTASH_REDIS_REST_TOKEN"])
print(urllib.request.urlopen(request).read().decode())
"""
    assert run("--http", *python(code))[0].strip() == '{"result":1}'
    assert run(*python("import os; print('UPSTASH_REDIS_REST_URL' in os.environ)"))[0] == "False\n"


def test_exit_statuses(tmp_path: Path) -> None:
    run(*python("raise SystemExit(7)"), status=7)
    run(*python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), status=128 + signal.SIGKILL)
    assert "command not found: no-such-command" in run("--", "no-such-command", status=127)[1]
    (tmp_path / "data").write_text("")
    assert "Permission denied" in run("--", str(tmp_path / "data"), status=126)[1]


def test_wrong_usage() -> None:
    for words in ((), ("--shards", "2"), ("--",), ("pytest",)):
        assert "there is no command; it comes after `--`" in run(*words, status=2)[1]
    assert "Bad directive" in run("--no-such-directive", "1", "--", "true", status=1)[1]
    assert run("--help")[0].startswith("Usage: respcache run")


def test_a_server_that_dies_is_told() -> None:
    code = """
import os, redis, signal
client = redis.Redis.from_url(os.environ["REDIS_URL"])
os.kill(client.info("server")["process_id"], signal.SIGKILL)
"""
    _, errors = run(*python(code))
    assert "respcache run: the server died: it was killed by SIGKILL" in errors


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 41), (signal.SIGINT, 42)])
def test_signals_are_passed_on(number: signal.Signals, status: int) -> None:
    process, url, _ = start()
    process.send_signal(signal.SIGUSR1)
    assert process.stdout is not None
    assert process.stdout.readline() == "usr1\n"
    process.send_signal(number)
    assert process.wait(20) == status
    process.stdout.close()
    with pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(url).ping()


def test_the_start_imports_no_server() -> None:
    """Nor a client: a test command has better things to do than to wait."""
    code = "import sys; from respcache.testing import run; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), check=True, capture_output=True, text=True)
    assert not {"redis", "trio", "hiredis", "pytest", "lupa"}.intersection(done.stdout.split())


@pytest.mark.parametrize("client", CLIENTS)
def test_tests_in_javascript(client: str, tmp_path: Path) -> None:
    """With Node's own test runner, as docs/guides/other-languages.md shows."""
    node = packages_of(client, tmp_path)
    script = CLIENTS[client].replace("process.argv[2]", "process.env.REDIS_URL")
    (tmp_path / "visits.test.mjs").write_text(
        f"""import assert from "node:assert/strict";
import {{ after, beforeEach, test }} from "node:test";
{script}
beforeEach(() => call("RESPCACHE", "RESET"));
after(() => close());
for (const turn of [1, 2]) {{
  test(`a token expires ${{turn}}`, async () => {{
    await call("SET", "token", "abc", "EX", "60", "NX");
    assert.equal(await call("DBSIZE"), 1);
    await call("RESPCACHE", "CLOCK", "ADVANCE", "60000");
    assert.equal(await call("GET", "token"), null);
    await call("SET", "left", "over");
  }});
}}
"""
    )
    output = subprocess.run(
        [*PROGRAM, "--", node, "--test"],
        cwd=tmp_path,
        env={**environment(), "PATH": os.environ["PATH"]},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert output.returncode == 0, output.stdout
    assert "pass 2" in output.stdout
