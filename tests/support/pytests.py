"""The pytest plugin as its users have it: a pytest of its own on small test files."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType

import respcache

SOURCE = Path(respcache.__file__).parents[1]
Run = Callable[..., str]


def command_line(*options: str, plugins: Sequence[str] = ()) -> list[str]:
    """How pytest is started, with no other plugins than these. Warnings are errors.

    Loading all that are installed takes longer than a run, and some of them warn if they are not configured.
    """
    # By the name that the installed package has for pytest: so that is tested, too.
    own = "respcache" if entry_points(group="pytest11", name="respcache") else "respcache.testing.plugin"
    command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider"]
    for name in (own, *plugins, *(["xdist"] if "-n" in options else [])):
        command += ["-p", name]
    return [*command, *options]


def write(directory: Path, test: str, ini: str = "") -> None:
    """Write a test file and settings."""
    (directory / "test_it.py").write_text(textwrap.dedent(test))
    (directory / "pytest.ini").write_text("[pytest]\n" + textwrap.dedent(ini))


def environment() -> dict[str, str]:
    """For a pytest that imports this respcache."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"} | {
        "PYTHONPATH": os.environ.get("PYTHONPATH") or str(SOURCE),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }


def run(
    directory: Path,
    test: str,
    *options: str,
    ini: str = "",
    status: int = 0,
    plugins: Sequence[str] = (),
    files: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Run pytest on a test file, with others beside it; its output. It must end with this status."""
    write(directory, test, ini)
    for name, text in files.items():
        (directory / name).write_text(text)
    done = subprocess.run(
        command_line(*options, plugins=plugins),
        cwd=directory,
        env=environment(),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == status, done.stdout
    return done.stdout
