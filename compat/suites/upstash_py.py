"""The tests of upstash-redis, Upstash's client for Python: commands, pipelines, transactions, scripts, streams.

They are not part of the source distribution, and the repository's newest tag is older than the client: tests of the
one, client of the other.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from compat.suites import pytest_suite
from compat.suites.base import Tally, checkout, environment, rest_variables, skips
from tests.support.processes import StartedServer

_CLIENT = "1.8.0"
_TAG = "v1.6.0"
VERSION = f"{_CLIENT} (tests of {_TAG})"
VARIANTS = ("sync and asyncio",)
DIRECTIVES = ("--requirepass", "of the suite")
HTTP = True

_REPOSITORY = "https://github.com/upstash/redis-py"
_COMMIT = "e3379e95c2b5f8c6f6627ebb3083de01bcbea27d"
_REQUIREMENTS = (
    f"upstash-redis=={_CLIENT}",
    "pytest==8.4.2",
    "pytest-asyncio==0.24.0",
    "pytest-timeout==2.4.0",
    "python-dotenv==1.0.1",
)
_LIMIT = 600.0  # seconds
_TEST_LIMIT = 20  # seconds per test


def prepare() -> Path:
    """Fetch it. Raises Unavailable."""
    path = checkout(_REPOSITORY, _TAG, _COMMIT)
    # Test the installed client, not the one beside the tests.
    shutil.rmtree(path / "upstash_redis", ignore_errors=True)
    return path


def run(path: Path, variant: str, server: StartedServer, only: str) -> Tally:
    """Run the tests; `only` is an expression as for pytest's -k."""
    arguments = ["tests", f"--timeout={_TEST_LIMIT}", *(["-k", only] if only else [])]
    left_out = skips("upstash_py", server.port)
    return pytest_suite.run(_python(), path, arguments, left_out, _LIMIT, rest_variables(server))


def _python() -> Path:
    return environment("suite-upstash-py", *_REQUIREMENTS)
