"""`python -m compat programs`: run each program on the genuine servers, where it must work, and on respcache."""

from __future__ import annotations

import argparse
import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from compat import targets
from compat.programs import node
from compat.results import Outcome
from compat.suites.base import Unavailable, environment
from compat.targets import Target

_HERE = Path(__file__).parent
_NO_PROGRAMS = ("__init__", "child", "run", "node", "support")
_LIMIT = 600.0  # seconds for all scenarios of one program
# What `.ci/run` has time for: a cache, the clients themselves, and one user each of what queues and locks are made of.
_QUICK = (
    "arq_jobs",
    "brpop_workers",
    "django_cache",
    "flask_caching",
    "ioredis",
    "ioredis_streams",
    "node_redis",
    "redis_py_lock",
    "redis_py_recipes",
)


def names() -> list[str]:
    """All programs, in Python and JavaScript."""
    modules = [path.stem for path in _HERE.glob("*.py") if path.stem not in _NO_PROGRAMS]
    return sorted([*modules, *node.names()])


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--genuine", action="store_true", help="run only on the genuine servers, for their columns of the report"
    )
    parser.add_argument("--quick", action="store_true", help="run only a few, those of .ci/run")


def run(options: argparse.Namespace) -> int:
    """Run. Returns how many programs failed although they need no missing command."""
    chosen = [name for name in names() if options.only in ("", name)]
    if not chosen:
        print(f"No such program; there are: {', '.join(names())}", file=sys.stderr)
        return 1
    failed = 0
    for name in chosen:
        missing = missing_commands(name)
        if options.quick and (missing or name not in _QUICK):
            continue
        for target in targets.genuine() if options.genuine else targets.respcache(options.shards, options.server):
            outcome = _run(name, target, missing if target.ours else ())
            for scenario, problem in outcome.failed.items():
                print(f"  {scenario}: {problem}")
            print(outcome.line(), flush=True)
            failed += bool(outcome.failed) and not missing
            if not options.server:
                outcome.save()
    return failed


def _run(name: str, target: Target, missing: tuple[str, ...]) -> Outcome:
    version = ", ".join(requirements(name))
    outcome = Outcome("programs", name, "", target.label, target.ours, version=version)
    begin = time.monotonic()
    try:
        with target.running() as server:
            command = node.command(name) if name in node.names() else _python_command(name)
            outcome.passed, outcome.failed = _scenarios([*command, f"redis://127.0.0.1:{server.port}/0"])
    except Unavailable as reason:
        outcome.excluded = {"all": f"cannot be installed here: {str(reason).strip().splitlines()[-1]}"}
    outcome.seconds = time.monotonic() - begin
    if missing and outcome.failed:
        note = f"needs {', '.join(missing)}"
        outcome.failed = {scenario: f"{note}: {problem}" for scenario, problem in outcome.failed.items()}
    return outcome


def _python_command(name: str) -> list[str]:
    return [str(environment(f"program-{name}", *requirements(name))), "-m", "compat.programs.child", name]


def _scenarios(command: list[str]) -> tuple[int, dict[str, str]]:
    """How many scenarios passed, and what the others failed with."""
    source = str(_HERE.parents[1])
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": source},
        start_new_session=True,  # so that its workers can be killed with it
    )
    try:
        said, errors = process.communicate(timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        _kill(process)
        said, errors = process.communicate()
        errors += f"\ndid not end within {_LIMIT:.0f} s"
    finally:
        _kill(process)
        process.wait()
    passed, failed = 0, {}
    for line in said.splitlines():
        if line.startswith("["):
            scenario, problem = json.loads(line)
            passed += not problem
            if problem:
                failed[scenario] = problem
    if process.returncode or not (passed or failed):
        failed["all"] = errors.strip()[-1000:] or f"ended with {process.returncode} after {passed} scenarios"
    return passed, failed


def _kill(process: subprocess.Popen[str]) -> None:
    """Kill the process and everything it has left running."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def requirements(name: str) -> tuple[str, ...]:
    return node.PACKAGES.get(name) or _constant(name, "REQUIREMENTS")


def missing_commands(name: str) -> tuple[str, ...]:
    """The missing commands because of which a program fails."""
    return node.MISSING.get(name, ()) if name in node.PACKAGES else _constant(name, "MISSING")


def _constant(name: str, wanted: str) -> tuple[str, ...]:
    """A tuple that a program's module assigns. The module itself can only be imported in its own environment."""
    for statement in ast.parse((_HERE / f"{name}.py").read_text("utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == wanted:
            value: tuple[str, ...] = ast.literal_eval(statement.value)
            return value
    return ()
