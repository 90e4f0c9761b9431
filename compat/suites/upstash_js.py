"""The tests of @upstash/redis, Upstash's client for JavaScript: commands, pipelines, transactions, subscriptions.

They are in the client's repository only, and run under bun, which npm installs. The client they test is the source
beside them, at the tag of the version that npm has.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from compat.suites.base import Tally, Unavailable, checkout, rest_variables, run_quietly, skips
from tests.support.processes import StartedServer

VERSION = "1.38.2"
VARIANTS = ("bun",)
DIRECTIVES = ("--requirepass", "of the suite")
HTTP = True

_REPOSITORY = "https://github.com/upstash/redis-js"
_TAG = f"@upstash/redis@{VERSION}"
_COMMIT = "fc3089b69f583bc2a34bb1c4f9b8871891408cdc"
# bun, and what the client itself needs.
_PACKAGES = {"bun": "1.3.6", "uncrypto": "0.1.3"}
_LIMIT = 900.0  # seconds
_TEST_LIMIT = 20_000  # milliseconds per test, as its authors run it
# With any of these, bun leaves the tests that pass out of its output.
_QUIET = ("AGENT", "CLAUDECODE", "REPL_ID")

_FILE = re.compile(r"(pkg/\S+\.test\.ts):$")
_RESULT = re.compile(r"\((pass|fail|skip)\) (.*?)(?: \[[\d.]+m?s\])?$")
_TOTAL = re.compile(r"Ran (\d+) tests? across")
# A line of the source, or of a traceback, before a failure; or the mark below a column.
_AROUND = re.compile(r"\d+ \||\s+at |\s+\^$|\s*$")


def prepare() -> Path:
    """Fetch it and its packages. Returns the folder of the client. Raises Unavailable."""
    path = checkout(_REPOSITORY, _TAG, _COMMIT) / "packages" / "redis"
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("npm is needed")
    # Packages are looked for in all folders above the tests; this one is no part of the repository's packages.
    folder = path.parent
    manifest = json.dumps({"private": True, "dependencies": _PACKAGES})
    if not (folder / "node_modules").exists() or (folder / "package.json").read_text() != manifest:
        (folder / "package.json").write_text(manifest)
        run_quietly([npm, "install", "--no-audit", "--no-fund", "--silent"], cwd=folder)
    return path


def run(path: Path, variant: str, server: StartedServer, only: str) -> Tally:
    """Run the tests; `only` is a part of the names of files, such as `commands/x`."""
    left_out = skips("upstash_js", server.port)
    tally = Tally(excluded=dict(left_out))
    seen: Counter[str] = Counter()
    for files, pattern in _runs(path, left_out, only):
        options = [f"--timeout={_TEST_LIMIT}", *(["--test-name-pattern", pattern] if pattern else [])]
        said = _bun(path, server, [*options, *files])
        results = list(_results(said))
        for name, outcome, problem in results:
            seen[name] += 1
            if outcome == "fail":
                tally.failed[name if seen[name] == 1 else f"{name} ({seen[name]})"] = problem
            elif outcome == "skip":
                tally.excluded[name] = "skipped by its authors"
            else:
                tally.passed.append(name)
        total = _TOTAL.search(said)
        if total is None or int(total[1]) != len(results):
            tally.failed[f"bun test {' '.join(files[:3])} ..."] = f"not all of its results are known: {said[-300:]}"
    return tally


def _runs(path: Path, left_out: Mapping[str, str], only: str) -> Iterator[tuple[list[str], str]]:
    """Which files to run together, with a pattern for the names of tests: a file of which some tests are left out runs
    by itself, since the pattern cannot tell files apart.
    """
    together = []
    for file in sorted(str(found.relative_to(path)) for found in path.glob("pkg/**/*.test.ts")):
        if only not in file or any(fnmatchcase(file, pattern) for pattern in left_out):
            continue
        tests = [test for at, mark, test in (pattern.partition(": ") for pattern in left_out) if mark and at == file]
        if tests:
            yield [f"./{file}"], _all_but(tests)
        else:
            together.append(f"./{file}")
    if together:
        yield together, ""


def _all_but(tests: Iterable[str]) -> str:
    """A pattern for all names but these; bun joins the names of groups and tests with a space."""
    names = "|".join(re.escape(test.replace(" > ", " ")).replace(r"\*", ".*") for test in tests)
    return f"^(?!(?:{names})$)"


def _bun(path: Path, server: StartedServer, arguments: list[str]) -> str:
    """Run `bun test`; what it printed, and a last line if that took too long."""
    environment = {name: value for name, value in rest_variables(server).items() if name not in _QUIET}
    command = [str(path.parent / "node_modules" / ".bin" / "bun"), "test", *arguments]
    try:
        # Results go to stderr, what tests print to stdout.
        done = subprocess.run(
            command,
            cwd=path,
            env={**environment, "NO_COLOR": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        printed = error.stderr or b""
        return (printed.decode() if isinstance(printed, bytes) else printed) + f"\nnot done after {_LIMIT:.0f} s"
    return done.stderr


def _results(said: str) -> Iterator[tuple[str, str, str]]:
    """Each test with its outcome, and what went wrong: bun prints that before the name."""
    file = ""
    problem: list[str] = []
    for line in said.splitlines():
        if re.match(r"\d+ tests? (skipped|failed):$", line):
            return  # they are listed once more
        if named := _FILE.match(line):
            file, problem = named[1], []
        elif result := _RESULT.match(line):
            yield f"{file}: {result[2]}", result[1], " ".join(problem)[:300]
            problem = []
        elif not _AROUND.match(line):
            problem.append(line.strip())
