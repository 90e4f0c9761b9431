"""Redis' own TCL suite, from Debian's source package of redis: one unit at a time, in its external mode.

`tcl_unit.tcl` runs one unit in its own tclsh and writes a line per outcome, so a test that fails or hangs does not hide
the tests after it. Between two units the server is reset to the state in which it was found.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from compat.results import cache
from compat.suites.base import Tally, Unavailable, reason_for, run_quietly, skips
from tests.support.processes import StartedServer
from tests.support.resp import Closed, Connection

VERSION = "7.0.15"
VARIANTS = ("external mode",)
DIRECTIVES = ("--enable-debug-command", "yes", "--enable-protected-configs", "yes")
HTTP = False

_DRIVER = Path(__file__).with_name("tcl_unit.tcl")
_TRIES = 2  # a test that hangs its unit is left out the next time


class _Depth(NamedTuple):
    """How much of a unit is run. Limits are in seconds: per answer, per test, and for the unit."""

    options: tuple[str, ...]
    environment: dict[str, str]
    limit: float


_USUAL = _Depth(("--tags", "-slow -needs:debug"), {"READ_TIMEOUT": "4", "TEST_LIMIT": "20"}, 200.0)
# With tests that are slow, that need DEBUG (but not its digests of Redis' own encodings), and that are not meant for an
# external server, though many work with one.
_WHOLE = _Depth(
    ("--ignore-digest", "--tags", "-repl"),
    {"READ_TIMEOUT": "10", "TEST_LIMIT": "100", "FORCE_EXTERNAL": "1"},
    600.0,
)
_WHOLE_UNITS = frozenset(
    (
        *("unit/multi", "unit/scripting", "unit/functions", "unit/pubsub", "unit/pubsubshard", "unit/keyspace"),
        *("unit/geo", "unit/hyperloglog", "unit/dump", "unit/tracking", "unit/slowlog", "unit/latency-monitor"),
        *("unit/info", "unit/introspection-2", "unit/pause", "unit/querybuf", "unit/other"),
        "unit/protocol",
        *("unit/type/list", "unit/type/list-2", "unit/type/list-3", "unit/type/zset"),
        *("unit/type/stream", "unit/type/stream-cgroups"),
    )
)

# Commands that remove the state a unit may leave behind, besides directives and data. A server that lacks one of these
# commands has no such state.
_CLEANING = (
    ("CLIENT", "UNPAUSE"),
    ("CLIENT", "KILL", "TYPE", "pubsub"),
    ("FLUSHALL",),
    ("SCRIPT", "FLUSH"),
    ("FUNCTION", "FLUSH"),
    ("REPLICAOF", "NO", "ONE"),
    ("CONFIG", "RESETSTAT"),
    ("ACL", "SETUSER", "default", "reset", "on", "nopass", "~*", "&*", "+@all"),
)


class Row(NamedTuple):
    """One line of a unit's log. `status` is testing, ok, err, skip, ignore, outside-err, or a word of the driver."""

    status: str
    name: str
    detail: str


def prepare() -> Path:
    """Fetch the suite with apt, without touching the system's own lists. Raises Unavailable."""
    for program in ("tclsh", "apt-get", "redis-cli", "redis-benchmark"):
        if shutil.which(program) is None:
            raise Unavailable(f"{program} is needed (packages tcl, apt, redis-tools)")
    root = cache() / "suites" / f"redis-{VERSION}"
    if not root.exists():
        _fetch(root)
    for program in ("redis-cli", "redis-benchmark"):
        link = root / "src" / program
        link.unlink(missing_ok=True)
        link.symlink_to(shutil.which(program) or program)
    return root


def _fetch(root: Path) -> None:
    folder = root.parent / "apt"
    for part in ("lists/partial", "archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    listed = run_quietly(["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)"])
    places = sorted(line for line in set(listed.splitlines()) if "-" not in line.split()[-1])
    if not places:
        raise Unavailable("apt knows no package lists")
    sources = folder / "sources.list"
    sources.write_text(f"deb-src {places[0]} main\n")
    options = [
        f"Dir::Etc::sourcelist={sources}",
        "Dir::Etc::sourceparts=/dev/null",
        f"Dir::State::Lists={folder / 'lists'}",
        f"Dir::Cache={folder}",
    ]
    command = ["apt-get", "-q", *(word for option in options for word in ("-o", option))]
    run_quietly([*command, "update"])
    run_quietly([*command, "source", "--download-only", "redis"], cwd=folder)
    archives = list(folder.glob(f"redis_{VERSION}.orig.tar.*"))
    if not archives:
        raise Unavailable(f"Debian has another version than {VERSION}")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(root.parent, filter="data")
    for unpacked in root.parent.glob("redis-*"):
        if (unpacked / "tests" / "test_helper.tcl").exists() and unpacked != root:
            unpacked.rename(root)


def run(path: Path, variant: str, server: StartedServer, only: str) -> Tally:
    """Run all units, or those that `only` names: ``unit/multi,unit/type/*``."""
    listed = run_quietly(["tclsh", "tests/test_helper.tcl", "--list-tests"], cwd=path).split()
    patterns = skips("tcl", server.port)
    logs = path / "outcomes"
    logs.mkdir(exist_ok=True)
    tally = Tally()
    untouched = _directives(server)
    for unit in listed:
        if only and not any(fnmatchcase(unit, pattern) for pattern in only.split(",")):
            continue
        if reason := reason_for(unit, patterns):
            tally.excluded[unit] = reason
            continue
        _clean(server, untouched)
        begin = time.monotonic()
        before = len(tally.passed), len(tally.failed)
        left_out = [name.removeprefix(f"{unit}: ") for name in patterns if name.startswith(f"{unit}: ")]
        for row in _unit(path, unit, server, logs / f"{unit.replace('/', '_')}-{server.port}.tsv", left_out):
            _count(tally, unit, row, patterns)
        passed, failed = len(tally.passed) - before[0], len(tally.failed) - before[1]
        print(f"  {unit}: {passed} passed, {failed} failed, {time.monotonic() - begin:.0f} s", flush=True)
    _clean(server, untouched)
    return tally


def _unit(path: Path, unit: str, server: StartedServer, log: Path, left_out: list[str]) -> list[Row]:
    """The outcomes of a unit without some of its tests. If a test hangs the unit, it is run again without that test."""
    depth = _WHOLE if unit in _WHOLE_UNITS else _USUAL
    hung: list[str] = []
    rows: list[Row] = []
    for _ in range(_TRIES):
        log.unlink(missing_ok=True)
        command = ["tclsh", str(_DRIVER), "127.0.0.1", str(server.port), unit, str(log), *depth.options]
        command += [word for name in (*left_out, *hung) for word in ("--skiptest", name)]
        _run(command, path, depth)
        rows = list(_rows(log))
        if rows and rows[-1].status == "unit-done":
            break
        running = next((row.name for row in reversed(rows) if row.status == "testing"), "")
        if not running or running in hung or not server.alive():
            rows.append(Row("err", running or "(the unit)", "the unit did not finish"))
            break
        hung.append(running)
    return [*rows, *(Row("err", name, "hung, or ended the unit") for name in hung)]


def _run(command: list[str], path: Path, depth: _Depth) -> None:
    process = subprocess.Popen(
        command,
        cwd=path,
        env={**os.environ, **depth.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(depth.limit)
    except subprocess.TimeoutExpired:
        pass
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)  # the unit, and any helpers still running
        except ProcessLookupError:
            pass
        process.wait()


def _rows(log: Path) -> Iterator[Row]:
    """The rows of a log. Its columns are unit, status, name, milliseconds, tags, detail."""
    if log.exists():
        for line in log.read_text("utf-8", "replace").splitlines():
            fields = (line.split("\t") + [""] * 6)[:6]
            yield Row(fields[1], fields[2], fields[5])


def _count(tally: Tally, unit: str, row: Row, patterns: dict[str, str]) -> None:
    name = f"{unit}: {row.name}"
    if row.status == "ok":
        tally.passed.append(name)
    elif row.status in ("skip", "ignore"):
        if reason := reason_for(name, patterns):
            tally.excluded[name] = reason
            return
        tag = re.search(r": ((?:Tag: .*|Not supported .*|large memory flag.*))$", row.name)
        tally.excluded[name] = tag[1] if tag else row.detail or "left out by its own tags"
    elif row.status in ("err", "outside-err"):
        if reason := reason_for(name, patterns):
            tally.excluded[name] = reason
            return
        # Errors outside of tests have no names of their own: each counts separately.
        while name in tally.failed:
            name += "'"
        tally.failed[name] = row.detail[:300] or "?"


def _directives(server: StartedServer) -> dict[bytes, bytes]:
    connection = Connection(server.port)
    try:
        reply = connection.call("CONFIG", "GET", "*")
        return dict(zip(reply[::2], reply[1::2], strict=True))
    finally:
        connection.close()


def _clean(server: StartedServer, untouched: dict[bytes, bytes]) -> None:
    """Remove what a unit has left behind: data, functions, users, directives."""
    try:
        connection = Connection(server.port, timeout=5)
    except OSError:
        return  # the server is gone; what follows fails and reports it
    try:
        for words in _CLEANING:
            connection.call(*words)
        for name, value in _directives(server).items():
            if untouched.get(name) != value:
                connection.call("CONFIG", "SET", name, untouched[name])
    except (Closed, OSError):
        pass
    finally:
        connection.close()
