"""Lint as tests have it: `server.lint`, the end of a pytest run, and plain commands from JavaScript."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
import redis
import trio

from compat.results import cache
from respcache.testing import Server

Run = Callable[..., str]


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with Server(args=["--lint", "report"]) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.reset()
    return running


# -- server.lint


def test_findings_are_typed(server: Server) -> None:
    with server.client(client_name="app") as client:
        client.mset({"user:1": 1, "cart:1": 2})
    [finding] = server.lint.report()
    assert (finding.rule, finding.client, finding.command, finding.count) == ("crossslot", "app", "MSET", 1)
    assert (finding.pattern, finding.first_key) == (b"user:*", b"user:1")
    assert finding.words == (b"MSET", b"user:1", b"1", b"cart:1", b"2")
    assert abs((datetime.now(UTC) - finding.first).total_seconds()) < 60
    assert str(finding).startswith(
        "crossslot: keys in 2 slots, such as user:1 and cart:1\n    > MSET user:1 1 cart:1 2"
    )
    assert server.lint.dropped() == 0
    server.lint.reset()
    assert server.lint.report() == []


def test_findings_from_trio(server: Server) -> None:
    async def main() -> None:
        with server.client() as client:
            client.keys("*")
        assert [finding.rule for finding in await server.async_lint.report()] == ["keys"]
        assert await server.async_lint.dropped() == 0
        await server.async_lint.reset()
        assert await server.async_lint.report() == []

    trio.run(main)


def test_clients_of_redis_py_cause_no_findings_by_themselves(server: Server) -> None:
    with server.client() as client:
        assert client.ping()
        assert client.pipeline().get("{a}1").set("{a}2", 1).execute() == [None, True]
        client.register_script("return redis.call('GET', KEYS[1])")(keys=["k"])
    with redis.Redis.from_url(server.url, protocol=2) as client:
        client.ping()
    assert server.lint.report() == []


# -- at the end of a pytest run


TESTS = """
    import asyncio
    import redis

    def in_a_helper(client):
        client.mget("a", "b")

    def test_of_the_fixture(respcache):
        in_a_helper(respcache)

    def test_of_a_made_client(respcache_client):
        client = respcache_client()
        with client.pipeline() as pipeline:
            pipeline.set("x", 1)
            pipeline.set("y", 1)
            pipeline.execute()
        client.eval("return redis.call('GET', 'undeclared')", 0)

    def test_of_asyncio(respcache_async):
        async def main():
            await respcache_async.mget("a", "b")
        asyncio.run(main())

    def test_of_another_client(respcache_url):
        with redis.Redis.from_url(respcache_url) as client:
            client.keys("*")

    def test_without_findings(respcache):
        respcache.mget("{a}1", "{a}2")
"""


def test_findings_are_shown_with_test_and_line(run_pytest: Run) -> None:
    output = run_pytest(TESTS, ini="respcache_lint = report")
    _, section = output.split(" respcache lint ")
    lines = [line.strip() for line in section.splitlines()]
    assert "crossslot: keys in 2 slots, such as a and b (2 times)" in lines
    assert "> MGET a b" in lines
    assert "test_it.py::test_of_the_fixture (test_it.py:6)" in lines
    assert "test_it.py::test_of_asyncio (test_it.py:21)" in lines
    assert "> MULTI ... SET x 1 ... SET y 1 ... EXEC" in lines
    assert "test_it.py::test_of_a_made_client (test_it.py:16)" in lines
    assert "undeclared-key: used by a script, and not in its KEYS" in lines
    assert "test_it.py::test_of_a_made_client (test_it.py:17)" in lines
    assert "test_it.py::test_of_another_client" in lines
    assert "test_without_findings" not in section


def test_workers_of_xdist_report_theirs(run_pytest: Run) -> None:
    if find_spec("xdist") is None:
        pytest.skip(reason="pytest-xdist is not installed")
    output = run_pytest(TESTS, "-n", "2", ini="respcache_lint = report")
    assert output.count(" respcache lint ") == 1
    assert "crossslot: keys in 2 slots, such as a and b (2 times)" in output
    assert "test_it.py::test_of_asyncio (test_it.py:21)" in output


def test_it_is_off_unless_asked_for(run_pytest: Run) -> None:
    assert "respcache lint" not in run_pytest(TESTS)


def test_a_run_without_findings_says_nothing(run_pytest: Run) -> None:
    test = "def test_it(respcache): respcache.set('k', 'v')"
    assert "respcache lint" not in run_pytest(test, ini="respcache_lint = report")


def test_refused_commands_fail_tests(run_pytest: Run) -> None:
    test = """
        import pytest, redis

        def test_it(respcache):
            with pytest.raises(redis.ResponseError, match="LINT missing: Amazon MemoryDB has no CONFIG GET"):
                respcache.config_get("maxmemory")
    """
    output = run_pytest(test, ini="respcache_lint = refuse\nrespcache_lint_profile = memorydb")
    assert "test_it.py::test_it (test_it.py:6)" in output


def test_a_wrong_mode_is_a_usage_error(run_pytest: Run) -> None:
    output = run_pytest("def test_it(): pass", ini="respcache_lint = maybe", status=4)
    assert "respcache_lint is 'maybe', and not one of: off, report, refuse" in output


# -- JavaScript

# Without `enableAutoPipelining`, ioredis writes each command by itself. If the server answers before the next one
# comes, as it may on a busy machine, that cannot be told from a loop.
_IOREDIS = """
const Redis = require("ioredis");
(async () => {
  const client = new Redis(process.argv[1], { enableAutoPipelining: true });
  await client.mget("a", "b");
  for (let number = 0; number < 10; number++) await client.get(`user:${number}`);
  await Promise.all([...Array(50).keys()].map((number) => client.get(`cart:${number}`)));
  console.log(JSON.stringify(await client.call("RESPCACHE", "LINT", "REPORT")));
  await client.call("RESPCACHE", "LINT", "RESET");
  console.log(JSON.stringify(await client.call("RESPCACHE", "LINT", "REPORT")));
  client.disconnect();
})();
"""
_NODE_REDIS = """
const { createClient } = require("redis");
(async () => {
  const client = createClient({ url: process.argv[1] });
  await client.connect();
  await client.mGet(["a", "b"]);
  for (let number = 0; number < 10; number++) await client.get(`user:${number}`);
  await Promise.all([...Array(50).keys()].map((number) => client.get(`cart:${number}`)));
  console.log(JSON.stringify(await client.sendCommand(["RESPCACHE", "LINT", "REPORT"])));
  await client.sendCommand(["RESPCACHE", "LINT", "RESET"]);
  console.log(JSON.stringify(await client.sendCommand(["RESPCACHE", "LINT", "REPORT"])));
  client.destroy();
})();
"""


def run_node(server: Server, program: str, script: str) -> list[str]:
    """The lines that a script prints, with the packages of a program of compat."""
    modules = cache() / "environments" / f"program-{program}" / "node_modules"
    node = shutil.which("node")
    if node is None or not Path(modules).exists():
        pytest.skip(reason=f"node, or its packages: run `python -m compat programs --only {program}` once")
    done = subprocess.run(
        [node, "-e", script, server.url],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "NODE_PATH": str(modules)},
    )
    return done.stdout.splitlines()


def test_the_snippet_of_the_guide(server: Server) -> None:
    guide = Path(__file__).parents[2] / "docs" / "guides" / "find-what-breaks-on-a-cluster.md"
    _, snippet = guide.read_text("utf-8").split("```js\n", 1)
    snippet, _ = snippet.split("```", 1)
    script = f"""
        const redis = new (require("ioredis"))(process.argv[1]);
        (async () => {{
          await redis.mget("a", "b");
          {snippet}
          console.log(findings.map((finding) => finding.rule).join(" "));
          redis.disconnect();
        }})();
    """
    assert run_node(server, "ioredis", script) == ["crossslot"]


@pytest.mark.parametrize(("program", "script"), [("ioredis", _IOREDIS), ("node_redis", _NODE_REDIS)])
def test_plain_commands_from_node(server: Server, program: str, script: str) -> None:
    before, after = map(json.loads, run_node(server, program, script))
    report = _mapped(before)
    assert (report["mode"], report["dropped"]) == ("report", 0)
    found = [_mapped(finding) for finding in report["findings"]]
    assert [(finding["rule"], finding["command"], finding["count"]) for finding in found] == [
        ("crossslot", "MGET", 1),
        ("n-plus-one", "GET", 10),
    ]
    assert _mapped(after)["findings"] == []


def _mapped(reply: list[object] | dict[str, object]) -> dict[str, object]:
    """As RESP3 gives it, or RESP2."""
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))  # type: ignore[arg-type]
