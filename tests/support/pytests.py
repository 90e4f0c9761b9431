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

# They want settings of their own, and warn without; each is on in the tests that name it.
_OTHER_PLUGINS = ("asyncio", "anyio", "trio", "django")


def command_line(*options: str, plugins: Sequence[str] = ()) -> list[str]:
    """How pytest is started. Warnings are errors."""
    # Installed, the plugin is there by itself.
    plugin = [] if entry_points(group="pytest11", name="respcache") else ["-p", "respcache.testing.plugin"]
    command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *plugin, *options]
    for name in sorted(set(_OTHER_PLUGINS) - set(plugins)):
        command += ["-p", f"no:{name}"]
    return command


def write(directory: Path, test: str, ini: str = "") -> None:
    """Write a test file and settings."""
    (directory / "test_it.py").write_text(textwrap.dedent(test))
    (directory / "pytest.ini").write_text("[pytest]\n" + textwrap.dedent(ini))


def environment() -> dict[str, str]:
    """For a pytest that imports this respcache."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"} | {
        "PYTHONPATH": os.environ.get("PYTHONPATH") or str(SOURCE)
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
