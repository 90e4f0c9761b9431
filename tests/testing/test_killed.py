"""A test run is killed with `kill -9` in the middle of each feature: no process, no file and no port is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.pytests import command_line, environment, write

_DEADLINE = 30.0

READY = """
    import os, time, redis

    def ready(client):
        server = client.info("server")
        shards = [row[1] for row in client.execute_command("DEBUG", "SHARDS")]
        print("READY", server["tcp_port"], server["process_id"], *shards, os.getpid(), flush=True)
        time.sleep(600)
"""
FEATURES = {
    "nothing": "ready(respcache)",
    "a fault": "respcache_server.faults.delay(60, command='GET'); ready(respcache)",
    "refused connections": "respcache_server.faults.refuse(times=1000, client='no-such-address'); ready(respcache)",
    "a frozen clock": "respcache_server.clock.freeze(); ready(respcache)",
    "a journal": "respcache_server.journal().__enter__(); ready(respcache)",
    "a snapshot": "respcache_server.snapshots.take('s'); ready(respcache)",
    "a namespace": "respcache_server.namespace('n').client().set('k', 'v'); ready(respcache)",
    "another server": "respcache_server_factory(shards=2).client().ping(); ready(respcache)",
    "http": "respcache_server.open_http(); ready(respcache)",
    "lint": "respcache_server.lint.report(); ready(respcache)",
}


def is_there(pid: int) -> bool:
    """A zombie whose parent has not looked yet is not there."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@contextmanager
def started(command: list[str], directory: Path, lines: int = 1) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A test run that is ready, and the port and the processes that it has told."""
    temporary = directory / "temporary"
    temporary.mkdir()
    env = {**environment(), "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=directory, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            told: list[int] = []
            while lines:
                line = process.stdout.readline()
                assert line, "the test run has ended"
                if "READY " in line:
                    told += map(int, line.split("READY ")[1].split())
                    lines -= 1
            yield process, told
        finally:
            process.kill()
            assert process.stdout is not None
            process.stdout.close()


def check_nothing_is_left(directory: Path, ports: list[int], pids: list[int]) -> None:
    deadline = time.monotonic() + _DEADLINE
    left: list[object] = ["?"]
    while left and time.monotonic() < deadline:
        files = [*(directory / "temporary").glob("respcache-*")]
        left = [*filter(is_there, pids), *filter(is_open, ports), *files]
        time.sleep(0.02)
    assert not left


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
class TestKilled:
    @pytest.mark.parametrize("feature", FEATURES)
    def test_a_test_run(self, feature: str, tmp_path: Path) -> None:
        fixtures = "respcache, respcache_server, respcache_server_factory"
        write(tmp_path, READY + f"\n    def test_it({fixtures}):\n        {FEATURES[feature]}\n")
        ini = "[pytest]\nrespcache_shards = 2\nrespcache_journal = true\n"
        (tmp_path / "pytest.ini").write_text(ini + ("respcache_lint = report\n" if feature == "lint" else ""))
        with started(command_line("-s"), tmp_path) as (process, (port, *pids)):
            assert is_open(port)
            assert all(map(is_there, pids))
            assert [*(tmp_path / "temporary").glob("respcache-*")]
            process.kill()
            check_nothing_is_left(tmp_path, [port], pids)

    def test_a_test_run_whose_workers_share_a_server(self, tmp_path: Path) -> None:
        """The controller is killed, which has started the server; workers notice that it is gone."""
        pytest.importorskip("xdist")
        test = """
    import pytest

    @pytest.mark.parametrize("turn", [1, 2])
    def test_it(respcache, turn):
        import sys
        sys.stdout = open(os.environ["TOLD"], "a", buffering=1)
        respcache.set("k", "v")
        ready(respcache)
"""
        write(tmp_path, READY + test, "respcache_shared = true\n")
        told = tmp_path / "told"
        os.mkfifo(told)
        code = "import sys; [print(line, end='', flush=True) for line in open(sys.argv[1])]"
        script = f"""
import os, subprocess, sys
os.environ["TOLD"] = {str(told)!r}
relay = subprocess.Popen([sys.executable, "-c", {code!r}, {str(told)!r}])
controller = subprocess.Popen({command_line("-n", "2")!r}, stdout=subprocess.DEVNULL)
print("READY", controller.pid, relay.pid, flush=True)
controller.wait()
"""
        with started([sys.executable, "-c", script], tmp_path, lines=3) as (_, numbers):
            controller, relay, *rest = numbers
            half = len(rest) // 2
            assert rest[:2] == rest[half : half + 2]  # one port, one server
            assert rest[-1] != rest[half - 1]  # and two workers
            os.kill(controller, signal.SIGKILL)
            check_nothing_is_left(tmp_path, [rest[0]], [*rest[1:half], *rest[half + 1 :], controller])
            os.kill(relay, signal.SIGKILL) if is_there(relay) else None

    def test_respcache_run(self, tmp_path: Path) -> None:
        code = """
import os, redis
exec(os.environ["READY"])
ready(redis.Redis.from_url(os.environ["REDIS_URL"]))
"""
        os.environ["READY"] = textwrap.dedent(READY)
        try:
            command = [sys.executable, "-m", "respcache", "run", "--shards", "2", "--", sys.executable, "-c", code]
            with started(command, tmp_path) as (process, (port, *pids)):
                process.kill()
                check_nothing_is_left(tmp_path, [port], pids)
        finally:
            del os.environ["READY"]
