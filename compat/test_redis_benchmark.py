"""redis-benchmark on respcache: its default run and its options show the same as with a genuine server."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from compat import targets
from tests.support.processes import StartedServer

PROGRAM = shutil.which("redis-benchmark")
GENUINE = [target for target in targets.genuine() if target.is_redis]
OURS = targets.respcache((1, 3))

pytestmark = pytest.mark.skipif(not (PROGRAM and GENUINE), reason="redis-benchmark or redis-server is not installed")

ALL = (
    "ping_inline,ping_mbulk,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,"
    "lrange_100,lrange_300,lrange_500,lrange_600,mset"
)
RUNS = (
    "-n 2000 -q",
    "-n 2000 -q -P 16",
    "-n 2000 -q --threads 2 -t set,get,lpush,zadd,lrange_100,mset",  # each takes half a second at least
    "-n 1000 -q -r 1000",
    "-n 500 --csv",
    f"-n 500 -q -t {ALL}",
    "-n 500 -q -3 -t set,get",
    "-n 500 -q -k 0 -c 10 -t set",
    "-n 500 -q -d 20000 -P 4 -t set,get",
    "-n 500 -t get",
    "-n 500 -q -r 100 evalsha_ro nosuch 1 key:__rand_int__",
    "-n 500 -q -r 100 xadd stream:__rand_int__ * f v",
    "-n 100 --dbnum 5 -q -t set",
)


@pytest.fixture(scope="module")
def genuine() -> Iterator[StartedServer]:
    with GENUINE[-1].running() as server:
        yield server


@pytest.fixture(scope="module", params=OURS, ids=lambda target: target.label)
def ours(request: pytest.FixtureRequest) -> Iterator[StartedServer]:
    with request.param.running() as server:
        yield server


def shown(server: StartedServer, words: str) -> tuple[int, list[str]]:
    """The exit status, and the lines without numbers and without what is overwritten or depends on time."""
    command = [str(PROGRAM), "-p", str(server.port), *words.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    lines = (done.stdout + done.stderr).replace("\r", "\n").split("\n")
    passing = re.compile(r"rps=|% <=")
    number = re.compile(r"\d+(\.\d+)?|\binf\b|\bnan\b")  # a run may take no millisecond
    found = [" ".join(number.sub("N", line).split()) for line in lines if not passing.search(line)]
    return done.returncode, [line for line in found if line]


@pytest.mark.parametrize("words", RUNS)
def test_as_with_a_genuine_server(words: str, ours: StartedServer, genuine: StartedServer) -> None:
    assert shown(ours, words) == shown(genuine, words)
