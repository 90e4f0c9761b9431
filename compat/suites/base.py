"""What a suite is, and what all of them need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from compat.results import cache
from compat.targets import DEFAULT_PORT
from tests.support.processes import StartedServer

_HERE = Path(__file__).parent

# The reasons that begin like this apply to tests that can run only against a server on the default port.
_INSISTS = f"connects to port {DEFAULT_PORT}"


@dataclass
class Tally:
    """The result of a run: names of tests, with what went wrong or why they were left out.

    Several tests may have the same name: `passed` has one entry for each.
    """

    passed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    excluded: dict[str, str] = field(default_factory=dict)


class Suite(Protocol):
    """A module with these names."""

    VERSION: str
    VARIANTS: Sequence[str]  # "RESP2", "RESP3", ...; one run each
    DIRECTIVES: Sequence[str]  # directives for the server that the suite runs against
    HTTP: bool  # True if it uses the HTTP door; there is no genuine server to compare with then

    def prepare(self) -> Path:
        """Fetch the suite into the cache if it is not there. Returns its path. Raises Unavailable."""

    def run(self, path: Path, variant: str, server: StartedServer, only: str) -> Tally:
        """Run the suite, or the part of it that `only` names, against the server."""


class Unavailable(Exception):
    """The suite cannot be fetched or run here; the text says why."""


def skips(name: str, port: int) -> dict[str, str]:
    """Pattern -> reason, for the tests that a suite leaves out if the server has this port."""
    listed = _listed("skips", name)
    if port == DEFAULT_PORT:
        return {pattern: reason for pattern, reason in listed.items() if not reason.startswith(_INSISTS)}
    return listed


def insists(name: str) -> bool:
    """True if the suite has tests that can run only against a server on the default port."""
    return any(reason.startswith(_INSISTS) for reason in _listed("skips", name).values())


def consequences(name: str) -> dict[str, str]:
    """Pattern -> reason, for tests that fail because of something other than the command in their message."""
    return _listed("consequences", name)


def _listed(folder: str, name: str) -> dict[str, str]:
    path = _HERE / folder / f"{name}.txt"
    found = {}
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        pattern, mark, reason = line.partition(" # ")
        if mark and not line.startswith("#"):
            found[pattern.strip()] = reason.strip()
    return found


def reason_for(test: str, patterns: dict[str, str]) -> str:
    """The reason of the first pattern that matches a test; empty if none does."""
    return next((reason for pattern, reason in patterns.items() if fnmatchcase(test, pattern)), "")


def environment(name: str, *requirements: str) -> Path:
    """The interpreter of a virtual environment with these requirements, in the cache. Created on the first call."""
    folder = cache() / "environments" / name
    python = folder / "bin" / "python"
    wanted = "\n".join(requirements)
    stamp = folder / "requirements"
    if not stamp.exists() or stamp.read_text() != wanted:
        run_quietly([sys.executable, "-m", "venv", "--clear", str(folder)])
        run_quietly([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *requirements])
        stamp.write_text(wanted)
    return python


def checkout(address: str, tag: str, commit: str) -> Path:
    """A clone of a git repository at a tag, in the cache. Raises Unavailable, also if the tag is not at this commit."""
    folder = cache() / "suites" / f"{address.rsplit('/', 1)[-1]}-{commit[:12]}"
    if not folder.exists():
        unchecked = folder.with_name(f"{folder.name}.unchecked")
        shutil.rmtree(unchecked, ignore_errors=True)
        run_quietly(["git", "clone", "--quiet", "--depth", "1", "--branch", tag, address, str(unchecked)])
        found = run_quietly(["git", "rev-parse", "HEAD"], cwd=unchecked).strip()
        if found != commit:
            raise Unavailable(f"{address}: {tag} is {found}, and not {commit}")
        unchecked.rename(folder)
    return folder


def rest_variables(server: StartedServer) -> Mapping[str, str]:
    """The environment in which Upstash's clients find the HTTP door of a server."""
    return {
        **os.environ,
        "UPSTASH_REDIS_REST_URL": server.rest_url,
        "UPSTASH_REDIS_REST_TOKEN": server.rest_token,
        # The way to loopback is never through a proxy.
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def run_quietly(command: Sequence[str], *, cwd: Path | None = None, limit: float = 600.0) -> str:
    """Run a program and return its output. Raises Unavailable with the end of the output if it fails."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=limit, check=True)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(str(error)) from error
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{command[0]}: {(error.stderr or error.stdout)[-2000:]}") from error
    return done.stdout
