"""hiredis-py's own tests: they need no server, but test the parser and packer that respcache uses, as installed."""

from __future__ import annotations

import shutil
from pathlib import Path

from compat.suites import pytest_suite
from compat.suites.base import Tally, environment, skips
from tests.support.processes import StartedServer

VERSION = "3.5.0"
VARIANTS = ("parser and packer",)
DIRECTIVES = ()
HTTP = False


def prepare() -> Path:
    """Fetch it. Raises Unavailable."""
    path = pytest_suite.source(_python(), "hiredis", VERSION)
    # Test the installed package, not the source beside the tests.
    shutil.rmtree(path / "hiredis", ignore_errors=True)
    return path


def run(path: Path, variant: str, server: StartedServer, only: str) -> Tally:
    """Run the tests. They are the same for every server."""
    arguments = ["tests", *(["-k", only] if only else [])]
    return pytest_suite.run(_python(), path, arguments, skips("hiredis_py", server.port), 120.0)


def _python() -> Path:
    return environment("suite-hiredis-py", f"hiredis=={VERSION}", "pytest==8.4.2")
