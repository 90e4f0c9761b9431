"""pytest-redis can start respcache instead of redis-server: only `--redis-exec` has to change.

It runs ``PROGRAM --version``, then the program with settings meant for redis-server, and its fixtures connect to it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import respcache

pytest.importorskip("pytest_redis")

SOURCE = Path(respcache.__file__).parents[1]

SUITE = """
from pytest_redis import factories

second = factories.redisdb("redis_proc", dbnum=1, decode=True)


def test_client(redisdb):
    redisdb.set("k", "v")
    redisdb.rpush("l", 1, 2, 3)
    assert redisdb.get("k") == b"v"
    assert redisdb.lrange("l", 0, -1) == [b"1", b"2", b"3"]


def test_each_test_starts_empty(redisdb):
    assert redisdb.dbsize() == 0


def test_databases(redisdb, second):
    second.set("k", "v")
    assert second.get("k") == "v"
    assert redisdb.get("k") is None


def test_process(redis_proc):
    assert redis_proc.running()
"""


@pytest.fixture
def program(tmp_path: Path) -> str:
    """The installed console script, or a script that does the same if only the source tree is there."""
    installed = shutil.which("respcache", path=sysconfig.get_path("scripts"))
    if installed is not None:
        return installed
    script = tmp_path / "respcache"
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{SOURCE}" exec "{sys.executable}" -m respcache "$@"\n')
    script.chmod(0o755)
    return str(script)


def test_its_fixtures_run_on_respcache(tmp_path: Path, program: str) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--redis-exec={program}"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
